//! Lives of single cases, told as the rules tell them.
//!
//! `10 working days from 21 September 2026 end with 12 October`: 25 to 27 September and 1 to 7 October are off,
//! 10 October is worked.

use super::samples::{POLICIES, at, case, life, rows, rulebook, rulebook_with};
use super::{Outcome, Verdict, fold};
use crate::anomaly::AnomalyCode;
use crate::fold::samples::CASE;
use crate::measure::Measure;
use crate::rulebook::Basis;

mod gaming;
mod handing_on;
mod law;
mod regulation;

/// The life, the rate asked for, and who got what as of 1 December.
#[track_caller]
fn check(text: &str, rate: &str, expect: &str) {
    check_under(POLICIES, text, rate, expect);
}

#[track_caller]
fn check_under(policies: &str, text: &str, rate: &str, expect: &str) {
    let rulebook = rulebook(policies);
    let facts = life(text);
    let mut told = case(facts.clone(), &rulebook);
    let mut reversed = case(facts.into_iter().rev(), &rulebook);
    let now = at("12-01 00:00");
    assert_eq!(rows(&mut told, &rulebook, rate, now), expect, "as told");
    assert_eq!(rows(&mut reversed, &rulebook, rate, now), expect, "reversed");
}

#[track_caller]
fn check_anomalies(text: &str, expect: &[AnomalyCode]) {
    let rulebook = rulebook(POLICIES);
    let view = fold(CASE, &case(life(text), &rulebook), &rulebook);
    let codes: Vec<AnomalyCode> = view.anomalies.iter().map(|anomaly| anomaly.code).collect();
    assert_eq!(codes, expect);
}

/// A policy of `POLICIES` with one line more or another value.
fn with(find: &str, replace: &str) -> String {
    assert!(POLICIES.contains(find), "the samples no longer say {find}");
    POLICIES.replacen(find, replace, 1)
}

const DISPATCHED: &str = "09-21 09:00 received\n09-21 09:30 dispatched D1\n";

#[test]
fn a_closing_before_and_at_midnight() {
    let life = |closed: &str| format!("{DISPATCHED}{closed} closed D1");
    check(&life("10-12 23:59"), "close.due", "D1 1/1");
    check(&life("10-13 00:00"), "close.due", "D1 0/1");
}

#[test]
fn a_submission_stops_the_clock_once_the_round_closes() {
    check(&format!("{DISPATCHED}10-12 20:00 submitted D1\n10-15 09:00 closed D1"), "close.due", "D1 1/1");
}

#[test]
fn under_approval_the_closing_alone_stops_the_clock() {
    let policies = with("closure = true", "stop_at = \"approval\"\nclosure = true");
    let life = format!("{DISPATCHED}10-12 20:00 submitted D1\n10-15 09:00 closed D1");
    check_under(&policies, &life, "close.due", "D1 0/1");
}

#[test]
fn while_under_review_a_clock_submitted_in_time_is_neither_late_nor_due() {
    check(&format!("{DISPATCHED}10-12 20:00 submitted D1"), "close.due", "");
    check(&format!("{DISPATCHED}10-13 20:00 submitted D1"), "close.due", "D1 0/1");
}

#[test]
fn time_under_review_is_given_back_when_the_closing_is_refused() {
    let life = format!(
        "{DISPATCHED}10-10 10:00 submitted D1\n10-13 09:00 close_refused D1\n10-14 09:00 submitted D1\n\
         10-15 09:00 closed D1"
    );
    check(&life, "close.due", "D1 1/1");
    let counted = with("closure = true", "review_time = \"counted\"\nclosure = true");
    check_under(&counted, &life, "close.due", "D1 0/1");
}

#[test]
fn a_return_in_time_voids_and_a_late_one_leaves_late() {
    let life = |asked: &str| {
        format!(
            "{DISPATCHED}{asked} return_requested D1\n10-14 10:00 returned D1\n10-14 11:00 dispatched D2\n\
             10-16 09:00 closed D2"
        )
    };
    check(&life("10-12 10:00"), "close.due", "D2 1/1");
    check(&life("10-13 10:00"), "close.due", "D1 0/1, D2 1/1");
}

#[test]
fn a_refused_return_leaves_the_clock_running() {
    let life = format!(
        "{DISPATCHED}10-12 10:00 return_requested D1\n10-13 10:00 return_refused D1\n10-13 11:00 closed D1"
    );
    check(&life, "close.due", "D1 0/1");
    let held = with("times_max = 1 }\nclosure", "times_max = 1, pending = \"held\" }\nclosure");
    check_under(&held, &life, "close.due", "D1 1/1");
}

#[test]
fn a_department_refused_for_good_may_not_ask_again() {
    check_anomalies(
        &format!(
            "{DISPATCHED}09-21 10:00 return_requested D1\n09-21 11:00 return_refused D1 final=1\n09-21 12:00 return_requested D1"
        ),
        &[AnomalyCode::ReturnBarred],
    );
}

