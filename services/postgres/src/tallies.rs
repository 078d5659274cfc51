//! Tallies: the integers from which every rate is made.
//!
//! Batches append deltas; one compactor merges them. What is true is always the sum of both tables, read in one
//! statement. A delta that is still uncommitted is simply not there yet: the compactor moves the rows it sees and
//! keeps no mark below which it believes to have seen everything.

pub mod months;
mod names;
mod sums;

use std::collections::BTreeMap;

use hotline_core::fact::Role;
use hotline_core::rulebook::Basis;
use hotline_core::score::{Cell, Series, TallyKey};
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::cases;
use crate::copy::Rows;
use crate::error::{Error, expect_rows};
use crate::pool::run_tx;
use crate::sql_types::On;
use crate::turns::Turn;

pub use names::Names;
pub use sums::{Measures, Sums, sums};

/// Integers by key; none is 0.
pub type Tallies = BTreeMap<TallyKey, i64>;

/// A key whose stored integer is not what the scores of the cases add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub key: TallyKey,
    /// In tallies and deltas.
    pub stored: i64,
    /// Σ score of the cases.
    pub scored: i64,
}

/// From the columns of [`tally_sums`](../migrations/0009_tally_names.sql), the day apart.
fn series(row: &PgRow) -> Result<Series, Error> {
    let malformed = |what| move || Error::Malformed { what };
    let text = |at: usize| SmolStr::from(row.get::<&str, _>(at));
    let role = Role::parse(row.get(3)).ok_or_else(malformed("the role of a tally"))?;
    Ok(Series {
        basis: Basis::parse(row.get(0)).ok_or_else(malformed("the basis of a tally"))?,
        measure: text(1),
        cell: Cell { department: text(2), role, hotline: text(4), case_type: text(5), class: text(6) },
    })
}

/// Appends what a batch changed.
pub async fn append(tx: &mut PgConnection, names: &Names, deltas: &Tallies) -> Result<(), Error> {
    let numbers = names.numbers(tx, deltas.keys().map(|key| &key.series)).await?;
    let mut rows = Rows::new(4);
    for ((key, value), (measure, cell)) in deltas.iter().zip(numbers) {
        if *value != 0 {
            rows.row().small(measure).on(key.day).small(cell).integer(*value);
        }
    }
    let statement = "/* tallies::append */ COPY tally_deltas (measure_id, day, cell_id, value)
        FROM STDIN (FORMAT binary)";
    rows.send(tx, "tallies::append", statement).await
}

/// The first day on which anything counts.
pub async fn first_day(tx: &mut PgConnection) -> Result<Option<Date>, Error> {
    let day: Option<On> = sqlx::query_scalar(
        "/* tallies::first_day */ SELECT least((SELECT min(first.day) FROM tally_measures CROSS JOIN LATERAL (
                SELECT day FROM tallies WHERE measure_id = tally_measures.id ORDER BY day LIMIT 1) AS first),
            (SELECT min(day) FROM tally_deltas))",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("tallies::first_day"))?;
    Ok(day.map(|day| day.0))
}

/// Every stored integer: tallies and deltas together.
pub async fn all(tx: &mut PgConnection) -> Result<Tallies, Error> {
    let rows = sqlx::query(
        "/* tallies::all */
         SELECT basis, measure, department, role, hotline, case_type, class, day, value FROM tally_sums",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::all"))?;
    rows.iter()
        .map(|row| Ok((TallyKey { series: series(row)?, day: row.get::<On, _>(7).0 }, row.get(8))))
        .collect()
}

/// Where tallies and deltas differ from the stored scores of all cases. Run it in a snapshot; casework may go on.
pub async fn check(tx: &mut PgConnection) -> Result<Vec<Difference>, Error> {
    let mut scored = Tallies::new();
    cases::walk_scores(tx, |_, score| {
        for (key, value) in score.tallies() {
            *scored.entry(key).or_default() += value;
        }
    })
    .await?;
    Ok(differences(all(tx).await?, scored))
}

