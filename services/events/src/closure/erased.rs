//! The record of an erasure: nothing of whom, and not the reason, which somebody wrote.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use smol_str::SmolStr;

use super::read::{PersonalOf, instant};
use super::{Commitments, Hex, RecordKind, SUITE, VERSION};
use crate::canonical;

/// What was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// 1; 0 where the case had no key.
    pub keys: u64,
    /// Sealed parts of events.
    pub parts: u64,
    /// Dead letters with bytes.
    pub letters: u64,
}

/// The person of a case was erased, to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewErasure<'r> {
    pub case: &'r str,
    /// The number of the case's last record; 0: there is none.
    pub after: u32,
    pub destroyed: Destroyed,
    /// What nobody can show any more. The chain begins anew after it.
    pub personal: Commitments,
    pub written_at: Timestamp,
}

impl NewErasure<'_> {
    pub fn leaf(&self) -> Vec<u8> {
        let Destroyed { keys, parts, letters } = self.destroyed;
        canonical(&json!({
            "v": VERSION,
            "suite": SUITE,
            "kind": RecordKind::Erased.name(),
            "case": self.case,
            "after": self.after,
            "destroyed": { "keys": keys, "parts": parts, "letters": letters },
            "personal": { "count": self.personal.count, "chain": Hex(&self.personal.chain).to_string() },
            "written_at": self.written_at.to_string(),
        }))
    }
}

/// An erasure as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedRecord {
    pub case: SmolStr,
    pub after: u32,
    pub destroyed: Destroyed,
    /// What the records before it commit to; nobody can show it any more.
    pub personal: PersonalOf,
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    kind: SmolStr,
    v: u32,
    suite: String,
}
