//! The counting itself.
//!
//! A limit, and then each extension, is counted to where it is [`Reached`]: a last day, or an instant. How a last
//! day ends and whether it rolls is settled at the end, and beforehand only to see which holds began in time.

use jiff::Timestamp;

use super::explain::{Trail, reasons};
use super::{Deadline, EndsAt, Extension, ExtensionFrom, Hold, Limit, OutsideHours, Piece, Roll};
use crate::calendar::{Calendar, DAY, Day, DayStatus, Micros};
use crate::fact::{Grant, Unit};

/// Holds united: those that overlap or touch are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) from: Timestamp,
    pub(super) until: Option<Timestamp>,
}

/// Where counting ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The last day; the rule says when it ends.
    LastDay(Day),
    Instant(Point),
}

/// An instant and the day it belongs to: the day before, if it is 24:00 of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) day: Day,
    end_of_day: bool,
    /// Named by somebody, not counted: it is taken as it stands, whatever is held then.
    named: bool,
}

/// A deadline as it stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    due_at: Timestamp,
    due_on: Day,
    end_of_day: bool,
}

impl Standing {
    fn is_past(&self, at: Timestamp) -> bool {
        if self.end_of_day { at >= self.due_at } else { at > self.due_at }
    }
}

/// What counting came to: where, and how many of the holds began before that was past. None: held without an end.
type Counted = Option<(Reached, usize)>;

pub(super) struct Count<'a> {
    calendar: &'a Calendar,
    ends_at: EndsAt,
    roll: Roll,
    /// Whether an amount of days makes a last day that ends as the rule says, or an instant moved by days.
    last_days: bool,
    /// When the clock started, before it moved to an opening.
    started_at: Timestamp,
    start: Timestamp,
    held: Vec<Held>,
    holds: &'a [Hold],
    /// The steps, all of them if they are to be explained.
    pieces: Vec<Piece>,
    explain: bool,
}

impl<'a> Count<'a> {
    pub(super) fn new(limit: &Limit<'a>, started_at: Timestamp, holds: &'a [Hold], explain: bool) -> Self {
        let mut count = Self {
            calendar: limit.calendar(),
            ends_at: EndsAt::SameTime,
            roll: Roll::None,
            last_days: false,
            started_at,
            start: started_at,
            held: Vec::new(),
            holds: &[],
            pieces: Vec::new(),
            explain,
        };
        if let Limit::Rule(rule) = limit {
            count.ends_at = rule.ends_at;
            count.roll = rule.roll;
            count.last_days = rule.limit.1.is_day();
            count.held = unite(holds);
            count.holds = holds;
            if rule.outside_hours == OutsideHours::NextOpening {
                count.start = rule.calendar.next_opening(started_at);
            }
        }
        count
    }

    pub(super) fn deadline(mut self, limit: &Limit<'_>, extensions: &[Extension]) -> Deadline {
        let mut reached = match *limit {
            Limit::DueAt { due_at, .. } => {
                self.pieces.push(Piece::AsSent { due_at });
                let day = self.calendar.local(due_at).0;
                Some((Reached::Instant(Point { at: due_at, day, end_of_day: false, named: true }), 0))
            }
            Limit::Rule(rule) => {
                if self.start != self.started_at {
                    self.pieces.push(Piece::Moved { from: self.started_at, to: self.start });
                }
                self.count_on(self.start, rule.limit, None)
            }
        };
        for extension in extensions {
            reached = self.extend(reached, extension);
        }
        let standing = reached.map(|(reached, begun)| {
            let standing = self.standing(reached, begun);
            self.note_ending(reached, &standing);
            standing
        });
        let due_on = standing.map(|standing| standing.due_on);
        Deadline {
            due_at: standing.map(|standing| standing.due_at),
            due_on: due_on.map(Day::date),
            end_of_day: standing.is_some_and(|standing| standing.end_of_day),
            provisional: self.calendar.is_provisional(self.calendar.local(self.started_at).0, due_on),
            pieces: self.pieces,
        }
    }

