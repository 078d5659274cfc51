//! Lives that read like the regulation: what an office may ask for, when, and who answers for what.
//!
//! Ten working days from 21 September 2026 are 22 to 24, 28 to 30 September, 8, 9, 10 (a Saturday worked) and 12 October.

use super::super::samples::rows_of;
use super::*;
use crate::case::CaseFacts;

/// Rates of departments that do not lead.
const ROLES: &str = r#"
[[rate]]
id = "close.sub"
version = 1
name = { zh = "率", en = "rate" }
basis = "due"
where = { role = "sub" }
numerator = ["each.close.met"]
denominator = ["each.close.met", "each.close.late", "each.close.left_late", "each.close.open_overdue"]

[[rate]]
id = "close.co"
version = 1
name = { zh = "率", en = "rate" }
basis = "due"
where = { role = "co" }
numerator = ["each.close.met"]
denominator = ["each.close.met", "each.close.late", "each.close.left_late", "each.close.open_overdue"]
"#;

#[track_caller]
fn check_role(text: &str, rate: &str, expect: &str) {
    let rulebook = rulebook_with(POLICIES, &[("rates/roles.toml", ROLES)]);
    let mut told = case(life(text), &rulebook);
    let mut reversed = case(life(text).into_iter().rev(), &rulebook);
    for case in [&mut told, &mut reversed] {
        assert_eq!(rows(case, &rulebook, rate, at("12-01 00:00")), expect);
    }
}

#[track_caller]
fn check_anomalies_under(policies: &str, text: &str, expect: &[AnomalyCode]) {
    let rulebook = rulebook(policies);
    let view = fold(CASE, &case(life(text), &rulebook), &rulebook);
    let codes: Vec<AnomalyCode> = view.anomalies.iter().map(|anomaly| anomaly.code).collect();
    assert_eq!(codes, expect);
}

#[test]
fn a_submission_refused_after_the_deadline_has_its_days_of_review_given_back() {
    // Under review from 12 to 15 October: the tenth day, which was the 12th, is the 15th.
    let life = |again: &str| {
        format!(
            "{DISPATCHED}10-12 20:00 submitted D1\n10-15 10:00 close_refused D1\n{again} submitted D1\n10-20 10:00 closed D1"
        )
    };
    check(&life("10-15 23:59"), "close.due", "D1 1/1");
    check(&life("10-16 00:00"), "close.due", "D1 0/1");
    // Where review counts, the refusal finds the deadline past.
    let counted = with("closure = true", "review_time = \"counted\"\nclosure = true");
    check_under(&counted, &life("10-15 10:01"), "close.due", "D1 0/1");
    // A submission after the deadline wins no time.
    let late = life("10-15 10:01").replace("10-12 20:00", "10-13 00:00");
    check(&late, "close.due", "D1 0/1");
}

#[test]
fn an_extension_granted_two_days_after_the_deadline_works_as_the_policy_says() {
    let granted_late =
        |how: &str| with("ask_by = \"17:00\" }", &format!("ask_by = \"17:00\", granted_late = \"{how}\" }}"));
    let life = |closed: &str| {
        format!(
            "{DISPATCHED}10-12 16:59 extension_requested 5-working_day\n10-14 10:00 extended 5-working_day\n{closed} closed D1"
        )
    };
    // As if granted in time: 13, 14, 15, 16 and 19 October.
    check_under(&granted_late("backdated"), &life("10-19 23:59"), "close.due", "D1 1/1");
    check_under(&granted_late("backdated"), &life("10-20 00:00"), "close.due", "D1 0/1");
    // From the day of the grant: 15, 16, 19, 20 and 21 October.
    check_under(&granted_late("from_grant"), &life("10-21 23:59"), "close.due", "D1 1/1");
    check_under(&granted_late("from_grant"), &life("10-22 00:00"), "close.due", "D1 0/1");
    // Not at all.
    check_under(&granted_late("void"), &life("10-14 10:01"), "close.due", "D1 0/1");
    check_anomalies_under(&granted_late("void"), &life("10-14 10:01"), &[AnomalyCode::ExtensionGrantedLate]);
    check_anomalies_under(&granted_late("backdated"), &life("10-14 10:01"), &[]);
}

