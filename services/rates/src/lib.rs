//! Rates: exact tables from the tallies, and the gauges that boards show.
//!
//! [`bulletin`] adds up stored tallies, deltas not yet merged and the open clocks, all as of one snapshot of the
//! database, and gives the same rows as a replay of the events known then, to the last integer. [`run`] refreshes
//! the gauges.
//!
//! Guarantees: a table carries its stamp, so that it can be made again. It deliberately folds nothing: a case
//! that a new rulebook judges otherwise counts as stored until casework has folded it, and the stamp says so. It
//! merges nothing either: casework's compactor does.

mod annex;
mod ask;
mod bulletin;
mod config;
mod error;
pub mod form;
mod handler;
pub mod made;
mod metrics;
pub mod print;
pub mod row;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use hotline_postgres::{PgPool, Rules, run_tx, standing};
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use ask::Ask;
pub use bulletin::{Bulletin, Stamp, bulletin};
pub use config::RatesConfig;
pub use error::Error;
pub use handler::router;

/// What the role works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    pub rules: Arc<Rules>,
    pub now: fn() -> Timestamp,
}

/// Refreshes the gauges until the token is cancelled. A database that is away is waited for.
pub async fn run(config: RatesConfig, parts: Parts, stop: CancellationToken) -> Result<(), Infallible> {
    let mut refresh = tokio::time::interval(config.refresh_every);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gauges = metrics::Gauges::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = refresh.tick() => show(&parts, &mut gauges).await,
        }
    }
}

async fn show(parts: &Parts, gauges: &mut metrics::Gauges) {
    let mut as_of = (parts.now)();
    let read = run_tx(&parts.pool, "rates::standing", &mut as_of, |tx, as_of| {
        Box::pin(standing::by_department(tx, *as_of))
    });
    match (read.await, parts.rules.current().await) {
        (Ok(standings), Ok(rules)) => gauges.show(&standings, &rules.rulebook, as_of),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(error.code = error.code(), %error, "gauges could not be refreshed");
        }
    }
}
