//! The one writer of cases: a batch of records becomes facts, tallies and dead letters in one transaction.
//!
//! 1. the position is compared and locked: a fenced owner stops before any work;
//! 2. the touched cases are read in key order;
//! 3. they are folded in this process ([`fold`]);
//! 4. they are written, each asking for the revision that was read ([`write`]);
//! 5. ledger, deltas, sealed parts and dead letters are appended, the position moves, commit.
//!
//! Guarantees: after the commit every record is accounted for exactly once; no fact of a concurrent writer is
//! lost; what the tallies gain is what the new scores have more than the stored ones. It deliberately does not
//! decide whether to try again after an environment's failure: that is casework's.

mod activation;
pub(crate) mod fold;
mod plan;
mod redrive;
mod refold;
mod wake;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hotline_core::fact::EventKey;
use hotline_core::fold::View;
use hotline_core::rulebook::Rulebook;
use hotline_events::intake::{Batch, Outcome};
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use sqlx::{PgConnection, PgPool};

pub use activation::{Preview, preview};
pub use refold::Step as RefoldStep;
pub use wake::{Untold, Woken};

use crate::cases::Loaded;
use crate::error::Error;
use crate::installation::{self, Installation};
use crate::interventions::By;
use crate::pool::run_tx;
use crate::positions::{self, Claim, Counts, Taken};
use crate::rulebooks::{self, Active};
use crate::seal::MasterKey;
use crate::sources::Stop;
use crate::tallies::Names;
use crate::{cases, figures, ledger, sources};
use fold::{FoldedCase, Folding, Judged};
use plan::Plan;

/// Writes cases.
#[derive(Debug)]
pub struct CaseWriter {
    pool: PgPool,
    master: MasterKey,
    /// The rulebook last used; every transaction asks whether it is still the active one.
    active: Mutex<Option<Active>>,
    /// Rulebooks that cases were folded by before.
    older: Mutex<Older>,
    names: Names,
}

/// Rulebooks that are active no longer, by number.
pub(crate) type Older = BTreeMap<i64, Arc<Rulebook>>;

/// What a batch came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// For the next batch of this origin.
    pub claim: Claim,
    /// Per record and per event, in order; none for a record without events.
    pub outcomes: Vec<Vec<Outcome>>,
    pub counts: Counts,
    /// Cases written.
    pub cases: usize,
    /// Rows appended to the deltas.
    pub deltas: usize,
    /// Where the time of the transaction went, its commit apart.
    pub spent: Spent,
    /// Cases that were open before and are closed now.
    pub closings: Vec<Closing>,
}

/// A case that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    pub hotline: SmolStr,
    /// From its receipt to its closing, as counted.
    pub took: SignedDuration,
}

/// Time by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Comparing the position and reading the cases.
    pub load: Duration,
    /// In this process, without the database.
    pub fold: Duration,
    /// Ledger, sealed parts, dead letters.
    pub events: Duration,
    /// Cases and deltas.
    pub cases: Duration,
}

/// How the transaction of a batch ended.
#[derive(Clone, Debug)]
pub enum Commit {
    Done(Applied),
    /// The connection was lost while committing. It happened exactly if the position is found at
    /// `claim.next_offset`: see [`CaseWriter::reclaim`].
    Unknown(Applied),
}

/// What a batch would come to.
#[derive(Clone, Debug)]
pub struct DryRun {
    pub outcomes: Vec<Vec<Outcome>>,
    /// The cases as they would stand, in key order.
    pub views: Vec<View>,
}

/// A transaction's needs, and what it leaves if its commit is unknown.
struct Attempt<'b> {
    writer: &'b CaseWriter,
    claim: &'b Claim,
    plan: Plan<'b>,
    runs: Runs,
    applied: Option<Applied>,
}

/// How often a transaction ran: of writers that never pause one might lose every race, so who lost some of them runs alone.
#[derive(Clone, Copy, Debug, Default)]
struct Runs(u32);

impl Runs {
    /// So many lost in a row may be bad luck.
    const BESIDE_OTHERS_MAX: u32 = 3;

    /// Begins one more.
    async fn begin(&mut self, tx: &mut PgConnection) -> Result<(), Error> {
        self.0 += 1;
        if self.0 > Self::BESIDE_OTHERS_MAX { rulebooks::hold_alone(tx).await } else { Ok(()) }
    }
}

impl CaseWriter {
    pub fn new(pool: PgPool, master: MasterKey) -> Self {
        Self { pool, master, active: Mutex::new(None), older: Mutex::default(), names: Names::default() }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Makes the installation and the ledger's partitions, where they are missing.
    pub async fn prepare(&self, now: Timestamp) -> Result<Installation, Error> {
        struct Prepare<'w>(&'w CaseWriter, Timestamp);
        /// Months of the ledger that are made ahead.
        const MONTHS_AHEAD: i32 = 3;
        run_tx(&self.pool, "batch::prepare", &mut Prepare(self, now), |tx, prepare| {
            Box::pin(async move {
                let installation = installation::ensure(tx, &prepare.0.master, prepare.1).await?;
                ledger::create_partitions(tx, prepare.1, MONTHS_AHEAD).await?;
                rulebooks::record_all(tx, prepare.1).await?;
                Ok(installation)
            })
        })
        .await
    }

