//! What the role counts and shows. Departments are those of the rulebook, others together.

use std::collections::BTreeMap;

use hotline_core::rulebook::Rulebook;
use hotline_postgres::standing::{Pipeline, Standing};
use hotline_runtime::catalogue::{Metric, SECONDS};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use metrics::{gauge, histogram};
use tokio::time::Instant;

pub const BULLETIN_SECONDS: Metric =
    Metric::histogram("hotline_rates_bulletin_seconds", SECONDS, &[], "Seconds that a table of rates took");
pub const OPEN: Metric =
    Metric::gauge("hotline_rates_open_cases", &["department"], "Open cases by who leads");
pub const OVERDUE: Metric = Metric::gauge(
    "hotline_rates_overdue_cases",
    &["department"],
    "Open cases past their closing deadline, by who leads",
);
pub const DUE_TODAY: Metric = Metric::gauge(
    "hotline_rates_due_today_cases",
    &["department"],
    "Open cases whose closing deadline is still to come today, by who leads",
);
pub const NEAR_DUE: Metric = Metric::gauge(
    "hotline_rates_near_due_cases",
    &["department"],
    "Open cases whose closing deadline is less than 24 hours away, by who leads",
);
pub const SNAPSHOT: Metric =
    Metric::gauge("hotline_rates_snapshot_timestamp_seconds", &[], "As of when the gauges of this role are");
pub const MONTHS: Metric = Metric::gauge(
    "hotline_rates_months_timestamp_seconds",
    &[],
    "As of when the figures of months are that boards show; nothing before they were computed for the first time",
);
pub const DEAD_LETTERS: Metric = Metric::gauge(
    "hotline_rates_dead_letters_open",
    &["reason"],
    "Refused input that waits for somebody, by reason",
);
pub const DEAD_LETTERS_AGE: Metric = Metric::gauge(
    "hotline_rates_dead_letters_oldest_seconds",
    &["reason"],
    "Since when the oldest of them waits; 0 where none does",
);
pub const SOURCES_STOPPED: Metric = Metric::gauge(
    "hotline_rates_sources_stopped",
    &["stop"],
    "Sources whose events are kept and not applied: paused by somebody, or diverted",
);
pub const UNNUMBERED_AGE: Metric = Metric::gauge(
    "hotline_rates_notices_unnumbered_seconds",
    &[],
    "Since when the oldest notice waits for its number; 0 where none does",
);
pub const NOTICES: Metric = Metric::gauge(
    "hotline_rates_notices_waiting",
    &["receiver"],
    "Notices that a receiver has not been told",
);
pub const NOTICES_AGE: Metric = Metric::gauge(
    "hotline_rates_notices_oldest_seconds",
    &["receiver"],
    "Since when the oldest of them waits; 0 where none does",
);
pub const UNDELIVERED: Metric = Metric::gauge(
    "hotline_rates_notices_undelivered",
    &["receiver"],
    "Notices that were given up: the receiver did not take them",
);
pub const ALARMS_WAITING: Metric = Metric::gauge(
    "hotline_rates_alarms_waiting",
    &[],
    "Cases of which something is due and that timekeeper has not looked at yet",
);
pub const ALARMS_AGE: Metric = Metric::gauge(
    "hotline_rates_alarms_waiting_seconds",
    &[],
    "Since when the first of them waits; 0 where none does",
);
pub const CALENDAR: Metric = Metric::gauge(
    "hotline_rates_calendar_known_until_timestamp_seconds",
    &["calendar"],
    "The end of the last day whose working hours are published",
);

/// All of them.
pub const CATALOGUE: &[Metric] = &[
    BULLETIN_SECONDS,
    OPEN,
    OVERDUE,
    DUE_TODAY,
    NEAR_DUE,
    SNAPSHOT,
    MONTHS,
    DEAD_LETTERS,
    DEAD_LETTERS_AGE,
    SOURCES_STOPPED,
    UNNUMBERED_AGE,
    NOTICES,
    NOTICES_AGE,
    UNDELIVERED,
    ALARMS_WAITING,
    ALARMS_AGE,
    CALENDAR,
];

/// Departments that the rulebook does not list.
const OTHER: &str = "other";
/// Nobody leads.
const NOBODY: &str = "-";

