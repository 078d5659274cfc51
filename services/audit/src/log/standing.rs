//! How the log stands, for whoever asks: nothing is written.

use hotline_postgres::closure_log::{self, Cosigned};
use hotline_postgres::run_read_tx;
use jiff::Timestamp;
use tokio::sync::watch;

use super::sealer::Sealer;
use crate::Parts;
use crate::config::AuditConfig;
use crate::error::Error;

/// What is said of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub origin: String,
    /// Leaves, and how many of them were signed.
    pub size: u64,
    pub signed: u64,
    pub signed_at: Option<Timestamp>,
    /// Records that wait, counted up to 100,000.
    pub waiting: i64,
    /// The last answer of each witness that ever gave one.
    pub cosigned: Vec<Cosigned>,
}

const WAITING_MAX: i64 = 100_000;

/// How the log stands. An error says why it stands still; [`Error::NoLog`] if there is none yet.
pub async fn standing(config: &AuditConfig, parts: &Parts) -> Result<Standing, Error> {
    let (published, _) = watch::channel(None);
    let examined = Sealer::new(config, parts.clone(), published).examine().await?;
    let mut log = examined.state.log;
    let read = run_read_tx(&parts.pool, "audit::standing", &mut log, |tx, log| {
        Box::pin(async move {
            let waiting = closure_log::count_unsealed(tx, WAITING_MAX).await?;
            Ok((waiting, closure_log::last_cosigned(tx, *log).await?))
        })
    });
    let (waiting, cosigned) = read.await?;
    Ok(Standing {
        origin: examined.state.origin,
        size: examined.state.size,
        signed: examined.outside.map_or(0, |outside| outside.size),
        signed_at: examined.last.map(|last| last.signed_at),
        waiting,
        cosigned,
    })
}
