//! A throw-away PostgreSQL cluster for tests: one a process, a database a test.
//!
//! The cluster is real and private: a directory of its own, a unix socket, no TCP. It is gone when the process
//! is, however that ends: it hangs on a pipe that only this process holds. Durability is switched off, since no
//! test pulls the plug.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::grants::{self, Role};
use crate::pool::{PoolConfig, pool, run_tx};
use crate::schema;

/// How long the cluster may take to answer for the first time.
const START_FOR: Duration = Duration::from_mins(1);
const TEMPLATE: &str = "hotline_template";

/// A database of one test, with all migrations.
#[derive(Debug)]
pub struct TestDatabase {
    pub connect: PgConnectOptions,
    pub pool: PgPool,
}

#[derive(Debug)]
struct Cluster {
    directory: PathBuf,
    /// Its standard input is the pipe.
    _keeper: Child,
}

impl TestDatabase {
    /// A new, migrated database.
    ///
    /// # Panics
    /// If there is no PostgreSQL on this machine, or it does not start.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        template().await;
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        let connect = options(&name);
        let pool = pool(&PoolConfig::new(connect.clone()));
        Self { connect, pool }
    }

    /// A new database without any table.
    pub async fn create_empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("empty_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name}")).await;
        let connect = options(&name);
        let pool = pool(&PoolConfig::new(connect.clone()));
        Self { connect, pool }
    }
}

impl TestDatabase {
    /// Connections as a role of the program has them: with its login, and so with its rights.
    pub fn login(&self, role: Role) -> PgPool {
        pool(&PoolConfig::new(self.connect.clone().username(&role.login())))
    }
}

/// How the next commit of a transaction is lost: nobody can tell the one from the other without looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It did not happen.
    OfTheCommit,
    /// It happened, and nobody was told.
    OfTheAnswer,
}

