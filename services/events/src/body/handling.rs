//! A department works on a case: it signs, contacts, replies, asks to return or to extend, holds, verifies.

use hotline_core::fact::{Body, Code};

use super::grant;
use crate::reader::Reader;
use crate::shape::{AnyCode, Flag, List, Money, OneOf, Until};

const VERIFICATIONS: &[&str] = &["filed", "not_filed", "unfounded", "transferred"];
const NOTIFICATIONS: &[&str] = &["acceptance", "refusal", "extension", "termination", "decision", "result"];
const STAGES_MAX: usize = 16;
/// The stage that an extension is about if it names none.
const STAGE: Code = Code::new_static("close");

pub(super) fn signed(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let automatic = r.optional("automatic", Flag).unwrap_or(false);
    Some(Body::Signed { department: department?, automatic })
}

pub(super) fn contacted(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let reached = r.optional("reached", Flag);
    Some(Body::Contacted { department: department?, reached })
}

pub(super) fn replied(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let preliminary = r.optional("preliminary", Flag).unwrap_or(false);
    Some(Body::Replied { department: department?, preliminary })
}

pub(super) fn accepted(r: &Reader<'_, '_>) -> Body {
    Body::Accepted { department: r.optional("department", AnyCode) }
}

pub(super) fn refused(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.optional("department", AnyCode);
    let ground = r.required("ground", AnyCode);
    Some(Body::Refused { department, ground: ground? })
}

pub(super) fn return_requested(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let reason = r.optional("reason", AnyCode);
    Some(Body::ReturnRequested { department: department?, reason })
}

pub(super) fn return_refused(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let reason = r.optional("reason", AnyCode);
    let is_final = r.optional("final", Flag).unwrap_or(false);
    Some(Body::ReturnRefused { department: department?, reason, is_final })
}

pub(super) fn returned(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let reason = r.optional("reason", AnyCode);
    Some(Body::Returned { department: department?, reason })
}

pub(super) fn extension_requested(r: &Reader<'_, '_>) -> Option<Body> {
    let stage = r.optional("stage", AnyCode).unwrap_or(STAGE);
    let grant = grant(r);
    let by = r.optional("by", AnyCode);
    Some(Body::ExtensionRequested { stage, grant: grant?, by })
}

pub(super) fn extension_refused(r: &Reader<'_, '_>) -> Body {
    let stage = r.optional("stage", AnyCode).unwrap_or(STAGE);
    let by = r.optional("by", AnyCode);
    Body::ExtensionRefused { stage, by }
}

pub(super) fn extended(r: &Reader<'_, '_>) -> Option<Body> {
    let stage = r.optional("stage", AnyCode).unwrap_or(STAGE);
    let grant = grant(r);
    let by = r.optional("by", AnyCode);
    Some(Body::Extended { stage, grant: grant?, by })
}

pub(super) fn held(r: &Reader<'_, '_>) -> Option<Body> {
    let reason = r.required("reason", AnyCode);
    let stages = r.optional("stages", List::codes(0, STAGES_MAX)).unwrap_or_default();
    let until = r.optional("until", Until);
    Some(Body::Held { reason: reason?, stages, until })
}

pub(super) fn released(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Released { reason: r.required("reason", AnyCode)? })
}

pub(super) fn verified(r: &Reader<'_, '_>) -> Option<Body> {
    let result = r.required("result", OneOf(VERIFICATIONS));
    let amounts = r.optional("amounts", Money).unwrap_or_default();
    Some(Body::Verified { result: Code::new_static(result?), amounts })
}

pub(super) fn notified(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Notified { of: Code::new_static(r.required("of", OneOf(NOTIFICATIONS))?) })
}
