//! The whole log beside itself: every record is hashed again, every tile and root made anew, every signature looked at, in
//! one snapshot while sealing goes on. Then what records say of other tables, beside these tables, and the lists of closed cases
//! beside the cases.
//!
//! What it cannot see: a database and a checkpoint file that were both put back together, or a whole log made anew with the
//! stolen key. That shows in notes that somebody else has kept: those of a witness, or any proof ever handed out.

use std::collections::{BTreeSet, VecDeque};

use hotline_postgres::closure_log::{self, Digest, Sealed, Signed, State};
use hotline_postgres::{Error as Store, PgConnection, Rules, run_read_tx};
use jiff::Timestamp;

use super::beside;
use super::checked::{Checked, Progress, Step};
use super::key::LogKey;
use super::lists;
use super::note::{Key, NoteFault, open, said, with_lines};
use super::outside::Outside;
use super::tree::{self, EMPTY_ROOT, Tiles, leaf_hash};
use crate::error::Error;
use crate::{AuditConfig, LogParts};

/// Leaves read at once: whole tiles, and few enough to be held.
const PAGE: u64 = 16 * tree::WIDTH;
const PAGE_ROWS: i64 = 16 * 256;
/// Records of a tile that are named where their hashes differ from it; more are counted.
const NAMED_MAX: usize = 10;

/// Checks the log in force. `notes` are checkpoints that were kept elsewhere. With `rules` the lists of closed cases are
/// compared, too, for which every case is folded.
pub async fn check(
    config: &AuditConfig,
    parts: &LogParts,
    rules: Option<&Rules>,
    notes: &[String],
    progress: impl Fn(Step, u64, u64) + Send + Sync,
) -> Result<Checked, Error> {
    let key = LogKey::new(parts.places.key_file.clone());
    let outside = Outside::new(parts.places.checkpoint_file.clone());
    let file = outside.read().map_err(|source| Error::File {
        what: "the checkpoint file",
        path: outside.path().to_owned(),
        source,
    })?;
    let witnesses = config.witness_keys();
    let (file, progress) = (file.as_deref(), &progress);
    let held = Held { key: &key, witnesses: &witnesses, file, notes, rules, progress };
    let mut run = Check { held, checked: Checked::default() };
    let name = "audit::check";
    run_read_tx(&parts.pool, name, &mut run, |tx, run| Box::pin(run.run(tx))).await??;
    Ok(run.checked)
}

/// What the database is held against.
#[derive(Clone, Copy)]
pub(crate) struct Held<'c> {
    pub(crate) key: &'c LogKey,
    pub(crate) witnesses: &'c [Key],
    pub(crate) file: Option<&'c str>,
    pub(crate) notes: &'c [String],
    /// None: the lists of closed cases are left out.
    pub(crate) rules: Option<&'c Rules>,
    pub(crate) progress: Progress<'c>,
}

/// A check in a transaction that is open.
#[cfg(test)]
pub(crate) async fn check_within(tx: &mut PgConnection, held: Held<'_>) -> Result<Checked, Error> {
    let mut run = Check { held, checked: Checked::default() };
    run.run(tx).await??;
    Ok(run.checked)
}

struct Check<'c> {
    held: Held<'c>,
    checked: Checked,
}

/// A checkpoint that somebody keeps: where it was found, its size, its root.
struct Claim {
    place: String,
    size: u64,
    root: Digest,
}

