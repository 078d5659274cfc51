//! A private PostgreSQL cluster in the data directory, run from the programs installed on the machine.
//!
//! It guarantees one hotline per data directory (a lock), no trust in the machine's other users (a
//! password, a socket in a private directory, no TCP unless asked for), no statement or value in its
//! log, and that whatever a crash left behind is taken up: a living postmaster is adopted, a dead one
//! recovered, a half-made cluster made anew. It does not install or upgrade PostgreSQL.

mod account;
mod initialise;
mod postmaster;
pub(crate) mod programs;
mod settings;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::future::Future;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{EmbeddedConfig, own};
use crate::database::{Connection, Host, Target};
use crate::{Error, Secret};
use account::Account;
use postmaster::{Postmaster, State};
use programs::Programs;
pub use settings::free_bytes;

const USER: &str = "hotline";
pub const DATABASE: &str = "hotline";
/// How often a start, or the watch, looks at postmaster.pid.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Where things are in a data directory.
#[derive(Debug, Clone)]
struct Layout {
    data_dir: PathBuf,
}

impl Layout {
    fn cluster(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }
    fn draft(&self) -> PathBuf {
        self.data_dir.join("postgres.new")
    }
    fn password(&self) -> PathBuf {
        self.data_dir.join("postgres.password")
    }
    fn lock(&self) -> PathBuf {
        self.data_dir.join("hotline.lock")
    }
}

/// Whether the data directory has a cluster.
pub fn exists(data_dir: &Path) -> bool {
    Layout { data_dir: data_dir.to_owned() }.cluster().exists()
}

/// Makes the data directory. Root's can be entered by others, as PostgreSQL runs as another user; what
/// is secret in it has its own mode.
pub(crate) fn create_data_dir(data_dir: &Path) -> Result<(), Error> {
    let mode = if own::runs_as_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(data_dir)
        .map_err(|source| Error::FileUnwritable { path: data_dir.to_owned(), source })
}

/// The connection to a cluster that another hotline runs here, if one does.
pub fn attach(config: &EmbeddedConfig, data_dir: &Path) -> Result<Option<Connection>, Error> {
    let Ok(data_dir) = data_dir.canonicalize() else { return Ok(None) };
    let layout = Layout { data_dir };
    match postmaster::live(&layout.cluster()) {
        Some(postmaster) if postmaster.is_reachable() => {
            Ok(Some(connection(config, password(&layout)?, &postmaster)))
        }
        _ => Ok(None),
    }
}

/// The cluster of this process. Dropped without [`Cluster::stop`] it goes on running and is adopted next time.
#[derive(Debug)]
pub struct Cluster {
    connection: Connection,
    programs: Programs,
    layout: Layout,
    pid: u32,
    stop_wait: Duration,
    /// Held as long as the cluster is ours.
    _lock: File,
}

impl Cluster {
    /// Makes the cluster if there is none, and starts or adopts its postmaster; ready when this returns.
    pub async fn start(config: &EmbeddedConfig, data_dir: &Path) -> Result<Self, Error> {
        create_data_dir(data_dir)?;
        let data_dir = data_dir
            .canonicalize()
            .map_err(|source| Error::FileUnreadable { path: data_dir.to_owned(), source })?;
        let layout = Layout { data_dir };
        let lock = lock(&layout)?;
        let cluster = layout.cluster();
        let account = account::choose(&cluster)?;
        if let Some(account) = &account {
            account.can_enter(&layout.data_dir)?;
        }
        let programs = Programs::find(&cluster, account).await?;
        if !cluster.exists() {
            initialise::run(&programs, &layout).await?;
        }
        // Without it nobody could use what is started.
        let password = password(&layout)?;
        let postmaster = adopt_or_start(config, &programs, &layout).await?;
        tracing::info!(
            postgres.pid = postmaster.pid,
            postgres.major = programs.major,
            "embedded database is ready"
        );
        Ok(Self {
            connection: connection(config, password, &postmaster),
            pid: postmaster.pid,
            programs,
            layout,
            stop_wait: config.stop_wait,
            _lock: lock,
        })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The directory of PostgreSQL's own programs, such as `psql` and `pg_dump`.
    pub fn bin_dir(&self) -> &Path {
        &self.programs.bin_dir
    }

    /// Ends with an error when the postmaster does.
    pub fn watch(&self) -> impl Future<Output = Error> + Send + 'static + use<> {
        let (cluster, pid) = (self.layout.cluster(), self.pid);
        async move {
            let mut look = tokio::time::interval(WATCH_EVERY);
            loop {
                look.tick().await;
                if postmaster::live(&cluster).is_none_or(|postmaster| postmaster.pid != pid) {
                    return Error::ClusterEnded { cluster };
                }
            }
        }
    }

    /// Fast shutdown: open transactions are rolled back, everything is written out. Waits for the end.
    pub async fn stop(self) -> Result<(), Error> {
        let stopped = stop(&self.programs, &self.layout.cluster(), self.stop_wait).await;
        if stopped.is_ok()
            && let Target::Server { host: Host::SocketDir(socket_dir), .. } = &self.connection.target
        {
            // Empty by now; one that stays is used again.
            let _ = fs::remove_dir(socket_dir);
        }
        tracing::info!(
            postgres.pid = self.pid,
            postgres.stopped = stopped.is_ok(),
            "embedded database stopped"
        );
        stopped
    }
}

