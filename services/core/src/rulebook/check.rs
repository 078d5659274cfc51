//! What is wrong with a rulebook as a whole: ids that lead nowhere, rules that draw, rules that never fire.
//!
//! Judges a typed [`Rulebook`], whether read from files or made by a program; what one entry alone shows was
//! refused when it was read. Whether each rule is wired, so that a case of its kind starts and stops its clock,
//! is not judged here: that takes the fold.

mod directories;
mod policies;
mod rates;
mod routes;

use super::fault::{Fault, Place, Section};
use super::{Match, ORDINARY, Rulebook};
use crate::fact::Code;

/// All faults of a rulebook that show in how its entries go together.
pub fn check(rulebook: &Rulebook) -> Vec<Fault> {
    let mut faults = Vec::new();
    directories::check(rulebook, &mut faults);
    policies::check(rulebook, &mut faults);
    routes::check(rulebook, &mut faults);
    rates::check(rulebook, &mut faults);
    faults
}

/// Whether an entry of this id exists, or may be among those that could not be read.
fn exists(rulebook: &Rulebook, section: Section, id: &Code) -> bool {
    let found = match section {
        Section::Hotline => rulebook.hotlines.contains_key(id),
        Section::Department => rulebook.departments.contains_key(id),
        Section::Rate => rulebook.rates.contains_key(id),
        Section::Class => id == ORDINARY || rulebook.classes.iter().any(|class| class.id == *id),
        _ => false,
    };
    found || rulebook.places.declares(section, id) || rulebook.places.is_unread(section)
}

/// Reports the ids of a member that lead nowhere.
fn dangling<'a>(
    rulebook: &Rulebook,
    (place, field): (&Place, &str),
    section: Section,
    ids: impl IntoIterator<Item = &'a Code>,
    faults: &mut Vec<Fault>,
) {
    for id in ids.into_iter().filter(|id| !exists(rulebook, section, id)) {
        let message = format!("there is no {} \"{id}\"", section.name());
        faults.push(place.error(field, "dangling_id", message));
    }
}

/// Warns of codes that stand in no list: events that carry them would be flagged, and a misspelt one never comes.
fn unknown_codes<'a>(
    rulebook: &Rulebook,
    (place, field): (&Place, &str),
    list: &str,
    codes: impl IntoIterator<Item = &'a Code>,
    faults: &mut Vec<Fault>,
) {
    if rulebook.places.is_unread(Section::Code) {
        return;
    }
    for code in codes.into_iter().filter(|code| !rulebook.knows(list, code)) {
        let message = format!("\"{code}\" is neither built in nor in codes/{list}.csv");
        faults.push(place.warning(field, "unknown_code", message));
    }
}

/// What a `match` names must exist.
fn check_match(rulebook: &Rulebook, place: &Place, matches: &Match, faults: &mut Vec<Fault>) {
    dangling(rulebook, (place, "match.hotline"), Section::Hotline, &matches.hotline, faults);
    dangling(rulebook, (place, "match.class"), Section::Class, &matches.class, faults);
    unknown_codes(rulebook, (place, "match.case_type"), "case_type", &matches.case_type, faults);
    unknown_codes(rulebook, (place, "match.urgency"), "urgency", &matches.urgency, faults);
}

/// Stages that no policy defines. Nothing can be said where policies could not be read.
fn unknown_stage(rulebook: &Rulebook, stage: &str) -> bool {
    !rulebook.places.is_unread(Section::Policy)
        && !rulebook.policies.iter().any(|policy| policy.stage == stage)
}
