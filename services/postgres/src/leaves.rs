//! Reading closure records: which a case has, and the exact bytes of one.

use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::At;

/// A closure record of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub id: i64,
    pub kind: String,
    pub written_at: Timestamp,
    /// SHA-256 of its bytes.
    pub sha256: Vec<u8>,
}

/// The closure records of a case, in the order of their writing.
pub async fn of_case(tx: &mut PgConnection, case: &str) -> Result<Vec<Written>, Error> {
    let rows = sqlx::query(
        "/* leaves::of_case */ SELECT id, kind, written_at, sha256(leaf) FROM closure_records WHERE case_id = $1 ORDER BY id",
    )
    .bind(case)
    .fetch_all(tx)
    .await
    .map_err(Error::database("leaves::of_case"))?;
    let written = |row: &sqlx::postgres::PgRow| Written {
        id: row.get(0),
        kind: row.get(1),
        written_at: row.get::<At, _>(2).0,
        sha256: row.get(3),
    };
    Ok(rows.iter().map(written).collect())
}

/// The bytes of a closure record of a case, exactly those that the log hashes; None: the case has none of this number.
pub async fn bytes(tx: &mut PgConnection, case: &str, id: i64) -> Result<Option<Vec<u8>>, Error> {
    sqlx::query_scalar("/* leaves::bytes */ SELECT leaf FROM closure_records WHERE case_id = $1 AND id = $2")
        .bind(case)
        .bind(id)
        .fetch_optional(tx)
        .await
        .map_err(Error::database("leaves::bytes"))
}
