//! The master key, which wraps the data keys of personal data.
//!
//! It is made at the first start of an embedded database, beside the cluster and never inside it. A
//! database that has data never gets a new one: that would look like success and lose every person.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::config::{Config, DataConfig, PostgresConfig};
use crate::{Error, embedded};

const KEY_BYTES: usize = 32;

/// 32 random bytes; never printed.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(crate::secret::MASK)
    }
}

impl MasterKey {
    /// The key of this configuration. It is made if the database is embedded and does not exist yet, so
    /// ask for it before the database.
    pub fn of(config: &Config) -> Result<Self, Error> {
        let data = config.section::<DataConfig>();
        let path = data.master_key_path();
        let may_create = config.optional::<PostgresConfig>().is_none() && !embedded::exists(&data.dir);
        if may_create && !path.exists() {
            embedded::create_data_dir(&data.dir)?;
            Self::create(&path)?;
        }
        Self::load(&path)
    }

    /// Reads a key file; one that others can read is refused.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::FileUnreadable { path: path.to_owned(), source };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::MasterKeyMissing { path: path.to_owned() });
            }
            Err(error) => return Err(unreadable(error)),
        };
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::MasterKeyExposed { path: path.to_owned() });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        decode(text.trim()).map(Self).ok_or_else(|| Error::MasterKeyMalformed { path: path.to_owned() })
    }

    /// Makes a key file, whole or not at all; one that exists is kept.
    pub fn create(path: &Path) -> Result<(), Error> {
        let unwritable = |source| Error::FileUnwritable { path: path.to_owned(), source };
        let text = random_hex()?;
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let written = write_private(&draft, &text).and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
        let removed = fs::remove_file(&draft);
        written.and(removed).map_err(unwritable)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(unwritable)
    }

    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// 32 random bytes as 64 hexadecimal digits.
pub(crate) fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::RandomUnavailable)?;
    Ok(encode(&bytes))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

fn decode(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Writes a file that only its owner can read, and waits until it is on disk.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert_eq!(MasterKey::load(&path).unwrap_err().code(), "master_key_missing");
        MasterKey::create(&path).unwrap();
        let first = MasterKey::load(&path).unwrap();
        MasterKey::create(&path).unwrap();
        assert_eq!(MasterKey::load(&path).unwrap().bytes(), first.bytes());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
        assert_eq!(format!("{first:?}"), "***");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(MasterKey::load(&path).unwrap_err().code(), "master_key_exposed");
    }

    #[test]
    fn a_torn_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for text in ["", "00", "zz", &"é".repeat(32)] {
            write_private(&path, text).unwrap();
            assert_eq!(MasterKey::load(&path).unwrap_err().code(), "master_key_malformed", "{text}");
        }
    }
}
