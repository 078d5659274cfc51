//! Casework over Kafka: a task for each partition that the group gives to this process.
//!
//! The loop here owns the consumer and never waits for a database, except when a partition is taken away: what of it
//! is in hand is committed first. The position in PostgreSQL says where a partition is read on; what Kafka has
//! committed is advice to people.

mod record;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotline_kafka::{ClusterConfig, Consumer, ConsumerConfig, Input, Partition, RawBatch, Sort};
use hotline_postgres::CaseWriter;
use jiff::SignedDuration;
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

pub use record::{Opener, SEALED};
pub use worker::{Halted, judge};
use worker::{Said, Worker};

use crate::Clock;
use crate::apply::pause_after;
use crate::config::CaseworkConfig;
use crate::error::RunError;
use crate::metrics::{self, Behind};
use crate::watch::Watch;

/// How long a batch in hand may take when its partition is taken away; then it is left to the next owner. With
/// [`LEAVE_FOR`] it is less than a process has for stopping.
const FINISH_FOR: Duration = Duration::from_secs(6);
/// How long leaving the group may take.
const LEAVE_FOR: Duration = Duration::from_secs(3);
/// How often the lag is looked at.
const LAG_EVERY: Duration = Duration::from_secs(5);

/// The topic, and how its records are read.
#[derive(Clone, Debug)]
pub struct Source {
    pub cluster: ClusterConfig,
    pub consumer: ConsumerConfig,
    pub opener: Opener,
    /// Told whenever the number of partitions that a person must look at changes.
    pub halted: Told,
}

/// Who wants to know of halted partitions.
#[derive(Clone)]
pub struct Told(pub Arc<dyn Fn(usize) + Send + Sync>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) writer: Arc<CaseWriter>,
    pub(crate) config: CaseworkConfig,
    pub(crate) clock: Clock,
    pub(crate) opener: Opener,
    pub(crate) source: Source,
    pub(crate) watch: Arc<Mutex<Watch>>,
    /// For the batches at work: their memory does not grow with the partitions; what is read ahead of them does.
    pub(crate) turns: Semaphore,
}

/// Reads the topic until `stop`; a client that failed for good is replaced.
pub(crate) async fn serve(
    writer: Arc<CaseWriter>,
    config: &CaseworkConfig,
    clock: &Clock,
    source: Source,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let opener = source.opener.clone();
    let (config, clock) = (config.clone(), Arc::clone(clock));
    let turns = Semaphore::new(config.batches_max);
    let shared = Arc::new(Shared { writer, config, clock, opener, source, watch: Arc::default(), turns });
    let mut attempts = 0;
    loop {
        let consumer =
            Consumer::start(&shared.source.cluster, &shared.source.consumer).map_err(RunError::Broker)?;
        let mut reading = Reading::new(Arc::clone(&shared), consumer);
        let ended = reading.run(stop).await;
        reading.leave().await;
        match ended {
            Err(RunError::Broker(error)) if error.sort() == Sort::Client && !stop.is_cancelled() => {
                attempts += 1;
                tracing::warn!(code = error.code(), %error, "the consumer has failed for good: it is made anew");
                sleep(pause_after(attempts, &shared.config)).await;
            }
            ended => return ended,
        }
    }
}

/// A partition in the hands of its worker.
struct Owned {
    batches: mpsc::Sender<RawBatch>,
    dismissed: CancellationToken,
    worker: JoinHandle<Result<(), RunError>>,
}

/// A consumer and its workers.
struct Reading {
    shared: Arc<Shared>,
    consumer: Option<Consumer>,
    cluster: Arc<OnceCell<String>>,
    owned: BTreeMap<Partition, Owned>,
    say: mpsc::UnboundedSender<Said>,
    said: mpsc::UnboundedReceiver<Said>,
    halted: BTreeSet<Partition>,
    behind: BTreeMap<Partition, Behind>,
}

