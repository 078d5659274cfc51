//! Dead letters on their way back: applied as any batch is, under the origin `redrive`, with the receipt that they
//! had when they came first.

use hotline_events::intake::{Batch, Origin, Outcome, Reason, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use sqlx::PgConnection;

use super::plan::Plan;
use super::{Attempt, CaseWriter, Runs};
use crate::dead_letters::{self, State, Step};
use crate::error::{Error, Sort};
use crate::interventions::By;
use crate::pool::run_tx;
use crate::positions;

/// A letter that is tried again.
#[derive(Clone, Debug)]
struct Again {
    id: i64,
    /// Its source and case, as far as they are known.
    of: (Option<String>, Option<String>),
    /// Its bytes, as they came or as somebody mended them, and its first receipt.
    record: Record,
}

impl Again {
    /// Whether an event may be what the letter should have been.
    fn is_of(&self, bytes: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice::<serde_json::Value>(bytes) else { return true };
        let agree = |known: &Option<String>, name: &str| match (known, event[name].as_str()) {
            (Some(known), Some(said)) => known == said,
            _ => true,
        };
        agree(&self.of.0, "source") && agree(&self.of.1, "subject")
    }
}

/// How a letter goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As it came: something else was mended meanwhile.
    AsItCame,
    /// With other bytes.
    Mended,
}

struct Redrive<'r> {
    writer: &'r CaseWriter,
    ids: Vec<i64>,
    batch: Batch,
    way: Way,
    by: By<'r>,
    runs: Runs,
}

/// Letters of one transaction.
const LETTERS_MAX: usize = 100;

impl CaseWriter {
    /// Applies open letters again, as they came; what became of each, in order. A bug of ours costs only the letter that
    /// brings it out. Without `by` nothing is stored.
    pub async fn redrive_letters(
        &self,
        tagger: &Tagger,
        ids: &[i64],
        by: Option<By<'_>>,
    ) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::with_capacity(ids.len());
        for ids in ids.chunks(LETTERS_MAX) {
            let mut again = Vec::with_capacity(ids.len());
            for id in ids {
                again.push(self.letter(tagger, *id).await?);
            }
            outcomes.extend(self.way_back(again, Way::AsItCame, by).await?);
        }
        Ok(outcomes)
    }

    /// Applies an open letter with other bytes. Without `by` nothing is stored. Fails with [`Error::LetterOfAnother`] if
    /// the letter is known to be of another case or source, unless that is `meant`.
    pub async fn fix_letter(
        &self,
        tagger: &Tagger,
        id: i64,
        bytes: Vec<u8>,
        meant: bool,
        by: Option<By<'_>>,
    ) -> Result<Outcome, Error> {
        let mut again = self.letter(tagger, id).await?;
        if !meant && !again.is_of(&bytes) {
            return Err(Error::LetterOfAnother { id });
        }
        again.record.content = RecordContent::of(&bytes, decode(&bytes, tagger, Keep::All));
        again.record.raw = bytes;
        let outcomes = self.way_back(vec![again], Way::Mended, by).await?;
        Ok(outcomes.into_iter().next().expect("one letter has one outcome"))
    }

    /// An open letter as the record that it was.
    async fn letter(&self, tagger: &Tagger, id: i64) -> Result<Again, Error> {
        let mut asked = (&self.master, id);
        let found = run_tx(&self.pool, "batch::letter", &mut asked, |tx, (master, id)| {
            Box::pin(dead_letters::show(tx, master, *id))
        })
        .await?;
        let Some((letter, raw)) = found.filter(|(letter, _)| letter.state == State::Open) else {
            return Err(Error::LetterNotOpen { id });
        };
        let raw = raw.expose().clone();
        let content = RecordContent::of(&raw, decode(&raw, tagger, Keep::All));
        let of = (letter.source, letter.case_id);
        Ok(Again { id, of, record: Record { raw, received_at: letter.received_at, offset: None, content } })
    }

    async fn way_back(&self, again: Vec<Again>, way: Way, by: Option<By<'_>>) -> Result<Vec<Outcome>, Error> {
        let Some(by) = by else {
            let records = again.into_iter().map(|again| again.record).collect();
            let dry = self.dry_run(&Batch { origin: Origin::Redrive, records }).await?;
            return Ok(dry.outcomes.into_iter().map(Outcome::worst).collect());
        };
        let mut outcomes = Vec::with_capacity(again.len());
        let mut waiting = vec![again];
        while let Some(mut part) = waiting.pop() {
            match self.redrive(part.clone(), way, by).await {
                Ok(done) => outcomes.extend(done),
                Err(error) if error.sort() == Sort::Data || matches!(error, Error::Panicked { .. }) => {
                    let refused = RecordContent::Refused(Reason::InternalError);
                    match part.as_mut_slice() {
                        [one] if !matches!(one.record.content, RecordContent::Refused(_)) => {
                            one.record.content = refused;
                        }
                        [_, _, ..] => waiting.push(part.split_off(part.len() / 2)),
                        _ => return Err(error),
                    }
                    waiting.push(part);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }

    /// Applies open letters again in one transaction and notes for each who did it, why, and what came of it. One that
    /// is refused again stays open. Fails with [`Error::LetterNotOpen`] if one is open no longer.
    async fn redrive(&self, again: Vec<Again>, way: Way, by: By<'_>) -> Result<Vec<Outcome>, Error> {
        let (ids, records) = again.into_iter().map(|again| (again.id, again.record)).unzip();
        let batch = Batch { origin: Origin::Redrive, records };
        let mut redrive = Redrive { writer: self, ids, batch, way, by, runs: Runs::default() };
        run_tx(&self.pool, "batch::redrive", &mut redrive, |tx, redrive| Box::pin(redrive.run(tx))).await
    }
}

impl Redrive<'_> {
    async fn run(&mut self, tx: &mut PgConnection) -> Result<Vec<Outcome>, Error> {
        // Two operators wait for each other here.
        let claim = positions::claim(tx, &Origin::Redrive.name(), 0).await?;
        for id in &self.ids {
            dead_letters::hold(tx, *id).await?;
        }
        let plan = Plan::of(&claim, &self.batch)?;
        let mut attempt =
            Attempt { writer: self.writer, claim: &claim, plan, runs: self.runs, applied: None };
        let done = attempt.run(tx).await;
        self.runs = attempt.runs;
        done?;
        let applied = attempt.applied.expect("a transaction that ran left its result");
        let outcomes: Vec<Outcome> = applied.outcomes.into_iter().map(Outcome::worst).collect();
        let step = if self.way == Way::Mended { Step::Fixed } else { Step::Redriven };
        for (id, outcome) in self.ids.iter().zip(&outcomes) {
            dead_letters::tried(tx, *id, step, outcome, &self.by).await?;
        }
        Ok(outcomes)
    }
}
