//! Cells, codes and instants as people read them.

use hotline_core::fold::Clock;
use hotline_core::rulebook::Rulebook;
use hotline_events::{Lang, words};
use jiff::{SignedDuration, Timestamp};

use super::codes;
use super::frame::href;
use crate::query::table::{Cell, Column};

/// A cell of a page's table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// Where it leads.
    pub(super) href: Option<String>,
    /// How it looks: `number`, `bad`, `quiet`, `code`.
    pub(super) class: &'static str,
}

impl Shown {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(super) fn number(number: impl std::fmt::Display) -> Self {
        Self { text: number.to_string(), class: "number", ..Self::default() }
    }

    pub(super) fn code(text: impl Into<String>) -> Self {
        Self { text: text.into(), class: "code", ..Self::default() }
    }

    pub(super) fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self { text: text.into(), href: Some(href.into()), ..Self::default() }
    }

    #[must_use]
    pub(super) fn with_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// A table of a page. The first cell of a row names it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<Shown>>,
}

impl Table {
    pub(super) fn new<H: Into<String>>(
        caption: impl Into<String>,
        headings: impl IntoIterator<Item = H>,
        rows: impl IntoIterator<Item = Vec<Shown>>,
    ) -> Self {
        Self {
            caption: caption.into(),
            headings: headings.into_iter().map(Into::into).collect(),
            rows: rows.into_iter().collect(),
        }
    }
}

/// Says what codes mean, in a language, under a rulebook.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller<'r> {
    pub(super) lang: Lang,
    pub(super) rulebook: &'r Rulebook,
    /// Whether cases may be looked at: then their names lead there.
    pub(super) leads_to_cases: bool,
}

/// Where a case is shown. Its name has no sign that an address would change.
pub(super) fn case_href(case: &str) -> String {
    format!("/audit/cases/{case}")
}

impl Teller<'_> {
    /// In the rulebook's zone, to the minute where it has no seconds.
    pub(super) fn at(&self, at: Timestamp) -> String {
        let local = self.rulebook.timezone.to_datetime(at);
        let format = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        local.strftime(format).to_string()
    }

    /// A deadline; 24:00 stays with its day.
    pub(super) fn due(&self, clock: &Clock) -> Option<String> {
        let is_end = clock.deadline.as_ref().is_some_and(|deadline| deadline.end_of_day);
        match (clock.due_at()?, clock.due_on()) {
            (_, Some(due_on)) if is_end => Some(format!("{due_on} 24:00")),
            (due_at, _) => Some(self.due_at(due_at)),
        }
    }

    /// … of which nothing but the instant is known: midnight is the end of the day before.
    pub(super) fn due_at(&self, at: Timestamp) -> String {
        let local = self.rulebook.timezone.to_datetime(at);
        if local.time() != jiff::civil::Time::midnight() {
            return self.at(at);
        }
        format!("{} 24:00", local.date().yesterday().unwrap_or(local.date()))
    }

    pub(super) fn maybe_at(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(|| "–".to_owned(), |at| self.at(at))
    }

    /// A department's code and name.
    pub(super) fn department(&self, code: &str) -> String {
        if code == "-" {
            return self.lang.of("无承办单位", "nobody").to_owned();
        }
        match self.department_name(code) {
            Some(name) => format!("{name} {code}"),
            None => code.to_owned(),
        }
    }

    pub(super) fn department_name(&self, code: &str) -> Option<&str> {
        let known = self.rulebook.departments.get(code)?;
        Some(self.lang.of(known.name_zh.as_str(), known.name_en.as_str())).filter(|name| !name.is_empty())
    }

    pub(super) fn hotline(&self, code: &str) -> String {
        let known = self.rulebook.hotlines.get(code);
        let name = known.map(|known| self.lang.of(known.name_zh.as_str(), known.name_en.as_str()));
        name.filter(|name| !name.is_empty()).unwrap_or(code).to_owned()
    }

    /// A category from broad to narrow: by its names where the rulebook has any, with its codes behind.
    pub(super) fn category(&self, path: &str) -> String {
        let name = |code: &str| {
            let (zh, en) = self.rulebook.code_name("category", code)?;
            Some(self.lang.of(zh, en))
        };
        let part = |code| name(code).unwrap_or_else(|| words::code(code, self.lang));
        let told = path.split('/').map(part).collect::<Vec<&str>>().join(" / ");
        if path.split('/').any(|code| name(code).is_some()) { format!("{told} {path}") } else { told }
    }

    pub(super) fn case(&self, case: &str) -> Shown {
        let shown = if self.leads_to_cases { Shown::link(case, case_href(case)) } else { Shown::text(case) };
        shown.with_class("case")
    }

    /// A cell of a list.
    pub(super) fn cell(&self, column: &Column, cell: &Cell) -> Shown {
        match cell {
            Cell::Nothing | Cell::Truth(false) => Shown::text("–").with_class("quiet"),
            Cell::Text(text) => self.text(column.name, text),
            Cell::Number(seconds) if column.name == "gap_seconds" => {
                Shown::text(lasted(SignedDuration::from_secs(*seconds), self.lang))
            }
            Cell::Number(number) => Shown::number(number),
            Cell::Truth(true) => Shown::text(self.lang.of("是", "yes")),
            Cell::Instant(at) if ["due_at", "until"].contains(&column.name) => {
                Shown::text(self.due_at(*at)).with_class("time")
            }
            Cell::Instant(at) => Shown::text(self.at(*at)).with_class("time"),
            Cell::Day(day) => Shown::text(day.to_string()).with_class("time"),
            Cell::List(texts) if texts.is_empty() => Shown::text("–").with_class("quiet"),
            Cell::List(texts) => self.list(column.name, texts.iter().map(smol_str::SmolStr::as_str)),
        }
    }

    fn list<'t>(&self, column: &str, texts: impl Iterator<Item = &'t str>) -> Shown {
        let comma = self.lang.of("、", ", ");
        match column {
            "marks" | "anomalies" => {
                let marks: Vec<String> = texts.map(|code| codes::mark(code, self.lang)).collect();
                Shown::text(marks.join(comma))
            }
            "bulletins" => Shown::text(texts.collect::<Vec<_>>().join(comma)),
            _ => Shown::code(texts.collect::<Vec<_>>().join(" ")),
        }
    }

    /// A text of a column, in words where it is a code.
    pub(super) fn text(&self, column: &str, text: &str) -> Shown {
        let lang = self.lang;
        match column {
            "case" => self.case(text),
            "department" | "approved_by" => Shown::text(self.department(text)),
            "hotline" => Shown::text(self.hotline(text)),
            "verdict" => {
                let class = if ["late", "left_late"].contains(&text) { "bad" } else { "" };
                Shown::text(codes::verdict(text, lang)).with_class(class)
            }
            "rating" => Shown::text(codes::rating(text, lang)),
            "type" | "kind" => Shown::text(codes::kind(text, lang)),
            "effect" => Shown::text(codes::effect(text, lang)),
            "change" => Shown::text(codes::changed(text, lang)),
            "category" => Shown::text(self.category(text)),
            "granted" => Shown::text(granted(text, lang)),
            "basis" => Shown::text(basis(text, lang)),
            "rulebook" => Shown::code(text.get(..12).unwrap_or(text)),
            "fact" | "measure" | "source" | "document" => Shown::code(text),
            _ => Shown::text(words::code(text, lang)),
        }
    }
}

