//! Tallies: the integers from which every rate is made.
//!
//! Batches append deltas; one compactor merges them. What is true is always the sum of both tables, read in one
//! statement. A delta that is still uncommitted is simply not there yet: the compactor moves the rows it sees and
//! keeps no mark below which it believes to have seen everything.

use std::collections::BTreeMap;

use hotline_core::fact::Role;
use hotline_core::rulebook::Basis;
use hotline_core::score::TallyKey;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::cases;
use crate::copy::Rows;
use crate::error::{Error, expect_rows};
use crate::pool::run_tx;
use crate::sql_types::On;

/// Integers by key; none is 0.
pub type Tallies = BTreeMap<TallyKey, i64>;

/// Which tallies to sum.
#[derive(Clone, Debug)]
pub struct Range<'r> {
    pub basis: Basis,
    /// Inclusive.
    pub from: Date,
    /// Exclusive.
    pub to: Date,
    /// None: all.
    pub measures: Option<&'r [SmolStr]>,
}

/// A key whose stored integer is not what the scores of the cases add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub key: TallyKey,
    /// In tallies and deltas.
    pub stored: i64,
    /// Σ score of the cases.
    pub scored: i64,
}

fn key(row: &PgRow) -> Result<TallyKey, Error> {
    let malformed = |what| move || Error::Malformed { what };
    let text = |at: usize| SmolStr::from(row.get::<&str, _>(at));
    Ok(TallyKey {
        basis: Basis::parse(row.get(0)).ok_or_else(malformed("the basis of a tally"))?,
        day: row.get::<On, _>(1).0,
        hotline: text(2),
        case_type: text(3),
        class: text(4),
        department: text(5),
        role: Role::parse(row.get(6)).ok_or_else(malformed("the role of a tally"))?,
        measure: text(7),
    })
}

/// Appends what a batch changed.
pub async fn append(tx: &mut PgConnection, deltas: &Tallies) -> Result<(), Error> {
    let mut rows = Rows::new(9);
    for (key, value) in deltas.iter().filter(|(_, value)| **value != 0) {
        rows.row()
            .text(key.basis.name())
            .on(key.day)
            .text(&key.hotline)
            .text(&key.case_type)
            .text(&key.class)
            .text(&key.department)
            .text(key.role.name())
            .text(&key.measure)
            .integer(*value);
    }
    let statement =
        "/* tallies::append */ COPY tally_deltas (basis, day, hotline, case_type, class, department,
        role, measure, value) FROM STDIN (FORMAT binary)";
    rows.send(tx, "tallies::append", statement).await
}

/// The sums over tallies and deltas, in one snapshot.
pub async fn sum(tx: &mut PgConnection, range: &Range<'_>) -> Result<Tallies, Error> {
    let measures: Option<Vec<&str>> =
        range.measures.map(|measures| measures.iter().map(SmolStr::as_str).collect());
    let rows = sqlx::query(
        "/* tallies::sum */
         SELECT basis, day, hotline, case_type, class, department, role, measure, sum(value)::bigint
           FROM (SELECT * FROM tallies
                  WHERE basis = $1 AND day >= $2 AND day < $3 AND ($4::text[] IS NULL OR measure = ANY($4))
                 UNION ALL
                 SELECT * FROM tally_deltas
                  WHERE basis = $1 AND day >= $2 AND day < $3 AND ($4::text[] IS NULL OR measure = ANY($4))) AS parts
          GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(value) <> 0",
    )
    .bind(range.basis.name())
    .bind(On(range.from))
    .bind(On(range.to))
    .bind(measures)
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::sum"))?;
    rows.iter().map(|row| Ok((key(row)?, row.get(8)))).collect()
}

/// Every stored integer: tallies and deltas together.
pub async fn all(tx: &mut PgConnection) -> Result<Tallies, Error> {
    let rows = sqlx::query(
        "/* tallies::all */
         SELECT basis, day, hotline, case_type, class, department, role, measure, sum(value)::bigint
           FROM (SELECT * FROM tallies UNION ALL SELECT * FROM tally_deltas) AS parts
          GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(value) <> 0",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::all"))?;
    rows.iter().map(|row| Ok((key(row)?, row.get(8)))).collect()
}

