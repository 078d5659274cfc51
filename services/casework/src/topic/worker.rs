//! One partition from its assignment to its revocation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline_events::intake::{Origin, Reason, Record, RecordContent};
use hotline_kafka::{Inspection, Partition, RawBatch, cluster_id, inspect};
use hotline_postgres::positions::{LastRecord, Taken, Trial};
use hotline_postgres::{Error, Sort};
use jiff::Timestamp;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Opener, Shared};
use crate::apply::{Applier, Failure, pause_after};
use crate::error::RunError;
use crate::metrics;

/// How long the broker may take to show a log's ends and one record.
const LOOK_FOR: Duration = Duration::from_secs(20);

/// After so long without a batch the log is looked at again. A topic that is deleted, made anew and filled beyond the
/// position in less is not noticed.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// How often a halted partition is looked at again: somebody may have resumed it.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// What a worker says to the loop that owns the consumer.
#[derive(Debug)]
pub(super) enum Said {
    Begin(Partition, i64),
    /// The next offset, and when the last record before it was received.
    Finished(Partition, i64, Option<Timestamp>),
    /// A person must look: the partition is not read until it is resumed.
    Halted(Partition),
}

/// How the work on a partition ended.
enum Ended {
    /// The group took it back.
    Dismissed,
    Halted,
    Fenced,
}

/// Why a partition is not read on: going on would leave records out or count others twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halted {
    /// The position was made of another cluster's log.
    OtherCluster,
    /// The log ends before the position: it was made anew, or the database is newer than the broker's backup.
    PastTheEnd,
    /// The log begins after the position: retention ran past us.
    Retention,
    /// Another record stands where the last one was read.
    Replaced,
}

impl Halted {
    pub fn code(self) -> &'static str {
        match self {
            Halted::OtherCluster => "other_cluster",
            Halted::PastTheEnd => "past_the_end",
            Halted::Retention => "retention",
            Halted::Replaced => "replaced",
        }
    }
}

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) cluster: Arc<OnceCell<String>>,
    pub(super) partition: Partition,
    pub(super) batches: mpsc::Receiver<RawBatch>,
    /// Cancelled when the group takes the partition back: what is under way is committed, nothing new is begun.
    pub(super) dismissed: CancellationToken,
    pub(super) say: mpsc::UnboundedSender<Said>,
    /// Reading it failed a moment ago.
    pub(super) was_halted: bool,
}

/// Commits records, at a trial in parts of its size. The one that is condemned is put aside.
async fn apply(
    applier: &mut Applier,
    mut records: Vec<Record>,
    trial: &mut Option<Trial>,
) -> Result<(), Failure> {
    while !records.is_empty() {
        let Some(careful) = trial.as_mut() else {
            applier.is_trial = false;
            return applier.apply(records).await.map(drop);
        };
        applier.is_trial = true;
        let later = records.split_off(careful.size.min(records.len()));
        let mut part = std::mem::replace(&mut records, later);
        if std::mem::take(&mut careful.is_condemned) {
            let first = &mut part[0];
            tracing::error!(
                offset = first.offset,
                "a record is put aside: reading it ended the process again and again"
            );
            first.content = RecordContent::Refused(Reason::InternalError);
        }
        let end = part.last().and_then(|record| record.offset).map_or(i64::MAX, |offset| offset + 1);
        let until = careful.until;
        applier.apply(part).await?;
        if end >= until {
            *trial = None;
        }
    }
    Ok(())
}

impl Worker {
    /// Takes the partition over, then commits its batches until they end or somebody else takes it.
    pub(super) async fn run(mut self) -> Result<(), RunError> {
        let mut pause = self.was_halted.then_some(LOOK_AGAIN_EVERY);
        loop {
            if let Some(pause) = pause
                && self.dismissed.run_until_cancelled(sleep(pause)).await.is_none()
            {
                return Ok(());
            }
            pause = Some(match self.own().await? {
                Ended::Dismissed => return Ok(()),
                Ended::Halted => {
                    self.was_halted = true;
                    self.tell(Said::Halted(self.partition.clone()));
                    LOOK_AGAIN_EVERY
                }
                Ended::Fenced => {
                    tracing::warn!(kafka.partition = %self.partition, "another owner took the partition");
                    // The group says whose it is: still ours then, it is taken over again.
                    self.shared.config.back_off_max
                }
            });
        }
    }

