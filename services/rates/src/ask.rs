//! The question: which rates, of whom, for which days.

use hotline_core::rate::{By, Query};
use hotline_core::rulebook::Rulebook;
use jiff::civil::Date;

use crate::error::Error;

/// A question that no rulebook has been asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Ids of rates.
    pub rates: Vec<String>,
    pub by: By,
    pub from: Date,
    /// Not included.
    pub to: Date,
}

impl Ask {
    /// Reads ids separated by commas, `department[,hotline][,case_type]` and `FROM..TO`.
    pub fn parse(rates: &str, by: &str, period: &str) -> Result<Self, Error> {
        let rates: Vec<String> =
            rates.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        if rates.is_empty() {
            return Err(Error::NoRate);
        }
        let by = By::parse(by).map_err(Error::By)?;
        let (from, to) = self::period(period).ok_or(Error::Period)?;
        Ok(Self { rates, by, from, to })
    }

    /// The question as a rulebook understands it.
    pub fn query<'r>(&self, rulebook: &'r Rulebook) -> Result<Query<'r>, Error> {
        let rate = |id: &String| {
            rulebook.rates.get(id.as_str()).ok_or_else(|| {
                let known: Vec<&str> = rulebook.rates.keys().map(smol_str::SmolStr::as_str).collect();
                Error::UnknownRate { id: id.clone(), known: known.join(", ") }
            })
        };
        let rates = self.rates.iter().map(rate).collect::<Result<_, _>>()?;
        Ok(Query { rates, by: self.by, from: self.from, to: self.to })
    }
}

/// Days from the first to before the second; None unless there is at least one.
fn period(text: &str) -> Option<(Date, Date)> {
    let (from, to) = text.split_once("..")?;
    let (from, to): (Date, Date) = (from.parse().ok()?, to.parse().ok()?);
    (from < to).then_some((from, to))
}
