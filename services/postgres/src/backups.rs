//! What a backup says of the database it was made of, and what a restored one must be made to do.

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::error::Error;
use crate::interventions::{self, By};
use crate::positions::{self, Position};
use crate::schema;
use crate::seal::{MasterKey, hex};
use crate::sql_types::At;

/// What an owner from before the backup may have counted on: whoever takes an origin after the restore is beyond it.
const EPOCHS_BEYOND: i64 = 1_000_000;

/// The database as the running transaction sees it.
#[derive(Clone, Debug)]
pub struct Content {
    /// For `pg_dump`, as long as the transaction lasts.
    pub snapshot: String,
    pub made_at: Timestamp,
    pub server_major: u32,
    /// Bytes of the database.
    pub bytes: i64,
    /// Migrations of the schema.
    pub schema: Vec<i64>,
    /// None where no role has ever started on it.
    pub installation: Option<Named>,
    pub cases: i64,
    pub positions: Vec<Position>,
}

/// Which installation, and of which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    /// Hexadecimal; derived from the master key.
    pub key_check: String,
}

/// What `key_check` of an installation with this master key is.
pub fn key_check(master: &MasterKey) -> String {
    hex(&master.check())
}

/// Describes the database and exports the transaction's snapshot.
pub async fn describe(tx: &mut PgConnection) -> Result<Content, Error> {
    let name = "backups::describe";
    let row = sqlx::query(
        "/* backups::describe */ SELECT pg_export_snapshot(), now(), current_setting('server_version_num')::integer,
                pg_database_size(current_database()), (SELECT count(*) FROM cases)",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let schema =
        sqlx::query_scalar("/* backups::describe */ SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database(name))?;
    let installation = sqlx::query("/* backups::describe */ SELECT id, key_check FROM installation")
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    Ok(Content {
        snapshot: row.get(0),
        made_at: row.get::<At, _>(1).0,
        server_major: major(row.get(2)),
        bytes: row.get(3),
        cases: row.get(4),
        schema,
        installation: installation.map(|row| Named { id: row.get(0), key_check: hex(row.get(1)) }),
        positions: positions::list(tx).await?,
    })
}

/// The server's major version.
pub async fn server_major(pool: &PgPool) -> Result<u32, Error> {
    let number = sqlx::query_scalar(
        "/* backups::server_major */ SELECT current_setting('server_version_num')::integer",
    );
    number.fetch_one(pool).await.map(major).map_err(Error::database("backups::server_major"))
}

fn major(server_version_num: i32) -> u32 {
    u32::try_from(server_version_num / 10_000).unwrap_or(0)
}

/// What a database is to a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Empty,
    /// Filled by a restore that was not finished.
    Unfinished,
    /// A restore fills it just now, or one that was given up still does.
    Filling,
    Occupied,
}

pub async fn target(pool: &PgPool) -> Result<Target, Error> {
    let name = "backups::target";
    // What belongs to an extension was there before us.
    let row = sqlx::query(
        "/* backups::target */ SELECT
            EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg_restore'),
            EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
                AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'))",
    )
    .fetch_one(pool)
    .await
    .map_err(Error::database(name))?;
    if row.get(0) {
        return Ok(Target::Filling);
    }
    if !row.get::<bool, _>(1) {
        return Ok(Target::Empty);
    }
    Ok(if schema::is_unfinished(pool).await? { Target::Unfinished } else { Target::Occupied })
}

/// Whether what an unfinished restore left is of this installation and as large.
pub async fn is_of(pool: &PgPool, installation: Option<&str>, cases: i64) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* backups::is_of */ SELECT (SELECT max(id) FROM installation) IS NOT DISTINCT FROM $1
            AND (SELECT count(*) FROM cases) = $2",
    )
    .bind(installation)
    .bind(cases)
    .fetch_one(pool)
    .await
    .map_err(Error::database("backups::is_of"))
}

/// Bytes of the database by now.
pub async fn bytes(pool: &PgPool) -> Result<i64, Error> {
    sqlx::query_scalar("/* backups::bytes */ SELECT pg_database_size(current_database())")
        .fetch_one(pool)
        .await
        .map_err(Error::database("backups::bytes"))
}

/// Fences everybody who held an origin after the backup was made, keeps that there was a restore, and last says which
/// schema this is: until then every role refuses.
pub async fn begin_anew(tx: &mut PgConnection, by: &By<'_>, versions: &[i64]) -> Result<(), Error> {
    sqlx::query("/* backups::begin_anew */ UPDATE positions SET epoch = epoch + $1")
        .bind(EPOCHS_BEYOND)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("backups::begin_anew"))?;
    interventions::note(tx, "database", "restored", by, None).await?;
    schema::declare(tx, versions, by.at).await
}

/// Tells the planner what is in the tables.
pub async fn analyze(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("/* backups::analyze */ ANALYZE")
        .execute(pool)
        .await
        .map(drop)
        .map_err(Error::database("backups::analyze"))
}
