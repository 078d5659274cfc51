//! The shipped signs of gaming (deploy/rulebook/rates/gaming.toml), each with a life that shows it and one that does not.
//!
//! A complaint dispatched on 21 September 2026 is to be signed by 09:30 of the 22nd and closed by the end of 12 October.

use std::sync::LazyLock;

use super::super::samples::{CASE, fact, rows, rulebook_with, shipped};
use super::{POLICIES, at, case, fold, life};
use crate::fact::Fact;
use crate::rulebook::Rulebook;
use crate::score::{Score, score};

static SHIPPED: LazyLock<Rulebook> = LazyLock::new(|| shipped().rulebook);

const GIVEN: &str = "09-21 09:00 received complaint\n09-21 09:30 dispatched ZJJ\n";
const URGED: &str = "10-08 09:00 urged\n";
const RATED: &str = "10-14 10:00 rated 5";

/// Who got what as of 1 December, whatever the order of arrival.
#[track_caller]
fn check(text: &str, rate: &str, expect: &str) {
    let facts: Vec<Fact> =
        text.lines().map(|line| fact(&format!("{line} src=/hotline/12345/411200"))).collect();
    let mut told = case(facts.clone(), &SHIPPED);
    let mut reversed = case(facts.into_iter().rev(), &SHIPPED);
    assert_eq!(rows(&mut told, &SHIPPED, rate, at("12-01 00:00")), expect, "as told");
    assert_eq!(rows(&mut reversed, &SHIPPED, rate, at("12-01 00:00")), expect, "reversed");
    let score = score(&fold(CASE, &told, &SHIPPED), &SHIPPED);
    assert_eq!(Score::decode(&score.encode()), Ok(score), "as it is stored");
}

#[test]
fn closed_in_the_last_hour() {
    let closed = |closed: &str| format!("{GIVEN}{closed} closed ZJJ");
    check(&closed("10-12 23:00"), "gaming.closed_last_hour", "ZJJ 1/1");
    check(&closed("10-12 22:59"), "gaming.closed_last_hour", "ZJJ 0/1");
    check(&closed("10-13 00:00"), "gaming.closed_last_hour", "");
    // The submission is what stops the clock.
    check(
        &format!("{GIVEN}10-12 23:30 submitted ZJJ\n10-14 10:00 closed ZJJ"),
        "gaming.closed_last_hour",
        "ZJJ 1/1",
    );
    // Of a day nobody knows the hour, and a ruling is no closing in time.
    check(&format!("{GIVEN}10-12 00:00 closed ZJJ day=1"), "gaming.closed_last_hour", "ZJJ 0/1");
    check(
        &format!("{}\n10-20 09:00 ruled close met", closed("10-13 00:30")),
        "gaming.closed_last_hour",
        "ZJJ 0/1",
    );
}

#[test]
fn reopened_soon_after_the_closing() {
    let reopened = |at: &str| format!("{GIVEN}09-22 09:00 closed ZJJ\n{at} reopened dissatisfied");
    check(&reopened("09-23 09:00"), "gaming.reopened_within_24h", "ZJJ 1/1");
    check(&reopened("09-23 09:00"), "gaming.reopened_within_72h", "ZJJ 1/1");
    check(&reopened("09-23 09:01"), "gaming.reopened_within_24h", "ZJJ 0/1");
    check(&reopened("09-25 09:00"), "gaming.reopened_within_72h", "ZJJ 1/1");
    check(&reopened("09-25 09:01"), "gaming.reopened_within_72h", "ZJJ 0/1");
    let excluded = format!("{}\n09-28 09:00 ruled reopening exclude", reopened("09-23 09:00"));
    check(&excluded, "gaming.reopened_within_24h", "ZJJ 0/1");
}