/// A table was asked for.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> T {
    let begun_at = Instant::now();
    let done = work.await;
    histogram!(BULLETIN_SECONDS.name).record(begun_at.elapsed().as_secs_f64());
    done
}

/// The gauges, and which labels they have shown: a department without open cases goes to 0 and not away.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    shown: BTreeMap<(Shown, String), f64>,
}

/// A gauge with one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Open,
    Overdue,
    DueToday,
    NearDue,
    DeadLetters,
    DeadLettersAge,
    SourcesStopped,
    Notices,
    NoticesAge,
    Undelivered,
}

impl Shown {
    fn metric(self) -> Metric {
        match self {
            Shown::Open => OPEN,
            Shown::Overdue => OVERDUE,
            Shown::DueToday => DUE_TODAY,
            Shown::NearDue => NEAR_DUE,
            Shown::DeadLetters => DEAD_LETTERS,
            Shown::DeadLettersAge => DEAD_LETTERS_AGE,
            Shown::SourcesStopped => SOURCES_STOPPED,
            Shown::Notices => NOTICES,
            Shown::NoticesAge => NOTICES_AGE,
            Shown::Undelivered => UNDELIVERED,
        }
    }
}

impl Gauges {
    /// Shows how things stand at an instant.
    pub(crate) fn show(
        &mut self,
        standings: &[Standing],
        pipeline: &Pipeline,
        rulebook: &Rulebook,
        as_of: Timestamp,
    ) {
        self.shown.values_mut().for_each(|value| *value = 0.0);
        for standing in standings {
            let is_known =
                standing.department == NOBODY || rulebook.departments.contains_key(&standing.department);
            let department = if is_known { standing.department.as_str() } else { OTHER };
            for (shown, count) in [
                (Shown::Open, standing.open),
                (Shown::Overdue, standing.overdue),
                (Shown::DueToday, standing.due_today),
                (Shown::NearDue, standing.near_due),
            ] {
                self.add(shown, department, count_of(count));
            }
        }
        let age = |since: Option<Timestamp>| since.map_or(0.0, |since| seconds(since, as_of));
        for letters in &pipeline.dead_letters {
            self.add(Shown::DeadLetters, &letters.reason, count_of(letters.open));
            self.add(Shown::DeadLettersAge, &letters.reason, age(letters.oldest_at));
        }
        for stop in &pipeline.stops {
            self.add(Shown::SourcesStopped, stop, 1.0);
        }
        for receiver in &pipeline.receivers {
            self.add(Shown::Notices, &receiver.receiver, count_of(receiver.behind));
            self.add(Shown::NoticesAge, &receiver.receiver, age(receiver.oldest_at));
            self.add(Shown::Undelivered, &receiver.receiver, count_of(receiver.undelivered));
        }
        for ((shown, label), value) in &self.shown {
            let metric = shown.metric();
            gauge!(metric.name, metric.labels[0] => label.clone()).set(*value);
        }
        gauge!(UNNUMBERED_AGE.name).set(age(pipeline.unnumbered_since));
        gauge!(ALARMS_WAITING.name).set(count_of(pipeline.waking.0));
        gauge!(ALARMS_AGE.name).set(age(pipeline.waking.1));
        for (id, calendar) in &rulebook.calendars {
            if let Some(until) = end_of(calendar.known_until(), &rulebook.timezone) {
                gauge!(CALENDAR.name, "calendar" => id.to_string()).set(instant(until));
            }
        }
        if let Some(months) = pipeline.months_as_of {
            gauge!(MONTHS.name).set(instant(months));
        }
        gauge!(SNAPSHOT.name).set(instant(as_of));
    }

    fn add(&mut self, shown: Shown, label: &str, value: f64) {
        *self.shown.entry((shown, label.to_owned())).or_default() += value;
    }
}

/// The first instant after a day.
pub(crate) fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?.at(0, 0, 0, 0);
    zone.to_timestamp(next).ok()
}

#[expect(clippy::cast_precision_loss, reason = "counts of cases are below 2^53")]
fn count_of(count: i64) -> f64 {
    count as f64
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "seconds of this century are below 2^53")]
fn instant(at: Timestamp) -> f64 {
    at.as_second() as f64
}