#[test]
fn a_return_asked_for_in_the_last_hour_is_refused_or_granted() {
    let asked = format!("{DISPATCHED}10-12 23:30 return_requested D1\n");
    // Refused the next morning: the clock ran on all night.
    check(&format!("{asked}10-13 09:00 return_refused D1\n10-13 09:30 closed D1"), "close.due", "D1 0/1");
    // Granted: it was asked for in time, and the next department has ten days of its own, to 27 October.
    let granted = |closed: &str| {
        format!("{asked}10-13 09:00 returned D1\n10-13 10:00 dispatched D2\n{closed} closed D2")
    };
    check(&granted("10-27 23:59"), "close.due", "D2 1/1");
    check(&granted("10-28 00:00"), "close.due", "D2 0/1");
    // An hour later it would have been late, and stays so.
    let after = granted("10-27 23:59").replace("10-12 23:30", "10-13 00:30");
    check(&after, "close.due", "D1 0/1, D2 1/1");
}

#[test]
fn a_return_is_asked_for_within_a_day_of_the_dispatch() {
    let life = |asked: &str| format!("{DISPATCHED}{asked} return_requested D1\n09-23 09:00 returned D1");
    check_anomalies(&life("09-22 09:30"), &[]);
    check_anomalies(&life("09-22 09:31"), &[AnomalyCode::ReturnAskedLate]);
}

#[test]
fn a_department_barred_from_returning_keeps_the_case_and_its_deadline() {
    let life = |closed: &str| {
        format!(
            "{DISPATCHED}09-21 10:00 return_requested D1\n09-21 15:00 return_refused D1 final=1\n\
             09-22 09:00 return_requested D1\n{closed} closed D1"
        )
    };
    check(&life("10-12 23:59"), "close.due", "D1 1/1");
    check(&life("10-13 00:00"), "close.due", "D1 0/1");
    check_anomalies(&life("10-12 23:59"), &[AnomalyCode::ReturnBarred]);
}

#[test]
fn of_three_levels_the_street_is_late_and_those_above_it_are_in_time() {
    // The bureau has ten days, gives its district eight of them (to 9 October), and that its street three (to the 28th).
    let life = |street: &str, district: &str| {
        format!(
            "{DISPATCHED}09-21 14:00 dispatched D2 from=D1 role=sub own=8-working_day\n\
             09-22 09:00 dispatched S1 from=D2 role=sub own=3-working_day\n\
             {street} submitted S1\n{district} submitted D2\n10-12 10:00 closed D1"
        )
    };
    let late_street = life("10-08 09:00", "10-09 16:00");
    check_role(&late_street, "close.due", "D1 1/1");
    check_role(&late_street, "close.sub", "D2 1/1, S1 0/1");
    check_role(&life("09-28 23:59", "10-10 00:00"), "close.sub", "D2 0/1, S1 1/1");
    // Whoever submits nothing is judged by the closing.
    let silent = late_street.replace("10-08 09:00 submitted S1\n", "");
    check_role(&silent, "close.sub", "D2 1/1, S1 0/1");
}

#[test]
fn a_co_department_is_late_and_the_lead_in_time() {
    // Five working days for D3: to 29 September.
    let life = |submitted: &str| {
        format!(
            "{DISPATCHED}09-21 10:00 dispatched D3 role=co own=5-working_day\n{submitted} submitted D3\n10-09 10:00 closed D1"
        )
    };
    check_role(&life("09-30 00:00"), "close.due", "D1 1/1");
    check_role(&life("09-30 00:00"), "close.co", "D3 0/1");
    check_role(&life("09-29 23:59"), "close.co", "D3 1/1");
    // The lead answers for the case as a whole.
    check_role(&life("09-30 00:00"), "whole.due", "D1 1/1");
}

#[test]
fn a_parked_case_goes_on_on_its_date() {
    // 22 and 23 September do not count: the tenth day is 14 October.
    let life =
        |closed: &str| format!("{DISPATCHED}09-22 10:00 held parked until=09-24T10:00\n{closed} closed D1");
    check(&life("10-14 23:59"), "close.due", "D1 1/1");
    check(&life("10-15 00:00"), "close.due", "D1 0/1");
    // Taken up again a day early.
    let early = life("10-13 23:59")
        .replace("until=09-24T10:00\n", "until=09-24T10:00\n09-23 10:00 released parked\n");
    check(&early, "close.due", "D1 1/1");
    check(&early.replace("10-13 23:59", "10-14 00:00"), "close.due", "D1 0/1");
}

