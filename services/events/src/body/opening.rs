//! A case arrives, changes and is given to a department.

use hotline_core::fact::{Amended, Body, Code, Dispatched, EventKey, Pin, Received, Role};

use super::own_limit;
use crate::error::code;
use crate::reader::Reader;
use crate::shape::{AnyCode, Flag, Hex, List, Money, OneOf, Personal, Subject, Whole};

const URGENCIES: &[&str] = &["normal", "urgent", "critical"];
const LINKS: &[&str] = &["same_contact", "handed_over", "repeat", "urge", "follow_up", "review", "incident"];
const DISPATCH_REASONS: &[&str] = &["first", "redispatch", "reorganisation"];
const ROLES: &[&str] = &["lead", "co", "sub"];
const TAGS_MAX: usize = 32;
/// A complaint of more people than a big city has is a slip of the keyboard.
const PERSONS_MAX: u32 = 100_000_000;

pub(super) fn received(r: &Reader<'_, '_>) -> Option<Body> {
    let case_type = r.required("case_type", AnyCode);
    let category = r.optional("category", List::codes(1, 4));
    let region = r.optional("region", AnyCode);
    let number = r.optional("number", AnyCode);
    let channel = r.optional("channel", AnyCode);
    let origin =
        r.object("origin", false, |r| Some((r.required("hotline", AnyCode), r.optional("number", AnyCode))));
    let (origin_hotline, origin_number) = origin.unwrap_or_default();
    let contact = r.optional("contact", AnyCode);
    let persons = r.optional("persons", Whole(1, PERSONS_MAX));
    let urgency = r.optional("urgency", OneOf(URGENCIES));
    let anonymous = r.optional("anonymous", Flag);
    let confidential = r.optional("confidential", Flag);
    let reply_wanted = r.optional("reply_wanted", Flag);
    let tags = r.optional("tags", List::codes(0, TAGS_MAX));
    let reporter_tag = r.optional("reporter_tag", AnyCode);
    let amounts = r.optional("amounts", Money);
    let own_limit = own_limit(r);
    personal(r);
    Some(Body::Received(Box::new(Received {
        case_type: case_type?,
        category: category.unwrap_or_else(|| vec![Code::new_static("unclassified")]),
        region,
        number,
        channel,
        origin_hotline,
        origin_number,
        contact,
        persons: persons.unwrap_or(1),
        urgency: Code::new_static(urgency.unwrap_or("normal")),
        anonymous: anonymous.unwrap_or(false),
        confidential: confidential.unwrap_or(false),
        reply_wanted: reply_wanted.unwrap_or(true),
        tags: tags.unwrap_or_default(),
        reporter_tag,
        amounts: amounts.unwrap_or_default(),
        own_limit,
    })))
}

/// The personal members that have a name of their own; every unknown one is as personal.
fn personal(r: &Reader<'_, '_>) {
    r.optional("title", Personal::Text);
    r.optional("content", Personal::Text);
    r.optional("address", Personal::TextOrObject);
    r.optional("reporter", Personal::Object);
    r.optional("respondent", Personal::Object);
    r.optional("links", Personal::Array);
}

pub(super) fn amended(r: &Reader<'_, '_>) -> Body {
    Body::Amended(Box::new(Amended {
        case_type: r.optional("case_type", AnyCode),
        category: r.optional("category", List::codes(1, 4)),
        region: r.optional("region", AnyCode),
        urgency: r.optional("urgency", OneOf(URGENCIES)).map(Code::new_static),
        tags: r.optional("tags", List::codes(0, TAGS_MAX)),
        confidential: r.optional("confidential", Flag),
    }))
}

pub(super) fn supplemented(r: &Reader<'_, '_>) -> Body {
    let new_facts = r.optional("new_facts", Flag).unwrap_or(false);
    Body::Supplemented { new_facts }
}

pub(super) fn linked(r: &Reader<'_, '_>) -> Option<Body> {
    let kind = r.required("kind", OneOf(LINKS));
    let case = r.required("case", Subject);
    Some(Body::Linked { kind: Code::new_static(kind?), case: case? })
}

pub(super) fn dispatched(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let from = r.optional("from", AnyCode);
    let role = r.optional("role", OneOf(ROLES)).and_then(Role::parse);
    let reason = r.optional("reason", OneOf(DISPATCH_REASONS));
    let basis = r.optional("basis", AnyCode);
    let own_limit = own_limit(r);
    let pin = pin(r);
    Some(Body::Dispatched(Box::new(Dispatched {
        department: department?,
        from,
        role: role.unwrap_or_default(),
        reason: reason.map(Code::new_static),
        basis,
        own_limit,
        pin,
    })))
}

/// Why the pipeline dispatched. Its own dispatches have one, nobody else's may.
fn pin(r: &Reader<'_, '_>) -> Option<Pin> {
    let pin = r.object("pin", false, |r| {
        let slot = r.required("slot", Hex(32));
        let rule = r.required("rule", AnyCode);
        let rulebook = r.required("rulebook", Hex(64));
        Some(Pin { slot: EventKey::parse(&slot?)?, rule: rule?, rulebook: rulebook? })
    });
    match (r.context().pipeline, r.has("pin")) {
        (true, false) => r.fault_at("pin", code::REQUIRED),
        (false, true) => r.fault_at("pin", code::FORBIDDEN),
        _ => {}
    }
    pin
}
