//! How far the topic was read, beside what the broker has.

use std::time::Duration;

use hotline_casework::Halted;
use hotline_kafka::{ClusterConfig, Partition, admin, cluster_id, inspect};
use hotline_postgres::MasterKey;
use hotline_postgres::positions::Position;
use hotline_runtime::config::KafkaConfig;

use super::{Findings, Grade};
use crate::broker;

const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Every partition of the topic against its position.
pub(super) async fn look(
    kafka: &KafkaConfig,
    master: &MasterKey,
    positions: &[Position],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let cluster = broker::cluster(kafka)?;
    let name = &kafka.topic;
    let topic = match admin::topic(&cluster, name, ANSWER_WAIT).await {
        Ok(Some(topic)) => topic,
        Ok(None) => {
            findings.add(
                Grade::Wrong,
                "topic",
                format!("Kafka 中没有主题 {name}，网关收不进事件；建立：hotline migrate"),
                format!(
                    "the broker has no topic {name}, and no event is taken in; to make it: hotline migrate"
                ),
            );
            return Ok(());
        }
        Err(error) => {
            findings.add(
                Grade::Wrong,
                "broker",
                format!("Kafka 没有应答（{error}）：事件收不进也读不出；请看它是否在运行，[kafka] brokers 是否正确：hotline config check"),
                format!(
                    "the broker does not answer ({error}): no event is taken in or read; see whether it runs and [kafka] brokers names it: \
                     hotline config check"
                ),
            );
            return Ok(());
        }
    };
    let partitions = topic.partitions;
    findings.test(
        topic.append_time,
        Grade::Wrong,
        "topic",
        (
            format!("主题 {name} 有 {partitions} 个分区，时间戳由 Kafka 记"),
            format!("the topic {name} has {partitions} partitions, and the broker stamps its records"),
        ),
        (
            format!(
                "主题 {name} 的时间戳由发送方记，收到时间只好用读到的时间，可能偏晚；改正：kafka-configs.sh --alter --entity-type topics --entity-name \
                 {name} --add-config message.timestamp.type=LogAppendTime"
            ),
            format!(
                "the topic {name} keeps the producers' clocks, so that the time of receipt is when casework reads, which may be late; to mend \
                 it: kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config message.timestamp.type=LogAppendTime"
            ),
        ),
    );
    against_positions(kafka, (&cluster, partitions), master, positions, findings).await
}

/// Whether casework would read every partition on.
async fn against_positions(
    kafka: &KafkaConfig,
    (cluster, partitions): (&ClusterConfig, usize),
    master: &MasterKey,
    positions: &[Position],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let id = cluster_id(cluster, ANSWER_WAIT).await?;
    let position_of = |partition: &Partition| {
        positions.iter().find(|position| position.claim.origin == partition.to_string())
    };
    let wanted = (0..partitions)
        .filter_map(|number| i32::try_from(number).ok())
        .map(|number| {
            let partition = Partition::new(&kafka.topic, number);
            let last = position_of(&partition).and_then(|position| position.last);
            (partition, last.map(|last| last.offset))
        })
        .collect();
    let seen = inspect(cluster, &kafka.group, wanted, ANSWER_WAIT).await?;
    let opener = broker::opener(master);
    beyond(&kafka.topic, partitions, positions, findings);
    let mut lag = 0;
    for log in seen {
        let position = position_of(&log.partition);
        let next = position.map_or(log.low, |position| position.claim.next_offset);
        lag += (log.high - next).max(0);
        let (origin, low, high) = (&log.partition, log.low, log.high);
        let Some(position) = position else {
            if low > 0 {
                findings.add(
                    Grade::Wrong,
                    "partition",
                    format!(
                        "{origin} 从未读过，而其中最早的记录是 {low}：更早的已不在 Kafka 中，请发送方重发；先启动 hotline casework，它会停在这里，再从现有的读起：{}",
                        resume(origin, "事由")
                    ),
                    format!(
                        "{origin} was never read, and its first record is {low}: what was before is no longer in the broker, have it sent \
                         again; start hotline casework, which halts there, and then to read what there is: {}",
                        resume(origin, "TEXT")
                    ),
                );
            }
            continue;
        };
        let of_another = position.cluster_id.as_ref().is_some_and(|known| *known != id);
        let judged = if of_another {
            Err(Halted::OtherCluster)
        } else {
            hotline_casework::judge(&log, next, position.last, &opener)
        };
        if let Err(halted) = judged {
            let (code, (zh, en)) = (halted.code(), why(halted));
            findings.add(
                Grade::Wrong,
                "partition",
                format!(
                    "{origin} 停读（{code}）：{zh}；读到 {next}，而现有 {low} 至 {high}，其事件要等您说从哪里读起；先看会怎样：{} --dry-run",
                    resume(origin, "事由")
                ),
                format!(
                    "{origin} is halted ({code}): {en}; it was read to {next}, the broker has {low} to {high}, and its events wait until you \
                     say where to read on; what would happen says: {} --dry-run",
                    resume(origin, "TEXT")
                ),
            );
        }
    }
    findings.add(
        Grade::Sound,
        "lag",
        format!("Kafka 中待读 {lag} 条"),
        format!("{lag} records of the broker are still to be read"),
    );
    Ok(())
}

/// Positions of partitions that the topic no longer has.
fn beyond(topic: &str, partitions: usize, positions: &[Position], findings: &mut Findings) {
    let of_topic = format!("{topic}/");
    for position in positions {
        let (origin, next) = (&position.claim.origin, position.claim.next_offset);
        let number = origin.strip_prefix(&of_topic).and_then(|number| number.parse::<usize>().ok());
        let Some(number) = number.filter(|number| *number >= partitions) else { continue };
        let wanted = number.saturating_add(1);
        findings.add(
            Grade::Wrong,
            "partition",
            format!(
                "{origin} 曾读到 {next}，而主题现在只有 {partitions} 个分区，多半是重建过，未读的可能已丢失；恢复分区数：kafka-topics.sh --alter --topic \
                 {topic} --partitions {wanted}，再运行 hotline doctor"
            ),
            format!(
                "{origin} was read to {next}, and the topic now has {partitions} partitions only: it was made anew, it seems, and what had \
                 not been read may be lost; to have as many again: kafka-topics.sh --alter --topic {topic} --partitions {wanted}, then \
                 hotline doctor once more"
            ),
        );
    }
}

/// Reads a partition from the first record that there is.
fn resume(origin: &Partition, text: &str) -> String {
    format!("hotline partitions resume {origin} --at begin --why {text}")
}

/// Why a partition is not read on, in Chinese and English.
fn why(halted: Halted) -> (&'static str, &'static str) {
    match halted {
        Halted::OtherCluster => ("上次读的是另一个 Kafka 集群", "it was read from another cluster before"),
        Halted::PastTheEnd => (
            "记录比读过的还少：主题重建过，或者 Kafka 从旧的备份恢复过",
            "the broker has less than was read: the topic was made anew, or the broker was put back from an older backup",
        ),
        Halted::Retention => (
            "没有读到的记录已被 Kafka 按保留期删除",
            "records that had not been read were deleted by the broker's retention",
        ),
        Halted::Replaced => {
            ("上次读到的位置上已是另一条记录", "another record stands where the last one was read")
        }
    }
}
