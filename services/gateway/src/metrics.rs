//! What the gateway counts. Labels are bounded: sources that the rulebook lists, codes of this program.

use std::time::Duration;

use metrics::{counter, histogram};

/// The source of a request that names none that is listed.
pub(crate) const OTHER: &str = "other";

/// The source that a request turned out to be from, left with its answer for [`request`].
#[derive(Clone, Debug)]
pub(crate) struct FromSource(pub(crate) String);

/// A request was answered. `route` is a template, never a path.
pub(crate) fn request(route: &'static str, source: &str, code: &'static str, took: Duration) {
    counter!(
        "hotline_gateway_requests_total", "route" => route, "source" => source.to_owned(), "code" => code
    )
    .increment(1);
    histogram!("hotline_gateway_request_seconds", "route" => route).record(took.as_secs_f64());
}

/// Events were answered for.
pub(crate) fn events(source: &str, result: &'static str, count: u64) {
    counter!("hotline_gateway_events_total", "source" => source.to_owned(), "result" => result)
        .increment(count);
}

/// A body was read.
#[expect(clippy::cast_precision_loss, reason = "bodies are far below 2^53 bytes")]
pub(crate) fn body(bytes: usize) {
    histogram!("hotline_gateway_body_bytes").record(bytes as f64);
}
