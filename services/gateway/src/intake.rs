//! From a body to events: how it is framed, what each part is, and what of it is refused before casework sees it.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use hotline_events::adapter::Adapter;
use hotline_events::table::{self, Row};
use hotline_events::{
    DecodeError, EVENT_BYTES_MAX, Event, Fault, Framing, Keep, Tagger, code, decode, decode_binary,
    decode_many, is_binary, structured,
};
use hotline_runtime::problem::Problem;
use serde_json::Value;
use smol_str::SmolStr;

/// What a body holds.
#[derive(Debug)]
pub(crate) struct Taken {
    /// It was sent as one event and is answered as one.
    pub(crate) single: bool,
    pub(crate) items: Vec<Item>,
}

/// One event, or a part of the body that is none.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its bytes in structured mode.
    pub(crate) raw: Vec<u8>,
    /// The line on which its row begins, where rows are mapped.
    pub(crate) line: Option<u64>,
    pub(crate) event: Result<Event, Refused>,
}

/// Why a part is no event.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) reason: &'static str,
    pub(crate) faults: Vec<Fault>,
}

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self { reason: error.code(), faults: error.faults() }
    }
}

/// The source of an event.
pub(crate) fn source_of(event: &Event) -> &SmolStr {
    match event {
        Event::Case(decoded) => decoded.source(),
        Event::Figure(figure) => &figure.source,
    }
}

fn unsupported() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", "No events come in this content type")
        .with(
            "accepted",
            Value::from(vec![
                "application/cloudevents+json",
                "application/cloudevents-batch+json",
                "application/x-ndjson",
                "application/json",
                "text/csv",
            ]),
        )
}

fn content_type(headers: &HeaderMap) -> Result<&str, Problem> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(unsupported)
}

/// The events of a body. Err: it cannot be taken apart, and nothing in it is looked at.
pub(crate) fn events(
    headers: &HeaderMap,
    body: &[u8],
    tagger: &Tagger,
    events_max: usize,
) -> Result<Taken, Problem> {
    if is_binary(headers.keys().map(header::HeaderName::as_str)) {
        let pairs = || headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let event = decode_binary(pairs(), body, tagger, Keep::All).map_err(Refused::from);
        let item = Item { raw: structured(pairs(), body), line: None, event };
        return Ok(Taken { single: true, items: vec![item] });
    }
    let framing = Framing::of(content_type(headers)?, body).ok_or_else(unsupported)?;
    let items = decode_many(body, framing, tagger, Keep::All).map_err(|error| problem_of(&error.into()))?;
    let mut taken = Vec::new();
    for item in items {
        if taken.len() == events_max {
            return Err(too_many(events_max));
        }
        let event = item.event.map_err(Refused::from);
        taken.push(Item { raw: item.raw.to_vec(), line: None, event });
    }
    Ok(Taken { single: framing == Framing::One, items: taken })
}

fn too_many(events_max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many",
        "The body holds more events than are taken at once",
    )
    .with("events_max", events_max.into())
}

/// The events that an adapter makes of the rows of a body: all of a row, or none of them and a reason.
pub(crate) fn rows(
    headers: &HeaderMap,
    body: &[u8],
    adapter: &Arc<Adapter>,
    source: &str,
    (tagger, events_max): (&Tagger, usize),
) -> Result<Taken, Problem> {
    let mut items = Vec::new();
    for row in table_of(headers, body)? {
        if items.len() >= events_max {
            return Err(too_many(events_max));
        }
        let line = Some(row.line);
        match mapped(row, adapter, source, tagger) {
            Ok(events) => {
                items.extend(events.into_iter().map(|(raw, event)| Item { raw, line, event: Ok(event) }));
            }
            Err(refused) => items.push(Item { raw: Vec::new(), line, event: Err(refused) }),
        }
    }
    Ok(Taken { single: false, items })
}

fn table_of<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Box<dyn Iterator<Item = Row> + 'b>, Problem> {
    let content_type = content_type(headers)?;
    let essence = content_type.split(';').next().unwrap_or(content_type).trim().to_ascii_lowercase();
    let undecodable = |code| problem_of(&DecodeError::Undecodable { code }.into());
    match essence.as_str() {
        "text/csv" => Ok(Box::new(table::csv(body).map_err(|error| undecodable(error.code()))?)),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Ok(Box::new(table::ndjson(body)))
        }
        "application/json" => {
            let values = match serde_json::from_slice(body).map_err(|_| undecodable("json"))? {
                Value::Array(values) => values,
                value => vec![value],
            };
            Ok(Box::new((1..).zip(values).map(|(line, value)| Row { line, value: Ok(value) })))
        }
        _ => Err(unsupported()),
    }
}

fn mapped(
    row: Row,
    adapter: &Adapter,
    source: &str,
    tagger: &Tagger,
) -> Result<Vec<(Vec<u8>, Event)>, Refused> {
    let refused = |reason| Refused { reason, faults: Vec::new() };
    let value = row.value.map_err(|error| refused(error.code()))?;
    let outputs = adapter.run(&value).map_err(|error| refused(error.code()))?;
    let mut events = Vec::with_capacity(outputs.len());
    for output in outputs {
        let raw = output.to_string().into_bytes();
        let event = decode(&raw, tagger, Keep::All).map_err(Refused::from)?;
        if source_of(&event) != source {
            let fault = Fault { pointer: "/source".to_owned(), code: code::FORBIDDEN };
            return Err(Refused { reason: "invalid", faults: vec![fault] });
        }
        events.push((raw, event));
    }
    Ok(events)
}

/// The problem of a request that is one event, or that cannot be taken apart.
pub(crate) fn problem_of(refused: &Refused) -> Problem {
    let faults: Vec<Value> = refused.faults.iter().map(fault).collect();
    let title = match refused.reason {
        "undecodable" => "The body is not an event",
        _ => "The event has faults",
    };
    Problem::new(StatusCode::BAD_REQUEST, refused.reason, title).with("faults", faults.into())
}

pub(crate) fn event_too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The event is larger than is taken")
        .with("bytes_max", EVENT_BYTES_MAX.into())
}

/// A fault as it is answered: where and what, never the value.
pub(crate) fn fault(fault: &Fault) -> Value {
    serde_json::json!({ "pointer": fault.pointer, "code": fault.code })
}
