//! Consumer, producer and topics on a real Apache Kafka: `HOTLINE_TEST_KAFKA` names its brokers. Without it these
//! tests say so and do nothing.
//!
//! Each test has a topic and a group of its own, so that they may share a broker that has been used before.

use std::collections::{BTreeMap, BTreeSet};
use std::process::id;
use std::time::{Duration, Instant};

use hotline_kafka::admin::{Topic, create_topic, topic};
use hotline_kafka::{
    Consumer, ConsumerSettings, Halt, Input, Outgoing, Partition, Producer, ProducerSettings, RawBatch,
    RawRecord, Settings, cluster_id, inspect,
};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_mins(1);

/// A topic on the broker under test; None: there is none.
struct Bench {
    settings: Settings,
    topic: String,
    producer: Producer,
}

impl Bench {
    async fn new(name: &str, partitions: i32) -> Option<Self> {
        let Some(brokers) = std::env::vars().find(|(key, _)| key == "HOTLINE_TEST_KAFKA") else {
            eprintln!("left out: no broker in HOTLINE_TEST_KAFKA");
            return None;
        };
        let settings = Settings::plaintext(&brokers.1);
        // Of a process id that comes again the topic may be there: it would hold records.
        let mut n = 0;
        let topic = loop {
            let topic = format!("test.{name}.{}.{n}", id());
            if create_topic(&settings, &topic, partitions, 1, DEADLINE).await.unwrap() {
                break topic;
            }
            n += 1;
        };
        let producer = Producer::start(&settings, &ProducerSettings::default()).unwrap();
        Some(Self { settings, topic, producer })
    }

    /// Sends numbered records, each with its own key.
    async fn send(&self, count: usize, bytes: usize) {
        let texts: Vec<(String, String)> =
            (0..count).map(|n| (format!("12345:{n}"), format!("{n:0>bytes$}"))).collect();
        for part in texts.chunks(10_000) {
            let records: Vec<Outgoing<'_>> = part
                .iter()
                .map(|(key, payload)| Outgoing {
                    topic: &self.topic,
                    key: key.as_bytes(),
                    payload: payload.as_bytes(),
                    headers: &[],
                })
                .collect();
            for sent in self.producer.send_all(&records).await {
                sent.unwrap();
            }
        }
    }

    fn consumer(&self) -> Consumer {
        Consumer::start(&self.settings, &ConsumerSettings::new(&self.topic, &[&self.topic])).unwrap()
    }
}

/// The next input that is not trouble.
async fn next(consumer: &mut Consumer) -> Input {
    let arrives = async {
        loop {
            match consumer.next().await.expect("the client lives") {
                Input::Trouble(error) => eprintln!("trouble: {error}"),
                input => return input,
            }
        }
    };
    timeout(DEADLINE, arrives).await.expect("an input in time")
}

