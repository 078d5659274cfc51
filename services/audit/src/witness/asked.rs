//! What a witness is asked: `POST /add-checkpoint` of C2SP tlog-witness.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_postgres::closure_log::Digest;

use crate::log::note::NOTE_BYTES_MAX;

/// Hashes of a proof.
const HASHES_MAX: usize = 63;
/// A note, so that there is room for one more line.
const ASKED_NOTE_BYTES_MAX: usize = NOTE_BYTES_MAX - 1_024;

/// A checkpoint, and that it goes on from a smaller one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The size that the witness has seen.
    pub before: u64,
    pub proof: Vec<Digest>,
    pub note: String,
}

impl Asked {
    /// Reads a request; None: it is not one.
    pub fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let before = lines.next()?.strip_prefix("old ")?.parse().ok()?;
        let hash = |line: &str| BASE64.decode(line).ok()?.try_into().ok();
        let proof: Vec<Digest> = lines.map(hash).collect::<Option<_>>()?;
        let asked = Self { before, proof, note: note.to_owned() };
        let is_small = asked.proof.len() <= HASHES_MAX && asked.note.len() <= ASKED_NOTE_BYTES_MAX;
        (is_small && asked.to_string() == body).then_some(asked)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "old {}", self.before)?;
        for hash in &self.proof {
            writeln!(formatter, "{}", BASE64.encode(hash))?;
        }
        write!(formatter, "\n{}", self.note)
    }
}
