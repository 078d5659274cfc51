//! The figures of the report, and how each is read from a bulletin.
//!
//! The report is a newspaper's on Sanmenxia's bureau of market supervision and its year: 1,619 complaints by 12345, of
//! whose callers 91 % are satisfied, the first place in the city; 43,482 cases by 12315, all closed on time; 206
//! petition letters and 80 visitors.

use hotline_core::rate::{By, Query, Row};
use hotline_core::rulebook::Rulebook;
use jiff::civil::date;

use crate::world::MARKET_BUREAU;

/// Which number of a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Numerator,
    Denominator,
    /// Numerator over denominator, rounded to whole percent; 100 only if they are equal.
    Percent,
    /// The place among the departments whose denominator is ranked, 1 for the highest share.
    Place,
}

/// A figure of the report.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub name_zh: &'static str,
    pub name_en: &'static str,
    /// What the report says.
    pub reported: i64,
    /// The id of the rate in whose row it stands.
    pub rate: &'static str,
    pub hotline: &'static str,
    /// None: all types together.
    pub case_type: Option<&'static str>,
    pub side: Side,
}

/// The bureau whose figures they are.
pub const DEPARTMENT: &str = MARKET_BUREAU;

/// In the order in which they are shown.
pub const FIGURES: &[Figure] = &[
    Figure {
        name_zh: "12345 投诉受理（件）",
        name_en: "12345: complaints taken in",
        reported: 1_619,
        rate: "persons",
        hotline: "12345",
        case_type: Some("complaint"),
        side: Side::Denominator,
    },
    Figure {
        name_zh: "12345 投诉满意率（%）",
        name_en: "12345: callers satisfied, %",
        reported: 91,
        rate: "satisfaction.answered",
        hotline: "12345",
        case_type: Some("complaint"),
        side: Side::Percent,
    },
    Figure {
        name_zh: "12345 满意率全市排名",
        name_en: "12345: place in the city",
        reported: 1,
        rate: "satisfaction.answered",
        hotline: "12345",
        case_type: Some("complaint"),
        side: Side::Place,
    },
    Figure {
        name_zh: "12315 受理（件）",
        name_en: "12315: taken in",
        reported: 43_482,
        rate: "persons",
        hotline: "12315",
        case_type: None,
        side: Side::Denominator,
    },
    Figure {
        name_zh: "12315 按期办结率（%）",
        name_en: "12315: closed on time, %",
        reported: 100,
        rate: "on_time_closure.received",
        hotline: "12315",
        case_type: None,
        side: Side::Percent,
    },
    Figure {
        name_zh: "来信（件）",
        name_en: "petition letters",
        reported: 206,
        rate: "persons.letter",
        hotline: "petition",
        case_type: None,
        side: Side::Denominator,
    },
    Figure {
        name_zh: "来访（人次）",
        name_en: "petition visitors",
        reported: 80,
        rate: "persons.visit",
        hotline: "petition",
        case_type: None,
        side: Side::Numerator,
    },
];

/// The rates of the figures, and the one by which departments are shown beside them.
const RATES: [&str; 6] = [
    "on_time_closure.due",
    "on_time_closure.received",
    "persons",
    "persons.letter",
    "persons.visit",
    "satisfaction.answered",
];

/// The question of which the figures are the answer: the year 2023, by department and hotline, and by case type or
/// not. None if the rulebook lacks one of the rates.
pub fn query(rulebook: &Rulebook, by_case_type: bool) -> Option<Query<'_>> {
    let rates = RATES.iter().map(|id| rulebook.rates.get(*id)).collect::<Option<_>>()?;
    let by = By { hotline: true, case_type: by_case_type };
    Some(Query { rates, scores: Vec::new(), by, from: date(2023, 1, 1), to: date(2024, 1, 1) })
}

impl Figure {
    /// Whether a row is one of this figure's: of its rate, hotline and case type, of any department.
    fn has(&self, row: &Row) -> bool {
        row.rate == self.rate
            && row.hotline.as_deref() == Some(self.hotline)
            && row.case_type.as_deref() == self.case_type
    }

    /// The bureau's row; None without data.
    pub fn row<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.iter().find(|row| self.has(row) && row.department == DEPARTMENT)
    }

    /// What the rows of a bulletin say; None without data.
    pub fn read(&self, rows: &[Row], rulebook: &Rulebook) -> Option<i64> {
        let row = self.row(rows)?;
        Some(match self.side {
            Side::Numerator => row.numerator,
            Side::Denominator => row.denominator,
            Side::Percent => percent(row),
            Side::Place => self.place(row, rows, rulebook)?,
        })
    }

    /// The rows that are ranked: of departments that the rulebook knows and large enough, in no order.
    pub fn ranked<'a>(&'a self, rows: &'a [Row], rulebook: &'a Rulebook) -> impl Iterator<Item = &'a Row> {
        let rank_from = rulebook.rates.get(self.rate).and_then(|rate| rate.rank_from).map(i64::from);
        rows.iter().filter(move |row| {
            self.has(row)
                && rulebook.departments.contains_key(&row.department)
                && rank_from.is_some_and(|from| row.denominator >= from)
        })
    }

    /// One more than there are departments with a higher share, among those large enough to be ranked; whoever else
    /// has the bureau's share shares its place.
    fn place(&self, own: &Row, rows: &[Row], rulebook: &Rulebook) -> Option<i64> {
        let higher = self.ranked(rows, rulebook).filter(|row| row.compare(own).is_gt()).count();
        i64::try_from(higher + 1).ok()
    }
}

/// Rounded half up; but 100 only where it is true.
fn percent(row: &Row) -> i64 {
    let rounded = (200 * row.numerator + row.denominator) / (2 * row.denominator.max(1));
    if row.numerator < row.denominator { rounded.min(99) } else { rounded }
}
