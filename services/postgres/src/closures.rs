//! Closed cases as auditors look for them: rows that a keeper derives from the cases, and pages of them.
//!
//! Batches say which cases they wrote; [`keep`] folds those and makes their rows anew, so that casework pays for a list of
//! ids and nothing else. What waits for it is said with every page ([`pending`]): a row is never wrong for good, it may be some
//! seconds old.
//!
//! A page costs about the same whatever is asked for. How many closed cases have a term is counted by day, so it is known
//! on which days any can be, and whether a day's few are fetched by their terms or its rows are read one after another. A
//! page that would have to look at more than [`COST_MAX`] rows ends early, with the place where to go on.

/// The columns of a row, in the order in which [`closed`] reads them.
macro_rules! select {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " SELECT case_id, day, closed_at, received_at, department, hotline, case_type, category, region, class,
                kind, outcome, verdict, due_at, excluded, rounds, rating, policies, anomalies ",
            $tail
        )
    };
}

mod keep;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::{At, On};

pub use hotline_core::findings::{EVERY, Term};
pub use keep::{Kept, append, keep, keep_step, pending};

/// What a page may cost, in rows that are read one after another: some tens of milliseconds.
const COST_MAX: i64 = 100_000;
/// A row that is fetched by its terms costs as much as so many that are read one after another.
const FETCH_COST: i64 = 8;

/// Which closed cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// All of them hold: see [`Filter::with`].
    pub terms: Vec<SmolStr>,
    /// Closed on this day or later, in the rulebook's zone.
    pub from: Option<Date>,
    /// … and before this one.
    pub to: Option<Date>,
}

impl Filter {
    /// Only cases of which this holds, too.
    #[must_use]
    pub fn with(mut self, term: Term, value: &str) -> Self {
        self.terms.push(term.of(value));
        self.terms.sort_unstable();
        self.terms.dedup();
        self
    }

    fn asked(&self) -> Vec<&str> {
        self.terms.iter().map(SmolStr::as_str).collect()
    }
}

/// A place in the order of closings, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub day: Date,
    pub closed_at: Timestamp,
    pub case_id: SmolStr,
}

/// A closed case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub case_id: SmolStr,
    pub day: Date,
    pub closed_at: Timestamp,
    pub received_at: Option<Timestamp>,
    /// `-`: nobody.
    pub department: SmolStr,
    pub hotline: SmolStr,
    pub case_type: SmolStr,
    /// A path from broad to narrow.
    pub category: SmolStr,
    pub region: SmolStr,
    pub class: SmolStr,
    pub kind: SmolStr,
    pub outcome: Option<SmolStr>,
    pub verdict: Option<SmolStr>,
    pub due_at: Option<Timestamp>,
    /// A ruling took the verdict out of what counts.
    pub excluded: bool,
    pub rounds: i32,
    pub rating: Option<SmolStr>,
    pub policies: Vec<String>,
    pub anomalies: Vec<String>,
}

impl Closed {
    pub fn position(&self) -> Position {
        Position { day: self.day, closed_at: self.closed_at, case_id: self.case_id.clone() }
    }
}

fn closed(row: &PgRow) -> Closed {
    let text = |at: usize| SmolStr::from(row.get::<&str, _>(at));
    let optional = |at: usize| row.get::<Option<&str>, _>(at).map(SmolStr::from);
    Closed {
        case_id: text(0),
        day: row.get::<On, _>(1).0,
        closed_at: row.get::<At, _>(2).0,
        received_at: row.get::<Option<At>, _>(3).map(|at| at.0),
        department: text(4),
        hotline: text(5),
        case_type: text(6),
        category: text(7),
        region: text(8),
        class: text(9),
        kind: text(10),
        outcome: optional(11),
        verdict: optional(12),
        due_at: row.get::<Option<At>, _>(13).map(|at| at.0),
        excluded: row.get(14),
        rounds: row.get(15),
        rating: optional(16),
        policies: row.get(17),
        anomalies: row.get(18),
    }
}

