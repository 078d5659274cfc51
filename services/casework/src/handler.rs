//! Hand-overs of a gateway in the same process: requests share a batch, each gets its own answer.

use std::sync::Arc;
use std::time::Instant;

use hotline_events::intake::{Origin, Outcome};
use hotline_postgres::CaseWriter;
use hotline_postgres::handover::{Handover, Refusal, Reply};
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, Failure};
use crate::config::CaseworkConfig;
use crate::error::RunError;
use crate::{Clock, metrics};

/// Answers hand-overs until `stop` or until nobody can send any more.
pub(crate) async fn serve(
    writer: Arc<CaseWriter>,
    config: &CaseworkConfig,
    clock: &Clock,
    mut handovers: mpsc::Receiver<Handover>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let mut applier = Applier::new(
        writer,
        config.clone(),
        Origin::Http,
        None,
        (Arc::default(), Arc::clone(clock)),
        stop.clone(),
    );
    loop {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            first = handovers.recv() => first,
        };
        let Some(first) = first else { return Ok(()) };
        let mut left = Some(first);
        while let Some(first) = left.take() {
            let started = Instant::now();
            let (batch, next) = gather(first, &mut handovers, config).await;
            left = next;
            answer(&mut applier, batch, started).await?;
        }
    }
    handovers.close();
    while let Ok(handover) = handovers.try_recv() {
        // A sender that went away needs no answer.
        let _ = handover.reply.send(Err(Refusal::Unavailable));
    }
    Ok(())
}

/// Requests that share a transaction with the first; the one that no longer fitted is left for the next.
async fn gather(
    first: Handover,
    handovers: &mut mpsc::Receiver<Handover>,
    config: &CaseworkConfig,
) -> (Vec<Handover>, Option<Handover>) {
    let until = tokio::time::Instant::now() + config.batch_wait;
    let (mut records, mut bytes) = size(&first);
    let mut batch = vec![first];
    while let Ok(Some(next)) = timeout_at(until, handovers.recv()).await {
        let (more_records, more_bytes) = size(&next);
        records += more_records;
        bytes += more_bytes;
        if records > config.batch_records_max || bytes > config.batch_bytes_max {
            return (batch, Some(next));
        }
        batch.push(next);
    }
    (batch, None)
}

fn size(handover: &Handover) -> (usize, usize) {
    (handover.records.len(), handover.records.iter().map(|record| record.raw.len()).sum())
}

/// Commits what was gathered and answers each request with its share.
async fn answer(applier: &mut Applier, batch: Vec<Handover>, started: Instant) -> Result<(), RunError> {
    let mut records = Vec::with_capacity(batch.iter().map(|handover| handover.records.len()).sum());
    let mut replies = Vec::with_capacity(batch.len());
    for handover in batch {
        replies.push((handover.records.len(), handover.reply));
        records.extend(handover.records);
    }
    metrics::batch_of(records.len());
    let (answer, end): (Result<Vec<Vec<Outcome>>, Refusal>, _) = match applier.apply(records).await {
        Ok(outcomes) => {
            metrics::committed_at(metrics::HTTP, applier.now());
            (Ok(outcomes), Ok(()))
        }
        Err(Failure::Unavailable) => (Err(Refusal::Unavailable), Ok(())),
        Err(Failure::Fenced) => (Err(Refusal::Internal), Err(RunError::Fenced)),
        Err(Failure::Fatal(error)) => (Err(Refusal::Internal), Err(RunError::Store(error))),
    };
    ::metrics::histogram!(metrics::BATCH_SECONDS.name).record(started.elapsed());
    let mut answer = answer.map(Vec::into_iter);
    for (count, reply) in replies {
        let share = match &mut answer {
            Ok(outcomes) => Ok(Reply { outcomes: outcomes.take(count).collect() }),
            Err(refusal) => Err(*refusal),
        };
        // A sender that went away does not need to know; its records are committed all the same.
        let _ = reply.send(share);
    }
    end
}
