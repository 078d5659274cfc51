//! Closed cases as auditors look for them: rows that a keeper derives from the cases, and pages of them.
//!
//! Batches say which cases they wrote; [`keep`] folds those and makes their rows anew, so that casework pays for a list of
//! ids and nothing else. What waits for it is said with every page ([`pending`]): a row is never wrong for good, it may be some
//! seconds old.
//!
//! A page costs about the same whatever is asked for. How many closed cases have a term is counted by day, so it is known
//! on which days any can be, and whether their few are fetched by their terms or the rows of the days are read one after
//! another. A page that would have to look at more than about [`COST_MAX`] rows ends early, with the place where to go on.

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

pub mod compare;
mod keep;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::{At, On};

use hotline_core::findings::month;
pub use hotline_core::findings::{EVERY, Term};
pub use keep::{Kept, append, keep, keep_step, pending};

/// What a page may cost, in rows that are read one after another: some twenty milliseconds.
const COST_MAX: i64 = 40_000;
/// A row that is fetched by its terms costs as much as so many that are read one after another.
const FETCH_COST: i64 = 16;
/// To pass over so many that have the rarest of several terms costs as much as to read a row.
const PASSED_PER_COST: i64 = 4;
/// … and every month that is looked into so many.
const MONTH_COST: i64 = 200;

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

/// After every closing: an instant that every part of the program can write and read.
const LATEST: Timestamp = Timestamp::constant(253_370_764_800, 0);

impl Position {
    /// The place before all rows of a day: going on from it begins with the last closing of the day.
    pub fn before(day: Date) -> Self {
        Self { day, closed_at: LATEST, case_id: SmolStr::default() }
    }
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

/// Whoever has the database may have put there what no program of ours reads.
fn closed(row: &PgRow) -> Result<Closed, Error> {
    let text = |at: usize| Ok::<_, Error>(SmolStr::from(column::<&str>(row, at)?));
    let optional = |at: usize| Ok::<_, Error>(column::<Option<&str>>(row, at)?.map(SmolStr::from));
    let instant = |at: usize| Ok::<_, Error>(column::<Option<At>>(row, at)?.map(|at| at.0));
    Ok(Closed {
        case_id: text(0)?,
        day: column::<On>(row, 1)?.0,
        closed_at: column::<At>(row, 2)?.0,
        received_at: instant(3)?,
        department: text(4)?,
        hotline: text(5)?,
        case_type: text(6)?,
        category: text(7)?,
        region: text(8)?,
        class: text(9)?,
        kind: text(10)?,
        outcome: optional(11)?,
        verdict: optional(12)?,
        due_at: instant(13)?,
        excluded: column(row, 14)?,
        rounds: column(row, 15)?,
        rating: optional(16)?,
        policies: column(row, 17)?,
        anomalies: column(row, 18)?,
    })
}

/// A column of a list, where it can be read.
pub(crate) fn column<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    at: usize,
) -> Result<T, Error> {
    row.try_get(at).map_err(|_| Error::Malformed { what: "a row of the lists" })
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
    let mut terms = filter.asked();
    terms.push(EVERY);
    let needed = i64::try_from(terms.len()).unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "/* closures::bounds */ SELECT day, CASE WHEN count(*) = $5 THEN min(cases) ELSE 0 END, max(cases)
           FROM closure_days
          WHERE term = ANY($1) AND day >= $2 AND day < $3 AND day <= $4
          GROUP BY day ORDER BY day DESC",
    )
    .bind(terms)
    .bind(On(filter.from.unwrap_or(FIRST)))
    .bind(On(filter.to.unwrap_or(LAST)))
    .bind(On(until.unwrap_or(LAST)))
    .bind(needed)
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
    plan_each_time(tx).await?;
    let bounds = bounds(tx, filter, after.map(|after| after.day)).await?;
    let mut walk = Walk::new(&bounds, after.map(|after| after.day), limit);
    let mut page = Page::default();
    while page.rows.len() <= limit {
        let Some(window) = walk.next_window() else { return Ok(page) };
        if walk.is_spent() {
            page.next = Some(Position::before(window.newest));
            return Ok(page);
        }
        let missing = limit + 1 - page.rows.len();
        let rows = rows(tx, filter, &window, after, missing).await?;
        walk.took(&window, rows.len());
        page.rows.extend(rows);
    }
    page.rows.truncate(limit);
    page.next = page.rows.last().map(Closed::position);
    Ok(page)
}

/// Plans that do not know what is asked for read whatever they like.
async fn plan_each_time(tx: &mut PgConnection) -> Result<(), Error> {
    let name = "closures::plan_each_time";
    sqlx::query("/* closures::plan_each_time */ SET LOCAL plan_cache_mode = 'force_custom_plan'")
        .execute(tx)
        .await
        .map(drop)
        .map_err(Error::database(name))
}

