//! `[kafka]`: the broker between gateway and casework.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::own::secret_of;
use super::{Section, units};
use crate::{Error, Secret};

/// Without the section the gateway hands events to casework in the same process; with it the gateway only produces
/// and casework only consumes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Where events are; its partitions are what casework is spread over.
    pub topic: String,
    /// The consumer group of casework: one for each database.
    pub group: String,
    /// What the brokers' logs and quotas call this process.
    pub client_id: String,
    /// Encrypts; implied by the three files.
    pub tls: bool,
    /// PEM; by default the authorities that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM, with which this process shows who it is; both or none.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// SASL/SCRAM; by default this process does not say who it is.
    pub user: Option<String>,
    /// From the environment only.
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub mechanism: Mechanism,
    /// How long the brokers may take to acknowledge a record: shorter than `[gateway] request_wait`.
    #[serde(with = "units::duration")]
    pub delivery_wait: Duration,
    /// After which the partitions of a process that died go to others. Too short: a long pause looks like death.
    #[serde(with = "units::duration")]
    pub session_wait: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    #[serde(rename = "SCRAM-SHA-256")]
    Sha256,
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    Sha512,
}

impl Mechanism {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            topic: "hotline.events".to_owned(),
            group: "hotline".to_owned(),
            client_id: "hotline".to_owned(),
            tls: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            user: None,
            password: None,
            password_file: None,
            mechanism: Mechanism::default(),
            delivery_wait: Duration::from_secs(20),
            session_wait: Duration::from_secs(30),
        }
    }
}

impl KafkaConfig {
    /// The password, from wherever it is; None without a user.
    pub fn secret(&self) -> Result<Option<Secret>, Error> {
        secret_of(self.password.as_ref(), self.password_file.as_deref())
    }
}

impl Section for KafkaConfig {
    const NAME: &'static str = "kafka";
    const OPTIONAL: bool = true;

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: &str| {
            if wrong {
                faults.push(text.to_owned());
            }
        };
        let has_password = self.password.is_some() || self.password_file.is_some();
        let is_broker = |broker: &str| {
            let (host, port) = broker.trim().rsplit_once(':').unwrap_or_default();
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        let all_brokers = self.brokers.split(',').all(is_broker);
        fault(!all_brokers, "brokers must be host:port, several separated by commas");
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_topic = (1..=249).contains(&self.topic.len()) && self.topic.bytes().all(is_name);
        fault(!is_topic, "topic must be 1 to 249 of letters, digits, '.', '_' and '-'");
        fault(self.group.is_empty(), "group must not be empty");
        fault(self.cert_file.is_some() != self.key_file.is_some(), "cert_file and key_file go together");
        fault(self.user.is_some() != has_password, "user goes together with password or password_file");
        fault(
            self.password.is_some() && self.password_file.is_some(),
            "password and password_file exclude each other",
        );
        let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
        fault(!seconds(1, 300).contains(&self.delivery_wait), "delivery_wait must be 1 s to 5 min");
        fault(!seconds(6, 300).contains(&self.session_wait), "session_wait must be 6 s to 5 min");
        faults
    }
}
