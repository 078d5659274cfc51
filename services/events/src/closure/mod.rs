//! Closure records: what was decided, as bytes that are never written again. The closure log seals them.
//!
//! A case is its set of facts, so a record holds them: whoever has the record and the rulebook folds again and compares
//! ([`recompute`]). Rulebooks and published bulletins are records too. Everything is canonical JSON on one line; what
//! takes more than [`LEAF_BYTES_MAX`] goes into several leaves, each of which names the whole by its hash.
//!
//! Guarantees: what is decided ([`Judgement`]) is a function of facts and rulebook; nothing personal is in a record: facts
//! have none, of the rest there is a keyed commitment, and the tag by which a source knows whoever reported again is left
//! out. It deliberately does not know when a record is due: that is casework's.

mod access;
mod erased;
mod json;
mod judged;
mod read;
mod recompute;

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_core::bulletin::{Figures, Sort, Span};
use hotline_core::case::CaseFacts;
use hotline_core::fact::{Kind, PIPELINE_SOURCE};
use hotline_core::fold::FOLD_VERSION;
use hotline_core::rulebook::Files;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use smol_str::SmolStr;

pub use access::{ExportRecord, NewAccess, NewExport, UnmaskRecord, recorded_filter};
pub use erased::{Destroyed, ErasedRecord, NewErasure};
pub use judged::{Judgement, is_judged};
pub use read::{
    BulletinRecord, CaseRecord, CauseOf, EventOf, FiguresOf, FoldWas, FormRecord, LogRecord, Part,
    PersonalOf, ReadError, ReadRecord, RulebookFile, RulebookRecord, RulebookWas, RulesOf, TreeOf, join,
    read,
};
pub use recompute::{Difference, RecomputeError, recompute};

use crate::canonical;
use json::Out;

/// The version of records that is written; it names the layout, not what was decided.
pub const VERSION: u32 = 1;
/// How the log hashes and signs.
pub const SUITE: &str = "sha256-ed25519";
/// An entry of the log has a length of two bytes before it.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// How much of a longer record goes into a leaf: in base64 and with what stands around it, it fits.
const PART_BYTES: usize = 45_000;

/// What brought a record about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A round was closed.
    Closed,
    Rated,
    Reopened,
    Ruled,
    /// A fact was corrected, or another came in that changed what was decided.
    Corrected,
    /// Another rulebook or program decides otherwise.
    Restated,
    /// It was closed before there were records.
    Recorded,
    /// The facts by which a case counts in a bulletin, where no other record has them all.
    Standing,
    /// The person of a case was erased.
    Erased,
    /// A rulebook became the active one.
    Rulebook,
    /// A bulletin was published.
    Bulletin,
    /// A list was taken away as a file.
    Exported,
    /// Somebody saw who the people of a case are.
    Unmasked,
}

impl RecordKind {
    pub const ALL: [Self; 13] = [
        Self::Closed,
        Self::Rated,
        Self::Reopened,
        Self::Ruled,
        Self::Corrected,
        Self::Restated,
        Self::Recorded,
        Self::Standing,
        Self::Erased,
        Self::Rulebook,
        Self::Bulletin,
        Self::Exported,
        Self::Unmasked,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Rated => "rated",
            Self::Reopened => "reopened",
            Self::Ruled => "ruled",
            Self::Corrected => "corrected",
            Self::Restated => "restated",
            Self::Recorded => "recorded",
            Self::Standing => "standing",
            Self::Erased => "erased",
            Self::Rulebook => "rulebook",
            Self::Bulletin => "bulletin",
            Self::Exported => "exported",
            Self::Unmasked => "unmasked",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a record of a case is called: by the events that brought it about, and whether it is the case's first.
    pub fn of_case(causes: &[Cause], is_first: bool) -> Self {
        let mut kinds = causes.iter().filter_map(|cause| match cause {
            Cause::Event { kind, .. } => Some(*kind),
            Cause::Rulebook { .. } | Cause::Program { .. } => None,
        });
        let any = |holds: fn(Kind) -> bool| kinds.clone().any(holds);
        if is_first {
            return if any(Kind::closes) { Self::Closed } else { Self::Recorded };
        }
        if any(|kind| kind == Kind::Corrected) {
            Self::Corrected
        } else if any(|kind| kind == Kind::Reopened) {
            Self::Reopened
        } else if any(|kind| kind == Kind::Ruled) {
            Self::Ruled
        } else if any(Kind::closes) {
            Self::Closed
        } else if any(|kind| kind == Kind::Rated) {
            Self::Rated
        } else if kinds.next().is_some() {
            Self::Corrected
        } else {
            Self::Restated
        }
    }
}

/// What made the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An event of the batch; decisions of ours have the origin `pipeline`.
    Event { kind: Kind, source: SmolStr, id: SmolStr, origin: SmolStr, offset: i64, ledger: i64 },
    /// The case was folded last by this rulebook.
    Rulebook { was: i64 },
    /// … by this fold of the program.
    Program { was: i32 },
}

