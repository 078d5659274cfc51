//! The pure part of a batch: what its events do to the cases as they were read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use hotline_core::alarm::alarms;
use hotline_core::alarm::telling::LATE_MAX;
use hotline_core::case::{Added, CaseFacts};
use hotline_core::fact::{Body, EventKey, Fact, Kind};
use hotline_core::fold::{View, settle};
use hotline_core::rulebook::Rulebook;
use hotline_core::score::{Score, score};
use hotline_events::closure::{self, Cause, Judgement};
use hotline_events::intake::{Outcome, Reason, RecordContent};
use hotline_events::notice::Notice;
use hotline_events::{Decoded, Event};
use jiff::Timestamp;
use smol_str::SmolStr;

use super::plan::{Place, Plan};
use super::{Closing, Older};
use crate::cases::{Columns, Loaded, Recorded, fold_version};
use crate::error::Error;
use crate::restatements::Restatement;
use crate::rulebooks::Active;

/// A case after its events.
pub(crate) struct FoldedCase {
    pub(crate) case_id: SmolStr,
    pub(crate) revision: Option<i64>,
    pub(crate) facts: CaseFacts,
    pub(crate) columns: Columns,
    pub(crate) old: Score,
    pub(crate) score: Score,
    /// Dispatch decisions taken in this fold.
    pub(crate) pins: Vec<Fact>,
    pub(crate) restatement: Option<Restatement>,
    /// What departments are told of our own dispatch decisions.
    pub(crate) notices: Vec<Notice>,
    /// What is decided now, where that is not what was recorded last.
    pub(crate) judgement: Option<Judgement>,
    /// What made the difference; events and decisions are added when they have their numbers in the ledger.
    pub(crate) causes: Vec<Cause>,
    /// As it was read, with the commitments of what is sealed by this batch.
    pub(crate) recorded: Recorded,
    /// As it was read, a fact of it was entered late.
    pub(crate) was_backdated: bool,
    /// Something is to be written.
    pub(crate) changed: bool,
    /// … and there are facts among it.
    pub(crate) has_news: bool,
}

/// What a case is folded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Events of a batch; whether any of them was taken.
    Events(bool),
    /// Other rules, or a decision that falls due: it is written in any case.
    Again,
}

/// A batch after its fold.
pub(crate) struct Folding {
    /// In key order.
    pub(crate) cases: Vec<FoldedCase>,
    pub(crate) outcomes: Vec<Vec<Outcome>>,
    /// Events that go to the ledger, with the place of their case above; figures have none. In order of arrival.
    pub(crate) accepted: BTreeMap<Place, Option<usize>>,
    /// Which of them were new, so that their sealed part is kept.
    pub(crate) new: BTreeSet<Place>,
}

impl Folding {
    /// The cases that an event of the batch closed.
    pub(crate) fn closings(&self, plan: &Plan<'_>) -> Vec<Closing> {
        let is_closed = |place: &Place| match plan.event(*place) {
            Event::Case(case) => case.kind() == Kind::Closed,
            Event::Figure(_) => false,
        };
        let closed = self.new.iter().filter(|place| is_closed(place));
        let cases: BTreeSet<usize> = closed.filter_map(|place| *self.accepted.get(place)?).collect();
        cases.into_iter().filter_map(|case| Closing::of(&self.cases[case].columns)).collect()
    }
}

impl Closing {
    fn of(columns: &Columns) -> Option<Self> {
        let took = columns.closed_at?.duration_since(columns.received_at?);
        Some(Self { hotline: columns.hotline.clone(), took })
    }
}

/// By what a batch is judged.
pub(crate) struct Judged<'a> {
    pub(crate) active: &'a Active,
    pub(crate) older: &'a Older,
    /// Sources whose events are kept and not folded.
    pub(crate) stopped: &'a BTreeSet<SmolStr>,
}

pub(crate) fn fold(
    plan: &Plan<'_>,
    loaded: Vec<Loaded>,
    figure_tags: &[(EventKey, u64)],
    by: &Judged<'_>,
) -> Result<Folding, Error> {
    let mut folding = Folding {
        cases: Vec::with_capacity(plan.cases.len()),
        outcomes: initial(plan),
        accepted: BTreeMap::new(),
        new: BTreeSet::new(),
    };
    let mut loaded = loaded.into_iter().peekable();
    for (case_id, events) in &plan.cases {
        let known = loaded.next_if(|loaded| loaded.case_id == *case_id);
        let mut facts = decode(case_id, known.as_ref())?;
        let before = folding.accepted.len();
        for (place, decoded) in events {
            take(plan, &mut folding, &mut facts, *place, decoded, by);
        }
        let changed = folding.accepted.len() > before;
        if known.is_none() && facts.is_empty() {
            continue;
        }
        let rules = (by.active, by.older);
        folding.cases.push(refold(case_id, facts, known.as_ref(), rules, plan.as_of, For::Events(changed))?);
    }
    take_figures(plan, &mut folding, figure_tags, by);
    Ok(folding)
}

