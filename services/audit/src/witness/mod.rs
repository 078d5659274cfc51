//! A witness: a small program on a machine of somebody else's, which looks whether each checkpoint goes on from the last it
//! saw, and puts its name under it (C2SP tlog-witness, tlog-cosignature).
//!
//! Guarantees: it never cosigns two checkpoints of a log of which one does not begin with the other, and keeps every one
//! that it cosigned; both are on disk before it answers. It deliberately knows no records and has no database.

pub mod asked;
pub mod client;
mod keep;
mod serve;
#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

pub use keep::Fault;
pub use serve::{Follow, router, serve};

use crate::log::note::{Key, Kind, Opened, Signer, open, said, with_lines};
use crate::log::tree::{EMPTY_ROOT, is_consistent};
use asked::Asked;
use keep::Kept;

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its signature line.
    Cosigned(String),
    /// The request is not one.
    Malformed,
    /// It was asked from another size than the one that it has seen, or has seen another tree of that size.
    Seen(u64),
    UnknownLog,
    NotSigned,
    /// The tree does not begin with the one that it has seen.
    Inconsistent,
}

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness {
    signer: Signer,
    logs: Vec<Log>,
    /// Nobody else has the directory while it is open.
    _lock: File,
}

#[derive(Debug)]
struct Log {
    key: Key,
    kept: Mutex<Kept>,
}

impl Witness {
    /// The key of the witness in this directory, made under `name` if there is none.
    pub fn key(state: &Path, name: Option<&str>) -> Result<Key, Fault> {
        Ok(keep::signer(state, name)?.key().clone())
    }

    /// Opens the directory for as long as this lives. `logs` are the keys of the logs that it watches.
    pub fn open(state: &Path, logs: &[Key]) -> Result<Self, Fault> {
        let signer = keep::signer(state, None)?;
        let lock = keep::lock(state)?;
        let log = |key: &Key| {
            if key.kind() != Kind::Log {
                return Err(Fault::NoLogKey { key: key.to_string() });
            }
            let kept = Kept::open(state, key)?;
            Ok(Log { key: key.clone(), kept: Mutex::new(kept) })
        };
        Ok(Self { signer, logs: logs.iter().map(log).collect::<Result<_, _>>()?, _lock: lock })
    }

    /// How far it has seen a log.
    pub fn seen(&self, origin: &str) -> Option<u64> {
        let log = self.logs.iter().find(|log| log.key.name() == origin)?;
        Some(log.kept.lock().unwrap_or_else(PoisonError::into_inner).seen().map_or(0, |seen| seen.size))
    }

    /// Looks at a checkpoint, and cosigns it if all is well. It is on disk before this returns.
    pub fn add_checkpoint(&self, body: &str, now: Timestamp) -> Result<Verdict, Fault> {
        let Some(asked) = Asked::parse(body) else { return Ok(Verdict::Malformed) };
        let Ok((origin, _)) = said(&asked.note) else { return Ok(Verdict::Malformed) };
        let Some(log) = self.logs.iter().find(|log| log.key.name() == origin) else {
            return Ok(Verdict::UnknownLog);
        };
        let Ok(opened) = open(&asked.note, &log.key, &[]) else { return Ok(Verdict::NotSigned) };
        if asked.before > opened.size {
            return Ok(Verdict::Malformed);
        }
        // One at a time: what was looked at is what is written over.
        let mut kept = log.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, root) = kept.seen().map_or((0, EMPTY_ROOT), |seen| (seen.size, seen.root));
        if asked.before != size {
            return Ok(Verdict::Seen(size));
        }
        if opened.size == size && opened.root != root {
            return Ok(Verdict::Seen(size));
        }
        let proof = asked.proof.iter().copied().map(tlog_tiles::Hash).collect();
        if !is_consistent(&proof, (opened.size, &opened.root), (size, &root)) {
            return Ok(Verdict::Inconsistent);
        }
        let line = self.signer.cosign(&opened, now);
        kept.keep(&with_lines(&asked.note, [line.as_str()]), opened, now)?;
        Ok(Verdict::Cosigned(line))
    }
}

/// What was seen of a log.
pub(crate) fn reopen(note: &str, key: &Key) -> Option<Opened> {
    open(note, key, &[]).ok()
}
