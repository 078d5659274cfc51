//! The role of boards: every relation there is, asked for by it.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::error::Error;
use crate::pool::run_tx;
use crate::readers::{self, Name, Verifier};
use crate::testing::{TestDatabase, texts};

async fn make(database: &TestDatabase, name: &str, password: Option<&str>) -> Result<(), Error> {
    let verifier = password.map(Verifier::of).transpose()?;
    let mut reader = (Name::parse(name)?, verifier);
    run_tx(&database.pool, "test", &mut reader, |tx, (name, verifier)| {
        Box::pin(readers::make(tx, name, verifier.as_ref()))
    })
    .await
}

async fn connect(options: &PgConnectOptions, role: &str) -> PgConnection {
    PgConnection::connect_with(&options.clone().username(role)).await.expect("the role may log in")
}

async fn code(connection: &mut PgConnection, sql: String) -> String {
    let error = sqlx::query(AssertSqlSafe(sql)).execute(connection).await.err();
    error.map_or_else(String::new, |error| error.as_database_error().unwrap().code().unwrap().into_owned())
}

#[tokio::test]
async fn a_reader_reads_the_views_of_boards_and_nothing_else() {
    let database = TestDatabase::create().await;
    make(&database, "board_reader", Some("secret")).await.unwrap();
    make(&database, "board_reader", None).await.unwrap();
    let mut owner = database.pool.acquire().await.unwrap();
    let relations = texts(
        &mut owner,
        "SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
          WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
          ORDER BY 1",
    )
    .await;
    let mut reader = connect(&database.connect, "board_reader").await;
    // Read-only is a default that a session may change; rights it may not.
    assert_eq!(code(&mut reader, "SET default_transaction_read_only = off".to_owned()).await, "");
    let mut views = 0;
    for relation in &relations {
        let read = code(&mut reader, format!("SELECT * FROM {relation}")).await;
        let is_of_boards = relation.starts_with("board.");
        views += usize::from(is_of_boards);
        assert_eq!(read, if is_of_boards { "" } else { "42501" }, "{relation}");
        if !is_of_boards {
            continue;
        }
        let write = code(&mut reader, format!("DELETE FROM {relation}")).await;
        assert!(["42501", "55000"].contains(&write.as_str()), "{relation}: {write}");
    }
    assert!(views > 15 && relations.len() > views + 20, "{relations:?}");
    for forbidden in [
        "CREATE TABLE board.mine (a integer)",
        "CREATE TEMPORARY TABLE mine (a integer)",
        "SELECT lo_from_bytea(0, '\\x00')",
        "DO $$ BEGIN LOCK TABLE public.activation_turn IN SHARE MODE; END $$",
        "SELECT FROM public.turns FOR UPDATE",
    ] {
        assert_eq!(code(&mut reader, forbidden.to_owned()).await, "42501", "{forbidden}");
    }
}

#[tokio::test]
async fn a_readers_session_cannot_last() {
    let database = TestDatabase::create().await;
    make(&database, "board_session", Some("secret")).await.unwrap();
    let mut reader = connect(&database.connect, "board_session").await;
    let shown = "SELECT name || '=' || current_setting(name) FROM unnest(ARRAY['default_transaction_read_only',
                    'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'work_mem', 'jit', 'search_path'])
                  AS name";
    let expect = [
        "default_transaction_read_only=on",
        "statement_timeout=5s",
        "lock_timeout=2s",
        "idle_in_transaction_session_timeout=10s",
        "work_mem=16MB",
        "jit=off",
        "search_path=board",
    ];
    assert_eq!(texts(&mut reader, shown).await, expect);
    assert_eq!(code(&mut reader, "CREATE TEMP TABLE mine (a integer)".to_owned()).await, "25006");
}

#[tokio::test]
async fn a_role_that_could_do_more_is_refused() {
    let database = TestDatabase::create().await;
    let code = async |name: &str| make(&database, name, None).await.map_err(|error| error.code());
    let execute = async |sql: &'static str| sqlx::raw_sql(sql).execute(&database.pool).await.unwrap();
    assert_eq!(code("postgres").await, Err("reader_unfit"));
    execute("CREATE ROLE board_maker CREATEROLE; CREATE ROLE board_member; GRANT pg_read_all_data TO board_member").await;
    assert_eq!(code("board_maker").await, Err("reader_unfit"));
    assert_eq!(code("board_member").await, Err("reader_unfit"));
    execute("GRANT SELECT (case_id) ON cases TO PUBLIC").await;
    let error = make(&database, "board_curious", None).await.unwrap_err();
    assert!(matches!(&error, Error::ReaderReads { readable, .. } if readable == &["cases"]), "{error}");
    assert_eq!(
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_roles WHERE rolname = 'board_curious'")
            .fetch_one(&database.pool)
            .await
            .unwrap(),
        0,
        "nothing is left of it"
    );
}

#[tokio::test]
async fn who_may_not_make_roles_is_told_what_to_ask_for() {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(
        "CREATE ROLE board_owner LOGIN; CREATE ROLE board_asked LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO board_owner;
         ALTER SCHEMA board OWNER TO board_owner;
         DO $$ DECLARE view regclass; BEGIN
             FOR view IN SELECT oid FROM pg_class WHERE relnamespace = 'board'::regnamespace AND relkind = 'v' LOOP
                 EXECUTE format('ALTER VIEW %s OWNER TO board_owner', view);
             END LOOP;
         END $$",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let mut owner = connect(&database.connect, "board_owner").await;
    let name = Name::parse("board_wanted").unwrap();
    let error = readers::make(&mut owner, &name, None).await.unwrap_err();
    let Error::ReaderDenied { statements } = &error else { panic!("{error}") };
    let by_hand = statements.replace('…', "secret");
    sqlx::raw_sql(AssertSqlSafe(by_hand)).execute(&database.pool).await.unwrap();
    let error = readers::make(&mut owner, &name, None).await.err().map(|error| error.to_string());
    assert_eq!(error, None, "what is left to do it may do");
}
