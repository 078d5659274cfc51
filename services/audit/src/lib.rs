//! Audit: seals closure records into a log that nobody can quietly change, and shows it to witnesses.

mod config;
pub mod copy;
mod error;
pub mod log;
pub mod metrics;
pub mod verify;
pub mod witness;

use std::path::PathBuf;

use hotline_postgres::PgPool;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use config::{AuditConfig, WitnessConfig};
pub use error::{Error, Halt};

/// Where the files of the closure log are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub key_file: PathBuf,
    pub checkpoint_file: PathBuf,
}

/// What the role works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    pub places: Places,
    pub now: fn() -> Timestamp,
}

/// Seals until `stop`, and shows witnesses what was sealed.
pub async fn run(config: AuditConfig, parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    let (published, latest) = watch::channel(None);
    tokio::join!(
        log::seal(config.clone(), parts.clone(), published, stop.clone()),
        log::submit(&config, &parts, &latest, &stop),
    );
    Ok(())
}
