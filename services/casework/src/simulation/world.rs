//! The world of a simulation: a log with partitions, owners of partitions, one clock.

use std::sync::Arc;

use hotline_core::rulebook::{Files, Rulebook};
use hotline_events::intake::{Origin, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use hotline_postgres::cases::First;
use hotline_postgres::dead_letters::{self, Filter, State};
use hotline_postgres::grants::Role;
use hotline_postgres::interventions::By;
use hotline_postgres::sources::{self, Stop};
use hotline_postgres::testing::{Loss, TestDatabase, forget_losses, lose_next};
use hotline_postgres::{CaseWriter, MasterKey, erasures, run_tx, tallies};
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use tokio_util::sync::CancellationToken;

use super::events::{self, Sent};
use super::{Dice, rulebook};
use crate::apply::{Applier, Failure};
use crate::{CaseworkConfig, Clock};

pub(super) const PARTITIONS: usize = 3;
/// What happens in a sequence.
const STEPS: usize = 24;
const BEGIN: &str = "2026-03-02T01:00:00Z";

/// How often what happened, over all sequences.
#[derive(Debug, Default)]
pub(super) struct Tally {
    events: u64,
    batches: u64,
    fenced: u64,
    lost_commits: u64,
    lost_answers: u64,
    deaths: u64,
    redriven: u64,
    activations: u64,
    woken: u64,
    stopped: u64,
    raised: u64,
    missed: u64,
    withdrawn: u64,
    erased: u64,
}

impl Tally {
    fn all(&self) -> [u64; 14] {
        [
            self.events,
            self.batches,
            self.fenced,
            self.lost_commits,
            self.lost_answers,
            self.deaths,
            self.redriven,
            self.activations,
            self.woken,
            self.stopped,
            self.raised,
            self.missed,
            self.withdrawn,
            self.erased,
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.batches += other.batches;
        self.fenced += other.fenced;
        self.lost_commits += other.lost_commits;
        self.lost_answers += other.lost_answers;
        self.deaths += other.deaths;
        self.redriven += other.redriven;
        self.activations += other.activations;
        self.woken += other.woken;
        self.stopped += other.stopped;
        self.raised += other.raised;
        self.missed += other.missed;
        self.withdrawn += other.withdrawn;
        self.erased += other.erased;
    }

    /// A simulation in which something never happens says nothing about it.
    pub(super) fn assert_that_all_happened(&self) {
        assert!(self.all().iter().all(|count| *count > 0), "something never happened: {self:?}");
    }
}

/// A record of the log.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) offset: i64,
    pub(super) received_at: Timestamp,
    pub(super) bytes: Vec<u8>,
}

/// Whoever believes to own a partition, and what it reads next.
struct Owner {
    applier: Applier,
    /// The place in the log.
    next: usize,
}

pub(super) struct World {
    pub(super) database: TestDatabase,
    /// As casework; each with the rights of its role.
    pub(super) writer: Arc<CaseWriter>,
    timekeeper: CaseWriter,
    operator: CaseWriter,
    pub(super) tagger: Tagger,
    pub(super) logs: Vec<Vec<Logged>>,
    pub(super) dice: Dice,
    pub(super) rulebook: Arc<Rulebook>,
    pub(super) tally: Tally,
    rulebooks: Vec<(Files, Arc<Rulebook>)>,
    owners: Vec<Option<Owner>>,
    /// They do not know yet that others have their partitions.
    zombies: Vec<(usize, Owner)>,
    sent: Vec<Sent>,
    pub(super) now: Timestamp,
    told: Vec<String>,
}

impl World {
    pub(super) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let master = MasterKey::new([9; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let writer = Arc::new(CaseWriter::new(database.login(Role::Casework), master.clone()));
        let timekeeper = CaseWriter::new(database.login(Role::Timekeeper), master.clone());
        let operator = CaseWriter::new(database.login(Role::Operator), master);
        let now: Timestamp = BEGIN.parse().expect("an instant");
        writer.prepare(now).await.expect("a new database");
        let rulebooks: Vec<_> = [5, 1].into_iter().map(rulebook).collect();
        Self {
            database,
            writer,
            timekeeper,
            operator,
            tagger,
            logs: Vec::new(),
            dice: Dice::new(0),
            rulebook: Arc::clone(&rulebooks[0].1),
            tally: Tally::default(),
            rulebooks,
            owners: Vec::new(),
            zombies: Vec::new(),
            sent: Vec::new(),
            now,
            told: Vec::new(),
        }
    }

    /// The rulebook of this hash.
    pub(super) fn rulebook_of(&self, hash: &str) -> &Rulebook {
        let found = self.rulebooks.iter().find(|(_, rulebook)| rulebook.hash == hash);
        &found.expect("only these were ever active").1
    }

    /// Empties everything for a sequence.
    pub(super) async fn begin(&mut self, number: u64) {
        hotline_postgres::testing::empty(&self.database.pool).await;
        forget_losses(&self.database.pool);
        self.dice = Dice::new(number);
        self.logs = vec![Vec::new(); PARTITIONS];
        self.owners = (0..PARTITIONS).map(|_| None).collect();
        self.zombies.clear();
        self.sent.clear();
        self.told.clear();
        self.now = BEGIN.parse().expect("an instant");
        self.activate(0).await;
    }

    async fn activate(&mut self, which: usize) {
        let (files, rulebook) = &self.rulebooks[which];
        self.writer.activate(files, rulebook, true, self.now).await.expect("nothing stands in its way");
        self.rulebook = Arc::clone(rulebook);
    }

    /// Lives a sequence, then lets everything finish; what happened, in order.
    pub(super) async fn live(&mut self) -> Vec<String> {
        for _ in 0..STEPS {
            self.step().await;
        }
        forget_losses(&self.database.pool);
        self.resume().await;
        for partition in 0..PARTITIONS {
            self.die(partition);
            while self.batch(partition, 5).await {}
        }
        while !self.writer.refold_step(self.now, 100).await.expect("a pass").refold.done {}
        while self.wake().await > 0 {}
        std::mem::take(&mut self.told)
    }

    async fn step(&mut self) {
        let partition = self.dice.below(PARTITIONS);
        match self.dice.below(20) {
            0..=6 => self.produce(),
            7..=11 => {
                let count = 1 + self.dice.below(5);
                self.batch(partition, count).await;
            }
            12 => {
                let minutes = i64::try_from(self.dice.below(3_000)).expect("small");
                self.now += SignedDuration::from_mins(minutes);
                self.tell(format!("{minutes} minutes go by"));
            }
            13 => self.lose(partition).await,
            14 => self.die(partition),
            15 => self.take_over(partition).await,
            16 => self.zombie().await,
            17 => {
                let moved = tallies::compact_step(self.writer.pool(), 7).await.expect("it compacts");
                self.tell(format!("compacted {moved:?}"));
            }
            18 => {
                self.wake().await;
            }
            _ => self.operate().await,
        }
    }

    /// What falls due by itself; how many cases there were. Now and then nobody learns whether it was committed.
    async fn wake(&mut self) -> usize {
        if self.dice.one_in(5) {
            let loss = if self.dice.one_in(2) { Loss::OfTheCommit } else { Loss::OfTheAnswer };
            lose_next(&self.database.pool, "batch::wake_step", loss);
            self.tell(format!("{loss:?} of what falls due"));
        }
        let woken = match self.timekeeper.wake_step(self.now, First::Oldest, 2).await {
            Err(hotline_postgres::Error::CommitUnknown { .. }) => {
                self.timekeeper.wake_step(self.now, First::Newest, 10).await
            }
            woken => woken,
        };
        let woken = woken.expect("it wakes");
        self.tally.woken += woken.cases as u64;
        self.tally.raised += woken.raised as u64;
        self.tally.missed += woken.missed as u64;
        self.tally.withdrawn += woken.withdrawn as u64;
        self.tell(format!("woken {woken:?}"));
        woken.cases
    }

    fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    fn produce(&mut self) {
        for _ in 0..=self.dice.below(4) {
            let number = self.sent.len();
            let sent = events::next(&mut self.dice, &self.sent, number, self.now);
            let by_case = usize::from(sent.case.as_bytes()[sent.case.len() - 1]) % PARTITIONS;
            // Another producer hashes keys otherwise.
            let partition = if self.dice.one_in(6) { self.dice.below(PARTITIONS) } else { by_case };
            let log = &mut self.logs[partition];
            let gap = i64::from(self.dice.one_in(10));
            let offset = log.last().map_or(0, |last| last.offset + 1) + gap;
            log.push(Logged { offset, received_at: self.now, bytes: sent.bytes.clone() });
            self.now += SignedDuration::from_secs(1);
            self.tell(format!("{partition}/{offset}: {}", String::from_utf8_lossy(&sent.bytes)));
            self.sent.push(sent);
            self.tally.events += 1;
        }
    }

    /// One batch of a partition by its owner; false: there is nothing more.
    async fn batch(&mut self, partition: usize, count: usize) -> bool {
        if self.owners[partition].is_none() {
            self.take_over(partition).await;
        }
        let Some(mut owner) = self.owners[partition].take() else { return true };
        let records = self.records(partition, owner.next, count);
        if records.is_empty() {
            self.owners[partition] = Some(owner);
            return false;
        }
        let (first, read) = (records[0].offset, records.len());
        let applied = owner.applier.apply(records).await;
        self.tell(format!(
            "batch {partition}/{first:?} of {read}: {}",
            if applied.is_ok() { "done" } else { "failed" }
        ));
        match applied {
            Ok(_) => {
                owner.next += read;
                self.owners[partition] = Some(owner);
                self.tally.batches += 1;
            }
            Err(Failure::Fenced) => self.tally.fenced += 1,
            Err(Failure::Unavailable) => {}
            Err(Failure::Fatal(error)) => panic!("{error}\n{}", self.told.join("\n")),
        }
        true
    }

    fn records(&self, partition: usize, from: usize, count: usize) -> Vec<Record> {
        let log = &self.logs[partition];
        let record = |logged: &Logged| Record {
            raw: logged.bytes.clone(),
            received_at: logged.received_at,
            offset: Some(logged.offset),
            content: RecordContent::of(&logged.bytes, decode(&logged.bytes, &self.tagger, Keep::All)),
        };
        log[from..log.len().min(from + count)].iter().map(record).collect()
    }

    /// A new owner reads the position and goes on from there.
    async fn take_over(&mut self, partition: usize) {
        let origin = Origin::Partition {
            topic: "events".to_owned(),
            partition: i32::try_from(partition).expect("few"),
        };
        let taken = self.writer.claim_partition(&origin.name(), "cluster").await.expect("it is claimed");
        let at = taken.claim.next_offset;
        let next = self.logs[partition].iter().take_while(|logged| logged.offset < at).count();
        let now = self.now;
        let clock: Clock = Arc::new(move || now);
        let config = CaseworkConfig::default();
        let writer = Arc::clone(&self.writer);
        let applier = Applier::new(
            writer,
            config,
            origin,
            Some(taken.claim),
            (Arc::default(), clock),
            CancellationToken::new(),
        );
        self.tell(format!("{partition} is taken over at {at}"));
        if let Some(before) = self.owners[partition].replace(Owner { applier, next }) {
            self.zombies.push((partition, before));
        }
    }

    fn die(&mut self, partition: usize) {
        if self.owners[partition].take().is_some() {
            self.tally.deaths += 1;
            self.tell(format!("the owner of {partition} dies"));
        }
    }

    /// A commit whose outcome nobody is told; now and then its owner dies with it.
    async fn lose(&mut self, partition: usize) {
        let loss = if self.dice.one_in(2) { Loss::OfTheCommit } else { Loss::OfTheAnswer };
        lose_next(&self.database.pool, "batch::apply", loss);
        if self.dice.one_in(3) {
            // Taking the position again is no surer.
            let loss = if self.dice.one_in(2) { Loss::OfTheCommit } else { Loss::OfTheAnswer };
            lose_next(&self.database.pool, "batch::reclaim", loss);
        }
        self.tell(format!("{loss:?} to come"));
        if loss == Loss::OfTheCommit {
            self.tally.lost_commits += 1;
        } else {
            self.tally.lost_answers += 1;
        }
        if self.dice.one_in(2) {
            let count = 1 + self.dice.below(5);
            let records = match &self.owners[partition] {
                Some(owner) => self.records(partition, owner.next, count),
                None => return,
            };
            if let Some(owner) = self.owners[partition].take().filter(|_| !records.is_empty()) {
                // It gets as far as the commit and no further: what it learns then dies with it.
                let Owner { mut applier, .. } = owner;
                drop(applier.once(records).await);
                self.tally.deaths += 1;
                self.tell(format!("the owner of {partition} dies in its commit"));
            }
        }
    }

    /// One that was thought dead tries to go on.
    async fn zombie(&mut self) {
        let Some((partition, mut zombie)) = self.zombies.pop() else { return };
        let records = self.records(partition, zombie.next, 3);
        if records.is_empty() {
            return;
        }
        match zombie.applier.apply(records).await {
            Err(Failure::Fenced) => self.tally.fenced += 1,
            other => panic!("a zombie of {partition} was not fenced: {other:?}\n{}", self.told.join("\n")),
        }
        self.tell(format!("a zombie of {partition} is fenced"));
    }

    fn by(&self) -> By<'static> {
        By { operator: "tester", why: "a simulation", at: self.now }
    }

    async fn operate(&mut self) {
        match self.dice.below(5) {
            0 => {
                let which = self.dice.below(self.rulebooks.len());
                self.activate(which).await;
                self.tally.activations += 1;
                self.tell(format!("rulebook {which} is activated"));
            }
            1 => {
                self.writer.refold_step(self.now, 2).await.expect("a pass");
                self.tell("two cases are folded again".to_owned());
            }
            2 => {
                let source = *self.dice.pick(&[events::HOTLINE, events::PIPELINE, events::LATER]);
                self.operator.stop_source(source, Stop::Paused, self.by()).await.expect("it is stopped");
                self.tally.stopped += 1;
                self.tell(format!("{source} is stopped"));
            }
            3 => self.erase().await,
            _ => self.resume().await,
        }
    }

    /// The person of a case that something was sent of is erased.
    async fn erase(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let case = self.dice.pick(&self.sent).case.clone();
        let mut asked = (vec![SmolStr::from(case.as_str())], self.by());
        let erased = run_tx(self.operator.pool(), "erasures::erase", &mut asked, |tx, (cases, by)| {
            Box::pin(erasures::erase(tx, cases, by))
        });
        let erased = erased.await.expect("it is erased");
        self.tally.erased += erased.parts;
        self.tell(format!("the person of {case} is erased: {erased:?}"));
    }

    /// Takes stopped sources up again and sends all dead letters once more.
    async fn resume(&mut self) {
        let mut by = self.by();
        let ids = run_tx(self.operator.pool(), "test", &mut by, |tx, by| {
            Box::pin(async move {
                for source in sources::stopped(tx).await? {
                    sources::resume(tx, &source, by).await?;
                }
                dead_letters::ids(tx, &Filter { state: Some(State::Open), ..Filter::default() }).await
            })
        })
        .await
        .expect("sources are resumed");
        self.operator.redrive_letters(&self.tagger, &ids, Some(by)).await.expect("letters go back");
        self.tally.redriven += ids.len() as u64;
        self.tell(format!("all sources go on, {} letters are sent again", ids.len()));
    }
}
