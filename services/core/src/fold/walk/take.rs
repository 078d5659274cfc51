//! What each expected fact does.

use jiff::Timestamp;

use super::Walk;
use crate::fact::{Amended, Body, Code, Dispatched, Kind, Received, Role};
use crate::fold::admit::Admitted;
use crate::fold::view::{
    Attributes, Change, Closing, Custody, CustodyEnd, HoldSpan, Round, Step, Submission,
};

impl<'a> Walk<'a> {
    /// Takes one expected fact.
    pub(super) fn take(&mut self, fact: &'a Admitted<'a>) {
        self.flag_unknown(fact);
        match fact.body {
            Body::Received(received) => return self.receive(fact, received),
            Body::Reopened { .. } => return self.begin_round(fact),
            _ => {}
        }
        let custody = fact.body.department().and_then(|department| self.open_custody(department));
        let step = self.note(fact, custody);
        match fact.body {
            Body::Amended(amended) => self.amend(fact.counted_at, amended, step),
            Body::Dispatched(dispatched) => self.dispatch(fact, dispatched, step),
            Body::ReturnRequested { .. } | Body::ReturnRefused { .. } | Body::Returned { .. } => {
                self.take_return(fact, custody);
            }
            Body::Held { reason, stages, until } => {
                self.round_mut().holds.push(HoldSpan {
                    reason: reason.clone(),
                    stages: stages.clone(),
                    from: fact.counted_at,
                    until: *until,
                });
            }
            Body::Released { reason } => self.release(reason, fact.counted_at),
            Body::Submitted { amounts, .. } => {
                if let Some(custody) = custody {
                    self.round_mut().submissions.push(Submission {
                        custody,
                        at: fact.counted_at,
                        precision: fact.precision,
                        refused_at: None,
                        amounts: amounts.clone(),
                    });
                }
            }
            Body::CloseRefused { .. } => {
                let submissions = &mut self.round_mut().submissions;
                for submission in submissions.iter_mut().filter(|one| Some(one.custody) == custody) {
                    submission.refused_at.get_or_insert(fact.counted_at);
                }
            }
            Body::Ruled(_) => self.take_ruling(fact),
            body if body.kind().closes() => self.close(fact, step),
            _ => {}
        }
    }

    fn round_mut(&mut self) -> &mut Round {
        self.walked.rounds.last_mut().expect("the receipt opened a round before anything else was taken")
    }

    /// Puts the fact among the steps of the newest round; a rating belongs to the last closure before it, so it
    /// goes to the round that was closed, even if another is open by then.
    fn note(&mut self, fact: &Admitted<'_>, custody: Option<usize>) -> usize {
        let rounds = &mut self.walked.rounds;
        let place = match fact.body {
            Body::Rated(_) => rounds.iter().rposition(|round| round.closing.is_some()),
            _ => None,
        };
        let place = place.unwrap_or(rounds.len().saturating_sub(1));
        let round = &mut rounds[place];
        let lead =
            round.custodies.iter().rposition(|custody| custody.role == Role::Lead && custody.ended.is_none());
        round.steps.push(Step {
            key: fact.key,
            source: fact.source.clone(),
            body: fact.body.clone(),
            claimed_at: fact.claimed_at,
            received_at: fact.received_at,
            counted_at: fact.counted_at,
            precision: fact.precision,
            custody,
            lead,
        });
        round.steps.len() - 1
    }

    fn receive(&mut self, fact: &'a Admitted<'a>, received: &'a Received) {
        self.source = self.rulebook.sources.get(fact.source);
        self.walked.received = Some((fact.counted_at, received));
        let default_region = self.source.and_then(|source| source.default_region.clone());
        self.walked.attributes = Attributes {
            case_type: received.case_type.clone(),
            category: received.category.clone(),
            region: received.region.clone().or(default_region).unwrap_or_default(),
            urgency: received.urgency.clone(),
            tags: received.tags.clone(),
            channel: received.channel.clone(),
            origin: received.origin_hotline.clone(),
            confidential: received.confidential,
        };
        self.begin_round(fact);
    }

    fn begin_round(&mut self, fact: &'a Admitted<'a>) {
        self.slot = None;
        self.walked.rounds.push(Round {
            number: u32::try_from(self.walked.rounds.len()).unwrap_or(u32::MAX) + 1,
            opened_at: fact.counted_at,
            steps: Vec::with_capacity(16),
            custodies: Vec::new(),
            submissions: Vec::new(),
            holds: Vec::new(),
            slots: Vec::new(),
            closing: None,
            attributes: self.walked.attributes.clone(),
            changes: vec![Change {
                step: 0,
                at: fact.counted_at,
                attributes: self.walked.attributes.clone(),
            }],
            rating: None,
            rating_excluded: false,
            returns_excluded: Vec::new(),
            reopening_excluded: false,
            extended_last_day: Vec::new(),
        });
        self.note(fact, None);
        self.open_slot(fact.key, fact.counted_at);
    }

