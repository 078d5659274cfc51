//! A record made again: its facts folded under its rulebook, and what was decided compared, member by member.

use hotline_core::fold::{FOLD_VERSION, fold};
use hotline_core::rulebook::Rulebook;
use serde_json::Value;
use smol_str::SmolStr;

use super::read::CaseRecord;
use super::{Judgement, canonical};

/// A member that is not what the facts come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// JSON pointer within the record: `/judged/rounds/0/clocks/1/verdict`.
    pub pointer: String,
    /// What the record says; null: nothing.
    pub recorded: Value,
    /// What its facts come to.
    pub recomputed: Value,
}

/// Why a record cannot be made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecomputeError {
    #[error("the record is of the rulebook {wanted}, and this is {found}")]
    OtherRulebook { wanted: SmolStr, found: SmolStr },
    #[error(
        "the record is of fold {wanted} of the program, and this is fold {FOLD_VERSION}: take that program"
    )]
    OtherFold { wanted: u32 },
}

impl RecomputeError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherRulebook { .. } => "other_rulebook",
            Self::OtherFold { .. } => "other_fold",
        }
    }
}

/// Folds the facts of a record under its rulebook; where it decides otherwise. None: deadlines, verdicts, spans and
/// everything else are what the facts come to.
pub fn recompute(record: &CaseRecord, rulebook: &Rulebook) -> Result<Vec<Difference>, RecomputeError> {
    if record.rulebook.hash != rulebook.hash {
        let (wanted, found) = (record.rulebook.hash.clone(), rulebook.hash.clone());
        return Err(RecomputeError::OtherRulebook { wanted, found });
    }
    if record.fold != FOLD_VERSION {
        return Err(RecomputeError::OtherFold { wanted: record.fold });
    }
    let judgement = Judgement::of(&fold(&record.case, &record.facts, rulebook), rulebook);
    let mut differences = Vec::new();
    for (name, recorded, bytes) in
        [("/judged", &record.judged, &judgement.bytes), ("/rules", &record.rules, &judgement.rules)]
    {
        if canonical(recorded) != *bytes {
            let recomputed: Value = serde_json::from_slice(bytes).expect("a judgement is JSON");
            compare(name, recorded, &recomputed, &mut differences);
        }
    }
    Ok(differences)
}

/// Lists where two values differ, as deep as both have the same shape.
fn compare(pointer: &str, recorded: &Value, recomputed: &Value, differences: &mut Vec<Difference>) {
    match (recorded, recomputed) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for name in names {
                let (ours, theirs) = (&recorded[name], &recomputed[name]);
                let name = name.replace('~', "~0").replace('/', "~1");
                compare(&format!("{pointer}/{name}"), ours, theirs, differences);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (n, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{pointer}/{n}"), ours, theirs, differences);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => differences.push(Difference {
            pointer: pointer.to_owned(),
            recorded: ours.clone(),
            recomputed: theirs.clone(),
        }),
    }
}
