//! The schema: numbered migrations, frozen once landed, and the check that every role makes at start.

use jiff::Timestamp;
use sqlx::migrate::{Migrate as _, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, PgConnection, PgPool, SqlSafeStr as _};

use crate::error::Error;
use crate::sql_types::At;

const FILES: &[(i64, &str, &str)] = &[
    (1, "installation", include_str!("../migrations/0001_installation.sql")),
    (2, "intake", include_str!("../migrations/0002_intake.sql")),
    (3, "cases", include_str!("../migrations/0003_cases.sql")),
    (4, "tallies", include_str!("../migrations/0004_tallies.sql")),
    (5, "partitions", include_str!("../migrations/0005_partitions.sql")),
    (6, "room", include_str!("../migrations/0006_room.sql")),
    (7, "byte_order", include_str!("../migrations/0007_byte_order.sql")),
    (8, "letter_case", include_str!("../migrations/0008_letter_case.sql")),
    (9, "tally_names", include_str!("../migrations/0009_tally_names.sql")),
    (10, "ways_back", include_str!("../migrations/0010_ways_back.sql")),
    (11, "alarms", include_str!("../migrations/0011_alarms.sql")),
    (12, "deliveries", include_str!("../migrations/0012_deliveries.sql")),
    (13, "reclaims", include_str!("../migrations/0013_reclaims.sql")),
    (14, "alarms_from", include_str!("../migrations/0014_alarms_from.sql")),
    (15, "rungs", include_str!("../migrations/0015_rungs.sql")),
    (16, "boards", include_str!("../migrations/0016_boards.sql")),
    (17, "bulletins", include_str!("../migrations/0017_bulletins.sql")),
    (18, "closure_records", include_str!("../migrations/0018_closure_records.sql")),
    (19, "closure_log", include_str!("../migrations/0019_closure_log.sql")),
    (24, "months", include_str!("../migrations/0024_months.sql")),
    (25, "turns", include_str!("../migrations/0025_turns.sql")),
    (26, "access", include_str!("../migrations/0026_access.sql")),
    (28, "grants", include_str!("../migrations/0028_grants.sql")),
    (29, "erasure", include_str!("../migrations/0029_erasure.sql")),
    (30, "records_compressed", include_str!("../migrations/0030_records_compressed.sql")),
    (31, "turn_of_closures", include_str!("../migrations/0031_turn_of_closures.sql")),
    (32, "backlog", include_str!("../migrations/0032_backlog.sql")),
    (33, "records_of_steps", include_str!("../migrations/0033_records_of_steps.sql")),
    (34, "idle_exports", include_str!("../migrations/0034_idle_exports.sql")),
    (35, "late_submissions", include_str!("../migrations/0035_late_submissions.sql")),
    (36, "records_of_bulletins", include_str!("../migrations/0036_records_of_bulletins.sql")),
];

/// The migrations by version and file name.
pub fn files() -> impl Iterator<Item = (String, &'static str)> {
    FILES.iter().map(|(version, name, sql)| (format!("{version:04}_{name}.sql"), *sql))
}

fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(FILES.iter().map(migration).collect())
}

/// Whether this program has that migration.
pub fn knows(version: i64) -> bool {
    FILES.iter().any(|(known, ..)| *known == version)
}

/// Whether tables are there and nobody has said of which schema: a restore was not finished.
pub async fn is_unfinished(pool: &PgPool) -> Result<bool, Error> {
    let name = "schema::is_unfinished";
    let both: bool = sqlx::query_scalar(
        "/* schema::is_unfinished */ SELECT to_regclass('_sqlx_migrations') IS NOT NULL AND to_regclass('installation') IS NOT NULL",
    )
    .fetch_one(pool)
    .await
    .map_err(Error::database(name))?;
    if !both {
        return Ok(false);
    }
    sqlx::query_scalar("/* schema::is_unfinished */ SELECT NOT EXISTS (SELECT FROM _sqlx_migrations)")
        .fetch_one(pool)
        .await
        .map_err(Error::database(name))
}

/// Whether somebody else has tables here, and we have none: theirs and ours would get mixed up.
async fn is_of_others(pool: &PgPool) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* schema::is_of_others */ SELECT to_regclass('_sqlx_migrations') IS NULL AND EXISTS (
            SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'))",
    )
    .fetch_one(pool)
    .await
    .map_err(Error::database("schema::is_of_others"))
}

/// Says of tables that were restored that these migrations made them.
pub(crate) async fn declare(tx: &mut PgConnection, versions: &[i64], at: Timestamp) -> Result<(), Error> {
    for migration in migrator().iter().filter(|migration| versions.contains(&migration.version)) {
        sqlx::query(
            "/* schema::declare */ INSERT INTO _sqlx_migrations
                (version, description, installed_on, success, checksum, execution_time) VALUES ($1, $2, $3, true, $4, 0)",
        )
        .bind(migration.version)
        .bind(migration.description.as_ref())
        .bind(At(at))
        .bind(migration.checksum.as_ref())
        .execute(&mut *tx)
        .await
        .map_err(Error::database("schema::declare"))?;
    }
    Ok(())
}

/// Brings the schema up to this program; at once if it is.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    if is_unfinished(pool).await? {
        return Err(Error::RestoreUnfinished);
    }
    if is_of_others(pool).await? {
        return Err(Error::OfOthers);
    }
    // To make an index of what years have left takes as long as it takes.
    let mut connection = pool.acquire().await.map_err(Error::database("schema::migrate"))?.detach();
    sqlx::query("/* schema::migrate */ SET statement_timeout = 0")
        .execute(&mut connection)
        .await
        .map_err(Error::database("schema::migrate"))?;
    migrator().run_direct(None, &mut connection, false).await?;
    connection.close().await.map_err(Error::database("schema::migrate"))
}

/// Refuses a schema that lacks a migration, has one that this program does not know, or another content.
pub async fn check(pool: &PgPool) -> Result<(), Error> {
    let present: bool =
        sqlx::query_scalar("/* schema::check */ SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(pool)
            .await
            .map_err(Error::database("schema::check"))?;
    let applied = if present {
        let mut connection = pool.acquire().await.map_err(Error::database("schema::check"))?;
        connection.list_applied_migrations("_sqlx_migrations").await?
    } else {
        Vec::new()
    };
    if applied.is_empty() && is_unfinished(pool).await? {
        return Err(Error::RestoreUnfinished);
    }
    let known = migrator();
    let version = |version| applied.iter().find(|one| one.version == version);
    let missing: Vec<i64> =
        known.iter().map(|one| one.version).filter(|one| version(*one).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::MigrationsPending { missing });
    }
    let unknown: Vec<i64> =
        applied.iter().map(|one| one.version).filter(|one| !known.version_exists(*one)).collect();
    if !unknown.is_empty() {
        return Err(Error::MigrationsUnknown { unknown });
    }
    let is_changed = |one: &&Migration| version(one.version).is_some_and(|a| a.checksum != one.checksum);
    let changed: Vec<i64> = known.iter().filter(is_changed).map(|one| one.version).collect();
    if changed.is_empty() { Ok(()) } else { Err(Error::MigrationsChanged { changed }) }
}
