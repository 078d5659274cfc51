//! What timekeeper counts. Labels are bounded.

use hotline_postgres::batch::Woken;
use metrics::{counter, describe_counter};

/// Cases looked at because something fell due.
pub const CASES: &str = "hotline_timekeeper_cases_total";
/// Rungs by `telling`: raised, missed, withdrawn.
pub const ALARMS: &str = "hotline_timekeeper_alarms_total";
/// Dispatch decisions of ours that fell due.
pub const DISPATCHES: &str = "hotline_timekeeper_dispatches_total";
/// Cases that could not be folded: a bug of ours.
pub const FAILURES: &str = "hotline_timekeeper_failures_total";

pub(crate) fn woken(woken: &Woken) {
    counter!(CASES).increment(woken.cases as u64);
    for (telling, count) in
        [("raised", woken.raised), ("missed", woken.missed), ("withdrawn", woken.withdrawn)]
    {
        counter!(ALARMS, "telling" => telling).increment(count as u64);
    }
    counter!(DISPATCHES).increment(woken.dispatched as u64);
    counter!(FAILURES).increment(woken.failed as u64);
}

/// Tells the recorder what each is.
pub(crate) fn describe() {
    describe_counter!(CASES, "Cases looked at because something fell due");
    describe_counter!(ALARMS, "Rungs of deadlines' ladders by what was done about them");
    describe_counter!(DISPATCHES, "Dispatch decisions of ours that fell due");
    describe_counter!(FAILURES, "Cases that could not be folded");
}
