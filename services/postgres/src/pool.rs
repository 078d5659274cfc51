//! Connections, and the one place that opens a transaction.

use std::pin::Pin;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};

use crate::error::{Error, Sort};

/// How often a transaction that raced with another runs again before it is an error.
pub const ATTEMPTS_MAX: u32 = 20;

/// Where the database is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    pub connect: PgConnectOptions,
    pub connections_max: u32,
    /// How long to wait for a connection.
    pub acquire_for: Duration,
    /// How long a statement may wait for a lock.
    pub lock_for: Duration,
    pub statement_for: Duration,
    /// A stopped process frees its locks after this time.
    pub idle_in_transaction_for: Duration,
}

impl PoolConfig {
    pub fn new(connect: PgConnectOptions) -> Self {
        Self {
            connect,
            connections_max: 8,
            acquire_for: Duration::from_secs(10),
            lock_for: Duration::from_secs(10),
            statement_for: Duration::from_mins(1),
            idle_in_transaction_for: Duration::from_secs(15),
        }
    }
}

/// A pool whose sessions have the time-outs set. No connection is made yet.
pub fn pool(config: &PoolConfig) -> PgPool {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let connect = config.connect.clone().options([
        ("lock_timeout", milliseconds(config.lock_for)),
        ("statement_timeout", milliseconds(config.statement_for)),
        ("idle_in_transaction_session_timeout", milliseconds(config.idle_in_transaction_for)),
        ("client_connection_check_interval", "10000".to_owned()),
        ("timezone", "UTC".to_owned()),
        // To compile a statement costs half a second at times, and none of ours takes as long.
        ("jit", "off".to_owned()),
    ]);
    PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.acquire_for)
        .connect_lazy_with(connect)
}

/// Whether the server takes a connection and answers on it. It makes one of its own: all of a pool may be at work.
pub async fn answers(pool: &PgPool) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(&pool.connect_options())
        .await
        .map_err(Error::database("pool::answers"))?;
    connection.ping().await.map_err(Error::database("pool::answers"))?;
    connection.close().await.map_err(Error::database("pool::answers"))
}

/// Whether the database takes and keeps what is written: a full disk, or one that became read-only, answers all the same.
pub async fn writes(pool: &PgPool) -> Result<(), Error> {
    let name = "pool::writes";
    let mut connection =
        PgConnection::connect_with(&pool.connect_options()).await.map_err(Error::database(name))?;
    sqlx::query("/* pool::writes */ SELECT touch_installation()")
        .execute(&mut connection)
        .await
        .map_err(Error::database(name))?;
    connection.close().await.map_err(Error::database(name))
}

/// A step of a transaction: the future that [`run_tx`] runs.
pub type Step<'t, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 't>>;

/// Runs `work` in one READ COMMITTED transaction and commits it. A transaction that raced with another is rolled
/// back and runs again, up to [`ATTEMPTS_MAX`] times; `work` must leave `context` fit for that.
///
/// It takes a plain function and what it needs beside, since a closure that borrows cannot promise that its
/// future may change threads.
pub async fn run_tx<C, T>(
    pool: &PgPool,
    name: &'static str,
    context: &mut C,
    work: for<'t> fn(&'t mut PgConnection, &'t mut C) -> Step<'t, T>,
) -> Result<T, Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt(pool, name, None, context, work).await {
            Err(error) if error.sort() == Sort::Race && attempts < ATTEMPTS_MAX => {
                tracing::debug!(transaction = name, attempts, code = error.code(), "raced");
            }
            result => return result,
        }
    }
}

/// As [`run_tx`], but everything is read as of one snapshot (REPEATABLE READ) and nothing is repeated.
pub async fn run_snapshot_tx<C, T>(
    pool: &PgPool,
    name: &'static str,
    context: &mut C,
    work: for<'t> fn(&'t mut PgConnection, &'t mut C) -> Step<'t, T>,
) -> Result<T, Error> {
    let isolation = "/* run_snapshot_tx */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    attempt(pool, name, Some(isolation), context, work).await
}

/// As [`run_snapshot_tx`], and PostgreSQL refuses to write.
pub async fn run_read_tx<C, T>(
    pool: &PgPool,
    name: &'static str,
    context: &mut C,
    work: for<'t> fn(&'t mut PgConnection, &'t mut C) -> Step<'t, T>,
) -> Result<T, Error> {
    let isolation = "/* run_read_tx */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    attempt(pool, name, Some(isolation), context, work).await
}

async fn attempt<C, T>(
    pool: &PgPool,
    name: &'static str,
    first: Option<&'static str>,
    context: &mut C,
    work: for<'t> fn(&'t mut PgConnection, &'t mut C) -> Step<'t, T>,
) -> Result<T, Error> {
    let mut borrowed = Borrowed { connection: Some(pool.acquire().await.map_err(Error::database(name))?) };
    let connection = borrowed.connection.as_mut().expect("it was put there");
    let mut tx = connection.begin().await.map_err(Error::database(name))?;
    if let Some(first) = first {
        sqlx::query(first).execute(&mut *tx).await.map_err(Error::database(name))?;
    }
    match work(&mut tx, context).await {
        Ok(value) => {
            #[cfg(any(test, feature = "testing"))]
            if let Some(loss) = crate::testing::planted(pool, name) {
                let lost = loss.of(tx, name).await?;
                // It ended in order, and only nobody is told: a session for each would be most of a simulation's work.
                borrowed.give_back();
                return Err(lost);
            }
            match tx.commit().await {
                Ok(()) => {
                    borrowed.give_back();
                    Ok(value)
                }
                Err(source @ sqlx::Error::Database(_)) if !is_shutdown(&source) => {
                    borrowed.give_back();
                    Err(Error::Database { name, source })
                }
                Err(source) => Err(Error::CommitUnknown { name, source }),
            }
        }
        Err(error) => {
            // The first error is the one to tell.
            match tx.rollback().await {
                // The next attempt gets another session.
                Ok(()) if error.is_stale_plan() => {}
                Ok(()) => borrowed.give_back(),
                Err(rollback) => {
                    tracing::debug!(transaction = name, error = %rollback, "rollback failed");
                }
            }
            Err(error)
        }
    }
}

/// A connection of the pool that goes back only after its transaction has ended in order. Else it is closed: whoever is
/// cut off in the middle of a statement leaves answers behind that the next one would take for its own.
struct Borrowed {
    connection: Option<PoolConnection<Postgres>>,
}

impl Borrowed {
    fn give_back(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

/// Whether the server was told to end the session, which may be after it committed.
fn is_shutdown(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("57") || code.starts_with("08"))
}
