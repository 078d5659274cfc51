//! `hotline migrate`: the schema of the database, the role that boards read with, and the topic where there is a broker.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_kafka::admin;
use hotline_postgres::readers::{self, Name, Verifier};
use hotline_postgres::{run_tx, schema};
use hotline_relay::RelayConfig;
use hotline_runtime::Secret;
use hotline_runtime::config::{Config, KafkaConfig, PostgresConfig};

use crate::broker;
use crate::global::Global;
use crate::store::Store;

/// How long the brokers may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Brings the database's schema up to this program. With [kafka] it also makes the topics of events and of notices
/// where they are missing; one that is there is left as it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline migrate --config /etc/hotline/hotline.toml --partitions 12 --replicas 3 --reader grafana_ro"
)]
pub struct Args {
    /// Partitions of a topic that is made: at most so many processes share casework.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1000))]
    partitions: i32,
    /// Copies of each partition: 3 where there are three brokers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=9))]
    replicas: i32,
    /// A role of the database that Grafana reads with; it is made or brought up to date. It sees the views of the schema
    /// `board` and nothing else.
    #[arg(long, value_name = "ROLE")]
    reader: Option<String>,
    /// The password of that role; by default [postgres] `reader_password_file`. Without one its
    /// password stays as it is.
    #[arg(long, value_name = "FILE", requires = "reader")]
    reader_password_file: Option<PathBuf>,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let reader = args.reader.as_deref().map(|name| reader(&config, name, args)).transpose()?;
    let store = Store::open_unchecked(&config).await?;
    let migrated = migrate(&store, reader).await;
    store.close().await?;
    migrated?;
    if let Some(kafka) = config.optional::<KafkaConfig>() {
        make_topic(&kafka, &kafka.topic, args).await?;
        let notices = config.section::<RelayConfig>().topic;
        if !notices.is_empty() {
            make_topic(&kafka, &notices, args).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The role asked for, and its password where one is given.
fn reader(config: &Config, name: &str, args: &Args) -> anyhow::Result<(Name, Option<Verifier>)> {
    let configured = || config.optional::<PostgresConfig>()?.reader_password_file;
    let verifier = match args.reader_password_file.clone().or_else(configured) {
        Some(file) => Some(Verifier::of(Secret::read(&file)?.expose())?),
        None => None,
    };
    Ok((Name::parse(name)?, verifier))
}

async fn migrate(store: &Store, reader: Option<(Name, Option<Verifier>)>) -> anyhow::Result<()> {
    schema::migrate(&store.pool).await?;
    println!("the schema is that of this program");
    if let Some(mut reader) = reader {
        run_tx(&store.pool, "readers::make", &mut reader, |tx, (name, verifier)| {
            Box::pin(readers::make(tx, name, verifier.as_ref()))
        })
        .await?;
        println!("the reader sees the views of the schema board and nothing else");
    }
    Ok(())
}

async fn make_topic(kafka: &KafkaConfig, name: &str, args: &Args) -> anyhow::Result<()> {
    let cluster = broker::cluster(kafka)?;
    let made = admin::create_topic(&cluster, name, args.partitions, args.replicas, ANSWER_WAIT)
        .await
        .with_context(|| format!("the topic {name} cannot be made"))?;
    let topic = admin::topic(&cluster, name, ANSWER_WAIT).await?;
    let topic = topic.with_context(|| format!("the topic {name} was made and is not there"))?;
    if !topic.append_time && name == kafka.topic {
        bail!(
            "the topic {name} keeps the producers' clocks: set message.timestamp.type=LogAppendTime, \
             else receipts are when casework reads"
        );
    }
    let count = topic.partitions;
    println!("the topic {name} {} with {count} partitions", if made { "was made" } else { "is there" });
    if !made && usize::try_from(args.partitions).is_ok_and(|asked| asked != count) {
        eprintln!(
            "a topic that is there is left as it is: with more partitions records of one case would come to lie in \
             two, which is right but slower; kafka-topics --alter makes them"
        );
    }
    Ok(())
}