#[test]
fn late_and_reopened_after_the_month_of_its_closing() {
    let reopened = |closed: &str, at: &str| format!("{GIVEN}{closed} closed ZJJ\n{at} reopened supervision");
    check(&reopened("10-13 09:00", "11-01 00:00"), "gaming.late_reopened", "ZJJ 1/1");
    check(&reopened("10-13 09:00", "10-31 23:59"), "gaming.late_reopened", "ZJJ 0/1");
    check(&reopened("10-12 09:00", "11-01 00:00"), "gaming.late_reopened", "");
    // Returned too late by one and closed in time by another.
    let left = format!(
        "{GIVEN}10-13 10:00 returned ZJJ\n10-13 11:00 dispatched CGJ\n10-16 09:00 closed CGJ\n11-02 09:00 reopened review"
    );
    check(&left, "gaming.late_reopened", "ZJJ 1/1");
    let excluded = format!("{}\n11-03 09:00 ruled close exclude", reopened("10-13 09:00", "11-01 00:00"));
    check(&excluded, "gaming.late_reopened", "");
}

#[test]
fn extended_on_the_last_day() {
    let extended = |asked: &str| {
        format!(
            "{GIVEN}{asked} extension_requested 5-working_day\n10-14 10:00 extended 5-working_day\n10-16 09:00 closed ZJJ"
        )
    };
    check(&extended("10-12 00:00"), "gaming.extended_last_day", "ZJJ 1/1");
    check(&extended("10-11 23:59"), "gaming.extended_last_day", "ZJJ 0/1");
    // Asked too late it moves nothing.
    check(&extended("10-13 00:00"), "gaming.extended_last_day", "ZJJ 0/1");
    check(&format!("{GIVEN}10-12 16:00 extended 5-working_day"), "gaming.extended_last_day", "ZJJ 1/1");
}

#[test]
fn returned_on_the_last_day() {
    let returned = |asked: &str| {
        format!(
            "{GIVEN}{asked} return_requested ZJJ\n10-14 10:00 returned ZJJ\n10-14 11:00 dispatched CGJ\n10-16 09:00 closed CGJ"
        )
    };
    check(&returned("10-12 00:00"), "gaming.returned_last_day", "ZJJ 1/1");
    check(&returned("10-12 23:59"), "gaming.returned_last_day", "ZJJ 1/1");
    check(&returned("10-11 23:59"), "gaming.returned_last_day", "ZJJ 0/1");
    check(&returned("10-13 00:00"), "gaming.returned_last_day", "ZJJ 0/1");
    let excluded = format!("{}\n10-20 09:00 ruled return exclude", returned("10-12 23:59"));
    check(&excluded, "gaming.returned_last_day", "");
}

#[test]
fn a_clock_that_passes_on_was_on_its_last_day_with_who_returned_it() {
    let rates = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rulebook/rates/gaming.toml"),
    )
    .expect("it is shipped");
    let rates = rates.replace("where = { class_not = [\"direct\"] }\n", "");
    let policies = POLICIES.replacen(
        "closure = true",
        "on_custody_change = { returned = \"continue\" }\nclosure = true",
        1,
    );
    let rulebook = rulebook_with(&policies, &[("rates/gaming.toml", &rates)]);
    let told = |asked: &str| {
        let text = format!(
            "09-21 09:00 received\n09-21 09:30 dispatched D1\n{asked} return_requested D1\n10-14 10:00 returned D1\n\
             10-14 11:00 dispatched D2\n10-16 09:00 closed D2"
        );
        rows(&mut case(life(&text), &rulebook), &rulebook, "gaming.returned_last_day", at("12-01 00:00"))
    };
    assert_eq!(told("10-12 10:00"), "D1 1/1");
    assert_eq!(told("10-10 10:00"), "D1 0/1");
}

#[test]
fn closings_dated_back() {
    let closed = |recorded: &str| format!("{GIVEN}10-12 17:00 closed ZJJ recorded={recorded}");
    check(&closed("10-15T17:00"), "gaming.closed_backdated", "ZJJ 1/1");
    check(&closed("10-13T17:00"), "gaming.closed_backdated", "ZJJ 0/1");
    check(&format!("{GIVEN}10-12 17:00 closed ZJJ"), "gaming.closed_backdated", "ZJJ 0/1");
    let corrected = format!(
        "{GIVEN}10-14 09:00 closed ZJJ id=c recorded=10-14T09:00\n\
         10-20 09:00 corrected closed target=c of=411200 time=10-12T09:00 recorded=10-20T09:00"
    );
    check(&corrected, "gaming.closed_backdated", "ZJJ 1/1");
}