/// `2 working_day` as people say it.
fn granted(text: &str, lang: Lang) -> String {
    let parsed = text.split_once(' ').and_then(|(count, unit)| {
        Some(words::Count(count.parse().ok()?, hotline_core::fact::Unit::parse(unit)?, lang))
    });
    parsed.map_or_else(|| text.to_owned(), |count| count.to_string())
}

fn basis(name: &str, lang: Lang) -> &str {
    match name {
        "received" => lang.of("登记日", "day of receipt"),
        "dispatched" => lang.of("派单日", "day of dispatch"),
        "closed" => lang.of("办结日", "day of closing"),
        "rated" => lang.of("评价日", "day of rating"),
        "due" => lang.of("到期日", "day due"),
        "event" => lang.of("发生日", "day of the event"),
        other => other,
    }
}

/// The largest two units.
pub(super) fn lasted(time: SignedDuration, lang: Lang) -> String {
    let seconds = time.as_secs().abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => lang.of(format!("{seconds} 秒"), format!("{seconds} s")),
        (0, 0, _) => lang.of(format!("{minutes} 分"), format!("{minutes} min")),
        (0, ..) => lang.of(format!("{hours} 小时 {minutes} 分"), format!("{hours} h {minutes} min")),
        (_, 0, _) => lang.of(format!("{days} 天"), format!("{days} d")),
        _ => lang.of(format!("{days} 天 {hours} 小时"), format!("{days} d {hours} h")),
    }
}

/// Where closed cases are searched.
pub(super) fn closures_href<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    href("/audit/closures", pairs)
}

#[cfg(test)]
mod tests {
    use hotline_core::rulebook::load;

    use super::*;
    use crate::api::tests::stage::files;
    use crate::query::List;

    #[test]
    fn the_end_of_a_day_stays_with_it_wherever_a_deadline_is_written() {
        let rulebook = match load(&files()) {
            Ok(loaded) => loaded.rulebook,
            Err(faults) => panic!("{faults:?}"),
        };
        let teller = Teller { lang: Lang::Zh, rulebook: &rulebook, leads_to_cases: false };
        for (due_at, told) in
            [("2023-09-25T16:00:00Z", "2023-09-25 24:00"), ("2023-09-25T16:01:00Z", "2023-09-26 00:01")]
        {
            let due_at: Timestamp = due_at.parse().unwrap();
            assert_eq!(teller.due_at(due_at), told);
            let columns = List::Closures.columns();
            let column = columns.iter().find(|column| column.name == "due_at").unwrap();
            assert_eq!(teller.cell(column, &Cell::Instant(due_at)).text, told);
        }
    }

    #[test]
    fn a_category_is_told_by_the_names_of_the_rulebook() {
        let told = |list: &str, lang: Lang| {
            let mut files = files();
            files.insert("codes/category.csv".to_owned(), list.as_bytes().to_vec());
            let rulebook = match load(&files) {
                Ok(loaded) => loaded.rulebook,
                Err(faults) => panic!("{faults:?}"),
            };
            let teller = Teller { lang, rulebook: &rulebook, leads_to_cases: false };
            teller.text("category", "housing/heating").text
        };
        let both =
            "code,name_zh,name_en\nhousing,住房建设,housing and construction\nheating,供热,heating supply\n";
        assert_eq!(told(both, Lang::Zh), "住房建设 / 供热 housing/heating");
        assert_eq!(told(both, Lang::En), "housing and construction / heating supply housing/heating");
        let one = "code,name_zh\nhousing,住房建设\n";
        assert_eq!(told(one, Lang::Zh), "住房建设 / heating housing/heating");
        assert_eq!(told("code\nhousing\n", Lang::Zh), "housing / heating");
    }
}
