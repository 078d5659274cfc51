//! A producer that answers for each record: delivered means that all in-sync replicas have it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::client::Logging;
use crate::config::ClusterConfig;
use crate::error::Error;
use crate::inspect::blocking;

/// The unit of what is held: a permit of the semaphore.
const HELD_UNIT_BYTES: usize = 1024;

/// How long records wait, and how many may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerConfig {
    /// From sending to the answer, retries included. Shorter than those wait for whom the record is sent.
    pub delivery_timeout: Duration,
    /// What is sent and not answered; who sends more waits.
    pub queue_bytes_max: usize,
    /// How long one waits for room in the queue.
    pub queue_wait: Duration,
    /// How long a record waits for others to share a request: it is added to every acknowledgement.
    pub linger: Duration,
    /// The largest record; not above `max.message.bytes` of the topic.
    pub record_bytes_max: usize,
    /// LZ4: a third of the bytes for little work.
    pub compress: bool,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            delivery_timeout: Duration::from_secs(20),
            queue_bytes_max: 32 << 20,
            queue_wait: Duration::from_secs(5),
            linger: Duration::from_millis(2),
            record_bytes_max: 1_000_000,
            compress: true,
        }
    }
}

/// A record to send. Records of one key reach one partition, the one that Java's producer would choose.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Where a record lies now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub partition: i32,
    pub offset: i64,
}

/// Sends records. A clone shares the queue.
#[derive(Clone)]
pub struct Producer {
    client: FutureProducer<Logging>,
    room: Arc<Semaphore>,
    config: ProducerConfig,
}

/// A record under way. Dropping it does not take the record back.
pub struct Delivery {
    answer: DeliveryFuture,
    bytes: usize,
    /// Its room in the queue.
    _room: OwnedSemaphorePermit,
}

impl Producer {
    /// Connects in the background.
    pub fn start(cluster: &ClusterConfig, producer: &ProducerConfig) -> Result<Self, Error> {
        let milliseconds = |duration: Duration| duration.as_millis().max(1).to_string();
        let mut config = cluster.client_config();
        config
            .set("partitioner", "murmur2_random")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("delivery.timeout.ms", milliseconds(producer.delivery_timeout))
            .set("linger.ms", producer.linger.as_millis().to_string())
            .set("compression.codec", if producer.compress { "lz4" } else { "none" })
            .set("message.max.bytes", producer.record_bytes_max.to_string())
            // The semaphore is the bound; this one is met only by senders that gave up waiting for answers.
            .set("queue.buffering.max.kbytes", (producer.queue_bytes_max / 512).max(1).to_string());
        let client = config
            .create_with_context(Logging)
            .map_err(|error| Error::from_kafka("starting a producer", error))?;
        let units = (producer.queue_bytes_max / HELD_UNIT_BYTES).max(1);
        Ok(Self { client, room: Arc::new(Semaphore::new(units)), config: *producer })
    }

    /// Sends a record and waits until it is delivered, or for good not. A time-out leaves open whether it is.
    pub async fn send(&self, record: Outgoing<'_>) -> Result<Delivered, Error> {
        self.enqueue(record).await?.wait().await
    }

    /// Sends records, which share requests, and waits for all; the answers are in their order.
    pub async fn send_all(&self, records: &[Outgoing<'_>]) -> Vec<Result<Delivered, Error>> {
        let mut answers: Vec<Option<Result<Delivered, Error>>> = records.iter().map(|_| None).collect();
        let mut under_way: VecDeque<(usize, Delivery)> = VecDeque::new();
        for (place, record) in records.iter().enumerate() {
            // Its own records are answered while it waits for room: else several callers that hold all of it
            // together would wait for each other.
            let delivery = loop {
                let tried = self.try_enqueue(*record);
                if !matches!(tried, Err(Error::QueueFull)) {
                    break tried;
                }
                let Some((oldest, delivery)) = under_way.pop_front() else {
                    break self.enqueue(*record).await;
                };
                let answer = delivery.wait().await;
                let is_over = matches!(answer, Err(Error::TimedOut { .. }));
                answers[oldest] = Some(answer);
                if is_over {
                    break Err(Error::QueueFull);
                }
            };
            match delivery {
                Ok(delivery) => under_way.push_back((place, delivery)),
                // Nobody makes room: the rest would wait as long, one after another.
                Err(Error::QueueFull) => break,
                Err(error) => answers[place] = Some(Err(error)),
            }
        }
        for (place, delivery) in under_way {
            answers[place] = Some(delivery.wait().await);
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(Error::QueueFull))).collect()
    }

    /// Puts a record into the queue, in the order of the calls; waits for room, but not for ever.
    pub async fn enqueue(&self, record: Outgoing<'_>) -> Result<Delivery, Error> {
        let room = Arc::clone(&self.room).acquire_many_owned(self.room_of(record)?);
        let room = timeout(self.config.queue_wait, room)
            .await
            .map_err(|_| Error::QueueFull)?
            .map_err(|_| Error::Stopped)?;
        self.put(record, room)
    }

    /// As [`Producer::enqueue`], without waiting.
    fn try_enqueue(&self, record: Outgoing<'_>) -> Result<Delivery, Error> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(self.room_of(record)?);
        self.put(record, room.map_err(|_| Error::QueueFull)?)
    }

    /// The permits that a record takes.
    fn room_of(&self, record: Outgoing<'_>) -> Result<u32, Error> {
        let bytes = record.bytes();
        if bytes > self.config.record_bytes_max {
            return Err(Error::RecordTooLarge { bytes });
        }
        let all = (self.config.queue_bytes_max / HELD_UNIT_BYTES).max(1);
        let units = bytes.div_ceil(HELD_UNIT_BYTES).clamp(1, all);
        Ok(u32::try_from(units).unwrap_or(u32::MAX))
    }

    fn put(&self, record: Outgoing<'_>, room: OwnedSemaphorePermit) -> Result<Delivery, Error> {
        let bytes = record.bytes();
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        let outgoing =
            FutureRecord::to(record.topic).key(record.key).payload(record.payload).headers(headers);
        match self.client.send_result(outgoing) {
            Ok(answer) => Ok(Delivery { answer, bytes, _room: room }),
            Err((error, _)) => Err(failed(error, bytes)),
        }
    }

    /// Waits until nothing is under way.
    pub async fn flush(&self, at_most: Duration) -> Result<(), Error> {
        let client = self.client.clone();
        blocking(at_most, move |_| {
            client.flush(at_most).map_err(|error| Error::from_kafka("sending what is left", error))
        })
        .await
    }
}

impl Delivery {
    /// Until all in-sync replicas have the record, or the time is up.
    pub async fn wait(self) -> Result<Delivered, Error> {
        match self.answer.await {
            Ok(Ok(delivery)) => Ok(Delivered { partition: delivery.partition, offset: delivery.offset }),
            Ok(Err((error, _))) => Err(failed(error, self.bytes)),
            Err(_) => Err(Error::Stopped),
        }
    }
}

impl Outgoing<'_> {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(key, value)| key.len() + value.len());
        self.key.len() + self.payload.len() + headers.sum::<usize>()
    }
}

fn failed(error: KafkaError, bytes: usize) -> Error {
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge) => Error::RecordTooLarge { bytes },
        _ => Error::from_kafka("sending a record", error),
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