/// What is known of each event before any case is read.
fn initial(plan: &Plan<'_>) -> Vec<Vec<Outcome>> {
    let outcomes = |content: &RecordContent| match content {
        RecordContent::Events(events) => vec![Outcome::Ignored; events.len()],
        RecordContent::Fault { error, .. } => {
            vec![Outcome::Dead { reason: error.into(), faults: error.faults() }]
        }
        RecordContent::Refused(reason) => vec![dead(*reason)],
    };
    plan.records.iter().map(|record| outcomes(&record.content)).collect()
}

fn dead(reason: Reason) -> Outcome {
    Outcome::Dead { reason, faults: Vec::new() }
}

pub(crate) fn decode(case_id: &str, loaded: Option<&Loaded>) -> Result<CaseFacts, Error> {
    let facts = loaded.map_or(Ok(CaseFacts::default()), |loaded| CaseFacts::decode(&loaded.facts));
    facts.map_err(|source| Error::Facts { case: case_id.into(), source })
}

/// A source that the rulebook lists; our own says nothing but which slot a dispatch fills.
fn is_known(fact: &Fact, rulebook: &Rulebook) -> bool {
    fact.is_pin() || rulebook.sources.contains_key(&fact.source)
}

fn take(
    plan: &Plan<'_>,
    folding: &mut Folding,
    facts: &mut CaseFacts,
    place: Place,
    decoded: &Decoded,
    by: &Judged<'_>,
) {
    let rulebook = &*by.active.rulebook;
    let mut fact = decoded.fact.clone();
    fact.received_at = Some(plan.records[place.0].received_at);
    let mut accept = |is_new: bool| {
        // The place of a case that is about to be pushed.
        folding.accepted.insert(place, Some(folding.cases.len()));
        if is_new {
            folding.new.insert(place);
        }
    };
    let outcome = if by.stopped.contains(&fact.source) {
        dead(Reason::SourceStopped)
    } else if is_known(&fact, rulebook) {
        match facts.add(fact, rulebook) {
            Added::Applied => {
                accept(true);
                Outcome::Applied
            }
            Added::Duplicate { changed } => {
                if changed {
                    accept(false);
                }
                Outcome::Duplicate
            }
            Added::IdConflict => dead(Reason::IdConflict),
            Added::FutureDated => dead(Reason::FutureDated),
            Added::CaseTooLong => dead(Reason::CaseTooLong),
        }
    } else {
        dead(Reason::UnknownSource)
    };
    folding.outcomes[place.0][place.1] = outcome;
}

/// Folds a case anew under the active rulebook.
pub(crate) fn refold(
    case_id: &str,
    mut facts: CaseFacts,
    loaded: Option<&Loaded>,
    (active, older): (&Active, &Older),
    as_of: Timestamp,
    purpose: For,
) -> Result<FoldedCase, Error> {
    let case = || SmolStr::from(case_id);
    let old = match loaded {
        Some(loaded) => Score::decode(&loaded.score).map_err(|_| Error::Score { case: case() })?,
        None => Score::default(),
    };
    let rulebook = &*active.rulebook;
    let restatement = match loaded {
        Some(loaded) if is_stale(loaded, active) => {
            let mut stored =
                CaseFacts::decode(&loaded.facts).map_err(|source| Error::Facts { case: case(), source })?;
            // What the rules change is also what they decide anew.
            let (view, _) = guarded(case_id, || settle(case_id, &mut stored, rulebook, as_of))?;
            let before = older.get(&loaded.rulebook_seq).unwrap_or(&active.rulebook);
            Restatement::between(loaded, (&old, before), (&score(&view, rulebook), rulebook), active.seq)
        }
        _ => None,
    };
    let (view, pins) = guarded(case_id, || settle(case_id, &mut facts, rulebook, as_of))?;
    let score = guarded(case_id, || score(&view, rulebook))?;
    let has_news = purpose == For::Events(true) || !pins.is_empty();
    let changed = has_news || purpose == For::Again;
    let revision = loaded.map(|loaded| loaded.revision);
    let recorded = loaded.map(|loaded| loaded.recorded).unwrap_or_default();
    let judgement = if changed { guarded(case_id, || unrecorded(&view, &recorded, rulebook))? } else { None };
    // Only this much of the view is stored: the views of a whole batch would be most of its memory.
    let ladder = guarded(case_id, || alarms(&view, rulebook))?;
    let columns = Columns::of(&view, &score, &ladder);
    let notices = notices(case_id, &view, &facts, &pins, as_of);
    Ok(FoldedCase {
        case_id: case(),
        revision,
        facts,
        columns,
        old,
        score,
        pins,
        restatement,
        notices,
        causes: if judgement.is_some() { stale_by(loaded, active) } else { Vec::new() },
        judgement,
        recorded,
        was_backdated: loaded.is_some_and(|loaded| loaded.is_backdated),
        changed,
        has_news,
    })
}

