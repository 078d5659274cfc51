//! Audit: seals closure records into a log that nobody can quietly change, and answers auditors.

mod config;
mod error;
pub mod metrics;

use hotline_postgres::PgPool;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use config::AuditConfig;
pub use error::Error;

/// What the role works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    pub now: fn() -> Timestamp,
}

/// Seals until `stop`.
pub async fn run(_config: AuditConfig, _parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    stop.cancelled().await;
    Ok(())
}
