//! First pass: which facts act, with which data, at which instant, in which order.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use crate::anomaly::{Anomaly, AnomalyCode};
use crate::case::{CaseFacts, effective_receipt};
use crate::fact::{Body, Change, EventKey, Kind, PIPELINE_SOURCE, Pin, Precision};
use crate::fold::view::{Changed, Correction};
use crate::rulebook::{LateStop, Rulebook, Source};

/// A fact that acts.
#[derive(Clone, Debug)]
pub(super) struct Admitted<'a> {
    pub(super) key: EventKey,
    pub(super) source: &'a SmolStr,
    pub(super) body: &'a Body,
    pub(super) claimed_at: Timestamp,
    pub(super) received_at: Option<Timestamp>,
    pub(super) counted_at: Timestamp,
    pub(super) precision: Precision,
    pub(super) sequence: u64,
}

/// One of our own decisions.
#[derive(Clone, Debug)]
pub(super) struct AdmittedPin<'a> {
    pub(super) fact: Admitted<'a>,
    pub(super) pin: &'a Pin,
}

#[derive(Debug, Default)]
pub(super) struct Admission<'a> {
    /// In the total order of DESIGN.md, section 7; corrections and pins are not among them.
    pub(super) timeline: Vec<Admitted<'a>>,
    pub(super) pins: Vec<AdmittedPin<'a>>,
    pub(super) anomalies: Vec<Anomaly>,
    /// Those that act, in the order in which they count.
    pub(super) corrections: Vec<Correction>,
}

/// A fact before corrections.
struct Item<'a> {
    fact: Admitted<'a>,
    /// The receipt by which `time` is tested; a corrected fact keeps it.
    receipt: Option<Timestamp>,
    voided: bool,
    corrected: bool,
}

pub(super) fn admit<'a>(facts: &'a CaseFacts, rulebook: &Rulebook) -> Admission<'a> {
    let mut items = items(facts, rulebook);
    let mut admission = Admission::default();
    if items.iter().any(|item| matches!(item.fact.body, Body::Corrected(_))) {
        correct(&mut items, rulebook, &mut admission);
    }
    for mut item in items {
        if item.voided || matches!(item.fact.body, Body::Corrected(_)) {
            continue;
        }
        let flag = count(&mut item, rulebook);
        admission.anomalies.extend(flag.map(|code| Anomaly {
            at: item.fact.counted_at,
            code,
            fact: Some(item.fact.key),
        }));
        match item.fact.body {
            Body::Dispatched(dispatched) if item.fact.source == PIPELINE_SOURCE => {
                if let Some(pin) = &dispatched.pin {
                    admission.pins.push(AdmittedPin { fact: item.fact, pin });
                }
            }
            _ => admission.timeline.push(item.fact),
        }
    }
    admission.timeline.sort_by_key(|a| order(a));
    admission
}

fn order(fact: &Admitted<'_>) -> (Timestamp, u64, Kind, EventKey) {
    (fact.counted_at, fact.sequence, fact.body.kind(), fact.key)
}

fn items<'a>(facts: &'a CaseFacts, rulebook: &Rulebook) -> Vec<Item<'a>> {
    let mut items = Vec::with_capacity(facts.count());
    for fact in facts.facts() {
        let source = rulebook.sources.get(&fact.source);
        let receipt = effective_receipt(source, fact.claimed_at, fact.received_at, fact.recorded_at);
        items.push(Item {
            fact: Admitted {
                key: fact.key,
                source: &fact.source,
                body: &fact.body,
                claimed_at: fact.claimed_at,
                received_at: fact.received_at,
                counted_at: fact.claimed_at,
                precision: fact.precision,
                sequence: fact.sequence,
            },
            receipt,
            voided: false,
            corrected: false,
        });
    }
    for snapshot in facts.snapshots() {
        let source = rulebook.sources.get(&snapshot.source);
        for inner in &snapshot.facts {
            let seen = snapshot.receipts.binary_search_by(|receipt| receipt.key.cmp(&inner.key));
            let seen = seen.ok().map(|at| snapshot.receipts[at]);
            let received_at = seen.and_then(|seen| seen.received_at);
            let recorded_at = seen.and_then(|seen| seen.recorded_at);
            items.push(Item {
                fact: Admitted {
                    key: inner.key,
                    source: &snapshot.source,
                    body: &inner.body,
                    claimed_at: inner.claimed_at,
                    received_at,
                    counted_at: inner.claimed_at,
                    precision: inner.precision,
                    sequence: 0,
                },
                receipt: effective_receipt(source, inner.claimed_at, received_at, recorded_at),
                voided: false,
                corrected: false,
            });
        }
    }
    items
}

