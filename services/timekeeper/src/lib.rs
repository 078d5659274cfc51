//! Timekeeper: what falls due by itself. It tells of deadlines that come near, pass, or move, and takes the dispatch
//! decisions of ours that wait for their time.
//!
//! Guarantees: any number of processes share the work, a case is looked at by one of them; what is told is noted in the
//! same transaction, so that a process that dies tells nothing twice and forgets nothing. A database that is away is
//! waited for; batches of events go first for some tens of seconds where both want to work. It deliberately delivers nothing:
//! notices go into a table, from which the relay takes them.

mod config;
pub mod metrics;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline_postgres::batch::Woken;
use hotline_postgres::cases::First;
use hotline_postgres::{CaseWriter, Error, Sort};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error as ThisError;
use tokio_util::sync::CancellationToken;

pub use config::TimekeeperConfig;

/// Why the role ends: the store is not what this program wrote.
#[derive(Debug, ThisError)]
#[error("the store cannot be used: {0}")]
pub struct RunError(#[from] Error);

/// Looks at cases as they fall due until `stop`; the transaction under way is finished.
pub async fn run(
    writer: Arc<CaseWriter>,
    config: TimekeeperConfig,
    now: fn() -> Timestamp,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..config.workers {
        workers.spawn(work(Arc::clone(&writer), config.clone(), now, stop.clone()));
    }
    while let Some(ended) = workers.join_next().await {
        // A worker that fails ends the role: the others would fail likewise.
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    }
    Ok(())
}

async fn work(
    writer: Arc<CaseWriter>,
    config: TimekeeperConfig,
    now: fn() -> Timestamp,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let (mut batches_seen, mut first): (Option<Instant>, First) = (None, First::Newest);
    while !stop.is_cancelled() {
        let began = Instant::now();
        let woken = match writer.wake_step(now(), first, config.cases_max).await {
            Ok(woken) => woken,
            Err(error) => tolerate(error)?,
        };
        metrics::woken(&woken);
        // In turn: neither a backlog holds up what falls due now, nor the other way round.
        first = if first == First::Newest { First::Oldest } else { First::Newest };
        if woken.beside_batches {
            batches_seen = Some(Instant::now());
        }
        let beside_batches = batches_seen.is_some_and(|seen| seen.elapsed() < BETWEEN_BATCHES);
        // A page that is not full was the last one.
        if i64::try_from(woken.cases).is_ok_and(|cases| cases < config.cases_max) {
            pause(config.look_every, &stop).await;
        } else {
            pause(rest_after(beside_batches, woken.waited, began.elapsed()), &stop).await;
        }
    }
    Ok(())
}

/// How long events go first. Who is told some seconds later is told in time; whose events wait has no answer.
const PATIENCE: SignedDuration = SignedDuration::from_secs(40);
/// The rest after a step beside batches, in times of what it took: less than a tenth of the machine is taken from them.
const REST: u32 = 12;
/// Who writes batches has some time between two transactions: to read, to decode.
const BETWEEN_BATCHES: Duration = Duration::from_secs(5);

/// Beside batches of events the work is spread over time, until somebody would be told too late.
fn rest_after(beside_batches: bool, waited: SignedDuration, took: Duration) -> Duration {
    if beside_batches && waited < PATIENCE { took * REST } else { Duration::ZERO }
}

/// A sick environment passes; all else ends the role.
fn tolerate(error: Error) -> Result<Woken, RunError> {
    match error.sort() {
        Sort::Environment | Sort::Race => {
            tracing::warn!(code = error.code(), error = %error, "timekeeper waits for the database");
            Ok(Woken::default())
        }
        Sort::Data | Sort::Bug => Err(error.into()),
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
