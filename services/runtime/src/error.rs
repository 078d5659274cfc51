//! What can go wrong in the shell, each with what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// An error of the shell. The message says what was found and what to do; the cause is its source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the configuration has faults\n{0}")]
    ConfigInvalid(Faults),
    #[error("cannot read {}", path.display())]
    FileUnreadable { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    FileUnwritable { path: PathBuf, source: io::Error },
    #[error("the secret file {} is empty", path.display())]
    SecretEmpty { path: PathBuf },
    #[error(
        "the log filter \"{filter}\" is not understood ({reason}); an example: info,hotline_casework=debug"
    )]
    LogFilterInvalid { filter: String, reason: String },
    #[error("logging or metrics were set up twice in this process")]
    AlreadyInstalled,
    #[error("cannot listen on {address}; choose another address in [{section}] listen")]
    ListenFailed { section: &'static str, address: SocketAddr, source: io::Error },
    #[error("cannot wait for signals")]
    SignalsUnavailable(#[source] io::Error),
    #[error(
        "the master key {} can be read by others; run: chmod 600 {}", path.display(), path.display()
    )]
    MasterKeyExposed { path: PathBuf },
    #[error("the master key {} is not 64 hexadecimal digits; restore it from a backup", path.display())]
    MasterKeyMalformed { path: PathBuf },
    #[error(
        "the master key {} is missing, and without it the personal data already stored cannot be read; \
         restore it from a backup, or for a new database run: (umask 077; openssl rand -hex 32 > {})",
        path.display(), path.display()
    )]
    MasterKeyMissing { path: PathBuf },
    #[error("the system gave no random bytes")]
    RandomUnavailable,
    #[error(
        "PostgreSQL 15 or newer was not found; on Debian and Ubuntu: apt-get install postgresql; \
         or name a server of your own in [postgres]"
    )]
    PostgresNotFound,
    #[error(
        "{name} of PostgreSQL {server_major} or newer was not found; on Debian and Ubuntu: apt-get install postgresql-client"
    )]
    ClientNotFound { name: &'static str, server_major: u32 },
    #[error("[postgres] url is not a URL like postgres://host/database")]
    UrlMalformed,
    #[error(
        "{} was made by PostgreSQL {major}, whose programs were not found; \
         on Debian and Ubuntu: apt-get install postgresql-{major}", cluster.display()
    )]
    PostgresMajorNotFound { cluster: PathBuf, major: u32 },
    #[error(
        "PostgreSQL does not run as root and none of the users hotline, postgres and nobody exists; \
         run: useradd --system hotline"
    )]
    AccountNotFound,
    #[error("{} belongs to user {owner}; run hotline as that user or as root", cluster.display())]
    ClusterOfAnother { cluster: PathBuf, owner: u32 },
    #[error(
        "user {account}, as whom PostgreSQL runs, cannot enter {}; \
         choose another [data] dir, or run: chmod o+x {}", directory.display(), directory.display()
    )]
    DirectoryClosed { account: String, directory: PathBuf },
    #[error("another hotline uses {}; stop it, or choose another [data] dir", data_dir.display())]
    DataDirInUse { data_dir: PathBuf },
    #[error("{} is not a private directory of the user that runs PostgreSQL; remove it", path.display())]
    SocketDirUnsafe { path: PathBuf },
    #[error(
        "{} has a database but its password file {} is missing: put it back, or take a backup into a \
         new directory with `hotline restore`",
        cluster.display(), path.display()
    )]
    PasswordMissing { cluster: PathBuf, path: PathBuf },
    #[error("{program} failed ({status}): {output}")]
    ProgramFailed { program: String, status: String, output: String },
    #[error("{program} did not end within {} s", limit.as_secs())]
    ProgramSlow { program: String, limit: Duration },
    #[error(
        "PostgreSQL in {} was not ready within {} s; see start.log and log/ there", cluster.display(), limit.as_secs()
    )]
    ClusterNotReady { cluster: PathBuf, limit: Duration },
    #[error("PostgreSQL in {} has ended; see log/ there", cluster.display())]
    ClusterEnded { cluster: PathBuf },
}

impl Error {
    /// A stable name, for metrics and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ConfigInvalid(_) => "config_invalid",
            Self::FileUnreadable { .. } => "file_unreadable",
            Self::FileUnwritable { .. } => "file_unwritable",
            Self::SecretEmpty { .. } => "secret_empty",
            Self::LogFilterInvalid { .. } => "log_filter_invalid",
            Self::AlreadyInstalled => "already_installed",
            Self::ListenFailed { .. } => "listen_failed",
            Self::SignalsUnavailable(_) => "signals_unavailable",
            Self::MasterKeyExposed { .. } => "master_key_exposed",
            Self::MasterKeyMalformed { .. } => "master_key_malformed",
            Self::MasterKeyMissing { .. } => "master_key_missing",
            Self::RandomUnavailable => "random_unavailable",
            Self::PostgresNotFound => "postgres_not_found",
            Self::PostgresMajorNotFound { .. } => "postgres_major_not_found",
            Self::ClientNotFound { .. } => "client_not_found",
            Self::UrlMalformed => "url_malformed",
            Self::AccountNotFound => "account_not_found",
            Self::ClusterOfAnother { .. } => "cluster_of_another",
            Self::DirectoryClosed { .. } => "directory_closed",
            Self::DataDirInUse { .. } => "data_dir_in_use",
            Self::SocketDirUnsafe { .. } => "socket_dir_unsafe",
            Self::PasswordMissing { .. } => "password_missing",
            Self::ProgramFailed { .. } => "program_failed",
            Self::ProgramSlow { .. } => "program_slow",
            Self::ClusterNotReady { .. } => "cluster_not_ready",
            Self::ClusterEnded { .. } => "cluster_ended",
        }
    }

    /// The exit code for this error: 78 if the configuration is at fault, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigInvalid(_)
            | Self::SecretEmpty { .. }
            | Self::UrlMalformed
            | Self::LogFilterInvalid { .. }
            | Self::MasterKeyExposed { .. }
            | Self::MasterKeyMalformed { .. }
            | Self::MasterKeyMissing { .. } => 78,
            _ => 1,
        }
    }
}

/// Where a value of the configuration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(formatter, "environment {variable}"),
        }
    }
}

/// One fault of the configuration. The message never quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub section: String,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Default {
            write!(formatter, "{}: ", self.place)?;
        }
        if !self.section.is_empty() {
            write!(formatter, "[{}] ", self.section)?;
        }
        formatter.write_str(&self.message)
    }
}

/// All faults that were found, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}
