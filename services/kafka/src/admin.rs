//! Topics: made if missing, looked at otherwise. Nothing is ever altered or deleted.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::client::Logging;
use crate::config::ClusterConfig;
use crate::error::Error;
use crate::inspect::blocking;

/// What matters of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    pub partitions: usize,
    /// Whether the broker stamps the records: only then is a record's time its time of receipt.
    pub append_time: bool,
}

/// Makes a topic whose records the broker stamps; false: there is one already, whatever it is like.
pub async fn create_topic(
    cluster: &ClusterConfig,
    name: &str,
    partitions: i32,
    replicas: i32,
    at_most: Duration,
) -> Result<bool, Error> {
    const WHAT: &str = "making a topic";
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas))
        .set("message.timestamp.type", "LogAppendTime");
    let results = client(cluster)?
        .create_topics([&topic], &options(at_most))
        .await
        .map_err(|error| Error::from_kafka(WHAT, error))?;
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, Code::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(Error::from_code(WHAT, code)),
        None => Err(Error::Refused { what: WHAT, reason: "no answer for the topic".to_owned() }),
    }
}

/// How many partitions a topic has; None: there is none of this name. Whoever may write to it or read it may ask.
pub async fn partitions(
    cluster: &ClusterConfig,
    name: &str,
    at_most: Duration,
) -> Result<Option<usize>, Error> {
    Ok(count(client(cluster)?, name, at_most).await?.1)
}

/// Looks at a topic and its settings; None: there is none of this name.
pub async fn topic(cluster: &ClusterConfig, name: &str, at_most: Duration) -> Result<Option<Topic>, Error> {
    let (admin, partitions) = count(client(cluster)?, name, at_most).await?;
    let Some(partitions) = partitions else { return Ok(None) };
    let described = admin
        .describe_configs([&ResourceSpecifier::Topic(name)], &options(at_most))
        .await
        .map_err(|error| Error::from_kafka(LOOKING, error))?;
    let resource = match described.into_iter().next() {
        Some(Ok(resource)) => resource,
        Some(Err(code)) => return Err(Error::from_code(LOOKING, code)),
        None => return Ok(None),
    };
    let stamped_by = resource.get("message.timestamp.type").and_then(|entry| entry.value.as_deref());
    Ok(Some(Topic { partitions, append_time: stamped_by == Some("LogAppendTime") }))
}

const LOOKING: &str = "looking at a topic";

/// The partitions of a topic, if there is one; the client comes back.
async fn count(
    admin: AdminClient<Logging>,
    name: &str,
    at_most: Duration,
) -> Result<(AdminClient<Logging>, Option<usize>), Error> {
    let topic = name.to_owned();
    blocking(at_most, move |_| {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(&topic), at_most)
            .map_err(|error| Error::from_kafka(LOOKING, error))?;
        let found = metadata.topics().first();
        match found.and_then(rdkafka::metadata::MetadataTopic::error).map(Code::from) {
            Some(Code::UnknownTopicOrPartition) => Ok((admin, None)),
            Some(code) => Err(Error::from_code(LOOKING, code)),
            None => Ok((admin, found.map(|found| found.partitions().len()))),
        }
    })
    .await
}

fn client(cluster: &ClusterConfig) -> Result<AdminClient<Logging>, Error> {
    cluster
        .client_config()
        .create_with_context(Logging)
        .map_err(|error| Error::from_kafka("starting an admin client", error))
}

fn options(at_most: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(at_most)).operation_timeout(Some(at_most))
}