/// Stops what an interrupted [`Cluster::start`] may have left running.
pub async fn abandon(config: &EmbeddedConfig, data_dir: &Path) -> Result<(), Error> {
    let Ok(data_dir) = data_dir.canonicalize() else { return Ok(()) };
    let layout = Layout { data_dir };
    let cluster = layout.cluster();
    if postmaster::live(&cluster).is_none() {
        return Ok(());
    }
    let _lock = lock(&layout)?;
    let programs = Programs::find(&cluster, account::choose(&cluster)?).await?;
    stop(&programs, &cluster, config.stop_wait).await
}

fn lock(layout: &Layout) -> Result<File, Error> {
    let path = layout.lock();
    let unwritable = |source| Error::FileUnwritable { path: path.clone(), source };
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::DataDirInUse { data_dir: layout.data_dir.clone() }),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// Waits until the postmaster of this directory is ready, starting it if none lives.
async fn adopt_or_start(
    config: &EmbeddedConfig,
    programs: &Programs,
    layout: &Layout,
) -> Result<Postmaster, Error> {
    let cluster = layout.cluster();
    let settle = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut started = false;
        loop {
            look.tick().await;
            match postmaster::live(&cluster) {
                Some(postmaster) if postmaster.state != State::Ready => {}
                Some(postmaster) if postmaster.is_reachable() => return Ok(postmaster),
                // Alive, but somebody cleaned its socket away.
                Some(_) => stop(programs, &cluster, config.stop_wait).await?,
                None if started => return Err(Error::ClusterEnded { cluster: cluster.clone() }),
                None if postmaster::has_orphans(&settings::cluster_name(layout)) => {}
                None => {
                    start(config, programs, layout).await?;
                    started = true;
                }
            }
        }
    };
    match tokio::time::timeout(config.start_wait, settle).await {
        Ok(settled) => settled,
        Err(_) => Err(Error::ClusterNotReady { cluster, limit: config.start_wait }),
    }
}

async fn start(config: &EmbeddedConfig, programs: &Programs, layout: &Layout) -> Result<(), Error> {
    let cluster = layout.cluster();
    let socket_dir = socket_dir(layout, programs.account.as_ref())?;
    postmaster::clear_reused(&cluster, &socket_dir)?;
    settings::write(config, programs, layout, &socket_dir).await?;
    let mut command = programs.command("pg_ctl");
    command.args(["start", "--silent", "--wait", "--timeout"]).arg(config.start_wait.as_secs().to_string());
    command.arg("--pgdata").arg(&cluster).arg("--log").arg(cluster.join("start.log"));
    programs::run(command, config.start_wait + Duration::from_secs(5)).await.map(drop).map_err(|error| {
        match error {
            Error::ProgramFailed { program, status, output } => {
                let output =
                    format!("{output}\n{}\n{}", tail(&cluster.join("start.log")), newest_log(&cluster));
                Error::ProgramFailed { program, status, output: output.trim().to_owned() }
            }
            other => other,
        }
    })
}

async fn stop(programs: &Programs, cluster: &Path, wait: Duration) -> Result<(), Error> {
    let Some(postmaster) = postmaster::live(cluster) else { return Ok(()) };
    let mut command = programs.command("pg_ctl");
    command
        .args(["stop", "--silent", "--mode", "fast", "--wait", "--timeout"])
        .arg(wait.as_secs().to_string());
    command.arg("--pgdata").arg(cluster);
    programs::run(command, wait + Duration::from_secs(5)).await?;
    // pg_ctl has seen the pid file go; the process goes a moment later.
    let gone = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        while postmaster::is_running(postmaster.pid) {
            look.tick().await;
        }
    };
    let limit = wait;
    tokio::time::timeout(limit, gone)
        .await
        .map_err(|_| Error::ProgramSlow { program: "postgres".to_owned(), limit })
}

/// The last lines of the newest file of PostgreSQL's own log.
fn newest_log(cluster: &Path) -> String {
    let entries = fs::read_dir(cluster.join("log")).into_iter().flatten().flatten();
    let newest = entries.max_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok());
    newest.map(|entry| tail(&entry.path())).unwrap_or_default()
}

fn tail(path: &Path) -> String {
    const LINES: usize = 5;
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The directory of the socket: short, as a socket's path has at most 107 bytes, and private, as
/// anybody may make a directory in /tmp. It is not in the data directory, whose path may be long.
fn socket_dir(layout: &Layout, account: Option<&Account>) -> Result<PathBuf, Error> {
    let base = if account.is_some() && Path::new("/run").is_dir() { "/run" } else { "/tmp" };
    let path = Path::new(base).join(settings::cluster_name(layout));
    match DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => account::give(&path, account)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(Error::FileUnwritable { path, source }),
    }
    if account::is_private(&path, account) { Ok(path) } else { Err(Error::SocketDirUnsafe { path }) }
}

fn password(layout: &Layout) -> Result<Secret, Error> {
    let path = layout.password();
    if !path.exists() {
        return Err(Error::PasswordMissing { cluster: layout.cluster(), path });
    }
    Secret::read(&path)
}

fn connection(config: &EmbeddedConfig, password: Secret, postmaster: &Postmaster) -> Connection {
    Connection {
        target: Target::Server {
            host: Host::SocketDir(postmaster.socket_dir.clone()),
            port: postmaster.port,
            user: USER.to_owned(),
            password: Some(password),
            database: DATABASE.to_owned(),
        },
        pool_max: config.pool_max,
    }
}
