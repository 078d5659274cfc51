//! `[gateway]`: where it listens, whom it believes, and how much it takes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hotline_runtime::Secret;
use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

/// Two secrets may be active for a source while it changes from one to the other.
pub const SECRETS_PER_SOURCE_MAX: usize = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Beyond loopback it needs secrets for events and a token for reading. Port 0 chooses a free one.
    pub listen: SocketAddr,
    /// By source, at most two files, each with a secret `whsec_…` of Standard Webhooks. The source
    /// `/hotline/pipeline` may be among them, for whoever restores an export.
    pub secrets: BTreeMap<String, Vec<PathBuf>>,
    /// SHA-256 of the token for reading, in hexadecimal: `printf %s "$TOKEN" | sha256sum`.
    pub token_sha256: Option<String>,
    /// The token for reading, from the environment only.
    pub token: Option<Secret>,
    /// A file with the token for reading.
    pub token_file: Option<PathBuf>,
    /// SHA-256 of the token of operators, who send dead letters again and stop sources. Without one they do it
    /// on the command line only.
    pub operator_token_sha256: Option<String>,
    /// A file with the token of operators.
    pub operator_token_file: Option<PathBuf>,
    /// A body above it is answered with 413. Larger bodies take more memory: this much for every request at work.
    #[serde(with = "units::bytes")]
    pub body_bytes_max: usize,
    /// Bytes of all bodies together that are being read or at work; beyond it senders are told to come back. Decoded
    /// they take several times as much.
    #[serde(with = "units::bytes")]
    pub bodies_bytes_max: usize,
    /// Events of one request; more are answered with 413.
    pub events_max: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    #[serde(with = "units::duration")]
    pub header_wait: Duration,
    /// How long a request may take in all. Too short: slow lines are cut off; too long: they hold their place.
    #[serde(with = "units::duration")]
    pub request_wait: Duration,
    /// Requests at work at once; more are answered with 503.
    pub requests_max: usize,
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Events a second of one source, in the long run; more are answered with 429.
    pub events_per_second_max: u32,
    /// … and at once.
    pub events_burst_max: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            secrets: BTreeMap::new(),
            token_sha256: None,
            token: None,
            token_file: None,
            operator_token_sha256: None,
            operator_token_file: None,
            body_bytes_max: 8 * 1024 * 1024,
            bodies_bytes_max: 32 * 1024 * 1024,
            events_max: 20_000,
            header_wait: Duration::from_secs(30),
            request_wait: Duration::from_mins(1),
            requests_max: 128,
            connections_max: 1024,
            events_per_second_max: 20_000,
            events_burst_max: 200_000,
        }
    }
}

impl Section for GatewayConfig {
    const NAME: &'static str = "gateway";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let tokens = [self.token_sha256.is_some(), self.token.is_some(), self.token_file.is_some()];
        let tokens = tokens.into_iter().filter(|is_given| *is_given).count();
        if tokens > 1 {
            faults.push("token, token_file and token_sha256 exclude each other".to_owned());
        }
        if !self.listen.ip().is_loopback() {
            if tokens == 0 {
                faults.push(
                    "listen is open to others, so reading needs a token: set token_sha256 or token_file"
                        .to_owned(),
                );
            }
            if self.secrets.is_empty() {
                faults.push(
                    "listen is open to others, so events need secrets: set [gateway.secrets]".to_owned(),
                );
            }
        }
        let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.token_sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
            faults.push("token_sha256 is not 64 hexadecimal digits".to_owned());
        }
        if self.operator_token_sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
            faults.push("operator_token_sha256 is not 64 hexadecimal digits".to_owned());
        }
        if self.operator_token_sha256.is_some() && self.operator_token_file.is_some() {
            faults.push("operator_token_file and operator_token_sha256 exclude each other".to_owned());
        }
        for (source, files) in &self.secrets {
            if files.is_empty() || files.len() > SECRETS_PER_SOURCE_MAX {
                faults.push(format!(
                    "secrets: \"{source}\" needs one file, or two while it changes its secret"
                ));
            }
        }
        let counts = [
            ("requests_max", self.requests_max),
            ("connections_max", self.connections_max),
            ("events_per_second_max", self.events_per_second_max as usize),
            ("events_burst_max", self.events_burst_max as usize),
            ("body_bytes_max", self.body_bytes_max),
            ("events_max", self.events_max),
        ];
        faults.extend(
            counts.iter().filter(|(_, n)| *n == 0).map(|(name, _)| format!("{name} must be at least 1")),
        );
        if self.bodies_bytes_max < self.body_bytes_max || self.bodies_bytes_max > 1 << 30 {
            faults.push("bodies_bytes_max must be at least body_bytes_max and at most 1 GiB".to_owned());
        }
        if self.body_bytes_max > 64 * 1024 * 1024 {
            faults.push(
                "body_bytes_max must be at most 64 MiB: every request at work may take as much".to_owned(),
            );
        }
        faults
    }
}
