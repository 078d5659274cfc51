//! What comes of a check of the log, and how far it is.

use serde::Serialize;

/// Findings that are listed; more are counted.
const LISTED_MAX: usize = 1_000;

/// What a check is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Records of the log.
    Hashing,
    /// Cases, for the lists.
    Folding,
}

/// Is told how much of a step is done, and of how much.
pub(super) type Progress<'c> = &'c (dyn Fn(Step, u64, u64) + Send + Sync);

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    pub what: String,
}

/// How much of the lists of closed cases was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lists {
    pub cases: u64,
    /// Cases that were left out: their rows are to be made anew. Of more than two million that wait no case was compared.
    pub waiting: u64,
}

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub origin: String,
    pub leaves: u64,
    pub tiles: u64,
    pub checkpoints: u64,
    /// None: the lists of closed cases were not compared.
    pub lists: Option<Lists>,
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
