//! From hand-overs to committed batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline_events::intake::{Batch, Origin, Outcome, Reason, Record, RecordContent};
use hotline_postgres::handover::{Handover, Refusal, Reply};
use hotline_postgres::positions::Claim;
use hotline_postgres::{Applied, CaseWriter, Commit, Error, Sort};
use thiserror::Error as ThisError;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::CaseworkConfig;
use crate::metrics;

/// Why the role ends.
#[derive(Debug, ThisError)]
pub enum RunError {
    #[error("the store cannot be used: {0}")]
    Store(#[source] Error),
}

impl RunError {
    pub fn code(&self) -> &'static str {
        match self {
            RunError::Store(error) => error.code(),
        }
    }
}

/// Why a batch was not committed.
enum Failure {
    /// Try again later.
    Unavailable,
    /// The role must end.
    Fatal(Error),
}

/// The role's state: the one position it moves, behind a lock because its batches are one after another.
#[derive(Debug)]
pub struct Casework {
    writer: Arc<CaseWriter>,
    config: CaseworkConfig,
    claim: Mutex<Option<Claim>>,
}

impl Casework {
    pub fn new(writer: Arc<CaseWriter>, config: CaseworkConfig) -> Self {
        Self { writer, config, claim: Mutex::new(None) }
    }