/// Some closed cases, the newest closing first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<Closed>,
    /// Where to go on; None: there is nothing after these. A page may hold fewer rows than were asked for and go on.
    pub next: Option<Position>,
}

/// How many closed cases a filter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exactly(i64),
    /// Several terms are asked for: on each day no more than the rarest of them has.
    AtMost(i64),
}

/// How many closed cases a day has at most that are asked for, and how many in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    day: Date,
    asked: i64,
    all: i64,
}

/// The days on which something was closed, from the newest on; where none can be asked for, `asked` is 0.
async fn bounds(tx: &mut PgConnection, filter: &Filter, until: Option<Date>) -> Result<Vec<Bound>, Error> {
    let rows = sqlx::query(
        "/* closures::bounds */ SELECT day, CASE WHEN count(*) = $5 THEN min(cases) ELSE 0 END, max(cases)
           FROM closure_days
          WHERE (term = ANY($1) OR term = '*') AND day >= $2 AND day < $3 AND day <= $4
          GROUP BY day ORDER BY day DESC",
    )
    .bind(filter.asked())
    .bind(On(filter.from.unwrap_or(FIRST)))
    .bind(On(filter.to.unwrap_or(LAST)))
    .bind(On(until.unwrap_or(LAST)))
    .bind(i64::try_from(filter.terms.len()).unwrap_or(i64::MAX).saturating_add(1))
    .fetch_all(tx)
    .await
    .map_err(Error::database("closures::bounds"))?;
    let bound = |row: &PgRow| Bound { day: row.get::<On, _>(0).0, asked: row.get(1), all: row.get(2) };
    Ok(rows.iter().map(bound).collect())
}

/// Days that PostgreSQL knows, before and after all closings.
const FIRST: Date = Date::constant(1, 1, 1);
const LAST: Date = Date::constant(9999, 12, 31);

/// How many closed cases a filter finds: exactly where it asks for one term or none.
pub async fn count(tx: &mut PgConnection, filter: &Filter) -> Result<Count, Error> {
    let cases = bounds(tx, filter, None).await?.iter().map(|bound| bound.asked).sum();
    Ok(if filter.terms.len() <= 1 { Count::Exactly(cases) } else { Count::AtMost(cases) })
}

/// At most `limit` closed cases after a place, the newest closing first; `limit` is at least 1.
pub async fn page(
    tx: &mut PgConnection,
    filter: &Filter,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page, Error> {
    // Plans that do not know the terms asked for read whatever they like.
    sqlx::query("/* closures::page */ SET LOCAL plan_cache_mode = 'force_custom_plan'")
        .execute(&mut *tx)
        .await
        .map_err(Error::database("closures::page"))?;
    let bounds = bounds(tx, filter, after.map(|after| after.day)).await?;
    let mut page = Page::default();
    let (mut left, mut cost) = (bounds.as_slice(), 0);
    let mut wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(2);
    while let Some(window) = Window::first_of(left, wanted).filter(|_| page.rows.len() <= limit) {
        let is_first = cost == 0;
        cost += window.cost();
        if cost > COST_MAX && !is_first {
            // The first row of the next day is after every row of the one before it.
            page.next = Some(Position { day: window.newest, closed_at: Timestamp::MAX, case_id: "".into() });
            return Ok(page);
        }
        let missing = limit + 1 - page.rows.len();
        page.rows.extend(rows(tx, filter, &window, after, missing).await?);
        left = &left[window.days..];
        wanted = wanted.saturating_mul(4);
    }
    if page.rows.len() > limit {
        page.rows.truncate(limit);
        page.next = page.rows.last().map(Closed::position);
    }
    Ok(page)
}

/// Days that are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// How many of the days, those before the first with any included.
    days: usize,
    newest: Date,
    oldest: Date,
    asked: i64,
    /// … and all rows from the newest of its days to the oldest.
    all: i64,
}