#[test]
fn a_redispatch_continues_the_clock_and_judges_it_once() {
    let life = |to_d2: &str| format!("{DISPATCHED}{to_d2} dispatched D2\n10-13 09:00 closed D2");
    check(&life("09-28 09:00"), "close.due", "D2 0/1");
    // Overdue already: the lateness stays with D1 and D2 starts anew.
    check(&life("10-13 00:00"), "close.due", "D1 0/1, D2 1/1");
    let restart =
        with("closure = true", "on_custody_change = { redispatched = \"restart\" }\nclosure = true");
    check_under(&restart, &life("09-28 09:00"), "close.due", "D2 1/1");
}

#[test]
fn with_credit_the_givers_days_do_not_count() {
    let credit = with("closure = true", "on_custody_change = { redispatched = \"credit\" }\nclosure = true");
    let life = |closed: &str| format!("{DISPATCHED}09-28 09:00 dispatched D2\n{closed} closed D2");
    // 22, 23 and 24 September were D1's: due 15 instead of 12 October.
    check_under(&credit, &life("10-15 20:00"), "close.due", "D2 1/1");
    check_under(&credit, &life("10-16 00:00"), "close.due", "D2 0/1");
}

#[test]
fn a_street_may_be_late_while_its_district_is_in_time() {
    let life = format!(
        "{DISPATCHED}09-22 09:00 dispatched S1 from=D1 role=sub own=3-working_day\n10-10 09:00 closed D1"
    );
    check(&life, "close.due", "D1 1/1");
    let rulebook = rulebook(POLICIES);
    let view = fold(CASE, &case(super::samples::life(&life), &rulebook), &rulebook);
    let street =
        view.clocks.iter().find(|clock| clock.department.as_deref() == Some("S1") && clock.stage == "close");
    assert_eq!(street.expect("the street has a clock").verdict, Verdict::Late);
}

#[test]
fn an_extension_asked_at_five_passes_and_a_minute_later_does_not() {
    let life = |asked: &str| {
        format!(
            "{DISPATCHED}{asked} extension_requested 5-working_day\n10-14 10:00 extended 5-working_day\n10-19 16:00 closed D1"
        )
    };
    check(&life("10-12 16:59"), "close.due", "D1 1/1");
    check(&life("10-12 17:00"), "close.due", "D1 1/1");
    check(&life("10-12 17:01"), "close.due", "D1 0/1");
    check_anomalies(&life("10-12 17:01"), &[AnomalyCode::ExtensionAskedLate]);
}

#[test]
fn what_is_granted_under_review_moves_the_deadline_that_approval_is_judged_by() {
    let life = format!(
        "{DISPATCHED}10-12 16:00 submitted D1\n10-12 16:30 extended 5-working_day\n10-14 16:00 closed D1"
    );
    let rulebook = rulebook(POLICIES);
    let view = fold(CASE, &case(super::samples::life(&life), &rulebook), &rulebook);
    let close = view.clocks.iter().find(|clock| clock.stage == "close").expect("it has a clock");
    assert_eq!((close.verdict, close.approved_in_time), (Verdict::Met, Some(true)));
    assert_eq!(
        close.due_at().map(super::samples::local).as_deref(),
        Some("10-20 00:00"),
        "as it was while the case was open"
    );
}

#[test]
fn extensions_beyond_the_policy_have_no_effect() {
    let life = format!("{DISPATCHED}10-09 10:00 extended 11-working_day\n10-19 16:00 closed D1");
    check(&life, "close.due", "D1 0/1");
    check_anomalies(&life, &[AnomalyCode::ExtensionExcess]);
    let life = format!(
        "{DISPATCHED}10-09 10:00 extended 1-working_day\n10-10 10:00 extended 5-working_day\n10-14 16:00 closed D1"
    );
    check(&life, "close.due", "D1 0/1");
}

#[test]
fn a_hold_that_its_policy_does_not_heed_changes_nothing() {
    let life = |reason: &str| {
        format!("{DISPATCHED}09-22 10:00 held {reason}\n09-24 10:00 released {reason}\n10-14 10:00 closed D1")
    };
    check(&life("inspection"), "close.due", "D1 1/1");
    check(&life("recusal"), "close.due", "D1 0/1");
}

#[test]
fn a_parked_case_has_no_deadline_until_its_date() {
    check(&format!("{DISPATCHED}09-22 10:00 held parked"), "close.due", "");
    check(&format!("{DISPATCHED}09-22 10:00 held parked until=09-24T10:00"), "close.due", "D1 0/1");
}

#[test]
fn a_typhoon_holds_every_clock_it_names() {
    let holds = "[[general_hold]]\nfrom = 2026-09-22T00:00:00+08:00\nuntil = 2026-09-24T00:00:00+08:00\n\
                 match = { hotline = \"12345\" }\nstages = [\"close\"]\nbasis = \"sample\"\n";
    let rulebook = rulebook_with(POLICIES, &[("holds.toml", holds)]);
    let mut told = case(life(&format!("{DISPATCHED}10-14 20:00 closed D1")), &rulebook);
    assert_eq!(rows(&mut told, &rulebook, "close.due", at("12-01 00:00")), "D1 1/1");
}

