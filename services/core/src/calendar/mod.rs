//! Working calendars: which days are worked, which hours offices are open, and counting in them.
//!
//! A [`Calendar`] answers by tables that cover 1970-01-01 to 2199-12-31, made once when it is loaded; no question
//! walks day by day. Before and after the table counting stands still at its ends: it never panics, and nothing
//! is due later than the table's last day. Outside the range that the official notices settle only the weekly
//! rest days apply; it is for the caller to mark what rests on that as provisional ([`Calendar::is_provisional`]).

mod count;
mod day;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod zone;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

pub use self::day::Day;
use self::zone::Zone;
pub(crate) use self::zone::{Wall, instant_at};
use crate::fact::Code;

/// A length of time, or a time of day as the length since midnight, in microseconds.
pub type Micros = i64;

/// A day on the clock on the wall.
pub const DAY: Micros = 86_400_000_000;

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

/// What a day is, weekly pattern and notices together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayStatus {
    Working,
    /// A weekly rest day of which the notices say nothing.
    RestDay,
    Festival,
    Rest,
    /// Worked because the notice says so, whatever its weekday.
    MakeUp,
}

impl DayStatus {
    pub fn is_working(self) -> bool {
        matches!(self, DayStatus::Working | DayStatus::MakeUp)
    }
}

/// Office hours of a part of the year; the windows are closed at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Season {
    /// First and last day of the season as (month, day), both included; may wrap over the new year.
    pub from: (i8, i8),
    pub until: (i8, i8),
    pub windows: Vec<(Time, Time)>,
}

impl Season {
    fn contains(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        if self.from <= self.until {
            self.from <= day && day <= self.until
        } else {
            self.from <= day || day <= self.until
        }
    }
}

/// A calendar as it is written down, `extends` already merged in.
#[derive(Clone, Debug)]
pub struct Spec {
    pub id: Code,
    pub timezone: TimeZone,
    pub rest_days: Vec<Weekday>,
    /// Empty: open the whole day.
    pub office_hours: Vec<(Time, Time)>,
    /// The first that contains a day has its hours; an empty list of windows: open the whole day.
    pub seasons: Vec<Season>,
    pub known_from: Date,
    pub known_until: Date,
    /// Of two entries for one day the later holds.
    pub days: Vec<(Date, DayKind, String)>,
}

/// Hours in which the office is open, as times of day; both ends are within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub opens: Micros,
    pub closes: Micros,
}

const WHOLE_DAY: Window = Window { opens: 0, closes: DAY };

/// A calendar made ready for counting.
#[derive(Debug)]
pub struct Calendar {
    spec: Spec,
    zone: Zone,
    known_from: Day,
    known_until: Day,
    /// The days that notices name within the known range: what they are, and their place in `spec.days`.
    listed: Vec<(Day, usize)>,
    ignored: Vec<Date>,
    /// The hours outside any season, then those of each season; none of them is empty.
    hours: Vec<Vec<Window>>,
    /// By day of the table: its place in `hours`.
    hours_of: Vec<u16>,
    /// By day of the table, and one past its end: working days before it.
    working_before: Vec<u32>,
    /// By day of the table, and one past its end: office time before it.
    office_before: Vec<Micros>,
    /// The working days of the table in order.
    working_days: Vec<Day>,
}

impl Calendar {
    pub fn new(spec: Spec) -> Self {
        let (known_from, known_until) = (Day::of(spec.known_from), Day::of(spec.known_until));
        let (listed, ignored) = list(&spec, known_from, known_until);
        let mut calendar = Self {
            zone: Zone::new(&spec.timezone),
            known_from,
            known_until,
            listed,
            ignored,
            hours: std::iter::once(&spec.office_hours)
                .chain(spec.seasons.iter().map(|season| &season.windows))
                .map(|windows| windows_of(windows))
                .collect(),
            hours_of: Vec::new(),
            working_before: Vec::new(),
            office_before: Vec::new(),
            working_days: Vec::new(),
            spec,
        };
        calendar.fill();
        calendar
    }

    /// Makes the tables.
    fn fill(&mut self) {
        let (mut working, mut office) = (0, 0);
        for index in 0..=Day::LAST.index() {
            let day = Day::at(index);
            let hours = self.season_of(day);
            self.working_before.push(working);
            self.office_before.push(office);
            self.hours_of.push(hours);
            if self.status(day).is_working() {
                working += 1;
                office += self.hours[usize::from(hours)].iter().map(|w| w.closes - w.opens).sum::<Micros>();
                self.working_days.push(day);
            }
        }
        self.working_before.push(working);
        self.office_before.push(office);
    }

    pub fn id(&self) -> &Code {
        &self.spec.id
    }

    pub fn timezone(&self) -> &TimeZone {
        &self.spec.timezone
    }

    pub fn known_from(&self) -> Date {
        self.spec.known_from
    }

    pub fn known_until(&self) -> Date {
        self.spec.known_until
    }

