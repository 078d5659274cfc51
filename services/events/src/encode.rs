//! A fact back to its public event.

use hotline_core::fact::{
    Amounts, Body, Change, Corrected, Dispatched, Fact, Grant, InnerFact, Kind, OwnLimit, Precision, Rated,
    Received, Solved,
};
use serde_json::{Map, Value, json};

/// What an event says of itself and a fact does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    pub subject: &'a str,
    pub id: &'a str,
    /// (source, id) of the event that a correction corrects.
    pub corrects: Option<(&'a str, &'a str)>,
}

/// The public event of a fact: decoding it gives the same fact, but for the tag, which covers the personal
/// members too. None for a correction whose target is not named.
///
/// Instants are written in UTC, a date is written as its instant. Defaults are written out.
pub fn encode(identity: Identity<'_>, fact: &Fact) -> Option<Value> {
    let mut event = json!({
        "specversion": "1.0",
        "type": fact.body.kind().event_type(),
        "source": fact.source,
        "id": identity.id,
        "subject": identity.subject,
        "time": fact.claimed_at.to_string(),
        "data": encode_data(&fact.body, identity.corrects)?,
    });
    if fact.sequence != 0 {
        event["sequence"] = json!(fact.sequence.to_string());
    }
    if let Some(at) = fact.recorded_at {
        event["recordedtime"] = json!(at.to_string());
    }
    if fact.precision == Precision::Day {
        event["precision"] = json!("day");
    }
    Some(event)
}

/// The `data` of a body. None for a correction whose target is not named.
pub fn encode_data(body: &Body, corrects: Option<(&str, &str)>) -> Option<Value> {
    let data = match body {
        Body::Received(received) => encode_received(received),
        Body::Dispatched(dispatched) => encode_dispatched(dispatched),
        Body::Rated(rated) => encode_rated(rated),
        Body::Snapshot(facts) => {
            let facts: Option<Vec<Value>> = facts.iter().map(encode_inner).collect();
            json!({ "facts": facts? })
        }
        Body::Corrected(corrected) => encode_corrected(corrected, corrects?)?,
        other => encode_opening(other)
            .or_else(|| encode_handling(other))
            .or_else(|| encode_closing(other))
            .or_else(|| encode_oversight(other))
            .unwrap_or_default(),
    };
    Some(without_nulls(data))
}

