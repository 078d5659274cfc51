//! The sections that the shell itself reads.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Section, units};
use crate::Secret;

/// `[data]`: what the process keeps on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The embedded cluster, its password, the lock. Too small a disk stops everything.
    pub dir: PathBuf,
    /// The key that wraps the keys of personal data; by default `master.key` in `dir`. Back it up apart
    /// from the database: each is worthless without the other.
    pub master_key_file: Option<PathBuf>,
}

impl DataConfig {
    pub fn master_key_path(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.dir.join("master.key"))
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: default_data_dir(), master_key_file: None }
    }
}

impl Section for DataConfig {
    const NAME: &'static str = "data";
}

/// `/var/lib/hotline` for root, else as the XDG base directory specification says.
#[expect(clippy::disallowed_methods, reason = "configuration is read here")]
fn default_data_dir() -> PathBuf {
    if runs_as_root() {
        return PathBuf::from("/var/lib/hotline");
    }
    let absolute = |name| std::env::var(name).ok().map(PathBuf::from).filter(|path| path.is_absolute());
    match (absolute("XDG_DATA_HOME"), absolute("HOME")) {
        (Some(data), _) => data.join("hotline"),
        (None, Some(home)) => home.join(".local/share/hotline"),
        (None, None) => PathBuf::from("hotline-data"),
    }
}

/// Whether this process is root's, from the owner of its entry in /proc.
pub(crate) fn runs_as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

/// `[rulebook]`: the rulebook that the roles judge by.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulebookConfig {
    /// By default `rulebook` or `deploy/rulebook` beside the configuration file.
    pub dir: Option<PathBuf>,
}

impl Section for RulebookConfig {
    const NAME: &'static str = "rulebook";
}

/// `[postgres]`: a server of one's own. Without the section a private cluster is run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://…`, from the environment only, as it may hold a password; excludes the keys below.
    pub url: Option<Secret>,
    /// A file with such a URL.
    pub url_file: Option<PathBuf>,
    /// A name, an address or a directory of sockets.
    pub host: String,
    pub port: u16,
    pub user: String,
    /// From the environment only.
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub database: String,
    /// The password of the role that boards read with, for `hotline migrate --reader`.
    pub reader_password_file: Option<PathBuf>,
    /// Connections of this process. Too few: roles wait for each other; too many: the server refuses some.
    pub pool_max: u32,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            host: "localhost".to_owned(),
            port: 5432,
            user: "hotline".to_owned(),
            password: None,
            password_file: None,
            database: "hotline".to_owned(),
            reader_password_file: None,
            pool_max: 8,
        }
    }
}

impl Section for PostgresConfig {
    const NAME: &'static str = "postgres";
    const OPTIONAL: bool = true;

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.url.is_some() && self.url_file.is_some() {
            faults.push("url and url_file exclude each other".to_owned());
        }
        if self.password.is_some() && self.password_file.is_some() {
            faults.push("password and password_file exclude each other".to_owned());
        }
        if self.pool_max == 0 {
            faults.push("pool_max must be at least 1".to_owned());
        }
        faults
    }
}

/// `[embedded]`: the private PostgreSQL cluster, used when there is no `[postgres]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// A port on 127.0.0.1 for tools such as Grafana; by default there is no TCP at all.
    pub listen_port: Option<u16>,
    /// PostgreSQL's page cache, such as "1 GiB"; by default an eighth of the memory, 128 MiB to 4 GiB.
    pub shared_buffers: Option<String>,
    /// Connections of this process; the cluster admits 100 in all.
    pub pool_max: u32,
    /// How long a start may take; recovery after a crash replays up to 8 GiB of log.
    #[serde(with = "units::duration")]
    pub start_wait: Duration,
    /// How long a stop may take: it writes out what is in memory.
    #[serde(with = "units::duration")]
    pub stop_wait: Duration,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            listen_port: None,
            shared_buffers: None,
            pool_max: 8,
            start_wait: Duration::from_mins(10),
            stop_wait: Duration::from_mins(2),
        }
    }
}

impl Section for EmbeddedConfig {
    const NAME: &'static str = "embedded";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.shared_buffers.as_deref().is_some_and(|text| units::bytes::parse(text).is_none()) {
            faults.push("shared_buffers is not a size; write it like \"512 MiB\"".to_owned());
        }
        if !(1..=90).contains(&self.pool_max) {
            faults.push("pool_max must be 1 to 90".to_owned());
        }
        faults
    }
}

/// `[ops]`: health, metrics and the log filter, on a port of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpsConfig {
    /// It has no authentication: keep it on loopback or in a private network. Port 0 chooses a free one.
    pub listen: SocketAddr,
    /// Without them nothing is measured, and `/metrics` is not there.
    pub metrics: bool,
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 9090).into(), metrics: true }
    }
}

impl Section for OpsConfig {
    const NAME: &'static str = "ops";
}

/// `[log]`: what is logged, to standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// As tracing's `EnvFilter` reads it: `info,hotline_casework=debug`. Changed at run time by `PUT /log-filter`.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Json,
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info,sqlx=warn".to_owned(), format: LogFormat::Json }
    }
}

impl Section for LogConfig {
    const NAME: &'static str = "log";

    fn faults(&self) -> Vec<String> {
        crate::logging::parse_filter(&self.filter).err().map(|error| error.to_string()).into_iter().collect()
    }
}

/// Reads a secret given directly or by a file.
pub(crate) fn secret_of(
    direct: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, crate::Error> {
    match (direct, file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(path)) => Secret::read(path).map(Some),
        (None, None) => Ok(None),
    }
}
