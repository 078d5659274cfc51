//! Reading records back: strictly, since whoever checks them must know every member that somebody may have added.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_core::bulletin::Span;
use hotline_core::case::CaseFacts;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::access::{ExportRecord, UnmaskRecord};
use super::{ErasedRecord, Hex, RecordKind, SUITE, VERSION};
use crate::canonical;

/// The kinds of leaves that the closure log writes itself.
const LOG_KINDS: [&str; 2] = ["relog", "adopt"];

/// Why bytes are no record that this program reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("it is not JSON")]
    NotJson,
    #[error("it is not canonical JSON: members out of order, white space, or another spelling")]
    NotCanonical,
    #[error("it is a record of version {found}; this program reads version {VERSION}: take a newer one")]
    UnknownVersion { found: String },
    #[error("it is of the suite \"{found}\"; this program knows {SUITE}: take a newer one")]
    UnknownSuite { found: String },
    #[error("it is a record of the kind \"{found}\", which this program does not know: take a newer one")]
    UnknownKind { found: String },
    #[error("{what}")]
    Malformed { what: String },
    #[error("the parts of a record do not fit together: {what}")]
    Parts { what: &'static str },
}

impl ReadError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotCanonical => "not_canonical",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::UnknownSuite { .. } => "unknown_suite",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::Malformed { .. } => "malformed",
            Self::Parts { .. } => "parts",
        }
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadRecord {
    Case(Box<CaseRecord>),
    Rulebook(RulebookRecord),
    Bulletin(Box<BulletinRecord>),
    Log(LogRecord),
    Export(Box<ExportRecord>),
    Unmask(Box<UnmaskRecord>),
    Erased(ErasedRecord),
    /// A piece of a longer one; see [`join`].
    Part(Part),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    pub case: SmolStr,
    pub kind: SmolStr,
    /// Which of the case's records it is, from 1 on; None of one that stands beside them.
    #[serde(default)]
    pub seq: Option<u32>,
    /// … after which of them.
    #[serde(default)]
    pub after: Option<u32>,
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    pub rulebook: RulesOf,
    pub fold: u32,
    pub cause: Vec<CauseOf>,
    #[serde(deserialize_with = "facts")]
    pub facts: CaseFacts,
    pub judged: Value,
    pub rules: Value,
    pub personal: PersonalOf,
    v: u32,
    suite: String,
}

/// By which rulebook a record was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesOf {
    pub seq: i64,
    pub hash: SmolStr,
}

