//! The consumer's thread: it polls librdkafka without ever stopping and owns all state of the partitions.
//!
//! Every partition has a queue of its own in librdkafka, so that an error is known to be its and a partition that
//! must wait is simply not read: its queue fills to its bound, and librdkafka asks the broker no more. The main
//! queue is polled all the time, whatever the caller does: the group never takes this member for dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use crate::client::{Bell, Board, Callbacks, Change, Progress};
use crate::consumer::Input;
use crate::error::{Error, Halt};
use crate::gathering::{Gathering, Limits};
use crate::record::{Partition, RawBatch, RawRecord};

/// How often queues are looked at though nothing rang: a call back may be missed when librdkafka serves an event
/// of its own between two records.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often the advisory commit goes out.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often the same trouble is told again: without a broker librdkafka repeats itself several times a second.
const REPEAT_EVERY: Duration = Duration::from_secs(10);
/// Events of the main queue that are served before the partitions have their turn.
const EVENTS_MAX: usize = 1000;

/// What the caller asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Begin(Vec<(Partition, i64)>),
    Finished(Partition, i64),
    Release(Vec<Partition>),
    Stop,
}

/// A partition that the group has given to this member.
#[derive(Default)]
struct Held {
    /// None: not begun.
    queue: Option<PartitionQueue<Callbacks>>,
    gathering: Gathering,
    /// Where the batch ends that the caller has.
    outstanding: Option<i64>,
    /// It had a batch until this round.
    was_busy: bool,
    is_halted: bool,
    /// The group has taken it back, and waits for the caller to release it.
    is_leaving: bool,
}

/// What the group has taken back and this member has not yet given.
struct Revoked {
    partitions: Vec<Partition>,
    unreleased: BTreeSet<Partition>,
    is_lost: bool,
}

impl Held {
    /// What has gathered, if it is time: at once where it came while the caller was busy.
    fn take_batch(&mut self, limits: &Limits, now: Instant) -> Option<Vec<RawRecord>> {
        let was_busy = std::mem::take(&mut self.was_busy);
        let due_at = self.gathering.due_at(limits)?;
        let goes =
            self.outstanding.is_none() && (was_busy || self.gathering.is_full(limits) || due_at <= now);
        goes.then(|| self.gathering.take(limits))
    }
}

pub(crate) struct Reader {
    /// Before the consumer, which closes when the last queue is gone.
    held: BTreeMap<Partition, Held>,
    revoked: Option<Revoked>,
    to_commit: BTreeMap<Partition, i64>,
    committed_at: Instant,
    told: BTreeMap<String, Instant>,
    limits: Limits,
    commands: Receiver<Command>,
    inputs: UnboundedSender<Input>,
    bell: Arc<Bell>,
    board: Arc<Board>,
    consumer: Arc<BaseConsumer<Callbacks>>,
}

