//! The writing part of a batch: what a fold left, into the tables.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hotline_core::fact::{Body, Dispatched, Fact, Kind};
use hotline_core::findings::may_have;
use hotline_core::fold::pin_id;
use hotline_core::score;
use hotline_events::closure::{self, Cause, NewRecord, Number, RecordKind, Rules};
use hotline_events::intake::{Outcome, RecordContent};
use hotline_events::{Decoded, Event, FIGURE_TYPE, Identity};
use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::PgConnection;

use super::fold::{FoldedCase, Folding};
use super::plan::{Place, Plan};
use crate::cases::{self, Folded, Recorded};
use crate::closure_records::{self, Leaf};
use crate::closures;
use crate::dead_letters::{self, NewLetter};
use crate::error::Error;
use crate::figures::{self, Reported};
use crate::ledger::{self, Entry, PIPELINE_ORIGIN};
use crate::notices;
use crate::personal::{self, Sealed};
use crate::refolds;
use crate::restatements;
use crate::rulebooks::Active;
use crate::seal::{CommitmentKey, MasterKey};
use crate::tallies::{self, Names, Tallies};

/// What was stored of folded cases.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) cases: usize,
    pub(crate) deltas: usize,
    pub(crate) restated: usize,
}

/// Writes the events of a batch: ledger, sealed parts, figures, dead letters. Gives the facts their numbers in
/// the ledger, so it comes before the cases. Returns the number of ledger entries.
pub(crate) async fn events(
    tx: &mut PgConnection,
    master: &MasterKey,
    plan: &Plan<'_>,
    folding: &mut Folding,
    active: &Active,
) -> Result<usize, Error> {
    let numbers = ledger::numbers(tx, folding.accepted.len()).await?;
    let entries: Vec<Entry<'_>> =
        folding.accepted.keys().zip(&numbers).map(|(place, seq)| entry(plan, *place, *seq)).collect();
    ledger::append(tx, &entries).await?;
    for ((place, case), seq) in folding.accepted.iter().zip(&numbers) {
        let Event::Case(decoded) = plan.event(*place) else {
            continue;
        };
        // A copy of a fact that is already there leaves it its first number; a snapshot replaces the older one.
        let keeps = folding.new.contains(place) || matches!(decoded.fact.body, Body::Snapshot(_));
        let Some(case) = *case else { continue };
        let case = &mut folding.cases[case];
        if keeps {
            case.facts.set_ledger_seq(decoded.fact.key, seq.cast_unsigned());
        }
        // All that is new is in the facts of a first record; of that only what closed the case is named once more.
        let kind = decoded.kind();
        let is_told = case.recorded.records > 0
            || !keeps
            || kind.closes()
            || matches!(decoded.fact.body, Body::Snapshot(_));
        if case.judgement.is_some() && is_told {
            case.causes.push(cause(plan, *place, decoded, *seq));
        }
    }
    seal(tx, master, plan, folding).await?;
    store_figures(tx, plan, folding, &numbers).await?;
    let written = entries.len() + pins(tx, &mut folding.cases, plan.as_of).await?;
    if !plan.is_redrive {
        bury(tx, master, plan, &folding.outcomes, active).await?;
    }
    Ok(written)
}

/// Writes the cases that changed, what they add to the tallies, and what of them was restated.
pub(crate) async fn cases(
    tx: &mut PgConnection,
    names: &Names,
    folded: &[FoldedCase],
    active: &Active,
    now: Timestamp,
) -> Result<Stored, Error> {
    let changed = || folded.iter().filter(|case| case.changed);
    let rows: Vec<Folded> = changed()
        .map(|case| Folded {
            case_id: case.case_id.clone(),
            revision: case.revision,
            facts: case.facts.encode(),
            score: case.score.encode(),
            columns: case.columns.clone(),
            recorded: recorded(case),
        })
        .collect();
    cases::write(tx, &rows, active.seq, now).await?;
    let records: Vec<Leaf> =
        changed().zip(&rows).flat_map(|(case, row)| leaves(case, row, active, now)).collect();
    closure_records::append(tx, &records, now).await?;
    let may_be = |case: &FoldedCase| {
        may_have(&case.facts) || case.was_backdated || case.columns.backdated_at.is_some()
    };
    let listed = changed().filter(|case| may_be(case));
    closures::append(tx, listed.map(|case| case.case_id.as_str())).await?;
    let told: Vec<_> = changed().flat_map(|case| case.notices.iter().cloned()).collect();
    notices::append(tx, &told, now).await?;
    if !rows.is_empty() {
        refolds::reopen_newer(tx).await?;
    }
    let mut deltas = Tallies::new();
    for case in changed() {
        score::add_deltas(&mut deltas, &case.old, &case.score);
    }
    deltas.retain(|_, value| *value != 0);
    tallies::append(tx, names, &deltas).await?;
    let restated: Vec<_> = changed().filter_map(|case| case.restatement.clone()).collect();
    restatements::append(tx, &restated, now).await?;
    Ok(Stored { cases: rows.len(), deltas: deltas.len(), restated: restated.len() })
}

