//! Rulings that exclude (剔除), and what was ruled on the same thing since.
//!
//! The last ruling on a thing holds: what is restored, or ruled met or failed, counts again. Its exclusion stays in the list,
//! with the ruling that took it back: who compares the list with the figures needs both documents.

use hotline_core::fact::{Body, Code, Ruled, RulingEffect};
use hotline_core::fold::{Step, View};
use hotline_core::rulebook::Rulebook;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{responsible, steps};

/// A row for each ruling that excludes.
pub(super) fn rows(
    view: &View,
    rulebook: &Rulebook,
    is_within: &impl Fn(Timestamp) -> bool,
) -> Vec<Vec<String>> {
    let day = |step: &Step| rulebook.day(step.counted_at);
    let rulings: Vec<(Date, &Ruled)> =
        steps(view).filter_map(|(_, step)| Some((day(step), ruling(step)?))).collect();
    let (mut rows, mut place) = (Vec::new(), 0);
    for (round, step) in steps(view) {
        let Some(ruled) = ruling(step) else { continue };
        place += 1;
        if ruled.effect != RulingEffect::Exclude || !is_within(step.counted_at) {
            continue;
        }
        let texts = [
            &view.case,
            &*day(step).to_string(),
            &ruled.indicator,
            ruled.effect.name(),
            &ruled.reason,
            &ruled.document,
            ruled.department.as_deref().unwrap_or_else(|| responsible(round, step)),
            ruled.by.as_deref().unwrap_or("-"),
            &since(ruled, &rulings[place..], rulebook),
        ];
        rows.push(texts.map(str::to_owned).to_vec());
    }
    rows
}

fn ruling(step: &Step) -> Option<&Ruled> {
    match &step.body {
        Body::Ruled(ruled) => Some(ruled),
        _ => None,
    }
}

/// What of later rulings takes an exclusion back, all or in part: effect, day and document of each, and what it is limited to
/// where the exclusion is not. `-`: none, it holds.
fn since(exclusion: &Ruled, later: &[(Date, &Ruled)], rulebook: &Rulebook) -> String {
    let mut told = Vec::new();
    for (on, ruled) in later.iter().filter(|(_, ruled)| ruled.effect != RulingEffect::Exclude) {
        if let Some(limits) = limits(exclusion, ruled, rulebook) {
            let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
            told.push(format!("{} {on} {}{limits}", ruled.effect.name(), ruled.document));
        }
    }
    if told.is_empty() { "-".to_owned() } else { told.join("; ") }
}

/// To what of an exclusion a ruling is limited: indicator, round, department. None: it is about something else.
fn limits(exclusion: &Ruled, ruled: &Ruled, rulebook: &Rulebook) -> Option<Vec<String>> {
    let mut limits = Vec::new();
    if !is_in(&exclusion.indicator, &ruled.indicator, rulebook) {
        if !is_in(&ruled.indicator, &exclusion.indicator, rulebook) {
            return None;
        }
        limits.push(ruled.indicator.to_string());
    }
    let departments = (exclusion.department.as_ref(), ruled.department.as_ref());
    if differ(exclusion.round, ruled.round) || differ(departments.0, departments.1) {
        return None;
    }
    limits.extend(ruled.round.filter(|_| exclusion.round.is_none()).map(|number| number.to_string()));
    limits.extend(departments.1.filter(|_| departments.0.is_none()).map(ToString::to_string));
    Some(limits)
}

/// Whether both are named and are not the same.
fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Whether who rules on `whole` rules on `part`: all of the case, the same, or the family of a stage.
fn is_in(part: &Code, whole: &Code, rulebook: &Rulebook) -> bool {
    let is_family =
        || rulebook.policies.iter().any(|policy| policy.stage == *part && policy.family == *whole);
    whole == "all" || part == whole || is_family()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::form::tests::shipped;

    fn ruled(indicator: &str, effect: RulingEffect, document: &str) -> Ruled {
        Ruled {
            indicator: indicator.into(),
            effect,
            reason: "appeal".into(),
            document: document.into(),
            by: None,
            round: None,
            department: None,
        }
    }

    #[track_caller]
    fn check(exclusion: &Ruled, later: &[Ruled], expected: &str) {
        let rulebook = hotline_core::rulebook::load(&shipped()).expect("the shipped rulebook").rulebook;
        let later: Vec<(Date, &Ruled)> = later.iter().map(|ruled| (date(2026, 9, 29), ruled)).collect();
        assert_eq!(since(exclusion, &later, &rulebook), expected);
    }

    #[test]
    fn what_is_ruled_later_on_the_same_thing_takes_an_exclusion_back() {
        let exclude = ruled("close", RulingEffect::Exclude, "1");
        check(&exclude, &[], "-");
        check(&exclude, &[ruled("close", RulingEffect::Exclude, "2")], "-");
        check(&exclude, &[ruled("rating", RulingEffect::Restore, "2")], "-");
        check(&exclude, &[ruled("all", RulingEffect::Restore, "2")], "restore 2026-09-29 2");
        let twice = [ruled("close", RulingEffect::Restore, "2"), ruled("close", RulingEffect::Failed, "3")];
        check(&exclude, &twice, "restore 2026-09-29 2; failed 2026-09-29 3");
    }

    #[test]
    fn what_takes_back_a_part_says_which() {
        let all = ruled("all", RulingEffect::Exclude, "1");
        let restore = ruled("close", RulingEffect::Restore, "2");
        check(&all, std::slice::from_ref(&restore), "restore 2026-09-29 2 (close)");
        let narrow = Ruled { round: Some(2), department: Some("ZJJ".into()), ..restore.clone() };
        check(&all, std::slice::from_ref(&narrow), "restore 2026-09-29 2 (close, 2, ZJJ)");
        let of_that_round = Ruled { round: Some(2), ..ruled("close", RulingEffect::Exclude, "1") };
        check(&of_that_round, std::slice::from_ref(&narrow), "restore 2026-09-29 2 (ZJJ)");
        check(&of_that_round, &[restore], "restore 2026-09-29 2");
        let of_another = Ruled { round: Some(1), ..of_that_round };
        check(&of_another, &[narrow], "-");
    }
}
