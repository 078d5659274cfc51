//! Which integers the rates of a rulebook ask for.
//!
//! A contribution stands under up to six bases, and hardly one of them is in any rate. Tallies hold what the
//! rulebook asks for and nothing else: a new rate is another rulebook, under which every case is folded again.

use std::collections::HashMap;

use super::{Contribution, Series};
use crate::fact::Code;
use crate::measure::{Measure, parse_tally_name, parse_term};
use crate::rulebook::{Basis, Rate};

/// By measure, a bit for each basis; excluded contributions apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    counted: HashMap<Measure, u8>,
    excluded: HashMap<Measure, u8>,
}

fn bit(basis: Basis) -> u8 {
    1 << basis as u8
}

impl Asked {
    pub fn of<'r>(rates: impl IntoIterator<Item = &'r Rate>) -> Self {
        let mut asked = Self::default();
        for rate in rates {
            for term in rate.numerator.iter().chain(&rate.denominator) {
                let (measure, _, excluded) = parse_term(&term.measure);
                let measures = if excluded { &mut asked.excluded } else { &mut asked.counted };
                *measures.entry(measure).or_default() |= bit(rate.basis);
            }
        }
        asked
    }

    /// Asks for one measure more.
    #[cfg(test)]
    pub(crate) fn add(&mut self, measure: Measure, basis: Basis) {
        *self.counted.entry(measure).or_default() |= bit(basis);
    }

    fn bases(&self, measure: &Measure, excluded: bool) -> u8 {
        let measures = if excluded { &self.excluded } else { &self.counted };
        measures.get(measure).copied().unwrap_or_default()
    }

    /// Takes the days that nothing asks for out of a contribution; false if none is left.
    pub(super) fn prune(&self, contribution: &mut Contribution) -> bool {
        let bases = self.bases(&contribution.measure, contribution.excluded);
        for basis in Basis::ALL {
            if bases & bit(basis) == 0 {
                contribution.days[basis as usize] = None;
            }
        }
        contribution.days.iter().any(Option::is_some)
    }

    /// Whether some rate needs this integer.
    pub fn needs(&self, series: &Series) -> bool {
        self.asks(series.basis, &series.measure)
    }

    fn asks(&self, basis: Basis, name: &Code) -> bool {
        let (measure, _, excluded) = parse_tally_name(name);
        self.bases(&measure, excluded) & bit(basis) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::fold::samples::{CASE, POLICIES, case, life, rulebook};
    use crate::score::score;

    #[test]
    fn a_score_holds_what_some_rate_asks_for_and_nothing_else() {
        let mut rulebook = rulebook(POLICIES);
        let text =
            "09-21 09:00 received\n09-21 09:30 dispatched D1\n09-22 09:30 signed D1\n10-13 09:00 closed D1";
        let facts = case(life(text), &rulebook);
        let whole = score(&fold(CASE, &facts, &rulebook), &rulebook);
        let id = "close.due";
        rulebook.rates.retain(|known, _| known == id);
        rulebook.asked = Asked::of(rulebook.rates.values());
        let pruned = score(&fold(CASE, &facts, &rulebook), &rulebook);
        let expected: Vec<_> =
            whole.tallies().into_iter().filter(|(key, _)| rulebook.asked.needs(&key.series)).collect();
        assert!(!expected.is_empty() && expected.len() < whole.tallies().len());
        assert_eq!(pruned.tallies().into_iter().collect::<Vec<_>>(), expected);
    }
}
