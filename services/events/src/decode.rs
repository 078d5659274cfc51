//! One event from its bytes.

use std::fmt;

use hotline_core::fact::{Body, Code, EventKey, Fact, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::body;
use crate::canonical::{self, Part};
use crate::envelope::{self, Envelope, EventType, FigureData};
use crate::error::DecodeError;
use crate::reader::{Context, Reader};
use crate::tag::Tagger;
use crate::tree::{self, Faults, Member, Node, Path};

/// How long an event may be.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// What decoding keeps beside the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The personal part and the public bytes too: for what will be stored.
    All,
    /// Nothing: for what is only folded, as by a replay.
    Fact,
}

/// A valid event.
#[derive(Clone, Debug)]
pub enum Event {
    Case(Box<Decoded>),
    Figure(Box<Figure>),
}

/// An event about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The case.
    pub subject: SmolStr,
    pub id: SmolStr,
    /// Its receipt is not known yet: see [`Decoded::received`] and [`Decoded::from_file`]. `ledger_seq` is 0.
    pub fact: Fact,
    /// What must be sealed; None if there is nothing, or under [`Keep::Fact`].
    pub personal: Option<Personal>,
    /// The event less its personal members as canonical JSON; empty under [`Keep::Fact`].
    pub public: Vec<u8>,
}

impl Decoded {
    pub fn kind(&self) -> Kind {
        self.fact.body.kind()
    }

    pub fn source(&self) -> &SmolStr {
        &self.fact.source
    }

    /// The event as first had at this instant.
    #[must_use]
    pub fn received(mut self, at: Timestamp) -> Self {
        self.fact.received_at = Some(at);
        self
    }

    /// The event as read from a file, where `recordedtime` stands for the receipt.
    #[must_use]
    pub fn from_file(mut self) -> Self {
        self.fact.received_at = self.fact.recorded_at;
        self
    }
}

/// A number that a source reports and that is not about a case: calls answered, a national mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub source: SmolStr,
    pub id: SmolStr,
    pub key: EventKey,
    pub measure: Code,
    pub day: Date,
    pub value: f64,
    pub department: Option<Code>,
    pub hotline: Option<Code>,
    pub claimed_at: Timestamp,
    pub recorded_at: Option<Timestamp>,
    /// As [`Fact::tag`].
    pub tag: u64,
    pub personal: Option<Personal>,
    pub public: Vec<u8>,
}

/// The personal members of an event, shaped like the event. It prints as a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(Box<Map<String, Value>>);

impl Personal {
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The bytes to seal.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("names are strings, so a map of JSON values can be written")
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(***)")
    }
}

/// Decodes one event in structured mode.
pub fn decode(bytes: &[u8], tagger: &Tagger, keep: Keep) -> Result<Event, DecodeError> {
    let faults = Faults::new();
    let members = parse_object(bytes, &faults)?;
    event(&members, faults, tagger, keep)
}

fn parse_object<'a>(bytes: &'a [u8], faults: &Faults) -> Result<Vec<Member<'a>>, DecodeError> {
    match parse(bytes, Path::Root, 1, faults)? {
        Node::Object(members) => Ok(members),
        _ => Err(DecodeError::Undecodable { code: "not_object" }),
    }
}

pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    at: Path<'_>,
    depth: usize,
    faults: &Faults,
) -> Result<Node<'a>, DecodeError> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(DecodeError::Undecodable { code: "too_large" });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Undecodable { code: "utf8" })?;
    tree::parse(text, at, depth, faults).ok_or(DecodeError::Undecodable { code: "json" })
}

/// Reads an event from its members, whichever mode they came in.
pub(crate) fn event(
    members: &[Member<'_>],
    faults: Faults,
    tagger: &Tagger,
    keep: Keep,
) -> Result<Event, DecodeError> {
    let context =
        Context { faults: &faults, pipeline: false, source: "", offset: Offset::UTC, recorder: None };
    let envelope = envelope::read(&Reader::new(members, Path::Root, &context));
    let context = Context {
        pipeline: envelope.is_pipeline(),
        source: envelope.source.as_deref().unwrap_or_default(),
        offset: envelope.time.map_or(Offset::UTC, |(_, offset)| offset),
        ..context
    };
    let reader = Reader::new(members, Path::Root, &context);
    let event = match envelope.event_type {
        Some(EventType::Case(kind)) => {
            let body = reader.data(|data| body::read(kind, data));
            body.and_then(|body| case(&envelope, body)).map(|case| Event::Case(Box::new(case)))
        }
        Some(EventType::Figure) => {
            let data = reader.data(envelope::figure_data);
            data.and_then(|data| figure(&envelope, data)).map(|figure| Event::Figure(Box::new(figure)))
        }
        None => None,
    };
    match event {
        Some(event) if faults.is_empty() => Ok(finish(event, members, tagger, keep)),
        _ => Err(DecodeError::Invalid(faults.into_vec())),
    }
}

fn case(envelope: &Envelope, body: Body) -> Option<Decoded> {
    let (source, id) = (envelope.source.clone()?, envelope.id.clone()?);
    let fact = Fact {
        key: EventKey::of(&source, &id),
        source,
        body,
        claimed_at: envelope.time?.0,
        precision: envelope.precision,
        received_at: None,
        recorded_at: envelope.recorded_at,
        sequence: envelope.sequence,
        tag: 0,
        ledger_seq: 0,
    };
    Some(Decoded { subject: envelope.subject.clone()?, id, fact, personal: None, public: Vec::new() })
}

fn figure(envelope: &Envelope, data: FigureData) -> Option<Figure> {
    let (source, id) = (envelope.source.clone()?, envelope.id.clone()?);
    Some(Figure {
        key: EventKey::of(&source, &id),
        source,
        id,
        measure: data.measure,
        day: data.day,
        value: data.value,
        department: data.department,
        hotline: data.hotline,
        claimed_at: envelope.time?.0,
        recorded_at: envelope.recorded_at,
        tag: 0,
        personal: None,
        public: Vec::new(),
    })
}

/// Adds what is computed from all members, now that the readers have marked the public ones.
fn finish(mut event: Event, members: &[Member<'_>], tagger: &Tagger, keep: Keep) -> Event {
    let (tag, personal, public) = match &mut event {
        Event::Case(case) => (&mut case.fact.tag, &mut case.personal, &mut case.public),
        Event::Figure(figure) => (&mut figure.tag, &mut figure.personal, &mut figure.public),
    };
    *tag = tagger.tag(members);
    if keep == Keep::All {
        *personal = canonical::personal_part(members).map(|map| Personal(Box::new(map)));
        public.reserve(512);
        canonical::write_object(members, Part::Public, |_| true, public);
    }
    event
}
