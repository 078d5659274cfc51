//! Third pass: which clocks ran, under which policy, from when, to when.
//!
//! Clocks of one stage and tier are found round by round. A case clock runs once a round; a custody clock runs
//! for each custody and may pass from one to the next.

mod custody;
mod limits;
mod select;

pub(super) use limits::limit_of;

use jiff::Timestamp;

use super::view::{Clock, Moment, Round, Step, Verdict};
use super::walk::Walked;
use crate::anomaly::{Anomaly, AnomalyCode};
use crate::deadline::{Hold, due};
use crate::fact::{Body, Code, EventKey, Kind, OwnLimit, Precision, Role};
use crate::rulebook::{Policy, Rulebook, Scope, Stage, StopAt, Tier, Trigger};

/// What this pass found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) class: Code,
    pub(super) clocks: Vec<Clock>,
    pub(super) anomalies: Vec<Anomaly>,
    /// Extensions that at least one clock took, by their fact.
    taken: Vec<EventKey>,
    /// … and those that a clock did not take, and why.
    untaken: Vec<Anomaly>,
    /// Extensions asked for on the last day of a clock that took them, by their fact.
    pub(super) extended_last_day: Vec<EventKey>,
}

pub(super) fn clocks(walked: &Walked<'_>, rulebook: &Rulebook) -> Found {
    let mut found = Found { class: select::class_of(walked, rulebook), ..Found::default() };
    let stages = rulebook.index.stages(&walked.hotline);
    for place in 0..walked.rounds.len() {
        for group in stages {
            let round = &walked.rounds[place];
            let stage = StageOfRound { walked, rulebook, group, class: found.class.clone(), round, place };
            stage.run(&mut found);
        }
    }
    found.flag_extensions(walked);
    found.flag_returns(walked, rulebook);
    found
}

/// A clock that has started and not yet stopped.
#[derive(Clone, Debug)]
struct Running<'a> {
    policy: &'a Policy,
    start_at: Timestamp,
    /// The step that started it.
    step: usize,
    own_limit: Option<OwnLimit>,
    /// Spans given back to whoever took the clock over.
    credit: Vec<Hold>,
}

/// How a clock ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// By its stop, in this step.
    Stopped {
        at: Timestamp,
        precision: Precision,
        step: usize,
    },
    /// Its custody or round ended otherwise.
    Ended {
        at: Timestamp,
    },
    Open,
}

/// One stage and tier in one round.
struct StageOfRound<'a> {
    walked: &'a Walked<'a>,
    rulebook: &'a Rulebook,
    group: &'a Stage,
    class: Code,
    round: &'a Round,
    place: usize,
}

impl<'a> StageOfRound<'a> {
    fn run(&self, found: &mut Found) {
        let clocks = found.clocks.len();
        self.case_clocks(found);
        let custodies_with_clocks = self.custody_clocks(found);
        if self.group.policies.is_empty() {
            if self.group.stage == "close" {
                self.none(None, None, found);
            }
            return;
        }
        let had_clock = found.clocks.len() > clocks;
        let policy = self.select(&self.round.attributes, self.round.opened_at, found);
        match policy.map(|policy| (policy, policy.scope)) {
            // A clock of the stage ran: the round is counted.
            None | Some((_, Scope::Case)) if had_clock => {}
            Some((policy, Scope::Case)) => self.none(Some(policy), None, found),
            Some((policy, Scope::Custody)) => {
                for custody in 0..self.round.custodies.len() {
                    if !custodies_with_clocks.contains(&custody) {
                        self.none(Some(policy), Some(custody), found);
                    }
                }
            }
            None if self.group.stage == "close" && self.group.tier == Tier::Statutory => {
                self.none(None, None, found);
            }
            None => {}
        }
    }

    fn case_clocks(&self, found: &mut Found) {
        if !self.policies().any(|policy| policy.scope == Scope::Case) {
            return;
        }
        let mut running: Option<Running<'a>> = None;
        for (place, step) in self.round.steps.iter().enumerate() {
            if let Some(clock) = running.take_if(|clock| self.over_by(clock, place, step).is_some()) {
                let at = self.over_by(&clock, place, step).expect("it was asked just now");
                self.finish(&clock, None, Ending::Ended { at }, found);
            }
            match running.take() {
                Some(mut clock) => {
                    if self.restarts(&clock, None, place, step) {
                        (clock.start_at, clock.step) = (step.counted_at, place);
                        running = Some(clock);
                    } else if stops(clock.policy, &step.body) {
                        let ending = self.stopped(&clock, None, place);
                        self.finish(&clock, None, ending, found);
                    } else {
                        running = Some(clock);
                    }
                }
                // What is heard of a round after the next was opened starts nothing in it.
                None if self.is_of_the_past(place, step) => {}
                None => running = self.start_case(place, step, found),
            }
        }
        if let Some(clock) = running {
            let ending = self.case_ending(&clock);
            self.finish(&clock, None, ending, found);
        }
    }

