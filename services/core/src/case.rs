//! The facts of one case as they are kept, and how another event joins them.
//!
//! Joining is commutative and idempotent: receipts only move earlier, snapshots only newer, everything else is
//! a set. What order the facts are read in is decided afresh at every fold.

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use crate::encoding;
use crate::fact::{Body, Change, EventKey, Fact, InnerFact, Kind, Precision};
use crate::rulebook::{Rulebook, Source};

/// Facts a case may hold.
pub const FACTS_MAX: usize = 1_000;
/// … and those that end or correct it may go up to here.
pub const ENDING_FACTS_MAX: usize = 1_100;
/// Bytes a case's encoded facts may take.
pub const BYTES_MAX: usize = 64 * 1024;
/// Room left above [`BYTES_MAX`] for facts that end or correct the case.
pub const ENDING_BYTES_MAX: usize = 72 * 1024;
/// How far a source's clock may run ahead of ours before the event is refused.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// When a fact inside a snapshot was first seen, over all snapshots of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub key: EventKey,
    pub received_at: Option<Timestamp>,
    pub recorded_at: Option<Timestamp>,
}

/// What one source says about the case in its newest snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSnapshot {
    pub source: SmolStr,
    pub key: EventKey,
    pub claimed_at: Timestamp,
    pub sequence: u64,
    pub tag: u64,
    pub ledger_seq: u64,
    /// In key order.
    pub facts: Vec<InnerFact>,
    /// In key order; of the newest snapshot's facts and of those of older ones.
    pub receipts: Vec<Receipt>,
}

/// Everything that is known of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFacts {
    /// In key order, so that equal sets have equal bytes.
    facts: Vec<Fact>,
    /// In order of their source.
    snapshots: Vec<SourceSnapshot>,
}

/// What became of an event that was added to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    Applied,
    /// Already there. It may still have moved a receipt earlier: then `changed`.
    Duplicate {
        changed: bool,
    },
    /// Another content is already kept under this source and id.
    IdConflict,
    /// Claimed more than 24 hours after its receipt.
    FutureDated,
    CaseTooLong,
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

/// When a fact was received, as far as that counts: see [`Rulebook`]'s `trusted_before`.
pub fn receipt(fact: &Fact, rulebook: &Rulebook) -> Option<Timestamp> {
    let source = rulebook.sources.get(&fact.source);
    effective_receipt(source, fact.claimed_at, fact.received_at, fact.recorded_at)
}

/// Whether a fact is seen at an instant: see [`CaseFacts::seen_by`].
pub fn is_seen(fact: &Fact, at: Timestamp, rulebook: &Rulebook) -> bool {
    receipt(fact, rulebook).unwrap_or(fact.claimed_at) <= at
}

/// The receipt that counts: our own, or what the source recorded for facts of its trusted past.
pub(crate) fn effective_receipt(
    source: Option<&Source>,
    claimed_at: Timestamp,
    received_at: Option<Timestamp>,
    recorded_at: Option<Timestamp>,
) -> Option<Timestamp> {
    let trusted = source.and_then(|source| source.trusted_before).is_some_and(|before| claimed_at < before);
    if trusted { recorded_at } else { received_at }
}

impl CaseFacts {
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    pub fn snapshots(&self) -> &[SourceSnapshot] {
        &self.snapshots
    }

