//! Routing rules that lead nowhere or never fire.

use super::{dangling, unknown_codes};
use crate::rulebook::fault::{Fault, Section};
use crate::rulebook::{Route, Rulebook};

pub(super) fn check(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    for (n, route) in rulebook.routes.iter().enumerate() {
        let place = rulebook.places.of(Section::Route, &route.rule);
        dangling(rulebook, (&place, "hotline"), Section::Hotline, [&route.hotline], faults);
        dangling(rulebook, (&place, "department"), Section::Department, [&route.department], faults);
        unknown_codes(rulebook, (&place, "case_type"), "case_type", &route.case_type, faults);
        let shadow = rulebook.routes.iter().enumerate().find(|(m, other)| shadows((*m, other), (n, route)));
        if let Some((_, other)) = shadow {
            let there = rulebook.places.of(Section::Route, &other.rule);
            let message = format!(
                "never fires before \"{}\" at {there}, which matches every case that it matches",
                other.rule
            );
            faults.push(place.warning("rule", "unreachable_rule", message));
        }
    }
}

/// Whether a rule always fires instead of another. One of lower priority with another department is spared: it
/// takes the cases that the first department returned, and somebody wrote the priority to say so.
fn shadows((m, other): (usize, &Route), (n, route): (usize, &Route)) -> bool {
    let wins = other.rank() > route.rank() || (other.rank() == route.rank() && m < n);
    let second_choice = other.department != route.department && other.priority > route.priority;
    m != n && other.rule != route.rule && wins && !second_choice && other.covers(route)
}
