//! What a clock takes along, whom an amendment reaches, and who may not give a case back.

use super::super::samples::fact;
use super::*;

/// A close policy of complaints that starts otherwise than the one of all cases.
fn complaints(more: &str) -> String {
    and(&format!(
        "id = \"complaints\"\nstage = \"close\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"closed\"]\nlimit = 3\n\
         unit = \"working_day\"\n{more}"
    ))
    .replacen(
        "match = { hotline = \"12345\" }\nbasis = \"sample\"\nid = \"complaints\"",
        "match = { hotline = \"12345\", case_type = \"complaint\" }\nbasis = \"sample\"\nid = \"complaints\"",
        1,
    )
}

#[test]
fn a_return_refused_for_good_is_not_asked_for_again_in_the_next_round() {
    // The request comes a moment before the closing, and the next round begins within the order tolerance of it.
    let life = "09-21 09:00 received\n09-21 09:01 dispatched D1\n09-21 09:02 signed D1\n\
                09-22 09:00 return_refused D1 final=1\n09-22 09:58 return_requested D1\n09-22 09:59 closed D1\n\
                09-22 10:00 reopened dissatisfied\n09-22 10:01 dispatched D1\n09-22 10:02 signed D1\n09-22 10:03 returned D1";
    check(life, "sign.received", "D1 2/2");
    let rulebook = rulebook(POLICIES);
    let view = fold(CASE, &case(super::life(life), &rulebook), &rulebook);
    let barred = view.anomalies.iter().filter(|anomaly| anomaly.code == AnomalyCode::ReturnBarred).count();
    assert_eq!(barred, 1, "{:?}", view.anomalies);
}

#[test]
fn an_amendment_that_brings_a_clock_reaches_only_who_has_the_case() {
    // Consultations have no closing limit here.
    let policies = complaints("").replacen(
        "match = { hotline = \"12345\" }\nstage = \"close\"",
        "match = { hotline = \"12345\", case_type = \"report\" }\nstage = \"close\"",
        1,
    );
    let life = |amended: &str| {
        format!(
            "09-21 09:00 received consult\n09-21 09:30 dispatched D1\n09-22 09:00 dispatched D2\n\
             {amended} amended case_type=complaint\n09-25 10:00 closed D2"
        )
    };
    // Three working days from 22 September end with the 28th, as the 25th to 27th are off.
    check_under(&policies, &life("09-23 09:00"), "close.due", "D2 1/1");
    // Before it was given on it was a complaint: one clock from 21 September, that ends with the 24th.
    check_under(&policies, &life("09-21 10:00"), "close.due", "D2 0/1");
}

#[test]
fn a_policy_under_which_nothing_began_does_not_keep_a_clock_from_beginning() {
    let policies = and(
        "id = \"filed\"\nstage = \"handle\"\nfamily = \"close\"\nscope = \"custody\"\nstart = \"verified\"\nstop = [\"closed\"]\n\
         limit = 3\nunit = \"working_day\"\non_amend = \"keep\"\n",
    );
    let policies = format!(
        "{policies}\n[[policy]]\nid = \"complaint\"\ncalendar = \"cn\"\nmatch = {{ hotline = \"12345\", case_type = \"complaint\" }}\n\
         basis = \"sample\"\nstage = \"handle\"\nfamily = \"close\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"closed\"]\n\
         limit = 1\nunit = \"working_day\"\n"
    );
    let rulebook = rulebook(&policies);
    let told = "09-21 09:00 received consult\n09-21 09:30 dispatched D1\n09-21 10:00 amended case_type=complaint\n09-22 10:00 closed D1";
    let view = fold(CASE, &case(life(told), &rulebook), &rulebook);
    let handled = view.clocks.iter().find(|clock| clock.stage == "handle").expect("a clock");
    assert_eq!((handled.policy.as_deref(), handled.verdict), (Some("complaint"), Verdict::Met));
}

#[test]
fn a_case_clock_waits_with_the_lead_for_the_answer_to_a_return() {
    let policies = with(
        "unit = \"working_day\"\nholds = [\"inspection\"]",
        "unit = \"working_day\"\nreturn = { pending = \"held\" }",
    );
    // Fifteen working days end with 19 October; of 22 to 29 September four are waited for.
    let life = |closed: &str| {
        format!(
            "{DISPATCHED}09-22 10:00 return_requested D1\n09-29 10:00 return_refused D1\n{closed} closed D1"
        )
    };
    check_under(&policies, &life("10-23 10:00"), "whole.due", "D1 1/1");
    check_under(&policies, &life("10-24 10:00"), "whole.due", "D1 0/1");
}

#[test]
fn an_amendment_of_the_closing_instant_counts_if_it_came_before_the_closing() {
    // Everything of one batch may count at its receipt: the order of one instant decides.
    let policies = complaints("").replacen(
        "match = { hotline = \"12345\" }\nstage = \"close\"",
        "match = { hotline = \"12345\", case_type = \"report\" }\nstage = \"close\"",
        1,
    );
    let life = |amended: u8, closed: u8| {
        format!(
            "09-21 09:00 received consult\n09-21 09:30 dispatched D1\n09-22 10:00 amended case_type=complaint seq={amended}\n\
             09-22 10:00 closed D1 seq={closed}"
        )
    };
    check_under(&policies, &life(1, 2), "close.due", "D1 1/1");
    check_under(&policies, &life(2, 1), "close.due", "");
}

#[test]
fn a_pin_waits_for_its_signature_since_its_own_instant_wherever_its_round_is_moved() {
    let rulebook = rulebook(POLICIES);
    let mut facts = case(super::life("09-21 09:00 received id=r src=plain"), &rulebook);
    let waits_since = |facts: &crate::case::CaseFacts| {
        let waits = crate::waiting::Waits::of(&fold(CASE, facts, &rulebook));
        waits.signature.expect("nobody has signed").since
    };
    let pins = crate::fold::settle(CASE, &mut facts, &rulebook, at("09-21 10:00")).1;
    assert_eq!((pins.len(), waits_since(&facts)), (1, Some(at("09-21 09:00"))));
    facts.add(fact("09-22 09:00 corrected received target=r of=plain time=09-17T09:00 src=plain"), &rulebook);
    let pins = crate::fold::settle(CASE, &mut facts, &rulebook, at("09-22 10:00")).1;
    assert_eq!((pins.len(), waits_since(&facts)), (0, Some(at("09-21 09:00"))));
}

#[test]
fn an_old_pin_in_a_round_that_was_moved_later_lets_nobody_in_who_came_before_the_round() {
    let rulebook = rulebook(POLICIES);
    let told = "09-21 09:00 received src=plain\n09-22 09:00 closed D1 src=plain\n09-23 09:00 reopened dissatisfied id=r src=plain";
    let mut facts = case(super::life(told), &rulebook);
    let pins = crate::fold::settle(CASE, &mut facts, &rulebook, at("09-24 09:00")).1;
    assert_eq!(pins.len(), 2, "a dispatch of ours a round");
    // The reopening was on the 28th; what the department is said to have done on the 24th was in no round.
    for line in [
        "09-24 10:00 submitted HL src=plain",
        "09-29 09:00 corrected reopened target=r of=plain time=09-28T09:00 src=plain",
    ] {
        facts.add(fact(line), &rulebook);
    }
    let view = fold(CASE, &facts, &rulebook);
    let unexpected: Vec<AnomalyCode> = view.anomalies.iter().map(|anomaly| anomaly.code).collect();
    assert_eq!(unexpected, [AnomalyCode::RoundNotOpen]);
    assert!(view.rounds[1].submissions.is_empty());
}
