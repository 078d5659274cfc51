//! The codes that need no rulebook, and which codes of a fact are in no list.

use crate::fact::{Body, Code};
use crate::rulebook::Rulebook;

const CASE_TYPE: &[&str] =
    &["consult", "help", "complaint", "report", "suggestion", "praise", "petition", "other"];
const LINKED: &[&str] = &["same_contact", "handed_over", "repeat", "urge", "follow_up", "review", "incident"];
const HOLD: &[&str] = &["inspection", "parked", "recusal", "force_majeure"];
const VERIFIED: &[&str] = &["filed", "not_filed", "unfounded", "transferred"];
const NOTIFIED: &[&str] = &["acceptance", "refusal", "extension", "termination", "decision", "result"];
const OUTCOME: &[&str] =
    &["resolved", "explained", "mediated", "settled", "terminated", "transferred", "other"];
const METHOD: &[&str] = &["call", "sms", "app", "paper", "default"];
const REOPENED: &[&str] = &["dissatisfied", "review", "repeat", "supervision"];
const SUPERVISED: &[&str] = &["daily", "listed", "interview", "on_site"];
const MILESTONE: &[&str] = &["published", "on_site"];
const MERGED: &[&str] = &["duplicate", "incident", "renumbered"];

/// The lists of codes that a rulebook may extend by `codes/<name>.csv`, with their built-in codes.
pub const LISTS: &[(&str, &[&str])] = &[
    ("case_type", CASE_TYPE),
    ("linked_kind", LINKED),
    ("hold_reason", HOLD),
    ("verified_result", VERIFIED),
    ("notified_of", NOTIFIED),
    ("outcome", OUTCOME),
    ("rating_method", METHOD),
    ("reopened_reason", REOPENED),
    ("supervised_kind", SUPERVISED),
    ("milestone_name", MILESTONE),
    ("merged_reason", MERGED),
];

/// Whether the fact carries a code that is neither built in nor in the rulebook's list.
pub(super) fn unknown_code(body: &Body, rulebook: &Rulebook) -> bool {
    let found: Option<(&str, &Code)> = match body {
        Body::Received(received) => Some(("case_type", &received.case_type)),
        Body::Amended(amended) => amended.case_type.as_ref().map(|code| ("case_type", code)),
        Body::Linked { kind, .. } => Some(("linked_kind", kind)),
        Body::Held { reason, .. } => Some(("hold_reason", reason)),
        Body::Verified { result, .. } => Some(("verified_result", result)),
        Body::Notified { of } => Some(("notified_of", of)),
        Body::Submitted { outcome, .. } | Body::Closed { outcome, .. } => {
            outcome.as_ref().map(|code| ("outcome", code))
        }
        Body::Rated(rated) => rated.method.as_ref().map(|code| ("rating_method", code)),
        Body::Reopened { reason } => Some(("reopened_reason", reason)),
        Body::Supervised { kind, .. } => kind.as_ref().map(|code| ("supervised_kind", code)),
        Body::Milestone { name, .. } => Some(("milestone_name", name)),
        Body::Merged { reason, .. } => reason.as_ref().map(|code| ("merged_reason", code)),
        _ => None,
    };
    found.is_some_and(|(list, code)| {
        let built_in = LISTS.iter().find(|(name, _)| *name == list).is_some_and(|(_, codes)| codes.contains(&&**code));
        !built_in && !rulebook.codes.get(list).is_some_and(|codes| codes.contains(code))
    })
}
