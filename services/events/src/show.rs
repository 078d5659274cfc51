//! Views as JSON: what `GET /v1/cases/{id}`, dry runs and explanations show.
//!
//! Only codes, numbers and instants: a view holds nothing personal. Words for people are added by whoever shows
//! it, from the codes given here.

use hotline_core::alarm::telling::{Telling, Told};
use hotline_core::alarm::{Alarm, alarms};
use hotline_core::anomaly::Anomaly;
use hotline_core::calendar::Calendar;
use hotline_core::deadline::{Amount, ExtensionFrom, Piece, Skip, explain};
use hotline_core::fact::Grant;
use hotline_core::fold::{
    Changed, Clock, Correction, Custody, CustodyEnd, Outcome, Round, Step, Verdict, View,
};
use hotline_core::rulebook::{Policy, Rulebook};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A case as JSON. `as_of` says what its open clocks are doing.
pub fn view(view: &View, rulebook: &Rulebook, as_of: Timestamp) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            shown.insert(name.to_owned(), value);
        }
    };
    put("case", json!(view.case.as_str()));
    put("hotline", json!(view.hotline.as_str()));
    put("number", json!(view.number.as_deref()));
    put("registered", json!(view.registered));
    put("open", json!(view.is_open()));
    put("received_at", at(view.received_at, rulebook));
    put("as_of", at(Some(as_of), rulebook));
    put("case_type", json!(view.attributes.case_type.as_str()));
    put(
        "category",
        json!(view.attributes.category.iter().map(smol_str::SmolStr::as_str).collect::<Vec<_>>()),
    );
    put("region", json!(Some(view.attributes.region.as_str()).filter(|region| !region.is_empty())));
    put("urgency", json!(view.attributes.urgency.as_str()));
    put("tags", json!(view.attributes.tags.iter().map(smol_str::SmolStr::as_str).collect::<Vec<_>>()));
    put("class", json!(view.class.as_str()));
    put("rulebook", json!(rulebook.hash.as_str()));
    let rounds = view.rounds.iter().enumerate().map(|(place, one)| round(view, place, one, rulebook, as_of));
    put("rounds", Value::Array(rounds.collect()));
    put("corrections", Value::Array(view.corrections.iter().map(|one| correction(one, rulebook)).collect()));
    put("anomalies", Value::Array(view.anomalies.iter().map(|one| anomaly(one, rulebook)).collect()));
    put("alarms", Value::Array(alarms(view, rulebook).iter().map(|one| alarm(one, rulebook)).collect()));
    if let Some(proposal) = &view.proposal {
        put(
            "proposal",
            json!({
                "department": proposal.department.as_str(),
                "rule": proposal.rule.as_str(),
                "at": at(Some(proposal.at), rulebook),
            }),
        );
    }
    Value::Object(shown)
}

fn at(at: Option<Timestamp>, rulebook: &Rulebook) -> Value {
    at.map_or(Value::Null, |at| instant(at, rulebook.timezone.to_offset(at)))
}

fn instant(at: Timestamp, offset: jiff::tz::Offset) -> Value {
    Value::String(at.display_with_offset(offset).to_string())
}

fn anomaly(anomaly: &Anomaly, rulebook: &Rulebook) -> Value {
    json!({
        "code": anomaly.code.code(),
        "meaning": anomaly.code.meaning(),
        "at": at(Some(anomaly.at), rulebook),
        "fact": anomaly.fact.map(|key| key.to_string()),
    })
}

fn alarm(alarm: &Alarm, rulebook: &Rulebook) -> Value {
    json!({
        "id": alarm.id().as_str(),
        "level": alarm.level.name(),
        "at": at(Some(alarm.at), rulebook),
        "deliver_at": at(Some(alarm.deliver_at), rulebook),
        "department": alarm.to.as_deref(),
        "stage": alarm.stage.as_str(),
        "due_at": at(Some(alarm.due_at), rulebook),
    })
}

