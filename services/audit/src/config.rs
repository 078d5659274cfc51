//! `[audit]`: where auditors are answered, and how records are sealed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Where auditors ask. Until `hotline token create` has made a token only this machine is answered, wherever it listens.
    /// Port 0 chooses a free one.
    pub listen: SocketAddr,
    /// How long the head of a request may take, and how long a connection may be idle.
    #[serde(with = "units::duration")]
    pub header_wait: Duration,
    /// Questions at work at once; more are answered with 503.
    pub requests_max: usize,
    /// Exports that are written at once; more are answered with 503.
    pub exports_max: usize,
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// How often rows of cases that were written are made anew, when there is not always something to do.
    #[serde(with = "units::duration")]
    pub keep_every: Duration,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8090).into(),
            header_wait: Duration::from_secs(30),
            requests_max: 32,
            exports_max: 2,
            connections_max: 256,
            keep_every: Duration::from_secs(1),
        }
    }
}

impl Section for AuditConfig {
    const NAME: &'static str = "audit";

    fn faults(&self) -> Vec<String> {
        let counts = [
            ("requests_max", self.requests_max),
            ("exports_max", self.exports_max),
            ("connections_max", self.connections_max),
        ];
        let none =
            counts.iter().filter(|(_, n)| *n == 0).map(|(name, _)| format!("{name} must be at least 1"));
        let mut faults: Vec<String> = none.collect();
        if self.keep_every.is_zero() {
            faults.push("keep_every must be longer than nothing".to_owned());
        }
        faults
    }
}
