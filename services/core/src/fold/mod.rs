//! From facts to the view of a case, in four passes, each a plain function from one structure to the next:
//!
//! ```text
//! admit    corrections resolved, snapshots opened, three times, one total order
//! walk     rounds, custody, slots, what was expected and what was not
//! clocks   which policy, from when, to when, holds, extensions, review
//! verdict  who is charged, what was ruled, what the caller said
//! ```
//!
//! Guarantee: the view is a function of the set of facts and of the rulebook, whatever the order of arrival.
//! The fold deliberately knows no "now": what is overdue is asked of a view with an instant.

mod admit;
mod clocks;
#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod verdict;
mod view;
mod walk;

pub use view::{
    Attributes, Changed, Clock, ClockState, Closing, Correction, Custody, CustodyEnd, HoldSpan, Outcome,
    Proposal, Rating, Round, SlotView, Step, Submission, Verdict, View,
};

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::case::CaseFacts;
use crate::fact::{Body, Dispatched, EventKey, Fact, PIPELINE_SOURCE, Pin, Precision, Role};
use crate::rulebook::Rulebook;

/// The version of the fold: raised whenever the same facts and rulebook give another view, score or column, so that
/// stored cases are folded anew.
pub const FOLD_VERSION: u32 = 7;

/// The view of the case `<hotline>:<number>` under a rulebook.
pub fn fold(case: &str, facts: &CaseFacts, rulebook: &Rulebook) -> View {
    let mut admission = admit::admit(facts, rulebook);
    let corrections = std::mem::take(&mut admission.corrections);
    let walked = walk::walk(case, &admission, rulebook);
    View { corrections, ..judged(walked, rulebook) }
}

fn judged(walked: walk::Walked<'_>, rulebook: &Rulebook) -> View {
    let clocks = clocks::clocks(&walked, rulebook);
    verdict::judge(walked, clocks, rulebook)
}

/// Folds a case and takes the dispatch decisions that are due by `as_of`: each becomes a pin among the facts.
/// Returns the view and the pins added, in order.
pub fn settle(case: &str, facts: &mut CaseFacts, rulebook: &Rulebook, as_of: Timestamp) -> (View, Vec<Fact>) {
    let mut pins = Vec::new();
    loop {
        let admission = admit::admit(facts, rulebook);
        let walked = walk::walk(case, &admission, rulebook);
        let due = walked.proposal.as_ref().filter(|proposal| proposal.at <= as_of);
        // A decision is taken once, whatever became of it: the loop ends.
        let pin = due.map(|proposal| pin(case, proposal, rulebook, as_of));
        let Some(pin) = pin.filter(|pin| !facts.contains(pin.key)) else {
            let corrections = admission.corrections.clone();
            return (View { corrections, ..judged(walked, rulebook) }, pins);
        };
        facts.pin(pin.clone());
        pins.push(pin);
    }
}

/// The event that records one of our own dispatch decisions.
fn pin(case: &str, proposal: &Proposal, rulebook: &Rulebook, as_of: Timestamp) -> Fact {
    Fact {
        key: EventKey::of(PIPELINE_SOURCE, &pin_id(case, proposal.slot)),
        source: SmolStr::new_static(PIPELINE_SOURCE),
        body: Body::Dispatched(Box::new(Dispatched {
            department: proposal.department.clone(),
            from: None,
            role: Role::Lead,
            reason: None,
            basis: None,
            own_limit: None,
            pin: Some(Pin {
                slot: proposal.slot,
                rule: proposal.rule.clone(),
                rulebook: rulebook.hash.clone(),
            }),
        })),
        claimed_at: proposal.at,
        precision: Precision::Second,
        received_at: Some(as_of),
        recorded_at: None,
        sequence: 0,
        tag: 0,
        ledger_seq: 0,
    }
}

/// The id of the pin that fills a slot of a case: one slot, one pin, whoever decides it first.
pub fn pin_id(case: &str, slot: EventKey) -> String {
    format!("{case}/{slot}")
}
