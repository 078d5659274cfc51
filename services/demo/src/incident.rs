//! A power cut on a summer evening: within an hour 300 callers report it, and their cases are merged into one.

use hotline_core::calendar::Day;
use jiff::Timestamp;
use jiff::civil::date;
use serde_json::json;

use crate::calendar::{Office, minutes_after};
use crate::case::Case;
use crate::dice::Dice;

pub(crate) const CALLERS: u32 = 300;
/// The case into which they are merged.
pub const OUTAGE: &str = "12345:411200202307199999";

/// When the lights went out.
pub(crate) fn began_at(office: Office<'_>) -> Timestamp {
    office.at(Day::of(date(2023, 7, 19)), 19, 42)
}

pub(crate) fn number() -> String {
    OUTAGE.rsplit(':').next().unwrap_or(OUTAGE).to_owned()
}

/// The case into which all are merged, under the two-hour limits of an outage.
pub(crate) fn outage<'r>(mut case: Case<'r>, office: Office<'_>, dice: &mut Dice) -> Case<'r> {
    let at = began_at(office);
    let after = |minutes: i64, dice: &mut Dice| minutes_after(at, (minutes, minutes + 1), dice);
    let department = json!({ "department": "GDGS" });
    let received = json!({
        "case_type": "help", "category": ["utilities", "power"], "region": "411200", "number": case.number(),
        "channel": "phone", "urgency": "critical", "tags": ["area_outage"],
        "title": "示例：大面积停电", "content": "示例内容：多个小区同时停电。", "address": "示例路",
    });
    case.tell("received", at, &received);
    case.tell(
        "dispatched",
        after(14, dice),
        &json!({ "department": "GDGS", "role": "lead", "reason": "first" }),
    );
    case.tell("signed", after(20, dice), &department);
    case.tell("replied", after(75, dice), &json!({ "department": "GDGS", "preliminary": true }));
    case.tell("milestone", after(90, dice), &json!({ "name": "on_site" }));
    case.tell("submitted", after(230, dice), &json!({ "department": "GDGS", "outcome": "resolved" }));
    let closed_at = after(245, dice);
    case.tell("closed", closed_at, &json!({ "department": "GDGS", "by": "HL12345", "outcome": "resolved" }));
    let rated_at = office.working_day_after(closed_at, 1, dice);
    case.tell(
        "rated",
        rated_at,
        &json!({ "reached": true, "method": "call", "satisfaction": 4, "solved": "yes" }),
    );
    case
}

/// When the `nth` caller got through: most in the first half hour.
pub(crate) fn calls_at(office: Office<'_>, nth: u32) -> Timestamp {
    let seconds = i64::from(nth) * i64::from(nth) * 3300 / (i64::from(CALLERS) * i64::from(CALLERS)) + 60;
    began_at(office).checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// One of the callers; the case ends as soon as the operator sees what it is about.
pub(crate) fn caller<'r>(mut case: Case<'r>, at: Timestamp, dice: &mut Dice) -> Case<'r> {
    let received = json!({
        "case_type": "help", "category": ["utilities", "power"], "region": "411200", "number": case.number(),
        "channel": "phone", "urgency": "urgent", "tags": ["area_outage"],
        "title": "示例：停电", "content": "示例内容：家中停电。", "address": "示例小区",
        "reporter": { "name": "示例", "phone": "00000000000" },
    });
    case.tell("received", at, &received);
    let linked_at = minutes_after(at, (2, 9), dice);
    case.tell("linked", linked_at, &json!({ "kind": "incident", "case": OUTAGE }));
    let merged_at = minutes_after(linked_at, (1, 2), dice);
    case.tell("merged", merged_at, &json!({ "into": OUTAGE, "reason": "incident" }));
    case
}
