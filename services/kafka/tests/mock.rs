//! Consumer and producer against librdkafka's own mock cluster, where a broker's misbehaviour can be scripted.
//!
//! The mock waits three seconds for further members before it lets the first one of a group in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hotline_kafka::{
    ClusterConfig, Consumer, ConsumerConfig, Error, Halt, Input, Outgoing, Partition, Producer,
    ProducerConfig, RawBatch, Sort, inspect,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;

const TOPIC: &str = "events";
const DEADLINE: Duration = Duration::from_secs(30);

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    settings: ClusterConfig,
    producer: Producer,
}

impl Cluster {
    fn new(partitions: i32) -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, partitions, 1).unwrap();
        let settings = ClusterConfig::plaintext(&mock.bootstrap_servers());
        let producer = Producer::start(&settings, &ProducerConfig::default()).unwrap();
        Self { mock, settings, producer }
    }

    /// Sends records of these keys; the payload of each is its number.
    async fn send(&self, keys: &[String], bytes: usize) -> Vec<(i32, i64)> {
        let payloads: Vec<Vec<u8>> = (0..keys.len()).map(|n| format!("{n:0>bytes$}").into_bytes()).collect();
        let records: Vec<Outgoing<'_>> = keys
            .iter()
            .zip(&payloads)
            .map(|(key, payload)| Outgoing { topic: TOPIC, key: key.as_bytes(), payload, headers: &[] })
            .collect();
        let sent = self.producer.send_all(&records).await;
        sent.into_iter().map(|sent| sent.unwrap()).map(|sent| (sent.partition, sent.offset)).collect()
    }

    fn consumer_settings() -> ConsumerConfig {
        let mut settings = ConsumerConfig::new("casework", &[TOPIC]);
        settings.session_timeout = Duration::from_secs(6);
        // What one broker answers in several parts on a busy machine should still be one batch.
        settings.batch_wait = Duration::from_millis(200);
        settings
    }

    fn join(&self) -> Consumer {
        Consumer::start(&self.settings, &Self::consumer_settings()).unwrap()
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("12345:{n}")).collect()
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

async fn assigned(consumer: &mut Consumer) -> Vec<Partition> {
    match next(consumer).await {
        Input::Assigned(partitions) => partitions,
        other => panic!("no assignment but {other:?}"),
    }
}

async fn batch(consumer: &mut Consumer) -> RawBatch {
    match next(consumer).await {
        Input::Batch(batch) => batch,
        other => panic!("no batch but {other:?}"),
    }
}

fn offsets(batch: &RawBatch) -> Vec<i64> {
    batch.records.iter().map(|record| record.offset).collect()
}

fn one() -> Partition {
    Partition::new(TOPIC, 0)
}

