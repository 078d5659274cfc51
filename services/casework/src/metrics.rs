//! What casework measures. Labels are bounded: outcomes and reasons, never a case or a text.

use hotline_postgres::Applied;
use hotline_postgres::batch::Spent;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Events by `outcome`: applied, duplicate, ignored, or the reason of a dead letter.
pub const EVENTS: &str = "hotline_casework_events_total";
/// Seconds from a batch's first request to its commit.
pub const BATCH_SECONDS: &str = "hotline_casework_batch_seconds";
/// Seconds of a batch by `stage`: decode, load, fold, events, cases.
pub const STAGE_SECONDS: &str = "hotline_casework_stage_seconds";
/// Rows of tally deltas that batches appended.
pub const DELTAS: &str = "hotline_casework_deltas_total";
/// Case rows that batches wrote.
pub const CASES_WRITTEN: &str = "hotline_casework_cases_written_total";
/// Records of a batch.
pub const BATCH_RECORDS: &str = "hotline_casework_batch_records";
/// Batches that failed, by `code` of the error.
pub const BATCH_FAILURES: &str = "hotline_casework_batch_failures_total";
/// Sources that were diverted: too much of them was refused.
pub const SOURCES_DIVERTED: &str = "hotline_casework_sources_diverted_total";
/// Deltas merged into tallies.
pub const DELTAS_MERGED: &str = "hotline_casework_deltas_merged_total";
/// Cases folded again in the background.
pub const CASES_REFOLDED: &str = "hotline_casework_cases_refolded_total";
/// 1 when every case is folded by the active rulebook and this program.
pub const REFOLD_DONE: &str = "hotline_casework_refold_done";

/// Partitions that this process reads.
pub const PARTITIONS: &str = "hotline_casework_partitions";
/// … and those that a person must look at.
pub const PARTITIONS_HALTED: &str = "hotline_casework_partitions_halted";
/// Records between what was committed and the ends of the logs that this process reads.
pub const LAG_RECORDS: &str = "hotline_casework_lag_records";

/// Records a batch's size.
pub(crate) fn batch_of(records: usize) {
    histogram!(BATCH_RECORDS).record(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
}

/// Records where the time of a committed batch went, and what it wrote.
pub(crate) fn applied(applied: &Applied) {
    let Spent { load, fold, events, cases } = applied.spent;
    for (stage, spent) in [("load", load), ("fold", fold), ("events", events), ("cases", cases)] {
        histogram!(STAGE_SECONDS, "stage" => stage).record(spent);
    }
    counter!(DELTAS).increment(applied.deltas as u64);
    counter!(CASES_WRITTEN).increment(applied.cases as u64);
}

/// Records how the partitions of this process stand.
pub(crate) fn partitions(owned: usize, halted: usize, lag: u64) {
    let small = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    gauge!(PARTITIONS).set(small(owned as u64));
    gauge!(PARTITIONS_HALTED).set(small(halted as u64));
    gauge!(LAG_RECORDS).set(small(lag));
}

/// Tells the recorder what each is.
pub fn describe() {
    describe_counter!(EVENTS, "Events by outcome");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "From a batch's first request to its commit");
    describe_histogram!(STAGE_SECONDS, Unit::Seconds, "Seconds of a batch by stage");
    describe_counter!(DELTAS, "Rows of tally deltas that batches appended");
    describe_counter!(CASES_WRITTEN, "Case rows that batches wrote");
    describe_histogram!(BATCH_RECORDS, "Records of a batch");
    describe_counter!(BATCH_FAILURES, "Batches that failed, by code");
    describe_counter!(SOURCES_DIVERTED, "Sources that were diverted");
    describe_counter!(DELTAS_MERGED, "Deltas merged into tallies");
    describe_counter!(CASES_REFOLDED, "Cases folded again in the background");
    describe_gauge!(PARTITIONS, "Partitions that this process reads");
    describe_gauge!(PARTITIONS_HALTED, "Partitions that a person must look at");
    describe_gauge!(LAG_RECORDS, "Records between what was committed and the ends of the logs");
    describe_gauge!(REFOLD_DONE, "1 when every case is folded by the active rulebook and program");
}
