//! Topics: made if missing, looked at otherwise. Nothing is ever altered or deleted.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::client::Logging;
use crate::error::Error;
use crate::inspect::blocking;
use crate::settings::Settings;

/// What matters of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    pub partitions: usize,
    /// Whether the broker stamps the records: only then is a record's time its time of receipt.
    pub append_time: bool,
}

/// Makes a topic whose records the broker stamps; false: there is one already, whatever it is like.
pub async fn create_topic(
    settings: &Settings,
    name: &str,
    partitions: i32,
    replicas: i32,
    at_most: Duration,
) -> Result<bool, Error> {
    const WHAT: &str = "making a topic";
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas))
        .set("message.timestamp.type", "LogAppendTime");
    let results = client(settings)?
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

/// Looks at a topic; None: there is none of this name.
pub async fn topic(settings: &Settings, name: &str, at_most: Duration) -> Result<Option<Topic>, Error> {
    const WHAT: &str = "looking at a topic";
    let admin = client(settings)?;
    let topic = name.to_owned();
    let (admin, partitions) = blocking(at_most, move |_| {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(&topic), at_most)
            .map_err(|error| Error::from_kafka(WHAT, error))?;
        let found = metadata.topics().first();
        match found.and_then(rdkafka::metadata::MetadataTopic::error).map(Code::from) {
            Some(Code::UnknownTopicOrPartition) => Ok((admin, None)),
            Some(code) => Err(Error::from_code(WHAT, code)),
            None => Ok((admin, found.map(|found| found.partitions().len()))),
        }
    })
    .await?;
    let Some(partitions) = partitions else { return Ok(None) };
    let described = admin
        .describe_configs([&ResourceSpecifier::Topic(name)], &options(at_most))
        .await
        .map_err(|error| Error::from_kafka(WHAT, error))?;
    let resource = match described.into_iter().next() {
        Some(Ok(resource)) => resource,
        Some(Err(code)) => return Err(Error::from_code(WHAT, code)),
        None => return Ok(None),
    };
    let stamped_by = resource.get("message.timestamp.type").and_then(|entry| entry.value.as_deref());
    Ok(Some(Topic { partitions, append_time: stamped_by == Some("LogAppendTime") }))
}

fn client(settings: &Settings) -> Result<AdminClient<Logging>, Error> {
    settings
        .client_config()
        .create_with_context(Logging)
        .map_err(|error| Error::from_kafka("starting an admin client", error))
}

fn options(at_most: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(at_most)).operation_timeout(Some(at_most))
}
