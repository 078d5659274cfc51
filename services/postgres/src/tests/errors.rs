//! Which failure is whose.

use std::io;

use crate::error::{Error, Sort, sort_of_sqlstate};

fn check(error: sqlx::Error, expect: Sort) {
    let error = Error::Database { name: "test", source: error };
    assert_eq!(error.sort(), expect, "{error}");
}

#[test]
fn every_failure_has_its_sort() {
    for (state, expect) in [
        ("40001", Sort::Race),        // serialization_failure
        ("40P01", Sort::Race),        // deadlock_detected
        ("08006", Sort::Environment), // connection_failure
        ("25006", Sort::Environment), // read_only_sql_transaction: a standby
        ("25P03", Sort::Environment), // idle_in_transaction_session_timeout
        ("28P01", Sort::Environment), // invalid_password
        ("3D000", Sort::Environment), // invalid_catalog_name
        ("42501", Sort::Environment), // insufficient_privilege: an administrator took something away
        ("40003", Sort::Environment), // statement_completion_unknown
        ("53100", Sort::Environment), // disk_full
        ("53300", Sort::Environment), // too_many_connections
        ("55P03", Sort::Environment), // lock_not_available
        ("57014", Sort::Environment), // query_canceled: statement_timeout
        ("57P01", Sort::Environment), // admin_shutdown
        ("57P03", Sort::Environment), // cannot_connect_now
        ("58030", Sort::Environment), // io_error
        ("22021", Sort::Data),        // character_not_in_repertoire
        ("22P02", Sort::Data),        // invalid_text_representation
        ("23505", Sort::Data),        // unique_violation
        ("23514", Sort::Data),        // check_violation
        ("54000", Sort::Data),        // program_limit_exceeded
        ("42P01", Sort::Bug),         // undefined_table
        ("42804", Sort::Bug),         // datatype_mismatch
        ("25P02", Sort::Bug),         // in_failed_sql_transaction
        ("XX000", Sort::Bug),         // internal_error
        ("", Sort::Bug),
    ] {
        assert_eq!(sort_of_sqlstate(state), expect, "{state}");
    }
    check(sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()), Sort::Environment);
    check(sqlx::Error::PoolTimedOut, Sort::Environment);
    check(sqlx::Error::PoolClosed, Sort::Environment);
    check(sqlx::Error::RowNotFound, Sort::Bug);
    assert_eq!(Error::Raced { name: "test", expected: 2, found: 1 }.sort(), Sort::Race);
    assert_eq!(Error::NoRulebook.sort(), Sort::Environment);
    assert_eq!(Error::WrongMasterKey.sort(), Sort::Bug);
}

#[tokio::test]
async fn what_the_server_says_is_sorted_by_its_state() {
    let database = crate::testing::TestDatabase::create().await;
    for (sql, expect) in [
        ("SELECT 1 / 0", Sort::Data),
        ("SELECT nothing", Sort::Bug),
        ("INSERT INTO rulebooks VALUES (0, '', '', 'now')", Sort::Data),
        ("DO $$ BEGIN RAISE SQLSTATE '57P01'; END $$", Sort::Environment),
    ] {
        check(sqlx::query(sql).execute(&database.pool).await.unwrap_err(), expect);
    }
    let lost = sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())").execute(&database.pool).await;
    check(lost.unwrap_err(), Sort::Environment);
}
