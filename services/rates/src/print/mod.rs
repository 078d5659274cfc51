//! A bulletin for people and programs: text, CSV, XLSX, JSON, a page to print.
//!
//! All say the same numbers, in Chinese or English. Numbers were rounded once, when the sheet was laid; nothing here
//! computes one.

mod chart;
pub mod csv;
pub mod html;
pub mod json;
pub mod table;
#[cfg(test)]
mod tests;
pub mod xlsx;

use std::collections::BTreeMap;

use hotline_core::bulletin::{Change, Figure, Figures, Sums, changes};
use hotline_core::fact::{Kind, RulingEffect, Unit};
use hotline_core::rulebook::{Department, Rulebook};
use hotline_events::Lang;
use hotline_events::words::{self, Count};
use hotline_postgres::bulletins::{Published, Stamp};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::annex::Annexed;
use crate::form::Text;
use crate::form::sheet::Sheet;
use crate::made::{Made, Since};

/// A bulletin and what is printed with it.
#[derive(Clone, Debug)]
pub struct Page {
    pub sheet: Sheet,
    pub stamp: Stamp,
    pub figures: Figures,
    /// Where days and instants are told.
    pub zone: TimeZone,
    pub published: Option<Notice>,
    pub refold_pending: bool,
    /// What departments are called, by code.
    pub names: BTreeMap<String, Text>,
    /// What rates and scores are called, by id.
    pub called: BTreeMap<String, Text>,
    pub lists: Vec<List>,
}

/// When and by whom a bulletin was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: i64,
    pub at: Timestamp,
    pub operator: String,
    pub why: String,
}

/// A list below the table: an annex, or what has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// For programs.
    pub name: &'static str,
    pub title: Text,
    pub headings: Vec<Text>,
    /// Codes, as they are.
    pub rows: Vec<Vec<String>>,
    /// The place of the column of departments.
    pub department_at: Option<usize>,
    /// The place of the column of figures.
    pub figure_at: Option<usize>,
}

impl Page {
    /// What was made, with its annexes if `with_annexes`.
    pub fn of(made: &Made, with_annexes: bool) -> Self {
        let annexes = made.annexes.iter().filter(|_| with_annexes);
        Self {
            sheet: made.sheet(),
            stamp: made.stamp.clone(),
            figures: made.figures.clone(),
            zone: made.rulebook.timezone.clone(),
            published: None,
            refold_pending: made.refold_pending,
            names: made.rulebook.departments.values().map(named).collect(),
            called: called(&made.rulebook),
            lists: annexes.map(List::of_annex).collect(),
        }
    }

    #[must_use]
    pub fn published(mut self, published: &Published) -> Self {
        let (operator, why) = (published.operator.clone(), published.why.clone());
        self.published = Some(Notice { id: published.id, at: published.published_at, operator, why });
        self
    }

    /// With what has changed since it was published.
    #[must_use]
    pub fn since(mut self, since: &Since) -> Self {
        self.lists.push(List::of_changes(&changes(&self.figures, &since.figures)));
        self.lists.push(List::of_restatements(since, &self.zone));
        self
    }

