//! Tables of rates from the database, all of it read in one snapshot.

use std::collections::BTreeMap;

use hotline_core::fold::FOLD_VERSION;
use hotline_core::rate::{Answer, Table};
use hotline_postgres::{InForce, PgConnection, PgPool, Rules, positions, refolds, run_snapshot_tx};
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::ask::Ask;
use crate::error::Error;
use crate::{row, sums};

/// An answer and what it was made of.
#[derive(Clone, Debug)]
pub struct Bulletin {
    pub ask: Ask,
    pub answer: Answer,
    pub stamp: Stamp,
}

/// What it takes to make the same table again.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    pub rulebook_hash: SmolStr,
    pub rulebook_seq: i64,
    pub fold_version: u32,
    /// What open clocks were doing is as of this instant.
    pub as_of: Timestamp,
    /// By rate, those that scores are made of included, the version of its definition.
    pub definitions: BTreeMap<SmolStr, u32>,
    /// By origin, the next offset to read.
    pub positions: BTreeMap<String, i64>,
    /// Some cases still count as an older rulebook or program judged them: not to be published.
    pub refold_pending: bool,
}

impl Bulletin {
    /// The rows as section 15 of the design has them.
    pub fn rows_json(&self) -> Value {
        row::answer(&self.answer, self.ask.from, self.ask.to)
    }

    /// `{"rows":[…],"stamp":{…}}`.
    pub fn to_json(&self) -> Value {
        json!({ "rows": self.rows_json(), "stamp": self.stamp.to_json() })
    }
}

impl Stamp {
    /// What the transaction sees, for an instant of the caller's clock; of no definition yet.
    pub(crate) async fn read(
        tx: &mut PgConnection,
        rules: &InForce,
        as_of: Timestamp,
    ) -> Result<Self, hotline_postgres::Error> {
        let positions = positions::list(tx).await?;
        Ok(Self {
            rulebook_hash: rules.rulebook.hash.clone(),
            rulebook_seq: rules.seq,
            fold_version: FOLD_VERSION,
            as_of,
            definitions: BTreeMap::new(),
            positions: positions.into_iter().map(|one| (one.claim.origin, one.claim.next_offset)).collect(),
            refold_pending: !refolds::is_done(tx).await?,
        })
    }

    pub fn to_json(&self) -> Value {
        let definitions = self.definitions.iter().map(|(id, version)| (id.to_string(), json!(version)));
        json!({
            "rulebook": self.rulebook_hash.as_str(),
            "rulebook_seq": self.rulebook_seq,
            "fold_version": self.fold_version,
            "as_of": self.as_of.to_string(),
            "definitions": definitions.collect::<serde_json::Map<_, _>>(),
            "positions": self.positions,
            "refold_pending": self.refold_pending,
        })
    }
}

struct Asked<'a> {
    ask: &'a Ask,
    rules: &'a Rules,
    as_of: Timestamp,
}

/// The rows that the database gives for a question, as of an instant of the caller's clock.
pub async fn bulletin(pool: &PgPool, rules: &Rules, ask: Ask, as_of: Timestamp) -> Result<Bulletin, Error> {
    let mut asked = Asked { ask: &ask, rules, as_of };
    let read =
        run_snapshot_tx(pool, "rates::bulletin", &mut asked, |tx, asked| Box::pin(asked.read(tx))).await?;
    let (answer, stamp) = read?;
    Ok(Bulletin { ask, answer, stamp })
}

impl Asked<'_> {
    /// The outer error is the store's; the inner one says what is wrong with the question.
    async fn read(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Result<(Answer, Stamp), Error>, hotline_postgres::Error> {
        let rules = self.rules.within(tx).await?;
        let query = match self.ask.query(&rules.rulebook) {
            Ok(query) => query,
            Err(error) => return Ok(Err(error)),
        };
        let mut table = Table::new(&query, &rules.rulebook);
        sums::read(tx, &mut [((query.from, query.to), &mut table)], self.as_of).await?;
        let mut stamp = Stamp::read(tx, &rules, self.as_of).await?;
        stamp.definitions = table.definitions(&query);
        Ok(Ok((table.answer(&query, &rules.rulebook), stamp)))
    }
}
