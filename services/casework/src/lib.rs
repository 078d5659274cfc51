//! Casework folds each batch in one transaction, and folds again in the background when the rulebook or the
//! program's fold changes.
//!
//! Contract: a reply means that the records are committed, or dead letters are. Several requests share a
//! transaction; their records keep their order. While the database is away nothing is acknowledged and nothing
//! becomes a dead letter. A commit of unknown outcome is looked up, never guessed. What a bug of ours makes of a
//! record is found by halving the batch, and only that record is put aside.
//!
//! Beside the batches run the compactor of the tallies and the pass that folds again. What falls due without an event is
//! timekeeper's. It deliberately knows no HTTP: batches come from whoever has them: from a gateway in this process, or
//! from the partitions of a topic.

mod apply;
pub mod config;
mod error;
mod handler;
pub mod metrics;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod topic;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use hotline_postgres::handover::Handover;
use hotline_postgres::{CaseWriter, Error, Sort, tallies};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use config::CaseworkConfig;
pub use error::RunError;
pub use topic::{Halted, Opener, SEALED, Source, Told, judge};

/// The system clock, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where batches come from.
#[derive(Debug)]
pub enum Intake {
    /// From a gateway in this process, which waits for each.
    Handovers(mpsc::Receiver<Handover>),
    Topic(Box<Source>),
}

/// Runs the role until `stop`: the batch under way is committed and answered, what waits is refused.
///
/// Fails if another process took the origin `http` over, or if the store is not what this program wrote: the
/// process should end then, since going on would only fail again.
pub async fn run(
    writer: Arc<CaseWriter>,
    config: CaseworkConfig,
    clock: Clock,
    intake: Intake,
    stop: CancellationToken,
) -> Result<(), RunError> {
    metrics::begin();
    let serve = async {
        match intake {
            Intake::Handovers(handovers) => {
                handler::serve(Arc::clone(&writer), &config, &clock, handovers, &stop).await
            }
            Intake::Topic(source) => topic::serve(Arc::clone(&writer), &config, &clock, *source, &stop).await,
        }
    };
    tokio::select! {
        result = serve => result,
        result = compact(&writer, &config, &clock, &stop) => result,
        result = refold(&writer, &config, &clock, &stop) => result,
    }
}

/// Merges deltas into tallies for as long as there are some, then looks again after a while. While there are none, a month that
/// is over is summed: in an import of years its days would be summed twice.
async fn compact(
    writer: &CaseWriter,
    config: &CaseworkConfig,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    loop {
        let moved = match tallies::compact_step(writer.pool(), config.compact_rows_max).await {
            Ok(moved) => moved.unwrap_or_default(),
            Err(error) => tolerate(error)?,
        };
        ::metrics::counter!(metrics::DELTAS_MERGED.name).increment(moved);
        if moved == 0 {
            // A day later it is over in every zone.
            let yesterday =
                jiff::tz::Offset::UTC.to_datetime(clock()).date().yesterday().unwrap_or(Date::MIN);
            match tallies::months::sum_next(writer.pool(), yesterday).await {
                Ok(_) => {}
                Err(error) => tolerate(error)?,
            }
        }
        if moved < config.compact_rows_max.cast_unsigned() {
            pause(config.compact_every, stop).await;
        }
    }
}

/// Folds again what another rulebook or program folded.
async fn refold(
    writer: &CaseWriter,
    config: &CaseworkConfig,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let mut prepared_on = None;
    loop {
        let now = clock();
        let today = jiff::tz::Offset::UTC.to_datetime(now).date();
        if prepared_on != Some(today) {
            match writer.prepare(now).await {
                Ok(_) => prepared_on = Some(today),
                Err(error) => tolerate(error)?,
            }
        }
        let pass = match writer.refold_step(now, config.refold_cases_max).await {
            Ok(done) => {
                ::metrics::counter!(metrics::CASES_REFOLDED.name).increment(done.cases as u64);
                ::metrics::gauge!(metrics::REFOLD_DONE.name).set(if done.refold.done { 1.0 } else { 0.0 });
                !done.refold.done
            }
            Err(error) => tolerate(error)?,
        };
        if !pass {
            pause(config.refold_every, stop).await;
        }
    }
}

/// A sick environment passes, and one that is stopped is waited for; all else ends the role.
fn tolerate<T: Default>(error: Error) -> Result<T, RunError> {
    match error.sort() {
        Sort::Environment | Sort::Race => {
            tracing::warn!(code = error.code(), error = %error, "background work waits for the database");
            Ok(T::default())
        }
        Sort::Data | Sort::Bug => Err(RunError::Store(error)),
    }
}

/// Waits; for ever once stopping, since the handler decides when the role ends.
async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => std::future::pending().await,
    }
}
