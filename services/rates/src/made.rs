//! Bulletins in a form: made from the database, published, held against the figures of now.
//!
//! What is published is read in a snapshot that is taken between two batches, so that the stamp can say exactly which rows
//! of the ledger it holds. Making one never folds a case but for its annexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, add_answer};
use hotline_core::fold::FOLD_VERSION;
use hotline_core::rate::{ALL, Query, Table};
use hotline_core::rulebook::Rulebook;
use hotline_core::score::Series;
use hotline_events::closure::{self, FormOf, NewBulletin, RecordKind};
use hotline_postgres::bulletins::{self, FormStamp, Frozen, Published, Stamp};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::figures::{self, Known};
use hotline_postgres::interventions::By;
use hotline_postgres::restatements::{self, Listed};
use hotline_postgres::{
    PgConnection, PgPool, Rules, ledger, positions, refolds, rulebooks, run_snapshot_tx, run_tx,
};
use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;

use crate::annex::{self, Annexed};
use crate::error::Error;
use crate::form::period::Period;
use crate::form::sheet::{Sheet, lay};
use crate::form::{Asked, Form};
use crate::stand::Stand;
use crate::sums;

/// A bulletin with what it was made of.
#[derive(Clone, Debug)]
pub struct Made {
    pub form: Form,
    pub period: Period,
    pub rulebook: Arc<Rulebook>,
    pub figures: Figures,
    pub stamp: Stamp,
    /// Some cases still count as an older rulebook or program judged them.
    pub refold_pending: bool,
    pub annexes: Vec<Annexed>,
}

/// Sums for the spans of a form.
#[derive(Debug)]
pub struct Spans<'r> {
    tables: Vec<(Span, Query<'r>, Table<'r>)>,
    rulebook: &'r Rulebook,
}

impl<'r> Spans<'r> {
    /// Empty tables of what a form asks for.
    pub fn new(
        form: &Form,
        asked: &Asked<'r>,
        rulebook: &'r Rulebook,
        spans: &BTreeMap<Span, (Date, Date)>,
    ) -> Self {
        let table = |(span, days): (&Span, &(Date, Date))| {
            let query = asked.query(*days);
            let table = Table::new(&query, rulebook).only(form.only.clone());
            (*span, query, table)
        };
        Self { tables: spans.iter().map(table).collect(), rulebook }
    }

    pub fn tables(&mut self) -> impl Iterator<Item = &mut Table<'r>> {
        self.tables.iter_mut().map(|(_, _, table)| table)
    }

    pub fn figures(&self) -> Figures {
        let mut figures = Figures::new();
        for (span, query, table) in &self.tables {
            add_answer(&mut figures, *span, &table.answer_whole(query, self.rulebook));
        }
        figures
    }

    fn definitions(&self) -> BTreeMap<SmolStr, u32> {
        self.tables.first().map(|(_, query, table)| table.definitions(query)).unwrap_or_default()
    }

    fn takes(&self, series: &Series) -> bool {
        self.tables.first().is_some_and(|(_, _, table)| table.takes(series))
    }

    /// Adds what is stored, as of an instant.
    async fn read(&mut self, tx: &mut PgConnection, as_of: Timestamp) -> Result<(), hotline_postgres::Error> {
        let tables = self.tables.iter_mut().map(|(_, query, table)| ((query.from, query.to), table));
        sums::read(tx, &mut tables.collect::<Vec<_>>(), as_of).await
    }
}

/// Adds what sources reported; `known`: only what was known then.
pub async fn add_reported(
    tx: &mut PgConnection,
    form: &Form,
    spans: &BTreeMap<Span, (Date, Date)>,
    known: Option<Known<'_>>,
    figures: &mut Figures,
) -> Result<(), hotline_postgres::Error> {
    let measures = form.reported();
    for (span, days) in spans {
        for (id, department, value) in figures::sums(tx, &measures, &form.only.hotline, *days, known).await? {
            let department = department.unwrap_or_else(|| ALL.into());
            let place = Place { span: *span, sort: Sort::Reported, id, department };
            let value = Some(value);
            figures.insert(place, Figure { version: 0, sums: None, value, group: None, rank: None });
        }
    }
    Ok(())
}

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    Looking,
    /// … with its annexes.
    LookingClosely,
    Publication,
}

struct Making<'a> {
    pool: &'a PgPool,
    rules: &'a Rules,
    form: &'a Form,
    period: &'a str,
    purpose: For,
    as_of: Timestamp,
}