impl Reader {
    pub fn new(
        consumer: BaseConsumer<Callbacks>,
        limits: Limits,
        commands: Receiver<Command>,
        inputs: UnboundedSender<Input>,
        bell: Arc<Bell>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            held: BTreeMap::new(),
            revoked: None,
            to_commit: BTreeMap::new(),
            committed_at: Instant::now(),
            told: BTreeMap::new(),
            limits,
            commands,
            inputs,
            bell,
            board,
            consumer: Arc::new(consumer),
        }
    }

    /// Until the caller stops it or is gone.
    pub fn run(mut self) {
        while self.obey() && !self.inputs.is_closed() {
            self.serve();
            self.gather();
            let now = Instant::now();
            self.hand_out(now);
            if now.duration_since(self.committed_at) >= COMMIT_EVERY {
                self.commit();
                self.committed_at = now;
            }
            self.bell.wait(self.wait_for(now));
        }
        self.close();
    }

    fn wait_for(&self, now: Instant) -> Duration {
        let waiting = self.held.values().filter(|held| held.outstanding.is_none());
        let due_at = waiting.filter_map(|held| held.gathering.due_at(&self.limits)).min();
        due_at.map_or(LOOK_EVERY, |due_at| due_at.saturating_duration_since(now).min(LOOK_EVERY))
    }

    /// Carries out what the caller asks for; false: to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Begin(starts)) => self.begin(starts),
                Ok(Command::Finished(partition, next_offset)) => self.finished(partition, next_offset),
                Ok(Command::Release(partitions)) => self.release(&partitions),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    /// Serves librdkafka's main queue: changes of the assignment, errors, statistics.
    fn serve(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        for _ in 0..EVENTS_MAX {
            let event = consumer.poll(Duration::ZERO);
            while let Some(change) = consumer.context().next_change() {
                self.change(change);
            }
            match event {
                None => return,
                // Cannot be: a partition has its own queue before it is assigned. Better halted than out of order.
                Some(Ok(record)) => {
                    self.halt(&Partition::new(record.topic(), record.partition()), Code::Inconsistent);
                }
                Some(Err(error)) => self.tell(Error::from_kafka("polling", error)),
            }
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Assigned(partitions) => {
                // Acknowledged at once with nothing, so that the group goes on while the caller looks up where to
                // begin; the partitions follow one by one.
                self.call("taking an assignment", |consumer| {
                    consumer.incremental_assign(&TopicPartitionList::new())
                });
                for partition in &partitions {
                    self.held.insert(partition.clone(), Held::default());
                }
                self.send(Input::Assigned(partitions));
            }
            Change::Revoked { partitions, is_lost } => {
                for partition in &partitions {
                    if let Some(held) = self.held.get_mut(partition) {
                        held.gathering = Gathering::default();
                        held.is_leaving = true;
                    }
                }
                let unreleased = partitions.iter().cloned().collect();
                self.revoked = Some(Revoked { partitions: partitions.clone(), unreleased, is_lost });
                self.send(Input::Revoked { partitions, is_lost });
                self.leave();
            }
        }
    }

    fn begin(&mut self, starts: Vec<(Partition, i64)>) {
        // What the group has taken back meanwhile is not begun: the caller finds that out with its next input.
        let is_here = |partition: &Partition| self.held.get(partition).is_some_and(|held| !held.is_leaving);
        let starts: Vec<(Partition, i64)> =
            starts.into_iter().filter(|(partition, _)| is_here(partition)).collect();
        let again: Vec<&Partition> = starts.iter().map(|(partition, _)| partition).collect();
        self.unassign(&again);
        let mut list = TopicPartitionList::new();
        for (partition, next_offset) in starts {
            let queue = self.consumer.split_partition_queue(&partition.topic, partition.number);
            let added =
                list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next_offset));
            let (Some(mut queue), Ok(())) = (queue, added) else {
                self.halt(&partition, Code::InvalidArgument);
                continue;
            };
            let bell = Arc::clone(&self.bell);
            queue.set_nonempty_callback(move || bell.ring());
            let progress = Progress { next_offset, end_offset: None, fetched_bytes: 0 };
            self.board.lock().insert(partition.clone(), progress);
            self.held.insert(partition, Held { queue: Some(queue), ..Held::default() });
        }
        self.call("beginning to read", |consumer| consumer.incremental_assign(&list));
    }

    fn finished(&mut self, partition: Partition, next_offset: i64) {
        let Some(held) = self.held.get_mut(&partition) else { return };
        // Another: of a time before the partition was begun anew.
        if held.outstanding != Some(next_offset) {
            return;
        }
        held.outstanding = None;
        held.was_busy = true;
        if let Some(progress) = self.board.lock().get_mut(&partition) {
            progress.next_offset = next_offset;
        }
        self.to_commit.insert(partition, next_offset);
    }

    fn release(&mut self, partitions: &[Partition]) {
        if let Some(revoked) = &mut self.revoked {
            revoked.unreleased.retain(|partition| !partitions.contains(partition));
        }
        self.leave();
    }
}

/// What goes on in every round.
impl Reader {
    /// Takes what librdkafka has fetched, until each partition has a batch.
    fn gather(&mut self) {
        let (mut halted, mut troubles) = (Vec::new(), Vec::new());
        let now = Instant::now();
        for (partition, held) in &mut self.held {
            // While the caller has a batch the next one lies in librdkafka's queue, which is bounded.
            let is_read = !held.is_halted && !held.is_leaving && held.outstanding.is_none();
            let Some(queue) = held.queue.as_ref().filter(|_| is_read) else {
                continue;
            };
            while !held.gathering.is_full(&self.limits) {
                match queue.poll(Duration::ZERO) {
                    None => break,
                    Some(Ok(record)) => held.gathering.push(RawRecord::read(&record), now),
                    Some(Err(KafkaError::MessageConsumption(code))) if !is_passing(code) => {
                        halted.push((partition.clone(), code));
                        break;
                    }
                    Some(Err(error)) => troubles.push(Error::from_kafka("reading", error)),
                }
            }
        }
        for (partition, code) in halted {
            self.halt(&partition, code);
        }
        for trouble in troubles {
            self.tell(trouble);
        }
    }