#[tokio::test]
async fn what_is_sent_is_read_whole_from_the_offset_where_reading_begins() {
    let cluster = Cluster::new(1);
    let record = Outgoing { topic: TOPIC, key: b"k", payload: b"words", headers: &[("ce_id", b"7")] };
    for n in 0..10 {
        assert_eq!(cluster.producer.send(record).await.unwrap().offset, n);
    }
    let mut consumer = cluster.join();
    assert_eq!(assigned(&mut consumer).await, [one()]);
    consumer.begin(vec![(one(), 4)]);
    let batch = batch(&mut consumer).await;
    assert_eq!((offsets(&batch), batch.next_offset()), (vec![4, 5, 6, 7, 8, 9], 10));
    let first = &batch.records[0];
    assert_eq!(first.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(first.payload.as_deref(), Some(&b"words"[..]));
    assert_eq!(first.headers, [("ce_id".to_owned(), Some(b"7".to_vec()))]);
    assert!(first.timestamp_ms.is_some());
    assert!(!format!("{first:?}").contains("words"), "a record is printed without its contents");
    consumer.stop(DEADLINE).await.unwrap();
}

/// The hashes are those of the tests of Java's client.
#[tokio::test]
async fn a_key_reaches_the_partition_that_javas_producer_chooses() {
    const PARTITIONS: i32 = 12;
    let cluster = Cluster::new(PARTITIONS);
    let hashes = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let keys: Vec<String> = hashes.iter().map(|(key, _)| (*key).to_owned()).collect();
    let found: Vec<i32> = cluster.send(&keys, 1).await.into_iter().map(|(partition, _)| partition).collect();
    let expected: Vec<i32> = hashes.iter().map(|(_, hash)| (hash & 0x7fff_ffff) % PARTITIONS).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn one_batch_is_out_at_a_time_and_the_next_gathers_meanwhile() {
    let cluster = Cluster::new(1);
    cluster.send(&keys(25), 1).await;
    let mut settings = Cluster::consumer_settings();
    settings.batch_records_max = 10;
    let mut consumer = Consumer::start(&cluster.settings, &settings).unwrap();
    assigned(&mut consumer).await;
    consumer.begin(vec![(one(), 0)]);
    let mut seen = Vec::new();
    for expected in [10, 10, 5] {
        let batch = batch(&mut consumer).await;
        assert_eq!(batch.records.len(), expected);
        seen.extend(offsets(&batch));
        let more = timeout(Duration::from_millis(500), consumer.next()).await;
        assert!(more.is_err(), "a second batch while the first is in hand: {more:?}");
        consumer.finished(&one(), 3);
        consumer.finished(&one(), batch.next_offset());
    }
    assert_eq!(seen, (0..25).collect::<Vec<i64>>());
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_partition_that_must_wait_does_not_fill_the_memory() {
    const RECORDS: u32 = 3_000;
    // librdkafka's kilobytes are of 1000 bytes.
    const BOUND: u64 = 1_000_000;
    let cluster = Cluster::new(1);
    cluster.send(&keys(RECORDS as usize), 10_000).await;
    let mut settings = Cluster::consumer_settings();
    settings.batch_bytes_max = 1 << 20;
    settings.fetch_bytes_max = 1 << 20;
    let mut consumer = Consumer::start(&cluster.settings, &settings).unwrap();
    assigned(&mut consumer).await;
    consumer.begin(vec![(one(), 0)]);
    let first = batch(&mut consumer).await;
    assert!(first.records.iter().map(hotline_kafka::RawRecord::bytes).sum::<usize>() <= 1 << 20);
    let fills = async {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while consumer.fetched_bytes() < BOUND {
            look.tick().await;
        }
    };
    timeout(DEADLINE, fills).await.expect("librdkafka fetches ahead");
    // One answer of the broker may come on top.
    assert!(consumer.fetched_bytes() < 3 * BOUND, "{} bytes", consumer.fetched_bytes());
    let lag = consumer.lag();
    assert_eq!(lag, [(one(), Some(RECORDS.into()))]);
    let mut seen = offsets(&first);
    consumer.finished(&one(), first.next_offset());
    while seen.len() < RECORDS as usize {
        let batch = batch(&mut consumer).await;
        seen.extend(offsets(&batch));
        consumer.finished(&one(), batch.next_offset());
    }
    assert_eq!(seen, (0..RECORDS.into()).collect::<Vec<_>>());
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn an_offset_that_is_not_in_the_log_halts_its_partition_and_no_other() {
    let cluster = Cluster::new(2);
    cluster.send(&keys(40), 1).await;
    let mut consumer = cluster.join();
    let partitions = assigned(&mut consumer).await;
    assert_eq!(partitions.len(), 2);
    let other = Partition::new(TOPIC, 1);
    consumer.begin(vec![(one(), 1_000), (other.clone(), 0)]);
    let (mut halted, mut read) = (false, 0);
    while !(halted && read > 0) {
        match next(&mut consumer).await {
            Input::Halted { partition, reason } => {
                assert_eq!((partition, reason), (one(), Halt::OffsetOutOfRange));
                halted = true;
            }
            Input::Batch(batch) => {
                assert_eq!(batch.partition, other);
                read += batch.records.len();
                consumer.finished(&other, batch.next_offset());
            }
            unexpected => panic!("{unexpected:?}"),
        }
    }
    // A person has looked.
    consumer.begin(vec![(one(), 2)]);
    let batch = batch(&mut consumer).await;
    assert_eq!((batch.partition.clone(), offsets(&batch)[0]), (one(), 2));
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_partition_that_is_read_begins_anew_where_it_is_told() {
    let cluster = Cluster::new(1);
    cluster.send(&keys(20), 1).await;
    let mut consumer = cluster.join();
    assigned(&mut consumer).await;
    for from in [5, 0, 12] {
        consumer.begin(vec![(one(), from)]);
        let batch = batch(&mut consumer).await;
        assert_eq!(offsets(&batch), (from..20).collect::<Vec<_>>(), "the batch in hand was forgotten");
    }
    consumer.stop(DEADLINE).await.unwrap();
}

/// The positions and epochs of PostgreSQL, as far as they matter here.
#[derive(Default)]
struct Store {
    positions: BTreeMap<Partition, (u64, i64)>,
    seen: BTreeMap<(Partition, i64), usize>,
}

impl Store {
    fn claim(&mut self, partition: &Partition) -> (u64, i64) {
        let position = self.positions.entry(partition.clone()).or_default();
        position.0 += 1;
        *position
    }

    fn apply(&mut self, epoch: u64, batch: &RawBatch) {
        let position = self.positions.get_mut(&batch.partition).expect("claimed");
        assert_eq!(position.0, epoch, "{} has another owner", batch.partition);
        assert!(batch.records[0].offset >= position.1);
        position.1 = batch.next_offset();
        for record in &batch.records {
            *self.seen.entry((batch.partition.clone(), record.offset)).or_default() += 1;
        }
    }
}

/// One member of the group, driven by a test.
struct Member {
    consumer: Consumer,
    epochs: BTreeMap<Partition, u64>,
}

impl Member {
    fn new(cluster: &Cluster) -> Self {
        Self { consumer: cluster.join(), epochs: BTreeMap::new() }
    }

    fn take(&mut self, input: Input, store: &mut Store) {
        match input {
            Input::Assigned(partitions) => {
                let mut starts = Vec::new();
                for partition in partitions {
                    let (epoch, next_offset) = store.claim(&partition);
                    self.epochs.insert(partition.clone(), epoch);
                    starts.push((partition, next_offset));
                }
                self.consumer.begin(starts);
            }
            Input::Revoked { partitions, .. } => {
                self.epochs.retain(|partition, _| !partitions.contains(partition));
                self.consumer.release(partitions);
            }
            Input::Batch(batch) => {
                store.apply(self.epochs[&batch.partition], &batch);
                self.consumer.finished(&batch.partition, batch.next_offset());
            }
            Input::Halted { partition, reason } => panic!("{partition} halted: {reason}"),
            Input::Trouble(error) => eprintln!("trouble: {error}"),
        }
    }
}

#[tokio::test]
async fn two_members_share_the_partitions_and_each_record_is_applied_once() {
    const RECORDS: usize = 600;
    let cluster = Cluster::new(4);
    let (keys, mut store) = (keys(RECORDS), Store::default());
    cluster.send(&keys[..200], 1).await;
    let mut first = Member::new(&cluster);
    let alone = async {
        while store.seen.len() < 200 {
            let input = first.consumer.next().await.unwrap();
            first.take(input, &mut store);
        }
    };
    timeout(DEADLINE, alone).await.expect("the first member reads all");
    assert_eq!(first.epochs.len(), 4);
    let mut second = Member::new(&cluster);
    cluster.send(&keys[200..400], 1).await;
    let together = async {
        let both_hold = |first: &Member, second: &Member| first.epochs.len() == 2 && second.epochs.len() == 2;
        while store.seen.len() < 400 || !both_hold(&first, &second) {
            tokio::select! {
                input = first.consumer.next() => first.take(input.unwrap(), &mut store),
                input = second.consumer.next() => second.take(input.unwrap(), &mut store),
            }
        }
    };
    timeout(DEADLINE, together).await.expect("the members share");
    // The first one leaves; the second goes on with all, from where the first one was.
    first.consumer.stop(DEADLINE).await.unwrap();
    cluster.send(&keys[400..], 1).await;
    let rest = async {
        while store.seen.len() < RECORDS || second.epochs.len() < 4 {
            let input = second.consumer.next().await.unwrap();
            second.take(input, &mut store);
        }
    };
    timeout(DEADLINE, rest).await.expect("the second member takes over");
    assert!(store.seen.values().all(|times| *times == 1), "some records were applied twice");
    second.consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_partition_revoked_in_the_middle_of_a_batch_waits_for_its_release() {
    let cluster = Cluster::new(2);
    cluster.send(&keys(40), 1).await;
    let mut first = cluster.join();
    let all: BTreeSet<Partition> = assigned(&mut first).await.into_iter().collect();
    first.begin(all.iter().map(|partition| (partition.clone(), 0)).collect());
    let (one, two) = (batch(&mut first).await, batch(&mut first).await);
    let mut second = cluster.join();
    let Input::Revoked { partitions, is_lost } = next(&mut first).await else { panic!("no revocation") };
    assert_eq!((partitions.len(), is_lost), (1, false));
    let in_hand = if partitions.contains(&one.partition) { &one } else { &two };
    let early = timeout(Duration::from_secs(1), second.next()).await;
    assert!(early.is_err(), "another member was given what is in hand: {early:?}");
    first.finished(&in_hand.partition, in_hand.next_offset());
    first.release(partitions.clone());
    let taken = assigned(&mut second).await;
    assert_eq!(taken, partitions);
    second.begin(vec![(taken[0].clone(), in_hand.next_offset() - 1)]);
    let batch = batch(&mut second).await;
    assert_eq!(offsets(&batch), [in_hand.next_offset() - 1]);
    first.stop(DEADLINE).await.unwrap();
    second.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn what_was_not_finished_is_not_committed_and_a_stop_waits_for_nobody() {
    let cluster = Cluster::new(1);
    cluster.send(&keys(30), 1).await;
    let mut settings = Cluster::consumer_settings();
    settings.batch_records_max = 10;
    let mut consumer = Consumer::start(&cluster.settings, &settings).unwrap();
    assigned(&mut consumer).await;
    consumer.begin(vec![(one(), 0)]);
    let first = batch(&mut consumer).await;
    consumer.finished(&one(), first.next_offset());
    let second = batch(&mut consumer).await;
    assert_eq!(second.next_offset(), 20);
    consumer.stop(DEADLINE).await.unwrap();
    let committed = tokio::task::spawn_blocking({
        let brokers = cluster.settings.brokers.clone();
        move || {
            let client: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .set("group.id", "casework")
                .create()
                .unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition(TOPIC, 0);
            client.committed_offsets(list, DEADLINE).unwrap().elements()[0].offset()
        }
    });
    assert_eq!(committed.await.unwrap(), Offset::Offset(10));
}

#[tokio::test]
async fn errors_of_a_broker_are_got_over() {
    use RDKafkaRespErr as E;
    let cluster = Cluster::new(1);
    let passing =
        [E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT].repeat(2);
    cluster.mock.request_errors(RDKafkaApiKey::Produce, &passing);
    let sent = cluster.send(&keys(20), 1).await;
    let each_once: Vec<(i32, i64)> = (0..20).map(|offset| (0, offset)).collect();
    assert_eq!(sent, each_once, "idempotence: a record sent again is not kept twice");
    cluster.mock.request_errors(RDKafkaApiKey::Fetch, &passing);
    let mut consumer = cluster.join();
    assigned(&mut consumer).await;
    consumer.begin(vec![(one(), 0)]);
    assert_eq!(batch(&mut consumer).await.records.len(), 20);
    consumer.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_lasting_refusal_comes_back_and_a_full_queue_is_waited_for_with_a_bound() {
    let cluster = Cluster::new(1);
    let settings = ProducerConfig {
        delivery_timeout: Duration::from_secs(3),
        queue_wait: Duration::from_millis(100),
        queue_bytes_max: 4096,
        ..ProducerConfig::default()
    };
    let producer = Producer::start(&cluster.settings, &settings).unwrap();
    let record = |payload| Outgoing { topic: TOPIC, key: b"k", payload, headers: &[] };
    let large = vec![0; 2_000_000];
    let refused = producer.send(record(&large)).await;
    assert_eq!(refused, Err(Error::RecordTooLarge { bytes: 2_000_001 }));
    cluster.mock.broker_down(1).unwrap();
    let page = vec![0; 2000];
    let results = producer.send_all(&[record(&page), record(&page), record(&page)]).await;
    assert_eq!(results[2], Err(Error::QueueFull));
    assert_eq!(results[0], Err(Error::TimedOut { what: "sending a record" }));
    cluster.mock.broker_up(1).unwrap();
    producer.send(record(&page)).await.expect("the queue has room again");
    producer.flush(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn callers_that_send_more_than_the_queue_holds_do_not_wait_for_each_other() {
    let cluster = Cluster::new(1);
    let settings = ProducerConfig { queue_bytes_max: 16 * 1024, ..ProducerConfig::default() };
    let producer = Producer::start(&cluster.settings, &settings).unwrap();
    let payload = vec![0; 900];
    let records = vec![Outgoing { topic: TOPIC, key: b"k", payload: &payload, headers: &[] }; 100];
    let all = async { tokio::join!(producer.send_all(&records), producer.send_all(&records)) };
    let (one, other) = tokio::time::timeout(DEADLINE, all).await.expect("both come to an end");
    assert!(one.iter().chain(&other).all(Result::is_ok), "{one:?} {other:?}");
    assert_eq!(one.len() + other.len(), 200);
}

#[tokio::test]
async fn a_log_can_be_looked_at_without_joining_the_group() {
    let cluster = Cluster::new(2);
    cluster.send(&keys(40), 1).await;
    let wanted =
        vec![(one(), Some(3)), (one(), Some(1_000)), (Partition::new(TOPIC, 1), Some(0)), (one(), None)];
    let found = inspect(&cluster.settings, "casework", wanted, DEADLINE).await.unwrap();
    let records: Vec<Option<i64>> =
        found.iter().map(|one| one.record.as_ref().map(|record| record.offset)).collect();
    assert_eq!(records, [Some(3), None, Some(0), None]);
    assert_eq!(found[0].low, 0);
    assert_eq!(found[0].high + found[2].high, 40);
}

#[tokio::test]
async fn a_broker_that_goes_away_is_told_of_and_waited_for() {
    let cluster = Cluster::new(1);
    cluster.send(&keys(5), 1).await;
    let mut consumer = cluster.join();
    assigned(&mut consumer).await;
    consumer.begin(vec![(one(), 0)]);
    let first = batch(&mut consumer).await;
    cluster.mock.broker_down(1).unwrap();
    let told = timeout(DEADLINE, consumer.next()).await.expect("an input in time").unwrap();
    let Input::Trouble(error) = told else { panic!("no trouble but {told:?}") };
    assert_eq!(error.sort(), Sort::Environment, "{error}");
    consumer.finished(&one(), first.next_offset());
    cluster.mock.broker_up(1).unwrap();
    cluster.send(&keys(5), 1).await;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let batch = batch(&mut consumer).await;
        consumer.finished(&one(), batch.next_offset());
        seen.extend(offsets(&batch));
    }
    assert_eq!(seen, [5, 6, 7, 8, 9]);
    cluster.mock.broker_down(1).unwrap();
    let started = Instant::now();
    match consumer.stop(Duration::from_secs(2)).await {
        Ok(()) | Err(Error::TimedOut { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert!(started.elapsed() < Duration::from_secs(10), "nobody waits for a broker that is away");
}
