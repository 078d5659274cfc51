//! The schema: numbered migrations, frozen once landed, and the check that every role makes at start.

use sqlx::migrate::{Migrate as _, Migration, MigrationType, Migrator};
use sqlx::{PgPool, SqlSafeStr as _};

use crate::error::Error;

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

/// Brings the schema up to this program; at once if it is.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    Ok(migrator().run(pool).await?)
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
