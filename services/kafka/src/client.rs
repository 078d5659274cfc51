//! What librdkafka calls back. Nothing here waits: it would stop the client.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Statistics, TopicPartitionList};

use crate::record::Partition;

/// Logs: constant messages, what librdkafka says in a field. It does not log what records contain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        use RDKafkaLogLevel as L;
        match level {
            L::Emerg | L::Alert | L::Critical | L::Error => {
                tracing::warn!(facility, line, "librdkafka reports an error");
            }
            // What it gets over by itself: commits are advisory here, and a producer's number is asked for again.
            L::Warning if matches!(facility, "COMMITFAIL" | "GETPID") => {
                tracing::debug!(facility, line, "librdkafka warns");
            }
            L::Warning => tracing::warn!(facility, line, "librdkafka warns"),
            L::Notice | L::Info => tracing::info!(facility, line, "librdkafka says"),
            L::Debug => tracing::debug!(facility, line, "librdkafka says"),
        }
    }

    /// Errors that call for something come back from the call, or from polling, too.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, reason, "librdkafka has an error");
    }
}

impl ConsumerContext for Logging {}

/// A change of the group's assignment, as the rebalance callback hands it over.
#[derive(Debug)]
pub(crate) enum Change {
    Assigned(Vec<Partition>),
    Revoked { partitions: Vec<Partition>, is_lost: bool },
}

/// How far a partition was finished, and where its log ends as far as librdkafka has heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub next_offset: i64,
    pub end_offset: Option<i64>,
    /// What librdkafka holds and has not handed out.
    pub fetched_bytes: u64,
}

/// Progress of the partitions that are read, for metrics.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<Partition, Progress>>);

impl Board {
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<Partition, Progress>> {
        // Nothing panics while it is held: the map is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The consumer's callbacks.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    changes: Mutex<VecDeque<Change>>,
    board: Arc<Board>,
    is_closing: AtomicBool,
}

impl Callbacks {
    pub fn new(board: Arc<Board>) -> Self {
        Self { board, ..Self::default() }
    }

    pub fn next_change(&self) -> Option<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// From now on what the group takes back is given at once.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Logging.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        let mut board = self.board.lock();
        for (partition, progress) in board.iter_mut() {
            let topic = statistics.topics.get(&*partition.topic);
            let Some(found) = topic.and_then(|topic| topic.partitions.get(&partition.number)) else {
                continue;
            };
            // Only what is committed can be read. Negative: not heard of yet.
            progress.end_offset = Some(found.ls_offset).filter(|offset| *offset >= 0);
            progress.fetched_bytes = found.fetchq_size;
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }
}

impl ConsumerContext for Callbacks {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.is_closing.load(Ordering::Acquire) {
            // A client that is being closed takes this as giving everything back, whatever was begun.
            if let Err(error) = consumer.incremental_unassign(list) {
                tracing::debug!(error = %error, "giving back partitions at the end failed");
            }
            return;
        }
        let partitions =
            list.elements().iter().map(|one| Partition::new(one.topic(), one.partition())).collect();
        let change = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assigned(partitions),
            _ => Change::Revoked { partitions, is_lost: consumer.assignment_lost() },
        };
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

/// Wakes the consumer's thread: by librdkafka when a queue is no longer empty, by the caller with a command.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    has_rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_one();
    }

    /// Returns when it rings, has rung since the last wait, or after `at_most`.
    pub fn wait(&self, at_most: Duration) {
        let guard = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, _) = self
            .ringing
            .wait_timeout_while(guard, at_most, |has_rung| !*has_rung)
            .unwrap_or_else(PoisonError::into_inner);
        *guard = false;
    }
}
