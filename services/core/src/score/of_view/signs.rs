//! What in a case looks like gaming: closing at the last moment, reopening soon or after the month has been judged,
//! asking on the last day, dating back, asking only who is content. Signs, not verdicts: rates of them say where to look.

use jiff::SignedDuration;
use jiff::civil::Date;
use smol_str::format_smolstr;

use super::{RoundScore, nobody};
use crate::anomaly::{Anomaly, AnomalyCode};
use crate::fact::{Body, Code, Kind, Precision, Role};
use crate::fold::{Clock, Outcome, Round, Step, Verdict};
use crate::measure::{Measure, RatingMeasure, State};
use crate::rulebook::Basis;
use crate::score::Score;

impl RoundScore<'_> {
    /// What of a clock looks like gaming.
    pub(super) fn signs(&self, clock: &Clock) -> Vec<State> {
        match clock.verdict {
            Verdict::Met => {
                let is_automatic =
                    |step: usize| matches!(self.round.steps[step].body, Body::Signed { automatic: true, .. });
                let automatic = clock.stopped_by.is_some_and(is_automatic).then_some(State::MetAutomatic);
                [in_last_hour(clock).then_some(State::MetLastHour), automatic].into_iter().flatten().collect()
            }
            Verdict::Late | Verdict::LeftLate if self.is_reopened_after_month_end() => {
                vec![State::LateReopenedAfterMonthEnd]
            }
            _ => Vec::new(),
        }
    }

    /// Whether the round was opened again in a later month than that of its closing.
    fn is_reopened_after_month_end(&self) -> bool {
        let next = self.view.rounds.get(self.place + 1);
        let reopened_on = next.map(|next| self.rulebook.day(next.opened_at));
        let month = |day: Date| (day.year(), day.month());
        reopened_on.zip(self.days[Basis::Closed as usize]).is_some_and(|(to, from)| month(to) > month(from))
    }

    /// Whether the caller was asked, of a round that gave reason to complain and of one that did not. Only what was
    /// known when it was closed counts, and who is not to be asked is on neither side.
    pub(super) fn add_follow_up(&self, score: &mut Score) {
        let closing = self.round.closing.as_ref().filter(|closing| closing.kind == Kind::Closed);
        let (Some(closing), Some(rating)) = (closing, &self.round.rating) else { return };
        let asked = match rating.outcome {
            Outcome::NotRequired => return,
            // What the system fills in by itself asks nobody.
            Outcome::NotAsked | Outcome::Default => false,
            Outcome::Answered(_) | Outcome::Unanswered | Outcome::Unreached => true,
        };
        let urged = || self.round.steps[..closing.step].iter().any(|step| step.body.kind() == Kind::Urged);
        let late = || {
            let clocks = self.view.clocks.iter().filter(|clock| clock.round == self.place && clock.closure);
            clocks
                .filter(|clock| clock.role == Role::Lead)
                .any(|clock| matches!(clock.verdict, Verdict::Late | Verdict::LeftLate))
        };
        let troubled = self.place > 0 || urged() || late();
        let measure = match (troubled, asked) {
            (true, true) => RatingMeasure::TroubledFollowedUp,
            (true, false) => RatingMeasure::TroubledNotFollowedUp,
            (false, true) => RatingMeasure::UntroubledFollowedUp,
            (false, false) => RatingMeasure::UntroubledNotFollowedUp,
        };
        let measure = Measure::Rating(measure);
        let mut contribution = self.contribution(measure, self.closer.clone(), Role::Lead, self.days);
        contribution.excluded = self.round.rating_excluded;
        score.contributions.push((contribution, 1));
    }

    /// The counts of a reopening that came soon after the closing.
    pub(super) fn reopened_soon(&self, next: &Round) -> impl Iterator<Item = Code> + use<> {
        let closed_at = self.round.closing.as_ref().map_or(next.opened_at, |closing| closing.at);
        let after = next.opened_at.duration_since(closed_at);
        let spans = [(24, "reopened_within_24h"), (72, "reopened_within_72h")];
        let within = spans.into_iter().filter(move |(hours, _)| after <= SignedDuration::from_hours(*hours));
        within.map(|(_, name)| Code::new_static(name))
    }

    /// The count of a fact that looks like gaming, which stands beside that of its kind.
    pub(super) fn sign_of(&self, step: &Step) -> Option<&'static str> {
        match step.body.kind() {
            Kind::Extended if self.round.extended_last_day.contains(&step.key) => Some("extended_last_day"),
            Kind::Returned if self.is_returned_on_last_day(step) => Some("returned_last_day"),
            Kind::Closed if self.is_backdated(step) => Some("closed_backdated"),
            _ => None,
        }
    }

    fn is_backdated(&self, step: &Step) -> bool {
        let is_flag =
            |anomaly: &Anomaly| anomaly.code == AnomalyCode::Backdated && anomaly.fact == Some(step.key);
        self.view.anomalies.iter().any(is_flag)
    }

    /// Whether the return was asked for on the last day on which the closing would have been in time.
    fn is_returned_on_last_day(&self, step: &Step) -> bool {
        let custodies = &self.round.custodies;
        let Some(giver) = step.custody else { return false };
        let Some((asked_at, _)) = custodies[giver].ended else { return false };
        let asked_on = self.rulebook.day(asked_at);
        self.view.clocks.iter().filter(|clock| clock.round == self.place && clock.closure).any(|clock| {
            let ran = clock.start_at.is_some_and(|start_at| start_at <= asked_at);
            let of_giver = match clock.custody {
                None => custodies[giver].role == Role::Lead,
                // One that passed on began before its holder had the case.
                Some(holder) => {
                    holder == giver || holder > giver && clock.start_at < Some(custodies[holder].from_at)
                }
            };
            ran && of_giver && clock.due_on() == Some(asked_on)
        })
    }

    /// A ruling is counted with its case, and once more with whoever made it.
    pub(super) fn add_ruling(&self, step: &Step, score: &mut Score) {
        let Body::Ruled(ruled) = &step.body else { return };
        let by = ruled.by.clone().unwrap_or_else(nobody);
        for name in ["ruled_by".into(), format_smolstr!("ruled_by.{}", ruled.effect.name())] {
            let contribution = self.counted(name, by.clone(), Role::Lead, Some(step.counted_at));
            score.contributions.push((contribution, 1));
        }
    }
}

/// Whether a clock that was met was stopped in the last hour in time. Of a stop of which only the day is known nobody
/// can tell.
fn in_last_hour(clock: &Clock) -> bool {
    let Some(((stopped_at, Precision::Second), due_at)) = clock.stop.zip(clock.due_at()) else {
        return false;
    };
    let left = due_at.duration_since(stopped_at);
    (SignedDuration::ZERO..=SignedDuration::from_hours(1)).contains(&left)
}
