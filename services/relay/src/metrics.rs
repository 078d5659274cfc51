//! What the relay counts. Receivers are those of the configuration.

use metrics::{counter, describe_counter};

/// Notices that got their number.
pub const NUMBERED: &str = "hotline_relay_notices_total";
/// Notices by `receiver` and `outcome`: `delivered`, `again`, `given_up`.
pub const DELIVERIES: &str = "hotline_relay_deliveries_total";

pub(crate) fn numbered(count: u64) {
    counter!(NUMBERED).increment(count);
}

pub(crate) fn delivery(receiver: &str, outcome: &'static str) {
    counter!(DELIVERIES, "receiver" => receiver.to_owned(), "outcome" => outcome).increment(1);
}

/// Tells the recorder what each is.
pub(crate) fn describe() {
    describe_counter!(NUMBERED, "Notices that got their number");
    describe_counter!(DELIVERIES, "Notices by receiver and what came of sending them");
}
