//! What came of a check of the log.

use serde::Serialize;

/// Findings that are listed; more are counted.
const LISTED_MAX: usize = 1_000;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    pub what: String,
}

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub origin: String,
    pub leaves: u64,
    pub tiles: u64,
    pub checkpoints: u64,
    pub findings: Vec<Finding>,
    /// With those that are not listed.
    pub found: u64,
}

impl Checked {
    pub fn is_sound(&self) -> bool {
        self.found == 0
    }

    pub(super) fn add(&mut self, code: &'static str, what: String) {
        self.found += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(Finding { code, what });
        }
    }
}