/// What made the difference; see [`super::Cause`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CauseOf {
    Event(EventOf),
    Rulebook(RulebookWas),
    Program(FoldWas),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventOf {
    #[serde(rename = "type")]
    pub kind: SmolStr,
    pub source: SmolStr,
    pub id: SmolStr,
    pub origin: SmolStr,
    pub offset: i64,
    pub ledger: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulebookWas {
    pub rulebook_was: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldWas {
    pub fold_was: i32,
}

/// See [`super::Commitments`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalOf {
    pub count: u32,
    /// In hexadecimal.
    pub chain: SmolStr,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulebookRecord {
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    #[serde(deserialize_with = "instant")]
    pub activated_at: Timestamp,
    pub rulebook: RulesOf,
    pub fold: u32,
    pub files: Vec<RulebookFile>,
    kind: SmolStr,
    v: u32,
    suite: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulebookFile {
    pub path: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: SmolStr,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulletinRecord {
    pub id: i64,
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    pub form: FormRecord,
    pub period: String,
    #[serde(deserialize_with = "spans")]
    pub spans: BTreeMap<Span, (Date, Date)>,
    pub rulebook: RulesOf,
    pub fold: u32,
    pub definitions: BTreeMap<SmolStr, u32>,
    pub positions: BTreeMap<String, i64>,
    pub ledger_below: u64,
    #[serde(deserialize_with = "instant")]
    pub as_of: Timestamp,
    /// Of what is counted from cases.
    pub figures: FiguresOf,
    /// Of what sources report; it cannot be counted again.
    pub reported: FiguresOf,
    kind: SmolStr,
    v: u32,
    suite: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormRecord {
    pub id: SmolStr,
    pub version: u32,
    pub hash: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiguresOf {
    pub count: u64,
    /// In hexadecimal.
    pub sha256: SmolStr,
}

/// What an operator did with a log that stood still, and why: begun the next one, or gone on from what the database has.
/// The log writes it itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// `relog`, `adopt`.
    pub kind: SmolStr,
    #[serde(deserialize_with = "instant")]
    pub at: Timestamp,
    /// The log that begins, or goes on.
    pub log: String,
    pub reason: String,
    /// The checkpoint that was signed last; None: none was.
    pub checkpoint: Option<String>,
    /// How far the database was; None: it was not asked, or knew no log.
    #[serde(default)]
    pub database: Option<TreeOf>,
    v: u32,
    /// The first such leaves had none.
    #[serde(default)]
    suite: Option<String>,
}

/// A tree of a log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeOf {
    pub log: String,
    pub size: u64,
    /// In hexadecimal.
    pub root: String,
}

/// A piece of a record that is longer than a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub kind: SmolStr,
    /// SHA-256 of the whole record, in hexadecimal: what its parts have in common.
    pub of: SmolStr,
    /// From 1 on.
    pub part: u32,
    pub parts: u32,
    #[serde(deserialize_with = "base64")]
    pub bytes: Vec<u8>,
    v: u32,
    suite: String,
}

/// Reads the bytes of one leaf, or of a record whose parts were [`join`]ed.
pub fn read(bytes: &[u8]) -> Result<ReadRecord, ReadError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| ReadError::NotJson)?;
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    // What another version says is for another program to judge, its spelling included.
    if value["v"] != VERSION {
        return Err(ReadError::UnknownVersion { found: value["v"].to_string() });
    }
    if LOG_KINDS.iter().any(|kind| value["kind"] == *kind) {
        return of_value(value).map(ReadRecord::Log);
    }
    if value["suite"] != SUITE {
        return Err(ReadError::UnknownSuite { found: text("suite") });
    }
    if canonical(&value) != bytes {
        return Err(ReadError::NotCanonical);
    }
    let kind = RecordKind::parse(&text("kind"));
    let kind = kind.ok_or_else(|| ReadError::UnknownKind { found: text("kind") })?;
    if value.get("part").is_some() {
        return of_value(value).map(ReadRecord::Part);
    }
    match kind {
        RecordKind::Rulebook => of_value(value).map(ReadRecord::Rulebook),
        RecordKind::Bulletin => of_value(value).map(|record| ReadRecord::Bulletin(Box::new(record))),
        RecordKind::Exported => of_value(value).map(|record| ReadRecord::Export(Box::new(record))),
        RecordKind::Unmasked => of_value(value).map(|record| ReadRecord::Unmask(Box::new(record))),
        RecordKind::Erased => of_value(value).map(ReadRecord::Erased),
        _ => {
            let record: CaseRecord = of_value(value)?;
            let is_standing = kind == RecordKind::Standing;
            if (record.seq.is_some(), record.after.is_some()) != (!is_standing, is_standing) {
                let what = "a record of a case has a number, one beside them says after which".to_owned();
                return Err(ReadError::Malformed { what });
            }
            Ok(ReadRecord::Case(Box::new(record)))
        }
    }
}

fn of_value<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ReadError> {
    serde_json::from_value(value).map_err(|error| ReadError::Malformed { what: error.to_string() })
}

/// The bytes of a record from all its parts, in any order.
pub fn join(parts: &[Part]) -> Result<Vec<u8>, ReadError> {
    let err = |what| Err(ReadError::Parts { what });
    let Some(first) = parts.first() else { return err("there are none") };
    let mut sorted: Vec<&Part> = parts.iter().collect();
    sorted.sort_by_key(|part| part.part);
    if parts.iter().any(|part| (&part.of, part.parts, &part.kind) != (&first.of, first.parts, &first.kind)) {
        return err("they are of different records");
    }
    let is_nth = |(n, part): (usize, &&Part)| usize::try_from(part.part).is_ok_and(|part| part == n + 1);
    if parts.len() != usize::try_from(first.parts).unwrap_or(0) || !sorted.iter().enumerate().all(is_nth) {
        return err("some are missing or there twice");
    }
    let bytes: Vec<u8> = sorted.iter().flat_map(|part| part.bytes.iter().copied()).collect();
    let hash = Hex(digest::digest(&digest::SHA256, &bytes).as_ref()).to_string();
    if hash == first.of { Ok(bytes) } else { err("together they are not what each says they are of") }
}

fn base64<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64.decode(text).map_err(|_| serde::de::Error::custom("bytes that are not base64"))
}

fn facts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<CaseFacts, D::Error> {
    let facts = CaseFacts::decode(&base64(deserializer)?);
    facts.map_err(|error| serde::de::Error::custom(format!("facts that cannot be read: {error}")))
}

/// As it is written, and no other way: one instant has one spelling.
pub(super) fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let at: Option<Timestamp> = text.parse().ok();
    at.filter(|at| at.to_string() == text)
        .ok_or_else(|| serde::de::Error::custom("an instant that is not RFC 3339 in UTC"))
}

fn spans<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Span, (Date, Date)>, D::Error> {
    let spans: BTreeMap<String, (String, String)> = BTreeMap::deserialize(deserializer)?;
    let span = |(name, (from, to)): (String, (String, String))| {
        Some((Span::parse(&name)?, (from.parse().ok()?, to.parse().ok()?)))
    };
    let spans: Option<_> = spans.into_iter().map(span).collect();
    spans.ok_or_else(|| serde::de::Error::custom("a span that is none of a bulletin"))
}

impl CaseRecord {
    /// The greatest number in the ledger of what it knows; 0 where nothing has one.
    pub fn ledger_last(&self) -> u64 {
        let facts = self.facts.facts().iter().map(|fact| fact.ledger_seq);
        let snapshots = self.facts.snapshots().iter().map(|snapshot| snapshot.ledger_seq);
        let causes = self.cause.iter().map(|cause| match cause {
            CauseOf::Event(event) => event.ledger,
            CauseOf::Rulebook(_) | CauseOf::Program(_) => 0,
        });
        facts.chain(snapshots).chain(causes).max().unwrap_or(0)
    }
}
