//! The lists of closed cases and of findings beside the cases, made as the keeper makes them, and the counts by day beside the
//! lists: whoever alters one of these rows hides a case from all who search.
//!
//! What it cannot tell: a row of a case that waits for the keeper, or for the pass of another rulebook or program. It is to be
//! made anew, whatever it says now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use super::keep::{Made, row};
use super::{Closed, FIRST, LAST, closed, column, plan_each_time};
use crate::cases::{self, Loaded, fold_version};
use crate::error::Error;
use crate::findings;
use crate::refolds;
use crate::rules::{InForce, Rules};
use crate::sql_types::On;

/// Cases that are read and folded at once: well below the time that a transaction may be idle.
const PAGE: i64 = 2_000;
/// Cases that wait for the keeper and are held: some hundred megabytes.
pub const WAITING_MAX: usize = 2_000_000;
/// Counts of a month that are told.
const COUNTS_MAX: i64 = 1_000;

/// Where a list says otherwise than the cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The stable code.
    pub code: &'static str,
    pub what: String,
}

/// What a step compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Cases whose rows were made anew.
    pub cases: u64,
    /// Cases that were left out, since their rows are to be made anew anyway.
    pub waiting: u64,
    pub differences: Vec<Difference>,
}

/// A comparison under way; all of it is to be within one snapshot.
#[derive(Debug)]
pub struct Comparison {
    /// How many cases there are.
    pub cases: u64,
    in_force: Arc<InForce>,
    /// The keeper has still to look at these.
    waiting: BTreeSet<SmolStr>,
    /// Cases of another fold are on their way to the keeper, too.
    is_refolding: bool,
    at: Place,
}

/// Where a comparison is.
#[derive(Debug)]
enum Place {
    /// After this case.
    Case(SmolStr),
    /// At the counts from this day on.
    Day(Date),
    End,
}

impl Comparison {
    /// None: more than [`WAITING_MAX`] cases wait for the keeper. [`Error::NoRulebook`]: there are no cases yet.
    pub async fn begin(tx: &mut PgConnection, rules: &Rules) -> Result<Option<Self>, Error> {
        let name = "closures::compare";
        plan_each_time(tx).await?;
        let in_force = rules.within(tx).await?;
        let waiting: Vec<String> = sqlx::query_scalar(
            "/* closures::compare */ SELECT DISTINCT case_id FROM closure_changes LIMIT $1",
        )
        .bind(i64::try_from(WAITING_MAX + 1).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database(name))?;
        if waiting.len() > WAITING_MAX {
            return Ok(None);
        }
        let cases: i64 = sqlx::query_scalar("/* closures::compare */ SELECT count(*) FROM cases")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(name))?;
        Ok(Some(Self {
            cases: cases.unsigned_abs(),
            in_force,
            waiting: waiting.into_iter().map(SmolStr::from).collect(),
            is_refolding: !refolds::is_done(tx).await?,
            at: Place::Case(SmolStr::default()),
        }))
    }

    /// Compares the lists of the next cases, then the counts of the next month that has any. None: it is through.
    pub async fn step(&mut self, tx: &mut PgConnection) -> Result<Option<Compared>, Error> {
        match std::mem::replace(&mut self.at, Place::End) {
            Place::Case(after) => self.compare(tx, &after).await.map(Some),
            Place::Day(from) => {
                let odd = if from == FIRST { odd_days(tx).await? } else { Vec::new() };
                let Some(day) = next_day(tx, from).await? else {
                    return Ok(
                        (!odd.is_empty()).then(|| Compared { differences: odd, ..Compared::default() })
                    );
                };
                let last = day.last_of_month();
                if let Ok(next) = last.tomorrow() {
                    self.at = Place::Day(next);
                }
                let mut differences = odd;
                differences.extend(miscounted(tx, (day, last)).await?);
                Ok(Some(Compared { differences, ..Compared::default() }))
            }
            Place::End => Ok(None),
        }
    }

    /// The rows of the next cases, and of those between that there are not.
    async fn compare(&mut self, tx: &mut PgConnection, after: &str) -> Result<Compared, Error> {
        let loaded = cases::page(tx, after, PAGE).await?;
        let last = loaded.last().map(|last| last.case_id.clone());
        let mut page = Page {
            waiting: &self.waiting,
            left_out: BTreeSet::new(),
            made: BTreeMap::new(),
            found: Vec::new(),
        };
        for one in &loaded {
            if self.is_to_come(one) {
                page.left_out.insert(one.case_id.clone());
                continue;
            }
            match Made::of(one, &self.in_force.rulebook) {
                Ok(made) => _ = page.made.insert(one.case_id.clone(), made),
                Err(error) => {
                    page.add(
                        "case_unfolded",
                        format!("the lists of {} are not compared: {error}", one.case_id),
                    );
                    page.left_out.insert(one.case_id.clone());
                }
            }
        }
        let range = (after, last.as_deref());
        page.closures(tx, range).await?;
        page.findings(tx, range).await?;
        let (cases, waiting) = (page.made.len() as u64, page.left_out.len() as u64);
        let differences = page.found;
        // The page after the last case is empty, and takes whatever rows there still are.
        self.at = last.map_or(Place::Day(FIRST), Place::Case);
        Ok(Compared { cases, waiting, differences })
    }

    fn is_to_come(&self, case: &Loaded) -> bool {
        let is_of_another = || (case.rulebook_seq, case.fold_version) != (self.in_force.seq, fold_version());
        self.waiting.contains(&case.case_id) || self.is_refolding && is_of_another()
    }
}

