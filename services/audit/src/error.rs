//! Why the role cannot begin, or ends; and why the closure log stands still.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::log::note::NoteFault;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("the store cannot be used: {0}")]
    Store(#[from] hotline_postgres::Error),
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the key of the closure log: {0}")]
    KeyFile(hotline_runtime::Error),
    #[error("{0}")]
    Halted(#[from] Halt),
    #[error("another process seals the closure log, and nothing is wrong with it: stop that one first")]
    Sealing,
    #[error("there is no closure log yet: start the role audit")]
    NoLog,
    #[error("record {id} is not in the log: it is not sealed yet, or there is none")]
    NotSealed { id: i64 },
    #[error("{0}")]
    Note(#[from] NoteFault),
    #[error("{name:?} cannot name a log: no spaces, no plus")]
    Name { name: String },
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::File { .. } => "file",
            Self::KeyFile(error) => error.code(),
            Self::Halted(halt) => halt.code(),
            Self::Sealing => "sealing",
            Self::NoLog => "no_log",
            Self::NotSealed { .. } => "not_sealed",
            Self::Note(_) => "note",
            Self::Name { .. } => "name",
        }
    }
}

/// Why nothing is sealed until somebody has looked. Intake and everything else go on.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Halt {
    #[error(
        "the database is older than what was signed: {found}, and the checkpoint file says {signed} leaves of {origin}; \
         was a backup restored? If so: `hotline audit relog --reason …`"
    )]
    Rollback { origin: String, signed: u64, found: String },
    #[error(
        "the tree in the database does not begin with the {signed} leaves of {origin} that were signed: it was altered; \
         run `hotline audit check`"
    )]
    Altered { origin: String, signed: u64 },
    #[error(
        "the tables of the closure log contradict each other at {size} leaves: run `hotline audit check`"
    )]
    Damaged { size: u64 },
    #[error(
        "{size} leaves were signed, and the checkpoint file {} is missing: restore it, or if it is lost for good: \
         `hotline audit adopt --reason …`",
        path.display()
    )]
    FileMissing { size: u64, path: PathBuf },
    #[error(
        "the checkpoint file {} is not what this program wrote: {fault}; restore it, or if it is lost for good, take it \
         away and run `hotline audit adopt --reason …`",
        path.display()
    )]
    FileUnfit { path: PathBuf, fault: NoteFault },
    #[error(
        "the key of the closure log {} is missing: restore it, or if it is lost for good: `hotline audit relog --reason …`",
        path.display()
    )]
    KeyMissing { path: PathBuf },
}

impl Halt {
    /// The stable code, which is also what the metric says.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rollback { .. } | Self::Altered { .. } => "log_rollback",
            Self::Damaged { .. } => "log_damaged",
            Self::FileMissing { .. } => "log_file_missing",
            Self::FileUnfit { .. } => "log_file_unfit",
            Self::KeyMissing { .. } => "log_key_missing",
        }
    }

    /// All codes.
    pub const CODES: [&'static str; 5] =
        ["log_rollback", "log_damaged", "log_file_missing", "log_file_unfit", "log_key_missing"];
}