fn round(view: &View, place: usize, round: &Round, rulebook: &Rulebook, as_of: Timestamp) -> Value {
    let clocks = view.clocks.iter().filter(|clock| clock.round == place);
    json!({
        "round": round.number,
        "opened_at": at(Some(round.opened_at), rulebook),
        "closing": round.closing.as_ref().map(|closing| json!({
            "type": closing.kind.name(),
            "at": at(Some(closing.at), rulebook),
            "department": closing.department.as_deref(),
            "outcome": closing.outcome.as_deref(),
        })),
        "custody": round.custodies.iter().map(|one| custody(one, rulebook)).collect::<Vec<_>>(),
        "slots": round.slots.iter().map(|slot| json!({
            "slot": slot.trigger.to_string(),
            "opened_at": at(Some(slot.opened_at), rulebook),
            "rule": slot.would_route.as_ref().map(|decision| decision.rule.as_str()),
            "would_dispatch_to": slot.would_route.as_ref().map(|decision| decision.department.as_str()),
            "filled_by": slot.filled_by.map(|key| key.to_string()),
        })).collect::<Vec<_>>(),
        "facts": round.steps.iter().map(|step| json!({
            "key": step.key.to_string(),
            "type": step.body.kind().name(),
            "source": step.source.as_str(),
            "department": step.body.department().map(smol_str::SmolStr::as_str),
            "code": step.body.code(),
            "details": details(step, rulebook),
            "claimed_at": at(Some(step.claimed_at), rulebook),
            "received_at": at(step.received_at, rulebook),
            "counted_at": at(Some(step.counted_at), rulebook),
        })).collect::<Vec<_>>(),
        "rating": round.rating.as_ref().map(|rating| json!({
            "outcome": outcome(rating.outcome),
            "solved": rating.solved.map(hotline_core::fact::Solved::name),
            "at": at(rating.at, rulebook),
        })),
        "clocks": clocks.map(|one| clock(one, rulebook, as_of)).collect::<Vec<_>>(),
    })
}

fn outcome(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Answered(grade) => json!(grade),
        Outcome::Unanswered => json!("unanswered"),
        Outcome::Unreached => json!("unreached"),
        Outcome::Default => json!("default"),
        Outcome::NotAsked => json!("not_asked"),
        Outcome::NotRequired => json!("not_required"),
    }
}

fn custody(custody: &Custody, rulebook: &Rulebook) -> Value {
    json!({
        "department": custody.department.as_str(),
        "from": custody.from.as_str(),
        "role": custody.role.name(),
        "from_at": at(Some(custody.from_at), rulebook),
        "until_at": at(custody.ended.map(|(at, _)| at), rulebook),
        "ended": custody.ended.map(|(_, how)| match how {
            CustodyEnd::Returned => "returned",
            CustodyEnd::Redispatched => "redispatched",
            CustodyEnd::Reorganisation => "reorganisation",
            CustodyEnd::WithParent => "with_parent",
            CustodyEnd::Closed => "closed",
        }),
        "rule": custody.rule.as_deref(),
    })
}

/// What a fact says beyond its code; what it says several times is a list.
fn details(step: &Step, rulebook: &Rulebook) -> Value {
    let mut members = Map::new();
    for detail in crate::details::of(&step.body) {
        let value = detail.json(|instant| at(Some(instant), rulebook));
        match members.get_mut(detail.name) {
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = json!([one, value]),
            None => _ = members.insert(detail.name.to_owned(), value),
        }
    }
    Value::Object(members)
}

/// What was told of a case's deadlines, and when.
pub fn told(told: &[(Timestamp, Told)], rulebook: &Rulebook) -> Value {
    let one = |(told_at, Told { alarm, n, telling }): &(Timestamp, Told)| {
        let why = match telling {
            Telling::Withdrawn(why) => Some(why.code()),
            Telling::Raised | Telling::Missed => None,
        };
        json!({
            "told_at": at(Some(*told_at), rulebook),
            "telling": telling.name(),
            "why": why,
            "n": n,
            "alarm": alarm.id().as_str(),
            "level": alarm.level.name(),
            "stage": alarm.stage.as_str(),
            "due_at": at(Some(alarm.due_at), rulebook),
            "department": alarm.to.as_deref(),
        })
    };
    told.iter().map(one).collect()
}

/// A correction: what it did to which fact, and who said so.
fn correction(correction: &Correction, rulebook: &Rulebook) -> Value {
    let (change, now) = match correction.change {
        Changed::Voided => ("voided", None),
        Changed::Moved(now) => ("moved", Some(now)),
        Changed::Restated => ("restated", None),
    };
    json!({
        "at": at(Some(correction.at), rulebook),
        "received_at": at(correction.received_at, rulebook),
        "source": correction.source.as_str(),
        "fact": correction.target.to_string(),
        "type": correction.kind.name(),
        "change": change,
        "claimed_at_before": at(Some(correction.claimed_at), rulebook),
        "claimed_at_now": at(now, rulebook),
    })
}

