//! Passes over all cases after a change of rulebook or program: how far each is.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::cases::fold_version;
use crate::error::{Error, expect_rows};
use crate::rulebooks;
use crate::sql_types::At;

/// A pass as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refold {
    pub rulebook_seq: i64,
    /// Every case up to this one is done.
    pub after_case: SmolStr,
    pub cases: i64,
    pub restated: i64,
    pub done: bool,
}

/// The pass of this rulebook and this program, locked until the end of the transaction; None if nobody has begun it.
pub async fn hold(tx: &mut PgConnection, rulebook_seq: i64) -> Result<Option<Refold>, Error> {
    let row = sqlx::query(
        "/* refolds::hold */ SELECT after_case, cases, restated, done_at IS NOT NULL FROM refolds
          WHERE rulebook_seq = $1 AND fold_version = $2 FOR UPDATE",
    )
    .bind(rulebook_seq)
    .bind(fold_version())
    .fetch_optional(tx)
    .await
    .map_err(Error::database("refolds::hold"))?;
    Ok(row.map(|row| Refold {
        rulebook_seq,
        after_case: row.get::<&str, _>(0).into(),
        cases: row.get(1),
        restated: row.get(2),
        done: row.get(3),
    }))
}

/// Begins the pass of the active rulebook and this program, after every batch under way: those that follow see it.
pub async fn begin(tx: &mut PgConnection, now: Timestamp) -> Result<(), Error> {
    rulebooks::hold_alone(tx).await?;
    sqlx::query(
        "/* refolds::begin */ INSERT INTO refolds (rulebook_seq, fold_version, started_at, after_case, cases, restated)
         SELECT max(seq), $1, $2, '', 0, 0 FROM rulebooks HAVING count(*) > 0 ON CONFLICT DO NOTHING",
    )
    .bind(fold_version())
    .bind(At(now))
    .execute(tx)
    .await
    .map_err(Error::database("refolds::begin"))?;
    Ok(())
}

/// While two versions of the program work side by side, what the older one writes lies behind the pass of the newer
/// one: it goes over all cases again. To be called with every write of cases.
pub async fn reopen_newer(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "/* refolds::reopen_newer */ UPDATE refolds SET done_at = NULL, after_case = ''
          WHERE fold_version > $1 AND (done_at IS NOT NULL OR after_case <> '')",
    )
    .bind(fold_version())
    .execute(tx)
    .await
    .map_err(Error::database("refolds::reopen_newer"))?;
    Ok(())
}

/// Whether the pass of the active rulebook and this program is through: until then bulletins are not published.
pub async fn is_done(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* refolds::is_done */ SELECT EXISTS (SELECT FROM refolds
            WHERE rulebook_seq = (SELECT max(seq) FROM rulebooks) AND fold_version = $1 AND done_at IS NOT NULL)",
    )
    .bind(fold_version())
    .fetch_one(tx)
    .await
    .map_err(Error::database("refolds::is_done"))
}

/// Notes how far a pass that [`hold`] has locked has come.
pub async fn advance(tx: &mut PgConnection, refold: &Refold, now: Timestamp) -> Result<(), Error> {
    let done = sqlx::query(
        "/* refolds::advance */ UPDATE refolds SET after_case = $3, cases = $4, restated = $5, done_at = $6
          WHERE rulebook_seq = $1 AND fold_version = $2",
    )
    .bind(refold.rulebook_seq)
    .bind(fold_version())
    .bind(refold.after_case.as_str())
    .bind(refold.cases)
    .bind(refold.restated)
    .bind(refold.done.then_some(At(now)))
    .execute(tx)
    .await
    .map_err(Error::database("refolds::advance"))?;
    expect_rows("refolds::advance", 1, done.rows_affected())
}
