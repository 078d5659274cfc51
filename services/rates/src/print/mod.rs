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

use hotline_core::bulletin::{Change, Figure, Figures, Span, Sums, changes};
use hotline_events::{Lang, words};
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
                    row.basis.name().to_owned(),
                    row.day.to_string(),
                    row.department.to_string(),
                    row.measure.to_string(),
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
        }
    }

    fn cell(text: &str, lang: Lang) -> String {
        let span = Span::parse(text).map(|span| match span {
            Span::Period => lang.of("本期", "period"),
            Span::Before => lang.of("上期", "period before"),
            Span::YearBefore => lang.of("上年同期", "year before"),
        });
        span.unwrap_or_else(|| words::code(text, lang)).to_owned()
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