#[test]
fn a_typhoon_gives_two_days_back_to_who_handles_the_case_and_none_to_who_signs() {
    let holds = "[[general_hold]]\nfrom = 2026-09-22T00:00:00+08:00\nuntil = 2026-09-24T00:00:00+08:00\n\
                 match = { hotline = \"12345\" }\nstages = [\"close\"]\nbasis = \"sample\"\n";
    let rulebook = rulebook_with(POLICIES, &[("holds.toml", holds)]);
    let rows_at = |rate: &str, closed: &str| {
        let told = format!("{DISPATCHED}09-22 10:00 signed D1\n{closed} closed D1");
        rows(&mut case(life(&told), &rulebook), &rulebook, rate, at("12-01 00:00"))
    };
    assert_eq!(rows_at("close.due", "10-14 23:59"), "D1 1/1");
    assert_eq!(rows_at("close.due", "10-15 00:00"), "D1 0/1");
    assert_eq!(rows_at("sign.due", "10-14 23:59"), "D1 0/1", "24 hours from half past nine");
}

#[test]
fn a_merged_department_hands_forty_open_cases_to_its_successor() {
    let departments = "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,办,Office,,,,,\n\
                       D1,一,One,,,,2026-09-28,D2\nD2,二,Two,,,,,\nD3,三,Three,,,,,\n";
    // Any other change of hands starts the clock anew, so that the reorganisation is seen to go on.
    let policies =
        with("closure = true", "on_custody_change = { redispatched = \"restart\" }\nclosure = true");
    let rulebook = rulebook_with(&policies, &[("departments.csv", departments)]);
    let forty = |handed_over: &str| {
        let mut cases: Vec<(String, CaseFacts)> = (0..40)
            .map(|n| {
                // Thirty are closed on the last day of the first clock, ten on the day after.
                let closed = if n < 30 { "10-12 20:00" } else { "10-13 09:00" };
                let told = format!("{DISPATCHED}09-28 09:00 dispatched D2{handed_over}\n{closed} closed D2");
                (format!("12345:{n}"), case(life(&told), &rulebook))
            })
            .collect();
        let cases = cases.iter_mut().map(|(name, case)| (name.as_str(), case));
        rows_of(cases, &rulebook, "close.due", at("12-01 00:00"))
    };
    assert_eq!(forty(" reason=reorganisation"), "D2 30/40");
    assert_eq!(forty(""), "D2 40/40");
    // What was overdue already (on Sunday 20 September, a day worked) stays with the department that is no more.
    let overdue = "09-07 09:00 received\n09-07 09:30 dispatched D1\n09-28 09:00 dispatched D2 reason=reorganisation\n10-12 09:00 closed D2";
    check_under(&policies, overdue, "close.due", "D1 0/1, D2 1/1");
}

#[test]
fn a_deadline_sent_with_the_case_is_taken_as_it_stands() {
    // Noon of the Mid-autumn festival: nothing rolls, nothing holds, and the instant itself is in time.
    let life = |closed: &str| {
        format!("09-21 09:00 received due=09-25T12:00\n09-21 09:30 dispatched D1\n{closed} closed D1")
    };
    check(&life("09-25 12:00"), "close.due", "D1 1/1");
    check(&life("09-25 12:01"), "close.due", "D1 0/1");
    let held = "\n09-22 10:00 held inspection\n09-24 10:00 released inspection\n09-25 12:01 closed";
    check(&life("09-25 12:01").replace("\n09-25 12:01 closed", held), "close.due", "D1 0/1");
    // The dispatch says it better than the receipt.
    let dispatched = life("09-23 18:01").replace("dispatched D1", "dispatched D1 due=09-23T18:00");
    check(&dispatched, "close.due", "D1 0/1");
    check(&dispatched.replace("09-23 18:01", "09-23 18:00"), "close.due", "D1 1/1");
}

#[test]
fn a_deadline_sent_with_the_case_was_meant_for_the_first_round() {
    let life = |own: &str| {
        format!(
            "09-21 09:00 received {own}\n09-21 09:30 dispatched D1\n09-23 10:00 closed D1\n\
             10-08 09:00 reopened dissatisfied\n10-08 09:30 dispatched D1\n10-21 23:59 closed D1"
        )
    };
    // Ten working days from 8 October end with the 21st.
    check(&life("due=09-25T12:00"), "close.due", "D1 2/2");
    // A limit, in contrast, holds for every round: two working days end with the 10th.
    check(&life("own=2-working_day"), "close.due", "D1 1/2");
}
