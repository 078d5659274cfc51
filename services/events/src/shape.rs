//! The shapes that members of events have.

use hotline_core::fact::{Amounts, Code, Unit};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use smol_str::SmolStr;

use crate::contract::MemberKind;
use crate::error::code;
use crate::reader::{Context, Shape};
use crate::time;
use crate::tree::{Node, Number, Path};

const CODE_BYTES_MAX: usize = 64;
const SUBJECT_BYTES_MAX: usize = 96;
/// How many names `amounts` or `aspects` may have.
const NAMES_MAX: usize = 16;
/// The largest number that is reported: a double still tells units apart, and so does a sum of some thousands.
const DECIMAL_MAX: f64 = 1e12;
/// The largest amount in yuan: a double still tells its fen apart.
const YUAN_MAX: f64 = 1e13;

/// A shape that is read from a single node, its faults standing at the node itself.
macro_rules! shape {
    ($name:ident -> $out:ty, $kind:ident, |$self:ident| $describe:expr, |$node:ident| $read:expr) => {
        impl Shape for $name {
            type Out = $out;

            fn kind(&self) -> MemberKind {
                MemberKind::$kind
            }

            fn describe(&self) -> String {
                let $self = self;
                $describe.into()
            }

            fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<$out> {
                let $self = self;
                let read = |$node: &Node<'_>| -> Result<$out, &'static str> { $read };
                read(node).map_err(|code| context.faults.push(at, code)).ok()
            }
        }
    };
}

fn text<'n>(node: &'n Node<'_>) -> Result<&'n str, &'static str> {
    if let Node::Text(text) = node { Ok(text) } else { Err(code::TYPE) }
}

fn code_of(text: &str) -> Result<Code, &'static str> {
    if text.is_empty() || text.len() > CODE_BYTES_MAX {
        return Err(code::LENGTH);
    }
    let bytes = text.as_bytes();
    // U+0080 to U+009F, the other control characters, are C2 80 to C2 9F.
    let plain = bytes.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f)
        && (text.is_ascii() || !text.chars().any(char::is_control));
    // In tables these two mean all and nobody.
    if plain && !["*", "-"].contains(&text) { Ok(Code::new(text)) } else { Err(code::PATTERN) }
}

/// `<hotline code>:<number>` of `[A-Za-z0-9._:-]`, at most 96 bytes.
fn subject_of(text: &str) -> Result<SmolStr, &'static str> {
    if text.is_empty() || text.len() > SUBJECT_BYTES_MAX {
        return Err(code::LENGTH);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    if !text.bytes().all(allowed) {
        return Err(code::PATTERN);
    }
    match text.split_once(':') {
        Some((hotline, number)) if !hotline.is_empty() && !number.is_empty() => Ok(SmolStr::new(text)),
        _ => Err(code::FORMAT),
    }
}

/// 1–64 bytes without control characters, neither `*` nor `-`; any, since lists of codes are extended by rulebooks.
#[derive(Clone, Copy)]
pub(crate) struct AnyCode;
shape!(AnyCode -> Code, Code, |_shape| "code", |node| code_of(text(node)?));

/// One of a closed list.
#[derive(Clone, Copy)]
pub(crate) struct OneOf(pub(crate) &'static [&'static str]);
shape!(OneOf -> &'static str, Code, |list| format!("enum {}", list.0.join("|")), |node| {
    let text = text(node)?;
    list.0.iter().copied().find(|known| *known == text).ok_or(code::ENUM)
});

/// One of a closed list, or null.
#[derive(Clone, Copy)]
pub(crate) struct OneOfOrNull(pub(crate) &'static [&'static str]);
shape!(OneOfOrNull -> Option<&'static str>, Code, |list| format!("enum {}|null", list.0.join("|")), |node| {
    if matches!(node, Node::Null) {
        return Ok(None);
    }
    let text = text(node)?;
    list.0.iter().copied().find(|known| *known == text).map(Some).ok_or(code::ENUM)
});

/// The subject of a case.
#[derive(Clone, Copy)]
pub(crate) struct Subject;
shape!(Subject -> SmolStr, Code, |_shape| "subject", |node| subject_of(text(node)?));

/// A text of so many bytes that is no person's: an id, a source.
#[derive(Clone, Copy)]
pub(crate) struct Text(pub(crate) usize);
shape!(Text -> SmolStr, Value, |max| format!("text 1..{}", max.0), |node| {
    let text = text(node)?;
    if text.is_empty() || text.len() > max.0 { Err(code::LENGTH) } else { Ok(SmolStr::new(text)) }
});

