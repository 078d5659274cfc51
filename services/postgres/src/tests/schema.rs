//! Migrations: frozen, complete, and checked at start.

use std::fmt::Write as _;

use aws_lc_rs::digest;

use crate::pool::{PoolConfig, pool};
use crate::schema;
use crate::seal::{MasterKey, hex};
use crate::testing::TestDatabase;

#[test]
fn migrations_are_as_they_were_when_they_landed() {
    let mut found = String::new();
    for (name, sql) in schema::files() {
        let hash = hex(digest::digest(&digest::SHA256, sql.as_bytes()).as_ref());
        writeln!(found, "{hash}  {name}").unwrap();
    }
    let frozen = include_str!("../../migrations/SHA256SUMS");
    assert_eq!(found, frozen, "a landed migration never changes: add another one");
}

#[test]
fn every_migration_is_listed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut present: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "SHA256SUMS")
        .collect();
    present.sort();
    assert_eq!(present, schema::files().map(|(name, _)| name).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_schema_that_is_not_this_programs_is_refused() {
    let database = TestDatabase::create_empty().await;
    let code = async || schema::check(&database.pool).await.map_err(|error| error.code());
    assert_eq!(code().await, Err("migrations_pending"));
    schema::migrate(&database.pool).await.unwrap();
    schema::migrate(&database.pool).await.unwrap();
    assert_eq!(code().await, Ok(()));
    for (change, expect) in [
        ("UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 2", "migrations_changed"),
        ("INSERT INTO _sqlx_migrations SELECT 99, 'newer', now(), true, '', 1", "migrations_unknown"),
        ("DELETE FROM _sqlx_migrations WHERE version = 1", "migrations_pending"),
    ] {
        sqlx::query(change).execute(&database.pool).await.unwrap();
        assert_eq!(code().await, Err(expect));
    }
}

#[tokio::test]
async fn a_database_belongs_to_its_master_key() {
    let bench = super::Bench::new().await;
    let first = bench.writer.prepare(super::at(super::NOW)).await.unwrap();
    assert_eq!(first.id.len(), 32);
    let other = crate::CaseWriter::new(bench.database.pool.clone(), MasterKey::new([1; 32]));
    let error = other.prepare(super::at(super::NOW)).await.unwrap_err();
    assert_eq!(error.code(), "wrong_master_key");
}

#[tokio::test]
async fn sessions_have_their_time_outs() {
    let database = TestDatabase::create().await;
    let mut config = PoolConfig::new(database.connect.clone());
    config.statement_for = std::time::Duration::from_millis(50);
    let impatient = pool(&config);
    let error = sqlx::query("SELECT pg_sleep(60)").execute(&impatient).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "57014");
    for name in ["lock_timeout", "idle_in_transaction_session_timeout"] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert_ne!(value, "0", "{name}");
    }
}
