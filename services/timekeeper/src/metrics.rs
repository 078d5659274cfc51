//! What timekeeper counts. Labels are bounded.

use hotline_postgres::batch::Woken;
use hotline_runtime::catalogue::{Metric, WAITS};
use metrics::{counter, histogram};

pub const CASES: Metric =
    Metric::counter("hotline_timekeeper_cases_total", &[], "Cases looked at because something fell due");
pub const ALARMS: Metric = Metric::counter(
    "hotline_timekeeper_alarms_total",
    &["telling"],
    "Rungs of deadlines' ladders by what was done about them: raised, missed, withdrawn",
);
pub const LATE_SECONDS: Metric = Metric::histogram(
    "hotline_timekeeper_late_seconds",
    WAITS,
    &[],
    "For how long the longest due alarm of a step that raised some had waited to be told",
);
pub const DISPATCHES: Metric =
    Metric::counter("hotline_timekeeper_dispatches_total", &[], "Dispatch decisions of ours that fell due");
pub const FAILURES: Metric = Metric::counter(
    "hotline_timekeeper_failures_total",
    &[],
    "Cases that could not be folded: a bug of ours",
);

/// All of them.
pub const CATALOGUE: &[Metric] = &[CASES, ALARMS, LATE_SECONDS, DISPATCHES, FAILURES];

pub(crate) fn woken(woken: &Woken) {
    counter!(CASES.name).increment(woken.cases as u64);
    for (telling, count) in
        [("raised", woken.raised), ("missed", woken.missed), ("withdrawn", woken.withdrawn)]
    {
        counter!(ALARMS.name, "telling" => telling).increment(count as u64);
    }
    if woken.raised > 0 {
        histogram!(LATE_SECONDS.name).record(woken.waited.as_secs_f64().max(0.0));
    }
    counter!(DISPATCHES.name).increment(woken.dispatched as u64);
    counter!(FAILURES.name).increment(woken.failed as u64);
}
