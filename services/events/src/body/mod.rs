//! The data of each event type, read into a [`Body`].
//!
//! A function per type reads every member before it builds anything, so that all faults of an event are found at
//! once. The members and their meaning are those of DESIGN.md, section 6.

mod closing;
mod composite;
mod handling;
mod opening;
mod oversight;

use hotline_core::fact::{Body, Grant, Kind, OwnLimit};

use crate::error::code;
use crate::reader::Reader;
use crate::shape::{Instant, LimitUnit, Until, Whole};

/// A limit in whatever unit: more than this is a slip of the keyboard.
const LIMIT_MAX: u32 = 100_000;

/// Reads the data of an event of this kind; None after at least one fault.
pub(crate) fn read(kind: Kind, r: &Reader<'_, '_>) -> Option<Body> {
    match kind {
        Kind::Received => opening::received(r),
        Kind::Amended => Some(opening::amended(r)),
        Kind::Supplemented => Some(opening::supplemented(r)),
        Kind::Linked => opening::linked(r),
        Kind::Dispatched => opening::dispatched(r),
        Kind::Signed => handling::signed(r),
        Kind::Contacted => handling::contacted(r),
        Kind::Replied => handling::replied(r),
        Kind::Accepted => Some(handling::accepted(r)),
        Kind::Refused => handling::refused(r),
        Kind::ReturnRequested => handling::return_requested(r),
        Kind::ReturnRefused => handling::return_refused(r),
        Kind::Returned => handling::returned(r),
        Kind::ExtensionRequested => handling::extension_requested(r),
        Kind::ExtensionRefused => Some(handling::extension_refused(r)),
        Kind::Extended => handling::extended(r),
        Kind::Held => handling::held(r),
        Kind::Released => handling::released(r),
        Kind::Verified => handling::verified(r),
        Kind::Notified => handling::notified(r),
        Kind::Submitted => closing::submitted(r),
        Kind::CloseRefused => closing::close_refused(r),
        Kind::Closed => closing::closed(r),
        Kind::Merged => closing::merged(r),
        Kind::Split => closing::split(r),
        Kind::Withdrawn => Some(closing::withdrawn(r)),
        Kind::Rated => closing::rated(r),
        Kind::Reopened => closing::reopened(r),
        Kind::Urged => Some(oversight::urged(r)),
        Kind::Supervised => Some(oversight::supervised(r)),
        Kind::SupervisionAnswered => Some(oversight::supervision_answered(r)),
        Kind::Acknowledged => oversight::acknowledged(r),
        Kind::Appealed => oversight::appealed(r),
        Kind::Ruled => oversight::ruled(r),
        Kind::Milestone => oversight::milestone(r),
        Kind::Snapshot => composite::snapshot(r),
        Kind::Corrected => composite::corrected(r),
    }
}

/// `own_limit`: `{limit, unit}` or `{due_at}`.
fn own_limit(r: &Reader<'_, '_>) -> Option<OwnLimit> {
    r.object("own_limit", false, |r| {
        let limit = r.optional("limit", Whole(1, LIMIT_MAX));
        let unit = r.optional("unit", LimitUnit);
        let due_at = r.optional("due_at", Instant);
        if r.has("due_at") {
            excludes_limit(r);
            return due_at.map(|(at, _)| OwnLimit::DueAt(at));
        }
        r.needs("limit");
        r.needs("unit");
        Some(OwnLimit::Limit(limit?, unit?))
    })
}

/// What an extension asks for or grants: `limit` with `unit`, or `until`.
fn grant(r: &Reader<'_, '_>) -> Option<Grant> {
    let limit = r.optional("limit", Whole(1, LIMIT_MAX));
    let unit = r.optional("unit", LimitUnit);
    let until = r.optional("until", Until);
    if r.has("until") {
        excludes_limit(r);
        return until.map(Grant::Until);
    }
    r.needs("limit");
    r.needs("unit");
    Some(Grant::Limit(limit?, unit?))
}

fn excludes_limit(r: &Reader<'_, '_>) {
    for name in ["limit", "unit"] {
        if r.has(name) {
            r.fault_at(name, code::CONFLICT);
        }
    }
}