impl Window {
    /// Days until there may be as many as are wanted, at least one; None: there are none.
    fn first_of(bounds: &[Bound], wanted: i64) -> Option<Self> {
        let first = bounds.iter().position(|bound| bound.asked > 0)?;
        let newest = bounds[first].day;
        let mut window = Self { days: first, newest, oldest: newest, asked: 0, all: 0 };
        let mut between = 0;
        for (at, bound) in bounds.iter().enumerate().skip(first) {
            if bound.asked == 0 {
                between += bound.all;
                continue;
            }
            let (asked, all) = (window.asked + bound.asked, window.all + between + bound.all);
            let grown = Self { days: at + 1, oldest: bound.day, asked, all, ..window };
            if window.asked > 0 && (window.asked >= wanted || grown.cost() > COST_MAX / 2) {
                break;
            }
            (window, between) = (grown, 0);
        }
        Some(window)
    }

    /// Whether its rows are read one after another: where most are asked for.
    fn is_read_whole(&self) -> bool {
        self.all <= self.asked.saturating_mul(FETCH_COST)
    }

    fn cost(&self) -> i64 {
        self.all.min(self.asked.saturating_mul(FETCH_COST))
    }
}

/// The rows of a window, after a place.
async fn rows(
    tx: &mut PgConnection,
    filter: &Filter,
    window: &Window,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<Closed>, Error> {
    // `OFFSET 0` keeps the conditions outside of it from going in: which way is taken is decided here.
    let sql = if window.is_read_whole() {
        select!(
            "/* closures::rows */",
            "FROM (SELECT * FROM closures WHERE day >= $2 AND day <= $3 AND (day, closed_at, case_id) < ($4, $5, $6)
                    ORDER BY day DESC, closed_at DESC, case_id DESC OFFSET 0) AS days
              WHERE terms @> $1 ORDER BY day DESC, closed_at DESC, case_id DESC LIMIT $7"
        )
    } else {
        select!(
            "/* closures::rows */",
            "FROM (SELECT * FROM closures WHERE terms @> $1 OFFSET 0) AS found
              WHERE day >= $2 AND day <= $3 AND (day, closed_at, case_id) < ($4, $5, $6)
              ORDER BY day DESC, closed_at DESC, case_id DESC LIMIT $7"
        )
    };
    let after = after.cloned().unwrap_or(Position {
        day: LAST,
        closed_at: Timestamp::MAX,
        case_id: SmolStr::default(),
    });
    let rows = sqlx::query(sql)
        .bind(filter.asked())
        .bind(On(window.oldest))
        .bind(On(window.newest))
        .bind(On(after.day))
        .bind(At(after.closed_at))
        .bind(after.case_id.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(tx)
        .await
        .map_err(Error::database("closures::rows"))?;
    Ok(rows.iter().map(closed).collect())
}

/// The row of one case; None while it is open.
pub async fn by_case(tx: &mut PgConnection, case: &str) -> Result<Option<Closed>, Error> {
    let row = sqlx::query(select!("/* closures::by_case */", "FROM closures WHERE case_id = $1"))
        .bind(case)
        .fetch_optional(tx)
        .await
        .map_err(Error::database("closures::by_case"))?;
    Ok(row.as_ref().map(closed))
}

/// How many closed cases have each of these terms on the days of a span; those that none has are left out.
pub async fn by_term(
    tx: &mut PgConnection,
    terms: &[SmolStr],
    (from, to): (Date, Date),
) -> Result<BTreeMap<SmolStr, i64>, Error> {
    let rows = sqlx::query(
        "/* closures::by_term */ SELECT term, sum(cases)::bigint FROM closure_days
          WHERE term = ANY($1) AND day >= $2 AND day < $3 GROUP BY term",
    )
    .bind(terms.iter().map(SmolStr::as_str).collect::<Vec<_>>())
    .bind(On(from))
    .bind(On(to))
    .fetch_all(tx)
    .await
    .map_err(Error::database("closures::by_term"))?;
    Ok(rows.iter().map(|row| (row.get::<&str, _>(0).into(), row.get(1))).collect())
}
