//! Counting days and office time, by prefix sums.
//!
//! Office time is a length on one long scale, the time offices were open since the table's first day. To count
//! from one instant to another is to subtract their places on it, to count on is to look up a place; no day is
//! visited in between. Working time, whole working days of 24 hours, likewise.

use jiff::{SignedDuration, Timestamp};

use super::{Calendar, DAY, Day, DayStatus, Micros, Wall};
use crate::fact::Unit;

impl Calendar {
    /// Working days from `from`, included, to `to`, excluded; negative if `to` is the earlier.
    pub fn working_between(&self, from: Day, to: Day) -> i64 {
        i64::from(self.working_until(to)) - i64::from(self.working_until(from))
    }

    /// The `n`-th working day after `day`, which itself does not count; `day` for 0. The table's last day where
    /// there are not so many, `day` if it is later.
    pub fn nth_working_after(&self, day: Day, n: i64) -> Day {
        if n <= 0 {
            return day;
        }
        let place = i64::from(self.working_until(day + 1)).saturating_add(n - 1);
        self.working_day(place).unwrap_or(Day::LAST).max(day)
    }

    /// The first working day that is not before `day`.
    pub fn working_day_from(&self, day: Day) -> Day {
        self.working_day(i64::from(self.working_until(day))).unwrap_or(Day::LAST).max(day)
    }

    /// `at` if the office is open then, its closing instants included; else when it opens next.
    pub fn next_opening(&self, at: Timestamp) -> Timestamp {
        let (day, time) = self.local(at);
        for window in self.windows(day) {
            if time < window.opens {
                return self.instant(day, window.opens);
            }
            if time <= window.closes {
                return at;
            }
        }
        let next = self.working_day_from(day + 1);
        let opening = match self.windows(next).first() {
            Some(window) => self.instant(next, window.opens),
            None => self.table_end(),
        };
        opening.max(at)
    }

    /// The instant `count` units before another; of days, at the same time of day.
    pub fn before(&self, at: Timestamp, count: u32, unit: Unit) -> Timestamp {
        let count = i64::from(count);
        let (day, time) = self.local(at);
        match unit {
            Unit::Hour => at.checked_sub(SignedDuration::from_hours(count)).unwrap_or(Timestamp::MIN),
            Unit::CalendarDay => {
                let days = i32::try_from(count).unwrap_or(i32::MAX);
                self.instant(Day(day.0.saturating_sub(days)).max(Day::FIRST), time)
            }
            Unit::WorkingDay => {
                let place = i64::from(self.working_until(day)) - count;
                let before = if count == 0 { Some(day) } else { self.working_day(place) };
                self.instant(before.unwrap_or(Day::FIRST), time)
            }
            Unit::WorkingHour => {
                let wall = self.wall(at);
                let (day, time) = self.office_reached(self.office_until(wall) - count * DAY / 24, wall);
                self.instant(day, time)
            }
            Unit::RoundClockHour => {
                let left = self.round_clock_until(self.wall(at)) - count * DAY / 24;
                let (day, time) = self.round_clock_reached(left);
                self.instant(day, time)
            }
        }
    }

    /// 24:00 of the table's last day: nothing is due later.
    pub fn table_end(&self) -> Timestamp {
        self.instant(Day::LAST + 1, 0)
    }

    /// The first day from `day` on of which the predicate does not hold. It is asked only of days that notices
    /// name and of days between them; runs of such days are as long as a holiday.
    pub(crate) fn first_without(&self, day: Day, holds: impl Fn(DayStatus) -> bool) -> Day {
        let mut first = day;
        while first < Day::LAST && holds(self.status(first)) {
            first = first + 1;
        }
        first
    }

    /// What the clock on the wall shows, standing still while an hour is shown again.
    pub(crate) fn wall(&self, at: Timestamp) -> Wall {
        self.zone.shown(at)
    }

    pub(crate) fn instant_of(&self, wall: Wall) -> Timestamp {
        self.zone.instant(wall)
    }

    /// Office time before an instant.
    pub(crate) fn office_until(&self, at: Wall) -> Micros {
        let day = at.day();
        if day < Day::FIRST || day > Day::LAST {
            return self.office_before[Self::place(day)];
        }
        let time = at.time();
        let open = self.windows(day).iter().map(|w| time.clamp(w.opens, w.closes) - w.opens);
        self.office_before[day.index()] + open.sum::<Micros>()
    }

    /// The first instant before which there is this much office time, as a day and a time of day up to 24:00: a
    /// limit used up when the office closes ends there, not when it opens next. `near` is where to begin looking.
    pub(crate) fn office_reached(&self, amount: Micros, near: Wall) -> (Day, Micros) {
        let next = self.gallop(near.day().index(), amount);
        let Some(index) = next.checked_sub(1).filter(|_| next < self.office_before.len()) else {
            return if next == 0 { (Day::FIRST, 0) } else { (Day::LAST, DAY) };
        };
        let (day, mut left) = (Day::at(index), amount - self.office_before[index]);
        for window in self.windows(day) {
            let length = window.closes - window.opens;
            if left <= length {
                return (day, window.opens + left);
            }
            left -= length;
        }
        (day, DAY)
    }

    /// Working days before an instant, of 24 hours each.
    pub(crate) fn round_clock_until(&self, at: Wall) -> Micros {
        let day = at.day();
        let inside = (Day::FIRST..=Day::LAST).contains(&day) && self.is_working(day);
        i64::from(self.working_until(day)) * DAY + if inside { at.time() } else { 0 }
    }

    /// The first instant before which there is this much working time, as [`Self::office_reached`].
    pub(crate) fn round_clock_reached(&self, amount: Micros) -> (Day, Micros) {
        if amount <= 0 {
            return (Day::FIRST, 0);
        }
        let whole = (amount - 1) / DAY;
        match self.working_day(whole) {
            Some(day) => (day, amount - whole * DAY),
            None => (Day::LAST, DAY),
        }
    }

    /// The smallest index of `office_before` with at least this much before it, one past the end if there is
    /// none. Looks around `near` first, in steps that double: limits are days, the table is two centuries.
    fn gallop(&self, near: usize, amount: Micros) -> usize {
        let table = &self.office_before;
        let (mut low, mut step) = (near.min(table.len()), 1);
        while low > 0 && table[low - 1] >= amount {
            low = low.saturating_sub(step);
            step *= 2;
        }
        let (mut high, mut step) = (low, 1);
        while high < table.len() && table[high] < amount {
            low = high + 1;
            high = (high + step).min(table.len());
            step *= 2;
        }
        low + table[low..high].partition_point(|before| *before < amount)
    }

    /// Working days of the table before `day`.
    fn working_until(&self, day: Day) -> u32 {
        self.working_before[Self::place(day)]
    }

    /// Where the prefix sums of this day stand; they have one place more than there are days.
    fn place(day: Day) -> usize {
        usize::try_from(day.0.min(Day::LAST.0 + 1)).unwrap_or(0)
    }

    /// The working day at this place of the table.
    fn working_day(&self, place: i64) -> Option<Day> {
        self.working_days.get(usize::try_from(place).ok()?).copied()
    }
}
