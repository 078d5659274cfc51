//! Which policy applies.

use jiff::Timestamp;

use super::{Found, StageOfRound, stops};
use crate::anomaly::{Anomaly, AnomalyCode};
use crate::fact::Code;
use crate::fold::view::{Attributes, CustodyEnd, Moment};
use crate::fold::walk::Walked;
use crate::rulebook::{Match, ORDINARY, OnAmend, OnCustodyChange, Policy, Rulebook, SelectBy};

/// The class of the case: the first of the rulebook's that its first round matches, as at its closing. Later
/// rounds do not move it, so that a reopening leaves the month that judged the first round as it was.
pub(super) fn class_of(walked: &Walked<'_>, rulebook: &Rulebook) -> Code {
    let Some(round) = walked.rounds.first() else { return Code::new_static(ORDINARY) };
    let case = &round.attributes;
    let outcome = round.closing.as_ref().and_then(|closing| closing.outcome.as_ref());
    let dispatched =
        round.custodies.iter().any(|custody| Some(&custody.department) != walked.office.as_ref());
    let any = |list: &[Code], of: Option<&Code>| list.is_empty() || of.is_some_and(|of| list.contains(of));
    rulebook
        .classes
        .iter()
        .find(|class| {
            any(&class.case_type, Some(&case.case_type))
                && any(&class.origin, case.origin.as_ref())
                && any(&class.channel, case.channel.as_ref())
                && any(&class.outcome, outcome)
                && (class.tags.is_empty() || class.tags.iter().any(|tag| case.tags.contains(tag)))
                && class.dispatched.is_none_or(|wanted| wanted == dispatched)
        })
        .map_or_else(|| Code::new_static(ORDINARY), |class| class.id.clone())
}

/// Whether a rule's `match` holds for a case as it stands.
pub(super) fn matches(rule: &Match, hotline: &Code, case: &Attributes, class: &Code, round: u32) -> bool {
    let any = |list: &[Code], of: &Code| list.is_empty() || list.contains(of);
    let maybe = |list: &[Code], of: Option<&Code>| list.is_empty() || of.is_some_and(|of| list.contains(of));
    any(&rule.hotline, hotline)
        && any(&rule.case_type, &case.case_type)
        && case.category.starts_with(&rule.category)
        && rule.region.as_deref().is_none_or(|region| case.region.starts_with(region))
        && any(&rule.urgency, &case.urgency)
        && maybe(&rule.channel, case.channel.as_ref())
        && maybe(&rule.origin, case.origin.as_ref())
        && (rule.tags.is_empty() || rule.tags.iter().any(|tag| case.tags.contains(tag)))
        && any(&rule.class, class)
        && (rule.round.is_empty() || rule.round.contains(&round))
}

impl<'a> StageOfRound<'a> {
    /// The policies of the stage, the most specific first.
    pub(super) fn policies(&self) -> impl Iterator<Item = &'a Policy> + use<'a> {
        let rulebook = self.rulebook;
        self.group.policies.iter().map(|place| &rulebook.policies[*place])
    }