/// Some cases, and what of their rows differs.
struct Page<'c> {
    waiting: &'c BTreeSet<SmolStr>,
    /// Cases whose rows cannot be told to be right or wrong.
    left_out: BTreeSet<SmolStr>,
    made: BTreeMap<SmolStr, Made>,
    found: Vec<Difference>,
}

impl Page<'_> {
    fn add(&mut self, code: &'static str, what: String) {
        self.found.push(Difference { code, what });
    }

    fn leaves_out(&self, case: &SmolStr) -> bool {
        self.left_out.contains(case) || self.waiting.contains(case)
    }

    async fn closures(
        &mut self,
        tx: &mut PgConnection,
        (after, to): (&str, Option<&str>),
    ) -> Result<(), Error> {
        let stored = sqlx::query(select!(
            "/* closures::compare */",
            ", terms FROM closures WHERE case_id > $1 AND ($2::text IS NULL OR case_id <= $2) ORDER BY case_id"
        ))
        .bind(after)
        .bind(to)
        .fetch_all(tx)
        .await
        .map_err(Error::database("closures::compare"))?;
        let mut listed = BTreeSet::new();
        for stored in &stored {
            let case = SmolStr::from(stored.get::<&str, _>(0));
            if self.leaves_out(&case) {
                continue;
            }
            let read = |stored| Ok::<(Vec<String>, Closed), Error>((column(stored, 19)?, closed(stored)?));
            let Ok((terms, stored)) = read(stored) else {
                self.add("closure_differs", format!("{case} is listed with what cannot be read"));
                listed.insert(case);
                continue;
            };
            match self.made.get(&case).and_then(|made| made.closure.as_ref()) {
                None => {
                    let what = format!("{case} is listed as closed on {}, and is not closed", stored.day);
                    self.add("closure_extra", what);
                }
                Some(closure) if row(&case, closure).closed != stored || closure.keys() != terms => {
                    let what =
                        format!("{case}, closed on {}, is listed otherwise than a fold says", closure.day);
                    self.add("closure_differs", what);
                }
                Some(_) => {}
            }
            listed.insert(case);
        }
        let expected = self.made.iter().filter_map(|(case, made)| Some((case, made.closure.as_ref()?)));
        let missing = expected.filter(|(case, _)| !listed.contains(*case));
        self.found.extend(missing.map(|(case, closure)| Difference {
            code: "closure_missing",
            what: format!("{case} was closed on {} and is not listed", closure.day),
        }));
        Ok(())
    }

    async fn findings(&mut self, tx: &mut PgConnection, range: (&str, Option<&str>)) -> Result<(), Error> {
        let mut expected = BTreeMap::new();
        for (case, made) in &self.made {
            let rows = made.rows(case).map(|new| new.listed());
            expected.extend(rows.map(|row| ((row.case_id.clone(), row.place), row)));
        }
        let mut others = Vec::new();
        for (case, place, stored) in findings::between(tx, range).await? {
            let key = (case, place);
            if stored.is_some() && expected.get(&key) == stored.as_ref() {
                expected.remove(&key);
            } else if !self.leaves_out(&key.0) {
                others.push(key);
            }
        }
        for key in others {
            let is_expected = expected.remove(&key).is_some();
            let (case, place) = key;
            if is_expected {
                self.add(
                    "finding_differs",
                    format!("finding {place} of {case} is listed otherwise than a fold says"),
                );
            } else {
                self.add("finding_extra", format!("finding {place} of {case} is listed, and there is none"));
            }
        }
        for ((case, place), finding) in expected {
            let kind = finding.kind.name();
            self.add("finding_missing", format!("finding {place} of {case}, {kind}, is not listed"));
        }
        Ok(())
    }
}

