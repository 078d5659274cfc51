//! Looking at what somebody handed over, with nothing but a key: no network, no database.
//!
//! What is shown: that these bytes are in the log that the key signs, and have not been altered since; that deadlines, verdicts
//! and published rates are what their facts and their rulebook come to ([`remake`]). What is not: that the facts were true, or
//! that nothing else was ever signed with the key; a witness narrows that down. Of whom a record of an erasure was among them,
//! that is said: their records stay sound, and what is personal nobody can show any more.

mod remake;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hotline_postgres::closure_log::Digest;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error as ThisError;

use remake::Remake;
pub use remake::{BulletinRemade, Outcome, Remade, Rulebooks, StepTold};

use crate::copy::bundle::{self, INDEX, PROOF, RECORD, RECORDS};
use crate::copy::mirror::{CHECKPOINT, CHECKPOINTS, files};
use crate::log::note::{Key, Opened, open};
use crate::log::proof::Proof;
use crate::log::resource::unbundle;
use crate::log::tree::{self, Tiles, leaf_hash};

/// Findings that are listed; more are counted.
const LISTED_MAX: usize = 1_000;

/// Why nothing could be looked at.
#[derive(Debug, ThisError)]
pub enum VerifyFault {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is neither a bundle (it has no {INDEX}) nor a mirror (it has no {CHECKPOINT})", path.display())]
    Neither { path: PathBuf },
}

/// What is asked of a signature.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The log's key, which came by another way than what is looked at.
    pub key: Key,
    /// Witnesses that must each have cosigned.
    pub witnesses: Vec<Key>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub origin: String,
    /// Leaves of the checkpoint, and how many records were looked at.
    pub size: u64,
    pub records: u64,
    pub tiles: u64,
    /// Who cosigned, and when by their own clocks; of several checkpoints the last.
    pub witnesses: Vec<(String, String)>,
    /// What was made again of what the records say.
    pub remade: Remade,
    /// Of which cases the person was erased, by the records that were looked at.
    pub erased: Vec<Erased>,
    /// What is wrong, in words; empty: nothing.
    pub findings: Vec<String>,
    /// With those that are not listed.
    pub found: u64,
}

/// The person of a case was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Erased {
    pub case: String,
    /// When the record of it was written.
    pub at: String,
}

impl Erased {
    /// None: the record says something else.
    fn of(record: &[u8]) -> Option<Self> {
        const MARK: &[u8] = b"\"kind\":\"erased\"";
        record.windows(MARK.len()).find(|window| *window == MARK)?;
        let said: Value = serde_json::from_slice(record).ok()?;
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        if said["kind"] != "erased" || said.get("part").is_some() {
            return None;
        }
        Some(Self { case: text("case")?, at: text("written_at")? })
    }
}

impl Verified {
    pub fn is_sound(&self) -> bool {
        self.found == 0
    }

