//! `[casework]`: how much is taken at a time and how often the background looks.

use std::time::Duration;

use hotline_events::intake::Batch;
use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

/// Every member has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseworkConfig {
    /// How long the first request of a batch waits for others to share its transaction: it is added to every
    /// acknowledgement.
    #[serde(with = "units::duration")]
    pub batch_wait: Duration,
    /// How long the first record of a batch from a topic waits for others: nobody waits for an answer.
    #[serde(with = "units::duration")]
    pub topic_wait: Duration,
    /// Batches of a topic that are at work at once, whatever the number of partitions. More take more memory, and
    /// beyond the cores of the database they only wait for each other.
    pub batches_max: usize,
    /// Records of a batch. Too few: a commit each few events; too many: others wait for the rows.
    pub batch_records_max: usize,
    #[serde(with = "units::bytes")]
    pub batch_bytes_max: usize,
    /// How often a batch is tried while the database is away before its senders are told to come back.
    pub attempts_max: u32,
    /// Pause after the first failure; it doubles, with jitter.
    #[serde(with = "units::duration")]
    pub back_off: Duration,
    /// The longest pause.
    #[serde(with = "units::duration")]
    pub back_off_max: Duration,
    /// Deltas that one step of the compactor merges into the tallies.
    pub compact_rows_max: i64,
    /// How long the compactor rests when there is little to do.
    #[serde(with = "units::duration")]
    pub compact_every: Duration,
    /// Cases that one step folds again under a new rulebook or program.
    pub refold_cases_max: i64,
    /// How long the background rests when nothing is left to fold.
    #[serde(with = "units::duration")]
    pub refold_every: Duration,
}

impl Default for CaseworkConfig {
    fn default() -> Self {
        Self {
            batch_wait: Duration::from_millis(2),
            topic_wait: Duration::from_millis(50),
            batches_max: 2,
            batch_records_max: Batch::RECORDS_MAX,
            batch_bytes_max: Batch::BYTES_MAX,
            attempts_max: 5,
            back_off: Duration::from_millis(50),
            back_off_max: Duration::from_secs(1),
            compact_rows_max: 100_000,
            compact_every: Duration::from_millis(500),
            refold_cases_max: 500,
            refold_every: Duration::from_secs(1),
        }
    }
}

impl Section for CaseworkConfig {
    const NAME: &'static str = "casework";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (records, bytes) = (Batch::RECORDS_MAX, Batch::BYTES_MAX);
        if !(1..=records).contains(&self.batch_records_max) {
            faults.push(format!("batch_records_max must be 1 to {records}"));
        }
        if !(1..=64).contains(&self.batches_max) {
            faults.push("batches_max must be 1 to 64".to_owned());
        }
        if !(1..=bytes).contains(&self.batch_bytes_max) {
            faults.push(format!("batch_bytes_max must be 1 to {bytes} bytes"));
        }
        if self.topic_wait > Duration::from_secs(10) {
            faults.push("topic_wait must be at most 10 s: figures are as old as that".to_owned());
        }
        if self.batch_wait > Duration::from_secs(1) {
            faults.push("batch_wait must be at most 1 s: callers wait for it".to_owned());
        }
        if self.compact_rows_max < 1 || self.refold_cases_max < 1 {
            faults.push("compact_rows_max and refold_cases_max must be at least 1".to_owned());
        }
        faults
    }
}
