//! Working calendars: which days are worked, which hours offices are open, and counting in them.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::fact::Code;

/// What the official notice says of a day that differs from the weekly pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// A statutory festival day.
    Festival,
    /// A day off of the holiday that is not statutory, Saturdays and Sundays within it included.
    Rest,
    /// A make-up working day.
    Work,
}

/// Office hours of a part of the year; the windows are closed at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Season {
    /// First and last day of the season as (month, day), both included; may wrap over the new year.
    pub from: (i8, i8),
    pub until: (i8, i8),
    pub windows: Vec<(Time, Time)>,
}

/// A calendar as it is written down, `extends` already merged in.
#[derive(Clone, Debug)]
pub struct Spec {
    pub id: Code,
    pub timezone: TimeZone,
    pub rest_days: Vec<Weekday>,
    /// Empty: open the whole day.
    pub office_hours: Vec<(Time, Time)>,
    pub seasons: Vec<Season>,
    pub known_from: Date,
    pub known_until: Date,
    pub days: Vec<(Date, DayKind, String)>,
}

/// A calendar made ready for counting.
#[derive(Debug)]
pub struct Calendar {
    spec: Spec,
}

impl Calendar {
    pub fn new(spec: Spec) -> Self {
        Self { spec }
    }

    pub fn id(&self) -> &Code {
        &self.spec.id
    }
}
