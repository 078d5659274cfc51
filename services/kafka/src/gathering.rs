//! A partition's next batch, while it is being filled. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::record::RawRecord;

/// How much a batch holds and how long its first record waits for company.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub records_max: usize,
    pub bytes_max: usize,
    pub wait: Duration,
}

/// Holds at most one batch and one record more: the one that no longer fitted.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    records: VecDeque<RawRecord>,
    bytes: usize,
    since: Option<Instant>,
}

impl Gathering {
    pub fn is_full(&self, limits: &Limits) -> bool {
        self.records.len() >= limits.records_max || self.bytes >= limits.bytes_max
    }

    pub fn push(&mut self, record: RawRecord, now: Instant) {
        self.bytes += record.bytes();
        self.records.push_back(record);
        self.since.get_or_insert(now);
    }

    /// When the batch goes out though it is not full; None: there is nothing.
    pub fn due_at(&self, limits: &Limits) -> Option<Instant> {
        self.since.map(|since| since + limits.wait)
    }

    /// The records of a batch: as many as fit, and the first in any case.
    pub fn take(&mut self, limits: &Limits) -> Vec<RawRecord> {
        let mut bytes = 0;
        let mut count = 0;
        for record in self.records.iter().take(limits.records_max) {
            bytes += record.bytes();
            if count > 0 && bytes > limits.bytes_max {
                break;
            }
            count += 1;
        }
        let batch: Vec<RawRecord> = self.records.drain(..count).collect();
        self.bytes -= batch.iter().map(RawRecord::bytes).sum::<usize>();
        if self.records.is_empty() {
            self.since = None;
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { records_max: 3, bytes_max: 100, wait: Duration::from_millis(50) };

    fn record(offset: i64, bytes: usize) -> RawRecord {
        let payload = Some(vec![0; bytes]);
        RawRecord { offset, timestamp_ms: None, append_time: false, key: None, payload, headers: Vec::new() }
    }

    fn offsets(records: &[RawRecord]) -> Vec<i64> {
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn a_batch_has_its_number_of_records_and_no_more() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        for offset in 0..3 {
            assert!(!gathering.is_full(&LIMITS));
            gathering.push(record(offset, 1), now);
        }
        assert!(gathering.is_full(&LIMITS));
        assert_eq!(offsets(&gathering.take(&LIMITS)), [0, 1, 2]);
        assert!(gathering.take(&LIMITS).is_empty());
    }

    #[test]
    fn the_record_that_no_longer_fits_opens_the_next_batch() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        gathering.push(record(7, 60), now);
        gathering.push(record(9, 60), now);
        assert!(gathering.is_full(&LIMITS));
        assert_eq!(offsets(&gathering.take(&LIMITS)), [7]);
        assert_eq!(gathering.due_at(&LIMITS), Some(now + LIMITS.wait), "it has waited already");
        assert_eq!(offsets(&gathering.take(&LIMITS)), [9]);
        assert_eq!(gathering.due_at(&LIMITS), None);
    }

    #[test]
    fn a_record_larger_than_a_batch_goes_alone() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        gathering.push(record(1, 1000), now);
        gathering.push(record(2, 1), now);
        assert_eq!(offsets(&gathering.take(&LIMITS)), [1]);
        assert!(!gathering.is_full(&LIMITS));
    }
}