    /// An instant in the rulebook's zone, to the second.
    fn told(&self, at: Timestamp) -> String {
        self.zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn as_of(&self, lang: Lang) -> String {
        let at = self.told(self.stamp.as_of);
        lang.of(format!("数据截止时间：{at}"), format!("Data as of {at}"))
    }

    /// Who published it and when, or that nobody has.
    fn standing(&self, lang: Lang) -> String {
        match &self.published {
            Some(notice) => {
                let (id, at, operator) = (notice.id, self.told(notice.at), &notice.operator);
                lang.of(
                    format!("第{id}号，{operator} 于 {at} 发布"),
                    format!("No. {id}, published at {at} by {operator}"),
                )
            }
            None if self.refold_pending => lang
                .of(
                    "草稿，不得发布：仍有工单在按新规则重算",
                    "Draft, not for publication: cases are still being folded",
                )
                .to_owned(),
            None => lang.of("草稿，未发布", "Draft, not published").to_owned(),
        }
    }

    /// The stamp in a line.
    fn stamped(&self, lang: Lang) -> String {
        let (stamp, short) = (&self.stamp, |hash: &str| hash.get(..12).unwrap_or(hash).to_owned());
        let (rulebook, form) = (short(&stamp.rulebook_hash), short(&stamp.form.hash));
        let (seq, fold) = (stamp.rulebook_seq, stamp.fold_version);
        let (id, version) = (&stamp.form.id, stamp.form.version);
        lang.of(
            format!("规则库 {rulebook}（第{seq}版） · 计算程序 {fold} · 模板 {id} 第{version}版 {form}"),
            format!("rulebook {rulebook} (no. {seq}) · fold {fold} · form {id} version {version} {form}"),
        )
    }

    fn small_note(&self, lang: Lang) -> Option<&'static str> {
        self.sheet.has_small.then_some(lang.of(
            "* 分母小于该指标的最低样本量，列出数值，不参加排名。",
            "* The denominator is too small for this rate: shown, not ranked.",
        ))
    }
}

impl List {
    fn of_annex(annexed: &Annexed) -> Self {
        let annex = annexed.annex;
        Self {
            name: annex.name(),
            title: annex.title(),
            headings: annex.headings(),
            rows: annexed.rows.clone(),
            department_at: annex.department_at(),
            figure_at: None,
        }
    }

    fn of_changes(changes: &[Change<'_>]) -> Self {
        let row = |change: &Change<'_>| {
            vec![
                change.place.span.name().to_owned(),
                change.place.id.to_string(),
                change.place.department.to_string(),
                change.before.map_or_else(|| "-".to_owned(), told),
                change.after.map_or_else(|| "-".to_owned(), told),
            ]
        };
        Self {
            name: "changes",
            title: Text::of(
                "发布后变化：与现在的数据对照",
                "Since publication: as published and as it is now",
            ),
            headings: vec![
                Text::of("期间", "span"),
                Text::of("指标", "figure"),
                Text::of("承办单位", "department"),
                Text::of("发布时", "as published"),
                Text::of("现在", "now"),
            ],
            rows: changes.iter().map(row).collect(),
            department_at: Some(2),
            figure_at: Some(1),
        }
    }

    fn of_restatements(since: &Since, zone: &TimeZone) -> Self {
        let mut rows: Vec<Vec<String>> = since
            .restatements
            .iter()
            .map(|row| {
                vec![
                    zone.to_datetime(row.restated_at).strftime("%Y-%m-%d %H:%M:%S").to_string(),
                    row.case_id.to_string(),
                    format!("{} → {}", row.from_rulebook_seq, row.to_rulebook_seq),
                    row.series.basis.name().to_owned(),
                    row.day.to_string(),
                    row.series.cell.department.to_string(),
                    row.series.measure.to_string(),
                    row.old_value.to_string(),
                    row.new_value.to_string(),
                ]
            })
            .collect();
        if since.is_cut {
            rows.push(vec!["…".to_owned(); 9]);
        }
        Self {
            name: "restatements",
            title: Text::of(
                "发布后更正：按新规则重新认定的工单",
                "Restatements: cases that a newer rulebook judges otherwise",
            ),
            headings: vec![
                Text::of("更正时间", "restated at"),
                Text::of("工单", "case"),
                Text::of("规则库", "rulebook"),
                Text::of("口径日", "by the day"),
                Text::of("日期", "on"),
                Text::of("承办单位", "department"),
                Text::of("计量项", "measure"),
                Text::of("原值", "was"),
                Text::of("现值", "is"),
            ],
            rows,
            department_at: Some(5),
            figure_at: None,
        }
    }

