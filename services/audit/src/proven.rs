//! The records of a case, looked at by the server itself: whether they are in the log that it signs, and whether they still
//! follow from their facts and their rulebook. Whoever does not believe the server takes record and proof to another machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotline_core::rulebook::Rulebook;
use hotline_events::closure::{Part, ReadRecord, join, read, recompute};
use hotline_postgres::leaves::{self, Written};
use hotline_postgres::{Error as Store, PgConnection, rulebooks, run_read_tx};
use jiff::Timestamp;
use smol_str::SmolStr;

use crate::error::Error;
use crate::log::key::LogKey;
use crate::log::note::Key;
use crate::log::{proof_of, state_of};
use crate::{LogParts, Parts};

/// Records that are looked at, the newest first: each reads some tiles and folds a case.
pub(crate) const LOOKED_MAX: usize = 30;
/// Rulebooks that are loaded for it: a record of a rare old one is not folded again here.
const RULEBOOKS_MAX: usize = 8;
/// Members that are named where a record says otherwise.
const POINTERS_MAX: usize = 5;

/// What was found of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) record: Written,
    pub(crate) sealed: Sealed,
    pub(crate) remade: Remade,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// It is leaf `index` of a tree of `size` that was signed; who cosigned, and when by their own clock.
    Proven {
        index: u64,
        size: u64,
        witnesses: Vec<(String, Timestamp)>,
    },
    Waiting,
    /// Why it is not shown to be in the log.
    Refused(String),
}

/// What its facts come to under its rulebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remade {
    Same,
    /// Where it says otherwise.
    Differs(Vec<String>),
    /// It says nothing of verdicts.
    NothingToRemake,
    /// Why it could not be folded again.
    Cannot(String),
}

/// What was found of a case.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    /// The newest first.
    pub(crate) records: Vec<Looked>,
    /// Whether there are more.
    pub(crate) is_cut: bool,
    /// The key that the log is signed with.
    pub(crate) key: Key,
    /// The hashes of the rulebooks that the records name.
    pub(crate) rulebooks: Vec<SmolStr>,
}

impl Proven {
    pub(crate) fn is_refused(&self) -> bool {
        let is_bad = |looked: &Looked| {
            matches!(looked.sealed, Sealed::Refused(_))
                || matches!(looked.remade, Remade::Differs(_) | Remade::Cannot(_))
        };
        self.records.iter().any(is_bad)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.records.iter().any(|looked| looked.sealed == Sealed::Waiting)
    }
}

/// The key of the log in force; [`Error::NoLog`] if there is none.
pub(crate) async fn key(log: &LogParts) -> Result<Key, Error> {
    let state = state_of(&log.pool).await?.ok_or(Error::NoLog)?;
    Ok(LogKey::new(log.places.key_file.clone()).signer(&state.origin)?.key().clone())
}

/// Looks at the newest records of a case.
pub(crate) async fn of_case(
    (parts, log): (&Parts, &LogParts),
    witnesses: &[Key],
    case: &str,
) -> Result<Proven, Error> {
    let key = key(log).await?;
    let mut asked = case;
    let read = run_read_tx(&parts.pool, "audit::looked", &mut asked, |tx, case| Box::pin(stored(tx, case)));
    let (stored, is_cut) = read.await?;
    let mut remaking = Remaking::new(parts, case, &stored).await?;
    let mut records = Vec::new();
    for (record, bytes) in stored {
        let sealed = match proof_of(&parts.pool, record.id).await {
            Ok(proof) => match proof.check(&bytes, &key, witnesses) {
                Ok(opened) => {
                    Sealed::Proven { index: proof.index, size: opened.size, witnesses: opened.witnesses }
                }
                Err(fault) => Sealed::Refused(fault.to_string()),
            },
            Err(Error::NotSealed { .. }) => Sealed::Waiting,
            Err(Error::Halted(halt)) => Sealed::Refused(halt.to_string()),
            Err(error) => return Err(error),
        };
        let remade = remaking.remade(&bytes).await?;
        records.push(Looked { record, sealed, remade });
    }
    Ok(Proven { records, is_cut, key, rulebooks: remaking.named })
}

