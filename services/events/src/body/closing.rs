//! A case ends, is judged by its caller, and may begin again.

use hotline_core::fact::{Body, Code, Rated, Solved};

use crate::reader::Reader;
use crate::shape::{AnyCode, Aspects, Flag, List, Money, OneOf, OneOfOrNull, Satisfaction, Subject, Whole};

const MERGE_REASONS: &[&str] = &["duplicate", "incident", "renumbered"];
const METHODS: &[&str] = &["call", "sms", "app", "paper", "default"];
const SOLVED: &[&str] = &["yes", "partly", "no"];
const REOPEN_REASONS: &[&str] = &["dissatisfied", "review", "repeat", "supervision"];
const SPLIT_MAX: usize = 100;
const ATTEMPTS_MAX: u32 = 1000;

pub(super) fn submitted(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let outcome = r.optional("outcome", AnyCode);
    let amounts = r.optional("amounts", Money).unwrap_or_default();
    Some(Body::Submitted { department: department?, outcome, amounts })
}

pub(super) fn close_refused(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::CloseRefused { department: r.required("department", AnyCode)? })
}

pub(super) fn closed(r: &Reader<'_, '_>) -> Option<Body> {
    let department = r.required("department", AnyCode);
    let by = r.optional("by", AnyCode);
    let outcome = r.optional("outcome", AnyCode);
    let amounts = r.optional("amounts", Money).unwrap_or_default();
    Some(Body::Closed { department: department?, by, outcome, amounts })
}

pub(super) fn merged(r: &Reader<'_, '_>) -> Option<Body> {
    let into = r.required("into", Subject);
    let reason = r.optional("reason", OneOf(MERGE_REASONS)).map(Code::new_static);
    Some(Body::Merged { into: into?, reason })
}

pub(super) fn split(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Split { into: r.required("into", List::subjects(2, SPLIT_MAX))? })
}

pub(super) fn withdrawn(r: &Reader<'_, '_>) -> Body {
    Body::Withdrawn { by: r.optional("by", AnyCode) }
}

pub(super) fn rated(r: &Reader<'_, '_>) -> Option<Body> {
    let reached = r.required("reached", Flag);
    let method = r.optional("method", OneOf(METHODS)).map(Code::new_static);
    let satisfaction = r.optional("satisfaction", Satisfaction).flatten();
    let aspects = r.optional("aspects", Aspects).unwrap_or_default();
    let solved = r.optional("solved", OneOfOrNull(SOLVED)).flatten().and_then(Solved::parse);
    let attempt = r.optional("attempt", Whole(1, ATTEMPTS_MAX)).unwrap_or(1);
    Some(Body::Rated(Box::new(Rated { reached: reached?, method, satisfaction, aspects, solved, attempt })))
}

pub(super) fn reopened(r: &Reader<'_, '_>) -> Option<Body> {
    Some(Body::Reopened { reason: Code::new_static(r.required("reason", OneOf(REOPEN_REASONS))?) })
}
