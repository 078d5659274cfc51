//! Binary mode: the attributes are headers, the body is `data`. `ce_id` in Kafka, `ce-id` in HTTP.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::Value;

use crate::decode::{EVENT_BYTES_MAX, Event, Keep, event, parse};
use crate::error::{DecodeError, code};
use crate::tag::Tagger;
use crate::tree::{Faults, Member, Node, Path, report_duplicates};

/// Whether these headers carry an event in binary mode.
pub fn is_binary<'h>(names: impl IntoIterator<Item = &'h str>) -> bool {
    names.into_iter().any(|name| attribute(name).is_some_and(|(name, _)| name == "specversion"))
}

/// Decodes one event in binary mode. Headers that are no attributes are passed over; the values of HTTP headers
/// are percent-decoded, as the CloudEvents HTTP binding says. A body of `application/json` says nothing beyond
/// the default, so the event is the same as in structured mode, and has the same tag.
pub fn decode_binary<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    body: &[u8],
    tagger: &Tagger,
    keep: Keep,
) -> Result<Event, DecodeError> {
    let faults = Faults::new();
    let mut members = Vec::with_capacity(10);
    let mut bytes = body.len();
    for (name, value) in headers {
        let Some((name, decoded)) = header(name, value)? else {
            continue;
        };
        bytes += name.len() + value.len();
        if decoded.contains('\0') {
            faults.push(&Path::Name(&Path::Root, &name), code::NUL);
        }
        // Owned, because as JSON it might need escapes.
        members.push(Member::new(Cow::Owned(name), Node::Text(Cow::Owned(decoded))));
    }
    if bytes > EVENT_BYTES_MAX {
        return Err(DecodeError::Undecodable { code: "too_large" });
    }
    if !body.trim_ascii().is_empty() {
        let data = parse(body, Path::Name(&Path::Root, "data"), 2, &faults)?;
        members.push(Member::new(Cow::Borrowed("data"), data));
    }
    report_duplicates(&members, &Path::Root, &faults);
    event(&members, faults, tagger, keep)
}

/// An event of binary mode as it would stand in structured mode, for whoever reads its dead letter.
pub fn structured<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>, body: &[u8]) -> Vec<u8> {
    let mut raw = b"{".to_vec();
    for (name, value) in headers {
        let Some((name, percent)) = attribute(name) else { continue };
        let value =
            if percent { percent_decode(value).decode_utf8_lossy() } else { String::from_utf8_lossy(value) };
        raw.extend_from_slice(format!("{}:{},", Value::from(name), Value::from(value.as_ref())).as_bytes());
    }
    raw.extend_from_slice(b"\"data\":");
    raw.extend_from_slice(if body.trim_ascii().is_empty() { b"null" } else { body });
    raw.push(b'}');
    raw
}

/// The attribute that a header carries, if it does.
fn header(name: &str, value: &[u8]) -> Result<Option<(String, String)>, DecodeError> {
    let text = |value| std::str::from_utf8(value).map_err(|_| HEADERS);
    if name.eq_ignore_ascii_case("content-type") {
        let text = text(value)?;
        let json = text.split(';').next().is_some_and(|essence| essence.trim() == "application/json");
        return Ok((!json).then(|| ("datacontenttype".to_owned(), text.to_owned())));
    }
    let Some((name, percent)) = attribute(name) else {
        return Ok(None);
    };
    let value = if percent {
        percent_decode(value).decode_utf8().map_err(|_| HEADERS)?.into_owned()
    } else {
        text(value)?.to_owned()
    };
    Ok(Some((name, value)))
}

const HEADERS: DecodeError = DecodeError::Undecodable { code: "headers" };

/// The name of the attribute, and whether its value is percent-encoded.
fn attribute(header: &str) -> Option<(String, bool)> {
    let (prefix, name) = header.split_at_checked(3)?;
    let percent = match prefix.to_ascii_lowercase().as_str() {
        "ce-" => true,
        "ce_" => false,
        _ => return None,
    };
    Some((name.to_ascii_lowercase(), percent))
}
