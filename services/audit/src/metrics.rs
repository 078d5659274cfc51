//! What audit counts.

use std::time::Duration;

use axum::http::StatusCode;
use hotline_postgres::closures::Kept;
use hotline_runtime::catalogue::{Metric, SECONDS};
use metrics::{counter, gauge, histogram};

pub const REQUESTS: Metric = Metric::counter(
    "hotline_audit_requests_total",
    &["route", "status", "code"],
    "Questions of auditors by route, by the class of the answer's status (2xx) and by its code",
);
pub const REQUEST_SECONDS: Metric = Metric::histogram(
    "hotline_audit_request_seconds",
    SECONDS,
    &["route"],
    "From a question's arrival to the head of its answer",
);
pub const KEPT_CASES: Metric = Metric::counter(
    "hotline_audit_kept_cases_total",
    &[],
    "Cases whose rows in the lists of closed cases were looked at again",
);
pub const KEEP_SECONDS: Metric = Metric::histogram(
    "hotline_audit_keep_seconds",
    SECONDS,
    &[],
    "A step that brings the lists of closed cases up to date",
);
pub const EXPORTED_ROWS: Metric =
    Metric::counter("hotline_audit_exported_rows_total", &["format"], "Rows of lists that were taken away");
pub const EXPORTS: Metric =
    Metric::gauge("hotline_audit_exports", &[], "Exports that are being written by this process");

/// All of them.
pub const CATALOGUE: &[Metric] =
    &[REQUESTS, REQUEST_SECONDS, KEPT_CASES, KEEP_SECONDS, EXPORTED_ROWS, EXPORTS];

/// A question was answered. `route` is a template, never a path.
pub(crate) fn request(route: &'static str, (status, code): (StatusCode, &'static str), took: Duration) {
    let status = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS.name, "route" => route, "status" => status, "code" => code).increment(1);
    histogram!(REQUEST_SECONDS.name, "route" => route).record(took.as_secs_f64());
}

pub(crate) fn kept(kept: &Kept, took: Duration) {
    if kept.taken > 0 {
        counter!(KEPT_CASES.name).increment(kept.cases as u64);
        histogram!(KEEP_SECONDS.name).record(took.as_secs_f64());
    }
}

pub(crate) fn exported(format: &'static str, rows: u64) {
    counter!(EXPORTED_ROWS.name, "format" => format).increment(rows);
}

pub(crate) fn exports(running: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    gauge!(EXPORTS.name).set(running as f64);
}
