//! Activating a rulebook: what it would change, shown before it does.

use std::collections::BTreeSet;

use hotline_core::fact::PIPELINE_SOURCE;
use hotline_core::fold::settle;
use hotline_core::rulebook::{Files, Rulebook};
use hotline_core::score::{Score, score};
use jiff::Timestamp;
use smol_str::SmolStr;

use super::{CaseWriter, fold};
use crate::cases;
use crate::error::Error;
use crate::pool::run_tx;
use crate::restatements::Restatement;
use crate::rulebooks::{self, Activation};

/// What a draft would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    pub cases: u64,
    /// Cases that would add something else to the tallies.
    pub changed: u64,
    /// … of which so many have a settled result that would change.
    pub restated: u64,
    /// Settled integers that would change.
    pub settled: u64,
    /// Sources of facts that the draft does not list.
    pub dropped: BTreeSet<SmolStr>,
}

/// A page of the walk.
struct Page<'d> {
    writer: &'d CaseWriter,
    draft: &'d Rulebook,
    after: SmolStr,
    preview: Preview,
    now: Timestamp,
}

/// Folds every case with a draft beside what is stored, and tells `seen` after each page how many it has done. Each page
/// is read in its own short transaction, so cases that change meanwhile are seen before or after.
pub async fn preview(
    writer: &CaseWriter,
    draft: &Rulebook,
    now: Timestamp,
    mut seen: impl FnMut(u64) + Send,
) -> Result<Preview, Error> {
    let pool = &writer.pool;
    let mut page = Page { writer, draft, after: SmolStr::default(), preview: Preview::default(), now };
    while run_tx(pool, "batch::preview", &mut page, |tx, page| Box::pin(page.next(tx))).await? {
        seen(page.preview.cases);
    }
    Ok(page.preview)
}

impl Page<'_> {
    /// Cases of a page: some megabytes.
    const CASES: i64 = 2_000;

    async fn next(&mut self, tx: &mut sqlx::PgConnection) -> Result<bool, Error> {
        let loaded = cases::page(tx, &self.after, Self::CASES).await?;
        // Every case is older than the draft.
        let older = self.writer.older(tx, &loaded, i64::MAX).await?;
        for case in &loaded {
            let mut facts = fold::decode(&case.case_id, Some(case))?;
            let sources = facts
                .sources()
                .filter(|source| *source != PIPELINE_SOURCE && !self.draft.sources.contains_key(*source));
            self.preview.dropped.extend(sources.cloned());
            let old = Score::decode(&case.score).map_err(|_| Error::Score { case: case.case_id.clone() })?;
            let new = fold::guarded(&case.case_id, || {
                // Dispatch decisions that the draft takes are taken, as they will be.
                score(&settle(&case.case_id, &mut facts, self.draft, self.now).0, self.draft)
            })?;
            self.preview.cases += 1;
            self.preview.changed += u64::from(old != new);
            // The number of the rulebook-to-be does not matter here.
            if let Some(restatement) =
                Restatement::between(case, (&old, &older[&case.rulebook_seq]), (&new, self.draft), 0)
            {
                self.preview.restated += 1;
                self.preview.settled += restatement.changes.len() as u64;
            }
        }
        match loaded.last() {
            Some(last) => self.after = last.case_id.clone(),
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl CaseWriter {
    /// Makes a rulebook the active one. Refused with [`Error::WouldRestate`] if settled results would change,
    /// unless `restate`. Cases are folded again afterwards, by [`CaseWriter::refold_step`].
    pub async fn activate(
        &self,
        files: &Files,
        rulebook: &Rulebook,
        restate: bool,
        now: Timestamp,
    ) -> Result<(Activation, Preview), Error> {
        let preview = preview(self, rulebook, now, |_| {}).await?;
        Ok((self.activate_previewed(files, rulebook, &preview, restate, now).await?, preview))
    }

    /// Rates and scores that say something else than in the active rulebook, under the same version.
    async fn redefined(&self, draft: &Rulebook) -> Result<Vec<String>, Error> {
        let read = run_tx(&self.pool, "batch::redefined", &mut (), |tx, ()| {
            Box::pin(async move {
                match rulebooks::active_seq(tx).await? {
                    Some(seq) => Ok(Some(rulebooks::by_seq(tx, seq).await?)),
                    None => Ok(None),
                }
            })
        })
        .await?;
        let Some(active) = read else { return Ok(Vec::new()) };
        let active = &*active.rulebook;
        let rates = draft.rates.iter().filter(|(id, rate)| {
            active.rates.get(*id).is_some_and(|old| old.version == rate.version && !old.counts_as(rate))
        });
        let scores = draft.scores.iter().filter(|(id, score)| {
            active.scores.get(*id).is_some_and(|old| old.version == score.version && !old.counts_as(score))
        });
        Ok(rates.map(|(id, _)| id).chain(scores.map(|(id, _)| id)).map(ToString::to_string).collect())
    }

    /// [`CaseWriter::activate`] after a [`preview`].
    pub async fn activate_previewed(
        &self,
        files: &Files,
        rulebook: &Rulebook,
        preview: &Preview,
        restate: bool,
        now: Timestamp,
    ) -> Result<Activation, Error> {
        if !preview.dropped.is_empty() {
            let sources: Vec<&str> = preview.dropped.iter().map(SmolStr::as_str).collect();
            return Err(Error::SourcesDropped { sources: sources.join(", ") });
        }
        let redefined = self.redefined(rulebook).await?;
        if !redefined.is_empty() {
            return Err(Error::RatesRedefined { rates: redefined.join(", ") });
        }
        if preview.settled > 0 && !restate {
            return Err(Error::WouldRestate { cases: preview.restated, settled: preview.settled });
        }
        let mut context = (files, rulebook.hash.as_str(), now);
        let activation = run_tx(&self.pool, "batch::activate", &mut context, |tx, (files, hash, now)| {
            Box::pin(rulebooks::activate(tx, files, hash, *now))
        })
        .await?;
        tracing::info!(rulebook.seq = activation.seq, rulebook.hash = %activation.hash, "rulebook activated");
        Ok(activation)
    }
}