/// Takes inputs until `count` records were read from the starts of the partitions.
async fn read(consumer: &mut Consumer, count: usize) -> BTreeMap<Partition, Vec<RawRecord>> {
    let mut read: BTreeMap<Partition, Vec<RawRecord>> = BTreeMap::new();
    while read.values().map(Vec::len).sum::<usize>() < count {
        match next(consumer).await {
            Input::Assigned(partitions) => {
                consumer.begin(partitions.into_iter().map(|partition| (partition, 0)).collect());
            }
            Input::Batch(RawBatch { partition, records }) => {
                consumer.finished(&partition, records.last().unwrap().offset + 1);
                read.entry(partition).or_default().extend(records);
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

#[tokio::test]
async fn what_is_sent_is_read_once_in_order_and_stamped_by_the_broker() {
    const RECORDS: usize = 20_000;
    let Some(bench) = Bench::new("round-trip", 4).await else { return };
    bench.send(RECORDS, 300).await;
    let mut consumer = bench.consumer();
    let read = read(&mut consumer, RECORDS).await;
    let mut payloads = BTreeSet::new();
    for records in read.values() {
        assert!(records.iter().zip(0..).all(|(record, offset)| record.offset == offset));
        assert!(records.iter().all(|record| record.append_time && record.timestamp_ms.is_some()));
        payloads.extend(records.iter().map(|record| record.payload.clone().unwrap()));
    }
    assert_eq!((read.len(), payloads.len()), (4, RECORDS));
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_record_that_comes_alone_is_there_within_the_batchs_wait() {
    let Some(bench) = Bench::new("latency", 1).await else { return };
    let mut consumer = bench.consumer();
    bench.send(1, 10).await;
    read(&mut consumer, 1).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        bench.send(1, 10).await;
        read(&mut consumer, 1).await;
        slowest = slowest.max(started.elapsed());
    }
    eprintln!("sent, acknowledged and read: {slowest:?} at most");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_member_that_joins_takes_over_where_the_other_was() {
    const RECORDS: usize = 8_000;
    let Some(bench) = Bench::new("rebalance", 6).await else { return };
    bench.send(RECORDS / 2, 50).await;
    let mut positions: BTreeMap<Partition, i64> = BTreeMap::new();
    let (mut members, mut held) = ([bench.consumer(), bench.consumer()], [BTreeSet::new(), BTreeSet::new()]);
    let mut records = 0;
    let mut has_sent_rest = false;
    let share = async {
        while records < RECORDS || held.iter().any(|held: &BTreeSet<Partition>| held.len() != 3) {
            let [first, second] = &mut members;
            let (who, input) = tokio::select! {
                input = first.next() => (0, input.unwrap()),
                input = second.next() => (1, input.unwrap()),
            };
            match input {
                Input::Assigned(partitions) => {
                    held[who].extend(partitions.iter().cloned());
                    let start = |one: Partition| (one.clone(), positions.get(&one).copied().unwrap_or(0));
                    members[who].begin(partitions.into_iter().map(start).collect());
                }
                Input::Revoked { partitions, .. } => {
                    held[who].retain(|partition| !partitions.contains(partition));
                    members[who].release(partitions);
                }
                Input::Batch(batch) => {
                    assert!(held[who].contains(&batch.partition), "{} is another's", batch.partition);
                    let position = positions.entry(batch.partition.clone()).or_default();
                    assert_eq!(batch.records[0].offset, *position, "{}", batch.partition);
                    *position = batch.next_offset();
                    records += batch.records.len();
                    members[who].finished(&batch.partition, batch.next_offset());
                }
                Input::Halted { partition, reason } => panic!("{partition}: {reason}"),
                Input::Trouble(error) => eprintln!("trouble: {error}"),
            }
            if records >= RECORDS / 2 && !has_sent_rest {
                has_sent_rest = true;
                bench.send(RECORDS / 2, 50).await;
            }
        }
    };
    timeout(DEADLINE, share).await.expect("both hold three partitions and all was read");
    assert_eq!(records, RECORDS, "nothing twice");
    for member in members {
        member.stop(DEADLINE).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_is_looked_at_and_an_offset_past_its_end_halts() {
    let Some(bench) = Bench::new("inspect", 1).await else { return };
    bench.send(100, 10).await;
    let one = Partition::new(&bench.topic, 0);
    assert!(!cluster_id(&bench.settings, DEADLINE).await.unwrap().is_empty());
    let found = topic(&bench.settings, &bench.topic, DEADLINE).await.unwrap();
    assert_eq!(found, Some(Topic { partitions: 1, append_time: true }));
    assert_eq!(topic(&bench.settings, "no.such.topic", DEADLINE).await.unwrap(), None);
    let started = Instant::now();
    let wanted = vec![(one.clone(), Some(99)), (one.clone(), Some(100)), (one.clone(), Some(0))];
    let found = inspect(&bench.settings, &bench.topic, wanted, DEADLINE).await.unwrap();
    eprintln!("three looks at a log: {:?}", started.elapsed());
    let offsets: Vec<Option<i64>> =
        found.iter().map(|one| one.record.as_ref().map(|record| record.offset)).collect();
    assert_eq!(offsets, [Some(99), None, Some(0)]);
    assert_eq!((found[0].low, found[0].high), (0, 100));
    let mut consumer = bench.consumer();
    assert!(matches!(next(&mut consumer).await, Input::Assigned(_)));
    consumer.begin(vec![(one.clone(), 101)]);
    let Input::Halted { partition, reason } = next(&mut consumer).await else { panic!("it goes on") };
    assert_eq!((partition, reason), (one, Halt::OffsetOutOfRange));
    consumer.stop(DEADLINE).await.unwrap();
}

/// Not a measurement, but what it prints tells whether one is worth while.
#[tokio::test]
async fn many_records_go_through_with_little_memory() {
    const RECORDS: usize = 100_000;
    let Some(bench) = Bench::new("many", 6).await else { return };
    let started = Instant::now();
    bench.send(RECORDS, 700).await;
    eprintln!("{RECORDS} records sent in {:?}", started.elapsed());
    let mut consumer = bench.consumer();
    let Input::Assigned(partitions) = next(&mut consumer).await else { panic!("no assignment") };
    consumer.begin(partitions.into_iter().map(|partition| (partition, 0)).collect());
    let (started, mut records, mut fetched_bytes_max) = (Instant::now(), 0, 0);
    while records < RECORDS {
        let Input::Batch(batch) = next(&mut consumer).await else { panic!("no batch") };
        records += batch.records.len();
        fetched_bytes_max = fetched_bytes_max.max(consumer.fetched_bytes());
        consumer.finished(&batch.partition, batch.next_offset());
    }
    eprintln!("{RECORDS} records read in {:?}", started.elapsed());
    assert!(fetched_bytes_max < 6 * (6 << 20), "{fetched_bytes_max} bytes");
    consumer.stop(DEADLINE).await.unwrap();
}
