//! The whole history of one case, in one snapshot: what `hotline explain` shows, where every event came from, who
//! corrected what, what was restated, and its closure records.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
use hotline_core::findings::{Finding, authors, findings};
use hotline_postgres::leaves::{self, Written};
use hotline_postgres::ledger::{self, CameFrom};
use hotline_postgres::restatements::{self, Numbered};
use hotline_postgres::seal::hex;
use hotline_postgres::{PgConnection, Viewed, run_read_tx};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Queries;
use super::table::instant;
use crate::error::Error;

/// Restatements of one case at most: more are in the list.
const RESTATEMENTS_MAX: usize = 1_000;

/// One case, as an auditor reads it.
#[derive(Debug)]
pub struct History {
    pub viewed: Viewed,
    /// By the key of a fact, the event's place in the log or the table that it came from.
    pub origins: BTreeMap<EventKey, CameFrom>,
    pub findings: Vec<Finding>,
    pub restatements: Vec<Numbered>,
    pub records: Vec<Written>,
}

impl Queries {
    /// One case under the rulebook in force; None: no event about it was taken in.
    pub async fn history(&self, case: &str) -> Result<Option<History>, Error> {
        let Some(viewed) = self.rules.view(case, None).await? else { return Ok(None) };
        let facts = viewed.facts.facts().iter().map(|fact| (fact.key, fact.ledger_seq));
        let inner = viewed.facts.snapshots().iter().flat_map(|snapshot| {
            let keys = snapshot.facts.iter().map(|fact| fact.key);
            keys.chain([snapshot.key]).map(|key| (key, snapshot.ledger_seq))
        });
        let seqs: BTreeMap<EventKey, i64> = facts
            .chain(inner)
            .map(|(key, seq)| (key, seq.cast_signed()))
            .filter(|(_, seq)| *seq > 0)
            .collect();
        let mut asked = (case, seqs);
        let read = run_read_tx(&self.pool, "audit::history", &mut asked, |tx, (case, seqs)| {
            Box::pin(beside(tx, case, seqs))
        });
        let (origins, restatements, records) = read.await?;
        let findings = findings(&viewed.view, &viewed.facts);
        Ok(Some(History { viewed, origins, findings, restatements, records }))
    }

    /// The exact bytes of a closure record of a case; None: it has none of this number.
    pub async fn leaf(&self, case: &str, id: i64) -> Result<Option<Vec<u8>>, Error> {
        let mut asked = (case, id);
        let read = run_read_tx(&self.pool, "audit::leaf", &mut asked, |tx, (case, id)| {
            Box::pin(leaves::bytes(tx, case, *id))
        });
        Ok(read.await?)
    }
}

type Beside = (BTreeMap<EventKey, CameFrom>, Vec<Numbered>, Vec<Written>);

async fn beside(
    tx: &mut PgConnection,
    case: &str,
    seqs: &BTreeMap<EventKey, i64>,
) -> Result<Beside, hotline_postgres::Error> {
    let numbers: Vec<i64> = seqs.values().copied().collect();
    let by_seq = ledger::origins(tx, &numbers).await?;
    let origins = seqs.iter().filter_map(|(key, seq)| Some((*key, by_seq.get(seq)?.clone()))).collect();
    let filter = restatements::Filter { case_id: Some(case.into()), ..restatements::Filter::default() };
    let restated = restatements::page(tx, &filter, None, RESTATEMENTS_MAX).await?;
    Ok((origins, restated, leaves::of_case(tx, case).await?))
}

impl History {
    /// The departments that held the case at some time, or answer for a clock of it.
    pub fn departments(&self) -> impl Iterator<Item = &str> {
        let view = &self.viewed.view;
        let holders =
            view.rounds.iter().flat_map(|round| &round.custodies).map(|custody| &custody.department);
        let charged = view.clocks.iter().filter_map(|clock| clock.department.as_ref());
        holders.chain(charged).map(smol_str::SmolStr::as_str)
    }

    /// As JSON: what `GET /v1/cases/{id}` answers, with an `origin` for every fact, `marks` for every correction, and what
    /// else is known of the case.
    pub fn to_json(&self, as_of: Timestamp) -> Value {
        let zone = &self.viewed.in_force.rulebook.timezone;
        let mut shown = self.viewed.shown(as_of);
        let rounds = shown["rounds"].as_array_mut().into_iter().flatten();
        for (round, of) in rounds.zip(&self.viewed.view.rounds) {
            let facts = round["facts"].as_array_mut().into_iter().flatten();
            for (fact, step) in facts.zip(&of.steps) {
                fact["origin"] = self.origin(step.key);
            }
        }
        let corrections = shown["corrections"].as_array_mut().into_iter().flatten();
        for (correction, of) in corrections.zip(&self.viewed.view.corrections) {
            correction["marks"] = authors(&self.viewed.view, &self.viewed.facts, of).into();
        }
        let finding = |finding: &Finding| {
            json!({
                "kind": finding.kind.name(),
                "at": instant(finding.at, zone),
                "round": finding.round,
                "department": finding.department.as_str(),
                "fact": finding.fact.map(|fact| fact.to_string()),
                "marks": finding.marks,
            })
        };
        shown["findings"] = self.findings.iter().map(finding).collect();
        let restated = |row: &Numbered| {
            json!({
                "restated_at": instant(row.listed.restated_at, zone),
                "from_rulebook": row.listed.from_rulebook_seq,
                "to_rulebook": row.listed.to_rulebook_seq,
                "basis": row.listed.series.basis.name(),
                "day": row.listed.day.to_string(),
                "department": row.listed.series.cell.department.as_str(),
                "measure": row.listed.series.measure.as_str(),
                "before": row.listed.old_value,
                "now": row.listed.new_value,
                "bulletins": row.published_in,
            })
        };
        shown["restatements"] = self.restatements.iter().map(restated).collect();
        let record = |record: &Written| {
            json!({
                "id": record.id,
                "kind": record.kind,
                "written_at": instant(record.written_at, zone),
                "sha256": hex(&record.sha256),
                "href": format!("/v1/closures/{}/records/{}", self.viewed.view.case, record.id),
                "proof": format!("/log/proof/{}", record.id),
            })
        };
        shown["records"] = self.records.iter().map(record).collect();
        shown
    }

    fn origin(&self, key: EventKey) -> Value {
        self.origins.get(&key).map_or(
            Value::Null,
            |came_from| json!({ "origin": came_from.origin.as_str(), "offset": came_from.offset }),
        )
    }
}
