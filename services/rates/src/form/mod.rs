//! Forms of bulletins: which figures stand where, under which headings. Data, not rules: nothing of it changes a figure.
//!
//! [`Form::read`] reads one form from TOML and lists all that is wrong with it; what its columns name is looked up in a
//! rulebook when a bulletin is made. [`sheet::lay`] puts figures into the form. Neither does any I/O.

pub mod decimal;
mod definition;
pub mod period;
pub mod sheet;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hotline_core::bulletin::Span;
use hotline_core::fact::Code;
use hotline_core::rate::{By, Query};
use hotline_core::rulebook::{Composite, Rate, Rulebook, Where};
use hotline_events::Lang;
use hotline_runtime::config::Section;
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use period::{Begins, Period};

/// A form is read whole into memory; a path given by mistake may be anything.
const BYTES_MAX: u64 = 256 * 1024;
/// More columns than anybody prints on a page.
const COLUMNS_MAX: usize = 60;
const DECIMALS_MAX: u8 = 6;

/// The forms that come with the program.
const SHIPPED: [&str; 4] = [
    include_str!("../../../../deploy/bulletins/12315-monthly.toml"),
    include_str!("../../../../deploy/bulletins/12345-monthly.toml"),
    include_str!("../../../../deploy/bulletins/12345-weekly.toml"),
    include_str!("../../../../deploy/bulletins/petition-monthly.toml"),
];

/// `[bulletins]`: the forms of bulletins.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulletinsConfig {
    /// A directory of forms, `*.toml`; by default those that come with the program.
    pub dir: Option<PathBuf>,
}

impl Section for BulletinsConfig {
    const NAME: &'static str = "bulletins";
}

/// Words for people, in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

impl Text {
    pub fn of(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    pub fn to(&self, lang: Lang) -> &str {
        lang.of(&self.zh, &self.en)
    }
}

/// What of a rate, a score or a reported figure a column shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    Numerator,
    Denominator,
    /// What of the denominator is not in the numerator.
    Rest,
    /// The quotient; the points of a score; what is reported.
    #[default]
    Value,
    /// What is missing from the quotient to one.
    RestValue,
    Rank,
}

/// With what a column compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    Before,
    YearBefore,
}

/// How a quotient is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[default]
    Percent,
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annex {
    /// Rulings that exclude (剔除).
    Excluded,
    /// Extensions granted (延期).
    Extended,
    /// Corrections of facts (更正).
    Corrected,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    id: Option<String>,
    heading: Text,
    /// A heading over this column and its neighbours, by its name in `over`.
    over: Option<String>,
    rate: Option<String>,
    score: Option<String>,
    reported: Option<String>,
    #[serde(default)]
    show: Show,
    change: Option<Against>,
    #[serde(default)]
    unit: Unit,
    decimals: Option<u8>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    version: u32,
    title: Text,
    #[serde(default)]
    hotline: Vec<Code>,
    #[serde(default)]
    case_type: Vec<Code>,
    #[serde(default = "first_of_month")]
    month_from: i8,
    week_from: Option<String>,
    #[serde(default)]
    groups: Vec<Code>,
    #[serde(default)]
    only_groups: bool,
    #[serde(default)]
    subtotals: bool,
    /// Also departments of the groups without any figure.
    #[serde(default)]
    all_departments: bool,
    /// The id of the column by which departments stand within their group; else by their code.
    order_by: Option<String>,
    /// The id of the column that is drawn.
    chart: Option<String>,
    #[serde(default)]
    over: BTreeMap<String, Text>,
    column: Vec<RawColumn>,
    #[serde(default)]
    notes: Vec<Text>,
    #[serde(default)]
    signatures: Vec<Text>,
    #[serde(default)]
    annexes: Vec<Annex>,
}

fn first_of_month() -> i8 {
    1
}

/// Where a column has its number from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    Rate(Code),
    Score(Code),
    Reported(Code),
}

#[derive(Clone, Debug)]
pub struct Column {
    pub heading: Text,
    pub over: Option<Text>,
    pub of: Of,
    pub show: Show,
    pub change: Option<Against>,
    pub unit: Unit,
    pub decimals: u8,
}

/// A form that was read and is free of faults.
#[derive(Clone, Debug)]
pub struct Form {
    pub id: Code,
    pub version: u32,
    /// SHA-256 of its bytes, in hexadecimal.
    pub hash: String,
    /// As it was written.
    pub text: String,
    pub title: Text,
    /// Which cases it counts at all.
    pub only: Where,
    pub begins: Begins,
    /// The order of the groups; others come after them.
    pub groups: Vec<Code>,
    /// Others do not come at all.
    pub only_groups: bool,
    pub subtotals: bool,
    pub all_departments: bool,
    pub columns: Vec<Column>,
    /// Places in `columns`.
    pub order_by: Option<usize>,
    pub chart: Option<usize>,
    pub notes: Vec<Text>,
    pub signatures: Vec<Text>,
    pub annexes: Vec<Annex>,
}

