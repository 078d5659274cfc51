//! `[timekeeper]`: how often it looks, how much it takes at a time.

use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

/// Every member has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimekeeperConfig {
    /// How long it rests when nothing is due: alarms are so late at most.
    #[serde(with = "units::duration")]
    pub look_every: Duration,
    /// Cases of one transaction. More hold their rows longer, and casework waits for those.
    pub cases_max: i64,
    /// Transactions at once.
    pub workers: usize,
}

impl Default for TimekeeperConfig {
    fn default() -> Self {
        Self { look_every: Duration::from_secs(1), cases_max: 200, workers: 2 }
    }
}

impl Section for TimekeeperConfig {
    const NAME: &'static str = "timekeeper";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.look_every.is_zero() || self.look_every > Duration::from_mins(1) {
            faults.push(
                "look_every must be longer than nothing and at most 1 min: alarms wait for it".to_owned(),
            );
        }
        if !(1..=5_000).contains(&self.cases_max) {
            faults.push("cases_max must be 1 to 5000".to_owned());
        }
        if !(1..=64).contains(&self.workers) {
            faults.push("workers must be 1 to 64".to_owned());
        }
        faults
    }
}