impl Cause {
    /// A dispatch decision of ours.
    pub fn decision(id: &str, origin: &str, ledger: i64) -> Self {
        let source = SmolStr::new_static(PIPELINE_SOURCE);
        Self::Event {
            kind: Kind::Dispatched,
            source,
            id: id.into(),
            origin: origin.into(),
            offset: 0,
            ledger,
        }
    }

    fn write(&self, out: &mut Out) {
        out.object(|o| match self {
            Cause::Event { kind, source, id, origin, offset, ledger } => {
                o.text("id", id);
                o.number("ledger", ledger);
                o.number("offset", offset);
                o.text("origin", origin);
                o.text("source", source);
                o.text("type", kind.name());
            }
            Cause::Rulebook { was } => o.number("rulebook_was", was),
            Cause::Program { was } => o.number("fold_was", was),
        });
    }
}

/// What stands for the personal parts of a case's events, so that each can be shown later to be the one that was sent: a
/// chain of keyed commitments. Without the key nobody can guess what they are of; when the person is erased it begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commitments {
    pub count: u32,
    /// SHA-256(the chain before, the event's key, its commitment); zeros before the first.
    pub chain: [u8; 32],
}

impl Commitments {
    /// Adds the commitment to the personal part of an event.
    pub fn add(&mut self, event_key: &[u8; 16], commitment: &[u8; 32]) {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&self.chain);
        hash.update(event_key);
        hash.update(commitment);
        self.chain.copy_from_slice(hash.finish().as_ref());
        self.count += 1;
    }
}

/// By which rulebook and program a record was made.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    pub seq: i64,
    pub hash: &'r str,
}

/// Which of a case's records it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// The n-th, from 1 on, without gaps.
    Nth(u32),
    /// One beside them, after the n-th: of a case that counts in a bulletin.
    After(u32),
}

/// A record of a case, to be written.
#[derive(Clone, Debug)]
pub struct NewRecord<'r> {
    pub case: &'r str,
    pub kind: RecordKind,
    pub number: Number,
    pub written_at: Timestamp,
    pub rules: Rules<'r>,
    pub causes: &'r [Cause],
    pub judgement: &'r Judgement,
    /// As [`facts_of`] gives them.
    pub facts: &'r [u8],
    pub personal: Commitments,
}

/// The facts of a case as a record has them.
pub fn facts_of(facts: &CaseFacts) -> Vec<u8> {
    facts.encode_nameless()
}

impl NewRecord<'_> {
    /// The leaves of the record: one, unless it is longer than a leaf.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        let size = self.judgement.bytes.len() + self.facts.len() * 4 / 3 + 1024;
        let mut out = Out(Vec::with_capacity(size));
        out.object(|o| {
            if let Number::After(after) = self.number {
                o.number("after", after);
            }
            o.text("case", self.case);
            o.member("cause").array(self.causes, |out, cause| cause.write(out));
            o.member("facts").base64(self.facts);
            o.number("fold", FOLD_VERSION);
            o.member("judged").raw(&self.judgement.bytes);
            o.text("kind", self.kind.name());
            o.member("personal").object(|o| {
                o.member("chain").hex(&self.personal.chain);
                o.number("count", self.personal.count);
            });
            o.member("rulebook").object(|o| {
                o.text("hash", self.rules.hash);
                o.number("seq", self.rules.seq);
            });
            o.member("rules").raw(&self.judgement.rules);
            if let Number::Nth(n) = self.number {
                o.number("seq", n);
            }
            o.text("suite", SUITE);
            o.number("v", VERSION);
            o.at("written_at", self.written_at);
        });
        split(out.0, self.kind)
    }
}

/// A record in leaves, each of which the log takes.
fn split(bytes: Vec<u8>, kind: RecordKind) -> Vec<Vec<u8>> {
    if bytes.len() <= LEAF_BYTES_MAX {
        return vec![bytes];
    }
    let of = Hex(digest::digest(&digest::SHA256, &bytes).as_ref()).to_string();
    let parts = bytes.chunks(PART_BYTES);
    let count = parts.len();
    let leaf = |(n, part): (usize, &[u8])| {
        canonical(&json!({
            "v": VERSION, "suite": SUITE, "kind": kind.name(), "of": of, "part": n + 1, "parts": count,
            "bytes": BASE64.encode(part),
        }))
    };
    parts.enumerate().map(leaf).collect()
}

/// The leaves that say that a rulebook became the active one.
pub fn of_rulebook(
    (seq, hash): (i64, &str),
    files: &Files,
    activated_at: Timestamp,
    written_at: Timestamp,
) -> Vec<Vec<u8>> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| {
            let hash = digest::digest(&digest::SHA256, content);
            json!({ "path": path, "bytes": content.len(), "sha256": Hex(hash.as_ref()).to_string() })
        })
        .collect();
    let leaf = canonical(&json!({
        "v": VERSION,
        "suite": SUITE,
        "kind": RecordKind::Rulebook.name(),
        "written_at": written_at.to_string(),
        "activated_at": activated_at.to_string(),
        "rulebook": { "seq": seq, "hash": hash },
        "fold": FOLD_VERSION,
        "files": files,
    }));
    split(leaf, RecordKind::Rulebook)
}

