//! Others look at a case: they urge, supervise, acknowledge alarms, appeal and rule.

use hotline_core::fact::{Body, Code, Ruled, RulingEffect};

use super::own_limit;
use crate::reader::Reader;
use crate::shape::{AnyCode, OneOf, Whole};

const URGED_BY: &[&str] = &["caller", "office", "supervisor"];
const EFFECTS: &[&str] = &["exclude", "met", "failed", "restore"];
/// More rounds than a case has facts.
const ROUND_MAX: u32 = 1000;

pub(super) fn urged(r: &Reader<'_, '_>) -> Body {
    Body::Urged { by: r.optional("by", OneOf(URGED_BY)).map(Code::new_static) }
}

pub(super) fn supervised(r: &Reader<'_, '_>) -> Body {
    let kind = r.optional("kind", AnyCode);
    let by = r.optional("by", AnyCode);
    let own_limit = own_limit(r);
    Body::Supervised { kind, by, own_limit }
}

pub(super) fn supervision_answered(r: &Reader<'_, '_>) -> Body {
    let kind = r.optional("kind", AnyCode);
    let by = r.optional("by", AnyCode);
    Body::SupervisionAnswered { kind, by }
}

pub(super) fn acknowledged(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Acknowledged { alarm: r.required("alarm", AnyCode)? })
}

pub(super) fn appealed(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Appealed { indicator: r.required("indicator", AnyCode)? })
}

pub(super) fn ruled(r: &Reader<'_, '_>) -> Option<Body> {
    let indicator = r.required("indicator", AnyCode);
    let effect = r.required("effect", OneOf(EFFECTS)).and_then(RulingEffect::parse);
    let reason = r.required("reason", AnyCode);
    let document = r.required("document", AnyCode);
    let by = r.optional("by", AnyCode);
    let round = r.optional("round", Whole(1, ROUND_MAX));
    let department = r.optional("department", AnyCode);
    Some(Body::Ruled(Box::new(Ruled {
        indicator: indicator?,
        effect: effect?,
        reason: reason?,
        document: document?,
        by,
        round,
        department,
    })))
}

pub(super) fn milestone(r: &Reader<'_, '_>) -> Option<Body> {
    let name = r.required("name", AnyCode);
    let result = r.optional("result", AnyCode);
    Some(Body::Milestone { name: name?, result })
}
