//! Which database a process uses, and the private cluster where there is one.
//!
//! This crate opens no connection: `services/postgres` does, from a [`Connection`].

use std::path::PathBuf;

use crate::config::{Config, DataConfig, EmbeddedConfig, PostgresConfig, own};
use crate::embedded::{self, Cluster};
use crate::{Error, Secret};

/// How to reach the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub target: Target,
    /// Connections that this process may open.
    pub pool_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `postgres://…` as somebody wrote it.
    Url(Secret),
    Server {
        host: Host,
        port: u16,
        user: String,
        password: Option<Secret>,
        database: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an address.
    Network(String),
    /// A directory of Unix sockets.
    SocketDir(PathBuf),
}

/// The database of this process; [`Database::close`] ends a cluster that it started.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    cluster: Option<Cluster>,
}

impl Database {
    /// For roles: a configured server, else the private cluster, which then belongs to this process alone.
    pub async fn start(config: &Config) -> Result<Self, Error> {
        if let Some(postgres) = config.optional::<PostgresConfig>() {
            return Ok(Self { connection: configured(&postgres)?, cluster: None });
        }
        let cluster =
            Cluster::start(&config.section::<EmbeddedConfig>(), &config.section::<DataConfig>().dir).await?;
        Ok(Self { connection: cluster.connection().clone(), cluster: Some(cluster) })
    }

    /// For commands: as [`Database::start`], but a cluster that already runs for another hotline is shared.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        if config.optional::<PostgresConfig>().is_none() {
            let embedded = config.section::<EmbeddedConfig>();
            if let Some(connection) = embedded::attach(&embedded, &config.section::<DataConfig>().dir)? {
                return Ok(Self { connection, cluster: None });
            }
        }
        Self::start(config).await
    }

    /// For a [`Database::start`] that was dropped before its end: leaves no cluster running.
    pub async fn abandon(config: &Config) -> Result<(), Error> {
        if config.optional::<PostgresConfig>().is_some() {
            return Ok(());
        }
        embedded::abandon(&config.section::<EmbeddedConfig>(), &config.section::<DataConfig>().dir).await
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The private cluster, if this process runs one: to be watched.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Stops the cluster if this process runs one, and waits for it. Close every connection before.
    pub async fn close(self) -> Result<(), Error> {
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}

fn configured(postgres: &PostgresConfig) -> Result<Connection, Error> {
    let url = own::secret_of(postgres.url.as_ref(), postgres.url_file.as_deref())?;
    let target = match url {
        Some(url) => Target::Url(url),
        None => Target::Server {
            host: if postgres.host.starts_with('/') {
                Host::SocketDir(PathBuf::from(&postgres.host))
            } else {
                Host::Network(postgres.host.clone())
            },
            port: postgres.port,
            user: postgres.user.clone(),
            password: own::secret_of(postgres.password.as_ref(), postgres.password_file.as_deref())?,
            database: postgres.database.clone(),
        },
    };
    Ok(Connection { target, pool_max: postgres.pool_max })
}