/// What an operator did with a log that stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStep<'l> {
    /// The next log was begun; how far the database was with the one before: its name, leaves, root in hexadecimal.
    Relog { database: Option<(&'l str, u64, &'l str)> },
    /// The log went on from what the database has; the checkpoint file was lost.
    Adopt,
}

/// The leaf that says what an operator did with the log, `checkpoint` being what was signed last.
pub fn of_log(
    step: LogStep<'_>,
    at: Timestamp,
    log: &str,
    reason: &str,
    checkpoint: Option<&str>,
) -> Vec<u8> {
    let mut leaf = json!({
        "v": VERSION,
        "suite": SUITE,
        "at": at.to_string(),
        "log": log,
        "reason": reason,
        "checkpoint": checkpoint,
    });
    match step {
        LogStep::Relog { database } => {
            leaf["kind"] = "relog".into();
            if let Some((log, size, root)) = database {
                leaf["database"] = json!({ "log": log, "size": size, "root": root });
            }
        }
        LogStep::Adopt => leaf["kind"] = "adopt".into(),
    }
    canonical(&leaf)
}

/// A published bulletin, to be recorded: its stamp, and what it says by hash.
#[derive(Clone, Debug)]
pub struct NewBulletin<'b> {
    pub id: i64,
    pub written_at: Timestamp,
    pub form: FormOf<'b>,
    /// As it was asked for.
    pub period: &'b str,
    pub spans: &'b BTreeMap<Span, (Date, Date)>,
    pub rules: Rules<'b>,
    pub definitions: &'b BTreeMap<SmolStr, u32>,
    pub positions: &'b BTreeMap<String, i64>,
    pub ledger_below: i64,
    pub as_of: Timestamp,
    pub figures: &'b Figures,
}

/// The form of a bulletin, whole: which rates are asked for stands in it.
#[derive(Clone, Copy, Debug)]
pub struct FormOf<'b> {
    pub id: &'b str,
    pub version: u32,
    pub hash: &'b str,
    pub text: &'b str,
}

impl NewBulletin<'_> {
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        let spans: BTreeMap<&str, [String; 2]> = self
            .spans
            .iter()
            .map(|(span, (from, to))| (span.name(), [from.to_string(), to.to_string()]))
            .collect();
        let definitions: BTreeMap<&str, u32> =
            self.definitions.iter().map(|(id, version)| (id.as_str(), *version)).collect();
        let leaf = canonical(&json!({
            "v": VERSION,
            "suite": SUITE,
            "kind": RecordKind::Bulletin.name(),
            "written_at": self.written_at.to_string(),
            "id": self.id,
            "form": {
                "id": self.form.id, "version": self.form.version, "hash": self.form.hash, "text": self.form.text,
            },
            "period": self.period,
            "spans": spans,
            "rulebook": { "seq": self.rules.seq, "hash": self.rules.hash },
            "fold": FOLD_VERSION,
            "definitions": definitions,
            "positions": self.positions,
            "ledger_below": self.ledger_below,
            "as_of": self.as_of.to_string(),
            "figures": figures_hash(self.figures, |sort| sort != Sort::Reported),
            "reported": figures_hash(self.figures, |sort| sort == Sort::Reported),
        }));
        split(leaf, RecordKind::Bulletin)
    }
}

/// How many figures of these sorts there are, and the hash of what they say.
fn figures_hash(figures: &Figures, takes: fn(Sort) -> bool) -> serde_json::Value {
    let count = figures.keys().filter(|place| takes(place.sort)).count();
    json!({ "count": count, "sha256": hash_of(figures, takes) })
}

/// The hash of what a bulletin counts itself, in hexadecimal, as its record has it.
pub fn counted_hash(figures: &Figures) -> String {
    hash_of(figures, |sort| sort != Sort::Reported)
}

/// … and of what sources report.
pub fn reported_hash(figures: &Figures) -> String {
    hash_of(figures, |sort| sort == Sort::Reported)
}

fn hash_of(figures: &Figures, takes: fn(Sort) -> bool) -> String {
    Hex(digest::digest(&digest::SHA256, &figures_document(figures, takes)).as_ref()).to_string()
}

/// The figures of these sorts in the order of their places, as canonical JSON.
fn figures_document(figures: &Figures, takes: fn(Sort) -> bool) -> Vec<u8> {
    let figures = figures.iter().filter(|(place, _)| takes(place.sort));
    let lines: Vec<_> = figures
        .map(|(place, figure)| {
            json!({
                "span": place.span.name(),
                "sort": place.sort.name(),
                "id": place.id.as_str(),
                "department": place.department.as_str(),
                "version": figure.version,
                "numerator": figure.sums.map(|sums| sums.numerator),
                "denominator": figure.sums.map(|sums| sums.denominator),
                "scale": figure.sums.map(|sums| sums.scale),
                "value": figure.value,
                "group": figure.group.as_deref(),
                "rank": figure.rank,
            })
        })
        .collect();
    canonical(&serde_json::Value::Array(lines))
}

/// Bytes as hexadecimal digits.
struct Hex<'b>(&'b [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
