//! Standing records: so that whoever has nothing but the closure log can count a bulletin again, every case that counts
//! in one has a record that holds all its facts. Closed cases have one mostly; of the others it is written now.
//!
//! They are written page by page, each in a transaction of its own, while the snapshot of the publication stays: a record
//! says what was true in the snapshot, whatever came after. If nothing is published in the end they do no harm.

use hotline_core::case::CaseFacts;
use hotline_core::fold::fold;
use hotline_core::rulebook::Rulebook;
use hotline_core::score::Score;
use hotline_events::closure::{self, Judgement, NewRecord, Number, RecordKind, Rules};
use hotline_postgres::cases::{self, Loaded};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::{Error, PgConnection, PgPool, run_tx};
use jiff::Timestamp;
use smol_str::SmolStr;

use crate::made::Spans;

/// Cases read and written at a time: some megabytes.
const PAGE: i64 = 2_000;

/// By what the cases of a bulletin are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand<'r> {
    pub(crate) seq: i64,
    pub(crate) rulebook: &'r Rulebook,
    pub(crate) as_of: Timestamp,
}

struct Page<'p> {
    leaves: Vec<Leaf>,
    /// With the revisions that were read.
    cases: Vec<(SmolStr, i64)>,
    at: &'p Timestamp,
}

impl Stand<'_> {
    /// Writes what is missing of the cases that the snapshot has; `spans` are empty tables of what is asked for. How many
    /// records were written.
    pub(crate) async fn write(
        &self,
        pool: &PgPool,
        snapshot: &mut PgConnection,
        spans: &mut Spans<'_>,
    ) -> Result<u64, Error> {
        let (mut after, mut written) = (SmolStr::default(), 0);
        loop {
            let read = cases::not_whole(snapshot, &after, PAGE).await?;
            let Some(last) = read.last() else { return Ok(written) };
            after = last.case_id.clone();
            let mut page = Page { leaves: Vec::new(), cases: Vec::new(), at: &self.as_of };
            for case in &read {
                if self.counts(case, spans)? {
                    page.leaves.extend(self.leaves(case)?);
                    page.cases.push((case.case_id.clone(), case.revision));
                }
            }
            written += page.cases.len() as u64;
            if page.cases.is_empty() {
                continue;
            }
            run_tx(pool, "rates::stand", &mut page, |tx, page| {
                Box::pin(async move {
                    closure_records::append(tx, &page.leaves, *page.at).await?;
                    cases::note_whole(tx, &page.cases).await
                })
            })
            .await?;
        }
    }

    /// Whether the case, or what older records say of it, may count in a figure.
    fn counts(&self, case: &Loaded, spans: &mut Spans<'_>) -> Result<bool, Error> {
        if case.recorded.records > 0 {
            return Ok(true);
        }
        let score = Score::decode(&case.score).map_err(|_| Error::Score { case: case.case_id.clone() })?;
        let mut counts = false;
        for table in spans.tables() {
            table.add_score(&score, self.as_of);
            counts |= !table.is_empty();
            table.clear();
        }
        Ok(counts)
    }

    fn leaves(&self, case: &Loaded) -> Result<Vec<Leaf>, Error> {
        let id = &case.case_id;
        let facts =
            CaseFacts::decode(&case.facts).map_err(|source| Error::Facts { case: id.clone(), source })?;
        let judgement = Judgement::of(&fold(id, &facts, self.rulebook), self.rulebook);
        let kind = RecordKind::Standing;
        let record = NewRecord {
            case: id,
            kind,
            number: Number::After(case.recorded.records.unsigned_abs()),
            written_at: self.as_of,
            rules: Rules { seq: self.seq, hash: &self.rulebook.hash },
            causes: &[],
            judgement: &judgement,
            facts: &closure::facts_of(&facts),
            personal: case.recorded.personal,
        };
        let leaf = |bytes| Leaf { case_id: Some(id.clone()), kind: kind.name(), bytes };
        Ok(record.leaves().into_iter().map(leaf).collect())
    }
}