/// Where two sets of integers differ; what is missing is 0.
pub fn differences(old: Tallies, mut new: Tallies) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (key, stored) in old {
        let scored = new.remove(&key).unwrap_or_default();
        differences.push(Difference { key, stored, scored });
    }
    differences.extend(new.into_iter().map(|(key, scored)| Difference { key, stored: 0, scored }));
    differences.retain(|difference| difference.stored != difference.scored);
    differences
}

/// Makes tallies and deltas agree with the scores again, by appending what is missing. Run it in a snapshot:
/// what others commit meanwhile is right by itself. Returns what was mended.
pub async fn repair(tx: &mut PgConnection) -> Result<Vec<Difference>, Error> {
    let differences = check(tx).await?;
    let mend = |difference: &Difference| (difference.key.clone(), difference.scored - difference.stored);
    append(tx, &Names::default(), &differences.iter().map(mend).collect()).await?;
    Ok(differences)
}

/// Moves up to `limit` deltas into the tallies, and into the sums of months that are summed; how many it moved. None: another compactor is at work.
///
/// The rows moved are those that this one statement sees and deletes, so a writer under way is no concern.
pub async fn compact(tx: &mut PgConnection, limit: i64) -> Result<Option<u64>, Error> {
    let name = "tallies::compact";
    if !Turn::Tallies.is_free(tx).await? {
        return Ok(None);
    }
    let row = sqlx::query(
        "/* tallies::compact */
         WITH moved AS (
             DELETE FROM tally_deltas WHERE ctid = ANY (ARRAY (SELECT ctid FROM tally_deltas LIMIT $1))
             RETURNING *),
         merged AS (
             INSERT INTO tallies (measure_id, day, cell_id, value)
             SELECT measure_id, day, cell_id, sum(value)::bigint FROM moved
              GROUP BY 1, 2, 3 HAVING sum(value) <> 0 ORDER BY 1, 2, 3
             ON CONFLICT (measure_id, day, cell_id) DO UPDATE SET value = tallies.value + excluded.value
             RETURNING *),
         months AS (
             INSERT INTO tally_months (measure_id, month, cell_id, value)
             SELECT measure_id, month, cell_id, sum(value)::bigint FROM moved
               JOIN summed_months ON month = date_trunc('month', day)::date
              GROUP BY 1, 2, 3 HAVING sum(value) <> 0 ORDER BY 1, 2, 3
             ON CONFLICT (measure_id, month, cell_id) DO UPDATE SET value = tally_months.value + excluded.value),
         zero AS (SELECT * FROM merged WHERE value = 0)
         SELECT (SELECT count(*) FROM moved), ARRAY (SELECT measure_id FROM zero), ARRAY (SELECT day FROM zero),
                ARRAY (SELECT cell_id FROM zero)",
    )
    .bind(limit)
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    delete_zeros(tx, row.get(1), row.get(2), row.get(3)).await?;
    Ok(Some(row.get::<i64, _>(0).cast_unsigned()))
}

/// [`compact`] in a transaction of its own.
pub async fn compact_step(pool: &PgPool, limit: i64) -> Result<Option<u64>, Error> {
    let mut limit = limit;
    run_tx(pool, "tallies::compact_step", &mut limit, |tx, limit| Box::pin(compact(tx, *limit))).await
}

/// Takes tallies that came to nothing away.
async fn delete_zeros(
    tx: &mut PgConnection,
    measures: Vec<i32>,
    days: Vec<On>,
    cells: Vec<i32>,
) -> Result<(), Error> {
    let zeros = measures.len();
    if zeros == 0 {
        return Ok(());
    }
    let done = sqlx::query(
        "/* tallies::delete_zeros */ DELETE FROM tallies
          USING unnest($1::integer[], $2::date[], $3::integer[]) AS zero (measure_id, day, cell_id)
          WHERE tallies.measure_id = zero.measure_id AND tallies.day = zero.day
            AND tallies.cell_id = zero.cell_id AND tallies.value = 0",
    )
    .bind(measures)
    .bind(days)
    .bind(cells)
    .execute(tx)
    .await
    .map_err(Error::database("tallies::delete_zeros"))?;
    expect_rows("tallies::delete_zeros", zeros, done.rows_affected())
}
