//! What is read: records as they lie in a partition.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message as _, Timestamp};

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Arc<str>,
    pub number: i32,
}

impl Partition {
    pub fn new(topic: &str, number: i32) -> Self {
        Self { topic: topic.into(), number }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// A record, as the broker keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRecord {
    pub offset: i64,
    /// Milliseconds since 1970; None in logs of the oldest format.
    pub timestamp_ms: Option<i64>,
    /// Whether the broker stamped the record when it appended it; else the producer did, with its own clock.
    pub append_time: bool,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone.
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl RawRecord {
    /// Key, payload and headers.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value));
        length(&self.key) + length(&self.payload) + headers.sum::<usize>()
    }

    pub(crate) fn read(message: &BorrowedMessage<'_>) -> Self {
        let (timestamp_ms, append_time) = match message.timestamp() {
            Timestamp::NotAvailable => (None, false),
            Timestamp::CreateTime(at) => (Some(at), false),
            Timestamp::LogAppendTime(at) => (Some(at), true),
        };
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            (0..headers.count()).filter_map(|place| header(headers, place)).collect()
        });
        Self {
            offset: message.offset(),
            timestamp_ms,
            append_time,
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }
}

/// A header. One whose name is no UTF-8 is left out: nobody here asks for such a name, and rdkafka panics over it.
fn header(headers: &BorrowedHeaders, place: usize) -> Option<(String, Option<Vec<u8>>)> {
    let read =
        || headers.try_get(place).map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// Without contents, which may be personal.
impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRecord")
            .field("offset", &self.offset)
            .field("timestamp_ms", &self.timestamp_ms)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Contiguous records of one partition, at least one. Offsets rise; gaps are what compaction and transactions left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBatch {
    pub partition: Partition,
    pub records: Vec<RawRecord>,
}

impl RawBatch {
    /// Where the partition stands when the batch is finished.
    pub fn next_offset(&self) -> i64 {
        self.records.last().map_or(0, |last| last.offset + 1)
    }
}
