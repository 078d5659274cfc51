//! `[gateway]`: where it listens, whom it believes, how much it takes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

/// Two secrets may be active, so that one can be replaced without a gap.
pub const SECRETS_MAX: usize = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Beyond loopback, reads need a token and events a signature.
    pub listen: SocketAddr,
    /// Larger events are refused with 413. Too small: long reports are lost to the sender.
    #[serde(with = "units::bytes")]
    pub event_bytes_max: usize,
    /// Larger bodies are refused with 413; memory in use is this times `requests_max`.
    #[serde(with = "units::bytes")]
    pub body_bytes_max: usize,
    /// Requests served at once; more wait in the kernel's queue.
    pub requests_max: usize,
    /// How long a request may take from its first byte to its answer.
    #[serde(with = "units::duration")]
    pub request_wait: Duration,
    /// Who may read: `[[gateway.token]]`.
    pub token: Vec<TokenConfig>,
    /// Who may send, by the id of the source: `[gateway.sources."/hotline/12345/411200"]`.
    pub sources: BTreeMap<String, SourceConfig>,
}

/// A bearer token; one of `sha256` and `secret_file` says which.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who holds it; stands in the log, the token does not.
    pub name: String,
    /// The SHA-256 of the token, as 64 hexadecimal digits.
    pub sha256: Option<String>,
    pub secret_file: Option<PathBuf>,
    #[serde(default)]
    pub role: TokenRole,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// Cases and rates.
    #[default]
    Read,
    /// Also what changes something.
    Operate,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Files with Standard Webhooks secrets (`whsec_…`), at most two.
    pub secrets_file: Vec<PathBuf>,
    /// Whether events of this source may come without a signature.
    pub unsigned: Option<Unsigned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsigned {
    /// From this machine: only where the gateway listens on loopback.
    Loopback,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            event_bytes_max: 256 << 10,
            body_bytes_max: 8 << 20,
            requests_max: 64,
            request_wait: Duration::from_secs(30),
            token: Vec::new(),
            sources: BTreeMap::new(),
        }
    }
}

impl GatewayConfig {
    /// Whether events of a source are taken without a signature: on loopback only, and there if the
    /// source says so or if no source at all has a secret (say so loudly at start).
    pub fn accepts_unsigned(&self, source: &str) -> bool {
        let says_so =
            self.sources.get(source).is_some_and(|source| source.unsigned == Some(Unsigned::Loopback));
        self.listen.ip().is_loopback() && (says_so || self.has_no_secrets())
    }

    pub fn has_no_secrets(&self) -> bool {
        self.sources.values().all(|source| source.secrets_file.is_empty())
    }
}

impl Section for GatewayConfig {
    const NAME: &'static str = "gateway";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let loopback = self.listen.ip().is_loopback();
        if !loopback && self.token.is_empty() {
            faults.push(format!("listen {} is not loopback, so reads need a [[gateway.token]]", self.listen));
        }
        if self.event_bytes_max > self.body_bytes_max {
            faults.push("event_bytes_max is more than body_bytes_max".to_owned());
        }
        if self.requests_max == 0 {
            faults.push("requests_max must be at least 1".to_owned());
        }
        for token in &self.token {
            let is_digest =
                |text: &String| text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
            if token.sha256.is_some() == token.secret_file.is_some() {
                faults.push(format!("token \"{}\" needs one of sha256 and secret_file", token.name));
            } else if token.sha256.as_ref().is_some_and(|text| !is_digest(text)) {
                faults.push(format!("sha256 of token \"{}\" is not 64 hexadecimal digits", token.name));
            }
        }
        for (id, source) in &self.sources {
            if source.secrets_file.len() > SECRETS_MAX {
                faults.push(format!("source \"{id}\" has more than {SECRETS_MAX} secrets"));
            }
            if source.unsigned.is_some() && !loopback {
                faults
                    .push(format!("source \"{id}\" is unsigned, but listen {} is not loopback", self.listen));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(listen: &str, sources: &[(&str, SourceConfig)]) -> GatewayConfig {
        let sources = sources.iter().map(|(id, source)| ((*id).to_owned(), source.clone())).collect();
        GatewayConfig { listen: listen.parse().unwrap(), sources, ..GatewayConfig::default() }
    }

    #[test]
    fn unsigned_events_are_taken_on_loopback_until_a_secret_is_configured() {
        let secret = SourceConfig { secrets_file: vec!["a".into()], unsigned: None };
        let open = SourceConfig { secrets_file: vec![], unsigned: Some(Unsigned::Loopback) };
        assert!(with("127.0.0.1:0", &[]).accepts_unsigned("/x"));
        assert!(!with("0.0.0.0:0", &[]).accepts_unsigned("/x"));
        let mixed = with("[::1]:0", &[("/signed", secret), ("/open", open.clone())]);
        assert!(!mixed.accepts_unsigned("/signed"));
        assert!(!mixed.accepts_unsigned("/x"));
        assert!(mixed.accepts_unsigned("/open"));
        assert!(!with("0.0.0.0:0", &[("/open", open)]).accepts_unsigned("/open"));
    }

    #[test]
    fn a_gateway_beyond_loopback_needs_a_token() {
        assert_eq!(with("127.0.0.1:0", &[]).faults(), Vec::<String>::new());
        assert!(with("0.0.0.0:0", &[]).faults()[0].contains("reads need a [[gateway.token]]"));
    }
}
