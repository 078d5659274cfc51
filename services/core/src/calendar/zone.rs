//! The offsets of one time zone as a flat table: a time zone is asked for every fact, and twice for every deadline.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::day::{Day, saturate};
use super::{DAY, Micros};

/// A reading of the wall clock: microseconds since 1970-01-01T00:00 in the calendar's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wall(pub(crate) i64);

impl Wall {
    pub(crate) fn of(day: Day, time: Micros) -> Self {
        Self((i64::from(day.0) * DAY).saturating_add(time))
    }

    pub(crate) fn day(self) -> Day {
        Day(saturate(self.0.div_euclid(DAY)))
    }

    pub(crate) fn time(self) -> Micros {
        self.0.rem_euclid(DAY)
    }
}

/// A stretch of time with one offset.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Its first instant, in microseconds since the epoch.
    from: i64,
    /// What the wall clock had already shown before it began.
    shown: i64,
    /// The readings from which on it is meant. A reading that the clock skips or shows twice belongs to the
    /// stretch before: so a skipped one becomes as much later, of two the earlier is taken ("compatible").
    readings_from: i64,
    offset: i64,
}

#[derive(Debug)]
pub(super) struct Zone {
    stretches: Vec<Stretch>,
}

impl Zone {
    /// Only changes within the table of days are kept; before and after it the nearest offset holds.
    pub(super) fn new(zone: &TimeZone) -> Self {
        let begin = instant_at(i64::from(Day::FIRST.0) * DAY - DAY);
        let end = instant_at(i64::from(Day::LAST.0) * DAY + 2 * DAY);
        let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds()) * 1_000_000;
        let first =
            Stretch { from: i64::MIN, shown: i64::MIN, readings_from: i64::MIN, offset: offset(begin) };
        let mut stretches = vec![first];
        let mut before = first.offset;
        for change in zone.following(begin).take_while(|change| change.timestamp() < end) {
            let (from, after) = (change.timestamp().as_microsecond(), offset(change.timestamp()));
            if after != before {
                let readings_from = from + before.max(after);
                stretches.push(Stretch { from, shown: from + before, readings_from, offset: after });
                before = after;
            }
        }
        Self { stretches }
    }

    /// What the clock on the wall shows.
    pub(super) fn reading(&self, at: Timestamp) -> Wall {
        let at = at.as_microsecond();
        Wall(at.saturating_add(self.stretch(|stretch| stretch.from <= at).offset))
    }

    /// The latest the clock on the wall has shown so far: it stands still while an hour is shown again, so that
    /// counting in wall time never runs backwards and each working day has its 24 hours.
    pub(super) fn shown(&self, at: Timestamp) -> Wall {
        let at = at.as_microsecond();
        let stretch = self.stretch(|stretch| stretch.from <= at);
        Wall(at.saturating_add(stretch.offset).max(stretch.shown))
    }

    pub(super) fn instant(&self, wall: Wall) -> Timestamp {
        instant_at(wall.0.saturating_sub(self.stretch(|stretch| stretch.readings_from <= wall.0).offset))
    }

    /// The last stretch of which this holds; it holds of all up to one.
    fn stretch(&self, holds: impl Fn(&Stretch) -> bool) -> &Stretch {
        let last = &self.stretches[self.stretches.len() - 1];
        if holds(last) {
            return last; // China has not changed its clocks since 1991.
        }
        &self.stretches[self.stretches.partition_point(holds).saturating_sub(1)]
    }
}

/// The instant, or the nearest that can be written.
pub(crate) fn instant_at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
