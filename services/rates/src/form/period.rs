//! The days of a bulletin: a month, a week, or any, and what they are compared with.
//!
//! A month or week is named by its last day: the month 2026-09 from the 26th is 26 August to 25 September, the week
//! 2026-W40 from Friday ends on the Thursday of ISO week 40.

use std::collections::BTreeMap;

use hotline_core::fact::Code;
use hotline_core::rulebook;
use hotline_events::Lang;
use jiff::ToSpan as _;
use jiff::civil::{Date, ISOWeekDate, Weekday, date};

use crate::error::Error;

/// Where months and weeks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begins {
    /// A day of the month, 1 to 28.
    pub month_from: i8,
    pub week_from: Weekday,
}

/// Days from `from` to before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Date,
    pub to: Date,
    called: Called,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    Month { year: i16, month: i8 },
    Week { year: i16, week: i8 },
    Days,
}

impl Period {
    /// Reads `2026-09`, `2026-W40` or `2026-09-01..2026-10-01`, the last day not included. Before a month or a week the
    /// name of a period of the rulebook may stand, `month-26:2026-09`: then it begins as that one says.
    pub fn parse(
        text: &str,
        begins: Begins,
        named: &BTreeMap<Code, rulebook::Period>,
    ) -> Result<Self, Error> {
        let malformed = || Error::FormPeriod { text: text.to_owned() };
        let (begins, text) = match text.split_once(':') {
            None => (begins, text),
            Some((name, rest)) => {
                let known = named.get(name).ok_or_else(|| Error::UnknownPeriod {
                    name: name.to_owned(),
                    known: named.keys().map(Code::as_str).collect::<Vec<_>>().join(", "),
                })?;
                (begins.as_in(known), rest)
            }
        };
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = from.parse().ok().zip(to.parse().ok()).ok_or_else(malformed)?;
            return if from < to { Ok(Self { from, to, called: Called::Days }) } else { Err(malformed()) };
        }
        let (year, rest) = text.split_once('-').ok_or_else(malformed)?;
        // A sign is no digit.
        let plain = |digits: &str, count| digits.len() == count && digits.bytes().all(|c| c.is_ascii_digit());
        let year: i16 = year.parse().ok().filter(|_| plain(year, 4)).ok_or_else(malformed)?;
        let number = |digits: &str| digits.parse::<i8>().ok().filter(|_| plain(digits, 2));
        match rest.strip_prefix('W') {
            Some(week) => number(week).and_then(|week| Self::week(year, week, begins)),
            None => number(rest).and_then(|month| Self::month(year, month, begins)),
        }
        .ok_or_else(malformed)
    }

    fn month(year: i16, month: i8, begins: Begins) -> Option<Self> {
        let first = Date::new(year, month, begins.month_from).ok()?;
        let (from, to) = match begins.month_from {
            1 => (first, first.checked_add(1.month()).ok()?),
            _ => (first.checked_sub(1.month()).ok()?, first),
        };
        Some(Self { from, to, called: Called::Month { year, month } })
    }

    fn week(year: i16, week: i8, begins: Begins) -> Option<Self> {
        let last = begins.week_from.previous();
        let to = ISOWeekDate::new(year, week, last).ok()?.date().tomorrow().ok()?;
        Some(Self { from: to.checked_sub(7.days()).ok()?, to, called: Called::Week { year, week } })
    }

    /// The period before: the month or week before it, of other days as many days, or whole months where they are months.
    #[must_use]
    pub fn before(&self) -> Self {
        match self.called {
            Called::Month { year, month } => {
                let month_before = date(year, month, 1).saturating_sub(1.month());
                let called = Called::Month { year: month_before.year(), month: month_before.month() };
                Self { from: self.from.saturating_sub(1.month()), to: self.from, called }
            }
            Called::Week { .. } => self.days_earlier(7),
            Called::Days => {
                let from = match self.whole_months() {
                    Some(months) => self.from.saturating_sub(months.months()),
                    None => self.from.saturating_sub((self.to - self.from).get_days().days()),
                };
                Self { from, to: self.from, called: Called::Days }
            }
        }
    }

    /// The same period a year before; a week is compared with that of 52 weeks before.
    #[must_use]
    pub fn year_before(&self) -> Self {
        let from = self.from.saturating_sub(1.year());
        // The last day of a February has the same one, or the last one, a year before.
        let last = self.to.yesterday().unwrap_or(self.to).saturating_sub(1.year());
        let to = self.to.saturating_sub(1.year()).max(last.tomorrow().unwrap_or(last));
        match self.called {
            Called::Month { year, month } => {
                Self { from, to, called: Called::Month { year: year - 1, month } }
            }
            Called::Week { .. } => self.days_earlier(52 * 7),
            Called::Days => Self { from, to, called: Called::Days },
        }
    }

    fn days_earlier(&self, days: i64) -> Self {
        let (from, to) = (self.from.saturating_sub(days.days()), self.to.saturating_sub(days.days()));
        let last = to.yesterday().unwrap_or(to).iso_week_date();
        Self { from, to, called: Called::Week { year: last.year(), week: last.week() } }
    }

    fn whole_months(&self) -> Option<i32> {
        let months = (i32::from(self.to.year()) - i32::from(self.from.year())) * 12
            + i32::from(self.to.month())
            - i32::from(self.from.month());
        (months > 0 && self.from.day() == self.to.day()).then_some(months)
    }

    /// Its name and its first and last day, for people.
    pub fn told(&self, lang: Lang) -> String {
        let last = self.to.yesterday().unwrap_or(self.to);
        let days = lang.of(format!("{}至{last}", self.from), format!("{} to {last}", self.from));
        match (self.called, lang) {
            (Called::Month { year, month }, Lang::Zh) => format!("{year}年{month}月（{days}）"),
            (Called::Month { year, month }, Lang::En) => format!("{year}-{month:02} ({days})"),
            (Called::Week { year, week }, Lang::Zh) => format!("{year}年第{week}周（{days}）"),
            (Called::Week { year, week }, Lang::En) => format!("{year}-W{week:02} ({days})"),
            (Called::Days, _) => days,
        }
    }
}