#[test]
fn merging_voids_a_clock_in_time_and_leaves_late_after() {
    check(&format!("{DISPATCHED}10-12 10:00 merged"), "close.due", "");
    check(&format!("{DISPATCHED}10-13 10:00 merged"), "close.due", "D1 0/1");
}

#[test]
fn an_own_limit_of_the_dispatch_is_preferred() {
    let life = |closed: &str| {
        format!("09-21 09:00 received\n09-21 09:30 dispatched D1 own=2-working_day\n{closed} closed D1")
    };
    check(&life("09-23 23:00"), "close.due", "D1 1/1");
    check(&life("09-24 00:00"), "close.due", "D1 0/1");
    // It is the time to handle the case, not to sign for it.
    let signed = format!("{}\n09-22 09:00 signed D1", life("09-23 23:00"));
    check(&signed, "sign.due", "D1 1/1");
}

#[test]
fn who_answers_for_a_late_case_clock() {
    // 15 working days from 21 September end with 19 October.
    let life = format!("{DISPATCHED}10-20 09:00 dispatched D2\n10-20 10:00 closed D2");
    check(&life, "whole.due", "D1 0/1");
    for (charge, expect) in [("closer", "D2 0/1"), ("first", "D1 0/1"), ("office", "HL 0/1")] {
        let policies = with("start = \"received\"", &format!("charge = \"{charge}\"\nstart = \"received\""));
        check_under(&policies, &life, "whole.due", expect);
    }
}

#[test]
fn a_review_that_takes_too_long_is_charged_to_the_office() {
    check(&format!("{DISPATCHED}09-22 10:00 submitted D1\n09-30 10:00 closed D1"), "review.due", "HL 0/1");
}

#[test]
fn a_closing_entered_late_counts_when_it_was_entered() {
    check(&format!("{DISPATCHED}10-12 17:00 closed D1 recorded=10-15T17:00"), "close.due", "D1 0/1");
    check(&format!("{DISPATCHED}10-12 17:00 closed D1 recorded=10-13T10:00"), "close.due", "D1 1/1");
}

#[test]
fn correcting_a_time_does_not_make_a_case_on_time() {
    let life = format!(
        "{DISPATCHED}10-14 09:00 closed D1 id=c recorded=10-14T09:00\n\
         10-20 09:00 corrected closed target=c time=10-12T09:00 recorded=10-20T09:00"
    );
    check(&life, "close.due", "D1 0/1");
}

#[test]
fn of_two_corrections_the_last_wins_and_a_voided_one_acts_on_nothing() {
    let life = |last: &str| {
        format!(
            "{DISPATCHED}10-12 09:00 closed D1 id=c\n10-13 09:00 corrected closed target=c department=D2 id=k\n10-14 09:00 {last}"
        )
    };
    check(&life("urged"), "whole.due", "D2 1/1");
    check(&life("corrected closed target=c department=D3"), "whole.due", "D3 1/1");
    check(&life("corrected corrected target=k void=1"), "whole.due", "D1 1/1");
}

#[test]
fn a_correction_of_what_never_came_is_flagged() {
    check_anomalies(
        &format!("{DISPATCHED}09-22 09:00 corrected closed target=x void=1"),
        &[AnomalyCode::CorrectionTargetUnknown],
    );
}

#[test]
fn voiding_the_receipt_unregisters_the_case() {
    check(
        "09-21 09:00 received id=r\n09-21 09:30 dispatched D1\n10-20 10:00 closed D1\n10-21 10:00 corrected received target=r void=1",
        "close.due",
        "",
    );
}

#[test]
fn unexpected_facts_are_flagged_and_change_nothing() {
    check_anomalies(
        &format!(
            "{DISPATCHED}09-22 09:00 signed D2\n09-22 10:00 released inspection\n09-22 11:00 close_refused D1\n09-22 12:00 reopened review\n09-22 13:00 rated 5\n09-22 14:00 received id=again\n09-22 15:00 closed D1\n09-22 16:00 signed D1"
        ),
        &[
            AnomalyCode::NoCustody,
            AnomalyCode::NotHeld,
            AnomalyCode::NoSubmission,
            AnomalyCode::NeverClosed,
            AnomalyCode::NeverClosed,
            AnomalyCode::AlreadyRegistered,
            AnomalyCode::RoundNotOpen,
        ],
    );
}

#[test]
fn a_fact_a_little_early_is_taken_right_after_the_one_it_waits_for() {
    check("09-21 09:00 received\n09-21 09:26 signed D1\n09-21 09:30 dispatched D1", "sign.due", "D1 1/1");
    check("09-21 09:00 received\n09-21 09:24 signed D1\n09-21 09:30 dispatched D1", "sign.due", "D1 0/1");
}

