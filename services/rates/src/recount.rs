//! A published bulletin counted again from closure records alone, without a database.
//!
//! Of each case the last record counts that knows nothing beyond the bulletin's cut through the ledger: before the
//! bulletin's own record there is one of every case that counts, with all facts that were known. What sources report
//! themselves is not counted from cases and is left out.

use foldhash::{HashMap, HashMapExt as _};
use hotline_core::bulletin::Figures;
use hotline_core::case::CaseFacts;
use hotline_core::fold::{FOLD_VERSION, fold};
use hotline_core::rulebook::Rulebook;
use hotline_core::score::score;
use hotline_events::closure::{BulletinRecord, CaseRecord, counted_hash};
use smol_str::SmolStr;

use crate::error::Error;
use crate::form::Form;
use crate::made::Spans;

/// What is known of the cases of a bulletin.
#[derive(Debug)]
pub struct Recount<'b> {
    bulletin: &'b BulletinRecord,
    facts: HashMap<SmolStr, CaseFacts>,
}

/// A bulletin counted again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recounted {
    pub figures: Figures,
    /// Cases whose records were looked at.
    pub cases: usize,
    /// The figures are those that were published.
    pub is_same: bool,
}

impl<'b> Recount<'b> {
    pub fn new(bulletin: &'b BulletinRecord) -> Self {
        Self { bulletin, facts: HashMap::new() }
    }

    /// Takes a record of a case. They come in the order of the log, up to the bulletin's own.
    pub fn take(&mut self, record: &CaseRecord) {
        if record.ledger_last() < self.bulletin.ledger_below {
            self.facts.insert(record.case.clone(), record.facts.clone());
        }
    }

    /// The figures, under the rulebook of the bulletin. Fails if it is another rulebook or program that counted.
    pub fn figures(self, rulebook: &Rulebook) -> Result<Recounted, Error> {
        let bulletin = self.bulletin;
        if bulletin.rulebook.hash != rulebook.hash {
            let (wanted, found) = (bulletin.rulebook.hash.clone(), rulebook.hash.clone());
            return Err(Error::OtherRulebook { wanted, found });
        }
        if bulletin.fold != FOLD_VERSION {
            return Err(Error::OtherFold { wanted: bulletin.fold });
        }
        let form = Form::read(&bulletin.form.id, &bulletin.form.text)?;
        if form.hash != bulletin.form.hash {
            return Err(Error::OtherForm { wanted: bulletin.form.hash.clone(), found: form.hash });
        }
        let asked = form.asked(rulebook)?;
        let mut spans = Spans::new(&form, &asked, rulebook, &bulletin.spans);
        for (case, facts) in &self.facts {
            let score = score(&fold(case, facts, rulebook), rulebook);
            spans.tables().for_each(|table| table.add_score(&score, bulletin.as_of));
        }
        let figures = spans.figures();
        let is_same = counted_hash(&figures) == bulletin.figures.sha256;
        Ok(Recounted { figures, cases: self.facts.len(), is_same })
    }
}
