//! Applying the batches of one origin, one after another, whatever fails on the way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotline_events::intake::{Batch, Origin, Outcome, Reason, Record, RecordContent};
use hotline_postgres::interventions::{self, By};
use hotline_postgres::positions::Claim;
use hotline_postgres::sources::Stop;
use hotline_postgres::{Applied, CaseWriter, Commit, Error, Sort};
use jiff::Timestamp;
use smol_str::SmolStr;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::CaseworkConfig;
use crate::watch::{self, Excess, Watch};
use crate::{Clock, metrics};

/// Why records were not committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Try again later.
    Unavailable,
    /// Somebody else has taken the origin over.
    Fenced,
    /// The role must end.
    Fatal(Error),
}

/// How long a sick environment is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Somebody waits for an answer.
    Attempts(u32),
    /// The records wait in a log.
    Endless,
}

/// A commit of which nobody knows whether it happened.
struct Unknown {
    /// The claim that it was made under.
    lost: Claim,
    /// What would be the result.
    applied: Applied,
    /// By which the position is taken again, however often.
    number: i64,
}

/// The one that moves an origin's position.
pub(crate) struct Applier {
    writer: Arc<CaseWriter>,
    config: CaseworkConfig,
    origin: Origin,
    claim: Option<Claim>,
    patience: Patience,
    watch: Arc<Mutex<Watch>>,
    clock: Clock,
    /// Something that it reads may end the process: each batch is noted before it begins.
    pub(crate) is_trial: bool,
    /// Cancelled when what cannot be committed now is better left: a sick environment is not waited for then.
    given_up: CancellationToken,
}

impl Applier {
    /// Claims the origin when it is first used, unless it is claimed already.
    pub(crate) fn new(
        writer: Arc<CaseWriter>,
        config: CaseworkConfig,
        origin: Origin,
        claim: Option<Claim>,
        (watch, clock): (Arc<Mutex<Watch>>, Clock),
        given_up: CancellationToken,
    ) -> Self {
        let patience = match origin {
            Origin::Partition { .. } => Patience::Endless,
            Origin::Http | Origin::Redrive => Patience::Attempts(config.attempts_max),
        };
        Self { writer, config, origin, claim, patience, watch, clock, is_trial: false, given_up }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The batch of a trial was given up, and not because it ended the process.
    pub(crate) async fn give_up_trial(&self) {
        let Some(held) = self.claim.as_ref().filter(|_| self.is_trial) else { return };
        let noted = tokio::time::timeout(Duration::from_secs(1), self.writer.end_trial(held)).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::debug!(origin = %held.origin, "a trial could not be taken back");
        }
    }

    /// Commits records and says what became of each event. What fails by a fault of its content is halved until
    /// the one record is found.
    pub(crate) async fn apply(&mut self, records: Vec<Record>) -> Result<Vec<Vec<Outcome>>, Failure> {
        let mut outcomes = Vec::with_capacity(records.len());
        let mut waiting = vec![records];
        while let Some(records) = waiting.pop() {
            let part = Batch { origin: self.origin.clone(), records };
            match self.try_apply(&part).await {
                Ok(applied) => {
                    metrics::applied(&applied, |hotline| self.writer.knows_hotline(hotline));
                    let lists = |source: &str| self.writer.lists(source);
                    metrics::committed(&part.records, &applied.outcomes, self.now(), lists);
                    self.look_at(&part.records, &applied.outcomes).await;
                    outcomes.extend(applied.outcomes);
                }
                Err(error) => divide(error, part.records, &mut waiting)?,
            }
        }
        Ok(outcomes)
    }

