//! The life of a petition: a letter or a visit, passed to a department, accepted or refused, answered in writing.

use jiff::Timestamp;
use serde_json::json;

use crate::calendar::Office;
use crate::case::Case;
use crate::dice::Dice;
use crate::world::PetitionLane;

/// A letter of one person, or a visit of some.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Letter,
    Visit { persons: u32 },
}

pub(crate) fn petition<'r>(
    mut case: Case<'r>,
    office: Office<'_>,
    lane: &PetitionLane,
    way: Way,
    at: Timestamp,
    dice: &mut Dice,
) -> Case<'r> {
    let (channel, persons) = match way {
        Way::Letter => ("letter", 1),
        Way::Visit { persons } => ("visit", persons),
    };
    let received = json!({
        "case_type": "petition", "category": [lane.category.0, lane.category.1], "region": lane.region,
        "number": case.number(), "channel": channel, "persons": persons,
        "title": "示例信访事项", "content": "示例内容", "reporter": { "name": "示例", "phone": "00000000000" },
    });
    case.tell("received", at, &received);
    let department = json!({ "department": lane.department });
    let dispatched_at = office.working_day_after(at, dice.between(1, 6), dice);
    let dispatch = json!({ "department": lane.department, "role": "lead", "reason": "first" });
    case.tell("dispatched", dispatched_at, &dispatch);
    let decided_at = office.working_day_after(dispatched_at, dice.between(1, 8), dice);
    if dice.in_thousand(40) {
        let refused = json!({ "department": lane.department, "ground": "legal_channel" });
        case.tell("refused", decided_at, &refused);
        case.tell(
            "notified",
            office.open_minutes_after(decided_at, (20, 90), dice),
            &json!({ "of": "refusal" }),
        );
        return case;
    }
    case.tell("accepted", decided_at, &department);
    case.tell(
        "notified",
        office.open_minutes_after(decided_at, (20, 90), dice),
        &json!({ "of": "acceptance" }),
    );
    // The year's books close in March: what came late in the year is not extended.
    let extended = dice.in_thousand(60) && office.day(at).date().month() < 10;
    let days = if extended { dice.between(44, 55) } else { dice.between(8, 34) };
    if extended {
        let asked_at = office.working_day_after(decided_at, 34, dice);
        let grant = json!({ "stage": "close", "limit": 30, "unit": "calendar_day", "by": lane.department });
        case.tell("extension_requested", asked_at, &grant);
        case.tell("extended", office.open_minutes_after(asked_at, (60, 150), dice), &grant);
    }
    let submitted_at = office.working_day_after(decided_at, days, dice);
    let result = json!({ "department": lane.department, "outcome": "explained" });
    case.tell("submitted", submitted_at, &result);
    let closed_at = office.open_minutes_after(submitted_at, (30, 200), dice);
    let closing = json!({ "department": lane.department, "by": "XFJ", "outcome": "explained" });
    case.tell("closed", closed_at, &closing);
    case.tell("notified", office.open_minutes_after(closed_at, (30, 90), dice), &json!({ "of": "result" }));
    case
}
