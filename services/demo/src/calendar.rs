//! Instants as offices keep them: office hours, working days, and the days on which people call.

use hotline_core::calendar::{Calendar, Day, Micros};
use jiff::civil::{Weekday, date};
use jiff::{SignedDuration, Timestamp};

use crate::dice::Dice;

const MINUTE: Micros = 60_000_000;
/// The days of 2023.
pub(crate) const DAYS: i64 = 365;

/// The first day of the year.
pub(crate) fn new_year() -> Day {
    Day::of(date(2023, 1, 1))
}

/// The working calendar as those use it who plan when something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Office<'r>(pub(crate) &'r Calendar);

impl Office<'_> {
    pub(crate) fn day(self, at: Timestamp) -> Day {
        self.0.local(at).0
    }

    pub(crate) fn at(self, day: Day, hour: i64, minute: i64) -> Timestamp {
        self.0.instant(day, (hour * 60 + minute) * MINUTE)
    }

    /// So many minutes later in which the office is open.
    pub(crate) fn open_minutes_after(self, at: Timestamp, minutes: (i64, i64), dice: &mut Dice) -> Timestamp {
        let later = minutes_after(self.0.next_opening(at), minutes, dice);
        let opening = self.0.next_opening(later);
        // Whoever finds the office closed does it early the next morning.
        if opening == later { later } else { minutes_after(opening, (1, 40), dice) }
    }

    /// Some time of the `n`-th working day after `at`, and after `at`.
    pub(crate) fn working_day_after(self, at: Timestamp, n: i64, dice: &mut Dice) -> Timestamp {
        let day = self.0.nth_working_after(self.day(at), n);
        let windows = self.0.windows(day);
        let open: Micros = windows.iter().map(|window| window.closes - window.opens).sum();
        let mut left = dice.between(0, (open / 1_000_000 - 1).max(0)) * 1_000_000;
        for window in windows {
            let length = window.closes - window.opens;
            if left < length {
                let found = self.0.instant(day, window.opens + left);
                return if found > at { found } else { self.open_minutes_after(at, (2, 30), dice) };
            }
            left -= length;
        }
        self.open_minutes_after(at, (2, 30), dice)
    }

    /// RFC 3339 to the second, in the zone of the demonstration, which knows no summer time.
    pub(crate) fn written(self, at: Timestamp) -> String {
        let (day, time) = self.0.local(at);
        let seconds = time / 1_000_000;
        format!("{}T{:02}:{:02}:{:02}+08:00", day.date(), seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// So many minutes later, from `first` to `last`, round the clock.
pub(crate) fn minutes_after(at: Timestamp, (first, last): (i64, i64), dice: &mut Dice) -> Timestamp {
    let seconds = dice.between(first * 60, last * 60);
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

/// When in the year people call about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Season {
    Even,
    /// The heating period of the city, 15 November to 15 March.
    Heating,
    /// Hot days: power and water fail.
    Summer,
    /// Around 15 March and 11 November, and before the spring festival.
    Shopping,
    /// Before schools begin.
    School,
    /// Before the spring festival wages are due.
    Wages,
    /// Until a department was merged into another.
    UntilMerger,
    /// … and since then.
    SinceMerger,
}

impl Season {
    pub(crate) const ALL: [Season; 8] = [
        Season::Even,
        Season::Heating,
        Season::Summer,
        Season::Shopping,
        Season::School,
        Season::Wages,
        Season::UntilMerger,
        Season::SinceMerger,
    ];

    /// How many of a hundred call on this day who would on an ordinary one.
    fn percent(self, month: i8, day: i8) -> u64 {
        let on = (month, day);
        let within = |first: (i8, i8), last: (i8, i8)| first <= on && on <= last;
        match self {
            Season::Even => 100,
            Season::Heating if within((11, 15), (12, 31)) || within((1, 1), (3, 15)) => 400,
            Season::Heating => 8,
            Season::Summer if within((6, 10), (8, 31)) => 260,
            Season::Summer => 80,
            Season::Shopping if within((3, 10), (3, 20)) || within((11, 8), (11, 20)) => 210,
            Season::Shopping if within((1, 5), (1, 20)) => 130,
            Season::Shopping => 95,
            Season::School if within((8, 10), (9, 10)) => 320,
            Season::School => 85,
            Season::Wages if within((1, 1), (1, 19)) || within((12, 10), (12, 31)) => 300,
            Season::Wages => 90,
            Season::UntilMerger => {
                if on < (7, 1) {
                    100
                } else {
                    0
                }
            }
            Season::SinceMerger => {
                if on < (7, 1) {
                    0
                } else {
                    100
                }
            }
        }
    }

    /// For each day of the year, the weights of the days before and of itself together.
    pub(crate) fn days(self, office: Office<'_>) -> Vec<u64> {
        let mut sum = 0;
        (0..DAYS)
            .map(|nth| {
                let day = new_year() + nth;
                let date = day.date();
                sum += self.percent(date.month(), date.day()) * weekday_percent(office, day);
                sum
            })
            .collect()
    }
}

/// Mondays and the first day after a holiday are busy, weekends quiet, the spring festival is nearly silent.
fn weekday_percent(office: Office<'_>, day: Day) -> u64 {
    let date = day.date();
    if date.month() == 1 && (21..=27).contains(&date.day()) {
        return 30;
    }
    if !office.0.is_working(day) {
        return if office.0.name(day).is_some() { 50 } else { 70 };
    }
    if !office.0.is_working(day - 1) && day.weekday() != Weekday::Saturday { 130 } else { 100 }
}

/// In how many of a thousand cases a caller calls in this hour.
const HOURS: [u64; 24] =
    [6, 4, 3, 2, 2, 4, 11, 28, 80, 110, 98, 72, 44, 50, 76, 88, 82, 64, 46, 40, 34, 26, 18, 12];

/// A time of day.
pub(crate) fn time_of_day(office: Office<'_>, day: Day, dice: &mut Dice) -> Timestamp {
    let mut left = dice.below(HOURS.iter().sum());
    let mut hour = 0;
    for (nth, weight) in (0..).zip(HOURS) {
        hour = nth;
        if left < weight {
            break;
        }
        left -= weight;
    }
    office.0.instant(day, hour * 60 * MINUTE + dice.between(0, 3599) * 1_000_000)
}
