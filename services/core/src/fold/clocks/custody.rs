//! Clocks that run for a custody, and what becomes of them when the case changes hands.

use jiff::Timestamp;

use super::{Ending, Found, Running, StageOfRound, stops};
use crate::deadline::Hold;
use crate::fact::{Code, Kind, Role};
use crate::fold::view::{Custody, CustodyEnd, Step};
use crate::rulebook::{OnCustodyChange, Policy, Scope};

/// A clock whose custody ended in time and that waits for the next holder.
struct Carried<'a> {
    clock: Running<'a>,
    from: usize,
    ended_at: Timestamp,
    on_change: OnCustodyChange,
}

impl<'a> StageOfRound<'a> {
    /// Runs the custody clocks of this stage; returns the custodies that had one.
    pub(super) fn custody_clocks(&self, found: &mut Found) -> Vec<usize> {
        let mut had = Vec::new();
        if !self.policies().any(|policy| policy.scope == Scope::Custody) {
            return had;
        }
        let mut waiting: Vec<Carried<'a>> = Vec::new();
        for (place, custody) in self.round.custodies.iter().enumerate() {
            let taken = self.take_over(place, custody, &mut waiting);
            if taken.is_some() {
                had.push(place);
            }
            self.one_custody(place, custody, taken, &mut waiting, &mut had, found);
        }
        for carried in waiting {
            // Nobody took it over: it ended in time with the giver.
            self.finish(&carried.clock, Some(carried.from), Ending::Ended { at: carried.ended_at }, found);
        }
        had
    }

