//! What this database is: made once, and bound to its master key.

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::error::Error;
use crate::seal::{MasterKey, hex, random};
use crate::sql_types::At;

/// The one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// 32 hexadecimal digits.
    pub id: String,
    pub created_at: Timestamp,
    pub tag_key_id: String,
}

/// Whether a key is that of the database: [`Error::WrongMasterKey`] if not; any is where no role has started yet.
pub async fn check(pool: &PgPool, master: &MasterKey) -> Result<(), Error> {
    let name = "installation::check";
    let found: Option<Vec<u8>> =
        sqlx::query_scalar("/* installation::check */ SELECT key_check FROM installation")
            .fetch_optional(pool)
            .await
            .map_err(Error::database(name))?;
    if found.is_none_or(|check| check == master.check()) { Ok(()) } else { Err(Error::WrongMasterKey) }
}

/// What this database is called; None: no role has started yet.
pub async fn id(tx: &mut PgConnection) -> Result<Option<String>, Error> {
    sqlx::query_scalar("/* installation::id */ SELECT id FROM installation")
        .fetch_optional(tx)
        .await
        .map_err(Error::database("installation::id"))
}

/// The installation, made if there is none. Fails with [`Error::WrongMasterKey`] if it has another key.
pub async fn ensure(
    tx: &mut PgConnection,
    master: &MasterKey,
    now: Timestamp,
) -> Result<Installation, Error> {
    let check = master.check();
    sqlx::query(
        "/* installation::ensure */ INSERT INTO installation (id, created_at, key_check, tag_key_id)
         VALUES ($1, $2, $3, $4) ON CONFLICT (one) DO NOTHING",
    )
    .bind(hex(&random::<16>()?))
    .bind(At(now))
    .bind(check.as_slice())
    .bind(master.tag_key_id())
    .execute(&mut *tx)
    .await
    .map_err(Error::database("installation::ensure"))?;
    let row = sqlx::query(
        "/* installation::ensure */ SELECT id, created_at, tag_key_id, key_check FROM installation",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("installation::ensure"))?;
    if row.get::<&[u8], _>(3) != check.as_slice() {
        return Err(Error::WrongMasterKey);
    }
    Ok(Installation { id: row.get(0), created_at: row.get::<At, _>(1).0, tag_key_id: row.get(2) })
}
