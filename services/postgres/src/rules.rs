//! The active rulebook as readers hold it: asked for by number, read again only when another was activated.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotline_core::alarm::telling::Told;
use hotline_core::case::CaseFacts;
use hotline_core::fold::{View, fold, settle};
use hotline_core::rulebook::{Files, Rulebook};
use hotline_events::{Lang, show, tell};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;

use crate::error::{Error, Sort};
use crate::pool::{run_snapshot_tx, run_tx};
use crate::rulebooks;
use crate::{alarms, cases};

/// A rulebook and the jq programs that came with it.
#[derive(Debug)]
pub struct InForce {
    pub seq: i64,
    pub rulebook: Arc<Rulebook>,
    /// Files ending in `.jq`, by their path within the rulebook.
    pub adapters: Files,
}

/// A case as it stands, folded by the active rulebook.
#[derive(Debug)]
pub struct Viewed {
    pub view: View,
    /// What it was folded from.
    pub facts: CaseFacts,
    pub in_force: Arc<InForce>,
    pub revision: i64,
    /// What was told of its deadlines, and when.
    pub tellings: Vec<(Timestamp, Told)>,
    /// Tallies still hold the case by an older rulebook.
    pub refold_pending: bool,
}

impl Viewed {
    /// As JSON, its open clocks as of an instant. Facts hold codes and values only, so there is nothing to hide.
    pub fn shown(&self, as_of: Timestamp) -> Value {
        let mut shown = show::view(&self.view, &self.in_force.rulebook, as_of);
        shown["told"] = show::told(&self.tellings, &self.in_force.rulebook);
        shown["revision"] = self.revision.into();
        shown["refold_pending"] = self.refold_pending.into();
        shown
    }

    /// … and as text for people.
    pub fn told(&self, as_of: Timestamp, lang: Lang) -> String {
        let rulebook = &self.in_force.rulebook;
        tell::case(&self.view, rulebook, as_of, lang) + &tell::tellings(&self.tellings, rulebook, lang)
    }
}

/// Reads the active rulebook; shared by everybody who answers questions.
#[derive(Debug)]
pub struct Rules {
    pool: PgPool,
    known: Mutex<Option<Arc<InForce>>>,
}

impl Rules {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, known: Mutex::new(None) }
    }

    /// The active rulebook; [`Error::NoRulebook`] before the first activation.
    pub async fn current(&self) -> Result<Arc<InForce>, Error> {
        let mut rules = self;
        run_tx(&self.pool, "rules::current", &mut rules, |tx, rules| Box::pin(rules.within(tx))).await
    }

    /// As [`Rules::current`]; where the database does not answer in time, the rulebook that was active when it last
    /// did: for whoever must go on without it.
    pub async fn current_or_last(&self, patience: Duration) -> Result<Arc<InForce>, Error> {
        if let Ok(answered) = timeout(patience, self.current()).await
            && !matches!(&answered, Err(error) if error.sort() == Sort::Environment)
        {
            return answered;
        }
        let last = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match last {
            Some(last) => Ok(last),
            None => self.current().await,
        }
    }

    /// One case in one snapshot, as it is or as it was `seen_by` an instant; None if there is no such case.
    pub async fn view(&self, case_id: &str, seen_by: Option<Timestamp>) -> Result<Option<Viewed>, Error> {
        let mut asked = (self, case_id, seen_by.unwrap_or(Timestamp::MAX));
        let read = run_snapshot_tx(&self.pool, "rules::view", &mut asked, |tx, (rules, case_id, by)| {
            Box::pin(async move {
                let in_force = rules.within(tx).await?;
                let tellings = alarms::of_case(tx, case_id, *by).await?;
                Ok(cases::load(tx, &[case_id]).await?.pop().map(|loaded| (loaded, in_force, tellings)))
            })
        });
        let Some((loaded, in_force, tellings)) = read.await? else { return Ok(None) };
        let mut facts = CaseFacts::decode(&loaded.facts)
            .map_err(|source| Error::Facts { case: loaded.case_id.clone(), source })?;
        let view = match seen_by {
            // As replay has it: decisions of ours that were due by then are taken.
            Some(at) => {
                facts = facts.seen_by(at, &in_force.rulebook);
                settle(&loaded.case_id, &mut facts, &in_force.rulebook, at).0
            }
            None => fold(&loaded.case_id, &facts, &in_force.rulebook),
        };
        let refold_pending = loaded.rulebook_seq < in_force.seq;
        Ok(Some(Viewed { view, facts, in_force, revision: loaded.revision, tellings, refold_pending }))
    }

    /// As [`Rules::current`], as the caller's transaction sees it.
    pub async fn within(&self, tx: &mut PgConnection) -> Result<Arc<InForce>, Error> {
        let seq = rulebooks::active_seq(tx).await?.ok_or(Error::NoRulebook)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.seq == seq) {
            return Ok(known);
        }
        let mut files = rulebooks::files(tx, seq).await?;
        let rulebook = rulebooks::of_files(seq, &files)?.rulebook;
        files.retain(|path, _| {
            std::path::Path::new(path).extension().is_some_and(|extension| extension == "jq")
        });
        let read = Arc::new(InForce { seq, rulebook, adapters: files });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok(read)
    }
}
