//! Lives under the rulebook that the project ships: orders 20 and 121, Henan's rule for 12345, the petition regulation.
//!
//! Each deadline is counted by hand, from the article that stands in the policy and the notice of the year's holidays: off in
//! 2026 are 4 to 6 April, 1 to 5 May, 19 to 21 June, 25 to 27 September, 1 to 7 October; 9 May, 20 September and 10 October
//! are worked. A day begun does not count, and a last day lasts until 24:00.

use std::sync::LazyLock;

use super::super::samples::{fact, local, rows_of, shipped};
use super::super::{View, settle};
use super::{AnomalyCode, at, case};
use crate::case::CaseFacts;
use crate::rulebook::Rulebook;

static LAW: LazyLock<Rulebook> = LazyLock::new(|| shipped().rulebook);

/// A case told by the platform of its hotline in Sanmenxia.
fn told(name: &str, text: &str) -> CaseFacts {
    let hotline = name.split(':').next().expect("a hotline");
    let facts = text.lines().map(|line| fact(&format!("{line} src=/hotline/{hotline}/411200")));
    case(facts, &LAW)
}

fn view(name: &str, text: &str) -> View {
    settle(name, &mut told(name, text), &LAW, at("12-01 00:00")).0
}

/// Of each clock of a stage: who answers for it, its last day or instant, and what it came to.
fn judged(view: &View, stage: &str) -> String {
    let clocks = view.clocks.iter().filter(|clock| clock.stage == stage);
    let told = clocks.map(|clock| {
        let department = clock.department.as_deref().unwrap_or("-");
        let due = match &clock.deadline {
            None => "never".to_owned(),
            Some(deadline) if deadline.end_of_day => {
                deadline.due_on.expect("it is due").strftime("%m-%d").to_string()
            }
            Some(deadline) => local(deadline.due_at.expect("it is due")),
        };
        format!("{department} {due} {}", clock.verdict.name())
    });
    told.collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(name: &str, text: &str, expect: &[(&str, &str)]) {
    let view = view(name, text);
    for (stage, clocks) in expect {
        assert_eq!(judged(&view, stage), *clocks, "{stage}");
    }
}

#[test]
fn the_last_complaint_of_order_20_and_the_first_of_order_121() {
    let life = |received: &str| {
        format!(
            "{received} received complaint\n04-16 10:00 accepted\n\
             06-18 10:00 closed HBQ-SCJG outcome=terminated\n06-30 10:00 notified termination"
        )
    };
    // 令20: 15, 16, 17, 20 to 23 April to decide (第十四条); 45 working days to mediate (第二十一条): 10 in April, 17 in May
    // with the Saturday, less the holiday's, 18 in June without the 19th.
    check(
        "12315:1",
        &life("04-14 23:59"),
        &[
            ("accept", "HBQ-SCJG 04-23 met"),
            ("close", "HBQ-SCJG 06-23 met"),
            ("termination_notice", "HBQ-SCJG 06-30 met"),
        ],
    );
    // 令121: to 24 April (第十五条); 60 days (第二十三条): 14 in April, 31 in May, 15 in June.
    check(
        "12315:1",
        &life("04-15 00:00"),
        &[
            ("accept", "HBQ-SCJG 04-24 met"),
            ("close", "HBQ-SCJG 06-15 late"),
            ("termination_notice", "HBQ-SCJG 06-30 met"),
        ],
    );
}

#[test]
fn only_order_20_wants_a_real_name_reporter_told_within_five_days() {
    let life = |received: &str| {
        format!(
            "{received} received report tags=real_name\n04-20 10:00 verified not_filed\n04-28 09:00 notified decision"
        )
    };
    // 第三十一条第二款: 21 to 24 and 27 April.
    check("12315:1", &life("04-14 10:00"), &[("decision_notice", "HBQ-SCJG 04-27 late")]);
    check("12315:1", &life("04-15 10:00"), &[("decision_notice", "")]);
}

#[test]
fn sixty_days_that_end_on_a_statutory_festival_end_on_the_first_day_after_it() {
    let mediated = |accepted: &str, closed: &str| {
        format!(
            "07-31 10:00 received complaint\n{accepted} 10:00 accepted\n{closed} closed HBQ-SCJG outcome=mediated"
        )
    };
    // 29 days in August and 30 in September, so the sixtieth is 1 October; 第四十五条 moves it past the statutory 1st to 3rd.
    check("12315:1", &mediated("08-02", "10-04 23:59"), &[("close", "HBQ-SCJG 10-04 met")]);
    check("12315:1", &mediated("08-02", "10-05 00:00"), &[("close", "HBQ-SCJG 10-04 late")]);
    // A plain Sunday stays: 15 days in April, 31 in May, 14 in June.
    let spring =
        "04-15 09:00 received complaint\n04-15 10:00 accepted\n06-15 00:00 closed HBQ-SCJG outcome=mediated";
    check("12315:1", spring, &[("close", "HBQ-SCJG 06-14 late")]);
}

#[test]
fn an_inspection_over_the_national_holiday_does_not_count() {
    let mediated = |held: &str, closed: &str| {
        format!(
            "07-31 10:00 received complaint\n08-03 10:00 accepted\n{held}{closed} closed HBQ-SCJG outcome=mediated"
        )
    };
    // 28 days in August and 30 in September; the sixtieth is 2 October, a festival, so the 4th.
    check("12315:1", &mediated("", "10-05 00:00"), &[("close", "HBQ-SCJG 10-04 late")]);
    // 第二十二条: from 28 September to 4 October nothing counts; 55 days had passed, 5 to 9 October are the other five.
    let held = "09-28 10:00 held inspection\n10-05 16:00 released inspection\n";
    check("12315:1", &mediated(held, "10-09 23:59"), &[("close", "HBQ-SCJG 10-09 met")]);
    check("12315:1", &mediated(held, "10-10 00:00"), &[("close", "HBQ-SCJG 10-09 late")]);
    // In working days a holiday that is held as well is left out once: of 30 September to 7 October only the 30th was a
    // day to count, and the tenth day is the 13th instead of the 12th.
    let worked = |closed: &str| {
        format!(
            "09-21 09:00 received complaint\n09-21 09:30 dispatched ZJJ\n09-30 10:00 held inspection\n\
             10-08 09:00 released inspection\n{closed} closed ZJJ"
        )
    };
    check("12345:1", &worked("10-13 23:59"), &[("close", "ZJJ 10-13 met")]);
    check("12345:1", &worked("10-14 00:00"), &[("close", "ZJJ 10-13 late")]);
}

#[test]
fn a_repeat_report_with_new_facts_starts_the_limit_anew_under_order_121() {
    let life =
        |again: &str| format!("06-01 09:00 received report\n06-15 10:00 {again}\n07-07 23:59 verified filed");
    // 令121 第三十五条: 16 to 18, 22 to 26, 29, 30 June, 1 to 3, 6 and 7 July.
    check("12315:1", &life("supplemented new_facts=1"), &[("verify", "HBQ-SCJG 07-07 met")]);
    // The same facts again are not handled again: 15 working days from 1 June, less the 19th.
    check("12315:1", &life("supplemented"), &[("verify", "HBQ-SCJG 06-23 late")]);
    // 令20 knew no such rule: 15 working days from 2 March.
    let before =
        "03-02 09:00 received report\n03-16 10:00 supplemented new_facts=1\n03-24 00:00 verified filed";
    check("12315:1", before, &[("verify", "HBQ-SCJG 03-23 late")]);
}

#[test]
fn a_mixed_letter_is_split_into_a_complaint_and_a_report_with_a_clock_each() {
    let letter = "05-06 09:00 received complaint\n05-07 10:00 split";
    let complaint = "05-06 09:00 received complaint recorded=05-07T10:00\n05-07 10:01 linked same_contact\n05-15 09:00 accepted";
    let report = "05-06 09:00 received report recorded=05-07T10:00\n05-07 10:01 linked same_contact\n05-26 23:59 verified filed";
    // 令121 第九条: handled separately. The letter itself is judged by nothing: split in time, its clock is void, and no clue
    // (第二十七条) was ever to be verified.
    check("12315:1", letter, &[("accept", "HBQ-SCJG 05-14 void"), ("verify", "HBQ-SCJG never none_stopped")]);
    // Seven working days from the receipt of the letter: 7, 8, 9 (a Saturday worked), 11 to 14 May.
    check("12315:8", complaint, &[("accept", "HBQ-SCJG 05-14 late"), ("verify", "HBQ-SCJG never none_open")]);
    // Fifteen: those seven, 15, 18 to 22, 25 and 26 May.
    check("12315:9", report, &[("accept", ""), ("verify", "HBQ-SCJG 05-26 met")]);
    let mut all = [("12315:1", letter), ("12315:8", complaint), ("12315:9", report)]
        .map(|(name, text)| (name, told(name, text)));
    let mut rows = |rate: &str| {
        let cases = all.iter_mut().map(|(name, case)| (*name, case));
        rows_of(cases, &LAW, rate, at("12-01 00:00"))
    };
    assert_eq!(rows("acceptance"), "HBQ-SCJG 0/1");
    assert_eq!(rows("verification"), "HBQ-SCJG 1/1");
}

#[test]
fn three_hundred_callers_are_one_incident_with_a_first_opinion_within_two_hours() {
    let callers: Vec<String> =
        (2..=300).map(|caller| format!("07-13 08:40 linked incident id=caller-{caller}\n")).collect();
    let incident = format!(
        "07-13 08:00 received help tags=area_outage\n{}07-13 10:00 dispatched ZJJ\n07-13 10:30 signed ZJJ\n",
        callers.concat()
    );
    let rest =
        |replied: &str| format!("{incident}{replied} replied ZJJ preliminary=1\n07-20 10:00 closed ZJJ");
    // Two hours to dispatch, two from the signature to the first opinion, five working days (14 to 17 and 20 July) to help.
    let in_time = rest("07-13 12:30");
    check(
        "12345:1",
        &in_time,
        &[
            ("dispatch", "HL12345 07-13 10:00 met"),
            ("first_opinion", "ZJJ 07-13 12:30 met"),
            ("close", "ZJJ 07-20 met"),
        ],
    );
    check("12345:1", &rest("07-13 12:31"), &[("first_opinion", "ZJJ 07-13 12:30 late")]);
    // The others are merged before anybody has them: taken in, and judged by nothing.
    let names: Vec<String> = (1..=300).map(|n| format!("12345:{n}")).collect();
    let merged = "07-13 08:00 received help tags=area_outage\n07-13 08:40 merged reason=incident";
    let mut cases: Vec<CaseFacts> =
        (1..=300).map(|n| told("12345:1", if n == 1 { &in_time } else { merged })).collect();
    let mut rows = |rate: &str| {
        let cases = names.iter().map(String::as_str).zip(&mut cases);
        rows_of(cases, &LAW, rate, at("12-01 00:00"))
    };
    assert_eq!(rows("dispatch"), "HL12345 1/1");
    assert_eq!(rows("on_time_closure.due"), "ZJJ 1/1");
    assert_eq!(rows("persons"), "- 299/299, ZJJ 1/1");
}

#[test]
fn what_the_hotline_itself_does_late_is_charged_to_its_office() {
    let life = "09-21 09:00 received complaint\n09-22 09:01 dispatched ZJJ\n09-24 10:00 submitted ZJJ\n09-29 00:00 closed ZJJ";
    // 24 hours to dispatch, one working day (the 28th, after the festival) to review; the bureau has until 13 October.
    check(
        "12345:1",
        life,
        &[
            ("dispatch", "HL12345 09-22 09:00 late"),
            ("review", "HL12345 09-28 late"),
            ("close", "ZJJ 10-13 met"),
        ],
    );
    let mut case = told("12345:1", life);
    let mut rows = |rate: &str| rows_of([("12345:1", &mut case)], &LAW, rate, at("12-01 00:00"));
    assert_eq!(rows("dispatch"), "HL12345 0/1");
    assert_eq!(rows("review"), "HL12345 0/1");
    assert_eq!(rows("on_time_closure.due"), "ZJJ 1/1");
}

/// Taken in on 2 March, given on on the last of 15 days, accepted on the 20th.
const PETITION: &str =
    "03-02 09:00 received petition\n03-17 23:59 dispatched RSJ\n03-20 10:00 accepted RSJ\n";

#[test]
fn a_petition_has_sixty_days_and_thirty_more_once() {
    let close = |more: &str, closed: &str| format!("{PETITION}{more}{closed} closed RSJ");
    // 第二十二条: 15 days to pass it on; 第二十三条: 15 to say so; 第三十四条: 11 days in March, 30 in April, 19 in May.
    check(
        "petition:1",
        &close("", "05-19 23:59"),
        &[("dispatch", "XFJ 03-17 met"), ("accept", "RSJ 04-01 met"), ("close", "RSJ 05-19 met")],
    );
    check("petition:1", &close("", "05-20 00:00"), &[("close", "RSJ 05-19 late")]);
    // Thirty more: 12 in May, 18 in June.
    let extended = "05-19 23:00 extension_requested 30-calendar_day\n05-19 23:30 extended 30-calendar_day\n";
    check("petition:1", &close(extended, "06-18 23:59"), &[("close", "RSJ 06-18 met")]);
    check("petition:1", &close(extended, "06-19 00:00"), &[("close", "RSJ 06-18 late")]);
    // Not more than thirty, and not twice.
    let more = view("petition:1", &close(&extended.replace("30-", "31-"), "06-18 23:59"));
    assert_eq!(judged(&more, "close"), "RSJ 05-19 late");
    let twice = format!("{extended}06-18 10:00 extended 1-calendar_day\n");
    let twice = view("petition:1", &close(&twice, "06-19 10:00"));
    assert_eq!(judged(&twice, "close"), "RSJ 06-18 late");
    for view in [more, twice] {
        let codes: Vec<AnomalyCode> = view.anomalies.iter().map(|anomaly| anomaly.code).collect();
        assert_eq!(codes, [AnomalyCode::ExtensionExcess]);
    }
}

#[test]
fn the_review_of_a_petition_is_a_case_of_its_own() {
    let first = format!("{PETITION}05-19 10:00 closed RSJ");
    // Asked of the body above, with the deadline that the office sets for it.
    let review = |closed: &str| {
        format!(
            "06-05 09:00 received petition due=07-05T18:00\n06-05 09:01 linked review\n06-08 10:00 dispatched SCJG\n\
             06-09 10:00 accepted SCJG\n{closed} closed SCJG"
        )
    };
    check("petition:2", &review("07-05 18:00"), &[("close", "SCJG 07-05 18:00 met")]);
    let late = review("07-05 18:01");
    check("petition:2", &late, &[("close", "SCJG 07-05 18:00 late")]);
    let mut both = [("petition:1", told("petition:1", &first)), ("petition:2", told("petition:2", &late))];
    let cases = both.iter_mut().map(|(name, case)| (*name, case));
    // The first judgement stands as it was, with the department that gave it.
    assert_eq!(rows_of(cases, &LAW, "on_time_closure.due", at("12-01 00:00")), "RSJ 1/1, SCJG 0/1");
    assert_eq!(view("petition:1", &first).rounds.len(), 1);
}
