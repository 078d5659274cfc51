//! Lengths of time in rules, and the instants they lead to.

use jiff::{SignedDuration, Timestamp};
use smol_str::{SmolStr, format_smolstr};

use crate::calendar::Calendar;
use crate::deadline::{CountFrom, EndsAt, Limit, OutsideHours, Roll, Rule, due};
use crate::fact::Unit;

/// A length of time as people write it: `"24 hour"`, `"1 working_day"`, `"30 minute"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Exact time: minutes and hours.
    Exact(SignedDuration),
    /// A number of units that only a calendar can count.
    Counted(u32, Unit),
}

impl Default for Span {
    fn default() -> Self {
        Span::Exact(SignedDuration::ZERO)
    }
}

impl Span {
    /// `30m`, `4h`, `5wd`.
    pub(super) fn short(self) -> SmolStr {
        match self {
            Span::Exact(exact) if exact.as_secs() % 3600 == 0 => {
                format_smolstr!("{}h", exact.as_secs() / 3600)
            }
            Span::Exact(exact) => format_smolstr!("{}m", exact.as_secs() / 60),
            Span::Counted(count, unit) => {
                let unit = match unit {
                    Unit::Hour => "h",
                    Unit::WorkingHour => "wh",
                    Unit::RoundClockHour => "rh",
                    Unit::CalendarDay => "cd",
                    Unit::WorkingDay => "wd",
                };
                format_smolstr!("{count}{unit}")
            }
        }
    }

    /// The instant so long before another.
    pub fn before(self, at: Timestamp, calendar: &Calendar) -> Timestamp {
        match self {
            Span::Exact(exact) => at.checked_sub(exact).unwrap_or(Timestamp::MIN),
            Span::Counted(count, unit) => calendar.before(at, count, unit),
        }
    }

    /// The instant so long after another.
    pub fn after(self, at: Timestamp, calendar: &Calendar) -> Timestamp {
        match self {
            Span::Exact(exact) => at.checked_add(exact).unwrap_or(Timestamp::MAX),
            Span::Counted(0, _) => at,
            Span::Counted(count, unit) => {
                let rule = Rule {
                    calendar,
                    limit: (count, unit),
                    count_from: CountFrom::Instant,
                    outside_hours: OutsideHours::AsIs,
                    ends_at: EndsAt::SameTime,
                    roll: Roll::None,
                };
                due(&Limit::Rule(rule), at, &[], &[]).due_at.unwrap_or(Timestamp::MAX)
            }
        }
    }
}
