//! What the relay counts. Receivers are those of the configuration.

use hotline_runtime::catalogue::Metric;
use metrics::counter;

pub const NUMBERED: Metric =
    Metric::counter("hotline_relay_notices_total", &[], "Notices that got their number");
pub const DELIVERIES: Metric = Metric::counter(
    "hotline_relay_deliveries_total",
    &["receiver", "outcome"],
    "Notices by receiver and by what came of sending them: delivered, again, given_up",
);

/// All of them.
pub const CATALOGUE: &[Metric] = &[NUMBERED, DELIVERIES];

pub(crate) fn numbered(count: u64) {
    counter!(NUMBERED.name).increment(count);
}

pub(crate) fn delivery(receiver: &str, outcome: &'static str) {
    counter!(DELIVERIES.name, "receiver" => receiver.to_owned(), "outcome" => outcome).increment(1);
}
