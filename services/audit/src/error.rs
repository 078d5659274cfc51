//! Why the role cannot begin, or ends; why the closure log stands still; what is wrong with a question.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::log::note::NoteFault;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("the store cannot be used: {0}")]
    Store(#[from] hotline_postgres::Error),
    #[error("cannot listen on {address}: {source}; [audit] listen says where")]
    ListenFailed { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Fault(#[from] Fault),
    /// An export cannot be written.
    #[error("an export cannot be written: {0}")]
    Export(String),
    #[error("whoever asked for an export took nothing of it for {seconds} s")]
    Unread { seconds: u64 },
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the key that signs the closure log: {}", key_fault(.0))]
    KeyFile(hotline_runtime::Error),
    #[error(transparent)]
    Halted(#[from] Halt),
    #[error("another process seals the closure log, and nothing is wrong with it: stop that one first")]
    Sealing,
    #[error("there is no closure log yet: start the role audit")]
    NoLog,
    #[error("record {id} is not in the log: it is not sealed yet, or there is none")]
    NotSealed { id: i64 },
    #[error(transparent)]
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
            Self::ListenFailed { .. } => "listen",
            Self::Fault(fault) => fault.code(),
            Self::Export(_) => "export",
            Self::Unread { .. } => "unread",
        }
    }
}

/// What is wrong with the file of the key. It is read as the master key is, whose errors speak of that one.
fn key_fault(error: &hotline_runtime::Error) -> String {
    use hotline_runtime::Error as Shell;
    match error {
        Shell::MasterKeyExposed { path } => {
            format!("{0} can be read by others; run: chmod 600 {0}", path.display())
        }
        Shell::MasterKeyMalformed { path } => {
            format!("{} is not 64 hexadecimal digits; restore it from its backup", path.display())
        }
        Shell::FileUnreadable { path, source } => {
            format!("cannot read {}: {source}; run this as the user of the role audit", path.display())
        }
        other => other.to_string(),
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
        "record {record} is not in the closure log, and every record up to {settled_to} should be: it was written or kept \
         out behind the back of the sealer; run `hotline audit check`"
    )]
    LeftOut { record: i64, settled_to: i64 },
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
        "the key that signs the closure log is missing: there is no file {} ([audit] key_file says where it should be). It is on \
         the machine of the role audit: run this there, or restore the file from its backup; if it is lost for good: \
         `hotline audit relog --reason …`",
        path.display()
    )]
    KeyMissing { path: PathBuf },
}

impl Halt {
    /// The stable code, which is also what the metric says.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rollback { .. } | Self::Altered { .. } => "log_rollback",
            Self::Damaged { .. } | Self::LeftOut { .. } => "log_damaged",
            Self::FileMissing { .. } => "log_file_missing",
            Self::FileUnfit { .. } => "log_file_unfit",
            Self::KeyMissing { .. } => "log_key_missing",
        }
    }

    /// All codes.
    pub const CODES: [&'static str; 5] =
        ["log_rollback", "log_damaged", "log_file_missing", "log_file_unfit", "log_key_missing"];
}

/// What is wrong with a question. It repeats names of parameters, never a value.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Fault {
    #[error("there is no parameter {0:?} here")]
    Parameter(String),
    #[error("{name} is not a value that it can have, or comes twice")]
    Value { name: &'static str },
    #[error("{name} is one of {}", of.join(", "))]
    Choice { name: &'static str, of: Vec<&'static str> },
    #[error(
        "{name} takes a code: one of the rulebook's, or letters, digits and _ . : / - of ASCII with fewer than {digits} digits \
         in a row; a region has 2, 4, 6, 9 or 12 digits"
    )]
    Code { name: &'static str, digits: usize },
    #[error("limit is a number from 1 to {most}")]
    Limit { most: usize },
    #[error("name one of your departments: {}", of.join(", "))]
    Department { of: Vec<String> },
    #[error("a sample is drawn from at most {most} closed cases: narrow the question")]
    TooMany { most: i64 },
    #[error("a sheet of XLSX holds {most} rows and a heading: narrow the question, or take CSV or NDJSON")]
    Rows { most: i64 },
}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Parameter(_) => "parameter",
            Fault::Value { .. } | Fault::Choice { .. } | Fault::Code { .. } => "value",
            Fault::Limit { .. } => "limit",
            Fault::Department { .. } => "department",
            Fault::TooMany { .. } => "too_many",
            Fault::Rows { .. } => "rows",
        }
    }
}