#[test]
fn facts_of_one_second_are_taken_as_they_are_expected() {
    // Whatever their keys: one of the two has them in the other order.
    for (closed, dispatched) in [("a", "z"), ("z", "a")] {
        let life = format!(
            "09-21 09:00 closed D1 id={closed}\n09-21 09:00 dispatched D1 id={dispatched}\n09-21 09:00 received id=m"
        );
        check(&life, "close.due", "D1 1/1");
    }
}

#[test]
fn a_round_reopened_is_judged_in_its_own_time() {
    let life = format!(
        "{DISPATCHED}10-13 09:00 closed D1\n11-05 10:00 reopened dissatisfied\n11-05 10:30 dispatched D2\n11-10 09:00 closed D2"
    );
    check(&life, "close.due", "D1 0/1, D2 1/1");
}

#[test]
fn a_rating_belongs_to_the_last_closure_before_it() {
    let rulebook = rulebook(POLICIES);
    let text = format!(
        "{DISPATCHED}10-12 09:00 closed D1\n10-14 09:00 reopened dissatisfied\n10-14 10:00 rated 2\n10-15 09:00 closed D1\n10-16 09:00 rated 5"
    );
    let view = fold(CASE, &case(life(&text), &rulebook), &rulebook);
    let outcomes: Vec<_> =
        view.rounds.iter().map(|round| round.rating.as_ref().expect("closed").outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered(2), Outcome::Answered(5)]);
}

#[test]
fn the_last_answer_counts_else_the_last_attempt() {
    let rulebook = rulebook(POLICIES);
    let outcome = |ratings: &str| {
        let text = format!("{DISPATCHED}10-12 09:00 closed D1\n{ratings}");
        let view = fold(CASE, &case(life(&text), &rulebook), &rulebook);
        view.rounds[0].rating.as_ref().expect("closed").outcome
    };
    assert_eq!(outcome("10-13 09:00 rated 4\n10-14 09:00 rated unreached=1"), Outcome::Answered(4));
    assert_eq!(outcome("10-13 09:00 rated unreached=1"), Outcome::Unreached);
    assert_eq!(outcome("10-13 09:00 rated"), Outcome::Unanswered);
    assert_eq!(outcome("10-13 09:00 rated 5 method=default"), Outcome::Default);
    assert_eq!(outcome(""), Outcome::NotAsked);
}

#[test]
fn a_ruling_excludes_overrides_and_restores() {
    let late = format!("{DISPATCHED}10-13 09:00 closed D1\n");
    check(&format!("{late}10-20 09:00 ruled close exclude"), "close.due", "");
    check(&format!("{late}10-20 09:00 ruled close met"), "close.due", "D1 1/1");
    check(&format!("{late}10-20 09:00 ruled sign exclude"), "close.due", "D1 0/1");
    check(&format!("{late}10-20 09:00 ruled all exclude department=D2"), "close.due", "D1 0/1");
    check(
        &format!("{late}10-20 09:00 ruled close exclude\n10-21 09:00 ruled close restore"),
        "close.due",
        "D1 0/1",
    );
}

#[test]
fn our_decision_fills_a_slot_unless_the_hotline_was_first() {
    check("09-21 09:00 received src=plain\n10-12 09:00 closed D3 src=plain", "close.due", "D3 1/1");
    check(
        "09-21 09:00 received src=plain\n09-21 09:00 dispatched D1 src=plain\n10-12 09:00 closed D1 src=plain",
        "close.due",
        "D1 1/1",
    );
    // Half an hour to dispatch: at 09:20 the hotline still may, at 09:40 it redispatches what we gave.
    check(
        "09-21 09:00 received src=later\n09-21 09:20 dispatched D1 src=later\n10-12 09:00 closed D1 src=later",
        "sign.due",
        "D1 0/1",
    );
    check(
        "09-21 09:00 received src=later\n09-21 09:40 dispatched D1 src=later\n10-12 09:00 closed D1 src=later",
        "close.due",
        "D1 1/1",
    );
}

#[test]
fn after_a_granted_return_the_next_best_rule_decides() {
    check(
        "09-21 09:00 received src=plain\n09-21 10:00 returned D3 src=plain\n09-30 09:00 closed D1 src=plain",
        "close.due",
        "D1 1/1",
    );
}

