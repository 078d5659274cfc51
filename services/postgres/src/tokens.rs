//! Tokens of people who ask: only their SHA-256 is kept.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::{At, On};

/// A token to be stored.
#[derive(Clone, Debug)]
pub struct New<'t> {
    pub name: &'t str,
    pub role: &'t str,
    /// None: all.
    pub departments: Option<&'t [String]>,
    pub may_unmask: bool,
    pub sha256: [u8; 32],
    pub created_at: Timestamp,
    pub created_by: &'t str,
    pub expires_at: Timestamp,
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub role: String,
    /// None: all.
    pub departments: Option<Vec<String>>,
    pub may_unmask: bool,
    pub sha256: Vec<u8>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub revoked_by: Option<String>,
    /// The day (UTC) of its last use.
    pub last_used_on: Option<Date>,
}

impl Token {
    /// Whether it lets anybody in at an instant.
    pub fn is_good(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && at < self.expires_at
    }
}

/// Stores a token; None: there is one of this name.
pub async fn insert(tx: &mut PgConnection, new: &New<'_>) -> Result<Option<i64>, Error> {
    sqlx::query_scalar(
        "/* tokens::insert */ INSERT INTO tokens (name, role, departments, may_unmask, sha256, created_at, created_by,
            expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING id",
    )
    .bind(new.name)
    .bind(new.role)
    .bind(new.departments)
    .bind(new.may_unmask)
    .bind(new.sha256.as_slice())
    .bind(At(new.created_at))
    .bind(new.created_by)
    .bind(At(new.expires_at))
    .fetch_optional(tx)
    .await
    .map_err(Error::database("tokens::insert"))
}

/// The columns of [`Token`], in the order in which [`token`] reads them.
macro_rules! select {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " SELECT id, name, role, departments, may_unmask, sha256, created_at, created_by, expires_at, revoked_at,
                revoked_by, last_used_on FROM tokens ",
            $tail
        )
    };
}

fn token(row: &PgRow) -> Token {
    Token {
        id: row.get(0),
        name: row.get(1),
        role: row.get(2),
        departments: row.get(3),
        may_unmask: row.get(4),
        sha256: row.get(5),
        created_at: row.get::<At, _>(6).0,
        created_by: row.get(7),
        expires_at: row.get::<At, _>(8).0,
        revoked_at: row.get::<Option<At>, _>(9).map(|at| at.0),
        revoked_by: row.get(10),
        last_used_on: row.get::<Option<On>, _>(11).map(|on| on.0),
    }
}

/// All tokens, in the order of their making.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Token>, Error> {
    let rows = sqlx::query(select!("/* tokens::list */", "ORDER BY id"))
        .fetch_all(tx)
        .await
        .map_err(Error::database("tokens::list"))?;
    Ok(rows.iter().map(token).collect())
}

/// The token with this hash, whatever its state.
pub async fn by_hash(tx: &mut PgConnection, sha256: &[u8; 32]) -> Result<Option<Token>, Error> {
    let row = sqlx::query(select!("/* tokens::by_hash */", "WHERE sha256 = $1"))
        .bind(sha256.as_slice())
        .fetch_optional(tx)
        .await
        .map_err(Error::database("tokens::by_hash"))?;
    Ok(row.as_ref().map(token))
}

/// Whether there is any token, good or not: from the first on, nobody is let in without one.
pub async fn any(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar("/* tokens::any */ SELECT EXISTS (SELECT FROM tokens)")
        .fetch_one(tx)
        .await
        .map_err(Error::database("tokens::any"))
}

/// Notes the day of a use.
pub async fn used(tx: &mut PgConnection, id: i64, on: Date) -> Result<(), Error> {
    sqlx::query(
        "/* tokens::used */ UPDATE tokens SET last_used_on = $2
          WHERE id = $1 AND (last_used_on IS NULL OR last_used_on < $2)",
    )
    .bind(id)
    .bind(On(on))
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("tokens::used"))
}

/// Revokes a token by its name; whether there was one to revoke.
pub async fn revoke(tx: &mut PgConnection, name: &str, at: Timestamp, by: &str) -> Result<bool, Error> {
    let done = sqlx::query(
        "/* tokens::revoke */ UPDATE tokens SET revoked_at = $2, revoked_by = $3 WHERE name = $1 AND revoked_at IS NULL",
    )
    .bind(name)
    .bind(At(at))
    .bind(by)
    .execute(tx)
    .await
    .map_err(Error::database("tokens::revoke"))?;
    Ok(done.rows_affected() == 1)
}
