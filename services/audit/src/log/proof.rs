//! `.tlog-proof`: all that a stranger needs to see that a record is in the log (C2SP tlog-proof).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_postgres::closure_log::Digest;
use thiserror::Error as ThisError;
use tlog_tiles::Hash;

use super::note::{Key, NOTE_BYTES_MAX, NoteFault, Opened, open};
use super::tree::is_included;

const HEADING: &str = "c2sp.org/tlog-proof@v1";
/// Hashes beside a path: as many as levels that a tree can have.
const HASHES_MAX: usize = 63;

/// A leaf's place, the hashes beside its path, and the checkpoint they lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub index: u64,
    pub hashes: Vec<Digest>,
    pub note: String,
}

/// Why a record is not shown to be in the log.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum ProofFault {
    #[error("it is no proof of the form {HEADING}")]
    Malformed,
    #[error("its checkpoint: {0}")]
    Note(#[from] NoteFault),
    #[error(
        "the record is not leaf {index} of the tree of {size} that was signed: it or the proof was altered"
    )]
    NotIncluded { index: u64, size: u64 },
}

impl fmt::Display for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEADING}\nindex {}", self.index)?;
        for hash in &self.hashes {
            writeln!(formatter, "{}", BASE64.encode(hash))?;
        }
        write!(formatter, "\n{}", self.note)
    }
}

impl Proof {
    pub fn parse(text: &str) -> Result<Self, ProofFault> {
        let (head, note) = text.split_once("\n\n").ok_or(ProofFault::Malformed)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADING) || note.len() > NOTE_BYTES_MAX {
            return Err(ProofFault::Malformed);
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(ProofFault::Malformed)?;
        let hash = |line: &str| BASE64.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
        let proof = Self {
            index: index.parse().map_err(|_| ProofFault::Malformed)?,
            hashes: lines.map(hash).collect::<Option<_>>().ok_or(ProofFault::Malformed)?,
            note: note.to_owned(),
        };
        // One way to write it.
        let is_exact = proof.hashes.len() <= HASHES_MAX && proof.to_string() == text;
        if is_exact { Ok(proof) } else { Err(ProofFault::Malformed) }
    }

    /// Whether a record with these bytes is in the log of `key`; the checkpoint that says so.
    pub fn check(&self, record: &[u8], key: &Key, witnesses: &[Key]) -> Result<Opened, ProofFault> {
        let opened = open(&self.note, key, witnesses)?;
        let hashes = self.hashes.iter().copied().map(Hash).collect();
        if is_included(&hashes, (opened.size, &opened.root), (self.index, record)) {
            Ok(opened)
        } else {
            Err(ProofFault::NotIncluded { index: self.index, size: opened.size })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::{Kind, Signer};
    use super::super::tree::{Tiles, leaf_hash, prove_inclusion};
    use super::*;

    fn proof() -> (Proof, Signer) {
        let mut tiles = Tiles::default();
        tiles.append(0, (0..300_u32).map(|n| leaf_hash(&n.to_be_bytes()))).unwrap();
        let log = Signer::new("hotline/log1", Kind::Log, &[7; 32]).unwrap();
        let note = log.checkpoint(300, &tiles.root(300).unwrap());
        let hashes = prove_inclusion(&tiles, 300, 77).unwrap().iter().map(|hash| hash.0).collect();
        (Proof { index: 77, hashes, note }, log)
    }

    #[test]
    fn a_proof_reads_as_it_is_written_and_holds_for_its_record_only() {
        let (proof, log) = proof();
        assert_eq!(Proof::parse(&proof.to_string()), Ok(proof.clone()));
        assert_eq!(proof.check(&77_u32.to_be_bytes(), log.key(), &[]).unwrap().size, 300);
        assert!(proof.check(&78_u32.to_be_bytes(), log.key(), &[]).is_err());
    }

    #[test]
    fn no_byte_of_a_proof_can_be_changed() {
        let (proof, log) = proof();
        let text = proof.to_string();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).ok().and_then(|text| Proof::parse(&text).ok());
            let holds = changed.is_some_and(|it| it.check(&77_u32.to_be_bytes(), log.key(), &[]).is_ok());
            assert!(!holds, "byte {place}");
        }
    }
}