/// What stands in records of a case when it is written.
fn recorded(case: &FoldedCase) -> Recorded {
    match &case.judgement {
        Some(judgement) => Recorded {
            records: case.recorded.records + 1,
            judged: Some(judgement.fingerprint()),
            whole: true,
            ..case.recorded
        },
        None => Recorded { whole: case.recorded.whole && !case.has_news, ..case.recorded },
    }
}

/// The record of a case of which something else is decided than was recorded last.
fn leaves(case: &FoldedCase, row: &Folded, active: &Active, now: Timestamp) -> Vec<Leaf> {
    let Some(judgement) = &case.judgement else { return Vec::new() };
    let kind = RecordKind::of_case(&case.causes, case.recorded.records == 0);
    let record = NewRecord {
        case: &case.case_id,
        kind,
        number: Number::Nth(row.recorded.records.unsigned_abs()),
        written_at: now,
        rules: Rules { seq: active.seq, hash: &active.rulebook.hash },
        causes: &case.causes,
        judgement,
        facts: &closure::facts_of(&case.facts),
        personal: row.recorded.personal,
    };
    let leaf = |bytes| Leaf { case_id: Some(case.case_id.clone()), kind: kind.name(), bytes };
    record.leaves().into_iter().map(leaf).collect()
}

/// An event of the batch as what made a difference.
fn cause(plan: &Plan<'_>, place: Place, decoded: &Decoded, ledger: i64) -> Cause {
    Cause::Event {
        kind: decoded.kind(),
        source: decoded.fact.source.clone(),
        id: decoded.id.clone(),
        origin: plan.origin.as_str().into(),
        offset: plan.offsets[place.0],
        ledger,
    }
}

/// Writes the dispatch decisions taken in a fold to the ledger and gives the facts their numbers.
pub(crate) async fn pins(
    tx: &mut PgConnection,
    folded: &mut [FoldedCase],
    as_of: Timestamp,
) -> Result<usize, Error> {
    let pins: Vec<(usize, Fact)> = folded
        .iter()
        .enumerate()
        .flat_map(|(at, case)| case.pins.iter().map(move |pin| (at, pin.clone())))
        .collect();
    let numbers = ledger::numbers(tx, pins.len()).await?;
    let mut events = Vec::with_capacity(pins.len());
    for ((at, pin), seq) in pins.iter().zip(numbers) {
        let case = &mut folded[*at];
        case.facts.set_ledger_seq(pin.key, seq.cast_unsigned());
        let id = pin_id(&case.case_id, slot(pin));
        if case.judgement.is_some() {
            case.causes.push(Cause::decision(&id, PIPELINE_ORIGIN, seq));
        }
        let identity = Identity { subject: &case.case_id, id: &id, corrects: None };
        let event = hotline_events::encode(identity, pin).expect("only a correction needs its target's name");
        events.push((case.case_id.clone(), id, event.to_string(), seq));
    }
    let entries: Vec<Entry<'_>> = events
        .iter()
        .zip(&pins)
        .map(|((case_id, id, event, seq), (_, pin))| Entry {
            seq: *seq,
            case_id: Some(case_id),
            event_key: pin.key,
            source: &pin.source,
            id,
            event_type: event_type(Kind::Dispatched),
            received_at: as_of,
            origin: PIPELINE_ORIGIN,
            origin_offset: 0,
            event: event.as_bytes(),
        })
        .collect();
    ledger::append(tx, &entries).await?;
    Ok(entries.len())
}

fn slot(pin: &Fact) -> hotline_core::fact::EventKey {
    match &pin.body {
        Body::Dispatched(dispatched) => match &**dispatched {
            Dispatched { pin: Some(pin), .. } => pin.slot,
            _ => unreachable!("a dispatch of ours says which slot it fills"),
        },
        _ => unreachable!("our decisions are dispatches"),
    }
}

