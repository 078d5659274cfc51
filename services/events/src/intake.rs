//! The hand-over between a role that receives events and casework: batches one way, outcomes the other.
//!
//! Only values: how a batch travels, and how its sender waits for the outcomes, is theirs.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

use crate::decode::Event;
use crate::error::{DecodeError, Fault};

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Http,
    /// Dead letters sent again.
    Redrive,
    Partition {
        topic: String,
        partition: i32,
    },
}

impl Origin {
    /// `http`, `redrive`, or the partition as `topic/3`.
    pub fn name(&self) -> String {
        match self {
            Origin::Http => "http".to_owned(),
            Origin::Redrive => "redrive".to_owned(),
            Origin::Partition { topic, partition } => format!("{topic}/{partition}"),
        }
    }
}

/// One record: usually one event.
#[derive(Clone, Debug)]
pub struct Record {
    /// The bytes as they came, kept only if the record becomes a dead letter.
    pub raw: Vec<u8>,
    pub received_at: Timestamp,
    /// Its offset, where the origin is a partition.
    pub offset: Option<i64>,
    pub content: RecordContent,
}

/// What a record holds.
#[derive(Clone, Debug)]
pub enum RecordContent {
    /// Zero events are a record that an adapter passed over.
    Events(Vec<Event>),
    /// What is no event, and the source that it names all the same.
    Fault { error: DecodeError, source: Option<SmolStr> },
    /// Refused before decoding, as for a source that nobody listed.
    Refused(Reason),
}

impl RecordContent {
    /// What decoding `bytes` came to.
    pub fn of(bytes: &[u8], decoded: Result<Event, DecodeError>) -> Self {
        match decoded {
            Ok(event) => Self::Events(vec![event]),
            Err(error) => Self::Fault { error, source: named_source(bytes) },
        }
    }
}

/// The source that an invalid event names.
fn named_source(bytes: &[u8]) -> Option<SmolStr> {
    #[derive(Deserialize)]
    struct Named<'b> {
        #[serde(borrow)]
        source: Cow<'b, str>,
    }
    serde_json::from_slice::<Named<'_>>(bytes).ok().map(|named| named.source.into())
}

/// Contiguous records of one origin, in order.
#[derive(Clone, Debug)]
pub struct Batch {
    pub origin: Origin,
    pub records: Vec<Record>,
}

impl Batch {
    /// How many records a batch holds at most: more makes the transaction longer, not the throughput higher.
    pub const RECORDS_MAX: usize = 5000;
    /// How many bytes of records a batch holds at most.
    pub const BYTES_MAX: usize = 4 * 1024 * 1024;
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    Duplicate,
    /// Nothing in it was for us.
    Ignored,
    Dead {
        reason: Reason,
        faults: Vec<Fault>,
    },
}

impl Outcome {
    pub fn code(&self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Duplicate => "duplicate",
            Outcome::Ignored => "ignored",
            Outcome::Dead { .. } => "dead",
        }
    }

    /// The outcome of a record from those of its events: the worst, in the order dead, applied, duplicate, ignored.
    #[must_use]
    pub fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::Dead { .. } => 3,
            Outcome::Applied => 2,
            Outcome::Duplicate => 1,
            Outcome::Ignored => 0,
        };
        let worse = |a: Outcome, b: Outcome| if rank(&b) > rank(&a) { b } else { a };
        outcomes.into_iter().fold(Outcome::Ignored, worse)
    }
}

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Undecodable,
    Invalid,
    UnknownSource,
    IdConflict,
    FutureDated,
    CaseTooLong,
    /// Its source is stopped: kept until somebody resumes the source and sends it again.
    SourceStopped,
    InternalError,
}

impl Reason {
    pub const ALL: &[Reason] = &[
        Reason::Undecodable,
        Reason::Invalid,
        Reason::UnknownSource,
        Reason::IdConflict,
        Reason::FutureDated,
        Reason::CaseTooLong,
        Reason::SourceStopped,
        Reason::InternalError,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Reason::Undecodable => "undecodable",
            Reason::Invalid => "invalid",
            Reason::UnknownSource => "unknown_source",
            Reason::IdConflict => "id_conflict",
            Reason::FutureDated => "future_dated",
            Reason::CaseTooLong => "case_too_long",
            Reason::SourceStopped => "source_stopped",
            Reason::InternalError => "internal_error",
        }
    }

    pub fn parse(code: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl From<&DecodeError> for Reason {
    fn from(error: &DecodeError) -> Self {
        match error {
            DecodeError::Undecodable { .. } => Reason::Undecodable,
            DecodeError::Invalid(_) => Reason::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_by_its_worst_event() {
        let dead = || Outcome::Dead { reason: Reason::IdConflict, faults: Vec::new() };
        let check =
            |outcomes: Vec<Outcome>, expect: &str| assert_eq!(Outcome::worst(outcomes).code(), expect);
        check(vec![], "ignored");
        check(vec![Outcome::Ignored, Outcome::Duplicate], "duplicate");
        check(vec![Outcome::Applied, Outcome::Duplicate], "applied");
        check(vec![Outcome::Applied, dead(), Outcome::Duplicate], "dead");
    }

    #[test]
    fn reasons_are_read_as_they_are_written() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::parse("poison"), None);
    }

    #[test]
    fn a_decode_fault_is_its_own_reason() {
        let undecodable = DecodeError::Undecodable { code: "json" };
        assert_eq!(Reason::from(&undecodable).code(), undecodable.code());
        let invalid = DecodeError::Invalid(Vec::new());
        assert_eq!(Reason::from(&invalid).code(), invalid.code());
    }
}
