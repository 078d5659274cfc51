//! `[rates]`: how often tallies are merged.

use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    /// How often appended deltas are merged into tallies. Too seldom: reading sums many deltas.
    #[serde(with = "units::duration")]
    pub compact_every: Duration,
    /// Deltas merged in one transaction.
    pub compact_deltas_max: u32,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self { compact_every: Duration::from_secs(5), compact_deltas_max: 100_000 }
    }
}

impl Section for RatesConfig {
    const NAME: &'static str = "rates";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.compact_every.is_zero() {
            faults.push("compact_every must be more than 0".to_owned());
        }
        if self.compact_deltas_max == 0 {
            faults.push("compact_deltas_max must be at least 1".to_owned());
        }
        faults
    }
}
