//! The question: which rates and scores, of whom, for which days.

use hotline_core::rate::{By, Query};
use hotline_core::rulebook::Rulebook;
use jiff::civil::Date;

use crate::error::Error;

/// A question that no rulebook has been asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Ids of rates and scores, the rulebook tells which.
    pub ids: Vec<String>,
    pub by: By,
    pub from: Date,
    /// Not included.
    pub to: Date,
}

impl Ask {
    /// Reads ids separated by commas, `department[,hotline][,case_type]` and `FROM..TO`.
    pub fn parse(rates: &str, by: &str, period: &str) -> Result<Self, Error> {
        let ids: Vec<String> =
            rates.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        if ids.is_empty() {
            return Err(Error::NoRate);
        }
        let by = By::parse(by).map_err(Error::By)?;
        let (from, to) = self::period(period).ok_or(Error::Period)?;
        Ok(Self { ids, by, from, to })
    }

    /// The question as a rulebook understands it.
    pub fn query<'r>(&self, rulebook: &'r Rulebook) -> Result<Query<'r>, Error> {
        let mut query =
            Query { rates: Vec::new(), scores: Vec::new(), by: self.by, from: self.from, to: self.to };
        for id in &self.ids {
            match (rulebook.rates.get(id.as_str()), rulebook.scores.get(id.as_str())) {
                (Some(rate), _) => query.rates.push(rate),
                (None, Some(score)) => query.scores.push(score),
                (None, None) => {
                    let known = rulebook.rates.keys().chain(rulebook.scores.keys());
                    let known: Vec<&str> = known.map(smol_str::SmolStr::as_str).collect();
                    return Err(Error::UnknownRate { id: id.clone(), known: known.join(", ") });
                }
            }
        }
        Ok(query)
    }
}

/// Days from the first to before the second; None unless there is at least one.
fn period(text: &str) -> Option<(Date, Date)> {
    let (from, to) = text.split_once("..")?;
    let (from, to): (Date, Date) = (from.parse().ok()?, to.parse().ok()?);
    (from < to).then_some((from, to))
}
