//! The adapter to Kafka: it knows bytes, partitions and offsets, not cases.
//!
//! [`Consumer`] hands out contiguous records of a partition, one batch at a time; where to begin reading is told by
//! the caller, who keeps the positions. [`Producer`] answers for a record when all replicas have it.
//!
//! Contract of the consumer, in the order of a partition's life:
//!
//! 1. [`Input::Assigned`] names partitions. Nothing is read until [`Consumer::begin`] says from which offset; what
//!    Kafka has committed for the group is never consulted.
//! 2. [`Input::Batch`] carries records in the order of their offsets. The partition's next batch comes after
//!    [`Consumer::finished`]; meanwhile it gathers, and when there is a batch of it, the broker is asked no more.
//! 3. [`Input::Revoked`]: the caller finishes or drops what it has in hand and says [`Consumer::release`]. The
//!    group waits for that, except where the partition was lost already.
//! 4. [`Input::Halted`]: the partition cannot be read on without leaving something out. It stays halted until
//!    [`Consumer::begin`] names it again.
//!
//! Deliberately not here: decoding, positions, retries of a batch, any decision to skip a record.

pub mod admin;
mod client;
mod consumer;
mod error;
mod gathering;
mod inspect;
mod producer;
mod reader;
mod record;
mod settings;

pub use consumer::{Consumer, ConsumerSettings, Input};
pub use error::{Error, Halt, Sort};
pub use inspect::{Inspection, cluster_id, inspect};
pub use producer::{Delivered, Delivery, Outgoing, Producer, ProducerSettings};
pub use rdkafka::types::RDKafkaErrorCode as KafkaCode;
pub use record::{Partition, RawBatch, RawRecord};
pub use settings::{Password, Scram, ScramMechanism, Settings, Tls, TlsIdentity};
