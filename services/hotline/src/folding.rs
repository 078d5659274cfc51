//! Folding events without a database: what `replay` prints and what `tallies check` compares with.

use foldhash::{HashMap, HashMapExt as _};

use hotline_core::case::{Added, CaseFacts, receipt};
use hotline_core::fold::settle;
use hotline_core::rulebook::Rulebook;
use hotline_core::score::{Score, score};
use hotline_events::{Event, Keep, Tagger, decode};
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::progress;

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
        let decoded = match decode(event, &self.tagger, Keep::Fact) {
            Ok(Event::Case(decoded)) => decoded.from_file(),
            Ok(Event::Figure(_)) => return Ok(()),
            Err(error) => {
                let faults = error.faults();
                let faults: Vec<Value> = faults
                    .iter()
                    .map(|fault| json!({ "pointer": fault.pointer, "code": fault.code }))
                    .collect();
                return Err(json!({ "code": error.code(), "faults": faults }));
            }
        };
        let fact = decoded.fact;
        if !fact.is_pin() && !self.rulebook.sources.contains_key(&fact.source) {
            return Err(json!({ "code": "unknown_source" }));
        }
        if receipt(&fact, self.rulebook).unwrap_or(fact.claimed_at) > as_of {
            return Ok(());
        }
        match self.facts.entry(decoded.subject).or_default().add(fact, self.rulebook) {
            Added::Applied | Added::Duplicate { .. } => Ok(()),
            Added::IdConflict => Err(json!({ "code": "id_conflict" })),
            Added::FutureDated => Err(json!({ "code": "future_dated" })),
            Added::CaseTooLong => Err(json!({ "code": "case_too_long" })),
        }
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
