//! What joins a case and what is refused.

use jiff::SignedDuration;

use super::{Added, CaseFacts, ENDING_FACTS_MAX, FACTS_MAX};
use crate::fact::Body;
use crate::fold::samples::{PLATFORM, POLICIES, at, case, fact, rulebook, snapshot};

#[test]
fn the_same_again_is_a_duplicate_and_other_content_a_conflict() {
    let rulebook = rulebook(POLICIES);
    let first = fact("09-21 09:00 received");
    let mut known = case([first.clone()], &rulebook);
    assert_eq!(known.add(first.clone(), &rulebook), Added::Duplicate { changed: false });
    let mut other = first;
    other.tag += 1;
    assert_eq!(known.add(other, &rulebook), Added::IdConflict);
    assert_eq!(known.count(), 1);
}

#[test]
fn a_copy_received_earlier_moves_the_receipt() {
    let rulebook = rulebook(POLICIES);
    let late = fact("09-21 09:00 closed D1 id=c recorded=10-01T09:00");
    let mut early = late.clone();
    early.received_at = Some(at("09-22 09:00"));
    let mut known = case([late.clone()], &rulebook);
    assert_eq!(known.add(early, &rulebook), Added::Duplicate { changed: true });
    assert_eq!(known.add(late, &rulebook), Added::Duplicate { changed: false });
    assert_eq!(known.facts()[0].received_at, Some(at("09-22 09:00")));
}

#[test]
fn a_claim_a_day_ahead_is_kept_and_one_further_ahead_refused() {
    let rulebook = rulebook(POLICIES);
    let ahead = |ahead: SignedDuration| {
        let mut fact = fact("09-21 09:00 received recorded=09-21T09:00");
        fact.claimed_at += ahead;
        CaseFacts::default().add(fact, &rulebook)
    };
    assert_eq!(ahead(SignedDuration::from_hours(24)), Added::Applied);
    assert_eq!(ahead(SignedDuration::from_hours(24) + SignedDuration::from_secs(1)), Added::FutureDated);
}

#[test]
fn a_full_case_takes_only_what_ends_or_corrects_it() {
    let rulebook = rulebook(POLICIES);
    let mut full = CaseFacts::default();
    for n in 0..FACTS_MAX {
        assert_eq!(full.add(fact(&format!("09-21 09:00 urged id={n}")), &rulebook), Added::Applied);
    }
    assert_eq!(full.add(fact("09-21 09:00 urged id=more"), &rulebook), Added::CaseTooLong);
    for n in FACTS_MAX..ENDING_FACTS_MAX {
        assert_eq!(full.add(fact(&format!("09-21 10:00 closed D1 id={n}")), &rulebook), Added::Applied);
    }
    assert_eq!(full.add(fact("09-21 10:00 closed D1 id=more"), &rulebook), Added::CaseTooLong);
}

#[test]
fn a_few_facts_with_long_lists_fill_a_case_too() {
    let rulebook = rulebook(POLICIES);
    let mut long = CaseFacts::default();
    let mut added = Vec::new();
    for n in 0..40 {
        let mut fact = fact(&format!("09-21 09:00 amended id={n}"));
        if let Body::Amended(amended) = &mut fact.body {
            amended.tags = Some((0..50).map(|tag| format!("{n:0>30}-{tag:0>30}").into()).collect());
        }
        added.push(long.add(fact, &rulebook));
    }
    assert_eq!(added[0], Added::Applied);
    assert_eq!(added[39], Added::CaseTooLong);
    assert!(long.encode().len() <= super::BYTES_MAX);
}

#[test]
fn of_a_source_the_newest_snapshot_alone_speaks() {
    let rulebook = rulebook(POLICIES);
    let told =
        [fact("09-21 09:00 received"), fact("09-21 09:30 dispatched D1"), fact("10-12 09:00 closed D1")];
    let older = snapshot(PLATFORM, at("10-01 00:00"), "a", &told[..2]);
    let newer = snapshot(PLATFORM, at("11-01 00:00"), "b", &told);
    for order in [[&older, &newer], [&newer, &older]] {
        let known = case(order.into_iter().cloned(), &rulebook);
        let snapshot = &known.snapshots()[0];
        assert_eq!(snapshot.facts.len(), 3);
        let receipts: Vec<_> = snapshot.receipts.iter().filter_map(|receipt| receipt.received_at).collect();
        assert_eq!(receipts.iter().filter(|receipt| **receipt == at("10-01 00:00")).count(), 2);
    }
}

#[test]
fn what_stands_below_a_number_of_the_ledger_is_what_was_known_at_that_cut() {
    let rulebook = rulebook(POLICIES);
    let numbered = |line: &str, ledger_seq: u64| {
        let mut fact = fact(line);
        fact.ledger_seq = ledger_seq;
        fact
    };
    let (first, later) = (numbered("09-21 09:00 received", 64), numbered("09-22 09:00 closed D1", 128));
    let then = case([first.clone()], &rulebook);
    let now = case([first, later], &rulebook);
    assert_eq!(now.known_below(65, at("09-30 00:00")), then);
    assert_eq!(now.known_below(128, at("09-30 00:00")), then, "the number itself is not below");
    assert_eq!(now.known_below(129, at("09-30 00:00")), now);
    assert!(now.known_below(64, at("09-30 00:00")).is_empty());
}
