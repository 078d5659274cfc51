//! The bytes in which a case's facts are stored.
//!
//! One version byte, a table of the strings used, the facts, the snapshots. Numbers are LEB128; instants are
//! differences to the one before, in seconds where they are whole; strings are places in the table. About 48
//! bytes a fact. Bytes written by any landed version stay readable: `encoding/samples` keeps some of each.

mod body;
pub(crate) mod io;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::case::{CaseFacts, Receipt, SourceSnapshot};
use crate::fact::{EventKey, Fact, InnerFact, Precision};
use io::{Reader, Writer};

/// The version that is written. Reading knows this and every earlier one.
pub const VERSION: u8 = 1;

/// Why stored bytes are not a case's facts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EncodingError {
    #[error("facts of a newer program: version {found}, this one reads up to {VERSION}")]
    Newer { found: u8 },
    #[error("facts end in the middle, at byte {at}")]
    Truncated { at: usize },
    #[error("facts hold {what} at byte {at}")]
    Malformed { what: &'static str, at: usize },
}

impl EncodingError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "facts_newer",
            Self::Truncated { .. } => "facts_truncated",
            Self::Malformed { .. } => "facts_malformed",
        }
    }
}

/// `nameless`: without the tag of whoever reported.
pub(crate) fn encode(case: &CaseFacts, nameless: bool) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.nameless = nameless;
    writer.number(case.facts().len() as u64);
    for fact in case.facts() {
        write_fact(&mut writer, fact);
    }
    writer.number(case.snapshots().len() as u64);
    for snapshot in case.snapshots() {
        write_snapshot(&mut writer, snapshot);
    }
    writer.finish(VERSION)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<CaseFacts, EncodingError> {
    if bytes.is_empty() {
        return Ok(CaseFacts::default());
    }
    if bytes[0] != VERSION {
        return Err(match bytes[0] {
            0 => EncodingError::Malformed { what: "version 0", at: 0 },
            found => EncodingError::Newer { found },
        });
    }
    let mut reader = Reader::new(bytes)?;
    let facts = reader.list(read_fact)?;
    let snapshots = reader.list(read_snapshot)?;
    reader.end()?;
    Ok(CaseFacts::from_parts(facts, snapshots))
}

fn write_fact(writer: &mut Writer, fact: &Fact) {
    writer.key(fact.key);
    writer.string(&fact.source);
    writer.flag(fact.precision == Precision::Day);
    writer.instant(fact.claimed_at);
    writer.instant_after(fact.received_at, fact.claimed_at);
    writer.instant_after(fact.recorded_at, fact.claimed_at);
    writer.number(fact.sequence);
    writer.fixed(&fact.tag.to_le_bytes());
    writer.number(fact.ledger_seq);
    body::write(writer, &fact.body);
}

fn read_fact(reader: &mut Reader<'_>) -> Result<Fact, EncodingError> {
    let key = reader.key()?;
    let source: SmolStr = reader.string()?;
    let precision = read_precision(reader)?;
    let claimed_at = reader.instant()?;
    Ok(Fact {
        key,
        source,
        precision,
        claimed_at,
        received_at: reader.instant_after(claimed_at)?,
        recorded_at: reader.instant_after(claimed_at)?,
        sequence: reader.number()?,
        tag: u64::from_le_bytes(reader.fixed()?),
        ledger_seq: reader.number()?,
        body: body::read(reader)?,
    })
}

fn read_precision(reader: &mut Reader<'_>) -> Result<Precision, EncodingError> {
    Ok(if reader.flag()? { Precision::Day } else { Precision::Second })
}

fn write_snapshot(writer: &mut Writer, snapshot: &SourceSnapshot) {
    writer.string(&snapshot.source);
    writer.key(snapshot.key);
    writer.instant(snapshot.claimed_at);
    writer.number(snapshot.sequence);
    writer.fixed(&snapshot.tag.to_le_bytes());
    writer.number(snapshot.ledger_seq);
    writer.number(snapshot.facts.len() as u64);
    for fact in &snapshot.facts {
        writer.key(fact.key);
        writer.flag(fact.precision == Precision::Day);
        writer.instant(fact.claimed_at);
        body::write(writer, &fact.body);
    }
    writer.number(snapshot.receipts.len() as u64);
    for receipt in &snapshot.receipts {
        writer.key(receipt.key);
        writer.instant_after(receipt.received_at, snapshot.claimed_at);
        writer.instant_after(receipt.recorded_at, snapshot.claimed_at);
    }
}

fn read_snapshot(reader: &mut Reader<'_>) -> Result<SourceSnapshot, EncodingError> {
    let source = reader.string()?;
    let key: EventKey = reader.key()?;
    let claimed_at: Timestamp = reader.instant()?;
    Ok(SourceSnapshot {
        source,
        key,
        claimed_at,
        sequence: reader.number()?,
        tag: u64::from_le_bytes(reader.fixed()?),
        ledger_seq: reader.number()?,
        facts: reader.list(|reader| {
            Ok(InnerFact {
                key: reader.key()?,
                precision: read_precision(reader)?,
                claimed_at: reader.instant()?,
                body: body::read(reader)?,
            })
        })?,
        receipts: reader.list(|reader| {
            Ok(Receipt {
                key: reader.key()?,
                received_at: reader.instant_after(claimed_at)?,
                recorded_at: reader.instant_after(claimed_at)?,
            })
        })?,
    })
}
