//! `[rates]`: how often gauges are refreshed.

use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    /// Each time is a pass over the index of open cases.
    #[serde(with = "units::duration")]
    pub refresh_every: Duration,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self { refresh_every: Duration::from_secs(15) }
    }
}

impl Section for RatesConfig {
    const NAME: &'static str = "rates";

    fn faults(&self) -> Vec<String> {
        let is_zero = self.refresh_every.is_zero();
        is_zero.then(|| "refresh_every must be longer than nothing".to_owned()).into_iter().collect()
    }
}
