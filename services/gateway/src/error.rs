//! Why the gateway cannot start.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Secret(#[from] hotline_runtime::Error),
    #[error(
        "{} is not a secret of Standard Webhooks; make one with: printf 'whsec_%s' \"$(openssl rand -base64 32)\"",
        path.display()
    )]
    SecretMalformed { path: PathBuf },
    #[error("cannot listen on {address}; choose another address in [gateway] listen")]
    ListenFailed { address: SocketAddr, source: std::io::Error },
}

impl Error {
    /// A stable name, for metrics and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Secret(error) => error.code(),
            Self::SecretMalformed { .. } => "secret_malformed",
            Self::ListenFailed { .. } => "listen_failed",
        }
    }
}