/// What a form asks of a rulebook.
#[derive(Clone, Debug)]
pub struct Asked<'r> {
    pub rates: Vec<&'r Rate>,
    pub scores: Vec<&'r Composite>,
}

impl<'r> Asked<'r> {
    /// The question for the days from the first to before the second.
    pub fn query(&self, (from, to): (Date, Date)) -> Query<'r> {
        Query { rates: self.rates.clone(), scores: self.scores.clone(), by: By::default(), from, to }
    }
}

impl Form {
    /// Reads a form; the error lists everything that is wrong with it, with the name that it was read under.
    pub fn read(name: &str, text: &str) -> Result<Self, Error> {
        let wrong = |faults: Vec<String>| Error::Form { name: name.to_owned(), faults: faults.join("; ") };
        let mut raw: Raw = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            wrong(vec![format!("line {line}: {}", error.message())])
        })?;
        let mut faults = raw.faults();
        let columns: Vec<Column> =
            raw.column.iter().filter_map(|column| raw.read_column(column, &mut faults)).collect();
        let mut named = |key: &str, id: Option<&String>| {
            let id = id?;
            let place = raw.column.iter().position(|column| column.id.as_ref() == Some(id));
            if place.is_none() {
                faults.push(format!("{key} names \"{id}\", and no column has this id"));
            }
            place
        };
        let order_by = named("order_by", raw.order_by.as_ref());
        let chart = named("chart", raw.chart.as_ref());
        let week_from = raw.week_from.as_deref().map_or(Some(Weekday::Monday), weekday);
        if week_from.is_none() {
            faults.push("week_from is a day of the week in English: monday, …, sunday".to_owned());
        }
        if !faults.is_empty() {
            return Err(wrong(faults));
        }
        let (hotline, case_type) = (std::mem::take(&mut raw.hotline), std::mem::take(&mut raw.case_type));
        Ok(Self {
            id: raw.id.into(),
            version: raw.version,
            hash: hex(&Sha256::digest(text.as_bytes())),
            text: text.to_owned(),
            title: raw.title,
            only: Where { hotline, case_type, ..Where::default() },
            begins: Begins { month_from: raw.month_from, week_from: week_from.unwrap_or(Weekday::Monday) },
            groups: raw.groups,
            only_groups: raw.only_groups,
            subtotals: raw.subtotals,
            all_departments: raw.all_departments,
            columns,
            order_by,
            chart,
            notes: raw.notes,
            signatures: raw.signatures,
            annexes: raw.annexes,
        })
    }

    /// What of the rulebook the columns name. Fails with [`Error::Form`] where it has no such rate or score.
    pub fn asked<'r>(&self, rulebook: &'r Rulebook) -> Result<Asked<'r>, Error> {
        let (asked, faults) = self.found(rulebook);
        if faults.is_empty() {
            Ok(asked)
        } else {
            Err(Error::Form { name: self.id.to_string(), faults: faults.join("; ") })
        }
    }

    /// … and what of it the rulebook does not have.
    pub(crate) fn found<'r>(&self, rulebook: &'r Rulebook) -> (Asked<'r>, Vec<String>) {
        let mut faults = Vec::new();
        let mut asked = Asked { rates: Vec::new(), scores: Vec::new() };
        for of in self.columns.iter().map(|column| &column.of).collect::<BTreeSet<_>>() {
            match of {
                Of::Rate(id) => match rulebook.rates.get(id) {
                    Some(rate) => asked.rates.push(rate),
                    None => faults.push(format!("the rulebook has no rate \"{id}\"")),
                },
                Of::Score(id) => match rulebook.scores.get(id) {
                    Some(score) => asked.scores.push(score),
                    None => faults.push(format!("the rulebook has no score \"{id}\"")),
                },
                Of::Reported(_) => {}
            }
        }
        (asked, faults)
    }

    /// The days that its columns need, each under its span.
    pub fn spans(&self, period: Period) -> BTreeMap<Span, (Date, Date)> {
        let needs = |against| self.columns.iter().any(|column| column.change == Some(against));
        let days = |period: Period| (period.from, period.to);
        let mut spans = BTreeMap::from([(Span::Period, days(period))]);
        if needs(Against::Before) {
            spans.insert(Span::Before, days(period.before()));
        }
        if needs(Against::YearBefore) {
            spans.insert(Span::YearBefore, days(period.year_before()));
        }
        spans
    }

    /// The reported measures that its columns show.
    pub fn reported(&self) -> Vec<Code> {
        let measures: BTreeSet<&Code> = self
            .columns
            .iter()
            .filter_map(|column| match &column.of {
                Of::Reported(measure) => Some(measure),
                _ => None,
            })
            .collect();
        measures.into_iter().cloned().collect()
    }
}