    /// As [`CaseWriter::prepare`], without the partitions: those are made by whoever writes most of what they hold.
    pub async fn belongs(&self, now: Timestamp) -> Result<Installation, Error> {
        let mut belongs = (&self.master, now);
        run_tx(&self.pool, "batch::belongs", &mut belongs, |tx, (master, now)| {
            Box::pin(installation::ensure(tx, master, *now))
        })
        .await
    }

    /// Takes an origin over: see [`positions::claim`].
    pub async fn claim(&self, origin: &str) -> Result<Claim, Error> {
        run_tx(&self.pool, "batch::claim", &mut origin.to_owned(), |tx, origin| {
            Box::pin(positions::claim(tx, origin, 0))
        })
        .await
    }

    /// Takes a partition over: see [`positions::claim_partition`].
    pub async fn claim_partition(&self, origin: &str, cluster_id: &str) -> Result<Taken, Error> {
        let mut named = (origin.to_owned(), cluster_id.to_owned());
        run_tx(&self.pool, "batch::claim_partition", &mut named, |tx, (origin, cluster_id)| {
            Box::pin(positions::claim_partition(tx, origin, cluster_id))
        })
        .await
    }

    /// Notes that a batch of a trial begins: see [`positions::begin_trial`].
    pub async fn begin_trial(&self, claim: &Claim) -> Result<(), Error> {
        let mut claim = claim.clone();
        run_tx(&self.pool, "batch::begin_trial", &mut claim, |tx, claim| {
            Box::pin(positions::begin_trial(tx, claim))
        })
        .await
    }

    /// Takes back what [`CaseWriter::begin_trial`] noted.
    pub async fn end_trial(&self, claim: &Claim) -> Result<(), Error> {
        let mut claim = claim.clone();
        run_tx(&self.pool, "batch::end_trial", &mut claim, |tx, claim| {
            Box::pin(positions::end_trial(tx, claim))
        })
        .await
    }

    /// Stops a source: see [`sources::stop`].
    pub async fn stop_source(&self, source: &str, stop: Stop, by: By<'_>) -> Result<bool, Error> {
        let mut asked = (source, stop, by);
        run_tx(&self.pool, "batch::stop_source", &mut asked, |tx, (source, stop, by)| {
            Box::pin(sources::stop(tx, source, *stop, by))
        })
        .await
    }

    /// After an unknown commit: takes the origin again, which waits for what may be under way. The position
    /// that is then found tells whether the commit happened. [`Error::Fenced`] if somebody else was there. If the outcome
    /// of this, too, is unknown, it is asked again with the same `number`.
    pub async fn reclaim(&self, lost: &Claim, number: i64) -> Result<Claim, Error> {
        let mut asked = (lost.clone(), number);
        run_tx(&self.pool, "batch::reclaim", &mut asked, |tx, (lost, number)| {
            Box::pin(positions::reclaim(tx, lost, *number))
        })
        .await
    }

    /// Applies a batch of the claimed origin in one transaction.
    pub async fn apply(&self, claim: &Claim, batch: &Batch) -> Result<Commit, Error> {
        let plan = Plan::of(claim, batch)?;
        let mut attempt = Attempt { writer: self, claim, plan, runs: Runs::default(), applied: None };
        let done =
            run_tx(&self.pool, "batch::apply", &mut attempt, |tx, attempt| Box::pin(attempt.run(tx))).await;
        match (done, attempt.applied) {
            (Ok(()), Some(applied)) => Ok(Commit::Done(applied)),
            (Err(Error::CommitUnknown { .. }), Some(applied)) => Ok(Commit::Unknown(applied)),
            (Err(error), _) => Err(error),
            (Ok(()), None) => unreachable!("a transaction that ran left its result"),
        }
    }

    /// What a batch would come to; nothing is stored and no position is read.
    pub async fn dry_run(&self, batch: &Batch) -> Result<DryRun, Error> {
        let claim = Claim { origin: batch.origin.name(), epoch: 0, next_offset: 0 };
        let plan = Plan::of(&claim, batch)?;
        let mut attempt = Attempt { writer: self, claim: &claim, plan, runs: Runs::default(), applied: None };
        run_tx(&self.pool, "batch::dry_run", &mut attempt, |tx, attempt| {
            Box::pin(async move {
                let active = attempt.writer.active(tx).await?;
                let folding = attempt.fold(tx, &active).await?;
                let view = |case: &FoldedCase| {
                    let FoldedCase { case_id, facts, .. } = case;
                    fold::guarded(case_id, || hotline_core::fold::fold(case_id, facts, &active.rulebook))
                };
                let views = folding.cases.iter().map(view).collect::<Result<_, _>>()?;
                Ok(DryRun { outcomes: folding.outcomes, views })
            })
        })
        .await
    }

