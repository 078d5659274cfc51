//! The codes of the lists that a rulebook may extend by `codes/<list>.csv` (DESIGN.md, section 6). A list is
//! named by its member, or by the event and the member where several events have one of the name.

use super::Rulebook;
use crate::fact::Kind;

/// The built-in codes of each list.
pub const BUILT_IN: &[(&str, &[&str])] = &[
    ("case_type", &["consult", "help", "complaint", "report", "suggestion", "praise", "petition", "other"]),
    ("urgency", &["normal", "urgent", "critical"]),
    ("linked_kind", &["same_contact", "handed_over", "repeat", "urge", "follow_up", "review", "incident"]),
    ("dispatched_reason", &["first", "redispatch", "reorganisation"]),
    ("held_reason", &["inspection", "parked", "recusal", "force_majeure"]),
    ("verified_result", &["filed", "not_filed", "unfounded", "transferred"]),
    ("notified_of", &["acceptance", "refusal", "extension", "termination", "decision", "result"]),
    ("outcome", &["resolved", "explained", "mediated", "settled", "terminated", "transferred", "other"]),
    ("merged_reason", &["duplicate", "incident", "renumbered"]),
    ("reopened_reason", &["dissatisfied", "review", "repeat", "supervision"]),
    ("supervised_kind", &["daily", "listed", "interview", "on_site"]),
    ("milestone", &["published", "on_site"]),
];

/// The list from which the facts of a kind take the code that a rule may ask for, `milestone:on_site`.
pub fn list_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Received => "case_type",
        Kind::Linked => "linked_kind",
        Kind::Dispatched => "dispatched_reason",
        Kind::Refused => "refused_ground",
        Kind::ReturnRequested | Kind::ReturnRefused | Kind::Returned => "returned_reason",
        Kind::Held | Kind::Released => "held_reason",
        Kind::Verified => "verified_result",
        Kind::Notified => "notified_of",
        Kind::Submitted | Kind::Closed => "outcome",
        Kind::Merged => "merged_reason",
        Kind::Reopened => "reopened_reason",
        Kind::Supervised | Kind::SupervisionAnswered => "supervised_kind",
        Kind::Milestone => "milestone",
        _ => return None,
    })
}

impl Rulebook {
    /// Whether a code stands in a list. Any code stands in a list that neither we nor the rulebook have.
    pub fn knows(&self, list: &str, code: &str) -> bool {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == list).map(|(_, codes)| *codes);
        let own = self.codes.get(list);
        (built_in.is_none() && own.is_none())
            || built_in.is_some_and(|codes| codes.contains(&code))
            || own.is_some_and(|codes| codes.iter().any(|known| known.code == code))
    }

    /// What a code of a list is called, in Chinese and in English; None: the rulebook has no name for it.
    pub fn code_name(&self, list: &str, code: &str) -> Option<(&str, &str)> {
        let known = self.codes.get(list)?.iter().find(|known| known.code == code)?;
        (!known.name_zh.is_empty()).then_some((known.name_zh.as_str(), known.name_en.as_str()))
    }
}
