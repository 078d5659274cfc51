//! The async side of the consumer: what arrives, and what the caller says to it.

use std::fmt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use crate::client::{Bell, Board, Callbacks};
use crate::error::{Error, Halt};
use crate::gathering::Limits;
use crate::reader::{Command, Reader};
use crate::record::{Partition, RawBatch};
use crate::settings::Settings;

/// What a member of a group reads, and how much of it at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    pub group: String,
    pub topics: Vec<String>,
    pub batch_records_max: usize,
    /// A batch has at least one record, however large.
    pub batch_bytes_max: usize,
    /// How long the first record of a batch waits for others.
    pub batch_wait: Duration,
    /// What librdkafka fetches ahead, for each partition; one answer of a broker more at most.
    pub fetch_bytes_max: usize,
    /// After which the group gives the partitions of a member that died to others.
    pub session_timeout: Duration,
}

impl ConsumerSettings {
    pub fn new(group: &str, topics: &[&str]) -> Self {
        Self {
            group: group.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            batch_records_max: 5_000,
            batch_bytes_max: 4 << 20,
            batch_wait: Duration::from_millis(50),
            fetch_bytes_max: 4 << 20,
            session_timeout: Duration::from_secs(30),
        }
    }
}

/// What a caller is told, in this order for each partition.
#[derive(Debug)]
pub enum Input {
    /// The group gave these; [`Consumer::begin`] starts reading.
    Assigned(Vec<Partition>),
    /// The group takes these back; it waits for [`Consumer::release`]. Lost: others may have them already, what is
    /// in hand is better dropped.
    Revoked { partitions: Vec<Partition>, is_lost: bool },
    /// The partition's next comes after [`Consumer::finished`].
    Batch(RawBatch),
    /// Not read any further until [`Consumer::begin`] names it anew: a person must look. Batches read before may
    /// still come.
    Halted { partition: Partition, reason: Halt },
    /// Something that goes on by itself when the environment heals, told at most every ten seconds.
    Trouble(Error),
}

/// A member of a consumer group. Its thread lives until [`Consumer::stop`], or until it is dropped.
pub struct Consumer {
    inputs: UnboundedReceiver<Input>,
    commands: Sender<Command>,
    bell: Arc<Bell>,
    board: Arc<Board>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Consumer {
    /// Joins the group, in the background: without a broker it goes on trying.
    pub fn start(settings: &Settings, consumer: &ConsumerSettings) -> Result<Self, Error> {
        let board = Arc::new(Board::default());
        let bell = Arc::new(Bell::default());
        let mut client: BaseConsumer<Callbacks> = consumer
            .client_config(settings)
            .create_with_context(Callbacks::new(Arc::clone(&board)))
            .map_err(|error| Error::from_kafka("starting a consumer", error))?;
        let topics: Vec<&str> = consumer.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(|error| Error::from_kafka("subscribing", error))?;
        let rung = Arc::clone(&bell);
        client.set_nonempty_callback(move || rung.ring());
        let limits = Limits {
            records_max: consumer.batch_records_max.max(1),
            bytes_max: consumer.batch_bytes_max.max(1),
            wait: consumer.batch_wait,
        };
        // Bounded by what is in it: one batch a partition, and the changes of an assignment.
        let (input, inputs) = unbounded_channel();
        let (command, commands) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let reader = Reader::new(client, limits, commands, input, Arc::clone(&bell), Arc::clone(&board));
        std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || {
                reader.run();
                // Nobody may be waiting for it.
                let _ = end.send(());
            })
            .map_err(|error| Error::Refused { what: "starting a thread", reason: error.to_string() })?;
        Ok(Self { inputs, commands: command, bell, board, ended: Some(ended) })
    }

    /// The next input. May be cancelled at any time: nothing is lost.
    pub async fn next(&mut self) -> Result<Input, Error> {
        match self.inputs.recv().await {
            Some(Input::Trouble(error @ Error::Fatal { .. })) => Err(error),
            Some(input) => Ok(input),
            None => Err(Error::Stopped),
        }
    }

    /// Reads the partitions from these offsets on: of those assigned any number, at any time. One that is being
    /// read begins anew; a batch of it that is in hand is forgotten. What was revoked meanwhile is left out.
    pub fn begin(&self, starts: Vec<(Partition, i64)>) {
        self.tell(Command::Begin(starts));
    }

    /// The batch in hand is done with, `next_offset` being its [`RawBatch::next_offset`].
    pub fn finished(&self, partition: &Partition, next_offset: i64) {
        self.tell(Command::Finished(partition.clone(), next_offset));
    }

    /// Nothing of these partitions is in hand any more; the group may give them to others.
    pub fn release(&self, partitions: Vec<Partition>) {
        self.tell(Command::Release(partitions));
    }

    /// Records between what was finished and the end of the log, of the partitions being read; None where the end
    /// is not known yet. A second old at most.
    pub fn lag(&self) -> Vec<(Partition, Option<u64>)> {
        let lag = |end: i64, next: i64| u64::try_from(end - next).unwrap_or(0);
        let board = self.board.lock();
        board
            .iter()
            .map(|(partition, progress)| {
                (partition.clone(), progress.end_offset.map(|end| lag(end, progress.next_offset)))
            })
            .collect()
    }

    /// What was fetched ahead and not handed out, in bytes.
    pub fn fetched_bytes(&self) -> u64 {
        self.board.lock().values().map(|progress| progress.fetched_bytes).sum()
    }

    /// Leaves the group. What was not finished is not committed.
    pub async fn stop(mut self, at_most: Duration) -> Result<(), Error> {
        self.tell(Command::Stop);
        let Some(ended) = self.ended.take() else { return Ok(()) };
        let timed_out = |_| Error::TimedOut { what: "leaving the group" };
        tokio::time::timeout(at_most, ended).await.map_err(timed_out)?.map_err(|_| Error::Stopped)
    }

    fn tell(&self, command: Command) {
        // A thread that ended is told by `next`.
        let _ = self.commands.send(command);
        self.bell.ring();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.tell(Command::Stop);
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("progress", &self.board).finish_non_exhaustive()
    }
}

impl ConsumerSettings {
    fn client_config(&self, settings: &Settings) -> rdkafka::ClientConfig {
        let kilobytes = (self.fetch_bytes_max / 1024).max(1);
        let mut config = settings.client_config();
        config
            .set("group.id", &self.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", self.session_timeout.as_millis().to_string())
            // Where to begin is the caller's knowledge: never jump.
            .set("auto.offset.reset", "error")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A record that was damaged on its way or on disk must not be taken.
            .set("check.crcs", "true")
            .set("queued.max.messages.kbytes", kilobytes.to_string())
            // librdkafka would look again after a whole second when a full queue was emptied.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "100")
            // An answer is kept whole while one record of it is: not 50 MiB.
            .set("fetch.max.bytes", (16 << 20).to_string())
            // A topic that is missing at the start is looked for again before five minutes are over.
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set("statistics.interval.ms", "1000");
        config
    }
}