    /// Answers hand-overs until `stop` or until nobody can send any more.
    pub(crate) async fn serve(
        &self,
        mut handovers: mpsc::Receiver<Handover>,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
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
                let (batch, next) = self.gather(first, &mut handovers).await;
                left = next;
                self.answer(batch, started).await?;
            }
        }
        handovers.close();
        while let Ok(handover) = handovers.try_recv() {
            refuse(handover, Refusal::Unavailable);
        }
        Ok(())
    }

    /// Requests that share a transaction with the first; the one that no longer fitted is left for the next.
    async fn gather(
        &self,
        first: Handover,
        handovers: &mut mpsc::Receiver<Handover>,
    ) -> (Vec<Handover>, Option<Handover>) {
        if first.dry_run {
            return (vec![first], None);
        }
        let until = tokio::time::Instant::now() + self.config.batch_wait;
        let (mut records, mut bytes) = size(&first);
        let mut batch = vec![first];
        while let Ok(Some(next)) = timeout_at(until, handovers.recv()).await {
            let (more_records, more_bytes) = size(&next);
            records += more_records;
            bytes += more_bytes;
            let is_full = records > self.config.batch_records_max || bytes > self.config.batch_bytes_max;
            if next.dry_run || is_full {
                return (batch, Some(next));
            }
            batch.push(next);
        }
        (batch, None)
    }

    /// Commits what was gathered and answers each request with its share.
    async fn answer(&self, batch: Vec<Handover>, started: Instant) -> Result<(), RunError> {
        let mut records = Vec::with_capacity(batch.iter().map(|handover| handover.records.len()).sum());
        let mut replies = Vec::with_capacity(batch.len());
        let dry_run = batch.iter().any(|handover| handover.dry_run);
        for handover in batch {
            replies.push((handover.records.len(), handover.reply));
            records.extend(handover.records);
        }
        ::metrics::histogram!(metrics::BATCH_RECORDS)
            .record(f64::from(u32::try_from(records.len()).unwrap_or(u32::MAX)));
        let batch = Batch { origin: Origin::Http, records };
        let result = if dry_run { self.dry_run(&batch).await } else { self.commit(batch).await };
        let (answer, end) = match result {
            Ok(reply) => (Ok(reply), Ok(())),
            Err(Failure::Unavailable) => (Err(Refusal::Unavailable), Ok(())),
            Err(Failure::Fatal(error)) => (Err(Refusal::Internal), Err(RunError::Store(error))),
        };
        ::metrics::histogram!(metrics::BATCH_SECONDS).record(started.elapsed());
        let mut answer = answer.map(|reply| (reply.outcomes.into_iter(), reply.views));
        for (count, reply) in replies {
            let share = match &mut answer {
                Ok((outcomes, views)) => {
                    Ok(Reply { outcomes: outcomes.take(count).collect(), views: std::mem::take(views) })
                }
                Err(refusal) => Err(*refusal),
            };
            // A sender that went away does not need to know; its records are committed all the same.
            let _ = reply.send(share);
        }
        end
    }

    async fn dry_run(&self, batch: &Batch) -> Result<Reply, Failure> {
        match self.writer.dry_run(batch).await {
            Ok(dry) => Ok(Reply { outcomes: dry.outcomes, views: dry.views }),
            Err(error) => {
                note(&error);
                Err(Failure::Unavailable)
            }
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Reply, Failure> {
        let outcomes = self.apply(batch).await?;
        for outcome in outcomes.iter().flatten() {
            let code = match outcome {
                Outcome::Dead { reason, .. } => reason.code(),
                other => other.code(),
            };
            ::metrics::counter!(metrics::EVENTS, "outcome" => code).increment(1);
        }
        Ok(Reply { outcomes, views: Vec::new() })
    }

    /// Applies a batch. What fails by a fault of its content is halved until the one record is found.
    async fn apply(&self, batch: Batch) -> Result<Vec<Vec<Outcome>>, Failure> {
        let mut claim = self.claim.lock().await;
        let mut outcomes = Vec::with_capacity(batch.records.len());
        let mut waiting = vec![batch.records];
        while let Some(records) = waiting.pop() {
            let part = Batch { origin: batch.origin.clone(), records };
            match self.try_apply(&mut claim, &part).await {
                Ok(applied) => outcomes.extend(applied.outcomes),
                Err(error) => divide(error, part.records, &mut waiting)?,
            }
        }
        Ok(outcomes)
    }

    /// Tries a part until it is committed, fails by itself, or the environment stays sick.
    async fn try_apply(&self, claim: &mut Option<Claim>, batch: &Batch) -> Result<Applied, Error> {
        let mut attempts = 0;
        // What would be the result if a commit of unknown outcome happened, and the claim it was made under.
        let mut unknown: Option<(Claim, Applied)> = None;
        loop {
            attempts += 1;
            match self.attempt(claim, &mut unknown, batch).await {
                Ok(Some(applied)) => return Ok(applied),
                Ok(None) => {}
                Err(error) if error.sort() == Sort::Environment && attempts < self.config.attempts_max => {
                    note(&error);
                    sleep(self.pause_after(attempts)).await;
                }
                Err(error) => {
                    if unknown.is_some() {
                        // Whether it happened is found when the position is claimed again. The sender sends again
                        // what it was not answered for, and every event of it will be a duplicate.
                        *claim = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// One attempt; None: the outcome is unknown and must be looked up.
    async fn attempt(
        &self,
        claim: &mut Option<Claim>,
        unknown: &mut Option<(Claim, Applied)>,
        batch: &Batch,
    ) -> Result<Option<Applied>, Error> {
        if let Some((lost, applied)) = unknown.as_ref() {
            let found = self.writer.reclaim(lost).await?;
            let happened = found.next_offset == applied.claim.next_offset;
            *claim = Some(found);
            let applied = applied.clone();
            *unknown = None;
            if happened {
                return Ok(Some(applied));
            }
        }
        let held = match claim.take() {
            Some(held) => held,
            None => self.writer.claim(&batch.origin.name()).await?,
        };
        let result = self.writer.apply(&held, batch).await;
        match result {
            Ok(Commit::Done(applied)) => {
                *claim = Some(applied.claim.clone());
                Ok(Some(applied))
            }
            Ok(Commit::Unknown(applied)) => {
                *unknown = Some((held, applied));
                Ok(None)
            }
            Err(error) => {
                *claim = Some(held);
                Err(error)
            }
        }
    }

    /// Doubles with every attempt, between half and all of it, so that several do not come back at once.
    fn pause_after(&self, attempts: u32) -> Duration {
        let longest = self.config.back_off_max;
        let pause = self.config.back_off.saturating_mul(1 << attempts.min(16)).min(longest);
        let jitter = hotline_postgres::seal::random::<4>().map_or(0, u32::from_le_bytes);
        pause.mul_f64(1.0 - f64::from(jitter) / f64::from(u32::MAX) / 2.0)
    }
}

/// What to try instead of a part that failed; the next to try is last.
fn divide(error: Error, mut records: Vec<Record>, waiting: &mut Vec<Vec<Record>>) -> Result<(), Failure> {
    note(&error);
    let is_of_content = error.sort() == Sort::Data || matches!(error, Error::Panicked { .. });
    match (error.sort(), records.as_mut_slice()) {
        (Sort::Environment | Sort::Race, _) => Err(Failure::Unavailable),
        (_, [one])
            if is_of_content && !matches!(one.content, RecordContent::Refused(Reason::InternalError)) =>
        {
            one.content = RecordContent::Refused(Reason::InternalError);
            waiting.push(records);
            Ok(())
        }
        (_, [_, _, ..]) if is_of_content => {
            let second = records.split_off(records.len() / 2);
            waiting.push(second);
            waiting.push(records);
            Ok(())
        }
        _ => Err(Failure::Fatal(error)),
    }
}

fn size(handover: &Handover) -> (usize, usize) {
    (handover.records.len(), handover.records.iter().map(|record| record.raw.len()).sum())
}

fn refuse(handover: Handover, refusal: Refusal) {
    // A sender that went away needs no answer.
    let _ = handover.reply.send(Err(refusal));
}

fn note(error: &Error) {
    ::metrics::counter!(metrics::BATCH_FAILURES, "code" => error.code()).increment(1);
    tracing::warn!(code = error.code(), error = %error, "a batch failed");
}