/// Digits of hexadecimal, lower case.
#[derive(Clone, Copy)]
pub(crate) struct Hex(pub(crate) usize);
shape!(Hex -> SmolStr, Code, |digits| format!("hex {}", digits.0), |node| {
    let text = text(node)?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits.0 {
        Err(code::LENGTH)
    } else if !text.bytes().all(hex) {
        Err(code::PATTERN)
    } else {
        Ok(SmolStr::new(text))
    }
});

#[derive(Clone, Copy)]
pub(crate) struct Flag;
shape!(Flag -> bool, Value, |_shape| "boolean", |node| {
    if let Node::Bool(value) = node { Ok(*value) } else { Err(code::TYPE) }
});

/// Only `true`.
#[derive(Clone, Copy)]
pub(crate) struct True;
shape!(True -> bool, Value, |_shape| "true", |node| match node {
    Node::Bool(true) => Ok(true),
    Node::Bool(false) => Err(code::ENUM),
    _ => Err(code::TYPE),
});

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within u32")]
fn whole(node: &Node<'_>, min: u32, max: u32) -> Result<u32, &'static str> {
    let value = match node {
        Node::Number(Number::Unsigned(n)) => u32::try_from(*n).map_err(|_| code::RANGE)?,
        Node::Number(Number::Signed(_)) => return Err(code::RANGE),
        Node::Number(Number::Float(n)) if n.fract() != 0.0 => return Err(code::TYPE),
        Node::Number(Number::Float(n)) if *n < 0.0 || *n > f64::from(u32::MAX) => return Err(code::RANGE),
        Node::Number(Number::Float(n)) => *n as u32,
        _ => return Err(code::TYPE),
    };
    if (min..=max).contains(&value) { Ok(value) } else { Err(code::RANGE) }
}

/// A whole number from the first to the second, both included.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) u32, pub(crate) u32);
shape!(Whole -> u32, Value, |bounds| format!("integer {}..{}", bounds.0, bounds.1), |node| {
    whole(node, bounds.0, bounds.1)
});

/// How satisfied: 1–5, or null where the caller did not say.
#[derive(Clone, Copy)]
pub(crate) struct Satisfaction;
shape!(Satisfaction -> Option<u8>, Value, |_shape| "integer 1..5 or null", |node| {
    if matches!(node, Node::Null) { Ok(None) } else { stars(node).map(Some) }
});

fn stars(node: &Node<'_>) -> Result<u8, &'static str> {
    whole(node, 1, 5).and_then(|stars| u8::try_from(stars).map_err(|_| code::RANGE))
}

#[derive(Clone, Copy)]
pub(crate) struct Decimal;
shape!(Decimal -> f64, Value, |_shape| "number", |node| {
    let Node::Number(number) = node else { return Err(code::TYPE) };
    let value = float(*number);
    if (-DECIMAL_MAX..=DECIMAL_MAX).contains(&value) { Ok(value) } else { Err(code::RANGE) }
});

#[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles to most of the world")]
fn float(number: Number) -> f64 {
    match number {
        Number::Unsigned(n) => n as f64,
        Number::Signed(n) => n as f64,
        Number::Float(n) => n,
    }
}

/// An RFC 3339 instant with its offset.
#[derive(Clone, Copy)]
pub(crate) struct Instant;
shape!(Instant -> (Timestamp, Offset), Value, |_shape| "instant", |node| time::instant(text(node)?));

/// A date.
#[derive(Clone, Copy)]
pub(crate) struct Day;
shape!(Day -> Date, Value, |_shape| "day", |node| time::day(text(node)?));

/// 1–19 digits that fit an i64.
#[derive(Clone, Copy)]
pub(crate) struct Sequence;
shape!(Sequence -> u64, Value, |_shape| "sequence", |node| {
    let text = text(node)?;
    if text.is_empty() || text.len() > 19 {
        return Err(code::LENGTH);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(code::PATTERN);
    }
    text.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok()).ok_or(code::RANGE)
});

/// The media type of `data`.
#[derive(Clone, Copy)]
pub(crate) struct MediaType;
shape!(MediaType -> (), Code, |_shape| "media type", |node| {
    let text = text(node)?;
    let essence = text.split(';').next().unwrap_or(text).trim_end();
    if essence == "application/json" { Ok(()) } else { Err(code::ENUM) }
});

#[derive(Clone, Copy)]
pub(crate) struct LimitUnit;
shape!(LimitUnit -> Unit, Code, |_shape| "enum hour|working_hour|round_clock_hour|calendar_day|working_day", |node| {
    Unit::parse(text(node)?).ok_or(code::ENUM)
});

/// An instant, or a date meaning 24:00 of that day in the offset of the event's `time`.
#[derive(Clone, Copy)]
pub(crate) struct Until;

impl Shape for Until {
    type Out = Timestamp;

    fn kind(&self) -> MemberKind {
        MemberKind::Value
    }

    fn describe(&self) -> String {
        "instant or day".into()
    }

    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<Timestamp> {
        let read = |text: &str| match text.len() {
            10 => time::end_of(time::day(text)?, context.offset),
            _ => time::instant(text).map(|(at, _)| at),
        };
        text(node).and_then(read).map_err(|code| context.faults.push(at, code)).ok()
    }
}

/// So many to so many texts, each read alike.
#[derive(Clone, Copy)]
pub(crate) struct List {
    what: &'static str,
    min: usize,
    max: usize,
    item: fn(&str) -> Result<SmolStr, &'static str>,
}

impl List {
    pub(crate) fn codes(min: usize, max: usize) -> Self {
        Self { what: "codes", min, max, item: code_of }
    }

    pub(crate) fn subjects(min: usize, max: usize) -> Self {
        Self { what: "subjects", min, max, item: subject_of }
    }
}

impl Shape for List {
    type Out = Vec<SmolStr>;

    fn kind(&self) -> MemberKind {
        MemberKind::Code
    }

    fn describe(&self) -> String {
        format!("{} {}..{}", self.what, self.min, self.max)
    }

    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<Vec<SmolStr>> {
        let Node::Array(items) = node else {
            context.faults.push(at, code::TYPE);
            return None;
        };
        if items.len() < self.min || items.len() > self.max {
            context.faults.push(at, code::LENGTH);
            return None;
        }
        let read = |(n, item)| {
            let fault = |code| context.faults.push(&Path::Index(at, n), code);
            text(item).and_then(self.item).map_err(fault).ok()
        };
        items.iter().enumerate().map(read).collect()
    }
}

/// Sums of money by name, in yuan with at most two decimals; kept in fen, sorted by name.
#[derive(Clone, Copy)]
pub(crate) struct Money;
shape!(Money -> Amounts, Value, |_shape| "amounts", |node| named(node, fen));

/// Ratings 1–5 by name, sorted by name.
#[derive(Clone, Copy)]
pub(crate) struct Aspects;
shape!(Aspects -> Vec<(Code, u8)>, Value, |_shape| "aspects", |node| named(node, stars));

/// An object with names of the sender's choosing. The names may say anything until they are known to be codes,
/// so faults stand at the object.
fn named<T>(
    node: &Node<'_>,
    read: fn(&Node<'_>) -> Result<T, &'static str>,
) -> Result<Vec<(Code, T)>, &'static str> {
    let Node::Object(members) = node else {
        return Err(code::TYPE);
    };
    if members.len() > NAMES_MAX {
        return Err(code::LENGTH);
    }
    let mut out = members
        .iter()
        .map(|member| Ok((code_of(&member.name)?, read(&member.value)?)))
        .collect::<Result<Vec<_>, &'static str>>()?;
    out.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

#[expect(clippy::cast_possible_truncation, reason = "whole and within ±1e15")]
fn fen(node: &Node<'_>) -> Result<i64, &'static str> {
    let Node::Number(number) = node else {
        return Err(code::TYPE);
    };
    let yuan = float(*number);
    if !(0.0..=YUAN_MAX).contains(&yuan) {
        return Err(code::RANGE);
    }
    let fen = (yuan * 100.0).round();
    // Equal exactly if the number was written with at most two decimals: both are the double nearest to it.
    #[expect(clippy::float_cmp, reason = "see above")]
    if fen / 100.0 == yuan { Ok(fen as i64) } else { Err(code::RANGE) }
}

/// What is personal, of this JSON type; only that much is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Personal {
    Text,
    Object,
    Array,
    TextOrObject,
}

impl Shape for Personal {
    type Out = ();

    fn kind(&self) -> MemberKind {
        MemberKind::Personal
    }

    fn describe(&self) -> String {
        match self {
            Personal::Text => "string",
            Personal::Object => "object",
            Personal::Array => "array",
            Personal::TextOrObject => "string or object",
        }
        .into()
    }

    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<()> {
        let fits = match self {
            Personal::Text => matches!(node, Node::Text(_)),
            Personal::Object => matches!(node, Node::Object(_)),
            Personal::Array => matches!(node, Node::Array(_)),
            Personal::TextOrObject => matches!(node, Node::Text(_) | Node::Object(_)),
        };
        if !fits {
            context.faults.push(at, code::TYPE);
        }
        fits.then_some(())
    }
}