#[test]
fn a_consult_amended_to_a_complaint_is_judged_as_a_complaint() {
    let policies = POLICIES.replacen(
        "match = { hotline = \"12345\" }",
        "match = { hotline = \"12345\", case_type = \"complaint\" }",
        1,
    ) + "[[policy]]\nid = \"consult\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\", case_type = \"consult\" }\nstage = \"close\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"closed\"]\nlimit = 3\nunit = \"working_day\"\non_amend = \"recompute\"\nclosure = true\nbasis = \"sample\"\n";
    let life = "09-21 09:00 received consult\n09-21 09:30 dispatched D1\n09-22 09:00 amended case_type=complaint\n10-12 09:00 closed D1";
    check_under(&policies, life, "close.due", "D1 1/1");
    check_under(&policies.replace("\"recompute\"", "\"keep\""), life, "close.due", "D1 0/1");
    check_under(
        &policies.replace("\"recompute\"", "\"restart\""),
        &life.replace("10-12 09:00", "10-13 09:00"),
        "close.due",
        "D1 1/1",
    );
}

#[test]
fn new_facts_restart_a_clock_that_names_them() {
    let policies = with("closure = true", "restart = [\"supplemented:new_facts\"]\nclosure = true");
    let life = format!("{DISPATCHED}09-28 09:00 supplemented new_facts=1\n10-15 09:00 closed D1");
    check_under(&policies, &life, "close.due", "D1 1/1");
    check(&life, "close.due", "D1 0/1");
}

#[test]
fn a_promise_runs_beside_the_law() {
    let policies = POLICIES.to_owned()
        + "[[policy]]\nid = \"promise\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\" }\nstage = \"close\"\ntier = \"promise\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"closed\"]\nlimit = 3\nunit = \"working_day\"\nbasis = \"sample\"\n";
    let life = format!("{DISPATCHED}10-12 09:00 closed D1");
    check_under(&policies, &life, "close.due", "D1 1/1");
    check_under(&policies, &life, "close_promise.due", "D1 0/1");
}

#[test]
fn a_supervision_asked_again_opens_another_clock() {
    let policies = POLICIES.to_owned()
        + "[[policy]]\nid = \"supervise\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\" }\nstage = \"supervise\"\nstart = \"supervised\"\nstop = [\"supervision_answered\"]\nlimit = 1\nunit = \"working_day\"\nbasis = \"sample\"\n";
    let life = format!(
        "{DISPATCHED}09-22 09:00 supervised\n09-23 09:00 supervision_answered\n09-28 09:00 supervised own=2-working_day\n09-30 09:00 supervision_answered"
    );
    check_under(&policies, &life, "supervise.due", "D1 2/2");
}

#[test]
fn a_day_precise_closing_is_compared_by_date() {
    check(&format!("{DISPATCHED}10-12 00:00 closed D1 day=1"), "close.due", "D1 1/1");
    check(&format!("{DISPATCHED}10-12 00:00 closed D1 day=1 recorded=10-12T10:00"), "close.due", "D1 1/1");
    check(&format!("{DISPATCHED}10-13 00:00 closed D1 day=1"), "close.due", "D1 0/1");
}

#[test]
fn a_deadline_past_the_known_calendar_is_provisional() {
    let rulebook = rulebook(POLICIES);
    let view =
        fold(CASE, &case(life("12-21 09:00 received\n12-21 09:30 dispatched D1"), &rulebook), &rulebook);
    let close = view.clocks.iter().find(|clock| clock.stage == "close").expect("a close clock");
    assert!(close.deadline.as_ref().expect("it has a deadline").provisional);
}

/// The verdicts of one stage, in order.
#[track_caller]
fn check_verdicts(policies: &str, text: &str, stage: &str, expect: &[Verdict]) {
    let rulebook = rulebook(policies);
    let view = fold(CASE, &case(life(text), &rulebook), &rulebook);
    let verdicts: Vec<Verdict> =
        view.clocks.iter().filter(|clock| clock.stage == stage).map(|clock| clock.verdict).collect();
    assert_eq!(verdicts, expect);
}

#[test]
fn a_round_or_custody_whose_policy_gives_no_clock_is_counted_as_none() {
    let only = with("limit = 10\nunit = \"working_day\"", "own_limit = \"only\"");
    check_verdicts(&only, DISPATCHED, "close", &[Verdict::NoneOpen]);
    check_verdicts(&only, &format!("{DISPATCHED}09-22 10:00 closed D1"), "close", &[Verdict::NoneStopped]);
    let own = "09-21 09:00 received own=3-working_day\n09-21 09:30 dispatched D1";
    check_verdicts(&only, own, "close", &[Verdict::Open]);

    let case_only = POLICIES.replacen(
        "limit = 15\nunit = \"working_day\"\nholds = [\"inspection\"]",
        "own_limit = \"only\"",
        1,
    );
    check_verdicts(&case_only, DISPATCHED, "whole", &[Verdict::NoneOpen]);
    check_verdicts(&case_only, own, "whole", &[Verdict::Open]);
    check_verdicts(&case_only, &format!("{own}\n09-22 09:00 closed D1"), "whole", &[Verdict::Met]);
}

#[test]
fn a_closing_without_any_close_policy_is_counted_once() {
    let policies =
        POLICIES.replacen("match = { hotline = \"12345\" }", "match = { case_type = \"report\" }", 1);
    check_verdicts(&policies, DISPATCHED, "close", &[Verdict::NoneOpen]);
    check_verdicts(
        &policies,
        &format!("{DISPATCHED}09-22 10:00 closed D1"),
        "close",
        &[Verdict::NoneStopped],
    );
}