    fn start_case(&self, place: usize, step: &Step, found: &mut Found) -> Option<Running<'a>> {
        let starts = |policy: &Policy| {
            let by_this = match policy.start.kind {
                Kind::Received => place == 0,
                Kind::Dispatched => policy.start.matches(&step.body) && is_lead_dispatch(&step.body),
                _ => policy.start.matches(&step.body),
            };
            policy.scope == Scope::Case && by_this
        };
        let (policy, restart_at) = self.resolve(place, None, starts, found)?;
        let start_at = restart_at.map_or(step.counted_at, |restart_at| restart_at.max(step.counted_at));
        let own_limit = self.own_limit_of_case(policy, &step.body);
        Some(Running { policy, start_at, step: place, own_limit, credit: Vec::new() })
    }

    /// When a case clock ends if nothing stops it: one begun in the round with the round, one begun by the closing or
    /// after it with the next reopening; None: not yet.
    fn case_end(&self, begun_by: usize) -> Option<Timestamp> {
        let closing = self.round.closing.as_ref();
        match closing.filter(|closing| begun_by < closing.step) {
            Some(closing) => Some(closing.at),
            None => self.next_opened_at(),
        }
    }

    fn next_opened_at(&self) -> Option<Timestamp> {
        self.walked.rounds.get(self.place + 1).map(|next| next.opened_at)
    }

    /// Whether a step is heard of the round after it was closed and the next one opened. A reopening may count earlier
    /// than the closing that it came after: what was taken before the closing is of the round all the same.
    fn is_of_the_past(&self, place: usize, step: &Step) -> bool {
        self.round.closing.as_ref().is_some_and(|closing| place > closing.step)
            && self.next_opened_at().is_some_and(|opened_at| step.counted_at > opened_at)
    }

    fn case_ending(&self, clock: &Running<'_>) -> Ending {
        self.case_end(clock.step).map_or(Ending::Open, |at| Ending::Ended { at })
    }

    /// When a case clock ended that this step comes too late for.
    fn over_by(&self, clock: &Running<'_>, place: usize, step: &Step) -> Option<Timestamp> {
        let closing = self.round.closing.as_ref().filter(|closing| clock.step < closing.step);
        match closing {
            Some(closing) => (place > closing.step).then_some(closing.at),
            None => self.next_opened_at().filter(|opened_at| step.counted_at > *opened_at),
        }
    }

    /// A fact that the policy names makes the clock begin again, unless it is overdue by then.
    fn restarts(&self, clock: &Running<'_>, custody: Option<usize>, place: usize, step: &Step) -> bool {
        clock.step != place
            && clock.policy.restart.iter().any(|restart| restart.matches(&step.body))
            && step.counted_at >= clock.start_at
            && !self.is_past(clock, custody, (step.counted_at, step.precision))
    }

    /// Whether a clock is overdue by then.
    fn is_past(
        &self,
        clock: &Running<'_>,
        custody: Option<usize>,
        (at, precision): (Timestamp, Precision),
    ) -> bool {
        let moment = Some(Moment { at, step: None });
        let holds = self.holds(clock, custody, moment);
        let Some(limit) = self.limit(clock, moment) else { return false };
        let mut silent = Found::default();
        let extensions = self.extensions(clock, &limit, &holds, Ending::Open, &mut silent);
        !due(&limit, clock.start_at, &holds, &extensions).in_time(at, precision, limit.calendar())
    }

    /// The stop of a clock by this step: for a close clock judged at submission, the standing submission.
    fn stopped(&self, clock: &Running<'_>, custody: Option<usize>, place: usize) -> Ending {
        let step = &self.round.steps[place];
        let mut ending = Ending::Stopped { at: step.counted_at, precision: step.precision, step: place };
        let closes = self.round.closing.as_ref().is_some_and(|closing| closing.step == place);
        if closes
            && judged_at_submission(clock.policy)
            && let Some(submission) = self.standing(custody)
            && submission.at >= clock.start_at
        {
            ending = Ending::Stopped { at: submission.at, precision: submission.precision, step: place };
        }
        ending
    }

    /// The submission that waits for review, or was accepted by the closing: the first that was not refused.
    /// For a case clock that of the department whose work is judged, else of whoever leads.
    fn standing(&self, custody: Option<usize>) -> Option<&super::view::Submission> {
        let standing = |of: &dyn Fn(usize) -> bool| {
            self.round
                .submissions
                .iter()
                .find(|submission| submission.refused_at.is_none() && of(submission.custody))
        };
        // Under review a department is not late, also when the case is then given to another.
        if let Some(custody) = custody {
            return standing(&|place| place == custody);
        }
        let standing = |of: &dyn Fn(usize) -> bool| {
            standing(&|place| {
                let ended = self.round.custodies[place].ended;
                ended.is_none_or(|(_, how)| how == super::view::CustodyEnd::Closed) && of(place)
            })
        };
        let judged = self.round.closing.as_ref().and_then(|closing| closing.department.as_ref());
        standing(&|place| Some(&self.round.custodies[place].department) == judged)
            .or_else(|| standing(&|place| self.round.custodies[place].role == Role::Lead))
    }

    /// Computes the deadline of a clock and judges it.
    fn finish(&self, clock: &Running<'a>, custody: Option<usize>, ending: Ending, found: &mut Found) {
        let until = self.moment_of_ending(ending);
        let holds = self.holds(clock, custody, until);
        let mut result = self.blank(Some(clock.policy), custody);
        let Some(limit) = self.limit(clock, until) else {
            // The policy wants an own limit and none came: no clock.
            self.none(Some(clock.policy), custody, found);
            return;
        };
        let extensions = self.extensions(clock, &limit, &holds, ending, found);
        let deadline = due(&limit, clock.start_at, &holds, &extensions);
        let calendar = limit.calendar();
        let submission = Some(clock).filter(|clock| judged_at_submission(clock.policy)).and_then(|clock| {
            let standing = self.standing(custody).filter(|submission| submission.at >= clock.start_at)?;
            deadline.in_time(standing.at, standing.precision, calendar).then_some(standing)
        });
        result.verdict = match ending {
            Ending::Stopped { at, precision, step } => {
                (result.stop, result.stopped_by) = (Some((at, precision)), Some(step));
                let closing = &self.round.steps[step];
                if clock.policy.family == "close" {
                    let approved = deadline.in_time(closing.counted_at, closing.precision, calendar);
                    result.approved_in_time = Some(approved);
                }
                if deadline.in_time(at, precision, calendar) { Verdict::Met } else { Verdict::Late }
            }
            Ending::Ended { at } => {
                result.ended_at = Some(at);
                result.in_review_since = submission.map(|submission| submission.at);
                let precision = self.precision_at_end(at);
                let in_time = deadline.in_time(at, precision, calendar) || submission.is_some();
                if in_time { Verdict::Void } else { Verdict::LeftLate }
            }
            Ending::Open => {
                result.in_review_since = submission.map(|submission| submission.at);
                Verdict::Open
            }
        };
        result.start_at = Some(clock.start_at);
        result.region = self.case_until(until).region.clone();
        result.own_limit = clock.own_limit;
        result.deadline = Some(deadline);
        result.holds = holds;
        result.extensions = extensions;
        found.clocks.push(result);
    }

    /// When a clock ended, and by which step: what is amended afterwards does not reach it, be it of the same instant.
    fn moment_of_ending(&self, ending: Ending) -> Option<Moment> {
        match ending {
            // A submission counts at its own instant, which is before the closing.
            Ending::Stopped { at, step, .. } => {
                let is_own = self.round.steps[step].counted_at == at;
                Some(Moment { at, step: is_own.then_some(step) })
            }
            Ending::Ended { at } => {
                let closing = self.round.closing.as_ref().filter(|closing| closing.at == at);
                Some(Moment { at, step: closing.map(|closing| closing.step) })
            }
            Ending::Open => None,
        }
    }

    /// How precisely it is known when a round or custody ended: as precisely as the fact that ended it.
    fn precision_at_end(&self, at: Timestamp) -> Precision {
        let of_day = |step: &Step| step.counted_at == at && step.precision == Precision::Day;
        if self.round.steps.iter().any(of_day) { Precision::Day } else { Precision::Second }
    }

    /// A round or custody whose policy gave no clock.
    fn none(&self, policy: Option<&Policy>, custody: Option<usize>, found: &mut Found) {
        let mut clock = self.blank(policy, custody);
        let ended = match custody {
            Some(custody) => self.round.custodies[custody].ended.is_some(),
            None => self.round.closing.is_some(),
        };
        clock.verdict = if ended { Verdict::NoneStopped } else { Verdict::NoneOpen };
        found.clocks.push(clock);
    }

    fn blank(&self, policy: Option<&Policy>, custody: Option<usize>) -> Clock {
        let held = custody.map(|custody| &self.round.custodies[custody]);
        Clock {
            stage: self.group.stage.clone(),
            family: policy.map_or_else(|| self.group.stage.clone(), |policy| policy.family.clone()),
            tier: self.group.tier,
            policy: policy.map(|policy| policy.id.clone()),
            round: self.place,
            custody,
            role: held.map_or(Role::Lead, |held| held.role),
            department: held.map(|held| held.department.clone()),
            start_at: None,
            region: self.round.attributes.region.clone(),
            deadline: None,
            stop: None,
            stopped_by: None,
            ended_at: None,
            own_limit: None,
            in_review_since: None,
            holds: Vec::new(),
            extensions: Vec::new(),
            stop_at: policy.map_or(StopAt::Submission, |policy| policy.stop_at),
            approved_in_time: None,
            closure: policy.is_some_and(|policy| policy.closure),
            verdict: Verdict::Open,
            ruled: false,
            excluded: false,
        }
    }
}