impl Begins {
    fn as_in(self, named: &rulebook::Period) -> Self {
        match named {
            rulebook::Period::MonthFrom(day) => Self { month_from: *day, ..self },
            rulebook::Period::WeekFrom(day) => {
                Self { week_from: Weekday::from_monday_one_offset(*day).unwrap_or(self.week_from), ..self }
            }
        }
    }
}

impl From<(Date, Date)> for Period {
    fn from((from, to): (Date, Date)) -> Self {
        Self { from, to, called: Called::Days }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALENDAR: Begins = Begins { month_from: 1, week_from: Weekday::Monday };
    const OFFICE: Begins = Begins { month_from: 26, week_from: Weekday::Friday };

    fn named() -> BTreeMap<Code, rulebook::Period> {
        [
            ("month-26".into(), rulebook::Period::MonthFrom(26)),
            ("week-friday".into(), rulebook::Period::WeekFrom(5)),
        ]
        .into()
    }

    /// The days, those before and those of the year before.
    fn days(text: &str, begins: Begins) -> String {
        let period = Period::parse(text, begins, &named()).expect("a sound period");
        [period, period.before(), period.year_before()]
            .map(|period| format!("{}..{}", period.from, period.to))
            .join(" ")
    }

    #[test]
    fn a_month_is_named_by_its_last_day() {
        assert_eq!(
            days("2026-03", CALENDAR),
            "2026-03-01..2026-04-01 2026-02-01..2026-03-01 2025-03-01..2025-04-01"
        );
        assert_eq!(
            days("2026-01", OFFICE),
            "2025-12-26..2026-01-26 2025-11-26..2025-12-26 2024-12-26..2025-01-26"
        );
        assert_eq!(days("month-26:2026-01", CALENDAR), days("2026-01", OFFICE));
    }

    #[test]
    fn a_week_is_named_by_its_last_day() {
        // 2026-10-01 is a Thursday, in ISO week 40.
        assert_eq!(
            days("2026-W40", OFFICE),
            "2026-09-25..2026-10-02 2026-09-18..2026-09-25 2025-09-26..2025-10-03"
        );
        assert_eq!(
            days("2026-W40", CALENDAR),
            "2026-09-28..2026-10-05 2026-09-21..2026-09-28 2025-09-29..2025-10-06"
        );
        assert_eq!(days("week-friday:2026-W40", CALENDAR), days("2026-W40", OFFICE));
        let first = Period::parse("2026-W01", CALENDAR, &named()).expect("a sound period");
        assert_eq!(first.before().told(Lang::Zh), "2025年第52周（2025-12-22至2025-12-28）");
    }

    #[test]
    fn other_days_are_compared_with_as_many_or_with_whole_months() {
        assert_eq!(
            days("2026-01-01..2026-04-01", CALENDAR),
            "2026-01-01..2026-04-01 2025-10-01..2026-01-01 2025-01-01..2025-04-01"
        );
        assert_eq!(
            days("2026-03-02..2026-03-05", CALENDAR),
            "2026-03-02..2026-03-05 2026-02-27..2026-03-02 2025-03-02..2025-03-05"
        );
    }

    #[test]
    fn a_year_before_has_a_february_of_its_own() {
        let before = |text: &str| days(text, CALENDAR).rsplit(' ').next().map(str::to_owned);
        for (text, expected) in [
            ("2024-02-28..2024-02-29", "2023-02-28..2023-03-01"),
            ("2024-02-29..2024-03-01", "2023-02-28..2023-03-01"),
            ("2025-02-01..2025-03-01", "2024-02-01..2024-03-01"),
            ("2024-02-01..2024-03-01", "2023-02-01..2023-03-01"),
        ] {
            assert_eq!(before(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused_by_name() {
        for text in [
            "2026",
            "2026-+9",
            "+026-09",
            "2026-W+1",
            "2026-9",
            "2026-13",
            "2026-W54",
            "26-09",
            "2026-10-01..2026-09-01",
            "x..y",
        ] {
            let error = Period::parse(text, CALENDAR, &named()).expect_err("refused");
            assert_eq!(error.code(), "period", "{text}");
        }
        assert_eq!(
            Period::parse("quarter:2026-01", CALENDAR, &named()).expect_err("refused").code(),
            "unknown_period"
        );
    }
}
