//! Canonical JSON: names sorted by their bytes, no white space, whole numbers without a fraction, the least escapes.
//!
//! Two texts have the same canonical form exactly if they say the same. [`fingerprint`] is a quicker way to the
//! same distinction within one process, without writing the form out.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::{FixedState, FoldHasher};
use serde_json::{Map, Value};

use crate::tree::{Mark, Member, Node, Number};

/// Whole floats below this are written, and compared, as integers.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Which part of a tree to write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Public,
}

/// The canonical bytes of a JSON value.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => sequence(out, *b"[]", items.iter(), write_value),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_bytes());
            sequence(out, *b"{}", members.into_iter(), |(name, value), out| {
                write_text(name, out);
                out.push(b':');
                write_value(value, out);
            });
        }
        Value::String(text) => write_text(text, out),
        Value::Number(number) => write_number(number_of(number), out),
        Value::Bool(_) | Value::Null => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

fn number_of(number: &serde_json::Number) -> Number {
    if let Some(n) = number.as_u64() {
        Number::Unsigned(n)
    } else if let Some(n) = number.as_i64() {
        Number::Signed(n)
    } else {
        Number::Float(number.as_f64().unwrap_or(0.0))
    }
}

/// Appends the canonical form of `node`, or of its public part.
pub(crate) fn write(node: &Node<'_>, part: Part, out: &mut Vec<u8>) {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Number(number) => write_number(*number, out),
        Node::Text(text) => write_cow(text, out),
        Node::Array(items) => sequence(out, *b"[]", items.iter(), |item, out| write(item, part, out)),
        Node::Object(members) => write_object(members, part, |_| true, out),
    }
}

/// Appends an object of those `members` that belong to `part` and that `keep` lets pass.
pub(crate) fn write_object(
    members: &[Member<'_>],
    part: Part,
    keep: impl Fn(&str) -> bool,
    out: &mut Vec<u8>,
) {
    let mut sorted: Vec<&Member<'_>> = members
        .iter()
        .filter(|member| (part == Part::All || member.mark.get() != Mark::Personal) && keep(&member.name))
        .collect();
    sorted.sort_unstable_by_key(|member| member.name.as_bytes());
    sequence(out, *b"{}", sorted.into_iter(), |member, out| {
        write_cow(&member.name, out);
        out.push(b':');
        let part = if member.mark.get() == Mark::Public { Part::All } else { part };
        write(&member.value, part, out);
    });
}

fn sequence<T>(
    out: &mut Vec<u8>,
    brackets: [u8; 2],
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(brackets[0]);
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(brackets[1]);
}

fn write_number(number: Number, out: &mut Vec<u8>) {
    use std::io::Write;
    match plain(number) {
        Number::Unsigned(n) => write!(out, "{n}"),
        Number::Signed(n) => write!(out, "{n}"),
        Number::Float(n) => serde_json::to_writer(&mut *out, &n).map_err(Into::into),
    }
    .expect("a Vec takes all that is written to it");
}

/// 1.0 is 1: the two differ in JSON's spelling only.
#[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
fn plain(number: Number) -> Number {
    match number {
        Number::Float(n) if n.abs() < WHOLE_MAX && n.fract() == 0.0 => plain(Number::Signed(n as i64)),
        Number::Signed(n) => u64::try_from(n).map_or(number, Number::Unsigned),
        other => other,
    }
}

/// What the tree borrows stood in JSON as it is, without an escape: it needs none now.
#[expect(clippy::ptr_arg, reason = "whether it is borrowed is the point")]
fn write_cow(text: &Cow<'_, str>, out: &mut Vec<u8>) {
    match text {
        Cow::Borrowed(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Cow::Owned(text) => write_text(text, out),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, text).expect("a Vec takes all that is written to it");
}

/// The personal part as JSON, shaped like the event; an array of objects becomes an object by index. None if
/// nothing is personal.
pub(crate) fn personal_part(members: &[Member<'_>]) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for member in members {
        let value = match (member.mark.get(), &member.value) {
            (Mark::Personal, value) => Some(to_value(value)),
            (Mark::Parts, Node::Object(inner)) => personal_part(inner).map(Value::Object),
            (Mark::Parts, Node::Array(items)) => personal_items(items).map(Value::Object),
            (Mark::Public | Mark::Parts, _) => None,
        };
        if let Some(value) = value {
            map.insert(member.name.as_ref().to_owned(), value);
        }
    }
    (!map.is_empty()).then_some(map)
}

fn personal_items(items: &[Node<'_>]) -> Option<Map<String, Value>> {
    let map: Map<String, Value> = items
        .iter()
        .enumerate()
        .filter_map(|(n, item)| match item {
            Node::Object(members) => Some((n.to_string(), Value::Object(personal_part(members)?))),
            _ => None,
        })
        .collect();
    (!map.is_empty()).then_some(map)
}

fn to_value(node: &Node<'_>) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(Number::Unsigned(n)) => Value::from(*n),
        Node::Number(Number::Signed(n)) => Value::from(*n),
        Node::Number(Number::Float(n)) => Value::from(*n),
        Node::Text(text) => Value::String(text.as_ref().to_owned()),
        Node::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Node::Object(members) => {
            Value::Object(members.iter().map(|m| (m.name.as_ref().to_owned(), to_value(&m.value))).collect())
        }
    }
}

/// A hash of the content of those `members` that `keep` lets pass, whatever their order and spelling. Only good
/// within one process, and under one state.
pub(crate) fn fingerprint(members: &[Member<'_>], keep: impl Fn(&str) -> bool, state: &FixedState) -> u64 {
    members
        .iter()
        .filter(|member| keep(&member.name))
        // The sum does not know the order of the members.
        .fold(0, |sum: u64, member| {
            let mut hasher = state.build_hasher();
            hasher.write(member.name.as_bytes());
            hasher.write_u8(0xff); // no UTF-8 text holds this byte: the name ends here
            hash_node(&member.value, &mut hasher, state);
            sum.wrapping_add(hasher.finish())
        })
}

fn hash_node(node: &Node<'_>, hasher: &mut FoldHasher<'_>, state: &FixedState) {
    match node {
        Node::Null => hasher.write_u8(0),
        Node::Bool(value) => hasher.write_u8(1 + u8::from(*value)),
        Node::Number(number) => {
            hasher.write_u8(3);
            match plain(*number) {
                Number::Unsigned(n) => hasher.write_u64(n),
                Number::Signed(n) => hasher.write_i64(n),
                Number::Float(n) => hasher.write_u64(n.to_bits()),
            }
        }
        Node::Text(text) => {
            hasher.write_u8(4);
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        }
        Node::Array(items) => {
            hasher.write_u8(5);
            hasher.write_usize(items.len());
            for item in items {
                hash_node(item, hasher, state);
            }
        }
        Node::Object(members) => {
            hasher.write_u8(6);
            hasher.write_u64(fingerprint(members, |_| true, state));
        }
    }
}