/// Resolves corrections from the last to the first: of several in force the last wins, and a voided correction
/// acts on nothing.
fn correct(items: &mut [Item<'_>], rulebook: &Rulebook, admission: &mut Admission<'_>) {
    let places: HashMap<EventKey, usize> =
        items.iter().enumerate().map(|(place, item)| (item.fact.key, place)).collect();
    let mut corrections: Vec<usize> =
        (0..items.len()).filter(|place| matches!(items[*place].fact.body, Body::Corrected(_))).collect();
    for place in &corrections {
        count(&mut items[*place], rulebook);
    }
    corrections.sort_by(|a, b| order(&items[*b].fact).cmp(&order(&items[*a].fact)));
    for place in corrections {
        if items[place].voided {
            continue;
        }
        match correct_one(items, place, &places) {
            Ok(correction) => admission.corrections.extend(correction),
            Err(code) => {
                let at = items[place].fact.counted_at;
                admission.anomalies.push(Anomaly { at, code, fact: Some(items[place].fact.key) });
            }
        }
    }
    admission.corrections.reverse();
}

fn correct_one(
    items: &mut [Item<'_>],
    place: usize,
    places: &HashMap<EventKey, usize>,
) -> Result<Option<Correction>, AnomalyCode> {
    let Body::Corrected(correction) = items[place].fact.body else { return Ok(None) };
    let target = *places.get(&correction.target).ok_or(AnomalyCode::CorrectionTargetUnknown)?;
    if target == place {
        return Err(AnomalyCode::CorrectionOutOfOrder);
    }
    if items[target].fact.body.kind() != correction.target_kind {
        return Err(AnomalyCode::CorrectionMismatch);
    }
    if items[target].fact.source == PIPELINE_SOURCE {
        // Its slot would be open again, and we would decide the same.
        return Err(AnomalyCode::CorrectionOfOurs);
    }
    let is_correction = correction.target_kind == Kind::Corrected;
    if is_correction && order(&items[target].fact) > order(&items[place].fact) {
        return Err(AnomalyCode::CorrectionOutOfOrder);
    }
    let Admitted { source, counted_at, received_at, .. } = items[place].fact.clone();
    let item = &mut items[target];
    if item.corrected {
        // A later correction of the same fact is in force already.
        return Ok(None);
    }
    item.corrected = true;
    let claimed_at = item.fact.claimed_at;
    let change = match &correction.change {
        Change::Void => {
            item.voided = true;
            Changed::Voided
        }
        Change::Replace { body, time } => {
            if let Some(body) = body {
                if body.kind() != correction.target_kind {
                    return Err(AnomalyCode::CorrectionMismatch);
                }
                item.fact.body = body;
            }
            item.fact.claimed_at = time.unwrap_or(item.fact.claimed_at);
            time.map_or(Changed::Restated, Changed::Moved)
        }
    };
    let (target, kind) = (correction.target, correction.target_kind);
    Ok(Some(Correction {
        at: counted_at,
        received_at,
        source: source.clone(),
        target,
        kind,
        claimed_at,
        change,
    }))
}

/// Sets when the fact counts, and says what was odd about its time.
fn count(item: &mut Item<'_>, rulebook: &Rulebook) -> Option<AnomalyCode> {
    if item.fact.source == PIPELINE_SOURCE {
        // Our own decisions are dated at the instant they were due, not at the batch that took them.
        item.fact.counted_at = item.fact.claimed_at;
        return None;
    }
    let source = rulebook.sources.get(item.fact.source);
    let claimed = match item.fact.precision {
        Precision::Second => item.fact.claimed_at,
        Precision::Day => end_of_day(item.fact.claimed_at, source, rulebook),
    };
    item.fact.counted_at = claimed;
    let receipt = item.receipt?;
    let ahead = match item.fact.precision {
        Precision::Second => claimed > receipt,
        // By date: today is not ahead of any instant of today.
        Precision::Day => claimed > end_of_day(receipt, source, rulebook),
    };
    if ahead {
        counted_at_receipt(item, receipt);
        return Some(AnomalyCode::ClockAhead);
    }
    let backdate_max = source.map_or(SignedDuration::MAX, |source| source.backdate_max);
    if receipt.duration_since(claimed) > backdate_max {
        let late_stop = source.map_or(LateStop::Received, |source| source.late_stop);
        if late_stop == LateStop::Received && item.fact.body.kind() != Kind::Received {
            counted_at_receipt(item, receipt);
        }
        return Some(AnomalyCode::Backdated);
    }
    None
}

/// A receipt is known to the instant, whatever the precision of the claim.
fn counted_at_receipt(item: &mut Item<'_>, receipt: Timestamp) {
    item.fact.counted_at = receipt;
    item.fact.precision = Precision::Second;
}

/// The last microsecond of the day in which `at` lies, by the source's clock.
fn end_of_day(at: Timestamp, source: Option<&Source>, rulebook: &Rulebook) -> Timestamp {
    let zone = source.map_or(&rulebook.timezone, |source| &source.timezone);
    let date = zone.to_datetime(at).date();
    let Ok(tomorrow) = date.tomorrow() else { return at };
    let start = zone.to_ambiguous_timestamp(tomorrow.at(0, 0, 0, 0)).compatible();
    start.ok().and_then(|start| start.checked_sub(SignedDuration::from_micros(1)).ok()).unwrap_or(at)
}
