//! A bundle: some records with their proofs, the rulebooks they name, and how to check them, for whoever asked.

use std::fs;
use std::path::Path;

use hotline_postgres::closure_records::{self, Kept, Which};
use hotline_postgres::{PgConnection, PgPool, rulebooks, run_read_tx};
use serde_json::{Value, json};

use super::{CopyFault, rulebooks as copied, write};
use crate::log::{checkpoint, note};

/// What is in the bundle.
pub const INDEX: &str = "index.json";
pub const RECORDS: &str = "records";
pub const RECORD: &str = "record";
pub const PROOF: &str = "tlog-proof";
/// How to check it.
const README: &str = include_str!("bundle.md");
/// Records read at once, and in a bundle.
const PAGE: i64 = 500;
const RECORDS_MAX: usize = 100_000;

/// What a bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundled {
    pub records: usize,
    /// Records that were asked for and are not signed yet.
    pub waiting: usize,
    pub rulebooks: usize,
}

/// Which records go in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub which: Which,
    /// Of bulletins only this one.
    pub bulletin: Option<i64>,
}

impl Wanted {
    fn wants(&self, kept: &Kept) -> bool {
        let Some(bulletin) = self.bulletin else { return true };
        let said: Value = serde_json::from_slice(&kept.leaf).unwrap_or_default();
        said["id"].as_i64() == Some(bulletin)
    }
}

/// What the files of a record are called, wherever they are handed out, before the dot: its place in the log.
pub fn name_of(leaf: u64) -> String {
    format!("{leaf:09}")
}

/// Writes a bundle into a new or empty directory; nothing, not even the directory, where no record is to go in.
pub async fn export(pool: &PgPool, wanted: &Wanted, directory: &Path) -> Result<Bundled, CopyFault> {
    if fs::read_dir(directory).is_ok_and(|mut found| found.next().is_some()) {
        return Err(CopyFault::NotEmpty { path: directory.to_owned() });
    }
    let (_, published) = checkpoint(pool).await?.ok_or(CopyFault::Empty)?;
    note::said(&published)?;
    let mut bundle = Bundle {
        wanted,
        directory,
        bundled: Bundled::default(),
        entries: Vec::new(),
        hashes: Vec::new(),
        used: Vec::new(),
    };
    run_read_tx(pool, "audit::bundle", &mut bundle, |tx, bundle| Box::pin(bundle.fill(tx))).await??;
    let Bundle { bundled, entries, .. } = bundle;
    if entries.is_empty() {
        return Ok(bundled);
    }
    let index = json!({ "v": 1, "records": entries });
    write(&directory.join(INDEX), format!("{index:#}\n").as_bytes())?;
    write(&directory.join("checkpoint"), published.as_bytes())?;
    write(&directory.join("README.md"), README.as_bytes())?;
    Ok(bundled)
}

/// What an index says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of its files.
    pub name: String,
    /// Its place in the log.
    pub leaf: u64,
    pub kind: String,
    pub case: Option<String>,
}

/// The records of a bundle; None: it is not an index.
pub fn read_index(bytes: &[u8]) -> Option<Vec<Entry>> {
    let index: Value = serde_json::from_slice(bytes).ok()?;
    let is_plain = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let entry = |entry: &Value| {
        Some(Entry {
            name: entry["name"].as_str().filter(is_plain)?.to_owned(),
            leaf: entry["leaf"].as_u64()?,
            kind: entry["kind"].as_str()?.to_owned(),
            case: entry["case"].as_str().map(str::to_owned),
        })
    };
    index["records"].as_array()?.iter().map(entry).collect()
}

struct Bundle<'b> {
    wanted: &'b Wanted,
    directory: &'b Path,
    bundled: Bundled,
    entries: Vec<Value>,
    /// Rulebooks that there are, by hash, and the numbers of those that records name.
    hashes: Vec<(i64, String)>,
    used: Vec<i64>,
}

impl Bundle<'_> {
    async fn fill(
        &mut self,
        tx: &mut PgConnection,
    ) -> Result<Result<(), CopyFault>, hotline_postgres::Error> {
        let list = rulebooks::list(tx).await?;
        self.hashes = list.into_iter().map(|activation| (activation.seq, activation.hash)).collect();
        let mut after = 0;
        loop {
            let page = closure_records::page(tx, &self.wanted.which, after, PAGE).await?;
            let Some(end) = page.last() else { break };
            after = end.id;
            let wanted = self.wanted;
            for kept in page.iter().filter(|kept| wanted.wants(kept)) {
                if let Err(fault) = self.add(tx, kept).await? {
                    return Ok(Err(fault));
                }
            }
            if self.entries.len() > RECORDS_MAX {
                let why = format!("more than {RECORDS_MAX} records: make a mirror, or ask for less");
                return Ok(Err(CopyFault::Source(why)));
            }
        }
        for seq in std::mem::take(&mut self.used) {
            let files = rulebooks::files(tx, seq).await?;
            let hash = self.hashes.iter().find(|(known, _)| *known == seq).map_or("", |(_, hash)| hash);
            if let Err(fault) = copied::store(self.directory, hash, &files) {
                return Ok(Err(fault));
            }
            self.bundled.rulebooks += 1;
        }
        Ok(Ok(()))
    }

    async fn add(
        &mut self,
        tx: &mut PgConnection,
        kept: &Kept,
    ) -> Result<Result<(), CopyFault>, hotline_postgres::Error> {
        let proof = match crate::log::prove(tx, kept.id).await? {
            Ok(proof) => proof,
            Err(crate::Error::NotSealed { .. }) => {
                self.bundled.waiting += 1;
                return Ok(Ok(()));
            }
            Err(error) => return Ok(Err(error.into())),
        };
        let name = name_of(proof.index);
        let file = |suffix: &str| self.directory.join(RECORDS).join(format!("{name}.{suffix}"));
        let written =
            write(&file(RECORD), &kept.leaf).and_then(|()| write(&file(PROOF), proof.to_string().as_bytes()));
        if let Err(fault) = written {
            return Ok(Err(fault));
        }
        let text = String::from_utf8_lossy(&kept.leaf);
        let named = self.hashes.iter().filter(|(_, hash)| text.contains(hash.as_str())).map(|(seq, _)| *seq);
        for seq in named {
            if !self.used.contains(&seq) {
                self.used.push(seq);
            }
        }
        self.entries.push(json!({
            "name": name, "leaf": proof.index, "record": kept.id, "kind": kept.kind, "case": kept.case_id,
            "written_at": kept.written_at.to_string(),
        }));
        self.bundled.records += 1;
        Ok(Ok(()))
    }
}
