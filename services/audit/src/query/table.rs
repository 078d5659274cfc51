//! Lists as tables: columns with a name and a kind, rows of cells. JSON, exports and pages are made from the same cells.

use hotline_events::Lang;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use smol_str::SmolStr;

/// What the cells of a column are: exports write numbers as numbers by this, never by how a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Truth,
    Instant,
    Day,
    /// Several texts.
    List,
}

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The member of JSON, and the heading of a file that nobody wants words for.
    pub name: &'static str,
    pub kind: Kind,
    /// Its heading for people.
    pub zh: &'static str,
    pub en: &'static str,
}

impl Column {
    /// What stands above it: words of a language, or its name.
    pub fn heading(&self, words: Option<Lang>) -> &'static str {
        words.map_or(self.name, |lang| lang.of(self.zh, self.en))
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Nothing,
    Text(SmolStr),
    Number(i64),
    Truth(bool),
    Instant(Timestamp),
    Day(Date),
    List(Vec<SmolStr>),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        Cell::Text(text.into())
    }

    pub(crate) fn optional(text: Option<&str>) -> Self {
        text.map_or(Cell::Nothing, Cell::text)
    }

    pub(crate) fn instant(at: Option<Timestamp>) -> Self {
        at.map_or(Cell::Nothing, Cell::Instant)
    }

    pub(crate) fn list<'t>(texts: impl IntoIterator<Item = &'t String>) -> Self {
        Cell::List(texts.into_iter().map(SmolStr::from).collect())
    }

    /// For programs: instants with the offset of the rulebook's zone.
    pub fn json(&self, zone: &TimeZone) -> Value {
        match self {
            Cell::Nothing => Value::Null,
            Cell::Text(text) => text.as_str().into(),
            Cell::Number(number) => (*number).into(),
            Cell::Truth(holds) => (*holds).into(),
            Cell::Instant(at) => instant(*at, zone).into(),
            Cell::Day(day) => day.to_string().into(),
            Cell::List(texts) => texts.iter().map(SmolStr::as_str).collect::<Vec<_>>().into(),
        }
    }

    /// As one text; nothing is empty, the parts of a list stand apart by blanks.
    pub fn plain(&self, zone: &TimeZone) -> String {
        match self {
            Cell::Nothing => String::new(),
            Cell::Text(text) => text.to_string(),
            Cell::Number(number) => number.to_string(),
            Cell::Truth(holds) => holds.to_string(),
            Cell::Instant(at) => instant(*at, zone),
            Cell::Day(day) => day.to_string(),
            Cell::List(texts) => texts.join(" "),
        }
    }
}

/// An instant as the rulebook's zone writes it.
pub fn instant(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// A row as a JSON object.
pub fn object(columns: &[Column], row: &[Cell], zone: &TimeZone) -> Value {
    let members = columns.iter().zip(row).map(|(column, cell)| (column.name.to_owned(), cell.json(zone)));
    Value::Object(members.collect::<Map<_, _>>())
}
