//! The names of measures, as rates use them: which exist, and how each is written in full (DESIGN.md, section 9).

use super::codes::list_of;
use crate::fact::{Code, Kind, RulingEffect};

/// What a stage clock can come to.
const VERDICTS: [&str; 16] = [
    "met",
    "late",
    "left_late",
    "void",
    "open",
    "none_stopped",
    "none_open",
    "open_overdue",
    "open_running",
    "open_held",
    "open_in_review",
    "approved_met",
    "approved_late",
    "met_last_hour",
    "met_automatic",
    "late_reopened_after_month_end",
];

/// What asking the caller can come to; exactly one for each closed round.
const RATINGS: [&str; 10] = [
    "rated_1",
    "rated_2",
    "rated_3",
    "rated_4",
    "rated_5",
    "rated_unanswered",
    "rated_unreached",
    "rated_default",
    "rated_not_asked",
    "rated_not_required",
];

const SOLVED: [&str; 3] = ["solved_yes", "solved_partly", "solved_no"];

/// Whether a caller was asked, of rounds that gave reason to complain and of the others.
const FOLLOWED_UP: [&str; 4] = [
    "troubled_followed_up",
    "troubled_not_followed_up",
    "untroubled_followed_up",
    "untroubled_not_followed_up",
];

/// Counts of facts that look like gaming, and of rulings by who made them.
const SIGNS: [&str; 6] = [
    "reopened_within_24h",
    "reopened_within_72h",
    "extended_last_day",
    "returned_last_day",
    "closed_backdated",
    "ruled_by",
];

const POPULATIONS: [&str; 3] = ["each", "first", "final"];

/// The suffix by which the measures of a stage's promised clocks are told from those of its statutory ones.
pub(super) const PROMISE: &str = "_promise";

/// A measure that can exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// The name in full, the population included.
    pub(super) name: Code,
    /// The stage and verdict, if it is one of a stage clock; the stage with its suffix.
    pub(super) stage: Option<(Code, Code)>,
    /// The list and the code, if it counts the facts of one code.
    pub(super) code: Option<(&'static str, Code)>,
}

/// Reads the name of a measure; Err says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Measure, String> {
    let (excluded, rest) = match text.strip_prefix("excluded.") {
        Some(rest) => ("excluded.", rest),
        None => ("", text),
    };
    let (population, what) = match rest.split_once('.') {
        Some((population, what)) if POPULATIONS.contains(&population) => (Some(population), what),
        _ => (None, rest),
    };
    let stage = stage_of(what);
    let of_rounds = [&RATINGS[..], &SOLVED, &FOLLOWED_UP].iter().any(|names| names.contains(&what));
    if stage.is_some() || of_rounds {
        let name = format!("{excluded}{}.{what}", population.unwrap_or("each")).into();
        return Ok(Measure { name, stage, code: None });
    }
    let Some(code) = count_of(what) else {
        return Err(format!("\"{text}\" is not a measure: {HINT}"));
    };
    match population {
        Some(population) => {
            Err(format!("\"{what}\" is counted once, not by round: leave out \"{population}.\""))
        }
        None => Ok(Measure { name: text.into(), stage: None, code }),
    }
}

const HINT: &str = "measures are written each.close.met, first.rated_5, solved_yes, returned, linked.urge, \
                    outcome.mediated, verified.filed, sum.persons";

fn stage_of(what: &str) -> Option<(Code, Code)> {
    let (stage, verdict) = what.rsplit_once('.')?;
    let written = !stage.is_empty() && !stage.contains('.');
    (written && VERDICTS.contains(&verdict)).then(|| (stage.into(), verdict.into()))
}

/// The list and code of a count, if it is of one code; None if there is no such count.
#[expect(clippy::option_option, reason = "whether there is such a count, and whether it is of one code")]
fn count_of(what: &str) -> Option<Option<(&'static str, Code)>> {
    let Some((name, code)) = what.split_once('.') else {
        return (SIGNS.contains(&what) || Kind::parse(what).is_some()).then_some(None);
    };
    if code.is_empty() {
        return None;
    }
    match name {
        "ruled_by" => RulingEffect::parse(code).map(|_| None),
        "outcome" => Some(Some(("outcome", code.into()))),
        "sum" => {
            let amount = code.strip_prefix("amount_").is_some_and(|name| !name.is_empty());
            (amount || code == "persons").then_some(None)
        }
        _ => Kind::parse(name).map(|kind| list_of(kind).map(|list| (list, code.into()))),
    }
}