/// Absent and null mean the same wherever null is allowed.
fn without_nulls(data: Value) -> Value {
    match data {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}

fn encode_received(received: &Received) -> Value {
    let origin = received
        .origin_hotline
        .as_ref()
        .map(|hotline| without_nulls(json!({ "hotline": hotline, "number": received.origin_number })));
    json!({
        "case_type": received.case_type,
        "category": received.category,
        "region": received.region,
        "number": received.number,
        "channel": received.channel,
        "origin": origin,
        "contact": received.contact,
        "persons": received.persons,
        "urgency": received.urgency,
        "anonymous": received.anonymous,
        "confidential": received.confidential,
        "reply_wanted": received.reply_wanted,
        "tags": received.tags,
        "reporter_tag": received.reporter_tag,
        "amounts": amounts(&received.amounts),
        "own_limit": own_limit(received.own_limit),
    })
}

fn encode_dispatched(dispatched: &Dispatched) -> Value {
    let pin = dispatched
        .pin
        .as_ref()
        .map(|pin| json!({ "slot": pin.slot.to_string(), "rule": pin.rule, "rulebook": pin.rulebook }));
    json!({
        "department": dispatched.department,
        "from": dispatched.from,
        "role": dispatched.role.name(),
        "reason": dispatched.reason,
        "basis": dispatched.basis,
        "own_limit": own_limit(dispatched.own_limit),
        "pin": pin,
    })
}

fn encode_rated(rated: &Rated) -> Value {
    let aspects: Map<String, Value> =
        rated.aspects.iter().map(|(name, stars)| (name.to_string(), json!(stars))).collect();
    json!({
        "reached": rated.reached,
        "method": rated.method,
        "satisfaction": rated.satisfaction,
        "aspects": aspects,
        "solved": rated.solved.map(Solved::name),
        "attempt": rated.attempt,
    })
}

fn encode_inner(fact: &InnerFact) -> Option<Value> {
    let mut inner = json!({
        "type": fact.body.kind().event_type(),
        "time": fact.claimed_at.to_string(),
        "data": encode_data(&fact.body, None)?,
    });
    if fact.precision == Precision::Day {
        inner["precision"] = json!("day");
    }
    Some(inner)
}

fn encode_corrected(corrected: &Corrected, (source, id): (&str, &str)) -> Option<Value> {
    let corrects = json!({ "source": source, "id": id, "type": corrected.target_kind.event_type() });
    Some(match &corrected.change {
        Change::Void => json!({ "corrects": corrects, "void": true }),
        Change::Replace { body, time } => {
            let data = match body {
                Some(body) => Some(encode_data(body, None)?),
                None => None,
            };
            json!({ "corrects": corrects, "data": data, "time": time.map(|at| at.to_string()) })
        }
    })
}

fn encode_opening(body: &Body) -> Option<Value> {
    Some(match body {
        Body::Amended(amended) => json!({
            "case_type": amended.case_type,
            "category": amended.category,
            "region": amended.region,
            "urgency": amended.urgency,
            "tags": amended.tags,
            "confidential": amended.confidential,
        }),
        Body::Supplemented { new_facts } => json!({ "new_facts": new_facts }),
        Body::Linked { kind, case } => json!({ "kind": kind, "case": case }),
        _ => return None,
    })
}

fn encode_handling(body: &Body) -> Option<Value> {
    Some(match body {
        Body::Signed { department, automatic } => json!({ "department": department, "automatic": automatic }),
        Body::Contacted { department, reached } => json!({ "department": department, "reached": reached }),
        Body::Replied { department, preliminary } => {
            json!({ "department": department, "preliminary": preliminary })
        }
        Body::Accepted { department } => json!({ "department": department }),
        Body::Refused { department, ground } => json!({ "department": department, "ground": ground }),
        Body::ReturnRequested { department, reason } | Body::Returned { department, reason } => {
            json!({ "department": department, "reason": reason })
        }
        Body::ReturnRefused { department, reason, is_final } => {
            json!({ "department": department, "reason": reason, "final": is_final })
        }
        Body::ExtensionRequested { stage, grant, by } | Body::Extended { stage, grant, by } => {
            let mut data = json!({ "stage": stage, "by": by });
            match grant {
                Grant::Limit(limit, unit) => {
                    data["limit"] = json!(limit);
                    data["unit"] = json!(unit.name());
                }
                Grant::Until(at) => data["until"] = json!(at.to_string()),
            }
            data
        }
        Body::ExtensionRefused { stage, by } => json!({ "stage": stage, "by": by }),
        Body::Held { reason, stages, until } => {
            json!({ "reason": reason, "stages": stages, "until": until.map(|at| at.to_string()) })
        }
        Body::Released { reason } => json!({ "reason": reason }),
        Body::Verified { result, amounts: sums } => json!({ "result": result, "amounts": amounts(sums) }),
        Body::Notified { of } => json!({ "of": of }),
        _ => return None,
    })
}

fn encode_closing(body: &Body) -> Option<Value> {
    Some(match body {
        Body::Submitted { department, outcome, amounts: sums } => {
            json!({ "department": department, "outcome": outcome, "amounts": amounts(sums) })
        }
        Body::CloseRefused { department } => json!({ "department": department }),
        Body::Closed { department, by, outcome, amounts: sums } => {
            json!({ "department": department, "by": by, "outcome": outcome, "amounts": amounts(sums) })
        }
        Body::Merged { into, reason } => json!({ "into": into, "reason": reason }),
        Body::Split { into } => json!({ "into": into }),
        Body::Withdrawn { by } => json!({ "by": by }),
        Body::Reopened { reason } => json!({ "reason": reason }),
        _ => return None,
    })
}

fn encode_oversight(body: &Body) -> Option<Value> {
    Some(match body {
        Body::Urged { by } => json!({ "by": by }),
        Body::Supervised { kind, by, own_limit: limit } => {
            json!({ "kind": kind, "by": by, "own_limit": own_limit(*limit) })
        }
        Body::SupervisionAnswered { kind, by } => json!({ "kind": kind, "by": by }),
        Body::Acknowledged { alarm } => json!({ "alarm": alarm }),
        Body::Appealed { indicator } => json!({ "indicator": indicator }),
        Body::Ruled(ruled) => json!({
            "indicator": ruled.indicator,
            "effect": ruled.effect.name(),
            "reason": ruled.reason,
            "document": ruled.document,
            "by": ruled.by,
            "round": ruled.round,
            "department": ruled.department,
        }),
        Body::Milestone { name, result } => json!({ "name": name, "result": result }),
        _ => return None,
    })
}

fn own_limit(limit: Option<OwnLimit>) -> Option<Value> {
    limit.map(|limit| match limit {
        OwnLimit::Limit(limit, unit) => json!({ "limit": limit, "unit": unit.name() }),
        OwnLimit::DueAt(at) => json!({ "due_at": at.to_string() }),
    })
}

/// In yuan; whole yuan without a fraction.
#[expect(clippy::cast_precision_loss, reason = "amounts are read up to 1e15 fen, which a double holds")]
fn amounts(amounts: &Amounts) -> Value {
    let yuan = |fen: i64| {
        if fen % 100 == 0 { json!(fen / 100) } else { json!(fen as f64 / 100.0) }
    };
    Value::Object(amounts.iter().map(|(name, fen)| (name.to_string(), yuan(*fen))).collect())
}

const _: () = assert!(Kind::ALL.len() == 37, "a new kind needs its arm in this file");