#[test]
fn a_case_clock_that_never_starts_is_counted_as_none() {
    check_verdicts(POLICIES, DISPATCHED, "review", &[Verdict::NoneOpen]);
    check_verdicts(POLICIES, &format!("{DISPATCHED}09-22 10:00 submitted D1"), "review", &[Verdict::Open]);
}

#[test]
fn an_amendment_does_not_reach_a_clock_that_had_ended() {
    let policies = POLICIES.to_owned()
        + "[[policy]]\nid = \"help-sign\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\", case_type = \"help\" }\nstage = \"sign\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"signed\"]\nlimit = 1\nunit = \"hour\"\nbasis = \"sample\"\n";
    let signed = format!("{DISPATCHED}09-21 14:30 signed D1\n");
    check_verdicts(
        &policies,
        &format!("{signed}09-23 10:00 amended case_type=help"),
        "sign",
        &[Verdict::Met],
    );
    check_verdicts(
        &policies,
        &format!("{signed}09-21 11:00 amended case_type=help"),
        "sign",
        &[Verdict::Late],
    );
    let returned = format!("{DISPATCHED}09-21 12:00 returned D1\n09-22 10:00 amended case_type=help");
    check_verdicts(&policies, &returned, "sign", &[Verdict::Void]);
}

#[test]
fn asking_again_too_late_does_not_spoil_an_extension_asked_in_time() {
    let life = format!(
        "{DISPATCHED}10-12 10:00 extension_requested 5-working_day\n10-13 10:00 extension_requested 5-working_day\n\
         10-14 10:00 extended 5-working_day\n10-19 16:00 closed D1"
    );
    check(&life, "close.due", "D1 1/1");
}

#[test]
fn a_ruling_on_returns_hits_the_department_that_returned() {
    let rulebook = rulebook(POLICIES);
    let text = |department: &str| {
        format!(
            "{DISPATCHED}09-21 10:00 returned D1\n09-21 11:00 dispatched D2\n09-21 12:00 returned D2\n\
             09-21 13:00 dispatched D3\n09-22 12:00 closed D3\n09-30 10:00 ruled return exclude department={department}"
        )
    };
    let counted = |department: &str| {
        let view = fold(CASE, &case(life(&text(department)), &rulebook), &rulebook);
        let score = crate::score::score(&view, &rulebook);
        let returned = score.contributions.into_iter().filter(|(one, _)| one.measure.stem() == "returned");
        returned.map(|(one, _)| (one.department.to_string(), one.excluded)).collect::<Vec<_>>()
    };
    assert_eq!(counted("D1"), [("D1".to_owned(), true), ("D2".to_owned(), false)]);
    assert_eq!(counted("D3"), [("D1".to_owned(), false), ("D2".to_owned(), false)]);
}

#[test]
fn a_rating_is_counted_with_whoever_closed() {
    let rulebook = rulebook(POLICIES);
    let text = format!("{DISPATCHED}09-22 12:00 closed D1\n09-23 10:00 rated 4");
    let view = fold(CASE, &case(life(&text), &rulebook), &rulebook);
    let score = crate::score::score(&view, &rulebook);
    let rated = score.contributions.iter().find(|(one, _)| one.measure.stem() == "rated");
    assert_eq!(rated.map(|(one, _)| one.department.as_str()), Some("D1"));
}

#[test]
fn money_is_kept_in_fen_and_shown_in_yuan() {
    let life = |fen: i64| format!("09-21 09:00 received disputed={fen}\n09-21 09:30 dispatched D1");
    check(&life(100_000), "disputed", "D1 1000/1");
    check(&life(1_250), "disputed", "D1 (1250/100)/(100/100)");
}

#[test]
fn weights_are_exact() {
    let life = format!("{DISPATCHED}09-22 12:00 closed D1\n09-23 10:00 rated 4 solved=partly");
    check(&life, "solved", "D1 (1/2)/(2/2)");
}

#[test]
fn first_and_final_take_one_round_of_several() {
    // The first round is late for D1's receipt, the last in time.
    let life = format!(
        "{DISPATCHED}10-12 09:00 closed D1\n11-05 10:00 reopened dissatisfied\n11-05 10:30 dispatched D2\n11-10 09:00 closed D2"
    );
    check(&life, "whole.received", "D1 1/1, D2 1/1");
    check(&life, "first", "D1 1/1");
    check(&life, "final", "D2 1/1");
}