/// The way through the days, from the newest on: how much was found of what there may have been, and what it has cost.
#[derive(Debug)]
struct Walk<'b> {
    left: &'b [Bound],
    /// The day of which a part was read before.
    begun: Option<Date>,
    wanted: i64,
    cost_max: i64,
    cost: i64,
    asked: i64,
    found: i64,
}

/// Days that are read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    /// How many of the days, those between that have none included.
    days: usize,
    newest: Date,
    oldest: Date,
    asked: i64,
    /// All rows from the newest of its days to the oldest.
    all: i64,
    /// The months in which rows are fetched by their terms; empty: all rows are read one after another.
    months: Vec<SmolStr>,
}

impl<'b> Walk<'b> {
    fn new(bounds: &'b [Bound], begun: Option<Date>, limit: usize) -> Self {
        // One row too many tells whether there are more.
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX / FETCH_COST / 4).saturating_add(1);
        let cost_max = COST_MAX.max(wanted.saturating_mul(2 * FETCH_COST));
        Self { left: bounds, begun, wanted, cost_max, cost: 0, asked: 0, found: 0 }
    }

    /// How many are likely to be found among so many that may be: as many as were so far, at first all.
    fn likely(&self, asked: i64) -> i64 {
        if self.asked == 0 { asked } else { (asked.saturating_mul(self.found + 1) / self.asked).min(asked) }
    }

    /// The days that are read next, in the way that is likely to find more for its cost; None: there are no more.
    fn next_window(&self) -> Option<Window> {
        let first = self.left.iter().position(|bound| bound.asked > 0)?;
        let (whole, fetched) = (self.whole(first), self.fetched(first));
        let found = |window: &Window| self.likely(window.asked).clamp(1, self.wanted);
        let cost = self.fetching(&fetched);
        let is_whole = whole.all.saturating_mul(found(&fetched)) <= cost.saturating_mul(found(&whole));
        Some(if is_whole { whole } else { fetched })
    }

    fn from(&self, first: usize) -> Window {
        let newest = self.left[first].day;
        Window { days: first, newest, oldest: newest, asked: 0, all: 0, months: Vec::new() }
    }

    /// Days of one month, read whole until there are likely to be as many as are wanted. At least one day, however many
    /// cases it has.
    fn whole(&self, first: usize) -> Window {
        let (mut window, mut between) = (self.from(first), 0);
        for (at, bound) in self.left.iter().enumerate().skip(first) {
            if month(bound.day) != month(window.newest) {
                break;
            }
            if bound.asked == 0 {
                between += bound.all;
                continue;
            }
            let all = window.all + between + bound.all;
            let is_enough = self.likely(window.asked) >= self.wanted || all > self.cost_max / 2;
            if window.asked > 0 && is_enough {
                break;
            }
            window =
                Window { days: at + 1, oldest: bound.day, asked: window.asked + bound.asked, all, ..window };
            between = 0;
        }
        window
    }

    /// Months in which cases are fetched by their terms, until there are likely to be as many as are wanted. At least one.
    fn fetched(&self, first: usize) -> Window {
        let mut window = self.from(first);
        while let Some(next) = self.left.get(window.days) {
            let is_enough =
                self.likely(window.asked) >= self.wanted || self.fetching(&window) > self.cost_max / 2;
            if window.asked > 0 && is_enough {
                break;
            }
            let of_month =
                self.left[window.days..].iter().take_while(|bound| month(bound.day) == month(next.day));
            let before = window.asked;
            for bound in of_month {
                window.days += 1;
                window.all += bound.all;
                window.asked += bound.asked;
                window.oldest = bound.day;
            }
            if window.asked > before {
                window.months.push(month(next.day));
            }
        }
        window
    }

    /// What fetching by terms is likely to cost.
    fn fetching(&self, window: &Window) -> i64 {
        let months = i64::try_from(window.months.len()).unwrap_or(i64::MAX);
        let fetched = self.likely(window.asked).saturating_mul(FETCH_COST);
        fetched
            .saturating_add(window.asked / PASSED_PER_COST)
            .saturating_add(months.saturating_mul(MONTH_COST))
    }

    /// Whether the page ends here, full or not.
    fn is_spent(&self) -> bool {
        self.cost > self.cost_max
    }

    fn took(&mut self, window: &Window, found: usize) {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        self.left = &self.left[window.days..];
        self.cost += if window.months.is_empty() {
            window.all
        } else {
            found.saturating_mul(FETCH_COST).saturating_add(window.asked / PASSED_PER_COST)
        };
        // What was read before is not missing.
        self.asked += if self.begun == Some(window.newest) { found } else { window.asked };
        self.found += found;
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
    // `OFFSET 0` keeps the conditions outside of it from going in: which way is taken is decided here. The upper end is
    // told once: of two that hold the server may begin at the one that is farther off.
    let sql = if window.months.is_empty() {
        select!(
            "/* closures::rows */",
            "FROM (SELECT * FROM closures WHERE day >= $2 AND (day, closed_at, case_id) < ($3, $4, $5)
                    ORDER BY day DESC, closed_at DESC, case_id DESC OFFSET 0) AS days
              WHERE terms @> ARRAY (SELECT term || month FROM unnest($1::text[]) AS asked (term), unnest($7::text[]) AS months (month))
              ORDER BY day DESC, closed_at DESC, case_id DESC LIMIT $6"
        )
    } else {
        select!(
            "/* closures::rows */",
            "FROM unnest($7::text[]) AS months (month)
             CROSS JOIN LATERAL (SELECT * FROM closures
                  WHERE terms @> ARRAY (SELECT term || month FROM unnest($1::text[]) AS asked (term)) OFFSET 0) AS found
              WHERE day >= $2 AND (day, closed_at, case_id) < ($3, $4, $5)
              ORDER BY day DESC, closed_at DESC, case_id DESC LIMIT $6"
        )
    };
    let upper = match after {
        Some(after) if after.day <= window.newest => after.clone(),
        _ => Position::before(window.newest),
    };
    let whole = [month(window.newest)];
    let months = if window.months.is_empty() { whole.as_slice() } else { window.months.as_slice() };
    let rows = sqlx::query(sql)
        .bind(filter.asked())
        .bind(On(window.oldest))
        .bind(On(upper.day))
        .bind(At(upper.closed_at))
        .bind(upper.case_id.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(months.iter().map(SmolStr::as_str).collect::<Vec<_>>())
        .fetch_all(tx)
        .await
        .map_err(Error::database("closures::rows"))?;
    rows.iter().map(closed).collect()
}

