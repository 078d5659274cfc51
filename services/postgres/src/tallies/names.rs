//! The numbers that stand in rows of tallies instead of names: one for each measure, one for each cell.
//!
//! A name gets its number in the transaction that needs it first and keeps it for ever. Only what was found
//! committed is remembered: a number given in a transaction that is rolled back never was.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use hotline_core::fact::Code;
use hotline_core::rulebook::Basis;
use hotline_core::score::{Cell, Series};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row as _};

use crate::error::Error;

/// Names of one kind that a process remembers. Codes come from outside: whoever sends a new one with every event
/// must not fill the memory.
const REMEMBERED_MAX: usize = 200_000;

/// Whose day, and what is counted.
type Measure = (Basis, Code);

/// What this process has found committed.
#[derive(Debug, Default)]
pub struct Names {
    measures: Numbers<Measure>,
    cells: Numbers<Cell>,
}

#[derive(Debug)]
struct Numbers<N>(Mutex<HashMap<N, i32>>);

/// What has a number: a row of a table of names.
trait Named: Clone + Eq + Hash {
    /// Gives `(place, number)` of those that have one.
    const FIND: &'static str;
    const ADD: &'static str;

    /// Its columns, in the order of the statements.
    fn texts(&self) -> Vec<&str>;
}

impl Named for Measure {
    const FIND: &'static str = "/* tallies::names */ SELECT nth, id
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (basis, measure, nth)
           JOIN tally_measures USING (basis, measure)";
    const ADD: &'static str = "/* tallies::names */ INSERT INTO tally_measures (basis, measure)
         SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING";

    fn texts(&self) -> Vec<&str> {
        let (basis, measure) = self;
        vec![basis.name(), measure]
    }
}

impl Named for Cell {
    const FIND: &'static str = "/* tallies::names */ SELECT nth, id
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
             AS asked (department, role, hotline, case_type, class, nth)
           JOIN tally_cells USING (department, role, hotline, case_type, class)";
    const ADD: &'static str =
        "/* tallies::names */ INSERT INTO tally_cells (department, role, hotline, case_type, class)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
          ORDER BY 1, 2, 3, 4, 5 ON CONFLICT DO NOTHING";

    fn texts(&self) -> Vec<&str> {
        vec![&self.department, self.role.name(), &self.hotline, &self.case_type, &self.class]
    }
}

impl Names {
    /// Of each series the numbers of its measure and of its cell; what has none yet gets one.
    pub(super) async fn numbers<'s>(
        &self,
        tx: &mut PgConnection,
        series: impl Iterator<Item = &'s Series> + Clone,
    ) -> Result<Vec<(i32, i32)>, Error> {
        let measure = |series: &Series| (series.basis, series.measure.clone());
        let measures = self.measures.of(tx, series.clone().map(measure).collect()).await?;
        let cells = self.cells.of(tx, series.map(|series| series.cell.clone()).collect()).await?;
        Ok(measures.into_iter().zip(cells).collect())
    }
}

impl<N> Default for Numbers<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<N: Named> Numbers<N> {
    async fn of(&self, tx: &mut PgConnection, names: Vec<N>) -> Result<Vec<i32>, Error> {
        let mut numbers: Vec<Option<i32>> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.iter().map(|name| known.get(name).copied()).collect()
        };
        if numbers.iter().any(Option::is_none) {
            let unknown =
                names.iter().zip(&numbers).filter(|(_, number)| number.is_none()).map(|(name, _)| name);
            let given = self.find_or_add(tx, unknown.cloned().collect()).await?;
            for (name, number) in names.iter().zip(&mut numbers) {
                *number = number.or_else(|| given.get(name).copied());
            }
        }
        Ok(numbers.into_iter().map(|number| number.expect("each was found or added")).collect())
    }

    async fn find_or_add(&self, tx: &mut PgConnection, names: HashSet<N>) -> Result<HashMap<N, i32>, Error> {
        let committed = find(tx, names.iter().collect()).await?;
        let new: Vec<&N> = names.iter().filter(|name| !committed.contains_key(*name)).collect();
        let mut given = committed.clone();
        if !new.is_empty() {
            // Another transaction that adds one of them is waited for; then its number is seen.
            bind(N::ADD, &new).execute(&mut *tx).await.map_err(Error::database("tallies::names"))?;
            given.extend(find(tx, new).await?);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + committed.len() > REMEMBERED_MAX {
            known.clear();
        }
        known.extend(committed);
        Ok(given)
    }
}

async fn find<N: Named>(tx: &mut PgConnection, names: Vec<&N>) -> Result<HashMap<N, i32>, Error> {
    let rows = bind(N::FIND, &names).fetch_all(tx).await.map_err(Error::database("tallies::names"))?;
    let name = |nth: i64| usize::try_from(nth - 1).ok().and_then(|at| names.get(at).copied().cloned());
    rows.iter()
        .map(|row| name(row.get(0)).map(|name| (name, row.get(1))))
        .collect::<Option<_>>()
        .ok_or(Error::Malformed { what: "the place of a name" })
}

/// The names column by column.
fn bind<N: Named>(statement: &'static str, names: &[&N]) -> Query<'static, Postgres, PgArguments> {
    let rows: Vec<Vec<&str>> = names.iter().map(|name| name.texts()).collect();
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).fold(sqlx::query(statement), |query, column| {
        query.bind(rows.iter().map(|row| row[column].to_owned()).collect::<Vec<_>>())
    })
}
