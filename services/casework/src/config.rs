//! The section `[casework]`.

use serde::{Deserialize, Serialize};

/// How much casework takes at a time and how often it looks. Every member has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long the first request of a batch waits for others to share its transaction.
    pub gather_for_ms: u64,
    /// Records of a batch; at most 5,000.
    pub batch_records_max: usize,
    /// Bytes of a batch's records; at most 4 MiB.
    pub batch_bytes_max: usize,
    /// How often a batch is tried while the database is away before its senders are told to come back.
    pub attempts_max: u32,
    /// Pause after the first failure; it doubles, with jitter.
    pub back_off_ms: u64,
    /// The longest pause.
    pub back_off_max_ms: u64,
    /// Deltas that one step of the compactor merges.
    pub compact_rows_max: i64,
    /// How long the compactor rests when there is little to do.
    pub compact_every_ms: u64,
    /// Cases that one step of a pass looks at.
    pub refold_cases_max: i64,
    /// Cases that one step wakes.
    pub wake_cases_max: i64,
    /// How long the background rests when nothing is left to fold.
    pub refold_every_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gather_for_ms: 2,
            batch_records_max: hotline_events::intake::Batch::RECORDS_MAX,
            batch_bytes_max: hotline_events::intake::Batch::BYTES_MAX,
            attempts_max: 5,
            back_off_ms: 50,
            back_off_max_ms: 1_000,
            compact_rows_max: 20_000,
            compact_every_ms: 500,
            refold_cases_max: 500,
            wake_cases_max: 200,
            refold_every_ms: 1_000,
        }
    }
}