    /// Days that were listed outside the known range, and so mean nothing: the loader warns of them.
    pub fn ignored_days(&self) -> &[Date] {
        &self.ignored
    }

    /// Whether a deadline rests on days that no notice settles. Without a last day (a clock held without an end)
    /// only the start tells.
    pub fn is_provisional(&self, start: Day, due_on: Option<Day>) -> bool {
        start < self.known_from || due_on.is_some_and(|day| day > self.known_until)
    }

    /// The day and the time of day of an instant.
    pub fn local(&self, at: Timestamp) -> (Day, Micros) {
        let wall = self.zone.reading(at);
        (wall.day(), wall.time())
    }

    /// The instant at which this day's clock shows this time; 24:00 is 00:00 of the next day. A time that the
    /// clock skips is as much later, of one shown twice it is the first.
    pub fn instant(&self, day: Day, time: Micros) -> Timestamp {
        self.zone.instant(Wall::of(day, time))
    }

    pub fn status(&self, day: Day) -> DayStatus {
        match self.listed_day(day) {
            Some((_, DayKind::Festival, _)) => DayStatus::Festival,
            Some((_, DayKind::Rest, _)) => DayStatus::Rest,
            Some((_, DayKind::Work, _)) => DayStatus::MakeUp,
            None if self.spec.rest_days.contains(&day.weekday()) => DayStatus::RestDay,
            None => DayStatus::Working,
        }
    }

    pub fn is_working(&self, day: Day) -> bool {
        if (Day::FIRST..=Day::LAST).contains(&day) {
            self.working_before[day.index()] < self.working_before[day.index() + 1]
        } else {
            self.status(day).is_working()
        }
    }

    /// The name that the notice gives this day.
    pub fn name(&self, day: Day) -> Option<&str> {
        self.listed_day(day).map(|(_, _, name)| name.as_str())
    }

    /// Whether offices close at all; a calendar without office hours is open on the whole of each working day.
    pub fn has_office_hours(&self) -> bool {
        self.hours.iter().any(|windows| windows != &[WHOLE_DAY])
    }

    /// When the office is open on this day: never on one that is not worked.
    pub fn windows(&self, day: Day) -> &[Window] {
        if self.is_working(day) { self.season_windows(day) } else { &[] }
    }

    /// The closing time of the day's season, even if the day is not worked.
    pub fn close_of_office(&self, day: Day) -> Micros {
        self.season_windows(day).last().map_or(DAY, |window| window.closes)
    }

    fn season_windows(&self, day: Day) -> &[Window] {
        let hours = self.hours_of.get(day.index()).filter(|_| (Day::FIRST..=Day::LAST).contains(&day));
        &self.hours[usize::from(hours.copied().unwrap_or_else(|| self.season_of(day)))]
    }

    /// The place in `hours` of the hours of this day.
    fn season_of(&self, day: Day) -> u16 {
        if self.spec.seasons.is_empty() {
            return 0;
        }
        let date = day.date();
        let season = self.spec.seasons.iter().position(|season| season.contains(date));
        season.and_then(|season| u16::try_from(season + 1).ok()).unwrap_or(0)
    }

    fn listed_day(&self, day: Day) -> Option<&(Date, DayKind, String)> {
        let found = self.listed.binary_search_by_key(&day, |(day, _)| *day).ok()?;
        Some(&self.spec.days[self.listed[found].1])
    }
}

/// The listed days within the known range, and those outside it.
fn list(spec: &Spec, known_from: Day, known_until: Day) -> (Vec<(Day, usize)>, Vec<Date>) {
    let mut listed = BTreeMap::new();
    let mut ignored = Vec::new();
    for (index, (date, _, _)) in spec.days.iter().enumerate() {
        let day = Day::of(*date);
        if (known_from..=known_until).contains(&day) {
            listed.insert(day, index);
        } else {
            ignored.push(*date);
        }
    }
    (listed.into_iter().collect(), ignored)
}

/// Windows in order, those that overlap or touch made one. A closing time of 00:00 is 24:00; a window that
/// closes before it opens is none.
fn windows_of(windows: &[(Time, Time)]) -> Vec<Window> {
    let mut sorted: Vec<Window> = windows
        .iter()
        .map(|(opens, closes)| Window {
            opens: since_midnight(*opens),
            closes: if *closes == Time::midnight() { DAY } else { since_midnight(*closes) },
        })
        .filter(|window| window.opens < window.closes)
        .collect();
    sorted.sort_unstable();
    let mut united: Vec<Window> = Vec::with_capacity(sorted.len());
    for window in sorted {
        match united.last_mut() {
            Some(last) if window.opens <= last.closes => last.closes = last.closes.max(window.closes),
            _ => united.push(window),
        }
    }
    if united.is_empty() { vec![WHOLE_DAY] } else { united }
}

/// A time of day in microseconds.
fn since_midnight(time: Time) -> Micros {
    time.duration_since(Time::midnight()).as_micros().try_into().unwrap_or(DAY)
}