    /// The sources of its events, with repetitions.
    pub fn sources(&self) -> impl Iterator<Item = &SmolStr> {
        let facts = self.facts.iter().map(|fact| &fact.source);
        facts.chain(self.snapshots.iter().map(|snapshot| &snapshot.source))
    }

    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.snapshots.is_empty()
    }

    pub(crate) fn from_parts(facts: Vec<Fact>, snapshots: Vec<SourceSnapshot>) -> Self {
        Self { facts, snapshots }
    }

    /// The bytes that [`CaseFacts::decode`] reads; equal sets of facts have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self, false)
    }

    /// … without the tag by which a source knows whoever reported again: for what is kept when the person is erased. No
    /// rule asks for it.
    pub fn encode_nameless(&self) -> Vec<u8> {
        encoding::encode(self, true)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, encoding::EncodingError> {
        encoding::decode(bytes)
    }

    /// How many facts the limits count: those inside snapshots too.
    pub fn count(&self) -> usize {
        self.facts.len() + self.snapshots.iter().map(|snapshot| snapshot.facts.len()).sum::<usize>()
    }

    /// Adds an event, after the checks of DESIGN.md, section 7, in their order: duplicate, id conflict,
    /// future-dated, too long. Nothing is changed by an event that is refused.
    pub fn add(&mut self, fact: Fact, rulebook: &Rulebook) -> Added {
        if let Body::Snapshot(_) = fact.body {
            return self.add_snapshot(fact, rulebook);
        }
        match self.facts.binary_search_by(|known| known.key.cmp(&fact.key)) {
            Ok(at) => {
                let known = &mut self.facts[at];
                if known.tag != fact.tag {
                    return Added::IdConflict;
                }
                let received_at = earliest(known.received_at, fact.received_at);
                let recorded_at = earliest(known.recorded_at, fact.recorded_at);
                let changed = (received_at, recorded_at) != (known.received_at, known.recorded_at);
                (known.received_at, known.recorded_at) = (received_at, recorded_at);
                Added::Duplicate { changed }
            }
            Err(at) => {
                if is_future_dated(&fact, rulebook) {
                    return Added::FutureDated;
                }
                let ending = fact.body.kind().closes() || fact.body.kind() == Kind::Corrected;
                self.facts.insert(at, fact);
                if self.too_long(ending) {
                    self.facts.remove(at);
                    return Added::CaseTooLong;
                }
                Added::Applied
            }
        }
    }

    /// Adds one of our own dispatch decisions; the limits do not apply to it.
    pub fn pin(&mut self, fact: Fact) {
        if let Err(at) = self.facts.binary_search_by(|known| known.key.cmp(&fact.key)) {
            self.facts.insert(at, fact);
        }
    }

    /// Whether there is a fact with this key, those inside snapshots apart.
    pub fn contains(&self, key: EventKey) -> bool {
        self.facts.binary_search_by(|known| known.key.cmp(&key)).is_ok()
    }

    /// Gives the fact with this key its row in the ledger.
    pub fn set_ledger_seq(&mut self, key: EventKey, ledger_seq: u64) {
        if let Ok(at) = self.facts.binary_search_by(|known| known.key.cmp(&key)) {
            self.facts[at].ledger_seq = ledger_seq;
        } else if let Some(snapshot) = self.snapshots.iter_mut().find(|snapshot| snapshot.key == key) {
            snapshot.ledger_seq = ledger_seq;
        }
    }

    /// The first and the last receipt of any event; None where none is known.
    pub fn receipts(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let inner = self.snapshots.iter().flat_map(|snapshot| &snapshot.receipts);
        let all = || self.facts.iter().filter_map(|fact| fact.received_at);
        let snapshots = || inner.clone().filter_map(|receipt| receipt.received_at);
        (all().chain(snapshots()).min(), all().chain(snapshots()).max())
    }

    /// When the fact with this key was received first.
    pub fn receipt_of(&self, key: EventKey) -> Option<Timestamp> {
        if let Ok(at) = self.facts.binary_search_by(|known| known.key.cmp(&key)) {
            return self.facts[at].received_at;
        }
        let mut receipts = self.snapshots.iter().flat_map(|snapshot| &snapshot.receipts);
        receipts.find(|receipt| receipt.key == key)?.received_at
    }

    /// What of the case was received by an instant. Of a source's snapshots only the newest is kept, so of an earlier
    /// one there is what the newest says too.
    #[must_use]
    pub fn known_by(&self, at: Timestamp) -> Self {
        let by_then = |received_at: Option<Timestamp>| is_by(received_at, at);
        // A decision of ours may be taken late; it was due when what caused it was known.
        let known_at = |fact: &Fact| if fact.is_pin() { Some(fact.claimed_at) } else { fact.received_at };
        let facts = self.facts.iter().filter(|fact| by_then(known_at(fact))).cloned().collect();
        let known = |snapshot: &SourceSnapshot| snapshot.known_by(at);
        Self { facts, snapshots: self.snapshots.iter().filter_map(known).collect() }
    }

    /// What of the case stands in the ledger below a number. A source's newest snapshot is the only one that is kept: if it came
    /// later, there is of it what was received by `at`, as in [`CaseFacts::known_by`].
    #[must_use]
    pub fn known_below(&self, ledger_seq: u64, at: Timestamp) -> Self {
        let facts = self.facts.iter().filter(|fact| fact.ledger_seq < ledger_seq).cloned().collect();
        let known = |snapshot: &SourceSnapshot| {
            if snapshot.ledger_seq < ledger_seq { Some(snapshot.clone()) } else { snapshot.known_by(at) }
        };
        Self { facts, snapshots: self.snapshots.iter().filter_map(known).collect() }
    }

    /// What is seen of the case at an instant, as `replay` sees it: unseen is what was received later, as far as the
    /// receipt counts (see [`receipt`]), and where none is known what is claimed later. Of a source's snapshots only the
    /// newest is kept, as in [`CaseFacts::known_by`].
    #[must_use]
    pub fn seen_by(&self, at: Timestamp, rulebook: &Rulebook) -> Self {
        let facts = self.facts.iter().filter(|fact| is_seen(fact, at, rulebook)).cloned().collect();
        let seen = |snapshot: &SourceSnapshot| {
            let source = rulebook.sources.get(&snapshot.source);
            let mut snapshot = snapshot.clone();
            snapshot.facts.retain(|fact| {
                let known = snapshot.receipts.iter().find(|receipt| receipt.key == fact.key);
                let receipt = known.and_then(|known| {
                    effective_receipt(source, fact.claimed_at, known.received_at, known.recorded_at)
                });
                receipt.unwrap_or(fact.claimed_at) <= at
            });
            (!snapshot.facts.is_empty()).then_some(snapshot)
        };
        Self { facts, snapshots: self.snapshots.iter().filter_map(seen).collect() }
    }

    fn too_long(&self, ending: bool) -> bool {
        let (facts_max, bytes_max) =
            if ending { (ENDING_FACTS_MAX, ENDING_BYTES_MAX) } else { (FACTS_MAX, BYTES_MAX) };
        let count = self.count();
        if count > facts_max {
            return true;
        }
        // A short case without long lists is far below the limit: most are never measured.
        let may_be_long = count > 64 || self.facts.iter().any(|fact| has_long_list(&fact.body));
        may_be_long && self.encode().len() > bytes_max
    }

    fn add_snapshot(&mut self, mut fact: Fact, rulebook: &Rulebook) -> Added {
        let Body::Snapshot(inner) = &mut fact.body else { unreachable!("the caller looked") };
        let mut inner = std::mem::take(inner);
        inner.sort_by_key(|fact| fact.key);
        inner.dedup_by_key(|fact| fact.key);
        let at = self.snapshots.binary_search_by(|known| known.source.cmp(&fact.source));
        if let Ok(at) = at
            && self.snapshots[at].key == fact.key
            && self.snapshots[at].tag != fact.tag
        {
            return Added::IdConflict;
        }
        if is_future_dated(&fact, rulebook) || inner.iter().any(|one| is_inner_future(one, &fact, rulebook)) {
            return Added::FutureDated;
        }
        let before = self.clone();
        let at = match at {
            Ok(at) => at,
            Err(at) => {
                self.snapshots.insert(at, SourceSnapshot::first(&fact));
                at
            }
        };
        let same = self.snapshots[at].merge(&fact, inner);
        if self.too_long(false) {
            *self = before;
            return Added::CaseTooLong;
        }
        if same || *self == before { Added::Duplicate { changed: *self != before } } else { Added::Applied }
    }
}

