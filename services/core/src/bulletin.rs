//! What a bulletin (通报) says in numbers, whatever it looks like: the figures that are frozen when it is published and
//! compared when it is made again.
//!
//! Figures are integers wherever a rate is one. How they are laid out, rounded and named is not decided here.

use std::collections::BTreeMap;

use crate::fact::Code;
use crate::rate::{Answer, Row};

/// Which days a figure is of: those of the bulletin, or those that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    Period,
    /// The period before (环比).
    Before,
    /// The same period a year before (同比).
    YearBefore,
}

impl Span {
    pub const ALL: [Span; 3] = [Span::Period, Span::Before, Span::YearBefore];

    pub fn name(self) -> &'static str {
        match self {
            Span::Period => "period",
            Span::Before => "before",
            Span::YearBefore => "year_before",
        }
    }

    pub fn parse(name: &str) -> Option<Span> {
        Span::ALL.into_iter().find(|span| span.name() == name)
    }
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Rate,
    /// Made of several rates (综合得分).
    Score,
    /// As a source reports it; never mixed into ours.
    Reported,
}

impl Sort {
    pub const ALL: [Sort; 3] = [Sort::Rate, Sort::Score, Sort::Reported];

    pub fn name(self) -> &'static str {
        match self {
            Sort::Rate => "rate",
            Sort::Score => "score",
            Sort::Reported => "reported",
        }
    }

    pub fn parse(name: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// Where a figure stands; a bulletin has one at most for each place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub span: Span,
    pub sort: Sort,
    /// Of a rate, a score or a reported measure.
    pub id: Code,
    /// `-`: nobody. Of a reported figure that names no department: `*`.
    pub department: Code,
}

/// Numerator and denominator, in units of 1/`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    pub numerator: i64,
    pub denominator: i64,
    pub scale: i64,
}

/// A number of a bulletin.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Of the definition; 0 for what is reported.
    pub version: u32,
    /// Of a rate.
    pub sums: Option<Sums>,
    /// The points of a score, the sum of what is reported.
    pub value: Option<f64>,
    pub group: Option<Code>,
    /// Within the group.
    pub rank: Option<u32>,
}

pub type Figures = BTreeMap<Place, Figure>;

impl Sums {
    pub const NOTHING: Sums = Sums { numerator: 0, denominator: 0, scale: 1 };

    /// Both together, exactly.
    #[must_use]
    pub fn plus(self, other: Sums) -> Sums {
        let scale = lcm(self.scale, other.scale);
        let (ours, theirs) = (scale / self.scale, scale / other.scale);
        Sums {
            numerator: self.numerator * ours + other.numerator * theirs,
            denominator: self.denominator * ours + other.denominator * theirs,
            scale,
        }
        .reduced()
    }

    /// In whole numbers where they are whole.
    fn reduced(self) -> Sums {
        let is_whole = self.numerator % self.scale == 0 && self.denominator % self.scale == 0;
        let by = if is_whole { self.scale } else { 1 };
        Sums { numerator: self.numerator / by, denominator: self.denominator / by, scale: self.scale / by }
    }

    /// Whether both are the same numbers, whatever the units.
    pub fn equals(self, other: Sums) -> bool {
        let same = |ours: i64, theirs: i64| {
            i128::from(ours) * i128::from(other.scale) == i128::from(theirs) * i128::from(self.scale)
        };
        same(self.numerator, other.numerator) && same(self.denominator, other.denominator)
    }
}

impl Figure {
    /// Whether both say the same: sums and ranks exactly; points and reported sums to a millionth, since they are quotients
    /// and sums of decimals.
    pub fn says_what(&self, other: &Figure) -> bool {
        let sums = match (self.sums, other.sums) {
            (Some(ours), Some(theirs)) => ours.equals(theirs),
            (ours, theirs) => ours == theirs,
        };
        let value = match (self.value, other.value) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-6 * ours.abs().max(1.0),
            (ours, theirs) => ours == theirs,
        };
        sums && value && (&self.group, self.rank) == (&other.group, other.rank)
    }
}

/// Adds the figures of an answer over the days of a span; what is nothing over nothing is left out.
pub fn add_answer(figures: &mut Figures, span: Span, answer: &Answer) {
    let something = |row: &&Row| (row.numerator, row.denominator) != (0, 0);
    for row in answer.rows.iter().filter(something) {
        let place =
            Place { span, sort: Sort::Rate, id: row.rate.clone(), department: row.department.clone() };
        let sums = Sums { numerator: row.numerator, denominator: row.denominator, scale: row.scale };
        let (group, rank) = (row.group.clone(), row.rank);
        figures.insert(place, Figure { version: row.version, sums: Some(sums), value: None, group, rank });
    }
    for standing in &answer.standings {
        let (id, department) = (standing.score.clone(), standing.department.clone());
        let place = Place { span, sort: Sort::Score, id, department };
        let (group, rank) = (standing.group.clone(), standing.rank);
        let value = Some(standing.points);
        figures.insert(place, Figure { version: standing.version, sums: None, value, group, rank });
    }
}

/// A place where two sets of figures do not say the same; None: there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'f> {
    pub place: &'f Place,
    pub before: Option<&'f Figure>,
    pub after: Option<&'f Figure>,
}

/// Where two sets of figures differ, in the order of places.
pub fn changes<'f>(before: &'f Figures, after: &'f Figures) -> Vec<Change<'f>> {
    let places: std::collections::BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    places
        .into_iter()
        .map(|place| Change { place, before: before.get(place), after: after.get(place) })
        .filter(|change| match (change.before, change.after) {
            (Some(before), Some(after)) => !before.says_what(after),
            _ => true,
        })
        .collect()
}

fn lcm(a: i64, b: i64) -> i64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(numerator: i64, denominator: i64, scale: i64, rank: Option<u32>) -> Figure {
        let sums = Some(Sums { numerator, denominator, scale });
        Figure { version: 1, sums, value: None, group: None, rank }
    }

    fn place(department: &str) -> Place {
        Place { span: Span::Period, sort: Sort::Rate, id: "r".into(), department: department.into() }
    }

    #[test]
    fn halves_and_wholes_add_up() {
        let half = Sums { numerator: 3, denominator: 4, scale: 2 };
        let whole = Sums { numerator: 1, denominator: 2, scale: 1 };
        assert_eq!(half.plus(whole), Sums { numerator: 5, denominator: 8, scale: 2 });
        assert_eq!(half.plus(half), Sums { numerator: 3, denominator: 4, scale: 1 });
    }

    #[test]
    fn every_integer_that_differs_is_a_change_and_units_are_none() {
        let before: Figures =
            [(place("A"), figure(1, 2, 1, Some(1))), (place("B"), figure(1, 2, 1, None))].into();
        let after: Figures =
            [(place("A"), figure(2, 4, 2, Some(1))), (place("C"), figure(1, 2, 1, None))].into();
        let changed: Vec<&str> =
            changes(&before, &after).iter().map(|change| change.place.department.as_str()).collect();
        assert_eq!(changed, ["B", "C"]);
        let ranked: Figures = [(place("A"), figure(1, 2, 1, Some(2)))].into();
        let first: Figures = [(place("A"), figure(1, 2, 1, Some(1)))].into();
        assert_eq!(changes(&first, &ranked).len(), 1);
    }
}
