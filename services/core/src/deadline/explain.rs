//! What was counted and skipped on the way, for people. It walks day by day where the counting does not.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::count::Held;
use super::{Amount, Hold, Piece, Skip};
use crate::calendar::{Calendar, DAY, Day, DayStatus, Wall};
use crate::fact::{Code, Unit};

/// More pieces than a person reads; a limit of a century of working hours would have millions.
const PIECES_MAX: usize = 2_000;

/// Writes the pieces of one count.
pub(super) struct Trail<'a> {
    pub(super) calendar: &'a Calendar,
    /// The holds that have effect.
    pub(super) held: &'a [Held],
    pub(super) holds: &'a [Hold],
    pub(super) pieces: &'a mut Vec<Piece>,
}

/// A stretch of days or hours of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sort {
    Counted(Option<SmolStr>),
    Skipped(Skip),
}

impl Trail<'_> {
    /// The days after `base` up to and with `last`; `base` too where a clock `started_at` on it.
    pub(super) fn days(&mut self, base: Day, last: Day, unit: Unit, started_at: Option<Timestamp>) {
        if let Some(from) = started_at {
            let to = Some(self.calendar.instant(base, DAY));
            self.pieces.push(Piece::Skipped { from, to, reason: Skip::StartDay });
        }
        let mut first = base + 1;
        while first <= last {
            let sort = self.sort_of_day(first, unit);
            let mut next = first + 1;
            while next <= last && self.sort_of_day(next, unit) == sort {
                next = next + 1;
            }
            let (from, to) = (self.calendar.instant(first, 0), self.calendar.instant(next, 0));
            if !self.push(from, to, Amount::Days(next - first), unit, sort) {
                return self.omit(self.calendar.instant(last, DAY));
            }
            first = next;
        }
    }

    /// The time from `base` to `end`.
    pub(super) fn time(&mut self, base: Timestamp, end: Timestamp, unit: Unit) {
        let mut at = base;
        for held in self.held {
            let until = held.until.unwrap_or(end).min(end);
            let from = held.from.max(at);
            if from >= until {
                continue;
            }
            let held = Sort::Skipped(Skip::Held(reasons(held, self.holds)));
            if !self.running(at, from, unit) || !self.push(from, until, Amount::Micros(0), unit, held) {
                return self.omit(end);
            }
            at = until;
        }
        if !self.running(at, end, unit) {
            self.omit(end);
        }
    }

    /// Time that is not held. False: there are too many pieces.
    fn running(&mut self, from: Timestamp, to: Timestamp, unit: Unit) -> bool {
        if from >= to {
            return true;
        }
        if unit == Unit::Hour {
            let amount = Amount::Micros(to.as_microsecond() - from.as_microsecond());
            return self.push(from, to, amount, unit, Sort::Counted(None));
        }
        let (mut at, end) = (self.calendar.wall(from), self.calendar.wall(to));
        let mut began = from;
        while at < end {
            let (sort, mut next) = self.sort_of_time(at, unit);
            // What is alike on the days after is one piece, but no counted time of several windows.
            while next < end && !(unit == Unit::WorkingHour && matches!(sort, Sort::Counted(_))) {
                let (after, then) = self.sort_of_time(next, unit);
                if after != sort {
                    break;
                }
                next = then;
            }
            let next = next.min(end);
            let until = if next == end { to } else { self.calendar.instant_of(next) };
            if !self.push(began, until, Amount::Micros(next.0 - at.0), unit, sort) {
                return false;
            }
            (at, began) = (next, until);
        }
        true
    }

    fn sort_of_day(&self, day: Day, unit: Unit) -> Sort {
        let begins = self.calendar.instant(day, 0);
        let covers = |held: &&Held| {
            let (from, until) =
                (self.calendar.local(held.from).0, held.until.map(|at| self.calendar.local(at).0));
            from <= day && until.is_none_or(|until| day < until)
        };
        // The holds are in order: only the last that began before 24:00 of the day can cover it, or one before.
        let before = self.held.partition_point(|held| held.from < begins);
        let near = &self.held[before.saturating_sub(1)..];
        match near.iter().take_while(|held| self.calendar.local(held.from).0 <= day).find(covers) {
            Some(held) => Sort::Skipped(Skip::Held(reasons(held, self.holds))),
            None if unit == Unit::CalendarDay => Sort::Counted(None),
            None => self.sort_of_working_day(day),
        }
    }

    fn sort_of_working_day(&self, day: Day) -> Sort {
        let name = || SmolStr::from(self.calendar.name(day).unwrap_or_default());
        match self.calendar.status(day) {
            DayStatus::Working => Sort::Counted(None),
            DayStatus::MakeUp => Sort::Counted(Some(name())),
            DayStatus::RestDay => Sort::Skipped(Skip::RestDay),
            DayStatus::Festival => Sort::Skipped(Skip::Festival(name())),
            DayStatus::Rest => Sort::Skipped(Skip::Rest(name())),
        }
    }

    /// What the time at this reading of the clock is, and until when on this day it is that.
    fn sort_of_time(&self, at: Wall, unit: Unit) -> (Sort, Wall) {
        let (day, time) = (at.day(), at.time());
        let sort = self.sort_of_working_day(day);
        if unit == Unit::RoundClockHour || matches!(sort, Sort::Skipped(_)) {
            return (sort, Wall::of(day, DAY));
        }
        for window in self.calendar.windows(day) {
            if time < window.opens {
                return (Sort::Skipped(Skip::Closed), Wall::of(day, window.opens));
            }
            if time < window.closes {
                return (sort, Wall::of(day, window.closes));
            }
        }
        (Sort::Skipped(Skip::Closed), Wall::of(day, DAY))
    }

    fn push(&mut self, from: Timestamp, to: Timestamp, amount: Amount, unit: Unit, sort: Sort) -> bool {
        // One place is kept for the rest, one each for an endless hold and for the ending.
        if self.pieces.len() + 3 >= PIECES_MAX {
            return false;
        }
        self.pieces.push(match sort {
            Sort::Counted(make_up) => Piece::Counted { from, to, amount, unit, make_up },
            Sort::Skipped(reason) => Piece::Skipped { from, to: Some(to), reason },
        });
        true
    }

    /// Says that the rest is left out.
    fn omit(&mut self, to: Timestamp) {
        let from = self.pieces.last().and_then(|piece| match piece {
            Piece::Counted { to, .. } | Piece::Omitted { to, .. } => Some(*to),
            Piece::Skipped { to, .. } => *to,
            _ => None,
        });
        if let (Some(from), true) = (from, self.pieces.len() < PIECES_MAX) {
            self.pieces.push(Piece::Omitted { from, to });
        }
    }
}

/// The reasons of the holds united in this one, each once, in the order of the holds.
pub(super) fn reasons(held: &Held, holds: &[Hold]) -> Vec<Code> {
    let mut reasons: Vec<Code> = Vec::new();
    for hold in holds {
        let within = held.from <= hold.from
            && held.until.is_none_or(|end| hold.until.is_some_and(|until| until <= end))
            && hold.until.is_none_or(|until| hold.from < until);
        if within && !reasons.contains(&hold.reason) {
            reasons.push(hold.reason.clone());
        }
    }
    reasons
}
