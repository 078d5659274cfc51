//! What is odd about a case: facts that were kept without effect, times that were not believed.
//!
//! An anomaly changes nothing by itself; it is shown with the case so that somebody can ask why.

use jiff::Timestamp;

use crate::fact::EventKey;

macro_rules! anomalies {
    ($($variant:ident $code:literal $meaning:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AnomalyCode { $($variant),* }

        impl AnomalyCode {
            pub const ALL: &[AnomalyCode] = &[$(AnomalyCode::$variant),*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(AnomalyCode::$variant => $code),* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(AnomalyCode::$variant => $meaning),* }
            }
        }
    };
}

anomalies! {
    Unregistered "unregistered" "No receipt of this case is known; it counts nowhere until one arrives.",
    AlreadyRegistered "already_registered" "A second receipt of the same case; the first one counts.",
    RoundNotOpen "round_not_open" "The round was already closed when this happened.",
    RoundStillOpen "round_still_open" "The case was to be reopened while it was still open.",
    NeverClosed "never_closed" "A rating or reopening of a case that had not been closed.",
    NoCustody "no_custody" "The department named did not hold the case.",
    NotHeld "not_held" "A release without a hold of this reason.",
    NoSubmission "no_submission" "A closing was refused that nobody had submitted.",
    ClockAhead "clock_ahead" "Claimed later than it was received; counted at its receipt.",
    Backdated "backdated" "Claimed earlier than its source may enter facts late.",
    CorrectionTargetUnknown "correction_target_unknown" "A correction of a fact that has not arrived.",
    CorrectionMismatch "correction_mismatch" "A correction whose target is of another type than it says.",
    CorrectionOutOfOrder "correction_out_of_order" "A correction of a correction that does not sort before it.",
    CorrectionOfOurs "correction_of_ours" "A correction of a decision of our own; a dispatch by the hotline takes its place instead.",
    ExtensionNotAllowed "extension_not_allowed" "An extension was granted that no policy of the stage allows.",
    ExtensionExcess "extension_excess" "An extension beyond the number or length that the policy allows.",
    ExtensionAskedLate "extension_asked_late" "An extension that was asked for too late.",
    ExtensionGrantedLate "extension_granted_late" "An extension granted after expiry, which the policy voids.",
    ReturnAskedLate "return_asked_late" "A return that was asked for after the time allowed.",
    ReturnExcess "return_excess" "More returns than the policy allows.",
    ReturnBarred "return_barred" "A return by a department that was finally refused one.",
    PinSuperseded "pin_superseded" "The hotline had dispatched the case itself; our own decision has no effect.",
    NoRoute "no_route" "No routing rule applies to this case.",
    PolicyDraw "policy_draw" "Two policies of one stage apply equally; the first by id was taken.",
    UnknownHotline "unknown_hotline" "The hotline is not in the rulebook.",
    UnknownDepartment "unknown_department" "The department is not in the rulebook.",
    UnknownCode "unknown_code" "A code that is neither built in nor in the rulebook.",
}

/// One oddity of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anomaly {
    /// The instant at which the fact counts.
    pub at: Timestamp,
    pub code: AnomalyCode,
    /// The fact; None where it is the case as a whole.
    pub fact: Option<EventKey>,
}
