//! What can go wrong between a role and its cluster, and what to do about it.
//!
//! No error carries a byte of a record.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use thiserror::Error;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A broker, or the way to one, answered with an error.
    #[error("{what}: {source}")]
    Broker { what: &'static str, source: Code },
    #[error("{what}: no answer in time")]
    TimedOut { what: &'static str },
    /// The producer holds as much as it may, and did not get rid of it in time.
    #[error("the producer's queue is full")]
    QueueFull,
    /// Larger than the producer or the topic takes.
    #[error("a record of {bytes} bytes is too large")]
    RecordTooLarge { bytes: usize },
    #[error("there is no topic {topic}")]
    NoTopic { topic: String },
    /// The client cannot be used any more; a new one can.
    #[error("the client has failed for good: {source}")]
    Fatal { source: Code },
    /// The client was stopped, or its thread has ended.
    #[error("the client has stopped")]
    Stopped,
    /// A setting that librdkafka does not take.
    #[error("{key} cannot be set: {reason}")]
    Setting { key: String, reason: String },
    /// A call that librdkafka refuses: a misuse of ours.
    #[error("{what}: {reason}")]
    Refused { what: &'static str, reason: String },
}

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The cluster, the way to it, or a permission there. Back off, try again.
    Environment,
    /// This client is at its end. Make a new one.
    Client,
    /// A person must change the configuration, the record or the program: the same call fails again.
    Halt,
}

/// Why a partition cannot be read on without leaving records out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Halt {
    /// The offset to begin at is not in the log, or no longer: deleted, truncated, another log.
    #[error("the offset is not in the log")]
    OffsetOutOfRange,
    /// What is stored there cannot be read: damaged, or of a compression unknown here.
    #[error("the log cannot be read: {0}")]
    Unreadable(#[source] Code),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broker { .. } => "broker",
            Self::TimedOut { .. } => "timed_out",
            Self::QueueFull => "queue_full",
            Self::RecordTooLarge { .. } => "record_too_large",
            Self::NoTopic { .. } => "no_topic",
            Self::Fatal { .. } => "fatal",
            Self::Stopped => "stopped",
            Self::Setting { .. } => "setting",
            Self::Refused { .. } => "refused",
        }
    }

    /// What to do about it: the one place that decides.
    pub fn sort(&self) -> Sort {
        match self {
            Self::Broker { source, .. } if is_lasting(*source) => Sort::Halt,
            Self::Broker { .. } | Self::TimedOut { .. } | Self::QueueFull | Self::NoTopic { .. } => {
                Sort::Environment
            }
            Self::Fatal { .. } | Self::Stopped => Sort::Client,
            Self::RecordTooLarge { .. } | Self::Setting { .. } | Self::Refused { .. } => Sort::Halt,
        }
    }

    /// What librdkafka said, during `what`.
    pub(crate) fn from_kafka(what: &'static str, error: KafkaError) -> Self {
        use KafkaError as K;
        match error {
            K::ClientConfig(_, reason, key, _) => Self::Setting { key, reason },
            K::MessageConsumptionFatal(source) => Self::Fatal { source },
            K::Canceled => Self::Stopped,
            error => match error.rdkafka_error_code() {
                Some(source) => Self::from_code(what, source),
                None => Self::Refused { what, reason: error.to_string() },
            },
        }
    }

    pub(crate) fn from_code(what: &'static str, source: Code) -> Self {
        match source {
            Code::Fatal | Code::Fenced => Self::Fatal { source },
            Code::QueueFull => Self::QueueFull,
            Code::OperationTimedOut | Code::MessageTimedOut | Code::RequestTimedOut => {
                Self::TimedOut { what }
            }
            source => Self::Broker { what, source },
        }
    }
}

impl Halt {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OffsetOutOfRange => "offset_out_of_range",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Answers that no waiting changes.
fn is_lasting(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidConfig
            | Code::InvalidRequest
            | Code::InvalidRecord
            | Code::InvalidArgument
            | Code::InconsistentGroupProtocol
            | Code::MessageSizeTooLarge
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedForMessageFormat
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_is_waited_for_and_a_wrong_request_is_not_repeated() {
        use Sort::{Client, Environment, Halt};
        for (code, sort) in [
            // The cluster is away, ill, busy with itself, or does not let us yet.
            (Code::AllBrokersDown, Environment),
            (Code::BrokerTransportFailure, Environment),
            (Code::BrokerNotAvailable, Environment),
            (Code::Resolve, Environment),
            (Code::SSL, Environment),
            (Code::Authentication, Environment),
            (Code::LeaderNotAvailable, Environment),
            (Code::NotLeaderForPartition, Environment),
            (Code::NotEnoughReplicas, Environment),
            (Code::NotEnoughReplicasAfterAppend, Environment),
            (Code::CoordinatorLoadInProgress, Environment),
            (Code::CoordinatorNotAvailable, Environment),
            (Code::NotCoordinator, Environment),
            (Code::RebalanceInProgress, Environment),
            (Code::UnknownMemberId, Environment),
            (Code::IllegalGeneration, Environment),
            (Code::UnknownTopicOrPartition, Environment),
            (Code::UnknownTopic, Environment),
            (Code::KafkaStorageError, Environment),
            (Code::ThrottlingQuotaExceeded, Environment),
            (Code::TopicAuthorizationFailed, Environment),
            (Code::GroupAuthorizationFailed, Environment),
            (Code::ClusterAuthorizationFailed, Environment),
            (Code::SaslAuthenticationFailed, Environment),
            (Code::MessageTimedOut, Environment),
            (Code::OperationTimedOut, Environment),
            (Code::RequestTimedOut, Environment),
            (Code::QueueFull, Environment),
            (Code::Unknown, Environment),
            // The same call would fail again.
            (Code::InvalidTopic, Halt),
            (Code::InvalidPartitions, Halt),
            (Code::InvalidReplicationFactor, Halt),
            (Code::InvalidConfig, Halt),
            (Code::InvalidRequest, Halt),
            (Code::InvalidRecord, Halt),
            (Code::InvalidArgument, Halt),
            (Code::InconsistentGroupProtocol, Halt),
            (Code::MessageSizeTooLarge, Halt),
            (Code::PolicyViolation, Halt),
            (Code::UnsupportedVersion, Halt),
            (Code::UnsupportedForMessageFormat, Halt),
            // The client is at its end; another is not.
            (Code::Fatal, Client),
            (Code::Fenced, Client),
        ] {
            assert_eq!(Error::from_code("test", code).sort(), sort, "{code:?}");
        }
        assert_eq!(Error::from_kafka("test", KafkaError::Canceled).sort(), Client);
    }
}
