//! What was kept long enough goes: months of the ledger, and dead letters that were dealt with. Persons are erased
//! ([`erasures`](crate::erasures)), notices go by themselves. Nothing else ever goes: alarms, closure records, interventions,
//! restatements and bulletins are what others check.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::interventions::By;
use crate::sql_types::{At, On};

/// The step of an intervention about the ledger; the function that drops a month notes it.
const DROPPED: &str = "month_dropped";

/// A month of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its first day, UTC.
    pub first: Date,
    /// As the server reckons: counting them would read them.
    pub entries: u64,
    pub bytes: u64,
}

/// The months of the ledger before a day, oldest first.
pub async fn months(tx: &mut PgConnection, before: Date) -> Result<Vec<Month>, Error> {
    let rows = sqlx::query(
        "/* retention::months */ SELECT first, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid)
           FROM (SELECT oid, reltuples, to_date(substring(relname FROM '^ledger_(\\d{4}_\\d{2})$'), 'YYYY_MM') AS first
                   FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'ledger'::regclass) AS month
          WHERE first < $1 ORDER BY first",
    )
    .bind(On(before))
    .fetch_all(tx)
    .await
    .map_err(Error::database("retention::months"))?;
    let month = |row: &sqlx::postgres::PgRow| Month {
        first: row.get::<On, _>(0).0,
        entries: row.get::<i64, _>(1).cast_unsigned(),
        bytes: row.get::<i64, _>(2).cast_unsigned(),
    };
    Ok(rows.iter().map(month).collect())
}

/// Drops a month of the ledger and notes it; false: it is not there any more. The database refuses one that ended less than
/// six months ago.
pub async fn drop_month(tx: &mut PgConnection, first: Date, by: &By<'_>) -> Result<bool, Error> {
    sqlx::query_scalar("/* retention::drop_month */ SELECT drop_ledger_month($1, $2, $3)")
        .bind(On(first))
        .bind(by.operator)
        .bind(by.why)
        .fetch_one(tx)
        .await
        .map_err(Error::database("retention::drop_month"))
}

/// The newest month of the ledger that was dropped: what is folded from the ledger from its beginning on is no longer whole.
pub async fn newest_dropped(tx: &mut PgConnection) -> Result<Option<Date>, Error> {
    let day: Option<On> = sqlx::query_scalar(
        "/* retention::newest_dropped */ SELECT max((before->>'month')::date) FROM interventions
          WHERE subject = 'ledger' AND step = $1",
    )
    .bind(DROPPED)
    .fetch_one(tx)
    .await
    .map_err(Error::database("retention::newest_dropped"))?;
    Ok(day.map(|day| day.0))
}

/// How many dead letters were dealt with before an instant.
pub async fn letters(tx: &mut PgConnection, before: Timestamp) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(
        "/* retention::letters */ SELECT count(*) FROM dead_letters WHERE state <> 'open' AND state_at < $1",
    )
    .bind(At(before))
    .fetch_one(tx)
    .await
    .map_err(Error::database("retention::letters"))?;
    Ok(count.cast_unsigned())
}

/// Deletes up to `limit` of them and notes it; how many. What was noted about them stays.
pub async fn forget_letters(
    tx: &mut PgConnection,
    before: Timestamp,
    limit: i64,
    by: &By<'_>,
) -> Result<u64, Error> {
    let gone: i64 =
        sqlx::query_scalar("/* retention::forget_letters */ SELECT forget_dead_letters($1, $2, $3, $4)")
            .bind(At(before))
            .bind(limit)
            .bind(by.operator)
            .bind(by.why)
            .fetch_one(tx)
            .await
            .map_err(Error::database("retention::forget_letters"))?;
    Ok(gone.cast_unsigned())
}
