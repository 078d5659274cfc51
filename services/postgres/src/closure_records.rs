//! Closure records: bytes that are written once, in the transaction of what they say. The closure log seals them.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::PgConnection;

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
    if leaves.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "/* closure_records::append */ INSERT INTO closure_records (case_id, kind, written_at, leaf)
         SELECT l.case_id, l.kind, $4, l.leaf
           FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS l (case_id, kind, leaf, place)
          ORDER BY l.place",
    )
    .bind(leaves.iter().map(|leaf| leaf.case_id.as_deref()).collect::<Vec<_>>())
    .bind(leaves.iter().map(|leaf| leaf.kind).collect::<Vec<_>>())
    .bind(leaves.iter().map(|leaf| leaf.bytes.as_slice()).collect::<Vec<_>>())
    .bind(At(now))
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("closure_records::append"))
}