impl Reading {
    fn new(shared: Arc<Shared>, consumer: Consumer) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let cluster = Arc::new(OnceCell::new());
        Self {
            shared,
            consumer: Some(consumer),
            cluster,
            owned: BTreeMap::new(),
            say,
            said,
            halted: BTreeSet::new(),
            behind: BTreeMap::new(),
        }
    }

    async fn run(&mut self, stop: &CancellationToken) -> Result<(), RunError> {
        let mut lag = interval(LAG_EVERY);
        loop {
            let consumer = self.consumer.as_mut().expect("it is taken when leaving");
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                said = self.said.recv() => {
                    if let Some(said) = said {
                        self.hear(said).await?;
                    }
                }
                input = consumer.next() => {
                    let input = input.map_err(RunError::Broker)?;
                    self.take(input).await?;
                }
                _ = lag.tick() => self.measure(),
            }
        }
    }

    fn consumer(&self) -> &Consumer {
        self.consumer.as_ref().expect("it is taken when leaving")
    }

    async fn hear(&mut self, said: Said) -> Result<(), RunError> {
        match said {
            Said::Begin(partition, offset) => {
                self.is_sound_again(&partition);
                self.consumer().begin(vec![(partition, offset)]);
            }
            Said::Finished(partition, next_offset, last) => {
                let now = (self.shared.clock)();
                metrics::committed_at(&partition.to_string(), now);
                self.behind.entry(partition.clone()).or_default().last = last;
                self.consumer().finished(&partition, next_offset);
            }
            Said::Halted(partition) => self.halt(partition),
        }
        self.look_for_failures().await
    }

    /// A worker ends by itself only when it failed or lost its partition.
    async fn look_for_failures(&mut self) -> Result<(), RunError> {
        let ended: Vec<Partition> = self
            .owned
            .iter()
            .filter(|(_, owned)| owned.worker.is_finished())
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in ended {
            if let Some(owned) = self.owned.remove(&partition) {
                owned.worker.await.map_err(|_| RunError::Panicked)??;
            }
        }
        Ok(())
    }

    async fn take(&mut self, input: Input) -> Result<(), RunError> {
        match input {
            Input::Assigned(partitions) => {
                metrics::assignments("assigned", partitions.len());
                for partition in partitions {
                    self.is_sound_again(&partition);
                    self.employ(partition, false);
                }
            }
            Input::Revoked { partitions, is_lost } => {
                metrics::assignments("revoked", partitions.len());
                self.dismiss(&partitions, is_lost).await?;
                self.consumer().release(partitions);
            }
            Input::Batch(batch) => {
                self.look_for_failures().await?;
                if let Some(owned) = self.owned.get(&batch.partition) {
                    // One batch is out at a time, so there is room; a worker that ended is found above.
                    let _ = owned.batches.try_send(batch);
                }
            }
            Input::Halted { partition, reason } => {
                tracing::error!(kafka.partition = %partition, code = reason.code(), %reason, "the partition is halted");
                self.halt(partition.clone());
                // A new worker looks at the log again, and again, until it can be read on.
                self.employ(partition, true);
            }
            Input::Trouble(error) => {
                tracing::warn!(code = error.code(), %error, "the broker is away or ill");
            }
        }
        Ok(())
    }

    fn employ(&mut self, partition: Partition, was_halted: bool) {
        let (batches, receiver) = mpsc::channel(1);
        let dismissed = CancellationToken::new();
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            cluster: Arc::clone(&self.cluster),
            partition: partition.clone(),
            batches: receiver,
            dismissed: dismissed.clone(),
            say: self.say.clone(),
            was_halted,
        };
        tracing::info!(kafka.partition = %partition, was_halted, "partition assigned");
        let worker = tokio::spawn(worker.run());
        if let Some(before) = self.owned.insert(partition, Owned { batches, dismissed, worker }) {
            before.worker.abort();
        }
    }

    /// Lets the workers finish what they have in hand, or drops it where others have the partitions already.
    async fn dismiss(&mut self, partitions: &[Partition], is_lost: bool) -> Result<(), RunError> {
        let mut ending = Vec::new();
        for partition in partitions {
            self.is_sound_again(partition);
            self.behind.remove(partition);
            metrics::lag(partition.to_string(), 0, SignedDuration::ZERO);
            if let Some(owned) = self.owned.remove(partition) {
                tracing::info!(kafka.partition = %partition, is_lost, "partition revoked");
                ending.push(owned);
            }
        }
        finish(ending, is_lost).await.into_iter().collect()
    }

    fn halt(&mut self, partition: Partition) {
        self.halted.insert(partition);
        (self.shared.source.halted.0)(self.halted.len());
    }

    /// No more is known against it than against any other.
    fn is_sound_again(&mut self, partition: &Partition) {
        if self.halted.remove(partition) {
            (self.shared.source.halted.0)(self.halted.len());
        }
    }

    fn measure(&mut self) {
        let now = (self.shared.clock)();
        for (partition, lag) in self.consumer().lag() {
            let Some(lag) = lag.filter(|_| self.owned.contains_key(&partition)) else { continue };
            let waits = self.behind.entry(partition.clone()).or_default().waits(lag, now);
            metrics::lag(partition.to_string(), lag, waits);
        }
        metrics::partitions(self.owned.len(), self.halted.len());
    }

    /// Finishes what is in hand and leaves the group.
    async fn leave(&mut self) {
        let owned = std::mem::take(&mut self.owned);
        for error in finish(owned.into_values().collect(), false).await.into_iter().filter_map(Result::err) {
            tracing::warn!(code = error.code(), %error, "a partition did not end well");
        }
        while let Ok(said) = self.said.try_recv() {
            if let Said::Finished(partition, next_offset, _) = said {
                self.consumer().finished(&partition, next_offset);
            }
        }
        if let Some(consumer) = self.consumer.take()
            && let Err(error) = consumer.stop(LEAVE_FOR).await
        {
            tracing::warn!(code = error.code(), %error, "the group was not left in time");
        }
    }
}

/// Ends workers, all within the same time.
async fn finish(owned: Vec<Owned>, at_once: bool) -> Vec<Result<(), RunError>> {
    let until = Instant::now() + if at_once { Duration::ZERO } else { FINISH_FOR };
    let mut workers = Vec::with_capacity(owned.len());
    for Owned { batches, dismissed, worker } in owned {
        dismissed.cancel();
        drop(batches);
        workers.push(worker);
    }
    let mut ended = Vec::with_capacity(workers.len());
    for mut worker in workers {
        ended.push(if let Ok(ended) = timeout_at(until, &mut worker).await {
            ended.unwrap_or(Err(RunError::Panicked))
        } else {
            // What it has under way rolls back, or is found committed by the next owner.
            worker.abort();
            Ok(())
        });
    }
    ended
}