    /// From taking the partition over until it is lost.
    async fn own(&mut self) -> Result<Ended, RunError> {
        let mut held = match self.take_over(None).await? {
            Ok(held) => held,
            Err(ended) => return Ok(ended),
        };
        self.was_halted = false;
        let mut heard_at = Instant::now();
        self.tell(Said::Begin(self.partition.clone(), held.claim.next_offset));
        let origin = self.origin();
        let (writer, config) = (Arc::clone(&self.shared.writer), self.shared.config.clone());
        let mut applier = Applier::new(
            writer,
            config,
            origin,
            Some(held.claim.clone()),
            (Arc::clone(&self.shared.watch), Arc::clone(&self.shared.clock)),
            self.dismissed.clone(),
        );
        while let Some(batch) = self.batches.recv().await {
            if heard_at.elapsed() > QUIET_MAX
                && let Err(ended) = self.take_over(Some(&held)).await?
            {
                return Ok(ended);
            }
            heard_at = Instant::now();
            let Some(turn) = self.dismissed.run_until_cancelled(self.shared.turns.acquire()).await else {
                return Ok(Ended::Dismissed);
            };
            let _turn = turn.expect("the semaphore is never closed");
            let started = Instant::now();
            metrics::batch_of(batch.records.len());
            let now = (self.shared.clock)();
            let records: Vec<_> = batch.records.iter().map(|raw| self.shared.opener.open(raw, now)).collect();
            let read_last = records.last().and_then(LastRecord::of);
            ::metrics::histogram!(metrics::STAGE_SECONDS.name, "stage" => "decode").record(started.elapsed());
            match apply(&mut applier, records, &mut held.trial).await {
                Ok(()) => {}
                Err(Failure::Fatal(error)) => return Err(RunError::Store(error)),
                Err(Failure::Fenced) => return Ok(Ended::Fenced),
                // A log waits for as long as it takes, unless its partition is taken back meanwhile.
                Err(Failure::Unavailable) => {
                    applier.give_up_trial().await;
                    return Ok(Ended::Dismissed);
                }
            }
            ::metrics::histogram!(metrics::BATCH_SECONDS.name).record(started.elapsed());
            held.last = read_last;
            held.claim.next_offset = batch.next_offset();
            let last = read_last.map(|last| last.received_at);
            self.tell(Said::Finished(self.partition.clone(), batch.next_offset(), last));
        }
        Ok(Ended::Dismissed)
    }

    fn origin(&self) -> Origin {
        Origin::Partition { topic: self.partition.topic.to_string(), partition: self.partition.number }
    }

    fn tell(&self, said: Said) {
        // The loop that listens outlives its workers, unless the process ends.
        let _ = self.say.send(said);
    }

    /// Takes the partition over, or with `held` looks at its log again: nobody says so when a topic is deleted and
    /// made anew while its consumer is stopped or waits. Tries until broker and database have answered, the log is
    /// found not to be the one that the position was made of, or the partition is taken back.
    async fn take_over(&self, held: Option<&Taken>) -> Result<Result<Taken, Ended>, RunError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let attempt = match held {
                Some(held) => self.look(held).await.map(|seen| seen.map(|()| held.clone())),
                None => self.try_take_over().await,
            };
            match attempt {
                Ok(Ok(found)) => return Ok(Ok(found)),
                Ok(Err(halted)) => {
                    // Once; it is looked at again and again.
                    if !self.was_halted {
                        tracing::error!(
                            kafka.partition = %self.partition,
                            code = halted.code(),
                            "the partition is halted: its log is not the one that was read before; see \
                             `hotline partitions resume`"
                        );
                    }
                    return Ok(Err(Ended::Halted));
                }
                Err(Trouble::Store(error))
                    if error.sort() != Sort::Environment && error.sort() != Sort::Race =>
                {
                    return Err(RunError::Store(error));
                }
                Err(Trouble::Broker(error)) if error.sort() == hotline_kafka::Sort::Halt => {
                    return Err(RunError::Broker(error));
                }
                Err(trouble) => {
                    tracing::warn!(kafka.partition = %self.partition, error = %trouble, "looking at a partition waits");
                    let pause = sleep(pause_after(attempts, &self.shared.config));
                    if self.dismissed.run_until_cancelled(pause).await.is_none() {
                        return Ok(Err(Ended::Dismissed));
                    }
                }
            }
        }
    }

    async fn try_take_over(&self) -> Result<Result<Taken, Halted>, Trouble> {
        let source = &self.shared.source;
        let cluster = self.cluster.get_or_try_init(|| cluster_id(&source.cluster, LOOK_FOR)).await?;
        let claimed = self.shared.writer.claim_partition(&self.origin().name(), cluster).await;
        let held = match claimed {
            Ok(taken) => taken,
            Err(Error::OtherCluster { .. }) => return Ok(Err(Halted::OtherCluster)),
            Err(error) => return Err(error.into()),
        };
        Ok(self.look(&held).await?.map(|()| held))
    }

    async fn look(&self, held: &Taken) -> Result<Result<(), Halted>, Trouble> {
        let (next_offset, last) = (held.claim.next_offset, held.last);
        let source = &self.shared.source;
        let wanted = vec![(self.partition.clone(), last.map(|last| last.offset))];
        let seen = inspect(&source.cluster, &source.consumer.group, wanted, LOOK_FOR).await?;
        let verdict = seen.first().map(|seen| judge(seen, next_offset, last, &self.shared.opener));
        Ok(verdict.unwrap_or(Ok(())))
    }
}

