//! How long a clock runs: its own or the policy's limit, the holds it heeds, the extensions it takes.

use jiff::Timestamp;
use jiff::civil::Time;

use super::{Ending, Found, Running, StageOfRound, judged_at_submission, select};
use crate::anomaly::{Anomaly, AnomalyCode};
use crate::calendar::Calendar;
use crate::deadline::{
    CountFrom, Deadline, EndsAt, Extension, ExtensionFrom, Hold, Limit, OutsideHours, Roll, Rule, due,
};
use crate::fact::{Body, Code, EventKey, Grant, Kind, OwnLimit, Precision, Role};
use crate::fold::view::{Attributes, Custody, Moment, Step};
use crate::rulebook::{ExtensionRule, GrantedLate, OwnLimitUse, PendingReturn, Policy, ReviewTime};

impl StageOfRound<'_> {
    /// The limit of a clock; None where the policy wants an own limit and none came.
    pub(super) fn limit<'b>(&'b self, clock: &Running<'b>, until: Option<Moment>) -> Option<Limit<'b>> {
        let calendar = self.rulebook.calendar_for(clock.policy, &self.case_until(until).region);
        limit_of(clock.policy, clock.own_limit, calendar)
    }

    /// What was true of the case when a clock ended: what is amended later does not reach it.
    pub(super) fn case_until(&self, until: Option<Moment>) -> &Attributes {
        match until {
            None => &self.round.attributes,
            Some(moment) if moment.step.is_some() => self.round.attributes_before(moment),
            Some(moment) => self.round.attributes_at(moment.at),
        }
    }

    /// The own limit of a case clock: the start fact's, the latest lead dispatch's, then the receipt's.
    pub(super) fn own_limit_of_case(&self, policy: &Policy, start: &Body) -> Option<OwnLimit> {
        if own_limit_use(policy) == OwnLimitUse::Ignore {
            return None;
        }
        let custodies = self.round.custodies.iter().rev();
        let dispatch =
            custodies.filter(|custody| custody.role == Role::Lead).find_map(|custody| custody.own_limit);
        match own_limit_of(start) {
            None if policy.family == "supervise" => None,
            own => own.or(dispatch).or_else(|| self.own_limit_of_receipt()),
        }
    }

    /// The own limit of a custody clock: its dispatch's, then the receipt's.
    pub(super) fn own_limit_of_custody(
        &self,
        policy: &Policy,
        custody: &Custody,
        start: &Body,
    ) -> Option<OwnLimit> {
        if own_limit_use(policy) == OwnLimitUse::Ignore {
            return None;
        }
        match start.kind() {
            Kind::Supervised => own_limit_of(start),
            _ => custody.own_limit.or_else(|| self.own_limit_of_receipt()),
        }
    }

    /// A deadline that came with the receipt was meant for the first round; a limit holds for every round.
    fn own_limit_of_receipt(&self) -> Option<OwnLimit> {
        let own_limit = self.walked.received.and_then(|(_, received)| received.own_limit);
        own_limit.filter(|own| self.round.number == 1 || matches!(own, OwnLimit::Limit(..)))
    }

    /// The spans in which this clock, which ends then, does not run.
    pub(super) fn holds(
        &self,
        clock: &Running<'_>,
        custody: Option<usize>,
        until: Option<Moment>,
    ) -> Vec<Hold> {
        let policy = clock.policy;
        let mut holds = clock.credit.clone();
        let heeds = |stages: &[Code]| {
            stages.is_empty() || stages.contains(&policy.stage) || stages.contains(&policy.family)
        };
        for hold in &self.round.holds {
            if policy.holds.contains(&hold.reason) && heeds(&hold.stages) {
                holds.push(Hold { from: hold.from, until: hold.until, reason: hold.reason.clone() });
            }
        }
        for general in &self.rulebook.general_holds {
            let applies = select::matches(
                &general.matches,
                &self.walked.hotline,
                self.case_until(until),
                &self.class,
                self.round.number,
            );
            if applies && heeds(&general.stages) {
                let (from, until) = (general.from, Some(general.until));
                holds.push(Hold { from, until, reason: general.reason.clone() });
            }
        }
        let places = 0..self.round.custodies.len();
        // A case clock waits with whoever leads.
        let of = |place: &usize| match custody {
            Some(custody) => *place == custody,
            None => self.round.custodies[*place].role == Role::Lead,
        };
        holds.extend(places.filter(of).flat_map(|place| self.holds_of_custody(policy, place)));
        holds
    }

    /// The spans that are given back for this custody: its reviews, and where the policy says so what it
    /// waited for an answer to a return. Nobody waits beyond the end of the custody.
    pub(super) fn holds_of_custody(&self, policy: &Policy, place: usize) -> Vec<Hold> {
        let mut holds = if reviews_are_credited(policy) { self.reviews(place) } else { Vec::new() };
        if policy.returns.as_ref().is_some_and(|rule| rule.pending == PendingReturn::Held) {
            let custody = &self.round.custodies[place];
            let ended_at = custody.ended.map(|(ended_at, _)| ended_at);
            holds.extend(custody.return_requests.iter().map(|(from, until)| Hold {
                from: *from,
                until: until.or(ended_at),
                reason: Code::new_static("return_pending"),
            }));
        }
        holds
    }

    /// Submissions that were refused: the time under review is given back.
    fn reviews(&self, custody: usize) -> Vec<Hold> {
        let refused = self.round.submissions.iter().filter(|submission| submission.custody == custody);
        refused
            .filter_map(|submission| {
                let until = Some(submission.refused_at?);
                Some(Hold { from: submission.at, until, reason: Code::new_static("review") })
            })
            .collect()
    }

    /// The extensions that this clock takes, of those asked for while it ran: of a clock that stopped at a submission,
    /// which might have been refused, until the step that made the stop.
    pub(super) fn extensions(
        &self,
        clock: &Running<'_>,
        limit: &Limit<'_>,
        holds: &[Hold],
        ending: Ending,
        found: &mut Found,
    ) -> Vec<Extension> {
        let mut taken: Vec<Extension> = Vec::new();
        let mut open_requests: Vec<Timestamp> = Vec::new();
        let is_live = |asked_at: Timestamp, place: usize| match ending {
            Ending::Open => true,
            Ending::Ended { at } => asked_at < at,
            Ending::Stopped { step, .. } => place < step || asked_at < self.round.steps[step].counted_at,
        };
        for (place, step) in self.round.steps.iter().enumerate() {
            let of_stage = |stage: &Code| *stage == clock.policy.stage || *stage == clock.policy.family;
            match &step.body {
                // What was asked before the clock began was asked for another one.
                Body::ExtensionRequested { stage, .. }
                    if of_stage(stage) && step.counted_at >= clock.start_at =>
                {
                    open_requests.push(step.counted_at);
                }
                Body::ExtensionRefused { stage, .. } if of_stage(stage) => {
                    open_requests.clear();
                }
                Body::Extended { stage, grant, .. } if of_stage(stage) => {
                    // A grant answers everything that was asked, from the first time on.
                    let asked_at = open_requests.first().copied().unwrap_or(step.counted_at);
                    open_requests.clear();
                    if asked_at < clock.start_at || !is_live(asked_at, place) {
                        continue;
                    }
                    let ask = Ask { grant: *grant, asked_at, granted_at: step.counted_at };
                    match grant_of(clock, limit, holds, &taken, ask) {
                        Ok(Granted { extension, asked_on_last_day }) => {
                            taken.push(extension);
                            found.taken.push(step.key);
                            found.extended_last_day.extend(asked_on_last_day.then_some(step.key));
                        }
                        Err(code) => found.note_untaken(step, code),
                    }
                }
                _ => {}
            }
        }
        taken
    }
}

