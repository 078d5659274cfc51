//! A look at a log before it is read on: is it the one that the position was made of?

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Logging;
use crate::error::Error;
use crate::record::{Partition, RawRecord};
use crate::settings::Settings;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub partition: Partition,
    /// The first offset that the log still has.
    pub low: i64,
    /// The offset that the next record gets.
    pub high: i64,
    /// The record at the wanted offset; None: not wanted, gone, or not written yet.
    pub record: Option<RawRecord>,
}

/// Looks at partitions, and at one record of each where an offset is given, with a client of its own: nothing that
/// is being read is disturbed, the group does not notice. `group` is the one that the records are read as, because
/// the permission to read may hang on it.
pub async fn inspect(
    settings: &Settings,
    group: &str,
    wanted: Vec<(Partition, Option<i64>)>,
    at_most: Duration,
) -> Result<Vec<Inspection>, Error> {
    let mut config = settings.client_config();
    config
        .set("group.id", group)
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        // One record is wanted, not what follows it.
        .set("queued.min.messages", "1")
        .set("max.partition.fetch.bytes", "16384")
        .set("fetch.wait.max.ms", "10");
    blocking(at_most, move |deadline| {
        let client: BaseConsumer<Logging> =
            config.create_with_context(Logging).map_err(|error| Error::from_kafka("inspecting", error))?;
        wanted.into_iter().map(|(partition, offset)| look(&client, partition, offset, deadline)).collect()
    })
    .await
}

/// The cluster's own name. Another name: another cluster, whatever the addresses say.
pub async fn cluster_id(settings: &Settings, at_most: Duration) -> Result<String, Error> {
    let config = settings.client_config();
    blocking(at_most, move |deadline| {
        let what = "asking for the cluster's id";
        let client: BaseConsumer<Logging> =
            config.create_with_context(Logging).map_err(|error| Error::from_kafka(what, error))?;
        client.client().fetch_cluster_id(left(deadline)).ok_or(Error::TimedOut { what })
    })
    .await
}

fn look(
    client: &BaseConsumer<Logging>,
    partition: Partition,
    offset: Option<i64>,
    deadline: Instant,
) -> Result<Inspection, Error> {
    let (low, high) = client
        .fetch_watermarks(&partition.topic, partition.number, left(deadline))
        .map_err(|error| Error::from_kafka("asking for a log's ends", error))?;
    let record = match offset {
        Some(offset) if (low..high).contains(&offset) => record_at(client, &partition, offset, deadline)?,
        _ => None,
    };
    Ok(Inspection { partition, low, high, record })
}

fn record_at(
    client: &BaseConsumer<Logging>,
    partition: &Partition,
    offset: i64,
    deadline: Instant,
) -> Result<Option<RawRecord>, Error> {
    const WHAT: &str = "reading one record";
    let refused = |error| Error::from_kafka(WHAT, error);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset)).map_err(refused)?;
    client.assign(&list).map_err(refused)?;
    while Instant::now() < deadline {
        match client.poll(left(deadline)) {
            // The first record from the offset on: another one if this was compacted away.
            Some(Ok(record)) => {
                let found = (record.offset() == offset).then(|| RawRecord::read(&record));
                client.unassign().map_err(refused)?;
                return Ok(found);
            }
            // Deleted meanwhile, or nothing but marks of transactions up to the end.
            Some(Err(
                KafkaError::PartitionEOF(_) | KafkaError::MessageConsumption(Code::AutoOffsetReset),
            )) => {
                client.unassign().map_err(refused)?;
                return Ok(None);
            }
            Some(Err(KafkaError::MessageConsumption(
                Code::BrokerTransportFailure | Code::AllBrokersDown,
            )))
            | None => {}
            Some(Err(error)) => return Err(refused(error)),
        }
    }
    Err(Error::TimedOut { what: WHAT })
}

fn left(deadline: Instant) -> Duration {
    // librdkafka takes zero for "do not wait at all", also for what would be there at once.
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Runs what blocks beside the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    at_most: Duration,
    work: impl FnOnce(Instant) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let deadline = Instant::now() + at_most;
    tokio::task::spawn_blocking(move || work(deadline)).await.map_err(|_| Error::Stopped)?
}
