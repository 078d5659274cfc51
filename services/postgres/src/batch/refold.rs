//! Folding cases again without new events, after a change of rulebook or program.

use hotline_core::fold::FOLD_VERSION;
use jiff::Timestamp;
use sqlx::PgConnection;

use super::{CaseWriter, Runs, fold, write};
use crate::cases::{self, Loaded};
use crate::error::Error;
use crate::pool::run_tx;
use crate::refolds::{self, Refold};
use crate::rulebooks::Active;

/// What one step of a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The pass after the step.
    pub refold: Refold,
    /// Cases looked at in this step.
    pub cases: usize,
}

/// A step's needs.
struct Pass<'w> {
    writer: &'w CaseWriter,
    now: Timestamp,
    limit: i64,
    runs: Runs,
}

impl CaseWriter {
    /// Folds the next cases of the pass for the active rulebook and this program's fold, in one transaction that
    /// also notes how far it came. Settled results that change are written to `restatements`.
    pub async fn refold_step(&self, now: Timestamp, limit: i64) -> Result<Step, Error> {
        let mut context = Pass { writer: self, now, limit, runs: Runs::default() };
        loop {
            let name = "batch::refold_step";
            context.runs = Runs::default();
            let step =
                run_tx(&self.pool, name, &mut context, |tx, context| Box::pin(context.refold(tx))).await?;
            if let Some(step) = step {
                return Ok(step);
            }
            let mut now = now;
            run_tx(&self.pool, "refolds::begin", &mut now, |tx, now| Box::pin(refolds::begin(tx, *now)))
                .await?;
        }
    }
}

impl Pass<'_> {
    /// None if the pass must be begun first.
    async fn refold(&mut self, tx: &mut PgConnection) -> Result<Option<Step>, Error> {
        self.runs.begin(tx).await?;
        let active = self.writer.active(tx).await?;
        let Some(mut refold) = refolds::hold(tx, active.seq).await? else { return Ok(None) };
        if refold.done {
            return Ok(Some(Step { refold, cases: 0 }));
        }
        let page = cases::stale(tx, active.seq, &refold.after_case, self.limit).await?;
        let mut looked_at = 0;
        if let Some((last, stale)) = page {
            looked_at = stale.len();
            let stored = self.writer.fold_again(tx, &stale, &active, self.now).await?;
            refold.after_case = last;
            refold.cases += i64::try_from(stored.cases).expect("a page is bounded");
            refold.restated += i64::try_from(stored.restated).expect("a page is bounded");
        } else {
            refold.done = true;
            tracing::info!(
                rulebook.seq = active.seq,
                fold.version = FOLD_VERSION,
                cases = refold.cases,
                restated = refold.restated,
                "all cases are folded by the active rulebook"
            );
        }
        refolds::advance(tx, &refold, self.now).await?;
        Ok(Some(Step { refold, cases: looked_at }))
    }
}

impl CaseWriter {
    /// Folds cases as they were read by the active rulebook and writes them. One that a bug of ours makes fail stays as
    /// it is, and the others go on.
    pub(super) async fn fold_again(
        &self,
        tx: &mut PgConnection,
        loaded: &[Loaded],
        active: &Active,
        now: Timestamp,
    ) -> Result<write::Stored, Error> {
        let older = self.older(tx, loaded, active.seq).await?;
        let mut folded = Vec::with_capacity(loaded.len());
        for loaded in loaded {
            let again = fold::decode(&loaded.case_id, Some(loaded)).and_then(|facts| {
                fold::refold(&loaded.case_id, facts, Some(loaded), (active, &older), now, fold::For::Again)
            });
            match again {
                Ok(again) => folded.push(again),
                Err(error) => {
                    tracing::error!(code = error.code(), error = %error, "a case could not be folded again");
                }
            }
        }
        write::pins(tx, &mut folded, now).await?;
        write::cases(tx, &self.names, &folded, active, now).await
    }
}