    /// The clock that passes to this custody from the lead before it, of the same giver.
    fn take_over(
        &self,
        place: usize,
        custody: &Custody,
        waiting: &mut Vec<Carried<'a>>,
    ) -> Option<Running<'a>> {
        if custody.role != Role::Lead {
            return None;
        }
        let before = self.round.custodies[..place]
            .iter()
            .rposition(|earlier| earlier.role == Role::Lead && earlier.from == custody.from)?;
        let at = waiting.iter().position(|carried| carried.from == before)?;
        let Carried { mut clock, on_change, .. } = waiting.remove(at);
        self.hand_on(&mut clock, before, place, on_change);
        Some(clock)
    }

    /// What a clock takes along from one holder to the next.
    pub(super) fn hand_on(
        &self,
        clock: &mut Running<'_>,
        giver: usize,
        receiver: usize,
        on_change: OnCustodyChange,
    ) {
        // It is one clock: what did not count with the giver does not count with the receiver either.
        clock.credit.extend(self.holds_of_custody(clock.policy, giver));
        let custody = &self.round.custodies[giver];
        if on_change == OnCustodyChange::Credit {
            clock.credit.push(Hold {
                from: custody.from_at.max(clock.start_at),
                until: custody.ended.map(|(ended_at, _)| ended_at),
                reason: Code::new_static("credit"),
            });
        }
        clock.own_limit = self.round.custodies[receiver].own_limit.or(clock.own_limit);
    }

    fn one_custody(
        &self,
        place: usize,
        custody: &Custody,
        taken: Option<Running<'a>>,
        waiting: &mut Vec<Carried<'a>>,
        had: &mut Vec<usize>,
        found: &mut Found,
    ) {
        let mut running = taken;
        for (nth, step) in self.round.steps.iter().enumerate().skip(custody.opening) {
            if !self.concerns(place, nth, step) {
                continue;
            }
            if let Some(mut clock) = running.take() {
                if nth != custody.opening && self.restarts(&clock, Some(place), nth, step) {
                    (clock.start_at, clock.step) = (step.counted_at, nth);
                    running = Some(clock);
                } else if nth != custody.opening && stops(clock.policy, &step.body) {
                    let ending = self.stopped(&clock, Some(place), nth);
                    self.finish(&clock, Some(place), ending, found);
                } else {
                    running = Some(clock);
                }
            } else {
                running = self.start_custody(place, nth, step, found);
                if running.is_some() && !had.contains(&place) {
                    had.push(place);
                }
            }
        }
        let Some(clock) = running else { return };
        let Some((ended_at, _)) = custody.ended else {
            return self.finish(&clock, Some(place), Ending::Open, found);
        };
        match self.passes_on(&clock, place) {
            OnCustodyChange::Restart => {
                self.finish(&clock, Some(place), Ending::Ended { at: ended_at }, found);
            }
            on_change => waiting.push(Carried { clock, from: place, ended_at, on_change }),
        }
    }

    /// What becomes of a clock when its custody ends: it restarts with the next holder also where it is overdue, so
    /// that its lateness stays.
    pub(super) fn passes_on(&self, clock: &Running<'_>, place: usize) -> OnCustodyChange {
        let custody = &self.round.custodies[place];
        let Some((ended_at, how)) = custody.ended else { return OnCustodyChange::Restart };
        let change = clock.policy.on_custody_change;
        let on_change = match how {
            CustodyEnd::Returned => change.returned,
            CustodyEnd::Redispatched => change.redispatched,
            CustodyEnd::Reorganisation => change.reorganisation,
            CustodyEnd::WithParent | CustodyEnd::Closed => OnCustodyChange::Restart,
        };
        let at = (ended_at, self.precision_at_end(ended_at));
        if custody.role != Role::Lead || self.is_past(clock, Some(place), at) {
            return OnCustodyChange::Restart;
        }
        on_change
    }

    /// The custody to which a clock passes on from this one: the next lead of the same giver.
    pub(super) fn next_holder(&self, place: usize) -> Option<usize> {
        let from = &self.round.custodies[place].from;
        let later = self.round.custodies.iter().enumerate().skip(place + 1);
        later.filter(|(_, one)| one.role == Role::Lead && one.from == *from).map(|(place, _)| place).next()
    }

    fn start_custody(&self, place: usize, nth: usize, step: &Step, found: &mut Found) -> Option<Running<'a>> {
        let custody = &self.round.custodies[place];
        let opens = nth == custody.opening;
        let starts = |policy: &Policy| {
            let by_this = match policy.start.kind {
                Kind::Received => opens,
                Kind::Dispatched => opens && policy.start.matches(&step.body),
                _ => policy.start.matches(&step.body),
            };
            policy.scope == Scope::Custody && by_this
        };
        let (policy, restart_at) = self.resolve(nth, Some(place), starts, found)?;
        let mut clock = self.begun(policy, place, nth);
        clock.start_at = restart_at.map_or(clock.start_at, |restart_at| restart_at.max(clock.start_at));
        Some(clock)
    }

    /// A clock of this policy that a step starts for a custody.
    pub(super) fn begun(&self, policy: &'a Policy, place: usize, nth: usize) -> Running<'a> {
        let step = &self.round.steps[nth];
        let start_at = match policy.start.kind {
            Kind::Received => self.round.opened_at,
            _ => step.counted_at,
        };
        let own_limit = self.own_limit_of_custody(policy, &self.round.custodies[place], &step.body);
        Running { policy, start_at, step: nth, own_limit, credit: Vec::new() }
    }

    /// Whether a step is about this custody: its own, or the case's while it lasted.
    pub(super) fn concerns(&self, place: usize, nth: usize, step: &Step) -> bool {
        let custody = &self.round.custodies[place];
        if nth == custody.opening {
            return true;
        }
        let closes = self.round.closing.as_ref().is_some_and(|closing| closing.step == nth);
        match custody.ended {
            Some((_, CustodyEnd::Closed)) if closes => return true,
            Some((_, CustodyEnd::Closed)) => {
                let before = self.round.closing.as_ref().is_none_or(|closing| nth < closing.step);
                if !before {
                    return false;
                }
            }
            Some((ended_at, _)) if step.counted_at > ended_at => return false,
            _ => {}
        }
        match step.body.department() {
            Some(_) => step.custody == Some(place),
            None => true,
        }
    }
}
