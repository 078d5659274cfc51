//! Which cases a figure of a published bulletin counts.
//!
//! A figure is frozen as sums, and nothing says of which cases. But each fact of a case has its number in the ledger, and the
//! stamp says below which number all was known: a case is taken as it was known then, scored under the rulebook of the stamp, and
//! asked what it adds. It is told with what is known now, too.
//!
//! The sums of all pages are the figure, but for two things that are kept nowhere beside a case: what a source said in a snapshot
//! that a newer one has replaced since, and that the times of a case were corrected since by more than [`REACH_DAYS`]. Whoever adds
//! the pages up sees it; `hotline bulletin --stamp` counts from the ledger itself. A page costs about the same however few of the
//! cases count.

use std::sync::Arc;

use hotline_core::bulletin::{Place, Sums};
use hotline_core::case::CaseFacts;
use hotline_core::fold::{FOLD_VERSION, fold};
use hotline_core::rate::{By, Query, Table};
use hotline_core::rulebook::Rulebook;
use hotline_core::score::{NOBODY, Score, score};
use hotline_postgres::bulletins::Stamp;
use hotline_postgres::cases::{self, Loaded, Reach};
use hotline_postgres::{Error as Store, PgPool, Rules, rulebooks, run_read_tx};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use smol_str::SmolStr;

use crate::error::Error;
use crate::form::Form;

/// A case may count on days up to so long after it was closed for the last time, or before it was received.
const REACH_DAYS: i32 = 366;
/// Cases looked at in one statement, …
const SLICE: i64 = 5_000;
/// … and for one page at most, and how many of them that may count: those are decoded, and some are folded.
const LOOKED_MAX: i64 = 200_000;
const SCORED_MAX: usize = 10_000;
/// Cases of a page, but for those of the last slice.
const ROWS: usize = 200;

/// A case that a figure counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub case: SmolStr,
    /// What it added as it was known to the bulletin.
    pub then: Sums,
    /// … and what it would add by what is known now, under the same rulebook and as of the same instant.
    pub now: Sums,
    /// Something of it came in since.
    pub is_newer: bool,
}

/// Cases that a figure counts, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub cases: Vec<Counted>,
    /// After which case to go on, whether or not it counts; None: all were looked at.
    pub next: Option<SmolStr>,
}

/// The cases that a rate of a department counts in a bulletin, after a case; start with `""`. Fails if it is another rulebook or
/// program that counted.
pub async fn page(
    pool: &PgPool,
    rules: &Rules,
    stamp: &Stamp,
    place: &Place,
    after: &str,
) -> Result<Page, Error> {
    if stamp.fold_version != FOLD_VERSION {
        return Err(Error::OtherFold { wanted: stamp.fold_version });
    }
    let rulebook = rulebook_of(pool, rules, stamp).await?;
    let form = Form::read(&stamp.form.id, &stamp.form.text)?;
    let rate = rulebook.rates.get(&place.id).ok_or_else(|| Error::UnknownRate {
        id: place.id.to_string(),
        known: rulebook.rates.keys().map(SmolStr::as_str).collect::<Vec<_>>().join(", "),
    })?;
    let (from, to) = stamp.spans.get(&place.span).copied().ok_or(Error::Period)?;
    let query = Query { rates: vec![rate], scores: Vec::new(), by: By::default(), from, to };
    let table = Table::new(&query, &rulebook).only(form.only.clone());
    let mut counting = Counting { table, query, rulebook: &rulebook, stamp, department: &place.department };
    let is_office = rulebook.hotlines.values().any(|hotline| hotline.office == place.department);
    let reach = Reach {
        since: midnight(from.saturating_sub(REACH_DAYS.days()))?,
        until: midnight(to.saturating_add(REACH_DAYS.days()))?,
        // A case counts for a department because one of its facts names it; for an office, because it is of its hotline.
        named: (place.department != NOBODY && !is_office).then_some(place.department.as_str()),
    };
    let mut page = Page::default();
    let (mut looked, mut scored, mut after) = (0, 0, SmolStr::from(after));
    while page.cases.len() < ROWS && scored < SCORED_MAX && looked < LOOKED_MAX {
        let mut asked = (reach, after);
        let read = run_read_tx(pool, "rates::counted", &mut asked, |tx, (reach, after)| {
            Box::pin(cases::reaching(tx, *reach, after, SLICE))
        });
        let Some((last, loaded)) = read.await? else { return Ok(page) };
        for case in &loaded {
            page.cases.extend(counting.case(case)?);
        }
        looked += SLICE;
        scored += loaded.len();
        after = last;
    }
    page.next = Some(after);
    Ok(page)
}

/// The rulebook of a stamp.
async fn rulebook_of(pool: &PgPool, rules: &Rules, stamp: &Stamp) -> Result<Arc<Rulebook>, Error> {
    let in_force = rules.current().await?;
    let rulebook = if in_force.seq == stamp.rulebook_seq {
        Arc::clone(&in_force.rulebook)
    } else {
        let mut seq = stamp.rulebook_seq;
        let read =
            run_read_tx(pool, "rulebooks::by_seq", &mut seq, |tx, seq| Box::pin(rulebooks::by_seq(tx, *seq)));
        read.await?.rulebook
    };
    if rulebook.hash != stamp.rulebook_hash {
        let (wanted, found) = (stamp.rulebook_hash.clone(), rulebook.hash.clone());
        return Err(Error::OtherRulebook { wanted, found });
    }
    Ok(rulebook)
}

/// Where exactly a day begins does not matter beside [`REACH_DAYS`].
fn midnight(day: Date) -> Result<Timestamp, Error> {
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_err(|_| Error::Period)
}

struct Counting<'r> {
    /// Empty between two cases.
    table: Table<'r>,
    query: Query<'r>,
    rulebook: &'r Rulebook,
    stamp: &'r Stamp,
    department: &'r SmolStr,
}

impl Counting<'_> {
    /// None: it does not count.
    fn case(&mut self, loaded: &Loaded) -> Result<Option<Counted>, Error> {
        let case = &loaded.case_id;
        let facts =
            CaseFacts::decode(&loaded.facts).map_err(|source| Store::Facts { case: case.clone(), source })?;
        let below = self.stamp.ledger_below.map_or(u64::MAX, i64::unsigned_abs);
        let known = facts.known_below(below, self.stamp.as_of);
        if known.is_empty() {
            return Ok(None);
        }
        let is_newer = known != facts;
        let is_stored = loaded.rulebook_seq == self.stamp.rulebook_seq
            && u32::try_from(loaded.fold_version) == Ok(FOLD_VERSION);
        let then = if is_stored && !is_newer {
            Score::decode(&loaded.score).map_err(|_| Store::Score { case: case.clone() })?
        } else {
            score(&fold(case, &known, self.rulebook), self.rulebook)
        };
        let then = self.adds(&then);
        if (then.numerator, then.denominator) == (0, 0) {
            return Ok(None);
        }
        let now = if is_newer {
            self.adds(&score(&fold(case, &facts, self.rulebook), self.rulebook))
        } else {
            then
        };
        Ok(Some(Counted { case: case.clone(), then, now, is_newer }))
    }

    fn adds(&mut self, score: &Score) -> Sums {
        self.table.add_score(score, self.stamp.as_of);
        let answer = self.table.answer_whole(&self.query, self.rulebook);
        self.table.clear();
        let row = answer.rows.into_iter().find(|row| row.department == *self.department);
        row.map_or(Sums::NOTHING, |row| Sums {
            numerator: row.numerator,
            denominator: row.denominator,
            scale: row.scale,
        })
    }
}
