//! What leaves the house: a mirror of the whole log, or a bundle of some records, both to be checked elsewhere without us.

pub mod bundle;
pub mod mirror;
pub mod rulebooks;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::log::note::NoteFault;

/// Why a copy cannot be made.
#[derive(Debug, ThisError)]
pub enum CopyFault {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Source(String),
    #[error("the log has no {path}, and its checkpoint says that it must")]
    Missing { path: String },
    #[error("its checkpoint: {0}")]
    Note(#[from] NoteFault),
    #[error(
        "nothing has been signed yet: the role audit signs, some moments after the first record; does it run?"
    )]
    Empty,
    #[error("{} is of {found}, and the log is {expected}: choose another directory", path.display())]
    OtherLog { path: PathBuf, expected: String, found: String },
    #[error("{} is not empty", path.display())]
    NotEmpty { path: PathBuf },
    #[error(transparent)]
    Log(#[from] crate::Error),
    #[error("the store cannot be read: {0}")]
    Store(#[from] hotline_postgres::Error),
}

/// Writes a file whole or not at all, with its directories.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CopyFault> {
    let fault = |source| CopyFault::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(fault)?;
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path)).map_err(fault)
}
