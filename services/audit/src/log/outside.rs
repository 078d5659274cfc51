//! The checkpoint file: what was signed last, kept where whoever alters the database does not reach.
//!
//! It is written whole or not at all, and is on disk before anybody is told of the checkpoint. Processes that share it take
//! turns; it never goes back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::note::NOTE_BYTES_MAX;

/// The file, which may not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    path: PathBuf,
}

impl Outside {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; None: there is no file.
    pub fn read(&self) -> io::Result<Option<String>> {
        match fs::read(&self.path) {
            // What is longer is no note, and is refused as such.
            Ok(mut bytes) => {
                bytes.truncate(NOTE_BYTES_MAX + 1);
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a note in the place of what was read before. False: somebody else was quicker, and nothing was written.
    pub fn replace(&self, before: Option<&str>, note: &str) -> io::Result<bool> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(self.beside("lock"))?;
        lock.lock()?;
        if self.read()?.as_deref() != before {
            return Ok(false);
        }
        let draft = self.beside("draft");
        let mut file = File::create(&draft)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        File::open(directory)?.sync_all()?;
        Ok(true)
    }

    /// Keeps what is there under another name: the last of a log that ends.
    pub fn keep_as(&self, suffix: &str) -> io::Result<()> {
        match fs::copy(&self.path, self.beside(suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            copied => copied.map(drop),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_takes_the_place_of_the_one_that_was_read_only() {
        let dir = tempfile::tempdir().unwrap();
        let outside = Outside::new(dir.path().join("away").join("log.checkpoint"));
        assert_eq!(outside.read().unwrap(), None);
        assert!(outside.replace(None, "one\n").unwrap());
        assert!(!outside.replace(None, "other\n").unwrap());
        assert!(!outside.replace(Some("two\n"), "other\n").unwrap());
        assert!(outside.replace(Some("one\n"), "two\n").unwrap());
        assert_eq!(outside.read().unwrap().as_deref(), Some("two\n"));
        outside.keep_as("log1").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("away/log.checkpoint.log1")).unwrap(), "two\n");
    }
}