/// Whether the log is the one that was read up to `next_offset`; of it the record at `last` must have been asked for.
pub fn judge(
    seen: &Inspection,
    next_offset: i64,
    last: Option<LastRecord>,
    opener: &Opener,
) -> Result<(), Halted> {
    if next_offset > seen.high {
        return Err(Halted::PastTheEnd);
    }
    if next_offset < seen.low {
        return Err(Halted::Retention);
    }
    let Some(last) = last else { return Ok(()) };
    match &seen.record {
        Some(record) if LastRecord::checksum_of(&opener.bytes(record)) != last.checksum => {
            Err(Halted::Replaced)
        }
        // Gone with time, while all that follows is there.
        None if last.offset >= seen.low => Err(Halted::Replaced),
        _ => Ok(()),
    }
}

/// What keeps a partition from being taken over.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Store(#[from] Error),
    #[error("{0}")]
    Broker(#[from] hotline_kafka::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(low: i64, high: i64, record: Option<&[u8]>) -> Inspection {
        let record = record.map(|payload| hotline_kafka::RawRecord {
            offset: 9,
            timestamp_ms: None,
            append_time: false,
            key: None,
            payload: Some(payload.to_vec()),
            headers: Vec::new(),
        });
        Inspection { partition: Partition::new("t", 0), low, high, record }
    }

    fn check(seen: &Inspection, next_offset: i64, last: Option<&[u8]>) -> Result<(), Halted> {
        let last = last.map(|bytes| LastRecord {
            offset: 9,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            checksum: LastRecord::checksum_of(bytes),
        });
        let master = hotline_postgres::MasterKey::new([3; 32]);
        let opener = Opener {
            tagger: hotline_events::Tagger::keyed(&master.tag_key()),
            transit: master.transit_key(),
        };
        judge(seen, next_offset, last, &opener)
    }

    #[test]
    fn only_the_log_that_was_read_is_read_on() {
        assert_eq!(check(&seen(0, 0, None), 0, None), Ok(()), "never seen");
        assert_eq!(check(&seen(5, 9, None), 0, None), Err(Halted::Retention), "its log begins later");
        assert_eq!(check(&seen(0, 20, Some(b"a")), 10, Some(b"a")), Ok(()));
        assert_eq!(check(&seen(10, 20, None), 10, Some(b"a")), Ok(()), "what was read may go");
        assert_eq!(check(&seen(11, 20, None), 10, Some(b"a")), Err(Halted::Retention));
        assert_eq!(check(&seen(0, 20, Some(b"b")), 10, Some(b"a")), Err(Halted::Replaced));
        assert_eq!(check(&seen(0, 20, None), 10, Some(b"a")), Err(Halted::Replaced), "compacted away");
        assert_eq!(check(&seen(0, 9, None), 10, Some(b"a")), Err(Halted::PastTheEnd));
    }
}