/// The row of one case; None while it is open.
pub async fn by_case(tx: &mut PgConnection, case: &str) -> Result<Option<Closed>, Error> {
    let row = sqlx::query(select!("/* closures::by_case */", "FROM closures WHERE case_id = $1"))
        .bind(case)
        .fetch_optional(tx)
        .await
        .map_err(Error::database("closures::by_case"))?;
    row.as_ref().map(closed).transpose()
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

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    /// So many days, the newest first, each with as many cases asked for of as many.
    fn days(count: i32, asked: i64, all: i64) -> Vec<Bound> {
        let newest = Date::constant(2026, 10, 31);
        (0..count).map(|n| Bound { day: newest.saturating_sub(n.days()), asked, all }).collect()
    }

    #[test]
    fn what_is_common_is_read_day_by_day_and_what_is_rare_is_fetched_month_by_month() {
        let common = days(400, 4_000, 9_000);
        let window = Walk::new(&common, None, 100).next_window().expect("there are some");
        assert_eq!((window.days, window.months.len()), (1, 0));
        let rare = days(400, 1, 9_000);
        let window = Walk::new(&rare, None, 100).next_window().expect("there are some");
        // Five months have more than the hundred and one that are wanted; the walk begins at the end of the first.
        assert_eq!((window.months.first().map(SmolStr::as_str), window.months.len()), (Some("@2026-10"), 4));
        assert!(Walk::new(&days(9, 0, 9_000), None, 100).next_window().is_none());
    }

    #[test]
    fn a_page_that_finds_nothing_ends_before_it_costs_too_much() {
        for (asked, all) in [(900, 9_000), (9_000, 9_000), (30, 9_000), (1, 1)] {
            let bounds = days(1_100, asked, all);
            let (mut walk, mut windows) = (Walk::new(&bounds, None, 100), 0);
            while let Some(window) = walk.next_window().filter(|_| !walk.is_spent()) {
                walk.took(&window, 0);
                windows += 1;
                assert!(windows <= 100, "{asked} of {all}: it gets on");
            }
            assert!(walk.cost <= 2 * COST_MAX, "{asked} of {all}: {}", walk.cost);
            assert!(walk.left.len() < bounds.len(), "{asked} of {all}: a page always gets on");
        }
    }

    #[test]
    fn a_day_of_which_most_was_read_before_does_not_make_the_rest_seem_rare() {
        let bounds = days(100, 225, 9_000);
        let mut walk = Walk::new(&bounds, Some(bounds[0].day), 100);
        let first = walk.next_window().expect("there are some");
        walk.took(&first, 5);
        assert_eq!(walk.likely(225), 225);
        assert_eq!(walk.next_window().expect("there are more").months.len(), 0);
    }
}
