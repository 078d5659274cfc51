//! What is sent in a simulation: mostly plausible, sometimes not.

use hotline_core::fact::EventKey;
use hotline_core::fold::pin_id;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Dice;

pub(super) const HOTLINE: &str = "/hotline/12345";
pub(super) const PIPELINE: &str = "/hotline/ours";
pub(super) const LATER: &str = "/hotline/later";
pub(super) const SHEETS: &str = "/hotline/sheets";
/// Not in the rulebook.
const UNLISTED: &str = "/hotline/unlisted";

/// Something that was sent, as it may be doubled, corrected or contradicted later.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) case: String,
    pub(super) source: &'static str,
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

const KINDS: [&str; 17] = [
    "received",
    "dispatched",
    "signed",
    "return_requested",
    "returned",
    "return_refused",
    "held",
    "released",
    "extension_requested",
    "extended",
    "submitted",
    "close_refused",
    "closed",
    "rated",
    "reopened",
    "urged",
    "amended",
];

/// The next thing that is sent about some case.
pub(super) fn next(dice: &mut Dice, sent: &[Sent], number: usize, now: Timestamp) -> Sent {
    if !sent.is_empty() && dice.one_in(8) {
        return dice.pick(sent).clone();
    }
    let case = format!("12345:{}", dice.below(3));
    // A case has one platform, mostly.
    let source = match (case.as_str(), dice.below(20)) {
        (_, 0) => UNLISTED,
        (_, 1) => SHEETS,
        ("12345:0", _) => HOTLINE,
        ("12345:1", _) => PIPELINE,
        _ => LATER,
    };
    let back = if dice.one_in(2) { 20 } else { 600 };
    let minutes = i64::try_from(dice.below(back)).expect("small");
    let ahead = if dice.one_in(12) { 3_000 } else { 0 };
    let time = now + SignedDuration::from_mins(ahead - minutes);
    let mut id = format!("e{number}");
    let (kind, data) = if source == SHEETS {
        ("snapshot", snapshot(dice, now))
    } else if dice.one_in(10) && !sent.is_empty() {
        ("corrected", correction(dice, sent, &case))
    } else {
        let first = sent.iter().all(|one| one.case != case);
        let kind = if first && !dice.one_in(6) { "received" } else { *dice.pick(&KINDS) };
        (kind, data(dice, kind))
    };
    // Of a source's older snapshots only the keys are kept: another content under one of their names is not noticed.
    if dice.one_in(25)
        && source != SHEETS
        && let Some(earlier) = sent.iter().find(|one| one.source == source && one.case == case)
    {
        // Another content under a name that is taken.
        id.clone_from(&earlier.id);
    }
    let event = json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": source, "id": id,
        "subject": case, "time": time.to_string(), "data": data,
    });
    let mut bytes = event.to_string().into_bytes();
    if dice.one_in(25) {
        bytes.truncate(bytes.len() / 2);
    }
    Sent { case, source, id, kind, bytes }
}

fn department(dice: &mut Dice) -> &'static str {
    ["D1", "D2"][dice.below(2)]
}

fn data(dice: &mut Dice, kind: &str) -> Value {
    let department = department(dice);
    match kind {
        "received" => json!({ "case_type": "complaint", "content": "words" }),
        "held" | "released" => json!({ "reason": "parked" }),
        "extension_requested" | "extended" => json!({ "stage": "close", "limit": 3, "unit": "working_day" }),
        "rated" => json!({ "reached": true, "satisfaction": 1 + dice.below(5), "solved": "yes" }),
        "reopened" => json!({ "reason": "dissatisfied" }),
        "urged" => json!({ "by": "caller" }),
        "amended" => json!({ "case_type": "report" }),
        _ => json!({ "department": department }),
    }
}

fn correction(dice: &mut Dice, sent: &[Sent], case: &str) -> Value {
    if dice.one_in(6)
        && let Some(opening) = sent.iter().find(|one| one.case == case && one.kind == "received")
    {
        // A decision of ours, which nobody corrects.
        let slot = EventKey::of(opening.source, &opening.id);
        let corrects = json!({
            "source": "/hotline/pipeline", "id": pin_id(case, slot), "type": "hotline.case.dispatched.v1",
        });
        return json!({ "corrects": corrects, "void": true });
    }
    let of_case: Vec<&Sent> = sent.iter().filter(|one| one.case == case && one.kind != "snapshot").collect();
    let (source, id, kind) = match of_case.as_slice() {
        [] => (HOTLINE, "nothing", "closed"),
        all => {
            let one = dice.pick(all);
            (one.source, one.id.as_str(), one.kind)
        }
    };
    json!({ "corrects": { "source": source, "id": id, "type": format!("hotline.case.{kind}.v1") }, "void": true })
}

fn snapshot(dice: &mut Dice, now: Timestamp) -> Value {
    let at = |hours: i64| (now - SignedDuration::from_hours(hours)).to_string();
    let mut facts = vec![json!({
        "type": "hotline.case.received.v1", "time": at(50), "data": { "case_type": "complaint" },
    })];
    if dice.one_in(2) {
        facts.push(json!({
            "type": "hotline.case.dispatched.v1", "time": at(49), "data": { "department": department(dice) },
        }));
    }
    if dice.one_in(3) {
        facts.push(json!({
            "type": "hotline.case.closed.v1", "time": at(2), "data": { "department": department(dice) },
        }));
    }
    json!({ "facts": facts })
}