/// The first day from this one on that has rows or counts.
async fn next_day(tx: &mut PgConnection, from: Date) -> Result<Option<Date>, Error> {
    let day: Option<On> = sqlx::query_scalar(
        "/* closures::next_day */ SELECT least(
            (SELECT min(day) FROM closures WHERE day >= $1 AND day <= $2),
            (SELECT min(day) FROM closure_days WHERE day >= $1 AND day <= $2))",
    )
    .bind(On(from))
    .bind(On(LAST))
    .fetch_one(tx)
    .await
    .map_err(Error::database("closures::next_day"))?;
    Ok(day.map(|day| day.0))
}

/// Counts of days on which nothing can be.
async fn odd_days(tx: &mut PgConnection) -> Result<Vec<Difference>, Error> {
    let terms: Vec<String> = sqlx::query_scalar(
        "/* closures::odd_days */ SELECT term FROM closure_days WHERE day < $1 OR day > $2 ORDER BY term LIMIT $3",
    )
    .bind(On(FIRST))
    .bind(On(LAST))
    .bind(COUNTS_MAX)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closures::odd_days"))?;
    let difference = |term: &String| Difference {
        code: "count_differs",
        what: format!("{term} is counted on a day that there is not"),
    };
    Ok(terms.iter().map(difference).collect())
}

/// Counts of these days, the last included, that are not those of the rows. What stands in the rows is a term with its month.
async fn miscounted(tx: &mut PgConnection, (from, last): (Date, Date)) -> Result<Vec<Difference>, Error> {
    let rows = sqlx::query(
        "/* closures::miscounted */ SELECT term, day, coalesce(stored.cases, 0), coalesce(counted.cases, 0)
           FROM (SELECT term, day, cases FROM closure_days WHERE day >= $1 AND day <= $2) AS stored
           FULL JOIN (SELECT left(key, -8) AS term, day, count(*) AS cases FROM closures, unnest(terms) AS key
                       WHERE day >= $1 AND day <= $2 AND key IS NOT NULL GROUP BY left(key, -8), day) AS counted USING (term, day)
          WHERE stored.cases IS DISTINCT FROM counted.cases ORDER BY day, term LIMIT $3",
    )
    .bind(On(from))
    .bind(On(last))
    .bind(COUNTS_MAX)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closures::miscounted"))?;
    let difference = |row: &sqlx::postgres::PgRow| {
        let (term, day, stored, counted): (&str, On, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let day = day.0;
        Difference {
            code: "count_differs",
            what: format!("{term} on {day}: {stored} are counted, and {counted} are listed"),
        }
    };
    Ok(rows.iter().map(difference).collect())
}