#[test]
fn a_code_that_is_also_a_verdict_stays_a_code() {
    let mut rulebook = rulebook(POLICIES);
    rulebook.asked.add(Measure::Count("outcome.met".into()), Basis::Closed);
    let text = format!("{DISPATCHED}09-22 12:00 closed D1 outcome=met\n09-30 10:00 ruled close met");
    let view = fold(CASE, &case(life(&text), &rulebook), &rulebook);
    let score = crate::score::score(&view, &rulebook);
    let read = crate::score::Score::decode(&score.encode()).expect("its own bytes");
    assert_eq!(read, score);
    assert!(score.tallies().keys().any(|key| key.series.measure == "outcome.met"));
}

#[test]
fn what_an_earlier_department_asked_for_does_not_spoil_the_next_ones_extension() {
    let life = format!(
        "{DISPATCHED}09-22 10:00 extension_requested 5-working_day\n09-23 10:00 returned D1\n09-23 11:00 dispatched D2\n\
         10-12 10:00 extension_requested 5-working_day\n10-12 12:00 extended 5-working_day\n10-19 12:00 closed D2"
    );
    check(&life, "close.due", "D2 1/1");
}

#[test]
fn a_submission_in_time_protects_also_when_the_case_is_then_given_to_another() {
    let life = format!("{DISPATCHED}10-09 10:00 submitted D1\n10-14 10:00 dispatched D2");
    let policies = with(
        "closure = true",
        "on_custody_change = { returned = \"restart\", redispatched = \"restart\", reorganisation = \"restart\" }\nclosure = true",
    );
    check_under(&policies, &life, "close.due", "D2 0/1");
}

/// `POLICIES` and one more.
fn and(policy: &str) -> String {
    format!(
        "{POLICIES}\n[[policy]]\ncalendar = \"cn\"\nmatch = {{ hotline = \"12345\" }}\nbasis = \"sample\"\n{policy}"
    )
}

#[test]
fn an_amendment_reaches_a_clock_that_passed_on() {
    let consult = "id = \"consult\"\nstage = \"close\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"closed\"]\n\
                   limit = 3\nunit = \"working_day\"\n";
    let policies = and(consult).replacen(
        "match = { hotline = \"12345\" }\nbasis = \"sample\"\nid = \"consult\"",
        "match = { hotline = \"12345\", case_type = \"consult\" }\nbasis = \"sample\"\nid = \"consult\"",
        1,
    );
    let life = |more: &str| {
        format!(
            "09-21 09:00 received consult\n09-21 09:30 dispatched D1\n{more}09-22 09:00 amended case_type=complaint\n09-28 10:00 closed D2"
        )
    };
    check_under(&policies, &life("09-21 10:00 dispatched D2\n"), "close.due", "D2 1/1");
    let late = life("09-21 10:00 dispatched D2\n").replace("09-22 09:00 amended", "09-29 09:00 amended");
    check_under(&policies, &late, "close.due", "D2 0/1");
}

#[test]
fn what_did_not_count_with_the_giver_does_not_count_with_the_receiver() {
    // Four working days under review: the deadline moves from 12 to 16 October.
    let life = |closed: &str| {
        format!(
            "{DISPATCHED}09-22 10:00 submitted D1\n09-29 10:00 close_refused D1\n09-29 11:00 dispatched D2\n{closed} closed D2"
        )
    };
    check(&life("10-16 10:00"), "close.due", "D2 1/1");
    check(&life("10-17 10:00"), "close.due", "D2 0/1");
}

#[test]
fn a_round_that_is_closed_has_no_clock_that_goes_on() {
    let contact =
        and("id = \"contact\"\nstage = \"contact\"\nstart = \"received\"\nstop = [\"contacted\"]\n\
                       restart = [\"supplemented\"]\nlimit = 2\nunit = \"working_day\"\n");
    check_under(
        &contact,
        &format!("{DISPATCHED}09-21 12:00 closed D1\n10-20 09:00 supplemented"),
        "contact.received",
        "",
    );
    let supervise = and(
        "id = \"supervise\"\nstage = \"supervise\"\nstart = \"supervised\"\nstop = [\"supervision_answered\"]\n\
                         limit = 5\nunit = \"working_day\"\n",
    );
    let answered = format!(
        "{DISPATCHED}09-22 09:00 supervised\n09-23 09:00 closed D1\n09-24 09:00 supervision_answered"
    );
    check_under(&supervise, &answered, "supervise.received", "");
    let again = format!(
        "{DISPATCHED}09-22 09:00 supervised\n09-23 09:00 closed D1\n09-24 09:00 supervised\n09-25 09:00 supervision_answered"
    );
    check_under(&supervise, &again, "supervise.received", "D1 1/1");
}

#[test]
fn what_comes_after_the_reopening_stops_no_clock_of_the_round_before() {
    let policies = and(
        "id = \"contact\"\nstage = \"contact\"\nstart = \"closed\"\nstop = [\"rated\"]\nlimit = 20\nunit = \"working_day\"\n",
    );
    let life = |reopened: &str| format!("{DISPATCHED}09-22 09:00 closed D1\n{reopened}09-28 09:00 rated 5");
    check_under(&policies, &life(""), "contact.received", "D1 1/1");
    check_under(&policies, &life("09-24 09:00 reopened dissatisfied\n"), "contact.received", "");
}

