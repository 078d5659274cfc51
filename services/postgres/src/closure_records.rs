//! Closure records: bytes that are written once, in the transaction of what they say. The closure log seals them.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::Error;
use crate::sql_types::At;

/// A closure record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// None: it is not about a case.
    pub case_id: Option<SmolStr>,
    pub kind: &'static str,
    /// Canonical bytes, at most 65,535: exactly those that the log hashes.
    pub bytes: Vec<u8>,
}

/// Writes records, in this order.
pub async fn append(tx: &mut PgConnection, leaves: &[Leaf], now: Timestamp) -> Result<(), Error> {
    let mut rows = Rows::new(4);
    for leaf in leaves {
        rows.row().optional_text(leaf.case_id.as_deref()).text(leaf.kind).at(now).bytes(&leaf.bytes);
    }
    let statement = "/* closure_records::append */ COPY closure_records (case_id, kind, written_at, leaf)
        FROM STDIN (FORMAT binary)";
    rows.send(tx, "closure_records::append", statement).await
}

/// The records of a case, in the order in which they were written.
pub async fn of_case(tx: &mut PgConnection, case: &str) -> Result<Vec<Vec<u8>>, Error> {
    sqlx::query_scalar(
        "/* closure_records::of_case */ SELECT leaf FROM closure_records WHERE case_id = $1 ORDER BY id",
    )
    .bind(case)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_records::of_case"))
}

/// Appends one record and says its id.
pub async fn append_one(tx: &mut PgConnection, leaf: &Leaf, now: Timestamp) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* closure_records::append_one */ INSERT INTO closure_records (case_id, kind, written_at, leaf)
         VALUES ($1, $2, $3, $4) RETURNING id",
    )
    .bind(leaf.case_id.as_deref())
    .bind(leaf.kind)
    .bind(At(now))
    .bind(&leaf.bytes)
    .fetch_one(tx)
    .await
    .map_err(Error::database("closure_records::append_one"))
}

/// Which records are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    pub cases: Vec<String>,
    pub kinds: Vec<String>,
    /// Written at this time or later.
    pub since: Option<Timestamp>,
}

/// A record as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: i64,
    pub case_id: Option<String>,
    pub kind: String,
    pub written_at: Timestamp,
    pub leaf: Vec<u8>,
}

/// Records of these cases, of these kinds, since that time: each where something is said; in order after `after`.
pub async fn page(tx: &mut PgConnection, which: &Which, after: i64, limit: i64) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query(
        "/* closure_records::page */ SELECT id, case_id, kind, written_at, leaf FROM closure_records
          WHERE id > $1 AND (cardinality($2::text[]) = 0 OR case_id = ANY ($2))
            AND (cardinality($3::text[]) = 0 OR kind = ANY ($3)) AND ($4::timestamptz IS NULL OR written_at >= $4)
          ORDER BY id LIMIT $5",
    )
    .bind(after)
    .bind(&which.cases)
    .bind(&which.kinds)
    .bind(which.since.map(At))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_records::page"))?;
    Ok(rows.iter().map(kept).collect())
}

/// The records of all bulletins, some of them in parts, in order after `after`.
pub async fn bulletins(tx: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query(
        "/* closure_records::bulletins */ SELECT id, case_id, kind, written_at, leaf FROM closure_records
          WHERE kind = 'bulletin' AND id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_records::bulletins"))?;
    Ok(rows.iter().map(kept).collect())
}

/// What operators did with the closure log, the newest first: begun anew, or gone on without its file.
pub async fn steps(tx: &mut PgConnection, limit: i64) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query(
        "/* closure_records::steps */ SELECT id, case_id, kind, written_at, leaf FROM closure_records
          WHERE kind IN ('relog', 'adopt') ORDER BY id DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_records::steps"))?;
    Ok(rows.iter().map(kept).collect())
}

fn kept(row: &PgRow) -> Kept {
    Kept {
        id: row.get(0),
        case_id: row.get(1),
        kind: row.get(2),
        written_at: row.get::<At, _>(3).0,
        leaf: row.get(4),
    }
}

/// The newest record that can be seen; 0: there is none.
pub async fn last_id(tx: &mut PgConnection) -> Result<i64, Error> {
    sqlx::query_scalar("/* closure_records::last_id */ SELECT coalesce(max(id), 0) FROM closure_records")
        .fetch_one(tx)
        .await
        .map_err(Error::database("closure_records::last_id"))
}