    /// The policy for a case with these attributes whose clock starts then.
    pub(super) fn select(
        &self,
        case: &Attributes,
        start_at: Timestamp,
        found: &mut Found,
    ) -> Option<&'a Policy> {
        let received_at = self.walked.received.map_or(start_at, |(received_at, _)| received_at);
        let mut best: Option<&'a Policy> = None;
        for policy in self.policies() {
            // The best come first: below the best that matched there is nothing to find.
            if best.is_some_and(|known| known.rank() != policy.rank()) {
                break;
            }
            let at = match policy.select_by {
                SelectBy::Received => received_at,
                SelectBy::Start => start_at,
            };
            if !matches(&policy.matches, &self.walked.hotline, case, &self.class, self.round.number)
                || !in_force(policy, at)
            {
                continue;
            }
            if let Some(known) = best {
                let draw = Anomaly { at: start_at, code: AnomalyCode::PolicyDraw, fact: None };
                if !found.anomalies.contains(&draw) {
                    found.anomalies.push(draw);
                }
                best = Some(if policy.id < known.id { policy } else { known });
            } else {
                best = Some(policy);
            }
        }
        best
    }

    /// The policy for a clock that starts with this step, amendments considered, and where they make it begin
    /// again, when; None where it is not one that this step `starts`. What is amended after the clock ended does
    /// not reach it.
    pub(super) fn resolve(
        &self,
        step: usize,
        custody: Option<usize>,
        starts: impl Fn(&Policy) -> bool,
        found: &mut Found,
    ) -> Option<(&'a Policy, Option<Timestamp>)> {
        // Most steps start nothing, whichever policy applies.
        if !self.policies().any(&starts) {
            return None;
        }
        self.applicable(step, custody, &starts, found).filter(|(policy, _)| starts(policy))
    }

    fn applicable(
        &self,
        step: usize,
        custody: Option<usize>,
        starts: &impl Fn(&Policy) -> bool,
        found: &mut Found,
    ) -> Option<(&'a Policy, Option<Timestamp>)> {
        let changes = &self.round.changes;
        let start_at = self.round.steps[step].counted_at;
        let before = self.select(self.round.attributes_at_step(step), start_at, found);
        if changes.len() == 1 {
            return before.map(|policy| (policy, None));
        }
        // A policy under which nothing began here has no say in what an amendment brings.
        let before = before.filter(|policy| starts(policy));
        // Where there was no clock, none passed on: what is amended later reaches nobody who has given the case away.
        let end = match (before, custody) {
            (Some(policy), _) => self.end_of(policy, step, custody),
            (None, Some(custody)) => {
                self.round.custodies[custody].ended.map(|(at, how)| self.moment_of(at, how))
            }
            (None, None) => self.end_of_case(step),
        };
        let attributes = end.map_or(&self.round.attributes, |end| self.round.attributes_before(end));
        let after = self.select(attributes, start_at, found);
        let Some(before) = before else { return after.map(|policy| (policy, None)) };
        if after.is_some_and(|after| after.id == before.id) {
            return Some((before, None));
        }
        match before.on_amend {
            OnAmend::Keep => Some((before, None)),
            OnAmend::Recompute => after.map(|policy| (policy, None)),
            OnAmend::Restart => {
                let after = after?;
                let restart = changes.iter().find(|change| {
                    change.at > start_at
                        && end.is_none_or(|end| change.is_before(end))
                        && self
                            .select(&change.attributes, start_at, found)
                            .is_some_and(|one| one.id == after.id)
                });
                Some((after, restart.map(|change| change.at)))
            }
        }
    }

    /// When a clock of this policy that starts with a step ends: by its stop, or with its round; one of a custody with
    /// the last custody that it passes on to.
    fn end_of(&self, policy: &'a Policy, step: usize, custody: Option<usize>) -> Option<Moment> {
        let Some(mut place) = custody else {
            let ends = [self.stop_after(policy, step, None), self.end_of_case(step)];
            return ends.into_iter().flatten().min_by_key(|moment| moment.at);
        };
        let mut clock = self.begun(policy, place, step);
        loop {
            let met = self.stop_after(policy, step.max(self.round.custodies[place].opening), Some(place));
            let Some((ended_at, how)) = self.round.custodies[place].ended else { return met };
            if met.is_some_and(|met| met.at <= ended_at) {
                return met;
            }
            let on_change = self.passes_on(&clock, place);
            let passes = on_change != OnCustodyChange::Restart;
            let next = self.next_holder(place).filter(|_| passes);
            let Some(next) = next else { return Some(self.moment_of(ended_at, how)) };
            self.hand_on(&mut clock, place, next, on_change);
            place = next;
        }
    }

    /// The end of a custody; with the round it is the closing.
    fn moment_of(&self, at: Timestamp, how: CustodyEnd) -> Moment {
        let closing = self.round.closing.as_ref().filter(|_| how == CustodyEnd::Closed);
        Moment { at, step: closing.map(|closing| closing.step) }
    }

    fn end_of_case(&self, begun_by: usize) -> Option<Moment> {
        let closing = self.round.closing.as_ref().filter(|closing| begun_by < closing.step);
        self.case_end(begun_by).map(|at| Moment { at, step: closing.map(|closing| closing.step) })
    }

    fn stop_after(&self, policy: &Policy, step: usize, custody: Option<usize>) -> Option<Moment> {
        let after = self.round.steps.iter().enumerate().skip(step + 1);
        after
            .filter(|(nth, one)| custody.is_none_or(|custody| self.concerns(custody, *nth, one)))
            .find(|(_, one)| stops(policy, &one.body))
            .map(|(nth, one)| Moment { at: one.counted_at, step: Some(nth) })
    }
}

fn in_force(policy: &Policy, at: Timestamp) -> bool {
    if policy.effective_from.is_none() && policy.effective_until.is_none() {
        return true;
    }
    let on = policy.calendar.local(at).0.date();
    policy.effective_from.is_none_or(|from| from <= on)
        && policy.effective_until.is_none_or(|until| on < until)
}
