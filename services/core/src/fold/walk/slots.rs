//! Where a dispatch is due, and who takes it: the hotline, a pin, or a decision still to be pinned.

use jiff::{SignedDuration, Timestamp};

use super::{OpenSlot, Walk};
use crate::anomaly::AnomalyCode;
use crate::fact::{Code, Dispatched, EventKey, Role};
use crate::fold::admit::Admitted;
use crate::fold::view::{Proposal, SlotView};
use crate::routing::route;
use crate::rulebook::Dispatch;

impl<'a> Walk<'a> {
    /// Opens a slot: after a round's opening fact, or a granted return.
    pub(super) fn open_slot(&mut self, trigger: EventKey, at: Timestamp) {
        let dispatch = self.source.map_or(Dispatch::Hotline, |source| source.dispatch);
        let after = match dispatch {
            Dispatch::Hotline => None,
            Dispatch::Pipeline { after } => Some(after),
        };
        // A pin holds for ever: it says itself when it was due, whatever the rulebook says by now.
        let pinned_at = self.pin_of(trigger).map(|pin| self.pins[pin].fact.counted_at);
        let decided_at = pinned_at.or_else(|| after.map(|after| later(at, after)));
        let would_route = self.decide(decided_at.unwrap_or(at));
        if let Some(round) = self.walked.rounds.last_mut() {
            round.slots.push(SlotView { trigger, opened_at: at, would_route, filled_by: None });
        }
        self.slot = Some(OpenSlot { trigger, decided_at });
    }

    fn pin_of(&self, trigger: EventKey) -> Option<usize> {
        self.pins.iter().position(|pin| pin.pin.slot == trigger)
    }

    /// What the routing table says of the case as it stands.
    fn decide(&self, at: Timestamp) -> Option<crate::routing::Decision> {
        let round = self.round()?;
        let tried: Vec<Code> = round
            .custodies
            .iter()
            .filter(|custody| custody.role == Role::Lead)
            .map(|custody| custody.department.clone())
            .collect();
        let on = self.rulebook.timezone.to_datetime(at).date();
        route(self.rulebook, &self.walked.hotline, &self.walked.attributes, on, &tried)
    }

    /// Takes the decision of an open slot whose instant lies before `now`: nothing that could fill it can still
    /// come.
    pub(super) fn decide_before(&mut self, now: Timestamp) {
        if let Some(slot) = self.slot
            && slot.decided_at.is_some_and(|decided_at| decided_at < now)
        {
            self.decide_slot(slot);
        }
    }

    /// … and after the last fact, of one that is still open.
    pub(super) fn decide_rest(&mut self) {
        if let Some(slot) = self.slot
            && slot.decided_at.is_some()
        {
            self.decide_slot(slot);
        }
    }

    fn decide_slot(&mut self, slot: OpenSlot) {
        if self.open_round().is_none() {
            self.slot = None;
            return;
        }
        if let Some(pin) = self.pin_of(slot.trigger) {
            let fact = &self.pins[pin].fact;
            self.take(fact);
            // A pin may be older than what opened its slot, where that was corrected: the slot is not.
            let opened_at = self.slot_view(slot.trigger).map_or(fact.counted_at, |view| view.opened_at);
            self.revive(fact.counted_at.max(opened_at));
            self.fill(slot.trigger, fact.key);
            return;
        }
        let Some(at) = slot.decided_at else { return };
        let decision = self.decide(at);
        if let Some(view) = self.slot_view(slot.trigger) {
            view.would_route.clone_from(&decision);
        }
        match decision {
            Some(decision) if self.walked.proposal.is_none() => {
                self.walked.proposal = Some(Proposal {
                    slot: slot.trigger,
                    at,
                    department: decision.department,
                    rule: decision.rule,
                });
            }
            Some(_) => {}
            None => self.flag(at, AnomalyCode::NoRoute, Some(slot.trigger)),
        }
        // It waits for its pin; a dispatch of the hotline after this instant is a redispatch.
        self.slot = None;
    }

    fn slot_view(&mut self, trigger: EventKey) -> Option<&mut SlotView> {
        let slots = &mut self.walked.rounds.last_mut()?.slots;
        slots.iter_mut().rev().find(|slot| slot.trigger == trigger)
    }

    fn fill(&mut self, trigger: EventKey, by: EventKey) {
        if let Some(slot) = self.slot_view(trigger) {
            slot.filled_by = Some(by);
        }
        self.slot = None;
    }

    /// A lead dispatch from the office fills the open slot if it is not dated after the decision's instant.
    pub(super) fn fill_slot(&mut self, fact: &Admitted<'a>, dispatched: &Dispatched) {
        let office = self.office();
        let from_office = dispatched.from.as_ref().is_none_or(|from| *from == office);
        let Some(slot) = self.slot.filter(|_| dispatched.role == Role::Lead && from_office) else { return };
        if dispatched.pin.is_some() || slot.decided_at.is_some_and(|decided_at| fact.counted_at > decided_at)
        {
            return;
        }
        if let Some(pin) = self.pin_of(slot.trigger) {
            let key = self.pins[pin].fact.key;
            self.flag(fact.counted_at, AnomalyCode::PinSuperseded, Some(key));
        }
        self.fill(slot.trigger, fact.key);
    }
}

/// `at` plus a span; at the end of time, the end of time.
fn later(at: Timestamp, after: SignedDuration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}