    /// The rulebooks by which stale ones of these cases were folded last; none, nearly always.
    pub(crate) async fn older(
        &self,
        tx: &mut PgConnection,
        loaded: &[Loaded],
        active_seq: i64,
    ) -> Result<Older, Error> {
        let mut older = Older::new();
        for seq in loaded.iter().map(|case| case.rulebook_seq).filter(|seq| *seq < active_seq) {
            if older.contains_key(&seq) {
                continue;
            }
            let known = self.older.lock().unwrap_or_else(PoisonError::into_inner).get(&seq).cloned();
            let rulebook = match known {
                Some(rulebook) => rulebook,
                None => rulebooks::by_seq(tx, seq).await?.rulebook,
            };
            self.older.lock().unwrap_or_else(PoisonError::into_inner).insert(seq, Arc::clone(&rulebook));
            older.insert(seq, rulebook);
        }
        Ok(older)
    }

    /// Whether the rulebook that was used last lists a source.
    pub fn lists(&self, source: &str) -> bool {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.as_ref().is_some_and(|active| active.rulebook.sources.contains_key(source))
    }

    /// Whether the rulebook that was used last has a hotline.
    pub fn knows_hotline(&self, hotline: &str) -> bool {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.as_ref().is_some_and(|active| active.rulebook.hotlines.contains_key(hotline))
    }

    /// The active rulebook, which stays so until the end of the transaction.
    pub async fn active(&self, tx: &mut PgConnection) -> Result<Active, Error> {
        rulebooks::hold(tx).await?;
        let seq = rulebooks::active_seq(tx).await?.ok_or(Error::NoRulebook)?;
        let known = self.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.seq == seq) {
            return Ok(known);
        }
        let active = rulebooks::by_seq(tx, seq).await?;
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = Some(active.clone());
        Ok(active)
    }
}

/// Times one stage after another.
struct Laps(Instant);

impl Laps {
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

impl Attempt<'_> {
    async fn run(&mut self, tx: &mut PgConnection) -> Result<(), Error> {
        self.applied = None;
        let mut clock = Laps(Instant::now());
        positions::hold(tx, self.claim).await?;
        self.runs.begin(tx).await?;
        let active = self.writer.active(tx).await?;
        let (loaded, tags) = self.load(tx).await?;
        let load = clock.lap();
        let older = self.writer.older(tx, &loaded, active.seq).await?;
        let stopped = self.stopped(tx).await?;
        let by = Judged { active: &active, older: &older, stopped: &stopped };
        let mut folding = fold::fold(&self.plan, loaded, &tags, &by)?;
        let fold = clock.lap();
        let written = write::events(tx, &self.writer.master, &self.plan, &mut folding, &active).await?;
        let events = clock.lap();
        let stored = write::cases(tx, &self.writer.names, &folding.cases, &active, self.plan.as_of).await?;
        let cases = clock.lap();
        let counts = self.plan.counts(&folding.outcomes);
        let next_offset = match self.plan.last() {
            Some(last) => positions::advance(tx, self.claim, &counts, last).await?,
            None => self.claim.next_offset,
        };
        tracing::debug!(
            origin = %self.claim.origin, records = counts.records, cases = stored.cases, ledger = written,
            deltas = stored.deltas, "batch written"
        );
        self.applied = Some(Applied {
            claim: Claim { next_offset, ..self.claim.clone() },
            closings: folding.closings(&self.plan),
            outcomes: folding.outcomes,
            counts,
            cases: stored.cases,
            deltas: stored.deltas,
            spent: Spent { load, fold, events, cases },
        });
        Ok(())
    }

    async fn fold(&self, tx: &mut PgConnection, active: &Active) -> Result<Folding, Error> {
        let (loaded, tags) = self.load(tx).await?;
        let older = self.writer.older(tx, &loaded, active.seq).await?;
        let stopped = self.stopped(tx).await?;
        fold::fold(&self.plan, loaded, &tags, &Judged { active, older: &older, stopped: &stopped })
    }

    /// The sources that are stopped, for all but what is sent again by hand.
    async fn stopped(&self, tx: &mut PgConnection) -> Result<BTreeSet<SmolStr>, Error> {
        if self.plan.is_redrive { Ok(BTreeSet::new()) } else { sources::stopped(tx).await }
    }

    async fn load(&self, tx: &mut PgConnection) -> Result<(Vec<Loaded>, Vec<(EventKey, u64)>), Error> {
        Ok((
            cases::load(tx, &self.plan.case_ids()).await?,
            figures::tags(tx, &self.plan.figure_keys()).await?,
        ))
    }
}