impl Raw {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.id.is_empty() || !self.id.chars().all(is_plain) {
            faults.push("id takes letters, digits, \"-\", \"_\" and \".\"".to_owned());
        }
        if !(1..=28).contains(&self.month_from) {
            faults.push("month_from is a day that every month has: 1 to 28".to_owned());
        }
        if self.column.is_empty() || self.column.len() > COLUMNS_MAX {
            faults.push(format!("a form has 1 to {COLUMNS_MAX} columns"));
        }
        let mut ids = BTreeSet::new();
        for id in self.column.iter().filter_map(|column| column.id.as_ref()) {
            if !ids.insert(id) {
                faults.push(format!("two columns have the id \"{id}\""));
            }
        }
        if (1..self.annexes.len()).any(|at| self.annexes[..at].contains(&self.annexes[at])) {
            faults.push("annexes names one twice".to_owned());
        }
        if self.only_groups && self.groups.is_empty() {
            faults.push("only_groups needs groups".to_owned());
        }
        faults
    }

    fn read_column(&self, column: &RawColumn, faults: &mut Vec<String>) -> Option<Column> {
        let before = faults.len();
        let name = column.id.as_ref().unwrap_or(&column.heading.en);
        let of = match (&column.rate, &column.score, &column.reported) {
            (Some(id), None, None) => Some(Of::Rate(id.into())),
            (None, Some(id), None) => Some(Of::Score(id.into())),
            (None, None, Some(id)) => Some(Of::Reported(id.into())),
            _ => None,
        };
        let shows = match &of {
            None => {
                faults.push(format!("column \"{name}\" takes one of rate, score, reported"));
                true
            }
            Some(Of::Rate(_)) => true,
            Some(Of::Score(_)) => matches!(column.show, Show::Value | Show::Rank),
            Some(Of::Reported(_)) => column.show == Show::Value,
        };
        if !shows {
            faults
                .push(format!("column \"{name}\": a score shows value or rank, a reported figure its value"));
        }
        let over = column.over.as_ref().and_then(|over| {
            let text = self.over.get(over);
            if text.is_none() {
                faults.push(format!("column \"{name}\": [over] has no \"{over}\""));
            }
            text.cloned()
        });
        let decimals = column.decimals.unwrap_or(match (&of, column.show) {
            (Some(Of::Reported(_)), _) | (_, Show::Numerator | Show::Denominator | Show::Rest) => 0,
            _ => 2,
        });
        if decimals > DECIMALS_MAX {
            faults.push(format!("column \"{name}\": at most {DECIMALS_MAX} decimals"));
        }
        let column = Column {
            heading: column.heading.clone(),
            over,
            of: of?,
            show: column.show,
            change: column.change,
            unit: column.unit,
            decimals,
        };
        (faults.len() == before).then_some(column)
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let place = names.iter().position(|known| *known == name)?;
    Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The forms of a directory, or those that come with the program, by their id.
pub fn forms(dir: Option<&Path>) -> Result<BTreeMap<Code, Form>, Error> {
    let mut forms = BTreeMap::new();
    for (name, text) in texts(dir)? {
        let form = Form::read(&name, &text)?;
        if let Some(twin) = forms.insert(form.id.clone(), form) {
            let faults = format!("another form has the id \"{}\" too", twin.id);
            return Err(Error::Form { name, faults });
        }
    }
    Ok(forms)
}

fn texts(dir: Option<&Path>) -> Result<Vec<(String, String)>, Error> {
    use std::io::Read as _;
    let Some(dir) = dir else {
        return Ok(SHIPPED.iter().map(|text| ("a shipped form".to_owned(), (*text).to_owned())).collect());
    };
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        |source| Error::FormUnreadable { path, source }
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable(dir))? {
        let path = entry.map_err(unreadable(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let file = std::fs::File::open(&path).map_err(unreadable(&path))?;
            let mut text = String::new();
            file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable(&path))?;
            texts.push((path.display().to_string(), text));
        }
    }
    texts.sort();
    Ok(texts)
}
