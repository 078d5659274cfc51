//! What casework measures. Labels are bounded: outcomes and reasons, never a case or a text.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Events by `outcome`: applied, duplicate, ignored, or the reason of a dead letter.
pub const EVENTS: &str = "hotline_casework_events_total";
/// Seconds from a batch's first request to its commit.
pub const BATCH_SECONDS: &str = "hotline_casework_batch_seconds";
/// Records of a batch.
pub const BATCH_RECORDS: &str = "hotline_casework_batch_records";
/// Batches that failed, by `code` of the error.
pub const BATCH_FAILURES: &str = "hotline_casework_batch_failures_total";
/// Deltas merged into tallies.
pub const DELTAS_MERGED: &str = "hotline_casework_deltas_merged_total";
/// Cases folded again in the background.
pub const CASES_REFOLDED: &str = "hotline_casework_cases_refolded_total";
/// 1 when every case is folded by the active rulebook and this program.
pub const REFOLD_DONE: &str = "hotline_casework_refold_done";

/// Tells the recorder what each is.
pub fn describe() {
    describe_counter!(EVENTS, "Events by outcome");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "From a batch's first request to its commit");
    describe_histogram!(BATCH_RECORDS, "Records of a batch");
    describe_counter!(BATCH_FAILURES, "Batches that failed, by code");
    describe_counter!(DELTAS_MERGED, "Deltas merged into tallies");
    describe_counter!(CASES_REFOLDED, "Cases folded again in the background");
    describe_gauge!(REFOLD_DONE, "1 when every case is folded by the active rulebook and program");
}