fn entry<'b>(plan: &'b Plan<'_>, place: Place, seq: i64) -> Entry<'b> {
    let (case_id, event_key, source, id, event_type, event) = match plan.event(place) {
        Event::Case(case) => (
            Some(case.subject.as_str()),
            case.fact.key,
            &case.fact.source,
            &case.id,
            event_type(case.kind()),
            &case.public,
        ),
        Event::Figure(figure) => (None, figure.key, &figure.source, &figure.id, FIGURE_TYPE, &figure.public),
    };
    Entry {
        seq,
        case_id,
        event_key,
        source,
        id,
        event_type,
        received_at: plan.records[place.0].received_at,
        origin: &plan.origin,
        origin_offset: plan.offsets[place.0],
        event,
    }
}

/// The CloudEvents types by kind, made once.
fn event_type(kind: Kind) -> &'static str {
    static TYPES: OnceLock<Vec<String>> = OnceLock::new();
    &TYPES.get_or_init(|| Kind::ALL.iter().map(|kind| kind.event_type()).collect())[kind as usize]
}

async fn seal(
    tx: &mut PgConnection,
    master: &MasterKey,
    plan: &Plan<'_>,
    folding: &mut Folding,
) -> Result<(), Error> {
    let mut parts = Vec::new();
    for place in &folding.new {
        let (owner, key, personal) = match plan.event(*place) {
            Event::Case(case) => (case.subject.to_string(), case.fact.key, &case.personal),
            Event::Figure(figure) => (format!("figure/{}", figure.key), figure.key, &figure.personal),
        };
        if let Some(personal) = personal {
            parts.push((owner, key, personal.to_bytes(), folding.accepted[place]));
        }
    }
    let mut owners: Vec<&str> = parts.iter().map(|(owner, ..)| owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let keys = personal::keys(tx, master, &owners, plan.as_of).await?;
    let commitment_keys: BTreeMap<&str, CommitmentKey> =
        keys.iter().map(|(owner, key)| (owner.as_str(), key.commitment_key())).collect();
    let sealed: Vec<Sealed<'_>> = parts
        .iter()
        .map(|(owner, event_key, members, case)| {
            let place = case.map(|case| {
                let commitments = &mut folding.cases[case].recorded.personal;
                commitments.add(&event_key.0, &commitment_keys[owner.as_str()].commitment(members));
                commitments.count
            });
            let sealed = keys[owner].seal(owner, &event_key.0, members);
            Sealed { owner, event_key: *event_key, sealed, place }
        })
        .collect();
    personal::append(tx, &sealed).await
}

async fn store_figures(
    tx: &mut PgConnection,
    plan: &Plan<'_>,
    folding: &Folding,
    numbers: &[i64],
) -> Result<(), Error> {
    let mut reported = Vec::new();
    for (place, seq) in folding.accepted.keys().zip(numbers) {
        if let Event::Figure(figure) = plan.event(*place) {
            let received_at = plan.records[place.0].received_at;
            reported.push(Reported { figure, received_at, ledger_seq: *seq });
        }
    }
    reported.sort_unstable_by_key(|reported| reported.figure.key);
    figures::insert(tx, &reported).await
}

/// A record is one dead letter, however many of its events were refused.
async fn bury(
    tx: &mut PgConnection,
    master: &MasterKey,
    plan: &Plan<'_>,
    outcomes: &[Vec<Outcome>],
    active: &Active,
) -> Result<(), Error> {
    let mut letters = Vec::new();
    for (at, events) in outcomes.iter().enumerate() {
        let first = events.iter().enumerate().find_map(|(n, outcome)| match outcome {
            Outcome::Dead { reason, faults } => Some((n, *reason, faults.as_slice())),
            _ => None,
        });
        let Some((n, reason, faults)) = first else {
            continue;
        };
        let record = &plan.records[at];
        let (source, event_key, case_id) = match &record.content {
            RecordContent::Events(events) => match &events[n] {
                Event::Case(case) => {
                    (Some(&case.fact.source), Some(case.fact.key), Some(case.subject.as_str()))
                }
                Event::Figure(figure) => (Some(&figure.source), Some(figure.key), None),
            },
            RecordContent::Fault { source, .. } => (source.as_ref(), None, None),
            RecordContent::Refused(_) => (None, None, None),
        };
        // Anybody may write anything into a source that nobody listed, and into what comes with it.
        let source = source.filter(|source| active.rulebook.sources.contains_key(*source));
        letters.push(NewLetter {
            origin: &plan.origin,
            origin_offset: plan.offsets[at],
            received_at: record.received_at,
            reason,
            faults,
            source: source.map(SmolStr::as_str),
            event_key,
            case_id: case_id.filter(|_| source.is_some()),
            sealed: master.seal_letter(&plan.origin, plan.offsets[at], &record.raw)?,
        });
    }
    dead_letters::append(tx, &letters).await
}
