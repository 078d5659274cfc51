//! The attributes of an event: what CloudEvents 1.0 and its extensions here say around `data`.

use hotline_core::fact::{Code, Kind, PIPELINE_SOURCE, Precision};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use smol_str::SmolStr;

use crate::contract::MemberKind;
use crate::error::code;
use crate::reader::{Context, Reader, Shape};
use crate::shape::{AnyCode, Day, Decimal, Instant, MediaType, OneOf, Sequence, Subject, Text};
use crate::tree::{Node, Path};

/// The type of an event about a figure instead of a case.
pub const FIGURE_TYPE: &str = "hotline.figure.reported.v1";

/// How long `source` and `id` may be.
pub(crate) const NAME_BYTES_MAX: usize = 256;
const URI_BYTES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventType {
    Case(Kind),
    Figure,
}

#[derive(Clone, Copy)]
struct AnyType;

impl Shape for AnyType {
    type Out = EventType;

    fn kind(&self) -> MemberKind {
        MemberKind::Code
    }

    fn describe(&self) -> String {
        "type".into()
    }

    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<EventType> {
        let fault = |code| context.faults.push(at, code);
        match node {
            Node::Text(text) if text == FIGURE_TYPE => Some(EventType::Figure),
            Node::Text(text) => {
                let kind = Kind::of_event_type(text);
                if kind.is_none() {
                    fault(code::UNKNOWN_TYPE);
                }
                kind.map(EventType::Case)
            }
            _ => {
                fault(code::TYPE);
                None
            }
        }
    }
}

/// The attributes, None where missing or wrong.
pub(crate) struct Envelope {
    pub(crate) event_type: Option<EventType>,
    pub(crate) source: Option<SmolStr>,
    pub(crate) id: Option<SmolStr>,
    pub(crate) subject: Option<SmolStr>,
    pub(crate) time: Option<(Timestamp, Offset)>,
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) precision: Precision,
}

impl Envelope {
    pub(crate) fn is_pipeline(&self) -> bool {
        self.source.as_deref() == Some(PIPELINE_SOURCE)
    }
}

pub(crate) fn read(r: &Reader<'_, '_>) -> Envelope {
    r.required("specversion", OneOf(&["1.0"]));
    let event_type = r.required("type", AnyType);
    let source = r.required("source", Text(NAME_BYTES_MAX));
    let id = r.required("id", Text(NAME_BYTES_MAX));
    let subject = match event_type {
        // A figure is about no case, so its subject, if any, is the sender's affair.
        Some(EventType::Figure) => r.optional("subject", Text(NAME_BYTES_MAX)),
        _ => r.required("subject", Subject),
    };
    let time = r.required("time", Instant);
    let sequence = r.optional("sequence", Sequence).unwrap_or(0);
    let recorded_at = r.optional("recordedtime", Instant).map(|(at, _)| at);
    let precision = precision(r);
    r.optional("datacontenttype", MediaType);
    r.optional("dataschema", Text(URI_BYTES_MAX));
    Envelope { event_type, source, id, subject, time, sequence, recorded_at, precision }
}

pub(crate) fn precision(r: &Reader<'_, '_>) -> Precision {
    match r.optional("precision", OneOf(&["second", "day"])) {
        Some("day") => Precision::Day,
        _ => Precision::Second,
    }
}

/// The data of a figure.
pub(crate) struct FigureData {
    pub(crate) measure: Code,
    pub(crate) day: Date,
    pub(crate) value: f64,
    pub(crate) department: Option<Code>,
    pub(crate) hotline: Option<Code>,
}

pub(crate) fn figure_data(r: &Reader<'_, '_>) -> Option<FigureData> {
    let measure = r.required("measure", AnyCode);
    let day = r.required("day", Day);
    let value = r.required("value", Decimal);
    let department = r.optional("department", AnyCode);
    let hotline = r.optional("hotline", AnyCode);
    Some(FigureData { measure: measure?, day: day?, value: value?, department, hotline })
}
