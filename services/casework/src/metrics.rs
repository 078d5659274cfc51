//! What casework measures. Labels are bounded: outcomes and reasons, sources that the rulebook lists, partitions.

use std::collections::BTreeMap;

use hotline_events::Event;
use hotline_events::intake::{Outcome, Record, RecordContent};
use hotline_postgres::Applied;
use hotline_postgres::batch::{Closing, Spent};
use hotline_runtime::catalogue::{LIMITS, Metric, RECORDS, SECONDS, WAITS};
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge, histogram};
use smol_str::SmolStr;

pub const EVENTS: Metric = Metric::counter(
    "hotline_casework_events_total",
    &["outcome"],
    "Events by outcome: applied, duplicate, ignored, or the reason of a dead letter",
);
pub const BATCH_SECONDS: Metric = Metric::histogram(
    "hotline_casework_batch_seconds",
    SECONDS,
    &[],
    "From a batch's first request to its commit",
);
pub const STAGE_SECONDS: Metric = Metric::histogram(
    "hotline_casework_stage_seconds",
    SECONDS,
    &["stage"],
    "Seconds of a batch by stage: decode, load, fold, events, cases",
);
pub const END_TO_END_SECONDS: Metric = Metric::histogram(
    "hotline_casework_end_to_end_seconds",
    WAITS,
    &[],
    "From the receipt of a record to its commit, of the record of each batch that waited longest",
);
pub const DELTAS: Metric =
    Metric::counter("hotline_casework_deltas_total", &[], "Rows of tally deltas that batches appended");
pub const CASES_WRITTEN: Metric =
    Metric::counter("hotline_casework_cases_written_total", &[], "Case rows that batches wrote");
pub const BATCH_RECORDS: Metric =
    Metric::histogram("hotline_casework_batch_records", RECORDS, &[], "Records of a batch");
pub const BATCH_FAILURES: Metric = Metric::counter(
    "hotline_casework_batch_failures_total",
    &["code"],
    "Batches that failed, by the code of the error",
);
pub const FENCED: Metric = Metric::counter(
    "hotline_casework_fenced_total",
    &[],
    "Batches refused since another process had taken their partition",
);
pub const ASSIGNMENTS: Metric = Metric::counter(
    "hotline_casework_assignments_total",
    &["change"],
    "Partitions that the group gave to this process or took from it: assigned, revoked",
);
pub const SOURCES_DIVERTED: Metric = Metric::counter(
    "hotline_casework_sources_diverted_total",
    &[],
    "Sources that were diverted: too much of them was refused",
);
pub const DELTAS_MERGED: Metric =
    Metric::counter("hotline_casework_deltas_merged_total", &[], "Deltas merged into tallies");
pub const CASES_REFOLDED: Metric =
    Metric::counter("hotline_casework_cases_refolded_total", &[], "Cases folded again in the background");
pub const REFOLD_DONE: Metric = Metric::gauge(
    "hotline_casework_refold_done",
    &[],
    "1 when every case is folded by the active rulebook and this program",
);
pub const PARTITIONS: Metric =
    Metric::gauge("hotline_casework_partitions", &[], "Partitions that this process reads");
pub const PARTITIONS_HALTED: Metric =
    Metric::gauge("hotline_casework_partitions_halted", &[], "Partitions that a person must look at");
pub const LAG_RECORDS: Metric = Metric::gauge(
    "hotline_casework_lag_records",
    &["partition"],
    "Records between what was committed and the end of the log; a partition that is read elsewhere stays at 0",
);
pub const LAG_SECONDS: Metric = Metric::gauge(
    "hotline_casework_lag_seconds",
    &["partition"],
    "For how long the first record that waits has waited, at most; 0 where none waits",
);
pub const LAST_COMMIT: Metric = Metric::gauge(
    "hotline_casework_last_commit_timestamp_seconds",
    &["partition"],
    "When this process committed a batch last; http: of a gateway in the same process",
);
pub const LAST_RECEIPT: Metric = Metric::gauge(
    "hotline_casework_last_receipt_timestamp_seconds",
    &["source"],
    "When an event of the source was received last, as far as this process committed it",
);
pub const SKEW_SECONDS: Metric = Metric::gauge(
    "hotline_casework_skew_seconds",
    &["source"],
    "The least time from what the source claims to the receipt, over its events of the last batch; below 0 its clock is ahead",
);
pub const CLOSE_SECONDS: Metric = Metric::histogram(
    "hotline_casework_close_seconds",
    LIMITS,
    &["hotline"],
    "From the receipt of a case to its closing, of cases closed just now; bounds on the limits of the law",
);

/// All of them.
pub const CATALOGUE: &[Metric] = &[
    EVENTS,
    BATCH_SECONDS,
    STAGE_SECONDS,
    END_TO_END_SECONDS,
    DELTAS,
    CASES_WRITTEN,
    BATCH_RECORDS,
    BATCH_FAILURES,
    FENCED,
    ASSIGNMENTS,
    SOURCES_DIVERTED,
    DELTAS_MERGED,
    CASES_REFOLDED,
    REFOLD_DONE,
    PARTITIONS,
    PARTITIONS_HALTED,
    LAG_RECORDS,
    LAG_SECONDS,
    LAST_COMMIT,
    LAST_RECEIPT,
    SKEW_SECONDS,
    CLOSE_SECONDS,
];

/// The partition of what a gateway in the same process hands over.
pub(crate) const HTTP: &str = "http";

/// Shows what happens seldom as not having happened yet: where a counter begins with its first event, nobody sees it rise.
pub(crate) fn begin() {
    for metric in [FENCED, SOURCES_DIVERTED] {
        counter!(metric.name).increment(0);
    }
}