/// What has no receipt was always known.
fn is_by(received_at: Option<Timestamp>, at: Timestamp) -> bool {
    received_at.is_none_or(|received_at| received_at <= at)
}

impl SourceSnapshot {
    /// An empty snapshot older than any other, for the first to be merged into.
    fn first(fact: &Fact) -> Self {
        Self {
            source: fact.source.clone(),
            key: EventKey([0; 16]),
            claimed_at: Timestamp::MIN,
            sequence: 0,
            tag: 0,
            ledger_seq: 0,
            facts: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// What of it was received by an instant; None: nothing.
    fn known_by(&self, at: Timestamp) -> Option<Self> {
        let mut known = self.clone();
        known.receipts.retain(|receipt| is_by(receipt.received_at, at));
        known
            .facts
            .retain(|fact| known.receipts.binary_search_by(|receipt| receipt.key.cmp(&fact.key)).is_ok());
        (!known.facts.is_empty()).then_some(known)
    }

    /// Takes another snapshot of the same source; whether it says just what the newest one says.
    fn merge(&mut self, fact: &Fact, inner: Vec<InnerFact>) -> bool {
        for one in &inner {
            let receipt =
                Receipt { key: one.key, received_at: fact.received_at, recorded_at: fact.recorded_at };
            match self.receipts.binary_search_by(|known| known.key.cmp(&one.key)) {
                Ok(at) => {
                    let known = &mut self.receipts[at];
                    known.received_at = earliest(known.received_at, receipt.received_at);
                    known.recorded_at = earliest(known.recorded_at, receipt.recorded_at);
                }
                Err(at) => self.receipts.insert(at, receipt),
            }
        }
        let same = self.claimed_at != Timestamp::MIN && self.facts == inner;
        if (fact.claimed_at, fact.sequence, fact.key) > (self.claimed_at, self.sequence, self.key) {
            self.key = fact.key;
            self.claimed_at = fact.claimed_at;
            self.sequence = fact.sequence;
            self.tag = fact.tag;
            self.ledger_seq = fact.ledger_seq;
            self.facts = inner;
        }
        same
    }
}

/// Whether a single fact may take kilobytes.
fn has_long_list(body: &Body) -> bool {
    let length = match body {
        Body::Received(received) => received.tags.len() + received.amounts.len(),
        Body::Amended(amended) => amended.tags.as_ref().map_or(0, Vec::len),
        Body::Held { stages, .. } => stages.len(),
        Body::Split { into } => into.len(),
        Body::Rated(rated) => rated.aspects.len(),
        Body::Verified { amounts, .. } | Body::Submitted { amounts, .. } | Body::Closed { amounts, .. } => {
            amounts.len()
        }
        Body::Corrected(corrected) => match &corrected.change {
            Change::Replace { body: Some(body), .. } => return has_long_list(body),
            _ => 0,
        },
        _ => 0,
    };
    length > 8
}

fn is_future_dated(fact: &Fact, rulebook: &Rulebook) -> bool {
    is_ahead(fact.claimed_at, fact.precision, receipt(fact, rulebook))
}

fn is_inner_future(inner: &InnerFact, snapshot: &Fact, rulebook: &Rulebook) -> bool {
    let source = rulebook.sources.get(&snapshot.source);
    let receipt = effective_receipt(source, inner.claimed_at, snapshot.received_at, snapshot.recorded_at);
    is_ahead(inner.claimed_at, inner.precision, receipt)
}

fn is_ahead(claimed_at: Timestamp, precision: Precision, receipt: Option<Timestamp>) -> bool {
    // A day may be written as any instant of it, its end included.
    let allowed = match precision {
        Precision::Second => AHEAD_MAX,
        Precision::Day => AHEAD_MAX + SignedDuration::from_hours(24),
    };
    receipt.is_some_and(|receipt| claimed_at.duration_since(receipt) > allowed)
}

#[cfg(test)]
mod tests;
