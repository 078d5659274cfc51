//! A batch as it is before its transaction begins: which cases it touches, where its records stand.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
use hotline_events::intake::{Batch, Origin, Outcome, Record, RecordContent};
use hotline_events::{Decoded, Event, Figure};
use jiff::Timestamp;

use crate::error::Error;
use crate::positions::{Claim, Counts, LastRecord};

/// Which event: the place of its record in the batch, its place in the record.
pub(crate) type Place = (usize, usize);

pub(crate) struct Plan<'b> {
    pub(crate) origin: String,
    pub(crate) records: &'b [Record],
    /// Per record; where the origin numbers nothing, the running number of its position.
    pub(crate) offsets: Vec<i64>,
    pub(crate) gaps: i64,
    /// Up to when our own dispatch decisions are taken: the latest receipt.
    pub(crate) as_of: Timestamp,
    /// In key order; the events of a case in order of arrival.
    pub(crate) cases: BTreeMap<&'b str, Vec<(Place, &'b Decoded)>>,
    pub(crate) figures: Vec<(Place, &'b Figure)>,
    /// They are dead letters already, of sources that may be stopped.
    pub(crate) is_redrive: bool,
}

impl<'b> Plan<'b> {
    pub(crate) fn of(claim: &Claim, batch: &'b Batch) -> Result<Self, Error> {
        let (offsets, gaps) = offsets(claim, &batch.records)?;
        let mut cases: BTreeMap<&str, Vec<(Place, &Decoded)>> = BTreeMap::new();
        let mut figures = Vec::new();
        for (record, event) in events(&batch.records) {
            match event {
                Event::Case(decoded) => {
                    cases.entry(decoded.subject.as_str()).or_default().push((record, decoded));
                }
                Event::Figure(figure) => figures.push((record, &**figure)),
            }
        }
        let as_of = batch.records.iter().map(|record| record.received_at).max();
        Ok(Self {
            origin: claim.origin.clone(),
            records: &batch.records,
            offsets,
            gaps,
            as_of: as_of.unwrap_or(Timestamp::UNIX_EPOCH),
            cases,
            figures,
            is_redrive: batch.origin == Origin::Redrive,
        })
    }

    pub(crate) fn case_ids(&self) -> Vec<&'b str> {
        self.cases.keys().copied().collect()
    }

    pub(crate) fn figure_keys(&self) -> Vec<EventKey> {
        self.figures.iter().map(|(_, figure)| figure.key).collect()
    }

    pub(crate) fn event(&self, (record, event): Place) -> &'b Event {
        match &self.records[record].content {
            RecordContent::Events(events) => &events[event],
            _ => unreachable!("only events have places"),
        }
    }

    pub(crate) fn last(&self) -> Option<LastRecord> {
        let (record, offset) = (self.records.last()?, *self.offsets.last()?);
        let checksum = LastRecord::checksum_of(&record.raw);
        Some(LastRecord { offset, received_at: record.received_at, checksum })
    }

    pub(crate) fn counts(&self, outcomes: &[Vec<Outcome>]) -> Counts {
        let records = i64::try_from(self.records.len()).expect("a batch is bounded");
        let mut counts = Counts { records, gaps: self.gaps, ..Counts::default() };
        for events in outcomes {
            let count = match Outcome::worst(events.iter().cloned()) {
                Outcome::Applied => &mut counts.applied,
                Outcome::Duplicate => &mut counts.duplicate,
                Outcome::Ignored => &mut counts.ignored,
                Outcome::Dead { .. } => &mut counts.dead,
            };
            *count += 1;
        }
        counts
    }
}

fn events(records: &[Record]) -> impl Iterator<Item = (Place, &Event)> {
    records.iter().enumerate().flat_map(|(record, content)| {
        let events = match &content.content {
            RecordContent::Events(events) => events.as_slice(),
            _ => &[],
        };
        events.iter().enumerate().map(move |(n, event)| ((record, n), event))
    })
}

/// The records' offsets and how many the log lacks between them.
fn offsets(claim: &Claim, records: &[Record]) -> Result<(Vec<i64>, i64), Error> {
    let mut next = claim.next_offset;
    let mut gaps = 0;
    let mut offsets = Vec::with_capacity(records.len());
    for record in records {
        let offset = record.offset.unwrap_or(next);
        if offset < next {
            let origin = claim.origin.clone();
            return Err(Error::OffsetGoesBack { origin, expected: next, found: offset });
        }
        gaps += offset - next;
        offsets.push(offset);
        next = offset + 1;
    }
    Ok((offsets, gaps))
}
