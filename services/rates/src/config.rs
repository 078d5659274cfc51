//! `[rates]`: how often gauges and boards are refreshed.

use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    /// Each time is a pass over the index of open cases.
    #[serde(with = "units::duration")]
    pub refresh_every: Duration,
    /// How often rates of record are computed for boards: a pass over the scores of open cases, and writing what changed.
    #[serde(with = "units::duration")]
    pub record_every: Duration,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self { refresh_every: Duration::from_secs(15), record_every: Duration::from_mins(1) }
    }
}

impl Section for RatesConfig {
    const NAME: &'static str = "rates";

    fn faults(&self) -> Vec<String> {
        [("refresh_every", self.refresh_every), ("record_every", self.record_every)]
            .into_iter()
            .filter(|(_, every)| every.is_zero())
            .map(|(name, _)| format!("{name} must be longer than nothing"))
            .collect()
    }
}