impl Found {
    fn note_untaken(&mut self, step: &Step, code: AnomalyCode) {
        let fact: Option<EventKey> = Some(step.key);
        self.untaken.push(Anomaly { at: step.counted_at, code, fact });
    }
}

#[derive(Clone, Copy)]
struct Ask {
    grant: Grant,
    asked_at: Timestamp,
    granted_at: Timestamp,
}

struct Granted {
    extension: Extension,
    /// On what was the last day in time before it.
    asked_on_last_day: bool,
}

/// What a granted extension does to a clock that has taken `taken` before.
fn grant_of(
    clock: &Running<'_>,
    limit: &Limit<'_>,
    holds: &[Hold],
    taken: &[Extension],
    ask: Ask,
) -> Result<Granted, AnomalyCode> {
    let rule = clock.policy.extension.as_ref().ok_or(AnomalyCode::ExtensionNotAllowed)?;
    if rule.times_max.is_some_and(|max| taken.len() >= max as usize) {
        return Err(AnomalyCode::ExtensionExcess);
    }
    let before = due(limit, clock.start_at, holds, taken);
    let calendar = limit.calendar();
    if !asked_in_time(&before, rule, ask.asked_at, calendar) {
        return Err(AnomalyCode::ExtensionAskedLate);
    }
    let mut extension = Extension { from: rule.from, grant: ask.grant, granted_at: ask.granted_at };
    if !before.in_time(ask.granted_at, Precision::Second, calendar) {
        match rule.granted_late {
            // As if granted in time: at the latest, on the old last day.
            GrantedLate::Backdated => {
                extension.granted_at = ask.granted_at.min(before.last_moment().unwrap_or(ask.granted_at));
            }
            GrantedLate::FromGrant => extension.from = ExtensionFrom::Grant,
            GrantedLate::Void => return Err(AnomalyCode::ExtensionGrantedLate),
        }
    }
    if exceeds(clock, limit, holds, taken, extension, rule) {
        return Err(AnomalyCode::ExtensionExcess);
    }
    let asked_on_last_day = before.due_on == Some(calendar.local(ask.asked_at).0.date());
    Ok(Granted { extension, asked_on_last_day })
}