/// Records a batch's size.
pub(crate) fn batch_of(records: usize) {
    histogram!(BATCH_RECORDS.name).record(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
}

/// The hotlines that the rulebook does not know: anybody may write any name.
const OTHER: &str = "other";

/// Records where the time of a committed batch went, and what it wrote. `knows` says of a hotline whether the rulebook has it.
pub(crate) fn applied(applied: &Applied, knows: impl Fn(&str) -> bool) {
    let Spent { load, fold, events, cases } = applied.spent;
    for (stage, spent) in [("load", load), ("fold", fold), ("events", events), ("cases", cases)] {
        histogram!(STAGE_SECONDS.name, "stage" => stage).record(spent);
    }
    counter!(DELTAS.name).increment(applied.deltas as u64);
    counter!(CASES_WRITTEN.name).increment(applied.cases as u64);
    for Closing { hotline, took } in &applied.closings {
        let hotline = if knows(hotline) { hotline.as_str() } else { OTHER };
        histogram!(CLOSE_SECONDS.name, "hotline" => hotline.to_owned()).record(took.as_secs_f64());
    }
}

/// Records what became of committed records: their outcomes, how long they had waited, and how their sources stand.
/// Sources that `lists` does not know are left out: anybody may write any name.
pub(crate) fn committed(
    records: &[Record],
    outcomes: &[Vec<Outcome>],
    now: Timestamp,
    lists: impl Fn(&str) -> bool,
) {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for outcome in outcomes.iter().flatten() {
        let code = match outcome {
            Outcome::Dead { reason, .. } => reason.code(),
            other => other.code(),
        };
        *counts.entry(code).or_default() += 1;
    }
    for (code, count) in counts {
        counter!(EVENTS.name, "outcome" => code).increment(count);
    }
    if let Some(first) = records.iter().map(|record| record.received_at).min() {
        histogram!(END_TO_END_SECONDS.name).record(seconds(first, now).max(0.0));
    }
    for (source, heard) in heard(records) {
        if lists(&source) {
            let source = source.to_string();
            gauge!(LAST_RECEIPT.name, "source" => source.clone()).set(instant(heard.last));
            gauge!(SKEW_SECONDS.name, "source" => source).set(heard.skew);
        }
    }
}

/// What was heard of a source.
struct Heard {
    last: Timestamp,
    /// The least time from claim to receipt.
    skew: f64,
}

fn heard(records: &[Record]) -> BTreeMap<SmolStr, Heard> {
    let mut sources: BTreeMap<SmolStr, Heard> = BTreeMap::new();
    for record in records {
        let RecordContent::Events(events) = &record.content else { continue };
        for event in events {
            // A figure claims a day, not an instant.
            let Event::Case(case) = event else { continue };
            let received_at = case.fact.received_at.unwrap_or(record.received_at);
            let skew = seconds(case.fact.claimed_at, received_at);
            match sources.get_mut(&case.fact.source) {
                Some(heard) => {
                    heard.last = heard.last.max(received_at);
                    heard.skew = heard.skew.min(skew);
                }
                None => {
                    sources.insert(case.fact.source.clone(), Heard { last: received_at, skew });
                }
            }
        }
    }
    sources
}

/// A batch of a partition was committed.
pub(crate) fn committed_at(partition: &str, now: Timestamp) {
    gauge!(LAST_COMMIT.name, "partition" => partition.to_owned()).set(instant(now));
}

/// How far a partition is behind its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    /// When the last record that was committed had been received.
    pub(crate) last: Option<Timestamp>,
    /// Since when records have been waiting.
    since: Option<Timestamp>,
}

impl Behind {
    /// The longest that the first waiting record can have waited: it came after the one that was committed last, and
    /// after nothing was waiting.
    pub(crate) fn waits(&mut self, records: u64, now: Timestamp) -> SignedDuration {
        if records == 0 {
            self.since = None;
            return SignedDuration::ZERO;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(self.last.map_or(since, |last| last.max(since))).max(SignedDuration::ZERO)
    }
}

/// How a partition stands; one that this process reads no longer has no lag here.
pub(crate) fn lag(partition: String, records: u64, waits: SignedDuration) {
    gauge!(LAG_RECORDS.name, "partition" => partition.clone()).set(small(records));
    gauge!(LAG_SECONDS.name, "partition" => partition).set(waits.as_secs_f64());
}

/// Records how the partitions of this process stand.
pub(crate) fn partitions(owned: usize, halted: usize) {
    gauge!(PARTITIONS.name).set(small(owned as u64));
    gauge!(PARTITIONS_HALTED.name).set(small(halted as u64));
}

/// Partitions came or went.
pub(crate) fn assignments(change: &'static str, count: usize) {
    counter!(ASSIGNMENTS.name, "change" => change).increment(count as u64);
}

fn small(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are below 2^53")]
fn instant(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sound() {
        assert_eq!(hotline_runtime::catalogue::faults(CATALOGUE), Vec::<String>::new());
    }

    #[test]
    fn a_quiet_night_is_no_lag_and_a_stalled_commit_is() {
        let at = |second| Timestamp::from_second(second).expect("an instant");
        let waits = |behind: &mut Behind, records, second| behind.waits(records, at(second)).as_secs();
        let mut behind = Behind { last: Some(at(1_000)), since: None };
        assert_eq!(waits(&mut behind, 0, 30_000), 0);
        assert_eq!(waits(&mut behind, 1, 30_005), 0, "it came just now");
        assert_eq!(waits(&mut behind, 9, 30_125), 120, "and nothing is committed since");
        behind.last = Some(at(30_100));
        assert_eq!(waits(&mut behind, 9, 30_130), 30, "others wait behind what was committed");
        assert_eq!(waits(&mut behind, 0, 30_140), 0);
    }
}
