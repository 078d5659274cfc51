//! Events about other events: a snapshot holds them, a correction replaces one.

use hotline_core::fact::{Body, Change, Corrected, EventKey, InnerFact, Kind};

use crate::canonical::{self, Part};
use crate::envelope;
use crate::error::code;
use crate::reader::{Context, Reader, Shape};
use crate::shape::{Instant, Text, True};
use crate::tree::{Node, Path};

/// As many as a case holds facts.
const SNAPSHOT_FACTS_MAX: usize = 1000;

/// The type of an event of a case, `hotline.case.closed.v1`.
#[derive(Clone, Copy)]
struct EventType {
    /// Whether snapshots and corrections are among them.
    composite: bool,
}

impl Shape for EventType {
    type Out = Kind;

    fn kind(&self) -> crate::contract::MemberKind {
        crate::contract::MemberKind::Code
    }

    fn describe(&self) -> String {
        if self.composite { "type" } else { "simple type" }.into()
    }

    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<Kind> {
        let Node::Text(text) = node else {
            context.faults.push(at, code::TYPE);
            return None;
        };
        let Some(kind) = Kind::of_event_type(text) else {
            context.faults.push(at, code::UNKNOWN_TYPE);
            return None;
        };
        if !self.composite && is_composite(kind) {
            context.faults.push(at, code::FORBIDDEN);
            return None;
        }
        Some(kind)
    }
}

fn is_composite(kind: Kind) -> bool {
    matches!(kind, Kind::Snapshot | Kind::Corrected)
}

pub(super) fn snapshot(r: &Reader<'_, '_>) -> Option<Body> {
    r.objects("facts", SNAPSHOT_FACTS_MAX, inner_fact).map(Body::Snapshot)
}

fn inner_fact(r: &Reader<'_, '_>) -> Option<InnerFact> {
    let kind = r.required("type", EventType { composite: false });
    let time = r.required("time", Instant);
    let precision = envelope::precision(r);
    let (Some(kind), Some((claimed_at, offset))) = (kind, time) else {
        // Nobody can say what the data should be, only that it is an object.
        return r.data(|_| None);
    };
    let outer = r.context();
    // A date inside is read in the zone of the fact's own time.
    let context = Context { offset, ..*outer };
    let (key, body) = r.within(&context).data(|r| {
        // Reading tells which members are personal: what is stored must give the same key when it is read again.
        let body = super::read(kind, r)?;
        let mut data = Vec::new();
        canonical::write_object(r.members(), Part::Public, |_| true, &mut data);
        let key = EventKey::of_inner(outer.source, &kind.event_type(), &claimed_at.to_string(), &data);
        Some((key, body))
    })?;
    Some(InnerFact { key, claimed_at, precision, body })
}

pub(super) fn corrected(r: &Reader<'_, '_>) -> Option<Body> {
    let target = r.object("corrects", true, |r| {
        let source = r.required("source", Text(envelope::NAME_BYTES_MAX));
        let id = r.required("id", Text(envelope::NAME_BYTES_MAX));
        let kind = r.required("type", EventType { composite: true });
        Some((EventKey::of(&source?, &id?), kind?))
    });
    let void = r.optional("void", True);
    let time = r.optional("time", Instant);
    let body = match (r.has("data") || r.context().recorder.is_some(), &target) {
        // What snapshots and corrections say is not replaced: they are voided or sent again.
        (true, Some((_, kind))) if is_composite(*kind) => {
            r.fault_at("data", code::FORBIDDEN);
            None
        }
        (true, Some((_, kind))) => replacement(r, *kind, time.map(|(_, offset)| offset)),
        (true, None) => r.data(|_| None),
        (false, _) => None,
    };
    if r.has("void") {
        for name in ["data", "time"] {
            if r.has(name) {
                r.fault_at(name, code::CONFLICT);
            }
        }
    } else if !r.has("data") && !r.has("time") {
        r.fault(code::REQUIRED);
    }
    let (target, target_kind) = target?;
    let change = if void == Some(true) {
        Change::Void
    } else {
        Change::Replace { body: body.map(Box::new), time: time.map(|(at, _)| at) }
    };
    Some(Body::Corrected(Box::new(Corrected { target, target_kind, change })))
}

fn replacement(r: &Reader<'_, '_>, kind: Kind, offset: Option<jiff::tz::Offset>) -> Option<Body> {
    let outer = r.context();
    let context = Context { offset: offset.unwrap_or(outer.offset), ..*outer };
    r.within(&context).data(|r| super::read(kind, r))
}