    fn amend(&mut self, at: Timestamp, amended: &Amended, step: usize) {
        let attributes = &mut self.walked.attributes;
        let Amended { case_type, category, region, urgency, tags, confidential } = amended.clone();
        attributes.case_type = case_type.unwrap_or_else(|| attributes.case_type.clone());
        attributes.category = category.unwrap_or_else(|| attributes.category.clone());
        attributes.region = region.unwrap_or_else(|| attributes.region.clone());
        attributes.urgency = urgency.unwrap_or_else(|| attributes.urgency.clone());
        attributes.tags = tags.unwrap_or_else(|| attributes.tags.clone());
        attributes.confidential = confidential.unwrap_or(attributes.confidential);
        let attributes = attributes.clone();
        let round = self.round_mut();
        // What is amended after the closing belongs to the next round.
        if round.closing.is_none() {
            round.attributes = attributes.clone();
            round.changes.push(Change { step, at, attributes });
        }
    }

    fn dispatch(&mut self, fact: &'a Admitted<'a>, dispatched: &Dispatched, step: usize) {
        self.fill_slot(fact, dispatched);
        let from = dispatched.from.clone().unwrap_or_else(|| self.office());
        let at = fact.counted_at;
        if dispatched.role == Role::Lead {
            let how = match dispatched.reason.as_deref() {
                Some("reorganisation") => CustodyEnd::Reorganisation,
                _ => CustodyEnd::Redispatched,
            };
            let earlier = self.round_mut().custodies.iter().rposition(|custody| {
                custody.ended.is_none() && custody.role == Role::Lead && custody.from == from
            });
            if let Some(earlier) = earlier {
                self.end_custody(earlier, at, how);
            }
        }
        let parent = self.open_custody(&from);
        self.round_mut().custodies.push(Custody {
            department: dispatched.department.clone(),
            from,
            role: dispatched.role,
            parent,
            from_at: at,
            ended: None,
            opening: step,
            own_limit: dispatched.own_limit,
            return_requests: Vec::new(),
            return_barred: false,
            rule: dispatched.pin.as_ref().map(|pin| pin.rule.clone()),
        });
        let custody = self.round_mut().custodies.len() - 1;
        self.round_mut().steps[step].custody = Some(custody);
    }

    /// Ends a custody and all that hang from it.
    fn end_custody(&mut self, custody: usize, at: Timestamp, how: CustodyEnd) {
        let custodies = &mut self.round_mut().custodies;
        let mut ending = vec![(custody, how)];
        while let Some((place, how)) = ending.pop() {
            if custodies[place].ended.is_some() {
                continue;
            }
            // A return asked for ends the custody then; nothing ends before it began.
            custodies[place].ended = Some((at.max(custodies[place].from_at), how));
            let children = custodies
                .iter()
                .enumerate()
                .filter(|(_, child)| child.parent == Some(place))
                .map(|(child, _)| (child, CustodyEnd::WithParent));
            ending.extend(children.collect::<Vec<_>>());
        }
    }

    fn take_return(&mut self, fact: &'a Admitted<'a>, custody: Option<usize>) {
        let Some(place) = custody else { return };
        let at = fact.counted_at;
        let custody = &mut self.round_mut().custodies[place];
        let pending = custody.return_requests.iter_mut().rev().find(|(_, decided_at)| decided_at.is_none());
        match fact.body {
            Body::ReturnRequested { .. } if pending.is_none() => custody.return_requests.push((at, None)),
            Body::ReturnRefused { is_final, .. } => {
                match pending {
                    Some((_, decided_at)) => *decided_at = Some(at),
                    None => custody.return_requests.push((at, Some(at))),
                }
                custody.return_barred |= is_final;
            }
            Body::Returned { .. } => {
                let asked_at = match pending {
                    Some((asked_at, decided_at)) => {
                        *decided_at = Some(at);
                        *asked_at
                    }
                    None => at,
                };
                if custody.return_barred {
                    self.flag(at, crate::anomaly::AnomalyCode::ReturnBarred, Some(fact.key));
                }
                self.give_back(fact, place, asked_at);
            }
            _ => {}
        }
    }

    fn give_back(&mut self, fact: &'a Admitted<'a>, custody: usize, asked_at: Timestamp) {
        let office = self.office();
        let returned = &self.round_mut().custodies[custody];
        let to_office = returned.role == Role::Lead && returned.from == office;
        self.end_custody(custody, asked_at, CustodyEnd::Returned);
        if to_office {
            self.open_slot(fact.key, fact.counted_at);
        }
    }

    fn release(&mut self, reason: &Code, at: Timestamp) {
        for hold in self.round_mut().holds.iter_mut().filter(|hold| hold.reason == *reason) {
            hold.until = Some(hold.until.map_or(at, |until| until.min(at)).max(hold.from));
        }
    }

    fn close(&mut self, fact: &Admitted<'_>, step: usize) {
        let at = fact.counted_at;
        let outcome = match fact.body {
            Body::Closed { outcome, .. } => outcome.clone(),
            _ => None,
        };
        let round = self.round_mut();
        let lead = round.current_lead().map(|custody| custody.department.clone());
        round.closing = Some(Closing {
            step,
            kind: fact.body.kind(),
            at,
            precision: fact.precision,
            department: fact.body.department().cloned().or(lead),
            outcome,
        });
        for custody in round.custodies.iter_mut().filter(|custody| custody.ended.is_none()) {
            custody.ended = Some((at.max(custody.from_at), CustodyEnd::Closed));
        }
        for hold in round.holds.iter_mut().filter(|hold| hold.until.is_none_or(|until| until > at)) {
            hold.until = Some(at.max(hold.from));
        }
        self.slot = None;
        debug_assert!(fact.body.kind() != Kind::Reopened, "a reopening closes nothing");
    }
}