    /// The deadline after an extension: never before the one without it.
    fn extend(&mut self, old: Counted, extension: &Extension) -> Counted {
        let before = old.map(|(reached, begun)| self.standing(reached, begun));
        let place = self.pieces.len();
        let new = old.and_then(|(reached, begun)| match (extension.grant, extension.from) {
            (Grant::Until(until), _) => Some((Reached::Instant(self.named(until)), begun)),
            (Grant::Limit(n, unit), ExtensionFrom::OldDue) => {
                self.count_on(self.instant(reached), (n, unit), Some(reached))
            }
            (Grant::Limit(n, unit), ExtensionFrom::Grant) => {
                self.count_total(extension.granted_at, reached, (n, unit))
            }
            (Grant::Limit(n, unit), ExtensionFrom::Start) => self.count_total(self.start, reached, (n, unit)),
        });
        let after = new.map(|(reached, begun)| self.standing(reached, begun));
        let (kept, after) = match (before, after) {
            (Some(before), Some(after)) if after.due_at <= before.due_at => {
                (self.later(old, new), Some(before))
            }
            _ => (new, after),
        };
        if kept != new {
            self.pieces.truncate(place);
        }
        let (from, grant) = (extension.from, extension.grant);
        let (before, after) = (before.map(|before| before.due_at), after.map(|after| after.due_at));
        self.pieces.insert(place, Piece::Extended { from, grant, before, after });
        kept
    }

    /// What an extension that does not move the deadline leaves: the deadline as it was. But where it reaches
    /// further, to a day between the last day and the day that rolls to, the next extension counts on from there.
    fn later(&self, old: Counted, new: Counted) -> Counted {
        let ((old, begun), (new, begun_new)) = (old?, new?);
        let later = match (old, new) {
            (Reached::LastDay(day), Reached::LastDay(other) | Reached::Instant(Point { day: other, .. })) => {
                Reached::LastDay(day.max(other))
            }
            (Reached::Instant(point), Reached::Instant(other)) if point.at < other.at => {
                Reached::Instant(Point { named: false, end_of_day: false, ..other })
            }
            _ => old,
        };
        let same = self.standing(later, begun).due_at == self.standing(old, begun).due_at;
        Some(if same { (later, begun.max(begun_new)) } else { (old, begun) })
    }

    /// An amount counted from `from` as a total, where the deadline so far is `old`.
    fn count_total(&mut self, from: Timestamp, old: Reached, amount: (u32, Unit)) -> Counted {
        match old {
            // Days added to an instant keep its time of day.
            Reached::Instant(point) if amount.1.is_day() && !self.last_days => {
                self.count_days(self.calendar.local(from).0, amount, Some(point), Some(from))
            }
            _ => self.count_on(from, amount, None),
        }
    }

    /// An amount counted from an instant, or on from what was reached there.
    fn count_on(&mut self, from: Timestamp, amount: (u32, Unit), reached: Option<Reached>) -> Counted {
        if !amount.1.is_day() {
            return self.count_time(from, amount);
        }
        match reached {
            None => self.count_days(self.calendar.local(from).0, amount, None, Some(from)),
            Some(Reached::Instant(point)) if !self.last_days => {
                self.count_days(point.day, amount, Some(point), None)
            }
            Some(Reached::LastDay(day) | Reached::Instant(Point { day, .. })) => {
                self.count_days(day, amount, None, None)
            }
        }
    }

    /// Counts days after `base`, skipping those held. `keep` is the instant whose time of day the result has, if
    /// it is not to be a last day. `started_at` is known where `base` is the day of a start.
    fn count_days(
        &mut self,
        base: Day,
        (n, unit): (u32, Unit),
        keep: Option<Point>,
        started_at: Option<Timestamp>,
    ) -> Counted {
        let (calendar, mut total, mut begun) = (self.calendar, i64::from(n), 0);
        let mut last = nth_day(calendar, unit, base, total);
        let reached = |day| keep.map_or(Reached::LastDay(day), |point| self.moved(point, day));
        let mut endless = None;
        for held in &self.held {
            if self.standing(reached(last), begun).is_past(held.from) {
                break;
            }
            begun += 1;
            let from = calendar.local(held.from).0.max(base + 1);
            let Some(until) = held.until else {
                endless = Some(*held);
                break;
            };
            let until = calendar.local(until).0;
            if from <= last && from < until {
                total += days_between(calendar, unit, from, until);
                last = nth_day(calendar, unit, base, total);
            }
        }
        let reached = endless.is_none().then(|| (reached(last), begun));
        if self.explain {
            let last = endless.map_or(last, |held| (calendar.local(held.from).0 - 1).min(last));
            self.trail(begun).days(base, last, unit, started_at);
            self.note_endless(endless);
        }
        reached
    }

