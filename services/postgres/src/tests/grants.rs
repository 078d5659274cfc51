//! The logins of the roles: what each may do, as the server says, as the lines say and as the document says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, PgPool};

use crate::error::Error;
use crate::grants::{self, Role, planned};
use crate::pool::run_tx;
use crate::standing;
use crate::testing::{TestDatabase, execute, texts};

/// The document that people read.
const DOCUMENT: &str = include_str!("../../../../deploy/postgres/grants.md");

async fn make(pool: &PgPool) -> Result<(), Error> {
    run_tx(pool, "test", &mut (), |tx, ()| Box::pin(async move { grants::make(tx, &BTreeMap::new()).await }))
        .await
}

async fn code(pool: &PgPool, sql: String) -> String {
    let error = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.err();
    error.map_or_else(String::new, |error| error.as_database_error().unwrap().code().unwrap().into_owned())
}

#[tokio::test]
async fn every_table_has_a_line_and_the_document_says_what_the_server_says() {
    let database = TestDatabase::create().await;
    let mut tx = database.pool.acquire().await.unwrap();
    let found = grants::matrix(&mut tx).await.unwrap();
    let mut said: String = found.split_inclusive('\n').take(2).collect();
    let mut lines = planned();
    lines.sort_unstable();
    for (name, cells) in lines {
        writeln!(said, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    assert_eq!(found, said, "a table without a line in grants/lines.rs, or a right that no line gives");
    let (_, document) = DOCUMENT.split_once("\n\n| |").expect("the document has the matrix");
    assert_eq!(
        found.trim_start_matches("| |"),
        document,
        "deploy/postgres/grants.md is no longer true; it should end with\n{found}"
    );
}

#[tokio::test]
async fn what_is_only_added_to_nobody_may_change() {
    let database = TestDatabase::create().await;
    let mut owner = database.pool.acquire().await.unwrap();
    let kept = [
        "access_log",
        "alarms",
        "bulletin_figures",
        "bulletins",
        "closure_records",
        "closure_seals",
        "dead_letter_steps",
        "interventions",
        "ledger",
        "ledger_default",
        "log_checkpoints",
        "log_cosignatures",
        "restatements",
    ];
    for table in kept {
        let column = texts(
            &mut owner,
            "SELECT attname::text || ' ' || attrelid::regclass::text FROM pg_attribute WHERE attnum = 2",
        )
        .await;
        let column = column.iter().find_map(|line| line.strip_suffix(&format!(" {table}"))).unwrap();
        let changes = [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ];
        for change in &changes {
            for role in Role::ALL {
                assert_eq!(
                    code(&database.login(role), change.clone()).await,
                    "42501",
                    "{change} by {}",
                    role.name()
                );
            }
            // The owner may, and stumbles: a mistake is not made by mistake.
            let as_owner = format!("SET ROLE {}; {change}", grants::OWNER);
            // What refers to it must go with it.
            let change = match change.as_str() {
                "TRUNCATE access_log" => format!("{as_owner}, exports"),
                "TRUNCATE bulletins" => format!("{as_owner}, bulletin_figures"),
                "TRUNCATE log_checkpoints" => format!("{as_owner}, log_cosignatures"),
                _ => as_owner,
            };
            assert_eq!(code(&database.pool, change.clone()).await, "23001", "{change}");
        }
    }
}

#[tokio::test]
async fn tokens_and_exports_stay_whoever_asks() {
    let database = TestDatabase::create().await;
    for change in ["DELETE FROM tokens", "TRUNCATE tokens", "DELETE FROM exports", "TRUNCATE exports"] {
        for role in Role::ALL {
            assert_eq!(
                code(&database.login(role), change.to_owned()).await,
                "42501",
                "{change} by {}",
                role.name()
            );
        }
        let as_owner = format!("SET ROLE {}; {change}", grants::OWNER);
        assert_eq!(code(&database.pool, as_owner).await, "23001", "{change}");
    }
}

#[tokio::test]
async fn a_right_too_many_is_taken_back_and_one_too_few_given() {
    let database = TestDatabase::create().await;
    let mut tx = database.pool.acquire().await.unwrap();
    execute(
        &mut tx,
        "GRANT UPDATE ON ledger TO hotline_casework; GRANT SELECT (wrapped) ON personal_keys TO hotline_rates;
         REVOKE INSERT ON alarms FROM hotline_timekeeper; REVOKE UPDATE (number) ON notices FROM hotline_relay;
         GRANT EXECUTE ON FUNCTION make_ledger_partition TO hotline_gateway",
    )
    .await;
    let differences = async |role: Role| {
        let mut tx = database.pool.acquire().await.unwrap();
        grants::differences(&mut tx, &role.login(), &[role]).await.unwrap()
    };
    let of = async |role| {
        let found = differences(role).await;
        (found.missing.join(", "), found.excess.join(", "))
    };
    let said = |missing: &str, excess: &str| (missing.to_owned(), excess.to_owned());
    assert_eq!(of(Role::Casework).await, said("", "UPDATE on ledger"));
    assert_eq!(of(Role::Rates).await, said("", "SELECT (wrapped) on personal_keys"));
    assert_eq!(of(Role::Timekeeper).await, said("INSERT on alarms", ""));
    assert_eq!(of(Role::Relay).await, said("UPDATE (number) on notices", ""));
    assert_eq!(of(Role::Gateway).await, said("", "EXECUTE on make_ledger_partition(date)"));
    let error = grants::check(&database.login(Role::Timekeeper), &[Role::Timekeeper]).await.unwrap_err();
    assert!(
        error.to_string().contains("hotline_timekeeper may not do what it must: INSERT on alarms is missing"),
        "{error}"
    );
    make(&database.pool).await.unwrap();
    for role in Role::ALL {
        assert_eq!(of(role).await, said("", ""), "{}", role.name());
        grants::check(&database.login(role), &[role]).await.unwrap();
    }
}

#[tokio::test]
async fn what_everybody_may_is_no_way_around() {
    let database = TestDatabase::create().await;
    let mut tx = database.pool.acquire().await.unwrap();
    execute(&mut tx, "GRANT SELECT ON personal_keys TO PUBLIC").await;
    let error = make(&database.pool).await.unwrap_err();
    assert!(
        matches!(&error, Error::LoginUnfit { login, why } if login == "hotline_gateway" && why == "SELECT on personal_keys"),
        "{error}"
    );
}

#[tokio::test]
async fn who_may_not_make_logins_is_told_what_to_ask_for_and_does_the_rest() {
    let database = TestDatabase::create_empty().await;
    // The names are the cluster's: another user makes tables, and the logins are there.
    sqlx::raw_sql("DROP ROLE IF EXISTS grants_maker; CREATE ROLE grants_maker LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO grants_maker;
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO grants_maker', current_database()); END $$")
        .execute(&database.pool)
        .await
        .unwrap();
    let _ = TestDatabase::create().await;
    let maker = crate::pool::pool(&crate::PoolConfig::new(database.connect.clone().username("grants_maker")));
    crate::schema::migrate(&maker).await.unwrap();
    assert_eq!(make(&maker).await.map_err(|error| error.code()), Err("roles_denied"));
    let name = database.connect.get_database().unwrap();
    let asked = grants::statements("grants_maker", name);
    let asked: String = asked.lines().filter(|line| !line.starts_with("CREATE ROLE")).collect();
    sqlx::raw_sql(AssertSqlSafe(asked)).execute(&database.pool).await.unwrap();
    make(&maker).await.unwrap();
    make(&maker).await.unwrap();
    crate::schema::migrate(&maker).await.unwrap();
    grants::check(
        &crate::pool::pool(&crate::PoolConfig::new(database.connect.clone().username("hotline_casework"))),
        &[Role::Casework],
    )
    .await
    .unwrap();
    grants::check(&maker, &Role::ALL).await.unwrap();
}

#[tokio::test]
async fn gauges_and_the_page_of_whoever_is_on_duty_read_what_they_show() {
    let database = TestDatabase::create().await;
    let at = super::at(super::NOW);
    for role in [Role::Rates, Role::Gateway] {
        let mut tx = database.login(role).acquire().await.unwrap();
        let pipeline =
            standing::pipeline(&mut tx, at).await.unwrap_or_else(|error| panic!("{role:?}: {error}"));
        assert_eq!(pipeline.receivers, []);
        assert_eq!(standing::by_department(&mut tx, at, at).await.unwrap(), [], "{role:?}");
    }
}

#[tokio::test]
async fn each_role_asks_for_what_is_missing_by_name() {
    let database = TestDatabase::create().await;
    for (login, role) in
        [(Role::Gateway, Role::Casework), (Role::Casework, Role::Operator), (Role::Relay, Role::Rates)]
    {
        let error = grants::check(&database.login(login), &[role]).await.unwrap_err();
        assert_eq!(error.code(), "rights_missing");
        assert!(error.to_string().contains(&login.login()), "{error}");
    }
}