    /// Stops the sources of which too much was refused. One that cannot be stopped now is found again.
    async fn look_at(&self, records: &[Record], outcomes: &[Vec<Outcome>]) {
        let excesses: Vec<(SmolStr, Excess)> = {
            let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            let of = |(record, outcomes): (&Record, &Vec<Outcome>)| {
                watch::sources(&record.content).into_iter().zip(outcomes.clone()).collect::<Vec<_>>()
            };
            // Anybody may write any name into a source.
            let seen =
                records.iter().zip(outcomes).flat_map(of).filter(|(source, _)| self.writer.lists(source));
            seen.filter_map(|(source, outcome)| Some((watch.saw(&source, &outcome)?, source)))
                .map(|(excess, source)| (source, excess))
                .collect()
        };
        for (source, excess) in excesses {
            let by = By { operator: interventions::CASEWORK, why: excess.why(), at: (self.clock)() };
            match self.writer.stop_source(&source, Stop::Diverted, by).await {
                Ok(false) => {}
                Ok(true) => {
                    ::metrics::counter!(metrics::SOURCES_DIVERTED.name).increment(1);
                    tracing::error!(
                        source = source.as_str(),
                        why = excess.why(),
                        "a source is diverted: its events are kept as dead letters; see `hotline sources list`"
                    );
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), error = %error, "a source could not be diverted");
                }
            }
        }
    }

    /// Tries a part until it is committed, fails by itself, or the environment stays sick.
    async fn try_apply(&mut self, batch: &Batch) -> Result<Applied, Error> {
        let mut attempts = 0;
        let mut unknown: Option<Unknown> = None;
        loop {
            attempts += 1;
            match self.attempt(&mut unknown, batch).await {
                Ok(Some(applied)) => return Ok(applied),
                Ok(None) => {}
                Err(error) if self.bears(&error, attempts) => {
                    note(&error);
                    // Who dies while the environment is waited for does not die of the record.
                    self.give_up_trial().await;
                    let pause = sleep(pause_after(attempts, &self.config));
                    if self.given_up.run_until_cancelled(pause).await.is_none() {
                        return Err(error);
                    }
                }
                Err(error) => {
                    if unknown.is_some() {
                        // Whether it happened is found when the position is claimed again. The sender sends again
                        // what it was not answered for, and every event of it will be a duplicate.
                        self.claim = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// One attempt at a batch, and nothing after it: what an owner does that dies in its commit.
    #[cfg(test)]
    pub(crate) async fn once(&mut self, records: Vec<Record>) -> Result<(), Error> {
        let batch = Batch { origin: self.origin.clone(), records };
        self.attempt(&mut None, &batch).await.map(drop)
    }

    fn bears(&self, error: &Error, attempts: u32) -> bool {
        match (self.patience, error.sort()) {
            (Patience::Attempts(max), Sort::Environment) => attempts < max,
            (Patience::Endless, Sort::Environment | Sort::Race) => true,
            _ => false,
        }
    }

    /// One attempt; None: the outcome is unknown and must be looked up.
    async fn attempt(
        &mut self,
        unknown: &mut Option<Unknown>,
        batch: &Batch,
    ) -> Result<Option<Applied>, Error> {
        if let Some(Unknown { lost, applied, number }) = unknown.as_ref() {
            let found = self.writer.reclaim(lost, *number).await?;
            let happened = found.next_offset == applied.claim.next_offset;
            self.claim = Some(found);
            let applied = applied.clone();
            *unknown = None;
            if happened {
                return Ok(Some(applied));
            }
        }
        let held = match self.claim.take() {
            Some(held) => held,
            None => self.writer.claim(&batch.origin.name()).await?,
        };
        let result = async {
            if self.is_trial {
                self.writer.begin_trial(&held).await?;
            }
            self.writer.apply(&held, batch).await
        }
        .await;
        match result {
            Ok(Commit::Done(applied)) => {
                self.claim = Some(applied.claim.clone());
                Ok(Some(applied))
            }
            Ok(Commit::Unknown(applied)) => {
                let number = hotline_postgres::seal::random::<8>().map_or(0, i64::from_le_bytes);
                *unknown = Some(Unknown { lost: held, applied, number });
                Ok(None)
            }
            Err(error) => {
                self.claim = Some(held);
                Err(error)
            }
        }
    }
}

/// Doubles with every attempt, between half and all of it, so that several do not come back at once.
pub(crate) fn pause_after(attempts: u32, config: &CaseworkConfig) -> Duration {
    let pause = config.back_off.saturating_mul(1 << attempts.min(16)).min(config.back_off_max);
    let jitter = hotline_postgres::seal::random::<4>().map_or(0, u32::from_le_bytes);
    pause.mul_f64(1.0 - f64::from(jitter) / f64::from(u32::MAX) / 2.0)
}

/// What to try instead of a part that failed; the next to try is last.
fn divide(error: Error, mut records: Vec<Record>, waiting: &mut Vec<Vec<Record>>) -> Result<(), Failure> {
    note(&error);
    let is_of_content = error.sort() == Sort::Data
        || matches!(error, Error::Panicked { .. } | Error::Facts { .. } | Error::Score { .. });
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
        _ if matches!(error, Error::Fenced { .. }) => Err(Failure::Fenced),
        _ => Err(Failure::Fatal(error)),
    }
}

pub(crate) fn note(error: &Error) {
    if matches!(error, Error::Fenced { .. }) {
        ::metrics::counter!(metrics::FENCED.name).increment(1);
    }
    ::metrics::counter!(metrics::BATCH_FAILURES.name, "code" => error.code()).increment(1);
    tracing::warn!(code = error.code(), error = %error, "a batch failed");
}
