//! Folding events anew, whatever is stored of their cases: what `replay` prints, what `tallies check` and
//! `bulletin --stamp` compare with.

use std::path::PathBuf;

use anyhow::Context as _;
use foldhash::{HashMap, HashMapExt as _};
use hotline_core::case::{Added, CaseFacts, is_seen};
use hotline_core::fact::Fact;
use hotline_core::fold::settle;
use hotline_core::rulebook::Rulebook;
use hotline_core::score::{Score, score};
use hotline_events::{Event, Keep, Tagger, decode};
use hotline_postgres::bulletins::Stamp;
use hotline_postgres::ledger::{self, Exported, PIPELINE_ORIGIN};
use hotline_postgres::{PgConnection, retention};
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::command::export::{PAGE, event_of};
use crate::{files, progress};

/// Cases made of events as they come from files, where `recordedtime` is the receipt.
#[derive(Debug)]
pub struct Cases<'a> {
    rulebook: &'a Rulebook,
    tagger: Tagger,
    facts: HashMap<SmolStr, CaseFacts>,
}

impl<'a> Cases<'a> {
    pub fn new(rulebook: &'a Rulebook) -> Self {
        Self { rulebook, tagger: Tagger::unkeyed(), facts: HashMap::new() }
    }

    /// Takes an event if it was known at `as_of`: unseen is what was received later, or claimed later where no
    /// receipt is known. Err says why it is refused, without any value of it.
    pub fn add(&mut self, event: &[u8], as_of: Timestamp) -> Result<(), Value> {
        match self.decoded(event)? {
            Some((case, fact)) => self.add_fact(case, fact, as_of),
            None => Ok(()),
        }
    }

    /// The fact that an event states, and of which case; None of an event about no case.
    pub fn decoded(&self, event: &[u8]) -> Result<Option<(SmolStr, Fact)>, Value> {
        match decode(event, &self.tagger, Keep::Fact) {
            Ok(Event::Case(decoded)) => {
                let decoded = decoded.from_file();
                Ok(Some((decoded.subject, decoded.fact)))
            }
            Ok(Event::Figure(_)) => Ok(None),
            Err(error) => {
                let faults = error.faults();
                let faults: Vec<Value> = faults
                    .iter()
                    .map(|fault| json!({ "pointer": fault.pointer, "code": fault.code }))
                    .collect();
                Err(json!({ "code": error.code(), "faults": faults }))
            }
        }
    }

    /// [`Cases::add`] of a fact.
    pub fn add_fact(&mut self, case: SmolStr, fact: Fact, as_of: Timestamp) -> Result<(), Value> {
        if !fact.is_pin() && !self.rulebook.sources.contains_key(&fact.source) {
            return Err(json!({ "code": "unknown_source" }));
        }
        if !is_seen(&fact, as_of, self.rulebook) {
            return Ok(());
        }
        match self.facts.entry(case).or_default().add(fact, self.rulebook) {
            Added::Applied | Added::Duplicate { .. } => Ok(()),
            Added::IdConflict => Err(json!({ "code": "id_conflict" })),
            Added::FutureDated => Err(json!({ "code": "future_dated" })),
            Added::CaseTooLong => Err(json!({ "code": "case_too_long" })),
        }
    }

    /// The facts of every case, before any decision of ours is taken.
    pub fn into_facts(self) -> HashMap<SmolStr, CaseFacts> {
        self.facts
    }

    /// The score of every case, in no order; dispatch decisions of ours that were due by then are taken.
    pub fn scores(&mut self, decided_by: Timestamp, mut each: impl FnMut(&Score)) {
        let bar = progress::count(self.facts.len() as u64, "folding");
        for (case, facts) in &mut self.facts {
            let (view, _) = settle(case, facts, self.rulebook, decided_by);
            each(&score(&view, self.rulebook));
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
}

/// Which rows of the ledger are read.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'s> {
    All,
    /// What was known to a bulletin: events below its position vector and, of our own decisions, which have no position,
    /// those below its number in the ledger, or without one those taken by its instant.
    Known(&'s Stamp),
}

impl Reach<'_> {
    fn takes(self, row: &Exported) -> bool {
        let Self::Known(stamp) = self else { return true };
        match stamp.ledger_below {
            Some(below) if row.seq >= below => false,
            None if row.origin == PIPELINE_ORIGIN => row.received_at <= stamp.as_of,
            _ if row.origin == PIPELINE_ORIGIN => true,
            _ => stamp.positions.get(row.origin.as_str()).is_some_and(|next| row.origin_offset < *next),
        }
    }
}

/// Adds the events of the ledger, as the running transaction sees it. The inner error is a row that is no event, or is
/// refused.
pub async fn read_ledger(
    tx: &mut PgConnection,
    cases: &mut Cases<'_>,
    reach: Reach<'_>,
) -> Result<anyhow::Result<()>, hotline_postgres::Error> {
    if let Some(month) = retention::newest_dropped(tx).await? {
        return Ok(Err(anyhow::anyhow!(
            "the ledger up to {} was dropped by `hotline retention`: nothing can be folded from its beginning on",
            month.strftime("%Y-%m")
        )));
    }
    let mut after = 0;
    loop {
        let page = ledger::page(tx, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(Ok(())) };
        after = last.seq;
        for row in page.iter().filter(|row| reach.takes(row)) {
            let event = match event_of(row, &cases.rulebook.sources) {
                Ok(event) => event,
                Err(error) => return Ok(Err(error)),
            };
            let event = Value::Object(event).to_string();
            if let Err(refusal) = cases.add(event.as_bytes(), Timestamp::MAX) {
                return Ok(Err(anyhow::anyhow!("the ledger's row {} is refused: {refusal}", row.seq)));
            }
        }
    }
}

/// Calls `take` with every event of the files, in order, under a progress bar; what it refuses goes to standard error as
/// NDJSON with file and line. How many were refused.
pub fn read_files(
    paths: &[PathBuf],
    mut take: impl FnMut(&[u8]) -> Result<(), Value>,
) -> anyhow::Result<u64> {
    let bar = progress::bytes(files::length(paths), "reading");
    let mut refused = 0_u64;
    for file in paths {
        files::lines(files::open(file)?, |number, line| {
            bar.inc(line.len() as u64 + 1);
            if let Err(mut refusal) = take(line) {
                refused += 1;
                refusal["file"] = file.display().to_string().into();
                refusal["line"] = number.into();
                eprintln!("{refusal}");
            }
            Ok(())
        })
        .with_context(|| format!("reading {}", file.display()))?;
    }
    bar.finish_and_clear();
    Ok(refused)
}