/// Whether more is granted than the policy allows at once: in one unit by number, else by where it ends.
fn exceeds(
    clock: &Running<'_>,
    limit: &Limit<'_>,
    holds: &[Hold],
    taken: &[Extension],
    extension: Extension,
    rule: &ExtensionRule,
) -> bool {
    let Some(each_max) = rule.each_max else { return false };
    if let Grant::Limit(amount, unit) = extension.grant
        && unit == rule.unit
    {
        return amount > each_max;
    }
    let ends = |extension: Extension| {
        let extensions: Vec<Extension> = taken.iter().copied().chain([extension]).collect();
        due(limit, clock.start_at, holds, &extensions).due_at
    };
    let allowed = Extension { grant: Grant::Limit(each_max, rule.unit), ..extension };
    match (ends(extension), ends(allowed)) {
        (Some(granted), Some(allowed)) => granted > allowed,
        _ => false,
    }
}

fn asked_in_time(before: &Deadline, rule: &ExtensionRule, asked_at: Timestamp, calendar: &Calendar) -> bool {
    if !before.in_time(asked_at, Precision::Second, calendar) {
        return false;
    }
    let Some(last_moment) = before.last_moment() else { return true };
    let latest = rule.ask_before.before(last_moment, calendar);
    asked_at <= latest && rule.ask_by.is_none_or(|ask_by| asked_at <= at_time_of(latest, ask_by, calendar))
}

/// That time of the day in which an instant lies.
fn at_time_of(at: Timestamp, time: Time, calendar: &Calendar) -> Timestamp {
    let (day, _) = calendar.local(at);
    let micros = time.duration_since(Time::midnight()).as_micros();
    calendar.instant(day, i64::try_from(micros).unwrap_or(0))
}

/// What a clock of this policy counts, with an own limit or without; None where the policy wants one.
pub(in crate::fold) fn limit_of<'a>(
    policy: &Policy,
    own_limit: Option<OwnLimit>,
    calendar: &'a Calendar,
) -> Option<Limit<'a>> {
    let own_limit = match own_limit_use(policy) {
        OwnLimitUse::Ignore => None,
        OwnLimitUse::Prefer => own_limit,
        OwnLimitUse::Only => Some(own_limit?),
    };
    match own_limit {
        Some(OwnLimit::DueAt(due_at)) => Some(Limit::DueAt { calendar, due_at }),
        Some(OwnLimit::Limit(limit, unit)) => Some(Limit::Rule(own_rule(policy, (limit, unit), calendar))),
        None => policy.limit.map(|limit| {
            Limit::Rule(Rule {
                calendar,
                limit,
                count_from: policy.count_from,
                outside_hours: policy.outside_hours,
                ends_at: policy.ends_at,
                roll: policy.roll,
            })
        }),
    }
}

/// An own limit counts as the policy does; one in hours from the instant.
fn own_rule<'a>(policy: &Policy, limit: (u32, crate::fact::Unit), calendar: &'a Calendar) -> Rule<'a> {
    let day = limit.1.is_day();
    let policy_counts_days = policy.limit.is_some_and(|(_, unit)| unit.is_day());
    Rule {
        calendar,
        limit,
        count_from: if day { CountFrom::NextDay } else { CountFrom::Instant },
        outside_hours: if day { policy.outside_hours } else { OutsideHours::AsIs },
        ends_at: match policy.ends_at {
            _ if !day => EndsAt::SameTime,
            EndsAt::SameTime if !policy_counts_days => EndsAt::EndOfDay,
            ends_at => ends_at,
        },
        roll: if day { policy.roll } else { Roll::None },
    }
}

fn reviews_are_credited(policy: &Policy) -> bool {
    judged_at_submission(policy) && policy.review_time == ReviewTime::Credited
}

/// What the policy does with an own limit; where it does not say, only the handling itself heeds one: a limit
/// sent with a dispatch is the time to handle the case, not the time to sign for it.
fn own_limit_use(policy: &Policy) -> OwnLimitUse {
    policy.own_limit.unwrap_or(match policy.family.as_str() {
        "close" | "supervise" => OwnLimitUse::Prefer,
        _ => OwnLimitUse::Ignore,
    })
}

fn own_limit_of(body: &Body) -> Option<OwnLimit> {
    match body {
        Body::Dispatched(dispatched) => dispatched.own_limit,
        Body::Supervised { own_limit, .. } => *own_limit,
        _ => None,
    }
}