    fn add(&mut self, what: String) {
        self.found += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(what);
        }
    }

    /// Notes a checkpoint whose signature holds, and which witnesses are missing under it.
    fn opened(&mut self, opened: &Opened, trust: &Trust) {
        self.origin.clone_from(&opened.origin);
        self.size = self.size.max(opened.size);
        self.witnesses = opened.witnesses.iter().map(|(name, at)| (name.clone(), at.to_string())).collect();
        for witness in &trust.witnesses {
            if !opened.witnesses.iter().any(|(name, _)| name == witness.name()) {
                self.add(format!(
                    "the checkpoint of {} leaves is not cosigned by {}",
                    opened.size,
                    witness.name()
                ));
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, VerifyFault> {
    fs::read(path).map_err(|source| VerifyFault::File { path: path.to_owned(), source })
}

/// One record and its proof.
pub fn record(
    record: &Path,
    proof: &Path,
    trust: &Trust,
    rulebooks: &mut dyn Rulebooks,
) -> Result<Verified, VerifyFault> {
    let (record, proof) = (read(record)?, read(proof)?);
    let mut verified = Verified::default();
    let mut remake = Remake::new(rulebooks);
    if proven("the record", &record, &proof, trust, &mut verified).is_some() {
        remake.take("the record", &record, &mut verified);
    }
    verified.remade = remake.end();
    Ok(verified)
}

/// The place of a record in the log, if it is where its proof says.
fn proven(name: &str, record: &[u8], proof: &[u8], trust: &Trust, verified: &mut Verified) -> Option<u64> {
    verified.records += 1;
    let checked = Proof::parse(&String::from_utf8_lossy(proof)).and_then(|proof| {
        let opened = proof.check(record, &trust.key, &trust.witnesses)?;
        Ok((proof.index, opened))
    });
    match checked {
        Ok((index, opened)) => {
            verified.opened(&opened, trust);
            verified.erased.extend(Erased::of(record));
            Some(index)
        }
        Err(fault) => {
            verified.add(format!("{name}: {fault}"));
            None
        }
    }
}

/// A directory: whichever it is.
pub fn directory(
    directory: &Path,
    trust: &Trust,
    rulebooks: &mut dyn Rulebooks,
    progress: impl Fn(u64, u64),
) -> Result<Verified, VerifyFault> {
    if directory.join(INDEX).is_file() {
        bundle(directory, trust, rulebooks, progress)
    } else if directory.join(CHECKPOINT).is_file() {
        mirror(directory, trust, rulebooks, progress)
    } else {
        Err(VerifyFault::Neither { path: directory.to_owned() })
    }
}

/// A bundle: every record that its index names, each with its proof, and none beside them.
pub fn bundle(
    directory: &Path,
    trust: &Trust,
    rulebooks: &mut dyn Rulebooks,
    progress: impl Fn(u64, u64),
) -> Result<Verified, VerifyFault> {
    let mut verified = Verified::default();
    let mut remake = Remake::new(rulebooks);
    let Some(index) = bundle::read_index(&read(&directory.join(INDEX))?) else {
        verified.add(format!("{INDEX} cannot be read"));
        return Ok(verified);
    };
    let records = directory.join(RECORDS);
    if index.is_empty() {
        verified.add(format!("{INDEX} names no record"));
        return Ok(verified);
    }
    // The checkpoint beside them is the newest; each proof has its own.
    let newest = String::from_utf8_lossy(&read(&directory.join(CHECKPOINT))?).into_owned();
    match open(&newest, &trust.key, &[]) {
        Ok(opened) => verified.size = opened.size,
        Err(fault) => verified.add(format!("{CHECKPOINT}: {fault}")),
    }
    for (done, entry) in index.iter().enumerate() {
        let name = &entry.name;
        progress(done as u64, index.len() as u64);
        let file = |suffix: &str| fs::read(records.join(format!("{name}.{suffix}")));
        match (file(RECORD), file(PROOF)) {
            (Ok(record), Ok(proof)) => {
                if let Some(leaf) = proven(name, &record, &proof, trust, &mut verified) {
                    compare_entry(entry, leaf, &record, &mut verified);
                    remake.take(name, &record, &mut verified);
                }
            }
            _ => verified.add(format!("{name}: the record or its proof is missing")),
        }
    }
    let names = index.iter().map(|entry| &entry.name);
    let known: BTreeSet<String> =
        names.flat_map(|name| [format!("{name}.{RECORD}"), format!("{name}.{PROOF}")]).collect();
    let found = fs::read_dir(&records).map_err(|source| VerifyFault::File { path: records, source })?;
    for file in found.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if !known.contains(&name) {
            verified.add(format!("{name} is not in {INDEX}"));
        }
    }
    remake.needs_rulebooks(&mut verified);
    verified.remade = remake.end();
    Ok(verified)
}

/// What the index says of a record must be what the record and its proof say.
fn compare_entry(entry: &bundle::Entry, leaf: u64, record: &[u8], verified: &mut Verified) {
    let said: Value = serde_json::from_slice(record).unwrap_or_default();
    // A part of a longer record does not name its case; what another program wrote may name neither.
    let agrees =
        |member: &str, indexed: Option<&str>| said.get(member).is_none_or(|said| said.as_str() == indexed);
    let same = entry.leaf == leaf
        && entry.name.parse() == Ok(leaf)
        && agrees("kind", Some(&entry.kind))
        && agrees("case", entry.case.as_deref());
    if !same {
        verified
            .add(format!("{}: {INDEX} says something else of it than the record and its proof", entry.name));
    }
}

/// A mirror: every leaf is hashed, every tile and root made anew, every checkpoint that was ever fetched compared. Then every
/// record is made again, and every bulletin that was published counted again.
pub fn mirror(
    directory: &Path,
    trust: &Trust,
    rulebooks: &mut dyn Rulebooks,
    progress: impl Fn(u64, u64),
) -> Result<Verified, VerifyFault> {
    let mut verified = hashed(directory, trust, &progress)?;
    if verified.records < verified.size {
        return Ok(verified);
    }
    let mut remake = Remake::new(rulebooks);
    let size = verified.size;
    leaves(directory, size, &mut |leaf, bytes| {
        if leaf % tree::WIDTH == 0 {
            progress(leaf, size);
        }
        remake.take(&format!("leaf {leaf}"), bytes, &mut verified);
    })?;
    remake.whole(&mut verified);
    remake.needs_rulebooks(&mut verified);
    for nth in 0..remake.bulletins() {
        let mut recount = remake.recount(nth);
        leaves(directory, size, &mut |leaf, bytes| {
            if leaf % tree::WIDTH == 0 {
                progress(leaf, size);
            }
            recount.take(bytes);
        })?;
        let counted = recount.end();
        remake.counted(nth, counted, &mut verified);
    }
    verified.remade = remake.end();
    Ok(verified)
}

/// Every leaf of a mirror of which the hashes hold, in the order of the log.
fn leaves(directory: &Path, size: u64, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), VerifyFault> {
    let mut leaf = 0;
    for (place, width) in tree::all(size).take_while(|(place, _)| place.level == 0) {
        let bytes = read(&directory.join(files(place, width).1.unwrap_or_default()))?;
        for bytes in unbundle(&bytes).unwrap_or_default() {
            each(leaf, bytes);
            leaf += 1;
        }
    }
    Ok(())
}

/// A mirror by its hashes alone.
fn hashed(directory: &Path, trust: &Trust, progress: &impl Fn(u64, u64)) -> Result<Verified, VerifyFault> {
    let mut verified = Verified::default();
    let note = String::from_utf8_lossy(&read(&directory.join(CHECKPOINT))?).into_owned();
    let opened = match open(&note, &trust.key, &trust.witnesses) {
        Ok(opened) => opened,
        Err(fault) => {
            verified.add(format!("{CHECKPOINT}: {fault}"));
            return Ok(verified);
        }
    };
    verified.opened(&opened, trust);
    let mut claims = earlier(directory, trust, &mut verified);
    claims.push((CHECKPOINT.to_owned(), opened.size, opened.root));
    let mut tiles = Tiles::default();
    let mut size = 0;
    let compared = |name: &str, made: &[u8], verified: &mut Verified| {
        verified.tiles += 1;
        if !fs::read(directory.join(name)).is_ok_and(|stored| stored == made) {
            verified.add(format!("{name} is not what its leaves give"));
        }
    };
    for (place, width) in tree::all(opened.size).take_while(|(place, _)| place.level == 0) {
        progress(size, opened.size);
        let entries = files(place, width).1.unwrap_or_default();
        let bytes = read(&directory.join(&entries)).unwrap_or_default();
        let leaves = unbundle(&bytes).filter(|leaves| leaves.len() as u64 == width);
        let Some(leaves) = leaves else {
            verified.add(format!("{entries} does not hold {width} records"));
            return Ok(verified);
        };
        let mut changed = BTreeSet::new();
        for leaf in leaves {
            verified.erased.extend(Erased::of(leaf));
            if tiles.push_leaf(size, leaf_hash(leaf), &mut changed).is_err() {
                return Ok(verified);
            }
            size += 1;
            for (name, _, root) in claims.iter().filter(|(_, claimed, _)| *claimed == size) {
                if tiles.root(size).ok().as_ref() != Some(root) {
                    verified.add(format!("{name}: it has another root than the {size} leaves"));
                }
            }
        }
        for place in changed {
            let made = tiles.get(place).unwrap_or_default();
            if made.len() as u64 / 32 == tree::WIDTH {
                compared(&files(place, tree::WIDTH).0, made, &mut verified);
            }
        }
        tiles.keep_edge();
    }
    // Those that go on end the tree.
    for (place, width) in tree::edge(size) {
        compared(&files(place, width).0, tiles.get(place).unwrap_or_default(), &mut verified);
    }
    verified.records = size;
    Ok(verified)
}

/// The checkpoints that were fetched before: each must be a beginning of what there is.
fn earlier(directory: &Path, trust: &Trust, verified: &mut Verified) -> Vec<(String, u64, Digest)> {
    let mut claims = Vec::new();
    for file in fs::read_dir(directory.join(CHECKPOINTS)).into_iter().flatten().flatten() {
        let name = format!("{CHECKPOINTS}/{}", file.file_name().to_string_lossy());
        let note = fs::read_to_string(file.path()).unwrap_or_default();
        match open(&note, &trust.key, &[]) {
            Ok(opened) if opened.size > verified.size => {
                verified.add(format!(
                    "{name}: {} leaves were signed once, and now there are {}",
                    opened.size, verified.size
                ));
            }
            Ok(opened) => claims.push((name, opened.size, opened.root)),
            Err(fault) => verified.add(format!("{name}: {fault}")),
        }
    }
    claims
}
