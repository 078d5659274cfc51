//! Deadline arithmetic: from a start, a limit, holds and extensions to an instant, with every step it took.
//!
//! [`due`] is a pure function that looks nothing up but the calendar; [`explain()`] runs the same code and writes
//! down what it counted and what it skipped. Whether a hold, an extension or a limit applies to a case is decided
//! before: this module only counts.
//!
//! What follows from the rules, and is held by tests: a longer limit, a longer hold and a further extension never
//! make a deadline earlier; nothing is due before its start nor after the calendar's table.

mod count;
mod explain;
#[cfg(test)]
mod laws;
mod share;
#[cfg(test)]
mod tests;

pub use share::share_reached;

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;

use crate::calendar::{Calendar, Day};
use crate::fact::{Code, Grant, Precision, Unit};

/// Whether the first day counted is the day after the start. It says how the rule is worded; the last day of a
/// day limit is the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountFrom {
    NextDay,
    Instant,
}

/// What a start outside office hours means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutsideHours {
    #[default]
    AsIs,
    NextOpening,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsAt {
    /// 24:00 of the last day, written as 00:00 of the next.
    EndOfDay,
    /// The time of day of the start.
    SameTime,
    CloseOfOffice,
}

/// Which last days move to the first day after that is not of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roll {
    #[default]
    None,
    Festival,
    FestivalOrRest,
    NonWorking,
}

/// From where an extension counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtensionFrom {
    /// From the deadline as it was before rolling.
    #[default]
    OldDue,
    Grant,
    /// What is granted is a total from the start.
    Start,
}

/// How a clock counts.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    pub calendar: &'a Calendar,
    pub limit: (u32, Unit),
    pub count_from: CountFrom,
    pub outside_hours: OutsideHours,
    pub ends_at: EndsAt,
    /// Of day limits only.
    pub roll: Roll,
}

#[derive(Clone, Copy, Debug)]
pub enum Limit<'a> {
    Rule(Rule<'a>),
    /// An own deadline sent with the case. It is taken as it stands: no holds, no roll.
    DueAt {
        calendar: &'a Calendar,
        due_at: Timestamp,
    },
}

impl<'a> Limit<'a> {
    pub fn calendar(&self) -> &'a Calendar {
        match self {
            Limit::Rule(rule) => rule.calendar,
            Limit::DueAt { calendar, .. } => calendar,
        }
    }
}

/// A span in which the clock does not run. Holds come in any order and may overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub from: Timestamp,
    /// None: still held.
    pub until: Option<Timestamp>,
    pub reason: Code,
}

/// An extension that has effect, in the order of granting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    pub from: ExtensionFrom,
    pub grant: Grant,
    pub granted_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// None: held without an end.
    pub due_at: Option<Timestamp>,
    /// The last day on which the stage is in time.
    pub due_on: Option<Date>,
    /// `due_at` is 24:00 of `due_on`: in time is before it, not at it.
    pub end_of_day: bool,
    /// It rests on days that no notice settles yet.
    pub provisional: bool,
    /// The few steps other than counting, [`Piece::Moved`], [`Piece::Extended`], [`Piece::Rolled`] and the like;
    /// what was counted and skipped between them, [`explain()`] tells.
    pub pieces: Vec<Piece>,
}

impl Deadline {
    /// Whether a stop at this instant is in time. One of which only the day is known is compared by date, in the
    /// zone of the calendar. A clock held without an end cannot be late.
    pub fn in_time(&self, stop: Timestamp, precision: Precision, calendar: &Calendar) -> bool {
        match precision {
            Precision::Second => !self.is_past(stop),
            Precision::Day => self.due_on.is_none_or(|due_on| calendar.local(stop).0 <= Day::of(due_on)),
        }
    }

    /// The last instant in time; None: held without an end.
    pub fn last_moment(&self) -> Option<Timestamp> {
        let due_at = self.due_at?;
        let before = || due_at.checked_sub(jiff::SignedDuration::from_micros(1)).unwrap_or(due_at);
        Some(if self.end_of_day { before() } else { due_at })
    }

    /// Whether at this instant the deadline has passed.
    pub fn is_past(&self, at: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| if self.end_of_day { at >= due_at } else { at > due_at })
    }
}

/// A step of the way from the start to the deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The deadline that came with the case.
    AsSent { due_at: Timestamp },
    /// The start, outside office hours, moved to the next opening.
    Moved { from: Timestamp, to: Timestamp },
    /// Counted, from `from` to before `to`. `make_up` names a make-up working day, which stands alone.
    Counted { from: Timestamp, to: Timestamp, amount: Amount, unit: Unit, make_up: Option<SmolStr> },
    /// Not counted, and why; `to` None: held without an end.
    Skipped { from: Timestamp, to: Option<Timestamp>, reason: Skip },
    /// An extension and the deadline before and after it, rolled; None: held without an end. What was counted for
    /// it follows, if it changed anything.
    Extended { from: ExtensionFrom, grant: Grant, before: Option<Timestamp>, after: Option<Timestamp> },
    /// The last day moved to the first after it that can be one.
    Rolled { from: Date, to: Date },
    /// An hour limit lasts to the close of office of its day.
    ToClose { from: Timestamp, to: Timestamp },
    /// The rest of what was counted and skipped: more than anybody reads.
    Omitted { from: Timestamp, to: Timestamp },
}

/// How much was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Days(i64),
    Micros(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// A day limit counts from the day after.
    StartDay,
    RestDay,
    Festival(SmolStr),
    Rest(SmolStr),
    /// Outside office hours.
    Closed,
    /// The reasons of all holds united in this span.
    Held(Vec<Code>),
}

/// When a clock that started then is due.
pub fn due(limit: &Limit<'_>, start: Timestamp, holds: &[Hold], extensions: &[Extension]) -> Deadline {
    count::Count::new(limit, start, holds, false).deadline(limit, extensions)
}

/// How [`due`] comes to its result: at most 2,000 pieces from the start on, in the order of counting.
pub fn explain(limit: &Limit<'_>, start: Timestamp, holds: &[Hold], extensions: &[Extension]) -> Vec<Piece> {
    count::Count::new(limit, start, holds, true).deadline(limit, extensions).pieces
}
