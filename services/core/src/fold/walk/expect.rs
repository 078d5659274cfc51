//! What may happen next.

use super::Walk;
use crate::anomaly::AnomalyCode;
use crate::fact::{Body, Kind};
use crate::fold::admit::Admitted;

impl Walk<'_> {
    /// Why this fact is not expected now; None if it is.
    pub(super) fn unexpected(&self, fact: &Admitted<'_>) -> Option<AnomalyCode> {
        let closed_once = self.walked.rounds.iter().any(|round| round.closing.is_some());
        match fact.body.kind() {
            // The first receipt was taken before anything else.
            Kind::Received => Some(AnomalyCode::AlreadyRegistered),
            Kind::Reopened | Kind::Rated if !closed_once => Some(AnomalyCode::NeverClosed),
            Kind::Reopened if self.open_round().is_some() => Some(AnomalyCode::RoundStillOpen),
            Kind::Reopened
            | Kind::Rated
            | Kind::Supplemented
            | Kind::Linked
            | Kind::Urged
            | Kind::Supervised
            | Kind::SupervisionAnswered
            | Kind::Acknowledged
            | Kind::Appealed
            | Kind::Ruled
            | Kind::Notified
            | Kind::Milestone
            | Kind::Amended
            | Kind::Corrected
            | Kind::Snapshot => None,
            _ => self.unexpected_in_round(fact),
        }
    }

    fn unexpected_in_round(&self, fact: &Admitted<'_>) -> Option<AnomalyCode> {
        let Some(round) = self.open_round() else { return Some(AnomalyCode::RoundNotOpen) };
        let custody = match fact.body {
            Body::Dispatched(_) | Body::Closed { .. } => None,
            body => match body.department() {
                None => None,
                Some(department) => match self.open_custody(department) {
                    None => return Some(AnomalyCode::NoCustody),
                    custody => custody,
                },
            },
        };
        let barred = custody.is_some_and(|custody| round.custodies[custody].return_barred);
        match fact.body {
            Body::Released { reason } => {
                let held = round.holds.iter().any(|hold| {
                    hold.reason == *reason && hold.until.is_none_or(|until| fact.counted_at <= until)
                });
                (!held).then_some(AnomalyCode::NotHeld)
            }
            Body::CloseRefused { .. } => {
                let submitted = round
                    .submissions
                    .iter()
                    .any(|submission| Some(submission.custody) == custody && submission.refused_at.is_none());
                (!submitted).then_some(AnomalyCode::NoSubmission)
            }
            Body::ReturnRequested { .. } if barred => Some(AnomalyCode::ReturnBarred),
            _ => None,
        }
    }
}
