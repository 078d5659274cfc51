//! Several events in one body: a batch array, or a line each.

use serde_json::value::RawValue;

use crate::decode::{Event, Keep, decode};
use crate::error::DecodeError;
use crate::tag::Tagger;

/// How the events of a body are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One event.
    One,
    /// A JSON array of events.
    Batch,
    /// NDJSON: an event a line, blank lines apart.
    Lines,
}

impl Framing {
    /// What a media type says; `application/json` is an array or one event, as `body` begins. None: a type that
    /// no events come in.
    pub fn of(content_type: &str, body: &[u8]) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or(content_type).trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/cloudevents+json" => Some(Framing::One),
            "application/cloudevents-batch+json" => Some(Framing::Batch),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Framing::Lines),
            "application/json" => {
                let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
                Some(if first == Some(&b'[') { Framing::Batch } else { Framing::One })
            }
            _ => None,
        }
    }
}

/// One event of many.
#[derive(Clone, Debug)]
pub struct Item<'b> {
    /// Its bytes within the body.
    pub raw: &'b [u8],
    pub event: Result<Event, DecodeError>,
}

/// Takes a body apart, without decoding. An array that is not JSON has no events at all.
pub fn split(body: &[u8], framing: Framing) -> Result<impl Iterator<Item = &[u8]>, DecodeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let (whole, items, lines) = match framing {
        Framing::One => (Some(body), Vec::new(), None),
        Framing::Lines => (None, Vec::new(), Some(body)),
        Framing::Batch => (None, batch(body)?, None),
    };
    let lines = lines.into_iter().flat_map(|body| body.split(|byte| *byte == b'\n'));
    let lines = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Ok(whole.into_iter().chain(items).chain(lines))
}

fn batch(body: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Undecodable { code: "utf8" })?;
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| DecodeError::Undecodable { code: "json" })?;
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

/// Decodes all events of a body, in order.
pub fn decode_many<'b>(
    body: &'b [u8],
    framing: Framing,
    tagger: &Tagger,
    keep: Keep,
) -> Result<impl Iterator<Item = Item<'b>>, DecodeError> {
    Ok(split(body, framing)?.map(move |raw| Item { raw, event: decode(raw, tagger, keep) }))
}