    /// The rows in words: departments and figures by their names, codes as people call them.
    fn told<'l>(&'l self, page: &'l Page, lang: Lang) -> impl Iterator<Item = Vec<String>> + 'l {
        let cell = move |(place, code): (usize, &String)| {
            let name = |names: &BTreeMap<String, Text>| Some(names.get(code)?.to(lang).to_owned());
            match Some(place) {
                // What a source reports is called by its measure, which must not be taken for a code that it resembles.
                at if at == self.figure_at => name(&page.called).unwrap_or_else(|| code.clone()),
                at if at == self.department_at => name(&page.names).unwrap_or_else(|| in_words(code, lang)),
                _ => in_words(code, lang),
            }
        };
        self.rows.iter().map(move |row| row.iter().enumerate().map(cell).collect())
    }
}

fn named(department: &Department) -> (String, Text) {
    let en = if department.name_en.is_empty() { &department.name_zh } else { &department.name_en };
    (department.code.to_string(), Text::of(department.name_zh.as_str(), en.as_str()))
}

fn called(rulebook: &Rulebook) -> BTreeMap<String, Text> {
    let rates = rulebook.rates.values().map(|rate| (&rate.id, &rate.name_zh, &rate.name_en));
    let scores = rulebook.scores.values().map(|score| (&score.id, &score.name_zh, &score.name_en));
    rates.chain(scores).map(|(id, zh, en)| (id.to_string(), Text::of(zh, en))).collect()
}

/// A code as people call it.
fn in_words(code: &str, lang: Lang) -> String {
    granted(code, lang).or_else(|| ruled(code, lang)).unwrap_or_else(|| word(code, lang).to_owned())
}

/// How long an extension is, in words: `5 working_day` is how an annex keeps it.
fn granted(code: &str, lang: Lang) -> Option<String> {
    let (count, unit) = code.split_once(' ')?;
    Some(Count(count.parse().ok()?, Unit::parse(unit)?, lang).to_string())
}

/// Rulings since an exclusion, in words: `restore 2026-09-29 No. 7` is how an annex keeps one.
fn ruled(code: &str, lang: Lang) -> Option<String> {
    let one = |ruling: &str| {
        let (effect, what) = ruling.split_once(' ')?;
        let effect = match RulingEffect::parse(effect)? {
            RulingEffect::Exclude => lang.of("剔除", "exclude"),
            RulingEffect::Met => lang.of("认定按时", "ruled in time"),
            RulingEffect::Failed => lang.of("认定超期", "ruled late"),
            RulingEffect::Restore => lang.of("恢复", "restored"),
        };
        Some(format!("{effect} {what}"))
    };
    let rulings: Option<Vec<String>> = code.split("; ").map(one).collect();
    Some(rulings?.join(lang.of("；", "; ")))
}

/// What people call a code of a list.
fn word(code: &str, lang: Lang) -> &str {
    match code {
        "period" => lang.of("本期", "period"),
        "before" => lang.of("上期", "period before"),
        "year_before" => lang.of("上年同期", "year before"),
        "exclude" => lang.of("剔除", "exclude"),
        "void" => lang.of("作废", "void"),
        "data" => lang.of("内容", "data"),
        "time" => lang.of("时间", "time"),
        _ => Kind::parse(code).map_or_else(|| words::code(code, lang), |kind| words::kind(kind, lang)),
    }
}

/// A figure as text: numerator and denominator, or its value, with the rank.
fn told(figure: &Figure) -> String {
    let rank = figure.rank.map(|rank| format!(" (#{rank})")).unwrap_or_default();
    let number = match (figure.sums, figure.value) {
        (Some(Sums { numerator, denominator, scale: 1 }), _) => format!("{numerator}/{denominator}"),
        (Some(Sums { numerator, denominator, scale }), _) => {
            format!("({numerator}/{scale})/({denominator}/{scale})")
        }
        (None, value) => value.map(|value| value.to_string()).unwrap_or_default(),
    };
    format!("{number}{rank}")
}
