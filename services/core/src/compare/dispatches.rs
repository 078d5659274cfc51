//! What routing rules would have done, beside what was done: so that they can be measured before they are trusted.

use std::collections::BTreeMap;

use jiff::civil::Date;
use smol_str::SmolStr;

use crate::fact::{Code, EventKey};
use crate::fold::{Custody, CustodyEnd, Round, SlotView, View};
use crate::routing::Decision;
use crate::rulebook::Rulebook;

/// Dispatches, and how many of them the department gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    pub dispatches: u64,
    pub returned: u64,
}

/// What became of the slots in which one rule of the draft decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    pub slots: u64,
    /// Slots whose case went where the rule would have sent it.
    pub as_done: Returns,
    /// … and those whose case went elsewhere.
    pub elsewhere: Returns,
}

/// A case that the draft would have sent to another department than the one that got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    pub case: SmolStr,
    pub round: u32,
    /// Who got it.
    pub department: Code,
    pub returned: bool,
    /// What the live rulebook's rules say.
    pub live: Option<Code>,
    pub draft: Code,
    /// The draft's rule.
    pub rule: Code,
}

/// The slots opened in a period, compared.
#[derive(Clone, Debug, Default)]
pub struct Dispatches {
    /// Places where a dispatch was due.
    pub slots: u64,
    /// … of which so many were filled by the hotline itself, and so many by our own decision.
    pub by_hotline: u64,
    pub by_rule: u64,
    /// … and these by nobody yet, or not before the round ended.
    pub unfilled: u64,
    /// How often the rules agree with what the hotline itself decided.
    pub live_agrees: u64,
    pub draft_agrees: u64,
    /// Filled slots where the draft decides as was done, and where it decides otherwise.
    pub as_done: Returns,
    pub elsewhere: Returns,
    /// Slots in which no rule of the draft applies.
    pub without_rule: u64,
    /// By the draft's rule; those that never decide are among them.
    pub rules: BTreeMap<Code, Use>,
    pub moved: Vec<Elsewhere>,
}

impl Dispatches {
    pub(super) fn add(
        &mut self,
        (live, draft): (&View, &View),
        rulebook: &Rulebook,
        (from, to): (Date, Date),
        list_max: usize,
    ) {
        if self.rules.is_empty() {
            self.rules = rulebook.routes.iter().map(|route| (route.rule.clone(), Use::default())).collect();
        }
        if !draft.registered {
            return;
        }
        for round in &draft.rounds {
            for slot in &round.slots {
                let day = rulebook.timezone.to_datetime(slot.opened_at).date();
                if day < from || day >= to {
                    continue;
                }
                self.slots += 1;
                let decision = slot.would_route.as_ref();
                let rule = decision.and_then(|decision| self.rules.get_mut(&decision.rule));
                match rule {
                    Some(rule) => rule.slots += 1,
                    None => self.without_rule += 1,
                }
                let before = slot_of(live, slot.trigger);
                let filled = before.and_then(|(done, slot)| Some((slot, opened(done, slot.filled_by?)?)));
                let Some((before, custody)) = filled else {
                    self.unfilled += 1;
                    continue;
                };
                self.filled(custody, before.would_route.as_ref(), decision);
                let Some(decision) = decision.filter(|decision| decision.department != custody.department)
                else {
                    continue;
                };
                if self.moved.len() < list_max {
                    self.moved.push(Elsewhere {
                        case: draft.case.clone(),
                        round: round.number,
                        department: custody.department.clone(),
                        returned: is_returned(custody),
                        live: before.would_route.as_ref().map(|decision| decision.department.clone()),
                        draft: decision.department.clone(),
                        rule: decision.rule.clone(),
                    });
                }
            }
        }
    }

    /// Counts a slot that was filled.
    fn filled(&mut self, custody: &Custody, live: Option<&Decision>, draft: Option<&Decision>) {
        let agrees = |decision: Option<&Decision>| {
            decision.is_some_and(|decision| decision.department == custody.department)
        };
        if custody.rule.is_none() {
            self.by_hotline += 1;
            self.live_agrees += u64::from(agrees(live));
            self.draft_agrees += u64::from(agrees(draft));
        } else {
            self.by_rule += 1;
        }
        let Some(decision) = draft else { return };
        let rule = self.rules.entry(decision.rule.clone()).or_default();
        let counts = if agrees(draft) {
            [&mut self.as_done, &mut rule.as_done]
        } else {
            [&mut self.elsewhere, &mut rule.elsewhere]
        };
        for count in counts {
            count.dispatches += 1;
            count.returned += u64::from(is_returned(custody));
        }
    }
}

fn is_returned(custody: &Custody) -> bool {
    matches!(custody.ended, Some((_, CustodyEnd::Returned)))
}

fn slot_of(view: &View, trigger: EventKey) -> Option<(&Round, &SlotView)> {
    view.rounds
        .iter()
        .find_map(|round| Some((round, round.slots.iter().find(|slot| slot.trigger == trigger)?)))
}

/// The custody that a dispatch opened.
fn opened(round: &Round, by: EventKey) -> Option<&Custody> {
    round.custodies.iter().find(|custody| round.steps[custody.opening].key == by)
}