    fn hand_out(&mut self, now: Instant) {
        for (partition, held) in &mut self.held {
            if let Some(records) = held.take_batch(&self.limits, now) {
                Self::out(&self.inputs, partition, held, records);
            }
        }
    }

    fn out(inputs: &UnboundedSender<Input>, partition: &Partition, held: &mut Held, records: Vec<RawRecord>) {
        let batch = RawBatch { partition: partition.clone(), records };
        held.outstanding = Some(batch.next_offset());
        // A caller that is gone is noticed at the next turn.
        let _ = inputs.send(Input::Batch(batch));
    }

    /// Tells Kafka how far the caller is. Advisory: for tools that show lag.
    fn commit(&mut self) {
        if self.to_commit.is_empty() {
            return;
        }
        let to_commit = std::mem::take(&mut self.to_commit);
        let list: TopicPartitionList = to_commit
            .iter()
            .map(|(partition, next)| (partition.topic.to_string(), partition.number, Offset::Offset(*next)))
            .collect();
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(error = %error, "an advisory commit failed");
        }
    }

    /// Gives back what was revoked, once the caller has released all of it: the group waits for one answer.
    fn leave(&mut self) {
        let Some(revoked) = self.revoked.take_if(|revoked| revoked.unreleased.is_empty()) else { return };
        if revoked.is_lost {
            // Another member may have it already and know better.
            self.to_commit.retain(|partition, _| !revoked.partitions.contains(partition));
        }
        self.commit();
        let partitions: Vec<&Partition> = revoked.partitions.iter().collect();
        self.unassign(&partitions);
        for partition in partitions {
            self.held.remove(partition);
        }
    }

    /// Stops reading. Of partitions never begun librdkafka knows nothing; the call is made all the same, because
    /// the group may wait for it.
    fn unassign(&mut self, partitions: &[&Partition]) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            if self.held.get_mut(*partition).is_some_and(|held| held.queue.take().is_some()) {
                list.add_partition(&partition.topic, partition.number);
            }
            self.board.lock().remove(*partition);
        }
        self.call("giving back partitions", |consumer| consumer.incremental_unassign(&list));
    }

    /// Leaves the group: another member need not wait until this one is missed. What was not finished is not
    /// committed.
    fn close(mut self) {
        self.consumer.context().close();
        self.commit();
        let partitions: Vec<Partition> = self.held.keys().cloned().collect();
        self.unassign(&partitions.iter().collect::<Vec<_>>());
        // Dropping the consumer closes it: it polls until the group is left.
    }

    fn call(
        &mut self,
        what: &'static str,
        call: impl FnOnce(&BaseConsumer<Callbacks>) -> Result<(), KafkaError>,
    ) {
        if let Err(error) = call(&self.consumer) {
            self.tell(Error::from_kafka(what, error));
        }
    }

    fn halt(&mut self, partition: &Partition, code: Code) {
        if let Some(held) = self.held.get_mut(partition) {
            held.is_halted = true;
        }
        let reason = match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Halt::OffsetOutOfRange,
            code => Halt::Unreadable(code),
        };
        self.send(Input::Halted { partition: partition.clone(), reason });
    }

    /// Each kind of trouble once in a while, so that a caller who is busy finds a bounded number.
    fn tell(&mut self, error: Error) {
        let now = Instant::now();
        let what = error.to_string();
        if self.told.get(&what).is_some_and(|told_at| now.duration_since(*told_at) < REPEAT_EVERY) {
            return;
        }
        self.told.retain(|_, told_at| now.duration_since(*told_at) < REPEAT_EVERY);
        self.told.insert(what, now);
        self.send(Input::Trouble(error));
    }

    fn send(&self, input: Input) {
        // A member that came late is first given nothing, until another has released something.
        if matches!(&input, Input::Assigned(none) | Input::Revoked { partitions: none, .. } if none.is_empty())
        {
            return;
        }
        // A caller that is gone is noticed at the next turn.
        let _ = self.inputs.send(input);
    }
}

/// What librdkafka gets over by itself, without leaving a record out.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownTopicId
            | Code::UnknownPartition
            | Code::Unknown
            | Code::TopicAuthorizationFailed
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::KafkaStorageError
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
    )
}