impl Found {
    /// An extension that no clock took is flagged with the first reason given.
    fn flag_extensions(&mut self, walked: &Walked<'_>) {
        for round in &walked.rounds {
            for step in round.steps.iter().filter(|step| matches!(step.body, Body::Extended { .. })) {
                if self.taken.contains(&step.key) {
                    continue;
                }
                let known = self.untaken.iter().find(|anomaly| anomaly.fact == Some(step.key)).copied();
                self.anomalies.push(known.unwrap_or(Anomaly {
                    at: step.counted_at,
                    code: AnomalyCode::ExtensionNotAllowed,
                    fact: Some(step.key),
                }));
            }
        }
    }

    /// Returns beyond what the policy of their custody's clock allows are flagged; they stand all the same.
    fn flag_returns(&mut self, walked: &Walked<'_>, rulebook: &Rulebook) {
        for clock in &self.clocks {
            let rule = clock.policy.as_ref().and_then(|id| rulebook.policy(id)?.returns.as_ref());
            let (Some(rule), Some(custody)) = (rule, clock.custody) else { continue };
            let round = &walked.rounds[clock.round];
            let custody = &round.custodies[custody];
            for (nth, (asked_at, _)) in custody.return_requests.iter().enumerate() {
                let late = rule.ask_within.is_some_and(|within| {
                    within.after(custody.from_at, clock_calendar(rulebook, clock)) < *asked_at
                });
                let excess = rule.times_max.is_some_and(|max| nth >= max as usize);
                let code = if late { AnomalyCode::ReturnAskedLate } else { AnomalyCode::ReturnExcess };
                let fact = round.steps.iter().find(|step| {
                    step.counted_at == *asked_at
                        && matches!(step.body, Body::ReturnRequested { .. } | Body::Returned { .. })
                });
                let anomaly = Anomaly { at: *asked_at, code, fact: fact.map(|step| step.key) };
                if (late || excess) && !self.anomalies.contains(&anomaly) {
                    self.anomalies.push(anomaly);
                }
            }
        }
    }
}

fn clock_calendar<'a>(rulebook: &'a Rulebook, clock: &Clock) -> &'a crate::calendar::Calendar {
    let policy = clock.policy.as_ref().and_then(|id| rulebook.policy(id));
    policy.map_or(&rulebook.calendar, |policy| &policy.calendar)
}

fn stops(policy: &Policy, body: &Body) -> bool {
    policy.stop.iter().any(|stop: &Trigger| stop.matches(body))
}

/// Close clocks stop at the department's submission, as soon as the round closes; those of other stages know no
/// submission.
fn judged_at_submission(policy: &Policy) -> bool {
    policy.family == "close" && policy.stop_at == StopAt::Submission
}

fn is_lead_dispatch(body: &Body) -> bool {
    matches!(body, Body::Dispatched(dispatched) if dispatched.role == Role::Lead)
}