/// By database and transaction.
static LOSSES: Mutex<BTreeMap<(String, &'static str), Loss>> = Mutex::new(BTreeMap::new());

fn losses() -> MutexGuard<'static, BTreeMap<(String, &'static str), Loss>> {
    LOSSES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn database(pool: &PgPool) -> String {
    pool.connect_options().get_database().unwrap_or_default().to_owned()
}

/// Loses the next commit of the transactions of this name.
pub fn lose_next(pool: &PgPool, transaction: &'static str, loss: Loss) {
    losses().insert((database(pool), transaction), loss);
}

/// Takes back what was planted and has not come about.
pub fn forget_losses(pool: &PgPool) {
    let database = database(pool);
    losses().retain(|(of, _), _| *of != database);
}

/// How the commit of this transaction is to be lost, once.
pub(crate) fn planted(pool: &PgPool, name: &'static str) -> Option<Loss> {
    losses().remove(&(database(pool), name))
}

impl Loss {
    /// Ends a transaction; what its caller is told.
    pub(crate) async fn of(
        self,
        tx: sqlx::Transaction<'_, sqlx::Postgres>,
        name: &'static str,
    ) -> Result<Error, Error> {
        let ended = match self {
            Loss::OfTheCommit => tx.rollback().await,
            Loss::OfTheAnswer => tx.commit().await,
        };
        ended.map_err(Error::database(name))?;
        let source = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        Ok(Error::CommitUnknown { name, source })
    }
}

/// Of what a test fills, all tables but those that say what installation this is, and which rulebooks there were.
const EMPTIED: [&str; 27] = [
    "positions",
    "ledger",
    "personal",
    "personal_keys",
    "dead_letters",
    "dead_letter_steps",
    "figures",
    "cases",
    "tally_deltas",
    "tallies",
    "board_months",
    "board_rates",
    "board_scores",
    "board_times",
    "restatements",
    "alarms",
    "notices",
    "deliveries",
    "undelivered",
    "closure_records",
    "refolds",
    "stopped_sources",
    "interventions",
    "closure_changes",
    "closures",
    "closure_days",
    "closure_findings",
];

/// Empties the tables in which a test leaves little. TRUNCATE makes new files for every table and index and has every session plan
/// its statements anew: for a few hundred rows that takes fifty times as long as to delete them.
pub async fn empty(pool: &PgPool) {
    // No trigger asks what refers to what: all of it goes.
    let sql = format!(
        "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM {}; COMMIT",
        EMPTIED.join("; DELETE FROM ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect("the tables are there");
}

/// The keys of events that are dead letters.
pub async fn refused(pool: &PgPool) -> std::collections::BTreeSet<Vec<u8>> {
    let keys: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT event_key FROM dead_letters WHERE event_key IS NOT NULL")
            .fetch_all(pool)
            .await
            .expect("a test's query is right");
    keys.into_iter().collect()
}

/// The one integer that a query of a test gives.
pub async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.expect("a test's query is right")
}

/// Runs a statement of a test.
pub async fn execute(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.expect("a test's statement is right");
}

/// Runs a statement of a test as somebody who may do everything and has switched off what guards the tables.
pub async fn alter(connection: &mut PgConnection, sql: &str) {
    let sql = format!("SET LOCAL session_replication_role = replica; {sql}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("a test's statement is right");
}

/// The texts that a query of a test gives, in its order.
pub async fn texts(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(connection).await.expect("a test's query is right")
}

/// The directory of the cluster, for tests that look at its files.
pub fn directory() -> &'static Path {
    &cluster().directory
}

fn options(database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&cluster().directory)
        .username("postgres")
        .database(database)
}

async fn template() {
    static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();
    let make = async {
        administer(&format!("CREATE DATABASE {TEMPLATE}")).await;
        let pool = pool(&PoolConfig::new(options(TEMPLATE)));
        schema::migrate(&pool).await.expect("the migrations apply to an empty database");
        run_tx(&pool, "grants::make", &mut (), |tx, ()| {
            Box::pin(async move { grants::make(tx, &BTreeMap::new()).await })
        })
        .await
        .expect("each role of the program gets its login");
        pool.close().await;
    };
    TEMPLATE_MADE.get_or_init(|| make).await;
}

/// Runs a statement that makes a database. Copies of one template wait for each other in the server.
async fn administer(sql: &str) {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut connection = connect().await;
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .expect("a database can be made");
    connection.close().await.expect("a connection can be closed");
}

async fn connect() -> PgConnection {
    let deadline = tokio::time::Instant::now() + START_FOR;
    let options = options("postgres");
    loop {
        match PgConnection::connect_with(&options).await {
            Ok(connection) => return connection,
            Err(error) if tokio::time::Instant::now() > deadline => {
                let log = std::fs::read_to_string(cluster().directory.join("log")).unwrap_or_default();
                panic!("the test cluster does not answer: {error}\n{log}");
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("hotline-test-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let keeper = keeper(&binaries(), &directory);
        Cluster { directory, _keeper: keeper }
    })
}

/// Initialises and runs the cluster until its standard input ends, then removes it.
fn keeper(binaries: &Path, directory: &Path) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM
        cd "$2" && export PATH="$1:$PATH" PGDATA="$2/data"
        initdb --no-sync --no-locale -E UTF8 -U postgres --auth=trust >log 2>&1
        postgres -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
            -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB >>log 2>&1 &
        cat >/dev/null
        kill -QUIT $! && wait $!
        cd / && rm -rf "$2"
    "#;
    // PostgreSQL refuses to run as root.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = Command::new("setsid");
    if is_root {
        let owner = Command::new("chown").arg("postgres").arg(directory).status();
        assert!(owner.is_ok_and(|status| status.success()), "as root, the tests need a user named postgres");
        command.args(["runuser", "-u", "postgres", "--"]);
    }
    command.args(["sh", "-c", SCRIPT, "keeper"]).arg(binaries).arg(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("setsid and sh are on every machine that builds this")
}

/// The newest installed version.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest =
        versions.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists()).max_by_key(number);
    newest.map_or_else(PathBuf::new, |path| path.join("bin"))
}
