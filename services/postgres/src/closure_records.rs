//! Closure records: bytes that are written once, in the transaction of what they say. The closure log seals them.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::PgConnection;

use crate::copy::Rows;
use crate::error::Error;

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

/// Records in the order in which they were written, with their ids, after one of them. Start with 0.
pub async fn page(tx: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    sqlx::query_as(
        "/* closure_records::page */ SELECT id, leaf FROM closure_records WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_records::page"))
}