/// Where tallies and deltas differ from the stored scores of all cases. Run it in a snapshot; casework may go on.
pub async fn check(tx: &mut PgConnection) -> Result<Vec<Difference>, Error> {
    let mut scored = Tallies::new();
    cases::walk_scores(tx, false, |_, score| {
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
    append(tx, &differences.iter().map(mend).collect()).await?;
    Ok(differences)
}

/// Moves up to `limit` deltas into the tallies; how many it moved. None: another compactor is at work.
///
/// The rows moved are those that this one statement sees and deletes, so a writer under way is no concern.
pub async fn compact(tx: &mut PgConnection, limit: i64) -> Result<Option<u64>, Error> {
    let name = "tallies::compact";
    let alone: bool = sqlx::query_scalar(
        "/* tallies::compact */ SELECT pg_try_advisory_xact_lock(hashtext('tally compactor'))",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    if !alone {
        return Ok(None);
    }
    let rows = sqlx::query(
        "/* tallies::compact */
         WITH moved AS (
             DELETE FROM tally_deltas WHERE ctid = ANY (ARRAY (SELECT ctid FROM tally_deltas LIMIT $1))
             RETURNING *),
         summed AS (
             SELECT basis, day, hotline, case_type, class, department, role, measure, sum(value)::bigint AS value
               FROM moved GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(value) <> 0),
         merged AS (
             INSERT INTO tallies SELECT * FROM summed
             ON CONFLICT (basis, measure, day, department, hotline, case_type, class, role)
             DO UPDATE SET value = tallies.value + excluded.value
             RETURNING *)
         SELECT basis, day, hotline, case_type, class, department, role, measure,
                (SELECT count(*) FROM moved) AS moved, value FROM merged WHERE value = 0
         UNION ALL
         SELECT '', 'epoch', '', '', '', '', '', '', (SELECT count(*) FROM moved), 1",
    )
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let moved = rows.first().map_or(0, |row| row.get::<i64, _>(8)).cast_unsigned();
    let zeros: Result<Vec<TallyKey>, Error> =
        rows.iter().filter(|row| row.get::<i64, _>(9) == 0).map(key).collect();
    delete_zeros(tx, &zeros?).await?;
    Ok(Some(moved))
}

/// [`compact`] in a transaction of its own.
pub async fn compact_step(pool: &PgPool, limit: i64) -> Result<Option<u64>, Error> {
    let mut limit = limit;
    run_tx(pool, "tallies::compact_step", &mut limit, |tx, limit| Box::pin(compact(tx, *limit))).await
}

async fn delete_zeros(tx: &mut PgConnection, keys: &[TallyKey]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let texts = |text: fn(&TallyKey) -> &str| keys.iter().map(text).collect::<Vec<_>>();
    let done = sqlx::query(
        "/* tallies::delete_zeros */ DELETE FROM tallies USING unnest($1::text[], $2::date[], $3::text[],
            $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
            AS zero (basis, day, hotline, case_type, class, department, role, measure)
          WHERE tallies.basis = zero.basis AND tallies.measure = zero.measure AND tallies.day = zero.day
            AND tallies.department = zero.department AND tallies.hotline = zero.hotline
            AND tallies.case_type = zero.case_type AND tallies.class = zero.class
            AND tallies.role = zero.role AND tallies.value = 0",
    )
    .bind(texts(|key| key.basis.name()))
    .bind(keys.iter().map(|key| On(key.day)).collect::<Vec<_>>())
    .bind(texts(|key| &key.hotline))
    .bind(texts(|key| &key.case_type))
    .bind(texts(|key| &key.class))
    .bind(texts(|key| &key.department))
    .bind(texts(|key| key.role.name()))
    .bind(texts(|key| &key.measure))
    .execute(tx)
    .await
    .map_err(Error::database("tallies::delete_zeros"))?;
    expect_rows("tallies::delete_zeros", keys.len(), done.rows_affected())
}
