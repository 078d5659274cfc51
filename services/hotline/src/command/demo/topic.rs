//! The demonstration through a broker: the gateway produces, two processes of casework consume.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_kafka::{ClusterConfig, Partition, admin, inspect};
use hotline_postgres::{positions, run_snapshot_tx};
use hotline_runtime::config::{Config, DataConfig, KafkaConfig};
use hotline_runtime::database::{Host, Target};
use tokio::process::{Child, Command};

use crate::progress;
use crate::store::Store;

/// Processes of casework.
const PROCESSES: usize = 2;
/// Partitions of a topic that is made.
const PARTITIONS: i32 = 6;
/// How long the broker may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// How often it is looked how far casework is.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long casework may stand still.
const STILL_MAX: Duration = Duration::from_mins(2);

/// Makes the topic where it is missing.
pub async fn prepare(cluster: &ClusterConfig, kafka: &KafkaConfig) -> anyhow::Result<()> {
    admin::create_topic(cluster, &kafka.topic, PARTITIONS, 1, ANSWER_WAIT)
        .await
        .with_context(|| format!("the broker {} cannot be used", kafka.brokers))?;
    Ok(())
}

/// Processes that end with this value.
#[derive(Debug)]
pub struct Casework(Vec<Child>);

impl Casework {
    /// Starts them on the same database and topic.
    pub fn start(config: &Config, kafka: &KafkaConfig, store: &Store) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found again")?;
        let variables = variables(config, kafka, store)?;
        let start = |_| {
            Command::new(&program)
                .arg("casework")
                .env_clear()
                .envs(variables.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("a process of casework cannot be started")
        };
        Ok(Self((0..PROCESSES).map(start).collect::<anyhow::Result<_>>()?))
    }

    /// Whether one ended, which none should.
    fn look(&mut self) -> anyhow::Result<()> {
        for child in &mut self.0 {
            if let Some(status) = child.try_wait()? {
                bail!("a process of casework ended with {status}");
            }
        }
        Ok(())
    }

    /// Waits until all that is in the topic is committed. Returns how many of its records were duplicates.
    pub async fn finish(
        &mut self,
        store: &Store,
        cluster: &ClusterConfig,
        kafka: &KafkaConfig,
    ) -> anyhow::Result<u64> {
        let topic = admin::topic(cluster, &kafka.topic, ANSWER_WAIT).await?.context("the topic is gone")?;
        let partitions =
            (0..i32::try_from(topic.partitions)?).map(|number| (Partition::new(&kafka.topic, number), None));
        let ends = inspect(cluster, &kafka.group, partitions.collect(), ANSWER_WAIT).await?;
        let end: i64 = ends.iter().map(|end| end.high).sum();
        let bar = progress::count(u64::try_from(end)?, "casework");
        let (mut last, mut moved_at) = (-1, tokio::time::Instant::now());
        loop {
            self.look()?;
            let (done, duplicate, dead) = read(store, &kafka.topic).await?;
            if dead > 0 {
                bail!(
                    "{dead} records of the topic {} are not of this demonstration: it holds those of another database, \
                     sealed with another key; take the --data of that one, or another [kafka] topic",
                    kafka.topic
                );
            }
            bar.set_position(u64::try_from(done)?);
            if done >= end {
                bar.finish_and_clear();
                return Ok(u64::try_from(duplicate)?);
            }
            if done > last {
                (last, moved_at) = (done, tokio::time::Instant::now());
            } else if moved_at.elapsed() > STILL_MAX {
                bail!("casework stands still at {done} of {end} records");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Records read of the topic, duplicates and dead letters among them.
async fn read(store: &Store, topic: &str) -> anyhow::Result<(i64, i64, i64)> {
    let positions =
        run_snapshot_tx(&store.pool, "demo::read", &mut (), |tx, ()| Box::pin(positions::list(tx))).await?;
    let of_topic = positions
        .iter()
        .filter(|position| position.claim.origin.rsplit_once('/').is_some_and(|(name, _)| name == topic));
    Ok(of_topic.fold((0, 0, 0), |sum, one| {
        (sum.0 + one.claim.next_offset, sum.1 + one.counts.duplicate, sum.2 + one.counts.dead)
    }))
}

/// The configuration of a process of casework.
fn variables(config: &Config, kafka: &KafkaConfig, store: &Store) -> anyhow::Result<Vec<(String, String)>> {
    let Target::Server { host, port, user, password, database } = &store.database().connection().target
    else {
        bail!("the demonstration runs a private database");
    };
    let host = match host {
        Host::Network(name) => name.clone(),
        Host::SocketDir(dir) => dir.display().to_string(),
    };
    let text = |value: &Option<std::path::PathBuf>| value.as_ref().map(|path| path.display().to_string());
    let master = config.section::<DataConfig>().master_key_path();
    let log = config.effective().iter().filter(|value| value.key.starts_with("log."));
    let log = log.map(|value| (value.key.replace('.', "__").to_uppercase(), value.value.to_string()));
    let texts = [
        ("POSTGRES__HOST", Some(host)),
        ("POSTGRES__USER", Some(user.clone())),
        ("POSTGRES__PASSWORD", password.as_ref().map(|secret| secret.expose().to_owned())),
        ("POSTGRES__DATABASE", Some(database.clone())),
        ("DATA__MASTER_KEY_FILE", Some(master.display().to_string())),
        ("OPS__LISTEN", Some("127.0.0.1:0".to_owned())),
        ("KAFKA__BROKERS", Some(kafka.brokers.clone())),
        ("KAFKA__TOPIC", Some(kafka.topic.clone())),
        ("KAFKA__GROUP", Some(kafka.group.clone())),
        ("KAFKA__CA_FILE", text(&kafka.ca_file)),
        ("KAFKA__CERT_FILE", text(&kafka.cert_file)),
        ("KAFKA__KEY_FILE", text(&kafka.key_file)),
        ("KAFKA__USER", kafka.user.clone()),
        ("KAFKA__PASSWORD", kafka.secret()?.map(|secret| secret.expose().to_owned())),
        ("KAFKA__MECHANISM", Some(kafka.mechanism.name().to_owned())),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), quoted(&value?))));
    let others = [("POSTGRES__PORT", port.to_string()), ("KAFKA__TLS", kafka.tls.to_string())];
    let others = others.into_iter().map(|(name, value)| (name.to_owned(), value));
    let named = texts.chain(others).chain(log).map(|(name, value)| (format!("HOTLINE__{name}"), value));
    Ok(named.chain([("HOTLINE_CONFIG".to_owned(), "/dev/null".to_owned())]).collect())
}

/// A text as TOML has it: without quotes `007` would be a number. JSON's strings are TOML's, too.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