/// The bulletin of a period, as of one snapshot of the database and an instant of the caller's clock.
pub async fn make(
    pool: &PgPool,
    rules: &Rules,
    (form, period): (&Form, &str),
    purpose: For,
    as_of: Timestamp,
) -> Result<Made, Error> {
    let mut making = Making { pool, rules, form, period, purpose, as_of };
    run_snapshot_tx(pool, "rates::make", &mut making, |tx, making| Box::pin(making.read(tx))).await?
}

impl Making<'_> {
    /// The outer error is the store's; the inner one says what is wrong with the question.
    async fn read(&self, tx: &mut PgConnection) -> Result<Result<Made, Error>, hotline_postgres::Error> {
        let ledger_below = match self.purpose {
            For::Publication => Some(ledger::cut(self.pool, tx).await?),
            For::Looking | For::LookingClosely => None,
        };
        let rules = self.rules.within(tx).await?;
        let rulebook = &rules.rulebook;
        let asked = self.form.asked(rulebook);
        let period = Period::parse(self.period, self.form.begins, &rulebook.periods);
        let (asked, period) = match (asked, period) {
            (Ok(asked), Ok(period)) => (asked, period),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        let days = self.form.spans(period);
        let mut spans = Spans::new(self.form, &asked, rulebook, &days);
        spans.read(tx, self.as_of).await?;
        let mut figures = spans.figures();
        add_reported(tx, self.form, &days, None, &mut figures).await?;
        let refold_pending = !refolds::is_done(tx).await?;
        if self.purpose == For::Publication && !refold_pending {
            let stand = Stand { seq: rules.seq, rulebook, as_of: self.as_of };
            let mut empty = Spans::new(self.form, &asked, rulebook, &days);
            stand.write(self.pool, tx, &mut empty).await?;
        }
        let annexes = match self.purpose {
            For::Looking => Vec::new(),
            For::LookingClosely | For::Publication => annex::read(tx, self.form, rulebook, period).await?,
        };
        let positions = positions::list(tx).await?;
        let form = FormStamp {
            id: self.form.id.clone(),
            version: self.form.version,
            hash: self.form.hash.clone(),
            text: self.form.text.clone(),
        };
        let stamp = Stamp {
            form,
            period: self.period.to_owned(),
            spans: days,
            rulebook_seq: rules.seq,
            rulebook_hash: rulebook.hash.clone(),
            fold_version: FOLD_VERSION,
            definitions: spans.definitions(),
            positions: positions.into_iter().map(|one| (one.claim.origin, one.claim.next_offset)).collect(),
            ledger_below,
            as_of: self.as_of,
        };
        Ok(Ok(Made {
            form: self.form.clone(),
            period,
            rulebook: Arc::clone(rulebook),
            figures,
            stamp,
            refold_pending,
            annexes,
        }))
    }
}

impl Made {
    pub fn sheet(&self) -> Sheet {
        lay(&self.form, &self.rulebook, self.period, &self.figures)
    }

    /// A published bulletin as it was, under the rulebook of its stamp.
    pub async fn of_published(pool: &PgPool, published: &Published) -> Result<Self, Error> {
        let stamp = published.frozen.stamp.clone();
        let mut seq = stamp.rulebook_seq;
        let active =
            run_tx(pool, "rulebooks::by_seq", &mut seq, |tx, seq| Box::pin(rulebooks::by_seq(tx, *seq)));
        let rulebook = active.await?.rulebook;
        let form = Form::read(&stamp.form.id, &stamp.form.text)?;
        let period = Period::parse(&stamp.period, form.begins, &rulebook.periods)?;
        Ok(Self {
            form,
            period,
            rulebook,
            figures: published.frozen.figures.clone(),
            stamp,
            refold_pending: false,
            annexes: annex::from_json(&published.frozen.annexes),
        })
    }
}

/// What is published only where somebody says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// A period that is not over.
    pub unfinished: bool,
    /// The same form of the same days once more.
    pub again: bool,
}

impl Allowed {
    fn check(self, made: &Made, published: &[bulletins::Listed]) -> Result<(), Error> {
        let stamp = &made.stamp;
        let today = made.rulebook.timezone.to_datetime(stamp.as_of).date();
        if made.period.to > today && !self.unfinished {
            return Err(Error::PeriodUnfinished { last: made.period.to.yesterday().unwrap_or(Date::MIN) });
        }
        if made.figures.is_empty() {
            return Err(Error::NothingToPublish);
        }
        let days = (made.period.from, made.period.to);
        let same = |one: &&bulletins::Listed| one.form == stamp.form.id && one.days == Some(days);
        match published.iter().filter(same).map(|one| one.id).max() {
            Some(id) if !self.again => Err(Error::AlreadyPublished { id }),
            _ => Ok(()),
        }
    }
}

