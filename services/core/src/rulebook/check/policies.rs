//! Policies that lead nowhere, that draw with one another, or that would both decide what is on time.

use super::{check_match, dangling, unknown_codes};
use crate::rulebook::codes::list_of;
use crate::rulebook::fault::{Fault, Section};
use crate::rulebook::{Policy, Rulebook};

pub(super) fn check(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    for (n, policy) in rulebook.policies.iter().enumerate() {
        let place = rulebook.places.of(Section::Policy, &policy.id);
        check_match(rulebook, &place, &policy.matches, faults);
        for (n, rung) in policy.alarms.iter().enumerate() {
            let field = format!("alarms[{n}].to");
            dangling(rulebook, (&place, &field), Section::Department, &rung.to, faults);
        }
        unknown_codes(rulebook, (&place, "holds"), "held_reason", &policy.holds, faults);
        let start = std::slice::from_ref(&policy.start);
        for (field, triggers) in [("start", start), ("stop", &policy.stop), ("restart", &policy.restart)] {
            for trigger in triggers {
                let Some(list) = list_of(trigger.kind) else {
                    continue;
                };
                unknown_codes(rulebook, (&place, field), list, &trigger.code, faults);
            }
        }
        for earlier in &rulebook.policies[..n] {
            against(rulebook, policy, earlier, faults);
        }
    }
}

/// A policy against one that stands before it.
fn against(rulebook: &Rulebook, policy: &Policy, earlier: &Policy, faults: &mut Vec<Fault>) {
    // Two entries of one id are reported as such, and share one place.
    if policy.id == earlier.id {
        return;
    }
    let place = rulebook.places.of(Section::Policy, &policy.id);
    let there = rulebook.places.of(Section::Policy, &earlier.id);
    let same_clock = policy.stage == earlier.stage && policy.tier == earlier.tier;
    if same_clock && policy.rank() == earlier.rank() && policy.meets(earlier) {
        let message = format!(
            "draws with \"{}\" at {there}: both can match one case, and neither has more match keys, \
             a longer category or a longer region",
            earlier.id
        );
        faults.push(place.error("match", "policy_draw", message));
    }
    if policy.closure && earlier.closure && policy.stage != earlier.stage && policy.meets(earlier) {
        let message = format!(
            "\"{}\" at {there} closes the same cases: at most one closure policy matches a case",
            earlier.id
        );
        faults.push(place.error("closure", "closure_ambiguous", message));
    }
}
