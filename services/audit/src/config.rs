//! `[audit]`: where auditors are answered, and how records are sealed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hotline_runtime::config::{DataConfig, Section, units};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Places;
use crate::log::note::{Key, Kind};

/// Every member has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// How long records wait to be sealed at most.
    #[serde(with = "units::duration")]
    pub seal_every: Duration,
    /// How many are sealed at once; so many are not waited for.
    pub seal_records_max: usize,
    /// What the log is called in what it signs, such as `12345.example.gov.cn`; empty: by the id of the installation. It is
    /// asked once, when the log begins.
    pub origin: String,
    /// The key that signs the log; by default `log.key` beside the master key.
    pub key_file: Option<PathBuf>,
    /// The last checkpoint, for a volume that whoever reaches the database does not; by default `log.checkpoint` in the
    /// data directory.
    pub checkpoint_file: Option<PathBuf>,
    /// Who looks at each checkpoint and puts a name under it.
    pub witnesses: Vec<WitnessConfig>,
}

/// A witness of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Where it listens.
    pub url: String,
    /// Its verifier key, as `hotline witness key` prints it.
    pub key: String,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            seal_every: Duration::from_secs(1),
            seal_records_max: 5_000,
            origin: String::new(),
            key_file: None,
            checkpoint_file: None,
            witnesses: Vec::new(),
        }
    }
}

/// Records in one transaction: more would make it long.
const SEAL_RECORDS_MAX: usize = 50_000;
/// Witnesses that are told.
const WITNESSES_MAX: usize = 20;

impl AuditConfig {
    /// Where the files of the log are.
    pub fn places(&self, data: &DataConfig) -> Places {
        let beside = |name| data.master_key_path().parent().unwrap_or(Path::new(".")).join(name);
        Places {
            key_file: self.key_file.clone().unwrap_or_else(|| beside("log.key")),
            checkpoint_file: self.checkpoint_file.clone().unwrap_or_else(|| data.dir.join("log.checkpoint")),
        }
    }

    /// The keys of the witnesses.
    pub fn witness_keys(&self) -> Vec<Key> {
        self.witnesses.iter().filter_map(|witness| Key::parse(&witness.key).ok()).collect()
    }
}

impl Section for AuditConfig {
    const NAME: &'static str = "audit";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.seal_every.is_zero() || self.seal_every > Duration::from_mins(1) {
            faults.push("seal_every must be longer than nothing and at most 1 min".to_owned());
        }
        if self.seal_records_max == 0 || self.seal_records_max > SEAL_RECORDS_MAX {
            faults.push(format!("seal_records_max must be from 1 to {SEAL_RECORDS_MAX}"));
        }
        if self.origin.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
            faults.push("origin must have no spaces and no plus".to_owned());
        }
        if self.witnesses.len() > WITNESSES_MAX {
            faults.push(format!("witnesses are at most {WITNESSES_MAX}"));
        }
        for (place, witness) in self.witnesses.iter().enumerate() {
            let at = format!("witnesses[{place}]");
            let is_server = Url::parse(&witness.url)
                .is_ok_and(|url| url.has_host() && ["http", "https"].contains(&url.scheme()));
            if !is_server {
                faults.push(format!("{at}.url is no address of a web server"));
            }
            if !Key::parse(&witness.key).is_ok_and(|key| key.kind() == Kind::Witness) {
                faults.push(format!(
                    "{at}.key is no verifier key of a witness: `hotline witness key` prints it"
                ));
            }
            if self.witnesses[..place].iter().any(|other| other.key == witness.key) {
                faults.push(format!("{at}.key is another's already"));
            }
        }
        faults
    }
}
