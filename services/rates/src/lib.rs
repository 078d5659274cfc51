//! Rates: exact tables from the tallies, and the gauges that boards show.
//!
//! [`bulletin`] adds up stored tallies, deltas not yet merged and the open clocks, all as of one snapshot of the
//! database, and gives the same rows as a replay of the events known then, to the last integer. [`run`] refreshes
//! the gauges, and keeps the rows of calendar months where boards read them ([`refresh`]).
//!
//! Guarantees: a table carries its stamp, so that it can be made again. It deliberately folds nothing: a case
//! that a new rulebook judges otherwise counts as stored until casework has folded it, and the stamp says so. It
//! merges nothing either: casework's compactor does.

mod annex;
mod ask;
mod boards;
mod bulletin;
mod config;
pub mod counted;
mod duty;
mod error;
pub mod form;
mod handler;
pub mod made;
pub mod metrics;
pub mod print;
pub mod recount;
pub mod row;
mod stand;
mod sums;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use hotline_postgres::standing::{Pipeline, Standing};
use hotline_postgres::{Error as Store, InForce, PgPool, Rules, run_snapshot_tx, standing};
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use ask::Ask;
pub use boards::refresh;
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

/// Refreshes gauges and boards until the token is cancelled. A database that is away is waited for.
pub async fn run(config: RatesConfig, parts: Parts, stop: CancellationToken) -> Result<(), Infallible> {
    tokio::join!(show_gauges(&config, &parts, &stop), boards::run(config.record_every, &parts, &stop));
    Ok(())
}

async fn show_gauges(config: &RatesConfig, parts: &Parts, stop: &CancellationToken) {
    let mut refresh = tokio::time::interval(config.refresh_every);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gauges = metrics::Gauges::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = refresh.tick() => show(parts, &mut gauges).await,
        }
    }
}

async fn show(parts: &Parts, gauges: &mut metrics::Gauges) {
    let as_of = (parts.now)();
    match read(parts, as_of).await {
        Ok((standings, pipeline, rules)) => gauges.show(&standings, &pipeline, &rules.rulebook, as_of),
        Err(error) => tracing::warn!(error.code = error.code(), %error, "gauges could not be refreshed"),
    }
}

async fn read(parts: &Parts, as_of: Timestamp) -> Result<(Vec<Standing>, Pipeline, Arc<InForce>), Store> {
    let rules = parts.rules.current().await?;
    let timezone = rules.rulebook.timezone.clone();
    let today = timezone.to_datetime(as_of).date();
    let mut at = (as_of, metrics::end_of(today, &timezone).unwrap_or(as_of));
    let read = run_snapshot_tx(&parts.pool, "rates::standing", &mut at, |tx, (as_of, day_ends)| {
        Box::pin(async move {
            let standings = standing::by_department(tx, *as_of, *day_ends).await?;
            Ok((standings, standing::pipeline(tx, *as_of).await?))
        })
    });
    let (standings, pipeline) = read.await?;
    Ok((standings, pipeline, rules))
}