/// The newest records with their bytes, and whether there are more.
async fn stored(tx: &mut PgConnection, case: &str) -> Result<(Vec<(Written, Vec<u8>)>, bool), Store> {
    let mut written = leaves::of_case(tx, case).await?;
    written.reverse();
    let is_cut = written.len() > LOOKED_MAX;
    written.truncate(LOOKED_MAX);
    let mut stored = Vec::with_capacity(written.len());
    for record in written {
        if let Some(bytes) = leaves::bytes(tx, case, record.id).await? {
            stored.push((record, bytes));
        }
    }
    Ok((stored, is_cut))
}

/// What it takes to fold records again.
struct Remaking<'p> {
    parts: &'p Parts,
    case: &'p str,
    rulebooks: BTreeMap<i64, Arc<Rulebook>>,
    /// Pieces of longer records.
    pieces: Vec<Part>,
    /// The hashes of the rulebooks that records named, in the order of the first of each.
    named: Vec<SmolStr>,
}

impl<'p> Remaking<'p> {
    async fn new(parts: &'p Parts, case: &'p str, stored: &[(Written, Vec<u8>)]) -> Result<Self, Error> {
        let in_force = parts.rules.current().await?;
        let rulebooks = BTreeMap::from([(in_force.seq, Arc::clone(&in_force.rulebook))]);
        let piece = |(_, bytes): &(Written, Vec<u8>)| match read(bytes) {
            Ok(ReadRecord::Part(part)) => Some(part),
            _ => None,
        };
        let pieces = stored.iter().filter_map(piece).collect();
        Ok(Self { parts, case, rulebooks, pieces, named: Vec::new() })
    }

    async fn remade(&mut self, bytes: &[u8]) -> Result<Remade, Error> {
        // Who took what away has a record too, which says nothing of verdicts.
        let is_of_case = serde_json::from_slice::<serde_json::Value>(bytes)
            .is_ok_and(|said| ["judged", "parts"].iter().any(|member| said.get(member).is_some()));
        if !is_of_case {
            return Ok(Remade::NothingToRemake);
        }
        let whole = match read(bytes) {
            Ok(ReadRecord::Part(part)) => {
                let of_it: Vec<Part> =
                    self.pieces.iter().filter(|piece| piece.of == part.of).cloned().collect();
                join(&of_it).and_then(|bytes| read(&bytes))
            }
            read => read,
        };
        let record = match whole {
            Ok(ReadRecord::Case(record)) => record,
            Ok(_) => return Ok(Remade::NothingToRemake),
            Err(error) => return Ok(Remade::Cannot(error.to_string())),
        };
        if record.case != self.case {
            return Ok(Remade::Differs(vec!["/case".to_owned()]));
        }
        if !self.named.contains(&record.rulebook.hash) {
            self.named.push(record.rulebook.hash.clone());
        }
        let Some(rulebook) = self.rulebook(record.rulebook.seq).await? else {
            return Ok(Remade::Cannot(format!("its rulebook {} was not loaded", record.rulebook.seq)));
        };
        Ok(match recompute(&record, &rulebook) {
            Ok(differences) if differences.is_empty() => Remade::Same,
            Ok(differences) => {
                let pointers = differences.into_iter().take(POINTERS_MAX);
                Remade::Differs(pointers.map(|difference| difference.pointer).collect())
            }
            Err(error) => Remade::Cannot(error.to_string()),
        })
    }

    /// None: too many were loaded already.
    async fn rulebook(&mut self, seq: i64) -> Result<Option<Arc<Rulebook>>, Error> {
        if let Some(known) = self.rulebooks.get(&seq) {
            return Ok(Some(Arc::clone(known)));
        }
        if self.rulebooks.len() > RULEBOOKS_MAX {
            return Ok(None);
        }
        let mut asked = seq;
        let read = run_read_tx(&self.parts.pool, "audit::rulebook", &mut asked, |tx, seq| {
            Box::pin(rulebooks::by_seq(tx, *seq))
        });
        let rulebook = read.await?.rulebook;
        self.rulebooks.insert(seq, Arc::clone(&rulebook));
        Ok(Some(rulebook))
    }
}