impl Check<'_> {
    async fn run(&mut self, tx: &mut PgConnection) -> Result<Result<(), Error>, Store> {
        let Some(state) = closure_log::state(tx).await? else {
            return Ok(match self.held.file {
                Some(_) => {
                    self.checked
                        .add("log_rollback", "the checkpoint file is of a log that is gone".to_owned());
                    Ok(())
                }
                None => Err(Error::NoLog),
            });
        };
        let log_key = match self.held.key.signer(&state.origin) {
            Ok(signer) => signer.key().clone(),
            Err(error) => return Ok(Err(error)),
        };
        self.checked.origin.clone_from(&state.origin);
        let mut claims = self.kept_elsewhere(&state, &log_key);
        claims.extend(self.signed(tx, &state, &log_key).await?);
        claims.sort_by_key(|claim| claim.size);
        self.leaves(tx, &state, claims.into()).await?;
        for id in closure_log::left_out(tx, &state, PAGE_ROWS).await? {
            let what = format!("record {id} was not sealed although all around it were");
            self.checked.add("record_left_out", what);
        }
        let (expected, found) =
            (tree::all(state.size).count() as u64, closure_log::count_tiles(tx, state.log).await?);
        self.checked.tiles = found;
        if expected != found {
            let what = format!("there are {found} tiles, and a tree of {} has {expected}", state.size);
            self.checked.add("tiles", what);
        }
        beside::check(tx, &mut self.checked).await?;
        if let Some(rules) = self.held.rules {
            lists::check(tx, rules, self.held.progress, &mut self.checked).await?;
        }
        Ok(Ok(()))
    }

    /// What the checkpoint file, and whoever else kept one, says.
    fn kept_elsewhere(&mut self, state: &State, key: &Key) -> Vec<Claim> {
        let mut claims = Vec::new();
        let file = self.held.file.map(|note| ("the checkpoint file".to_owned(), note));
        let notes = self.held.notes.iter().enumerate();
        let notes = notes.map(|(place, note)| (format!("note {}", place + 1), note.as_str()));
        for (place, note) in file.into_iter().chain(notes) {
            match open(note, key, self.held.witnesses) {
                Ok(opened) if opened.size > state.size => {
                    let (signed, found) = (opened.size, state.size);
                    let what = format!("{place} says {signed} leaves, and the database has {found}");
                    self.checked.add("log_rollback", what);
                }
                Ok(opened) => claims.push(Claim { place, size: opened.size, root: opened.root }),
                Err(NoteFault::OtherLog { found, .. }) if is_earlier(&found, &state.origin) => {
                    let what = format!("{place} is of {found}, which has ended");
                    if place.starts_with("the") {
                        self.checked.add("log_rollback", what);
                    }
                }
                Err(fault) => self.checked.add("note", format!("{place}: {fault}")),
            }
        }
        claims
    }

    /// What the database says was signed.
    async fn signed(&mut self, tx: &mut PgConnection, state: &State, key: &Key) -> Result<Vec<Claim>, Store> {
        let mut claims = Vec::new();
        let mut after = (state.log - 1, i64::MAX.unsigned_abs());
        loop {
            let page = closure_log::signed_after(tx, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = (last.log, last.size);
            for signed in &page {
                let lines = closure_log::cosigned(tx, signed.log, signed.size).await?;
                let lines: Vec<String> = lines.into_iter().map(|line| line.line).collect();
                claims.extend(self.opened(signed, state, key, &lines));
            }
        }
        let claims_file = self.held.file.and_then(|note| said(note).ok()).map(|(_, size)| size);
        match claims.last() {
            None if self.held.file.is_some() => {
                self.checked.add("log_rollback", "no checkpoint is stored, and the file has one".to_owned());
            }
            Some(last) if claims_file.is_some_and(|size| size < last.size) => {
                let what = format!("{} leaves were signed, and the checkpoint file is older", last.size);
                self.checked.add("log_file_old", what);
            }
            Some(last) if self.held.file.is_none() => {
                let what = format!("{} leaves were signed, and the checkpoint file is missing", last.size);
                self.checked.add("log_file_missing", what);
            }
            _ => {}
        }
        Ok(claims)
    }

    fn opened(&mut self, signed: &Signed, state: &State, key: &Key, lines: &[String]) -> Option<Claim> {
        self.checked.checkpoints += 1;
        let place = format!("the stored checkpoint of {}", signed.size);
        let note = with_lines(&signed.note, lines.iter().map(String::as_str));
        let opened = match open(&note, key, self.held.witnesses) {
            Ok(opened) => opened,
            Err(fault) => {
                self.checked.add("note", format!("{place}: {fault}"));
                return None;
            }
        };
        if opened.witnesses.len() < lines.len() && !self.held.witnesses.is_empty() {
            self.checked
                .add("cosignature", format!("{place}: a line under it is of no witness that is known"));
        }
        if (signed.log, opened.size) != (state.log, signed.size) || opened.size > state.size {
            self.checked.add("note", format!("{place} says {} leaves", opened.size));
            return None;
        }
        Some(Claim { place, size: opened.size, root: opened.root })
    }

    /// Makes the tree anew and compares it, page by page.
    async fn leaves(
        &mut self,
        tx: &mut PgConnection,
        state: &State,
        mut claims: VecDeque<Claim>,
    ) -> Result<(), Store> {
        let mut tiles = Tiles::default();
        let mut size = 0;
        self.claimed(&mut claims, 0, Some(EMPTY_ROOT));
        loop {
            (self.held.progress)(Step::Hashing, size, state.size);
            let page = closure_log::sealed_from(tx, state.log, size, PAGE_ROWS).await?;
            if page.is_empty() {
                break;
            }
            let mut changed = BTreeSet::new();
            for sealed in &page {
                if sealed.index != size || size >= state.size {
                    let what = format!("leaf {} stands where {size} should", sealed.index);
                    self.checked.add("seals", what);
                    return Ok(());
                }
                let Some(leaf) = self.leaf(sealed) else { return Ok(()) };
                if tiles.push_leaf(size, leaf, &mut changed).is_err() {
                    return Ok(());
                }
                size += 1;
                while claims.front().is_some_and(|claim| claim.size == size) {
                    self.claimed(&mut claims, size, tiles.root(size).ok());
                }
            }
            let changed: Vec<_> = changed.into_iter().collect();
            self.compare(tx, state, &tiles, &changed, Some(&page)).await?;
            tiles.keep_edge();
            if page.len() as u64 != PAGE {
                break;
            }
        }
        self.checked.leaves = size;
        let edge: Vec<_> = tree::edge(size).into_iter().map(|(place, _)| place).collect();
        self.compare(tx, state, &tiles, &edge, None).await?;
        if size != state.size {
            self.checked.add("seals", format!("{size} leaves are there, and the state says {}", state.size));
        } else if tiles.root(size).unwrap_or(EMPTY_ROOT) != state.root {
            self.checked.add("root", format!("the state has another root than its {size} leaves"));
        }
        for claim in claims {
            self.checked.add("log_rollback", format!("{} says {} leaves", claim.place, claim.size));
        }
        Ok(())
    }

    fn leaf(&mut self, sealed: &Sealed) -> Option<Digest> {
        let Some(leaf) = &sealed.leaf else {
            let what = format!("record {} of leaf {} is gone", sealed.record, sealed.index);
            self.checked.add("record_gone", what);
            return None;
        };
        if let Some(what) = disagreement(sealed, leaf) {
            self.checked.add("columns", what);
        }
        Some(leaf_hash(leaf))
    }

    /// Compares the claims of this size with the root that it has.
    fn claimed(&mut self, claims: &mut VecDeque<Claim>, size: u64, root: Option<Digest>) {
        while let Some(claim) = claims.pop_front_if(|claim| claim.size == size) {
            if Some(claim.root) != root {
                let what = format!("{} has another root than the {size} leaves", claim.place);
                self.checked.add("log_altered", what);
            }
        }
    }

    /// Compares tiles with those that were made anew, as far as these go. `page` has the leaves that they were made of; without,
    /// they end the tree, and go no further.
    async fn compare(
        &mut self,
        tx: &mut PgConnection,
        state: &State,
        made: &Tiles,
        places: &[closure_log::Place],
        page: Option<&[Sealed]>,
    ) -> Result<(), Store> {
        let stored: Tiles = closure_log::tiles(tx, state.log, places).await?.into_iter().collect();
        for place in places {
            let (made, stored) = (made.get(*place).unwrap_or_default(), stored.get(*place));
            let agrees = |stored: &[u8]| stored.starts_with(made) && (page.is_some() || stored == made);
            if stored.is_some_and(agrees) {
                continue;
            }
            if place.level == 0 {
                let (stored, page) = (stored.unwrap_or_default(), page.unwrap_or_default());
                self.name_records(place.index, (made, stored), page);
            }
            let what = format!("tile {} of level {} is not what its leaves give", place.index, place.level);
            self.checked.add("tile", what);
        }
        Ok(())
    }

    /// Names the records of a tile that have another hash than it holds of them.
    fn name_records(&mut self, tile: u64, (made, stored): (&[u8], &[u8]), page: &[Sealed]) {
        let hash_bytes = size_of::<Digest>();
        let hashes = made.chunks(hash_bytes).zip(stored.chunks(hash_bytes));
        let leaves = page.iter().skip_while(|sealed| sealed.index < tile * tree::WIDTH);
        let differing = leaves.zip(hashes).filter(|(_, (made, stored))| made != stored);
        let differing: Vec<&Sealed> = differing.map(|(sealed, _)| sealed).collect();
        for sealed in differing.iter().take(NAMED_MAX) {
            let of = sealed.case_id.as_ref().map_or_else(String::new, |case| format!(", of the case {case}"));
            let what = format!(
                "record {} (leaf {}{of}) has another hash than was sealed of it: its bytes were altered, or else tile {tile} was",
                sealed.record, sealed.index
            );
            self.checked.add("leaf", what);
        }
        let more = differing.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            let what =
                format!("{more} more records of tile {tile} have another hash than was sealed of them");
            self.checked.add("leaf", what);
        }
    }
}

/// What a record's columns say otherwise than its bytes, which alone are sealed.
fn disagreement(sealed: &Sealed, leaf: &[u8]) -> Option<String> {
    let said: serde_json::Value = serde_json::from_slice(leaf).ok()?;
    let differs =
        |member: &str, column: Option<&str>| said.get(member).is_some_and(|it| it.as_str() != column);
    let at = said.get("written_at").and_then(|at| at.as_str()).and_then(|at| at.parse::<Timestamp>().ok());
    let is_dated =
        at.is_none_or(|at| sealed.written_at.is_some_and(|it| it.as_microsecond() == at.as_microsecond()));
    (differs("kind", Some(&sealed.kind)) || differs("case", sealed.case_id.as_deref()) || !is_dated).then(
        || {
            format!(
                "record {} says another kind, case or time in its columns than in its bytes",
                sealed.record
            )
        },
    )
}

fn is_earlier(found: &str, origin: &str) -> bool {
    let number = |origin: &str| {
        let (base, number) = origin.rsplit_once("/log")?;
        Some((base.to_owned(), number.parse::<i32>().ok()?))
    };
    match (number(found), number(origin)) {
        (Some((base, found)), Some((of, now))) => base == of && found < now,
        _ => false,
    }
}
