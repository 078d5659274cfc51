//! What an operator does after a halt: begin a new log that says why, or go on without the file that was lost.

use hotline_events::closure::{self, LogStep};
use hotline_postgres::closure_log::{self, Growth, Signed, State, Turn};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::seal::hex;
use hotline_postgres::{Error as Store, PgConnection, installation, run_read_tx, run_tx};
use jiff::Timestamp;

use super::key::LogKey;
use super::note::{open, said};
use super::outside::Outside;
use super::sealer::origin;
use super::state::Prover;
use super::tree::{EMPTY_ROOT, Tiles, is_consistent, leaf_hash};
use crate::config::AuditConfig;
use crate::error::{Error, Halt};
use crate::{LogParts, Places};

/// A log that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub origin: String,
    /// Its verifier key, which whoever checks must be given.
    pub key: String,
    /// What was signed last before it.
    pub old: Option<(String, u64)>,
}

/// Begins a new log. Its first leaf holds the last checkpoint that was signed and the reason; the records of the database
/// follow. Run again after it was cut off, it begins one more.
pub async fn relog(config: &AuditConfig, parts: &LogParts, reason: &str) -> Result<Begun, Error> {
    let turn = Turn::take(&parts.pool).await?.ok_or(Error::Sealing)?;
    let begun = begin(config, parts, reason).await;
    let _ = turn.give_back().await;
    begun
}

async fn begin(config: &AuditConfig, parts: &LogParts, reason: &str) -> Result<Begun, Error> {
    let Places { key_file, checkpoint_file } = parts.places.clone();
    let (key, outside) = (LogKey::new(key_file), Outside::new(checkpoint_file.clone()));
    let file = |source| Error::File { what: "the checkpoint file", path: checkpoint_file.clone(), source };
    let before = outside.read().map_err(file)?;
    let found = run_read_tx(&parts.pool, "audit::relog", &mut (), |tx, ()| {
        Box::pin(async move {
            let state = closure_log::state(tx).await?;
            let last = match &state {
                Some(state) => closure_log::last_signed(tx, state.log, None).await?,
                None => None,
            };
            Ok((state, last, installation::id(tx).await?))
        })
    })
    .await;
    let (state, last, installation) = found?;
    let installation = installation.ok_or(Error::NoLog)?;
    // The file is the authority; without one it is what the database says was signed.
    let old = before.clone().or(last.map(|last| last.note));
    let said_before = old.as_deref().and_then(|note| said(note).ok());
    let newest = said_before.as_ref().and_then(|(origin, _)| number_of(origin)).unwrap_or(0);
    let log = state.as_ref().map_or(0, |state| state.log).max(newest) + 1;
    let origin = origin(config, &installation, log);
    let signer = key.signer_of_new(&origin)?;
    let now = (parts.now)();
    let root = state.as_ref().map(|state| hex(&state.root)).unwrap_or_default();
    let database = state.as_ref().map(|state| (state.origin.as_str(), state.size, root.as_str()));
    let leaf = closure::of_log(LogStep::Relog { database }, now, &origin, reason, old.as_deref());
    let mut step = Step { log, origin: &origin, state, leaf, now };
    let begun = run_tx(&parts.pool, "audit::relog", &mut step, |tx, step| Box::pin(step.run(tx))).await?;
    let note = signer.checkpoint(begun.size, &begun.root);
    if let Some((origin, _)) = &said_before {
        let suffix = origin.rsplit('/').next().unwrap_or("old").to_owned();
        outside.keep_as(&suffix).map_err(file)?;
    }
    if !outside.replace(before.as_deref(), &note).map_err(file)? {
        return Err(Error::Sealing);
    }
    let checkpoint = Signed { log, size: begun.size, signed_at: (parts.now)(), note };
    let mut noted = (begun.epoch, checkpoint);
    run_tx(&parts.pool, "audit::sign", &mut noted, |tx, (epoch, checkpoint)| {
        Box::pin(closure_log::note_signed(tx, *epoch, checkpoint))
    })
    .await?;
    Ok(Begun { origin, key: signer.key().to_string(), old: said_before })
}

