//! The rulebooks that were active, whole, and which one is.
//!
//! A batch holds the shared lock while it folds, an activation the exclusive one: when an activation has
//! committed, no batch under an older rulebook is under way and none will be.

use std::sync::Arc;

use hotline_core::rulebook::{Files, Rulebook, load};
use hotline_events::closure::{self, RecordKind};
use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::closure_records::{self, Leaf};
use crate::error::Error;
use crate::sql_types::At;

/// A rulebook that is or was active.
#[derive(Clone, Debug)]
pub struct Active {
    pub seq: i64,
    pub rulebook: Arc<Rulebook>,
}

/// An activation, without the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    pub seq: i64,
    pub hash: String,
    pub activated_at: Timestamp,
}

/// Keeps the active rulebook as it is until the end of the transaction.
pub async fn hold(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("/* rulebooks::hold */ LOCK TABLE activation_turn IN SHARE MODE")
        .execute(tx)
        .await
        .map_err(Error::database("rulebooks::hold"))?;
    Ok(())
}

/// … for a change of what all batches go by: after those under way, before those that follow.
pub async fn hold_alone(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("/* rulebooks::hold_alone */ LOCK TABLE activation_turn IN SHARE ROW EXCLUSIVE MODE")
        .execute(tx)
        .await
        .map_err(Error::database("rulebooks::hold_alone"))?;
    Ok(())
}

/// The number of the active rulebook; None before the first activation.
pub async fn active_seq(tx: &mut PgConnection) -> Result<Option<i64>, Error> {
    sqlx::query_scalar("/* rulebooks::active_seq */ SELECT max(seq) FROM rulebooks")
        .fetch_one(tx)
        .await
        .map_err(Error::database("rulebooks::active_seq"))
}

/// The active rulebook.
pub async fn active(tx: &mut PgConnection) -> Result<Active, Error> {
    let seq = active_seq(tx).await?.ok_or(Error::NoRulebook)?;
    by_seq(tx, seq).await
}

/// The files of an activation.
pub async fn files(tx: &mut PgConnection, seq: i64) -> Result<Files, Error> {
    let packed: Option<Vec<u8>> =
        sqlx::query_scalar("/* rulebooks::files */ SELECT files FROM rulebooks WHERE seq = $1")
            .bind(seq)
            .fetch_optional(tx)
            .await
            .map_err(Error::database("rulebooks::files"))?;
    unpack(&packed.ok_or(Error::NoRulebook)?)
}

/// The rulebook of an activation.
pub async fn by_seq(tx: &mut PgConnection, seq: i64) -> Result<Active, Error> {
    of_files(seq, &files(tx, seq).await?)
}

pub(crate) fn of_files(seq: i64, files: &Files) -> Result<Active, Error> {
    let loaded = load(files).map_err(|faults| Error::RulebookUnreadable { seq, faults: faults.len() })?;
    Ok(Active { seq, rulebook: Arc::new(loaded.rulebook) })
}

/// All activations, in order.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Activation>, Error> {
    let rows =
        sqlx::query("/* rulebooks::list */ SELECT seq, hash, activated_at FROM rulebooks ORDER BY seq")
            .fetch_all(tx)
            .await
            .map_err(Error::database("rulebooks::list"))?;
    let activation = |row: &sqlx::postgres::PgRow| Activation {
        seq: row.get(0),
        hash: row.get(1),
        activated_at: row.get::<At, _>(2).0,
    };
    Ok(rows.iter().map(activation).collect())
}

/// Makes a rulebook the active one, after every batch under way. Activating the active one again changes
/// nothing.
pub async fn activate(
    tx: &mut PgConnection,
    files: &Files,
    hash: &str,
    now: Timestamp,
) -> Result<Activation, Error> {
    let name = "rulebooks::activate";
    hold_alone(tx).await?;
    let last = list(tx).await?.pop();
    if let Some(last) = last.as_ref().filter(|last| last.hash == hash) {
        return Ok(last.clone());
    }
    let seq = last.map_or(1, |last| last.seq + 1);
    sqlx::query(
        "/* rulebooks::activate */ INSERT INTO rulebooks (seq, hash, files, activated_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(seq)
    .bind(hash)
    .bind(pack(files))
    .bind(At(now))
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let activation = Activation { seq, hash: hash.to_owned(), activated_at: now };
    record(tx, &activation, files, now).await?;
    Ok(activation)
}

/// Writes the closure record of an activation.
async fn record(
    tx: &mut PgConnection,
    activation: &Activation,
    files: &Files,
    now: Timestamp,
) -> Result<(), Error> {
    let leaves =
        closure::of_rulebook((activation.seq, &activation.hash), files, activation.activated_at, now);
    let kind = RecordKind::Rulebook.name();
    let leaves: Vec<Leaf> = leaves.into_iter().map(|bytes| Leaf { case_id: None, kind, bytes }).collect();
    closure_records::append(tx, &leaves, now).await?;
    let done = sqlx::query(
        "/* rulebooks::record */ UPDATE rulebooks SET recorded = true WHERE seq = $1 AND NOT recorded",
    )
    .bind(activation.seq)
    .execute(tx)
    .await
    .map_err(Error::database("rulebooks::record"))?;
    crate::error::expect_rows("rulebooks::record", 1, done.rows_affected())
}

/// Writes the closure records of activations that have none: those of before there were records.
pub async fn record_all(tx: &mut PgConnection, now: Timestamp) -> Result<(), Error> {
    let missing: Vec<i64> = sqlx::query_scalar(
        "/* rulebooks::record_all */ SELECT seq FROM rulebooks WHERE NOT recorded ORDER BY seq FOR NO KEY UPDATE",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("rulebooks::record_all"))?;
    if missing.is_empty() {
        return Ok(());
    }
    for activation in list(tx).await?.iter().filter(|one| missing.contains(&one.seq)) {
        let files = files(tx, activation.seq).await?;
        record(tx, activation, &files, now).await?;
    }
    Ok(())
}

/// Paths and contents, each with its length before it as four bytes.
fn pack(files: &Files) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in files.iter().flat_map(|(path, content)| [path.as_bytes(), content.as_slice()]) {
        let length = u32::try_from(part.len()).expect("a file of a rulebook is far below 4 GiB");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Result<Files, Error> {
    let mut rest = bytes;
    let mut part = || -> Option<Option<Vec<u8>>> {
        if rest.is_empty() {
            return Some(None);
        }
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (content, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after;
        Some(Some(content.to_vec()))
    };
    let malformed = || Error::Malformed { what: "a stored rulebook" };
    let mut files = Files::new();
    while let Some(path) = part().ok_or_else(malformed)? {
        let content = part().flatten().ok_or_else(malformed)?;
        files.insert(String::from_utf8(path).map_err(|_| malformed())?, content);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_unpack_to_themselves() {
        let files: Files = [("a".to_owned(), vec![1, 2]), ("b/c".to_owned(), Vec::new())].into();
        assert_eq!(unpack(&pack(&files)).unwrap(), files);
        assert!(unpack(&pack(&files)[..5]).is_err());
        assert!(unpack(&[]).unwrap().is_empty());
    }
}
