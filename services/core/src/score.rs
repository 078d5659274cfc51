//! What a case adds to the tallies.
//!
//! A [`Score`] is a list of contributions: what, how much, who answers for it, and the days on which it counts,
//! one for each basis. It is stored with the case; a batch adds to the tallies what the new score has more than
//! the stored one, so tallies cannot drift when program or rulebook change.

mod asked;
mod encoding;
mod of_view;

pub use asked::Asked;
pub use encoding::ScoreError;
pub use of_view::score;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::fact::{Code, Role};
use crate::measure::{Measure, Part, State, tally_name};
use crate::rulebook::Basis;

/// The department of what nobody answers for.
pub const NOBODY: &str = "-";

/// A day of each basis, as far as the thing has happened.
pub type Days = [Option<Date>; Basis::ALL.len()];

/// What one case adds to one measure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "four marks that have nothing to do with each other")]
pub struct Contribution {
    pub case_type: Code,
    pub class: Code,
    pub department: Code,
    pub role: Role,
    pub measure: Measure,
    /// It is of a round after the first.
    pub later: bool,
    /// It is of a round before the last.
    pub earlier: bool,
    /// A ruling took it out of what counts.
    pub excluded: bool,
    /// Its round is closed.
    pub settled: bool,
    pub days: Days,
}

impl Contribution {
    /// The parts of the population it stands in.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let rounds = self.measure.is_of_rounds();
        [(Part::Each, true), (Part::Later, rounds && self.later), (Part::Earlier, rounds && self.earlier)]
            .into_iter()
            .filter_map(|(part, stands)| stands.then_some(part))
    }
}

/// A clock that still runs. Tallies never know the time of day: what it is doing is asked with an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenClock {
    /// Its contribution as `open`.
    pub contribution: Contribution,
    /// None: held without an end.
    pub due_at: Option<Timestamp>,
    pub end_of_day: bool,
    /// Submitted in time and not yet reviewed.
    pub in_review: bool,
    /// Spans in which it is held, from and until.
    pub holds: Vec<(Timestamp, Option<Timestamp>)>,
}

impl OpenClock {
    /// What the clock is doing at an instant.
    pub fn state(&self, at: Timestamp) -> State {
        let past = |due_at: Timestamp| if self.end_of_day { at >= due_at } else { at > due_at };
        if self.in_review {
            State::OpenInReview
        } else if self.due_at.is_some_and(past) {
            State::OpenOverdue
        } else if self.holds.iter().any(|(from, until)| *from <= at && until.is_none_or(|until| at < until)) {
            State::OpenHeld
        } else {
            State::OpenRunning
        }
    }

    /// Its contribution as of an instant. An open clock has no day of closing or rating yet: overdue, it stands
    /// there on the last day on which it was in time.
    pub fn at(&self, at: Timestamp) -> Contribution {
        let state = self.state(at);
        let mut contribution = self.contribution.clone();
        if let Measure::Clock { state: open, .. } = &mut contribution.measure {
            *open = state;
        }
        if state == State::OpenOverdue {
            let due_on = contribution.days[Basis::Due as usize];
            for basis in [Basis::Closed, Basis::Rated] {
                let day = &mut contribution.days[basis as usize];
                *day = day.or(due_on);
            }
        }
        contribution
    }
}

/// Everything one case adds to the tallies that the rulebook's rates ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    pub hotline: Code,
    /// Sorted; equal contributions are one with a greater value.
    pub contributions: Vec<(Contribution, i64)>,
    pub open_clocks: Vec<OpenClock>,
}

/// What of a score changes with time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenClocks {
    pub hotline: Code,
    pub clocks: Vec<OpenClock>,
}

impl OpenClocks {
    /// Reads them out of an encoded score, and no more of it than it takes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ScoreError> {
        encoding::decode_open(bytes)
    }

    /// The first deadline among them.
    pub fn falls_at(&self) -> Option<Timestamp> {
        first_deadline(&self.clocks)
    }
}

/// Whether it waits for a review or not: one that is refused goes on.
fn first_deadline(clocks: &[OpenClock]) -> Option<Timestamp> {
    clocks.iter().filter_map(|clock| clock.due_at).min()
}

/// Where an integer of the tallies stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyKey {
    pub series: Series,
    pub day: Date,
}

/// What is counted day by day, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    pub basis: Basis,
    pub measure: Code,
    pub cell: Cell,
}

/// Who is charged, and for which kind of cases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub department: Code,
    pub role: Role,
    pub hotline: Code,
    pub case_type: Code,
    pub class: Code,
}

impl Score {
    pub fn is_empty(&self) -> bool {
        self.contributions.is_empty()
    }

    /// The integers it adds, by key.
    pub fn tallies(&self) -> BTreeMap<TallyKey, i64> {
        let mut tallies = BTreeMap::new();
        self.contributions
            .iter()
            .for_each(|(contribution, value)| self.add(&mut tallies, contribution, *value));
        tallies
    }

    /// Adds a contribution of this score, as often as `value` says.
    fn add(&self, tallies: &mut BTreeMap<TallyKey, i64>, contribution: &Contribution, value: i64) {
        if value == 0 {
            return;
        }
        for part in contribution.parts() {
            let measure = tally_name(&contribution.measure, part, contribution.excluded);
            for basis in Basis::ALL {
                let Some(day) = contribution.days[basis as usize] else { continue };
                let cell = Cell {
                    department: contribution.department.clone(),
                    role: contribution.role,
                    hotline: self.hotline.clone(),
                    case_type: contribution.case_type.clone(),
                    class: contribution.class.clone(),
                };
                let series = Series { basis, measure: measure.clone(), cell };
                *tallies.entry(TallyKey { series, day }).or_default() += value;
            }
        }
    }

    /// The first deadline of its open clocks.
    pub fn falls_at(&self) -> Option<Timestamp> {
        first_deadline(&self.open_clocks)
    }

    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ScoreError> {
        encoding::decode(bytes)
    }

    /// The contributions of rounds that are closed: what a new rulebook must not change silently.
    pub fn settled(&self) -> impl Iterator<Item = &(Contribution, i64)> {
        self.contributions.iter().filter(|(contribution, _)| contribution.settled)
    }
}

/// Adds to `deltas` what `new` adds beyond `old`; some may come to 0.
pub fn add_deltas(deltas: &mut BTreeMap<TallyKey, i64>, old: &Score, new: &Score) {
    let (mut left, mut right) = (old.contributions.as_slice(), new.contributions.as_slice());
    // Most of a case stays as it was, in the same order: what is equal on both sides need not be spelt out.
    while let ([(was, before), less @ ..], [(is, after), more @ ..]) = (left, right) {
        match was.cmp(is) {
            Ordering::Equal if old.hotline == new.hotline => {
                new.add(deltas, is, after - before);
                (left, right) = (less, more);
            }
            Ordering::Equal | Ordering::Less => {
                old.add(deltas, was, -before);
                left = less;
            }
            Ordering::Greater => {
                new.add(deltas, is, *after);
                right = more;
            }
        }
    }
    for (was, before) in left {
        old.add(deltas, was, -before);
    }
    for (is, after) in right {
        new.add(deltas, is, *after);
    }
}
