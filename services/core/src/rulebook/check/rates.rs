//! Rates that count what nothing produces, and scores of rates that do not exist.

use crate::fact::Code;

use super::{dangling, unknown_codes, unknown_stage};
use crate::rulebook::fault::{Fault, Place, Section};
use crate::rulebook::measure::{self, PROMISE};
use crate::rulebook::{Rate, Rulebook, Term, Tier};

pub(super) fn check(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    for rate in rulebook.rates.values() {
        let place = rulebook.places.of(Section::Rate, &rate.id);
        check_where(rulebook, &place, rate, faults);
        for (field, terms) in [("numerator", &rate.numerator), ("denominator", &rate.denominator)] {
            for term in terms {
                check_term(rulebook, (&place, field), term, faults);
            }
        }
    }
    check_scores(rulebook, faults);
}

fn check_scores(rulebook: &Rulebook, faults: &mut Vec<Fault>) {
    for score in rulebook.scores.values() {
        let place = rulebook.places.of(Section::Score, &score.id);
        if rulebook.rates.contains_key(&score.id) {
            let message = format!("\"{}\" is a rate already: both are asked for by their id", score.id);
            faults.push(place.error("id", "duplicate_id", message));
        }
        for (n, term) in score.terms.iter().enumerate() {
            let field = format!("terms[{n}].rate");
            dangling(rulebook, (&place, &field), Section::Rate, [&term.rate], faults);
            if score.terms[..n].iter().any(|before| before.rate == term.rate) {
                let message = format!("\"{}\" is weighed twice", term.rate);
                faults.push(place.error(&field, "duplicate_id", message));
            }
        }
        let known = |group: &&Code| {
            rulebook.departments.values().any(|department| department.group.as_ref() == Some(*group))
        };
        let unread = rulebook.places.is_unread(Section::Department);
        for group in score.groups.iter().filter(|group| !unread && !known(group)) {
            let message = format!("no department is of the group \"{group}\"");
            faults.push(place.error("groups", "dangling_id", message));
        }
    }
}

fn check_where(rulebook: &Rulebook, place: &Place, rate: &Rate, faults: &mut Vec<Fault>) {
    let filter = &rate.filter;
    dangling(rulebook, (place, "where.hotline"), Section::Hotline, &filter.hotline, faults);
    dangling(rulebook, (place, "where.class"), Section::Class, &filter.class, faults);
    dangling(rulebook, (place, "where.class_not"), Section::Class, &filter.class_not, faults);
    unknown_codes(rulebook, (place, "where.case_type"), "case_type", &filter.case_type, faults);
    unknown_codes(rulebook, (place, "where.case_type_not"), "case_type", &filter.case_type_not, faults);
}

fn check_term(rulebook: &Rulebook, (place, field): (&Place, &str), term: &Term, faults: &mut Vec<Fault>) {
    let (stage, verdict) = match measure::parse(&term.measure) {
        Err(message) => {
            faults.push(place.error(field, "unknown_measure", message));
            return;
        }
        Ok(measure) => {
            if let Some((list, code)) = &measure.code {
                unknown_codes(rulebook, (place, field), list, [code], faults);
            }
            let Some(stage) = measure.stage else { return };
            stage
        }
    };
    let (name, tier) = match stage.strip_suffix(PROMISE) {
        Some(name) => (name, Tier::Promise),
        None => (stage.as_str(), Tier::Statutory),
    };
    let mut defined = rulebook.policies.iter().filter(|policy| policy.stage == name && policy.tier == tier);
    let unread = rulebook.places.is_unread(Section::Policy);
    if defined.clone().next().is_none() && !unread {
        let message = if unknown_stage(rulebook, name) {
            format!("\"{}\" stays 0: no policy has the stage {name}", term.measure)
        } else {
            format!("\"{}\" stays 0: no policy of this tier has the stage {name}", term.measure)
        };
        faults.push(place.warning(field, "unknown_stage", message));
    } else if verdict.starts_with("approved_") && !unread && !defined.any(|policy| policy.family == "close") {
        let message =
            format!("\"{}\" does not exist: only stages of the family close are approved", term.measure);
        faults.push(place.error(field, "unknown_measure", message));
    }
}
