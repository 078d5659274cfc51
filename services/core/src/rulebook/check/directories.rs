//! Hotlines, departments, sources, classes and general holds.

use super::{check_match, dangling, unknown_codes, unknown_stage};
use crate::fact::Code;
use crate::rulebook::fault::{Fault, Section};
use crate::rulebook::{Department, Dispatch, Rulebook};

pub(super) fn check(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    hotlines(rulebook, faults);
    departments(rulebook, faults);
    for source in rulebook.sources.values() {
        let place = rulebook.places.of(Section::Source, &source.id);
        dangling(rulebook, (&place, "hotline"), Section::Hotline, [&source.hotline], faults);
    }
    for class in &rulebook.classes {
        let place = rulebook.places.of(Section::Class, &class.id);
        unknown_codes(rulebook, (&place, "when.case_type"), "case_type", &class.case_type, faults);
        unknown_codes(rulebook, (&place, "when.outcome"), "outcome", &class.outcome, faults);
    }
    for (n, hold) in rulebook.general_holds.iter().enumerate() {
        let place = rulebook.places.of(Section::GeneralHold, &n.to_string());
        check_match(rulebook, &place, &hold.matches, faults);
        unknown_codes(rulebook, (&place, "reason"), "held_reason", [&hold.reason], faults);
        for stage in hold.stages.iter().filter(|stage| unknown_stage(rulebook, stage)) {
            faults.push(place.warning("stages", "unknown_stage", format!("no policy has the stage {stage}")));
        }
    }
}

fn hotlines(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    for hotline in rulebook.hotlines.values() {
        let place = rulebook.places.of(Section::Hotline, &hotline.code);
        dangling(rulebook, (&place, "office"), Section::Department, [&hotline.office], faults);
        let fallback =
            rulebook.routes.iter().any(|route| route.hotline == hotline.code && route.is_fallback());
        if fallback || rulebook.places.is_unread(Section::Route) {
            continue;
        }
        let ours = rulebook.sources.values().any(|source| {
            source.hotline == hotline.code && matches!(source.dispatch, Dispatch::Pipeline { .. })
        });
        faults.push(if ours {
            let message = "has no fallback route, a rule that matches every case, and we dispatch its cases";
            place.error("", "no_fallback", message)
        } else {
            let message = "has no fallback route, a rule that matches every case: none is recorded for some";
            place.warning("", "no_fallback", message)
        });
    }
}

fn departments(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    type Next = fn(&Department) -> Option<&Code>;
    let links: [(&str, Next); 2] =
        [("parent", |it| it.parent.as_ref()), ("successor", |it| it.successor.as_ref())];
    for (field, next) in links {
        for department in rulebook.departments.values() {
            let place = rulebook.places.of(Section::Department, &department.code);
            dangling(rulebook, (&place, field), Section::Department, next(department), faults);
            if comes_back(rulebook, department, next) {
                let message = format!("leads from {} back to itself", department.code);
                faults.push(place.error(field, "cycle", message));
            }
        }
    }
}

/// Whether following the links of a department leads back to it.
fn comes_back(rulebook: &Rulebook, department: &Department, next: fn(&Department) -> Option<&Code>) -> bool {
    let mut at = department;
    for _ in 0..rulebook.departments.len() {
        match next(at).and_then(|code| rulebook.departments.get(code)) {
            Some(found) if found.code == department.code => return true,
            Some(found) => at = found,
            None => return false,
        }
    }
    false
}