#[test]
fn signed_by_the_system_itself() {
    let signed = |signed: &str| format!("{GIVEN}{signed}\n10-12 10:00 closed ZJJ");
    check(&signed("09-21 09:31 signed ZJJ automatic=1"), "gaming.automatic_signing", "ZJJ 1/1");
    check(&signed("09-21 09:31 signed ZJJ"), "gaming.automatic_signing", "ZJJ 0/1");
    check(&signed("09-22 09:31 signed ZJJ automatic=1"), "gaming.automatic_signing", "");
}

#[test]
fn rated_by_default() {
    let rated = |rated: &str| format!("{GIVEN}10-12 10:00 closed ZJJ\n{rated}");
    check(&rated("10-13 10:00 rated 5 method=default"), "gaming.default_rating", "ZJJ 1/1");
    check(&rated("10-13 10:00 rated 5"), "gaming.default_rating", "ZJJ 0/1");
    check(&rated("10-13 10:00 rated unreached=1"), "gaming.default_rating", "ZJJ 0/1");
    check(&rated("10-13 10:00 urged"), "gaming.default_rating", "");
}

/// What is not followed up, of troubled rounds and of the others.
#[track_caller]
fn check_asked(text: &str, troubled: &str, untroubled: &str) {
    check(text, "gaming.not_asked.troubled", troubled);
    check(text, "gaming.not_asked.untroubled", untroubled);
}

#[test]
fn asked_only_where_nobody_has_reason_to_complain() {
    let life = |before: &str, closed: &str, after: &str| {
        format!(
            "{GIVEN}{before}{closed} closed ZJJ{}",
            if after.is_empty() { String::new() } else { format!("\n{after}") }
        )
    };
    check_asked(&life("", "10-12 10:00", RATED), "", "ZJJ 0/1");
    check_asked(&life("", "10-12 10:00", ""), "", "ZJJ 1/1");
    check_asked(&life(URGED, "10-12 10:00", RATED), "ZJJ 0/1", "");
    check_asked(&life(URGED, "10-12 10:00", ""), "ZJJ 1/1", "");
    check_asked(&life("", "10-13 10:00", ""), "ZJJ 1/1", "");
    // Who urges after the closing was not known of before; who cannot be reached was asked; a default asks nobody.
    check_asked(&life("", "10-12 10:00", "10-13 09:00 urged"), "", "ZJJ 1/1");
    check_asked(&life(URGED, "10-12 10:00", "10-13 10:00 rated unreached=1"), "ZJJ 0/1", "");
    check_asked(&life(URGED, "10-12 10:00", "10-13 10:00 rated 5 method=default"), "ZJJ 1/1", "");
    // A redo is troubled from the start; the round before it is what it was.
    let redone = "10-13 10:00 rated 1\n10-13 11:00 reopened dissatisfied\n10-13 11:30 dispatched ZJJ\n10-14 10:00 closed ZJJ";
    check_asked(&life("", "10-12 10:00", redone), "ZJJ 1/1", "ZJJ 0/1");
    // Nobody is to be asked of an anonymous case, nor of one that was merged.
    check_asked(&life(URGED, "10-12 10:00", "").replace("complaint", "complaint anonymous=1"), "", "");
    check_asked(&life(URGED, "10-12 10:00", "").replace("closed ZJJ", "merged"), "", "");
    check_asked(&life(URGED, "10-12 10:00", "10-20 09:00 ruled rating exclude"), "", "");
}

#[test]
fn exclusions_are_counted_with_who_made_them() {
    let ruled = format!(
        "{GIVEN}10-13 09:00 closed ZJJ\n10-20 09:00 ruled close exclude by=XZSP\n10-21 09:00 ruled close met by=XZSP\n\
         10-22 09:00 ruled rating exclude by=supervision-office department=ZJJ\n10-23 09:00 ruled close restore"
    );
    check(&ruled, "gaming.exclusions", "- 0/1, XZSP 1/2, supervision-office 1/1");
}
