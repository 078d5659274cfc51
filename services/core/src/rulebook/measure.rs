//! The names of measures, as rates use them: which exist, and how each is written in full (DESIGN.md, section 9).

use super::codes::list_of;
use crate::fact::{Code, Kind};

/// What a stage clock can come to.
const VERDICTS: [&str; 13] = [
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
    if stage.is_some() || RATINGS.contains(&what) || SOLVED.contains(&what) {
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
        return Kind::parse(what).map(|_| None);
    };
    if code.is_empty() {
        return None;
    }
    match name {
        "outcome" => Some(Some(("outcome", code.into()))),
        "sum" => {
            let amount = code.strip_prefix("amount_").is_some_and(|name| !name.is_empty());
            (amount || code == "persons").then_some(None)
        }
        _ => Kind::parse(name).map(|kind| list_of(kind).map(|list| (list, code.into()))),
    }
}