/// What is decided of a case, where that is not what was recorded last.
fn unrecorded(view: &View, recorded: &Recorded, rulebook: &Rulebook) -> Option<Judgement> {
    if recorded.records == 0 && !closure::is_judged(view) {
        return None;
    }
    let judgement = Judgement::of(view, rulebook);
    (Some(judgement.fingerprint()) != recorded.judged).then_some(judgement)
}

/// By which rules a case was folded before, where they are others.
fn stale_by(loaded: Option<&Loaded>, active: &Active) -> Vec<Cause> {
    let Some(loaded) = loaded else { return Vec::new() };
    let rulebook = (loaded.rulebook_seq < active.seq).then_some(Cause::Rulebook { was: loaded.rulebook_seq });
    let program =
        (loaded.fold_version < fold_version()).then_some(Cause::Program { was: loaded.fold_version });
    rulebook.into_iter().chain(program).collect()
}

/// What is told of our own decisions: that one was taken, or that the hotline dispatched the case itself. Nothing is
/// told of old events that come in late.
fn notices(case_id: &str, view: &View, facts: &CaseFacts, pins: &[Fact], as_of: Timestamp) -> Vec<Notice> {
    let is_news = |pin: &Fact, slot: EventKey| {
        facts.receipt_of(slot).is_none_or(|receipt| receipt.duration_since(pin.claimed_at) <= LATE_MAX)
    };
    let decided = pins.iter().filter_map(|pin| {
        let Body::Dispatched(dispatched) = &pin.body else { return None };
        let slot = dispatched.pin.as_ref()?.slot;
        is_news(pin, slot).then(|| Notice::of_dispatch(case_id, view, pin, dispatched, as_of))
    });
    let slots = || view.rounds.iter().flat_map(|round| &round.slots);
    let overruled = facts.facts().iter().filter(|fact| fact.is_pin()).filter_map(|pin| {
        let Body::Dispatched(dispatched) = &pin.body else { return None };
        let slot = dispatched.pin.as_ref()?.slot;
        let filled_by = slots().find(|other| other.trigger == slot)?.filled_by.filter(|by| *by != pin.key)?;
        let by = facts.facts().iter().find(|fact| fact.key == filled_by)?.received_at?;
        // Written with the fact that overrules it, and not again.
        (as_of.duration_since(by) <= LATE_MAX && is_news(pin, slot))
            .then(|| Notice::of_overruled(case_id, view, pin, dispatched, (filled_by, by)))
    });
    decided.chain(overruled).collect()
}

pub(crate) fn is_stale(loaded: &Loaded, active: &Active) -> bool {
    loaded.rulebook_seq < active.seq || loaded.fold_version < fold_version()
}

/// A panic in the rules is a bug of ours that must not take the others' cases with it.
pub(crate) fn guarded<T>(case_id: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Panicked { case: case_id.into() })
}

fn take_figures(plan: &Plan<'_>, folding: &mut Folding, tags: &[(EventKey, u64)], by: &Judged<'_>) {
    let mut tags: HashMap<EventKey, u64> = tags.iter().copied().collect();
    for (place, figure) in &plan.figures {
        let outcome = if by.stopped.contains(&figure.source) {
            dead(Reason::SourceStopped)
        } else if !by.active.rulebook.sources.contains_key(&figure.source) {
            dead(Reason::UnknownSource)
        } else if let Some(tag) = tags.get(&figure.key) {
            if *tag == figure.tag { Outcome::Duplicate } else { dead(Reason::IdConflict) }
        } else {
            tags.insert(figure.key, figure.tag);
            folding.accepted.insert(*place, None);
            folding.new.insert(*place);
            Outcome::Applied
        };
        folding.outcomes[place.0][place.1] = outcome;
    }
}