/// The number of a log, from its name.
fn number_of(origin: &str) -> Option<i32> {
    origin.rsplit_once("/log")?.1.parse().ok()
}

/// One transaction: the new log with its first leaf.
struct Step<'s> {
    log: i32,
    origin: &'s str,
    state: Option<State>,
    leaf: Vec<u8>,
    now: Timestamp,
}

impl Step<'_> {
    async fn run(&mut self, tx: &mut PgConnection) -> Result<State, Store> {
        match &self.state {
            Some(before) => {
                closure_log::begin_next(tx, before, self.log, self.origin, &EMPTY_ROOT).await?;
            }
            None => {
                closure_log::begin(tx, self.log, self.origin, &EMPTY_ROOT).await?;
            }
        }
        let state = closure_log::state(tx).await?.ok_or(Store::Malformed { what: "a log that was begun" })?;
        let leaf = Leaf { case_id: None, kind: "relog", bytes: self.leaf.clone() };
        let record = closure_records::append_one(tx, &leaf, self.now).await?;
        let mut tiles = Tiles::default();
        let malformed = |_| Store::Malformed { what: "a log that was begun" };
        let changed = tiles.append(0, std::iter::once(leaf_hash(&leaf.bytes))).map_err(malformed)?;
        let root = tiles.root(1).map_err(malformed)?;
        // All that there is belongs into the new log, whatever its id.
        let settled_to = i64::MIN;
        let growth = Growth { before: state, records: vec![record], tiles: changed, root, settled_to };
        closure_log::grow(tx, &growth).await
    }
}

/// Goes on without a file that was lost: the last checkpoint in the database takes its place, if its signature holds and the
/// tree begins with it. What was signed after it, if anything, only a witness knows. A record says that it happened.
pub async fn adopt(parts: &LogParts, reason: &str) -> Result<(String, u64), Error> {
    let turn = Turn::take(&parts.pool).await?.ok_or(Error::Sealing)?;
    let adopted = take_from_database(parts, reason).await;
    let _ = turn.give_back().await;
    adopted
}

async fn take_from_database(parts: &LogParts, reason: &str) -> Result<(String, u64), Error> {
    let Places { key_file, checkpoint_file } = parts.places.clone();
    let (key, outside) = (LogKey::new(key_file), Outside::new(checkpoint_file.clone()));
    let file = |source| Error::File { what: "the checkpoint file", path: checkpoint_file.clone(), source };
    let found = run_read_tx(&parts.pool, "audit::adopt", &mut (), |tx, ()| {
        Box::pin(async move {
            let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
            let Some(last) = closure_log::last_signed(tx, state.log, None).await? else { return Ok(None) };
            let mut prover = Prover::new(tx, state.log);
            let proof = match prover.edge(&state).await? {
                Ok(_) => prover.consistency(state.size, last.size).await?,
                Err(halt) => Err(halt),
            };
            Ok(Some((state, last, proof)))
        })
    })
    .await;
    let (state, last, proof) = found?.ok_or(Error::NoLog)?;
    let opened = open(&last.note, key.signer(&state.origin)?.key(), &[])?;
    if !is_consistent(&proof?, (state.size, &state.root), (opened.size, &opened.root)) {
        return Err(Halt::Altered { origin: state.origin, signed: opened.size }.into());
    }
    let now = (parts.now)();
    let bytes = closure::of_log(LogStep::Adopt, now, &state.origin, reason, Some(&last.note));
    let mut record = (Leaf { case_id: None, kind: "adopt", bytes }, now);
    run_tx(&parts.pool, "audit::adopt", &mut record, |tx, (leaf, now)| {
        Box::pin(closure_records::append_one(tx, leaf, *now))
    })
    .await?;
    if !outside.replace(None, &last.note).map_err(file)? {
        return Err(Error::File {
            what: "the checkpoint file",
            path: checkpoint_file,
            source: std::io::ErrorKind::AlreadyExists.into(),
        });
    }
    Ok((state.origin, last.size))
}