/// Makes a bulletin and publishes it; its number. Refused with [`Error::RefoldPending`] while some cases count as an older
/// rulebook judged them, and where it is not [`Allowed`].
pub async fn publish(
    pool: &PgPool,
    rules: &Rules,
    (form, period): (&Form, &str),
    allowed: Allowed,
    by: By<'_>,
) -> Result<(i64, Made), Error> {
    let made = make(pool, rules, (form, period), For::Publication, by.at).await?;
    if made.refold_pending {
        return Err(Error::RefoldPending);
    }
    let published = run_tx(pool, "bulletins::list", &mut (), |tx, ()| Box::pin(bulletins::list(tx))).await?;
    allowed.check(&made, &published)?;
    let annexes = annex::to_json(&made.annexes);
    let frozen = Frozen { stamp: made.stamp.clone(), figures: made.figures.clone(), annexes };
    let mut publishing = (frozen, by);
    let id = run_tx(pool, "rates::publish", &mut publishing, |tx, (frozen, by)| {
        Box::pin(async move {
            let id = bulletins::publish(tx, frozen, by).await?;
            record(tx, id, frozen, by.at).await?;
            Ok(id)
        })
    })
    .await?;
    Ok((id, made))
}

/// Writes the closure record of a bulletin.
async fn record(
    tx: &mut PgConnection,
    id: i64,
    frozen: &Frozen,
    at: Timestamp,
) -> Result<(), hotline_postgres::Error> {
    let stamp = &frozen.stamp;
    let form = &stamp.form;
    let bulletin = NewBulletin {
        id,
        written_at: at,
        form: FormOf { id: &form.id, version: form.version, hash: &form.hash, text: &form.text },
        period: &stamp.period,
        spans: &stamp.spans,
        rules: closure::Rules { seq: stamp.rulebook_seq, hash: &stamp.rulebook_hash },
        definitions: &stamp.definitions,
        positions: &stamp.positions,
        ledger_below: stamp.ledger_below.expect("what is published has a cut"),
        as_of: stamp.as_of,
        figures: &frozen.figures,
    };
    let kind = RecordKind::Bulletin.name();
    let leaf = |bytes| Leaf { case_id: None, kind, bytes };
    let leaves: Vec<Leaf> = bulletin.leaves().into_iter().map(leaf).collect();
    closure_records::append(tx, &leaves, at).await
}

/// What has changed since a bulletin was published.
#[derive(Clone, Debug)]
pub struct Since {
    /// The same figures as of now; of definitions that the rulebook no longer has there are none.
    pub figures: Figures,
    pub definitions: BTreeMap<SmolStr, u32>,
    /// Settled results that another rulebook or program judged otherwise.
    pub restatements: Vec<Listed>,
    /// There are more restatements than are listed.
    pub is_cut: bool,
}

/// Restatements that are listed of each span.
const RESTATEMENTS_MAX: usize = 10_000;

struct Comparing<'a> {
    rules: &'a Rules,
    made: &'a Made,
    as_of: Timestamp,
}

/// A published bulletin's figures as of now, and what was restated since.
pub async fn since(pool: &PgPool, rules: &Rules, made: &Made, as_of: Timestamp) -> Result<Since, Error> {
    let mut comparing = Comparing { rules, made, as_of };
    Ok(run_snapshot_tx(pool, "rates::since", &mut comparing, |tx, comparing| Box::pin(comparing.read(tx)))
        .await?)
}

impl Comparing<'_> {
    async fn read(&self, tx: &mut PgConnection) -> Result<Since, hotline_postgres::Error> {
        let rules = self.rules.within(tx).await?;
        let (form, stamp) = (&self.made.form, &self.made.stamp);
        let (asked, _) = form.found(&rules.rulebook);
        let mut spans = Spans::new(form, &asked, &rules.rulebook, &stamp.spans);
        spans.read(tx, self.as_of).await?;
        let mut figures = spans.figures();
        add_reported(tx, form, &stamp.spans, None, &mut figures).await?;
        let (mut restatements, mut is_cut) = (Vec::new(), false);
        for days in stamp.spans.values() {
            let takes = |series: &Series| spans.takes(series);
            let listed = restatements::since(tx, stamp.as_of, *days, RESTATEMENTS_MAX, takes).await?;
            is_cut |= listed.len() == RESTATEMENTS_MAX;
            restatements.extend(listed);
        }
        Ok(Since { figures, definitions: spans.definitions(), restatements, is_cut })
    }
}