#[test]
fn a_custody_that_ends_on_a_day_is_compared_by_its_date() {
    let life =
        |precision: &str| format!("{DISPATCHED}09-22 12:00 dispatched D2 {precision}\n09-23 09:00 signed D2");
    check(&life(""), "sign.received", "D1 0/1, D2 1/1");
    // On the last day the clock is not overdue: it passes on, and D2 signs too late.
    check(&life("day=1"), "sign.received", "D2 0/1");
}

#[test]
fn a_closing_is_an_approval_also_where_it_alone_stops_the_clock() {
    let rulebook = rulebook(&with("closure = true", "stop_at = \"approval\"\nclosure = true"));
    let view = fold(CASE, &case(life(&format!("{DISPATCHED}09-22 09:00 closed D1")), &rulebook), &rulebook);
    let close = view.clocks.iter().find(|clock| clock.stage == "close").expect("a clock");
    assert_eq!((close.verdict, close.approved_in_time), (Verdict::Met, Some(true)));
    let ruled = format!("{DISPATCHED}09-22 09:00 closed D1\n09-23 09:00 ruled all failed");
    let view = fold(CASE, &case(life(&ruled), &rulebook), &rulebook);
    let close = view.clocks.iter().find(|clock| clock.stage == "close").expect("a clock");
    assert_eq!((close.verdict, close.approved_in_time), (Verdict::Late, Some(false)), "a ruling judges both");
}

#[test]
fn nobody_waits_for_an_answer_beyond_the_closing() {
    let policies =
        with("return = { ask_within = \"24 hour\", times_max = 1 }", "return = { pending = \"held\" }");
    check_under(
        &policies,
        &format!("{DISPATCHED}09-22 10:00 return_requested D1\n10-30 10:00 closed D1"),
        "close.due",
        "D1 1/1",
    );
}

#[test]
fn a_reopening_a_moment_before_the_closing_takes_no_clock_from_the_round() {
    let life = "09-21 09:00 received\n09-21 09:01 dispatched D1\n09-22 09:58 reopened dissatisfied\n\
                09-22 09:59 submitted D1\n09-22 10:00 closed D1";
    check(life, "review.received", "HL 1/1");
    let late = "09-21 09:01 dispatched D1\n09-22 10:00 closed D1\n09-22 11:00 reopened dissatisfied\n09-22 12:00 received";
    check(late, "close.received", "D1 1/1");
}

#[test]
fn a_dispatch_a_moment_before_the_reopening_opens_the_custody_of_the_new_round() {
    let life = "09-21 09:00 received\n09-21 09:01 dispatched D1\n09-21 09:02 signed D1\n09-22 10:00 closed D1\n\
                09-23 09:58 dispatched D2\n09-23 10:00 reopened dissatisfied\n09-23 11:00 signed D2\n09-24 09:00 return_requested D2\n09-24 10:00 returned D2\n09-24 11:00 dispatched D3";
    check(life, "sign.received", "D1 1/1, D2 1/1, D3 0/1");
}

#[test]
fn a_decision_of_ours_is_taken_once_and_nobody_corrects_it() {
    use super::samples::fact;
    use super::{pin_id, settle};
    use crate::fact::{Body, Change, Corrected, Dispatched, EventKey, Kind, PIPELINE_SOURCE};
    let rulebook = rulebook(POLICIES);
    let opening = fact("09-21 09:00 received src=plain");
    let mut facts = case([opening.clone()], &rulebook);
    let (_, pins) = settle(CASE, &mut facts, &rulebook, at("09-21 10:00"));
    assert_eq!(pins.len(), 1);
    let target = EventKey::of(PIPELINE_SOURCE, &pin_id(CASE, opening.key));
    let replaced = Body::Dispatched(Box::new(Dispatched {
        department: "D2".into(),
        from: None,
        role: crate::fact::Role::Lead,
        reason: None,
        basis: None,
        own_limit: None,
        pin: None,
    }));
    for change in [Change::Void, Change::Replace { body: Some(Box::new(replaced)), time: None }] {
        let mut correction = fact("09-21 11:00 urged src=plain");
        correction.body =
            Body::Corrected(Box::new(Corrected { target, target_kind: Kind::Dispatched, change }));
        let mut corrected = facts.clone();
        corrected.add(correction, &rulebook);
        let (view, more) = settle(CASE, &mut corrected, &rulebook, at("09-21 12:00"));
        assert_eq!(more.len(), 0);
        assert!(view.proposal.is_none(), "nothing falls due for ever");
        assert_eq!(view.rounds[0].custodies.len(), 1);
        let codes: Vec<AnomalyCode> = view.anomalies.iter().map(|anomaly| anomaly.code).collect();
        assert_eq!(codes, [AnomalyCode::CorrectionOfOurs]);
    }
}
