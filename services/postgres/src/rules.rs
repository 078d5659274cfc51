//! The active rulebook as readers hold it: asked for by number, read again only when another was activated.

use std::sync::{Arc, Mutex, PoisonError};

use hotline_core::rulebook::{Files, Rulebook};
use sqlx::{PgConnection, PgPool};

use crate::error::Error;
use crate::pool::run_tx;
use crate::rulebooks;

/// A rulebook and the jq programs that came with it.
#[derive(Debug)]
pub struct InForce {
    pub seq: i64,
    pub rulebook: Arc<Rulebook>,
    /// Files ending in `.jq`, by their path within the rulebook.
    pub adapters: Files,
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
