//! Days as numbers, so that counting is subtraction.

use std::ops::{Add, Sub};

use jiff::SignedDuration;
use jiff::civil::{Date, Weekday, date};

const EPOCH: Date = date(1970, 1, 1);

/// A day as its number since 1970-01-01. Arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The first day that calendars count.
    pub const FIRST: Day = Day(0);
    /// The last day that calendars count, 2199-12-31: any longer limit ends here.
    pub const LAST: Day = Day(84_005);

    pub fn of(date: Date) -> Self {
        Self(saturate(date.duration_since(EPOCH).as_hours() / 24))
    }

    /// The civil date; days that no date can name are the nearest that one can.
    pub fn date(self) -> Date {
        EPOCH.saturating_add(SignedDuration::from_hours(24 * i64::from(self.0)))
    }

    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match (i64::from(self.0) + 3).rem_euclid(7) {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }

    /// Its place in the tables of a calendar, or the nearest.
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0.min(Self::LAST.0)).unwrap_or(0)
    }

    /// The day at this place of the tables.
    pub(super) fn at(index: usize) -> Self {
        Self(i32::try_from(index).unwrap_or(i32::MAX))
    }
}

impl Add<i64> for Day {
    type Output = Day;

    fn add(self, days: i64) -> Day {
        Day(saturate(i64::from(self.0).saturating_add(days)))
    }
}

impl Sub<i64> for Day {
    type Output = Day;

    fn sub(self, days: i64) -> Day {
        Day(saturate(i64::from(self.0).saturating_sub(days)))
    }
}

impl Sub for Day {
    type Output = i64;

    fn sub(self, earlier: Day) -> i64 {
        i64::from(self.0) - i64::from(earlier.0)
    }
}

/// The number of the day in which this many days since the epoch end up.
pub(super) fn saturate(days: i64) -> i32 {
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}
