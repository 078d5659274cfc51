//! What the gateway counts. Labels are bounded: sources that the rulebook lists, codes of this program.

use std::time::Duration;

use axum::http::StatusCode;
use hotline_runtime::catalogue::{BYTES, Metric, SECONDS};
use metrics::{counter, histogram};

pub const REQUESTS: Metric = Metric::counter(
    "hotline_gateway_requests_total",
    &["route", "source", "status", "code"],
    "Requests by route, by the source that signed them, by the class of the answer's status (2xx) and by its code",
);
pub const REQUEST_SECONDS: Metric = Metric::histogram(
    "hotline_gateway_request_seconds",
    SECONDS,
    &["route"],
    "From a request's arrival to its answer",
);
pub const EVENTS: Metric = Metric::counter(
    "hotline_gateway_events_total",
    &["source", "result"],
    "Events by source and by what they were answered with",
);
pub const BODY_BYTES: Metric =
    Metric::histogram("hotline_gateway_body_bytes", BYTES, &[], "Bytes of a request's body");

/// All of them.
pub const CATALOGUE: &[Metric] = &[REQUESTS, REQUEST_SECONDS, EVENTS, BODY_BYTES];

/// The source of a request that names none that is listed.
pub(crate) const OTHER: &str = "other";

/// The source that a request turned out to be from, left with its answer for [`request`].
#[derive(Clone, Debug)]
pub(crate) struct FromSource(pub(crate) String);

/// A request was answered. `route` is a template, never a path.
pub(crate) fn request(
    route: &'static str,
    source: &str,
    (status, code): (StatusCode, &'static str),
    took: Duration,
) {
    let status = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS.name, "route" => route, "source" => source.to_owned(), "status" => status, "code" => code)
        .increment(1);
    histogram!(REQUEST_SECONDS.name, "route" => route).record(took.as_secs_f64());
}

/// Events were answered for.
pub(crate) fn events(source: &str, result: &'static str, count: u64) {
    counter!(EVENTS.name, "source" => source.to_owned(), "result" => result).increment(count);
}

/// A body was read.
#[expect(clippy::cast_precision_loss, reason = "bodies are far below 2^53 bytes")]
pub(crate) fn body(bytes: usize) {
    histogram!(BODY_BYTES.name).record(bytes as f64);
}
