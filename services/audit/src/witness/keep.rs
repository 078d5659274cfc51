//! What a witness keeps: its key, the last checkpoint of each log, and every note it ever put its name under.
//!
//! A note is added to the file of its month, then it takes the place of the last one; both are on disk before anybody is
//! told. A process that dies in between has told nobody.

use hotline_postgres::seal::hex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use hotline_runtime::key::MasterKey as KeyFile;
use jiff::Timestamp;
use thiserror::Error as ThisError;

use super::reopen;
use crate::log::note::{Key, Kind, Opened, Signer};
use crate::log::outside::Outside;

const KEY: &str = "witness.key";
const NAME: &str = "witness.name";
const LOCK: &str = "lock";

/// Why a witness cannot go on.
#[derive(Debug, ThisError)]
pub enum Fault {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the key of the witness: {0}")]
    Key(hotline_runtime::Error),
    #[error("there is no witness in {} yet: `hotline witness key --state DIR --name NAME` makes one", path.display())]
    NoWitness { path: PathBuf },
    #[error("the witness in {} has a name already: {name}", path.display())]
    Named { path: PathBuf, name: String },
    #[error("{name:?} cannot name a witness: no spaces, no plus")]
    Name { name: String },
    #[error("{key} is no key of a log: `hotline audit key` prints it")]
    NoLogKey { key: String },
    #[error("another process has {} open", path.display())]
    InUse { path: PathBuf },
    #[error("{} is not what this program wrote: restore it; without it the witness would cosign anything", path.display())]
    Unfit { path: PathBuf },
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let path = path.to_owned();
    move |source| Fault::File { path, source }
}

/// The signer of a directory; a new one under `name`.
pub(super) fn signer(state: &Path, name: Option<&str>) -> Result<Signer, Fault> {
    let (key, named) = (state.join(KEY), state.join(NAME));
    let known = match fs::read_to_string(&named) {
        Ok(known) => Some(known.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(file(&named)(error)),
    };
    let name = match (known, name) {
        (Some(known), Some(name)) if known != name => {
            return Err(Fault::Named { path: state.to_owned(), name: known });
        }
        (Some(known), _) => known,
        (None, Some(name)) => {
            if Signer::new(name, Kind::Witness, &[0; 32]).is_none() {
                return Err(Fault::Name { name: name.to_owned() });
            }
            fs::create_dir_all(state).map_err(file(state))?;
            KeyFile::create(&key).map_err(Fault::Key)?;
            Outside::new(named.clone()).replace(None, &format!("{name}\n")).map_err(file(&named))?;
            name.to_owned()
        }
        (None, None) => return Err(Fault::NoWitness { path: state.to_owned() }),
    };
    let seed = KeyFile::load(&key).map_err(Fault::Key)?;
    Signer::new(&name, Kind::Witness, seed.bytes()).ok_or(Fault::Name { name })
}

/// Keeps others out for as long as the file is open.
pub(super) fn lock(state: &Path) -> Result<File, Fault> {
    let path = state.join(LOCK);
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(file(&path))?;
    lock.try_lock().map_err(|_| Fault::InUse { path: state.to_owned() })?;
    Ok(lock)
}

/// What is kept of one log.
#[derive(Debug)]
pub(super) struct Kept {
    directory: PathBuf,
    latest: Outside,
    note: Option<String>,
    seen: Option<Opened>,
}

impl Kept {
    pub(super) fn open(state: &Path, key: &Key) -> Result<Self, Fault> {
        let directory = state.join("logs").join(name_of(key.name()));
        fs::create_dir_all(&directory).map_err(file(&directory))?;
        let latest = Outside::new(directory.join("latest"));
        let note = latest.read().map_err(file(latest.path()))?;
        let seen = match &note {
            None => None,
            Some(note) => {
                let unfit = || Fault::Unfit { path: latest.path().to_owned() };
                Some(reopen(note, key).ok_or_else(unfit)?)
            }
        };
        Ok(Self { directory, latest, note, seen })
    }

    pub(super) fn seen(&self) -> Option<&Opened> {
        self.seen.as_ref()
    }

    pub(super) fn keep(&mut self, note: &str, opened: Opened, now: Timestamp) -> Result<(), Fault> {
        let month = now.strftime("%Y-%m").to_string();
        let notes = self.directory.join(format!("notes-{month}"));
        let mut all = OpenOptions::new().create(true).append(true).open(&notes).map_err(file(&notes))?;
        all.write_all(format!("{note}\n").as_bytes()).and_then(|()| all.sync_all()).map_err(file(&notes))?;
        let replaced = self.latest.replace(self.note.as_deref(), note).map_err(file(self.latest.path()))?;
        if !replaced {
            return Err(Fault::InUse { path: self.directory.clone() });
        }
        File::open(&self.directory).and_then(|it| it.sync_all()).map_err(file(&self.directory))?;
        (self.note, self.seen) = (Some(note.to_owned()), Some(opened));
        Ok(())
    }
}

/// A directory for a log: names may hold what file names may not.
fn name_of(origin: &str) -> String {
    let plain: String = origin
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .take(60)
        .collect();
    let hash = digest(&SHA256, origin.as_bytes());
    let tail = hex(&hash.as_ref()[..4]);
    format!("{plain}-{tail}")
}