fn clock(clock: &Clock, rulebook: &Rulebook, as_of: Timestamp) -> Value {
    let policy = clock.policy.as_ref().and_then(|id| rulebook.policy(id));
    let deadline = clock.deadline.as_ref();
    json!({
        "stage": clock.stage.as_str(),
        "tier": clock.tier.name(),
        "policy": clock.policy.as_deref(),
        "basis": policy.map(|policy| policy.basis.as_str()),
        "department": clock.department.as_deref(),
        "role": clock.role.name(),
        "start_at": at(clock.start_at, rulebook),
        "due_at": at(clock.due_at(), rulebook),
        "due_on": clock.due_on().map(|due_on| due_on.to_string()),
        "end_of_day": deadline.map(|deadline| deadline.end_of_day),
        "provisional": deadline.is_some_and(|deadline| deadline.provisional),
        "stopped_at": at(clock.stop.map(|(at, _)| at), rulebook),
        "ended_at": at(clock.ended_at, rulebook),
        "verdict": clock.verdict.name(),
        "state": (clock.verdict == Verdict::Open).then(|| clock.state_at(as_of).name()),
        "decides_on_time": clock.closure,
        "ruled": clock.ruled,
        "excluded": clock.excluded,
        "explanation": policy.map(|policy| explanation(clock, policy, rulebook)),
    })
}

fn explanation(clock: &Clock, policy: &Policy, rulebook: &Rulebook) -> Value {
    let calendar = rulebook.calendar_for(policy, &clock.region);
    let (Some(start_at), Some(limit)) = (clock.start_at, clock.limit(policy, calendar)) else {
        return Value::Null;
    };
    let pieces = explain(&limit, start_at, &clock.holds, &clock.extensions);
    Value::Array(pieces.iter().map(|one| piece(one, calendar)).collect())
}

/// A step of the way from a start to a deadline, its instants in the calendar's zone.
pub fn piece(piece: &Piece, calendar: &Calendar) -> Value {
    let at = |at: Timestamp| instant(at, calendar.timezone().to_offset(at));
    match piece {
        Piece::AsSent { due_at } => json!({ "step": "as_sent", "due_at": at(*due_at) }),
        Piece::Moved { from, to } => json!({ "step": "moved_to_opening", "from": at(*from), "to": at(*to) }),
        Piece::Counted { from, to, amount, unit, make_up } => {
            let mut counted =
                json!({ "step": "counted", "from": at(*from), "to": at(*to), "unit": unit.name() });
            match amount {
                Amount::Days(days) => counted["days"] = json!(days),
                Amount::Micros(micros) => counted["seconds"] = json!(micros / 1_000_000),
            }
            if let Some(name) = make_up {
                counted["make_up_for"] = json!(name.as_str());
            }
            counted
        }
        Piece::Skipped { from, to, reason } => {
            let mut skipped = json!({ "step": "skipped", "from": at(*from), "to": to.map(at) });
            let (code, detail) = skip(reason);
            skipped["reason"] = json!(code);
            if !detail.is_null() {
                skipped["of"] = detail;
            }
            skipped
        }
        Piece::Extended { from, grant, before, after } => json!({
            "step": "extended",
            "from": match from {
                ExtensionFrom::OldDue => "old_due",
                ExtensionFrom::Grant => "grant",
                ExtensionFrom::Start => "start",
            },
            "by": match grant {
                Grant::Limit(limit, unit) => json!({ "limit": limit, "unit": unit.name() }),
                Grant::Until(until) => json!({ "until": at(*until) }),
            },
            "before": before.map(at),
            "after": after.map(at),
        }),
        Piece::Rolled { from, to } => {
            json!({ "step": "rolled", "from": from.to_string(), "to": to.to_string() })
        }
        Piece::ToClose { from, to } => {
            json!({ "step": "to_close_of_office", "from": at(*from), "to": at(*to) })
        }
        Piece::Omitted { from, to } => json!({ "step": "omitted", "from": at(*from), "to": at(*to) }),
    }
}

fn skip(reason: &Skip) -> (&'static str, Value) {
    match reason {
        Skip::StartDay => ("start_day", Value::Null),
        Skip::RestDay => ("rest_day", Value::Null),
        Skip::Festival(name) => ("festival", json!(name.as_str())),
        Skip::Rest(name) => ("rest", json!(name.as_str())),
        Skip::Closed => ("outside_office_hours", Value::Null),
        Skip::Held(reasons) => {
            ("held", json!(reasons.iter().map(smol_str::SmolStr::as_str).collect::<Vec<_>>()))
        }
    }
}
