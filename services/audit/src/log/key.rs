//! The key that signs the log: 32 bytes in a file of their own, made with the first log and never after it.

use std::path::{Path, PathBuf};

use hotline_runtime::key::MasterKey as KeyFile;

use super::note::{Kind, Signer};
use crate::error::{Error, Halt};

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    path: PathBuf,
}

impl LogKey {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The signer of a log. [`Halt::KeyMissing`] if there is no file.
    pub fn signer(&self, origin: &str) -> Result<Signer, Error> {
        let seed = KeyFile::load(&self.path).map_err(|error| match error {
            hotline_runtime::Error::MasterKeyMissing { path } => Halt::KeyMissing { path }.into(),
            error => Error::KeyFile(error),
        })?;
        Signer::new(origin, Kind::Log, seed.bytes()).ok_or_else(|| Error::Name { name: origin.to_owned() })
    }

    /// As [`LogKey::signer`], with a new key if there is none: for a log that begins.
    pub fn signer_of_new(&self, origin: &str) -> Result<Signer, Error> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(|source| Error::File {
                what: "the directory",
                path: directory.to_owned(),
                source,
            })?;
        }
        if !self.path.exists() {
            KeyFile::create(&self.path).map_err(Error::KeyFile)?;
        }
        self.signer(origin)
    }
}
