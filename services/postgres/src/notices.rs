//! Notices: what departments are told, kept for a month. Whoever decides something writes one in the transaction of
//! the decision; a relay numbers those that are committed, without a gap, and receivers follow that number.

use hotline_core::fact::EventKey;
use hotline_events::notice::Notice;
use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::At;
use crate::turns::Turn;

/// A notice with its place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub number: i64,
    pub id: EventKey,
    pub written_at: Timestamp,
    pub kind: SmolStr,
    pub case_id: SmolStr,
    pub department: SmolStr,
    /// The `CloudEvent`.
    pub event: String,
}

/// Writes notices; one that is there already stays as it is.
pub async fn append(tx: &mut PgConnection, notices: &[Notice], now: Timestamp) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "/* notices::append */ INSERT INTO notices (notice_id, written_at, kind, case_id, department, event)
         SELECT n.notice_id, $6, n.kind, n.case_id, n.department, n.event
           FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[])
                WITH ORDINALITY AS n (notice_id, kind, case_id, department, event, place)
          ORDER BY n.place
         ON CONFLICT (notice_id) DO NOTHING",
    )
    .bind(notices.iter().map(|notice| notice.id.0.as_slice()).collect::<Vec<_>>())
    .bind(notices.iter().map(|notice| notice.kind.name()).collect::<Vec<_>>())
    .bind(notices.iter().map(|notice| notice.case.as_str()).collect::<Vec<_>>())
    .bind(notices.iter().map(|notice| notice.department.as_str()).collect::<Vec<_>>())
    .bind(notices.iter().map(|notice| notice.event.to_string()).collect::<Vec<_>>())
    .bind(At(now))
    .execute(tx)
    .await
    .map_err(Error::database("notices::append"))?;
    Ok(())
}

/// Numbers what is committed and has no number yet, in the order in which it was written; how many there were. Two
/// relays at once wait for each other.
pub async fn number(tx: &mut PgConnection, limit: i64) -> Result<u64, Error> {
    Turn::Notices.wait(tx).await?;
    let done = sqlx::query(
        "/* notices::number */ WITH waiting AS (
             SELECT notice_id, row_number() OVER (ORDER BY seq) AS place
               FROM (SELECT notice_id, seq FROM notices WHERE number IS NULL ORDER BY seq LIMIT $1) AS next
         ), last AS (SELECT coalesce(max(number), 0) AS number FROM notices)
         UPDATE notices SET number = last.number + waiting.place
           FROM waiting, last WHERE notices.notice_id = waiting.notice_id",
    )
    .bind(limit)
    .execute(tx)
    .await
    .map_err(Error::database("notices::number"))?;
    Ok(done.rows_affected())
}

/// The notices after a number, of one department or of all, in order.
pub async fn after(
    tx: &mut PgConnection,
    department: Option<&str>,
    number: i64,
    limit: i64,
) -> Result<Vec<Numbered>, Error> {
    let sql = if department.is_some() {
        "/* notices::after */ SELECT number, notice_id, written_at, kind, case_id, department, event
           FROM notices WHERE number > $1 AND department = $3 ORDER BY number LIMIT $2"
    } else {
        "/* notices::after */ SELECT number, notice_id, written_at, kind, case_id, department, event
           FROM notices WHERE number > $1 AND $3::text IS NULL ORDER BY number LIMIT $2"
    };
    let rows = sqlx::query(sql)
        .bind(number)
        .bind(limit)
        .bind(department)
        .fetch_all(tx)
        .await
        .map_err(Error::database("notices::after"))?;
    rows.iter().map(read).collect()
}

pub(crate) fn read(row: &PgRow) -> Result<Numbered, Error> {
    let key = row.get::<&[u8], _>(1).try_into();
    Ok(Numbered {
        number: row.get(0),
        id: EventKey(key.map_err(|_| Error::Malformed { what: "the id of a notice" })?),
        written_at: row.get::<At, _>(2).0,
        kind: row.get::<&str, _>(3).into(),
        case_id: row.get::<&str, _>(4).into(),
        department: row.get::<&str, _>(5).into(),
        event: row.get(6),
    })
}

/// Removes numbered notices from before an instant, the newest apart, from which numbers go on; how many.
pub async fn forget(tx: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "/* notices::forget */ DELETE FROM notices WHERE notice_id IN (
             SELECT notice_id FROM notices
              WHERE written_at < $1 AND number < (SELECT max(number) FROM notices)
              ORDER BY written_at LIMIT $2)",
    )
    .bind(At(before))
    .bind(limit)
    .execute(tx)
    .await
    .map_err(Error::database("notices::forget"))?;
    Ok(done.rows_affected())
}
