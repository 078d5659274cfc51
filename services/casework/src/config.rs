//! `[casework]`: how large a batch may grow and how long it may wait.

use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

/// A larger batch holds the rows of its cases longer and gains nothing.
const BATCH_RECORDS_MAX: usize = 5_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseworkConfig {
    /// Records in one transaction. Too few: a commit each few events; too many: others wait for the rows.
    pub batch_records_max: usize,
    #[serde(with = "units::bytes")]
    pub batch_bytes_max: usize,
    /// How long a batch that is not full waits for more: it is added to every acknowledgement.
    #[serde(with = "units::duration")]
    pub batch_wait: Duration,
}

impl Default for CaseworkConfig {
    fn default() -> Self {
        Self {
            batch_records_max: BATCH_RECORDS_MAX,
            batch_bytes_max: 4 << 20,
            batch_wait: Duration::from_millis(50),
        }
    }
}

impl Section for CaseworkConfig {
    const NAME: &'static str = "casework";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !(1..=BATCH_RECORDS_MAX).contains(&self.batch_records_max) {
            faults.push(format!("batch_records_max must be 1 to {BATCH_RECORDS_MAX}"));
        }
        if self.batch_wait > Duration::from_secs(1) {
            faults.push("batch_wait must be at most 1 s: callers wait for it".to_owned());
        }
        faults
    }
}
