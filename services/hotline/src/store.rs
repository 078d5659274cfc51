//! Configuration and database, as commands need them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_postgres::{MasterKey, PgConnectOptions, PgPool, PoolConfig, pool, schema};
use hotline_runtime::config::{Config, DataConfig, PostgresConfig};
use hotline_runtime::database::{Connection, Database, Host, Target};
use hotline_runtime::{dump, embedded, key};
use tokio::signal::unix::{SignalKind, signal};

/// How long a database may take to accept connections after it was found: for roles, and for people who wait.
const ANSWER_WAIT: Duration = Duration::from_mins(1);
const COMMAND_ANSWER_WAIT: Duration = Duration::from_secs(15);
/// A command may read everything, and wait for whoever reads its output.
const COMMAND_WAIT: Duration = Duration::from_hours(1);
/// How long the last attempt may take, the one that says why.
const LAST_WAIT: Duration = Duration::from_secs(5);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// An open database. A cluster that was started for it ends with [`Store::close`].
#[derive(Debug)]
pub struct Store {
    pub pool: PgPool,
    pub master: MasterKey,
    database: Database,
}

impl Store {
    /// For commands: shares the cluster of a hotline that runs, else starts it for as long as the command takes.
    /// The schema is that of this program.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::must_exist(config)?;
        Self::open_unchecked(config).await?.checked().await
    }

    /// Refuses to make an embedded database where there is none.
    pub fn must_exist(config: &Config) -> anyhow::Result<()> {
        let dir = config.section::<DataConfig>().dir;
        if config.optional::<PostgresConfig>().is_none() && !embedded::exists(&dir) {
            bail!(
                "there is no database in {}: `hotline all` makes one, `hotline restore` fills one from a backup; [data] dir or \
                 HOTLINE__DATA__DIR says where it is",
                dir.display()
            );
        }
        Ok(())
    }

    /// Closes a store whose schema is not that of this program.
    pub async fn checked(self) -> anyhow::Result<Self> {
        match schema::check(&self.pool).await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.close().await?;
                Err(error.into())
            }
        }
    }

    /// As [`Store::open`], whatever the schema.
    pub async fn open_unchecked(config: &Config) -> anyhow::Result<Self> {
        Self::connect(config, Database::open(config), Some(COMMAND_WAIT)).await
    }

    /// As [`Store::open_unchecked`], for what takes as long as the database is large.
    pub async fn open_for_copying(config: &Config) -> anyhow::Result<Self> {
        Self::connect(config, Database::open(config), Some(dump::COPY_WAIT)).await
    }

    /// For roles: the cluster belongs to this process.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        Self::connect(config, Database::start(config), None).await
    }

    async fn connect(
        config: &Config,
        database: impl Future<Output = Result<Database, hotline_runtime::Error>>,
        patience: Option<Duration>,
    ) -> anyhow::Result<Self> {
        // The key is made before the first database, never after it.
        let master = MasterKey::new(*key::MasterKey::of(config)?.bytes());
        let database = database.await?;
        let connection = database.connection();
        let mut pooled = PoolConfig::new(options(connection)?);
        pooled.connections_max = connection.pool_max;
        if let Some(patience) = patience {
            pooled.statement_for = patience;
            pooled.idle_in_transaction_for = patience;
        }
        let store = Self { pool: pool(&pooled), master, database };
        let wait = if patience.is_some() { COMMAND_ANSWER_WAIT } else { ANSWER_WAIT };
        match store.until_it_answers(wait, &config.section::<DataConfig>().dir).await {
            Ok(()) => Ok(store),
            Err(error) => {
                // A cluster that was started for this is not left running.
                store.close().await?;
                Err(error)
            }
        }
    }

    /// A server that is just starting refuses for a while; one that does not let us in is not waited for.
    async fn until_it_answers(&self, wait: Duration, data_dir: &Path) -> anyhow::Result<()> {
        let asked = async {
            let mut told = false;
            loop {
                match hotline_postgres::answers(&self.pool).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is_refused_login() => return Err(error),
                    Err(error) if told => {
                        tracing::debug!(error.code = error.code(), %error, "the database does not answer yet");
                    }
                    Err(error) => {
                        told = true;
                        tracing::warn!(error.code = error.code(), %error, "the database does not answer yet");
                    }
                }
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
            }
        };
        let refused = match tokio::time::timeout(wait, asked).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(refused)) => Some(refused),
            Err(_) => None,
        };
        let (place, look_at) = match &self.database.connection().target {
            Target::Url(_) => ("of [postgres] url".to_owned(), "check [postgres]".to_owned()),
            Target::Server { host: Host::Network(name), port, .. } => {
                (format!("at {name}:{port}"), "check [postgres]".to_owned())
            }
            Target::Server { host: Host::SocketDir(dir), port, database, .. } => {
                let is_ours = database == embedded::DATABASE && data_dir.join("postgres").is_dir();
                let look_at = if is_ours {
                    format!("its password is kept in {}", data_dir.join("postgres.password").display())
                } else {
                    "check [postgres]".to_owned()
                };
                (format!("in {} on port {port}", dir.display()), look_at)
            }
        };
        if let Some(refused) = refused {
            return Err(refused)
                .with_context(|| format!("the database {place} does not let this user in; {look_at}"));
        }
        let problem = || format!("the database {place} does not answer; {look_at}");
        let last = tokio::time::timeout(LAST_WAIT, hotline_postgres::answers(&self.pool)).await;
        last.with_context(problem)?.with_context(problem)
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Closes the connections, then the cluster if it was started for them.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        Ok(self.database.close().await?)
    }
}

/// Runs a command's work on an open store and closes it, whatever came of the work.
pub async fn with<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = Store::open(config).await?;
    let done = tokio::select! {
        done = work(&store) => done,
        interrupted = interrupted() => interrupted.and_then(|()| bail!("interrupted")),
    };
    store.close().await?;
    done
}

/// Waits for Ctrl-C or SIGTERM: a cluster that was started for a command must not outlive it.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen to signals"),
        _ = terminate.recv() => Ok(()),
    }
}

fn options(connection: &Connection) -> anyhow::Result<PgConnectOptions> {
    Ok(match &connection.target {
        Target::Url(url) => url
            .expose()
            .parse()
            .map_err(|_| anyhow::anyhow!("[postgres] url is not a URL like postgres://host/database"))?,
        Target::Server { host, port, user, password, database } => {
            let options =
                PgConnectOptions::new_without_pgpass().port(*port).username(user).database(database);
            let options = match host {
                Host::Network(name) => options.host(name),
                Host::SocketDir(dir) => options.socket(dir),
            };
            match password {
                Some(password) => options.password(password.expose()),
                None => options,
            }
        }
    })
}
