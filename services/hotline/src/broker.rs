//! The broker, as the configuration has it.

use hotline_casework::{Opener, Told};
use hotline_events::Tagger;
use hotline_kafka::{
    ClusterConfig, ConsumerConfig, Password, Producer, ProducerConfig, Scram, ScramMechanism, Tls,
    TlsIdentity,
};
use hotline_postgres::MasterKey;
use hotline_runtime::config::{KafkaConfig, Mechanism};

/// What is held of records that the brokers have not acknowledged.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// How to reach the cluster.
pub fn cluster(kafka: &KafkaConfig) -> anyhow::Result<ClusterConfig> {
    let files = kafka.ca_file.is_some() || kafka.cert_file.is_some();
    let identity = kafka.cert_file.clone().zip(kafka.key_file.clone());
    let tls = (kafka.tls || files).then(|| Tls {
        ca_file: kafka.ca_file.clone(),
        identity: identity.map(|(cert_file, key_file)| TlsIdentity { cert_file, key_file }),
    });
    let mechanism = match kafka.mechanism {
        Mechanism::Sha256 => ScramMechanism::Sha256,
        Mechanism::Sha512 => ScramMechanism::Sha512,
    };
    let scram = kafka.user.clone().zip(kafka.secret()?).map(|(user, password)| Scram {
        mechanism,
        user,
        password: Password(password.expose().to_owned()),
    });
    Ok(ClusterConfig { brokers: kafka.brokers.clone(), client_id: kafka.client_id.clone(), tls, scram })
}

/// What the gateway sends to.
pub fn sink(kafka: &KafkaConfig, master: &MasterKey) -> anyhow::Result<hotline_gateway::Topic> {
    let producing = ProducerConfig {
        delivery_timeout: kafka.delivery_wait,
        queue_bytes_max: QUEUE_BYTES_MAX,
        ..ProducerConfig::default()
    };
    Ok(hotline_gateway::Topic {
        producer: Producer::start(&cluster(kafka)?, &producing)?,
        name: kafka.topic.clone(),
        transit: master.transit_key(),
        content_type: hotline_casework::SEALED,
    })
}

/// Where the relay puts notices.
pub fn notices(kafka: &KafkaConfig, topic: &str) -> anyhow::Result<hotline_relay::Topic> {
    let producing = ProducerConfig { delivery_timeout: kafka.delivery_wait, ..ProducerConfig::default() };
    Ok(hotline_relay::Topic {
        producer: Producer::start(&cluster(kafka)?, &producing)?,
        name: topic.to_owned(),
    })
}

/// What casework reads.
pub fn source(
    kafka: &KafkaConfig,
    casework: &hotline_casework::CaseworkConfig,
    master: &MasterKey,
    halted: Told,
) -> anyhow::Result<hotline_casework::Source> {
    let consumer = ConsumerConfig {
        batch_records_max: casework.batch_records_max,
        batch_bytes_max: casework.batch_bytes_max,
        batch_wait: casework.topic_wait,
        session_timeout: kafka.session_wait,
        ..ConsumerConfig::new(&kafka.group, &[kafka.topic.as_str()])
    };
    Ok(hotline_casework::Source { cluster: cluster(kafka)?, consumer, opener: opener(master), halted })
}

/// What it takes to read what a gateway of this installation sealed.
pub fn opener(master: &MasterKey) -> Opener {
    Opener { tagger: Tagger::keyed(&master.tag_key()), transit: master.transit_key() }
}