    /// Counts time from an instant, standing still while held.
    fn count_time(&mut self, base: Timestamp, (n, unit): (u32, Unit)) -> Counted {
        let mut target = self.time_until(unit, base).saturating_add(i64::from(n).saturating_mul(HOUR));
        let mut point = self.time_reached(unit, target, base);
        let (mut begun, mut endless) = (0, None);
        for held in &self.held {
            if self.standing(Reached::Instant(point), begun).is_past(held.from) {
                break;
            }
            begun += 1;
            let Some(until) = held.until else {
                endless = Some(*held);
                break;
            };
            let from = held.from.max(base);
            if from < point.at && from < until {
                let stood = self.time_until(unit, until) - self.time_until(unit, from);
                target = target.saturating_add(stood);
                point = self.time_reached(unit, target, base);
            } else if from == point.at && from < until {
                // Held from the very instant on which it is used up: nothing is left when it is released.
                point = Point { at: until, day: self.day(until), ..point };
            }
        }
        if self.explain {
            let end = endless.map_or(point.at, |held| held.from.max(base).min(point.at));
            self.trail(begun).time(base, end, unit);
            self.note_endless(endless);
        }
        endless.is_none().then_some((Reached::Instant(point), begun))
    }

    /// The place of an instant on the scale of a unit.
    fn time_until(&self, unit: Unit, at: Timestamp) -> Micros {
        match unit {
            Unit::WorkingHour => self.calendar.office_until(self.calendar.wall(at)),
            Unit::RoundClockHour => self.calendar.round_clock_until(self.calendar.wall(at)),
            _ => at.as_microsecond(),
        }
    }

    /// The first instant at this place of the scale, not before `base`.
    fn time_reached(&self, unit: Unit, target: Micros, base: Timestamp) -> Point {
        let calendar = self.calendar;
        let (day, time) = match unit {
            Unit::WorkingHour => calendar.office_reached(target, calendar.wall(base)),
            Unit::RoundClockHour => calendar.round_clock_reached(target),
            _ => {
                let at = crate::calendar::instant_at(target).min(calendar.table_end()).max(base);
                return Point { at, day: calendar.local(at).0, end_of_day: false, named: false };
            }
        };
        let at = calendar.instant(day, time);
        if at < base {
            return Point { at: base, day: calendar.local(base).0, end_of_day: false, named: false };
        }
        Point { at, day, end_of_day: false, named: false }
    }

    /// An instant moved to another day, its time of day kept.
    fn moved(&self, point: Point, day: Day) -> Reached {
        let time = self.time_of(point);
        Reached::Instant(Point { at: self.calendar.instant(day, time), day, named: false, ..point })
    }

    /// The time on the day it belongs to, up to 24:00.
    fn time_of(&self, point: Point) -> Micros {
        let (day, time) = self.calendar.local(point.at);
        if day > point.day { DAY } else { time }
    }

    /// A deadline named by a grant. 00:00 means 24:00 of the day before.
    fn named(&self, until: Timestamp) -> Point {
        let (day, time) = self.calendar.local(until);
        let midnight = time == 0;
        Point { at: until, day: if midnight { day - 1 } else { day }, end_of_day: midnight, named: true }
    }

    /// The instant from which hours are counted on: a last day's ends as the rule says, unrolled.
    fn instant(&self, reached: Reached) -> Timestamp {
        match reached {
            Reached::LastDay(day) => self.end_of(day),
            Reached::Instant(point) => point.at,
        }
    }

    fn end_of(&self, day: Day) -> Timestamp {
        let time = match self.ends_at {
            EndsAt::EndOfDay => DAY,
            EndsAt::SameTime => self.calendar.local(self.start).1,
            EndsAt::CloseOfOffice => self.calendar.close_of_office(day),
        };
        self.calendar.instant(day, time)
    }

    /// The deadline as it would stand, rolled, if only the first `begun` holds were known.
    fn standing(&self, reached: Reached, begun: usize) -> Standing {
        match reached {
            Reached::LastDay(day) => {
                let due_on = self.rolled(day, &self.held[..begun]);
                let end_of_day = self.ends_at == EndsAt::EndOfDay;
                Standing { due_at: self.end_of(due_on), due_on, end_of_day }
            }
            Reached::Instant(point) => {
                let (due_at, due_on) = if self.ends_at == EndsAt::CloseOfOffice && !point.named {
                    self.to_close(point, &self.held[..begun])
                } else {
                    (point.at, point.day)
                };
                Standing { due_at, due_on, end_of_day: point.end_of_day }
            }
        }
    }

    /// Where a last day rolls to. It does not roll onto a day that is held: who releases a case must not find it
    /// overdue already.
    fn rolled(&self, last: Day, held: &[Held]) -> Day {
        let mut day = self.roll_once(last);
        if day == last {
            return day;
        }
        for held in held {
            let (from, until) = (self.day(held.from), held.until.map(|until| self.day(until)));
            if let Some(until) = until.filter(|until| last < from && from <= day && day < *until) {
                day = self.roll_once(until);
            }
        }
        day
    }

    fn roll_once(&self, day: Day) -> Day {
        match self.roll {
            Roll::None => day,
            Roll::Festival => self.calendar.first_without(day, |status| status == DayStatus::Festival),
            Roll::FestivalOrRest => self
                .calendar
                .first_without(day, |status| matches!(status, DayStatus::Festival | DayStatus::Rest)),
            Roll::NonWorking => self.calendar.working_day_from(day),
        }
    }

    /// The close of office of the day of an instant, if that is later; of the day of release, if the office would
    /// close while held.
    fn to_close(&self, point: Point, held: &[Held]) -> (Timestamp, Day) {
        let close = |day| self.calendar.instant(day, self.calendar.close_of_office(day));
        let (mut due_at, mut due_on) = (point.at.max(close(point.day)), point.day);
        for held in held.iter().filter(|held| held.from >= point.at) {
            if let Some(until) = held.until.filter(|until| held.from <= due_at && *until > due_at) {
                due_on = self.day(until);
                due_at = until.max(close(due_on));
            }
        }
        (due_at, due_on)
    }

    fn day(&self, at: Timestamp) -> Day {
        self.calendar.local(at).0
    }

    /// Notes how the last day or instant became the deadline.
    fn note_ending(&mut self, reached: Reached, standing: &Standing) {
        match reached {
            Reached::LastDay(day) if day != standing.due_on => {
                self.pieces.push(Piece::Rolled { from: day.date(), to: standing.due_on.date() });
            }
            Reached::Instant(point) if point.at != standing.due_at => {
                self.pieces.push(Piece::ToClose { from: point.at, to: standing.due_at });
            }
            _ => {}
        }
    }

    fn note_endless(&mut self, endless: Option<Held>) {
        if let Some(held) = endless {
            let reason = super::Skip::Held(reasons(&held, self.holds));
            self.pieces.push(Piece::Skipped { from: held.from.max(self.start), to: None, reason });
        }
    }

    fn trail(&mut self, begun: usize) -> Trail<'_> {
        Trail {
            calendar: self.calendar,
            held: &self.held[..begun],
            holds: self.holds,
            pieces: &mut self.pieces,
        }
    }
}

const HOUR: Micros = 3_600_000_000;

/// The `n`-th counted day after `base`, at most the table's last.
fn nth_day(calendar: &Calendar, unit: Unit, base: Day, n: i64) -> Day {
    if unit == Unit::WorkingDay {
        calendar.nth_working_after(base, n)
    } else {
        (base + n).min(Day::LAST).max(base)
    }
}

/// Days that count, from one, included, to another, excluded.
fn days_between(calendar: &Calendar, unit: Unit, from: Day, to: Day) -> i64 {
    if unit == Unit::WorkingDay { calendar.working_between(from, to) } else { to - from }
}

/// Holds in order, those that overlap or touch made one; what ends before it begins is none.
fn unite(holds: &[Hold]) -> Vec<Held> {
    let mut spans: Vec<Held> = holds
        .iter()
        .map(|hold| Held { from: hold.from, until: hold.until })
        .filter(|held| held.until.is_none_or(|until| held.from < until))
        .collect();
    spans.sort_unstable_by_key(|held| held.from);
    let mut united: Vec<Held> = Vec::with_capacity(spans.len());
    for held in spans {
        match united.last_mut() {
            Some(last) if last.until.is_none_or(|until| held.from <= until) => {
                last.until = last.until.zip(held.until).map(|(a, b)| a.max(b));
            }
            _ => united.push(held),
        }
    }
    united
}
