//! One receiver: it is held, told page after page, and let go.
//!
//! Guarantees: notices of one case reach it in order; its place moves only over what is settled, by whoever holds it; a
//! receiver that does not answer costs nobody else, and a notice that it fails over holds up no other case. What it
//! refuses for good, fails over again and again while it takes others, or does not take for `give_up_after`, is noted as
//! undelivered and the next one goes.

use std::collections::BTreeMap;
use std::time::Duration;

use hotline_kafka::{Outgoing, Producer};
use hotline_postgres::deliveries::{self, Held};
use hotline_postgres::notices::{self, Numbered};
use hotline_postgres::{Error as Store, PgPool, Sort, run_tx};
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::{KAFKA, RelayConfig};
use crate::metrics;
use crate::webhook::Webhook;

/// Notices that are read at a time.
const PAGE: i64 = 500;
/// Requests of one webhook at once; notices of one case go one after another.
const LANES: usize = 8;
/// Cases of a lane that a receiver may refuse before the rest of the lane waits too.
const REFUSED_MAX: usize = 2;
/// Notices that may wait while others go on.
const ASIDE_MAX: usize = 100;
/// How often a notice is refused by a receiver that takes others meanwhile, before it is given up: else it would hold up
/// all that come after it.
const REFUSED_BESIDE_MAX: u32 = 8;
/// How long a receiver is held without a sign of life, and how often one is given.
const HOLD: SignedDuration = SignedDuration::from_secs(15);
const SIGN_EVERY: Duration = Duration::from_secs(4);
/// The pause after the first failure, doubled each time up to the last.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// What came of sending a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Try again; why.
    Later(String),
    /// Try again: it failed over this one, and perhaps always will; why.
    Refused(String),
    /// It will never be taken; why.
    Never(String),
}

/// The topic that notices go into.
#[derive(Clone)]
pub struct Topic {
    pub producer: Producer,
    pub name: String,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whom notices are sent to.
#[derive(Clone, Debug)]
pub(crate) enum Receiver {
    Kafka(Topic),
    Webhook(Webhook),
}

pub(crate) struct Work {
    pub(crate) pool: PgPool,
    pub(crate) config: RelayConfig,
    pub(crate) receiver: Receiver,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) stop: CancellationToken,
}

/// Why a receiver is let go.
enum LetGo {
    Stopped,
    /// Another process holds it.
    Fenced,
}

impl Receiver {
    pub(crate) fn name(&self) -> &str {
        match self {
            Receiver::Kafka(_) => KAFKA,
            Receiver::Webhook(webhook) => webhook.name(),
        }
    }

    fn wants(&self, notice: &Numbered) -> bool {
        match self {
            Receiver::Kafka(_) => true,
            Receiver::Webhook(webhook) => webhook.wants(notice),
        }
    }

    /// Sends notices; what came of each, in their order. After one that has to wait the others of its case wait too.
    async fn send(&self, pending: &[Numbered], now: fn() -> Timestamp) -> Vec<Outcome> {
        match self {
            Receiver::Kafka(topic) => topic.send(pending).await,
            Receiver::Webhook(webhook) if webhook.is_robot() => together(webhook, pending, now).await,
            Receiver::Webhook(webhook) => one_by_one(webhook, pending, now).await,
        }
    }
}

impl Topic {
    async fn send(&self, pending: &[Numbered]) -> Vec<Outcome> {
        let ids: Vec<String> = pending.iter().map(|notice| notice.id.to_string()).collect();
        let headers: Vec<[(&str, &[u8]); 3]> = pending
            .iter()
            .zip(&ids)
            .map(|(notice, id)| {
                [
                    ("content-type", b"application/cloudevents+json".as_slice()),
                    ("department", notice.department.as_bytes()),
                    ("id", id.as_bytes()),
                ]
            })
            .collect();
        let records: Vec<Outgoing<'_>> = pending
            .iter()
            .zip(&headers)
            .map(|(notice, headers)| Outgoing {
                topic: &self.name,
                key: notice.case_id.as_bytes(),
                payload: notice.event.as_bytes(),
                headers,
            })
            .collect();
        let answers = self.producer.send_all(&records).await;
        answers
            .into_iter()
            .map(|answer| answer.map_or_else(|error| Outcome::Later(error.to_string()), |_| Outcome::Done))
            .collect()
    }
}

async fn one_by_one(webhook: &Webhook, pending: &[Numbered], now: fn() -> Timestamp) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; pending.len()];
    let mut lanes: Vec<Vec<usize>> = vec![Vec::new(); LANES];
    for (place, notice) in pending.iter().enumerate() {
        // Of one case, one lane.
        let sum =
            notice.case_id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        lanes[sum % LANES].push(place);
    }
    let mut sending = JoinSet::new();
    for lane in lanes {
        let (webhook, notices) =
            (webhook.clone(), lane.iter().map(|place| pending[*place].clone()).collect::<Vec<_>>());
        sending.spawn(async move {
            let mut done = Vec::with_capacity(lane.len());
            let mut waiting: BTreeMap<SmolStr, String> = BTreeMap::new();
            for (place, notice) in lane.into_iter().zip(notices) {
                // The next of a case waits for the one before; a receiver that takes nothing is not asked on.
                let is_away = waiting.len() >= REFUSED_MAX;
                let refused =
                    waiting.get(&notice.case_id).or_else(|| waiting.values().next().filter(|_| is_away));
                let outcome = if let Some(why) = refused {
                    Outcome::Later(why.clone())
                } else {
                    let case_id = notice.case_id.clone();
                    let outcome = webhook.send(notice, now).await;
                    if let Outcome::Later(why) | Outcome::Refused(why) = &outcome {
                        waiting.insert(case_id, why.clone());
                    }
                    outcome
                };
                done.push((place, outcome));
            }
            done
        });
    }
    while let Some(done) = sending.join_next().await {
        for (place, outcome) in done.unwrap_or_default() {
            outcomes[place] = Some(outcome);
        }
    }
    let lost = || Outcome::Later("a task ended by a fault of ours".to_owned());
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
}

async fn together(webhook: &Webhook, pending: &[Numbered], now: fn() -> Timestamp) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(pending.len());
    while outcomes.len() < pending.len() {
        let rest: Vec<&Numbered> = pending[outcomes.len()..].iter().collect();
        let (count, outcome) = webhook.send_together(&rest, now).await;
        // Robots take twenty messages a minute: what is refused now is refused for the rest of the page too.
        let ends = matches!(outcome, Outcome::Later(_));
        let count = if ends { rest.len() } else { count };
        outcomes.extend(std::iter::repeat_n(outcome, count));
    }
    outcomes
}

impl Work {
    /// Tells the receiver until the role stops. Fails if the store is not what this program wrote.
    pub(crate) async fn run(self) -> Result<(), Store> {
        let mut pause = PAUSE;
        while !self.stop.is_cancelled() {
            match self.hold_and_tell().await {
                Ok(LetGo::Stopped) => break,
                Ok(LetGo::Fenced) => self.rest(SIGN_EVERY).await,
                Err(error) if matches!(error.sort(), Sort::Environment | Sort::Race) => {
                    tracing::warn!(code = error.code(), error = %error, "the relay waits for the database");
                    self.rest(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX / 10);
                    continue;
                }
                Err(error) => return Err(error),
            }
            pause = PAUSE;
        }
        Ok(())
    }

    async fn hold_and_tell(&self) -> Result<LetGo, Store> {
        let mut asked = (self.receiver.name(), (self.now)());
        let held = run_tx(&self.pool, "deliveries::hold", &mut asked, |tx, (receiver, now)| {
            Box::pin(deliveries::hold(tx, receiver, *now, *now + HOLD))
        })
        .await?;
        let Some(mut held) = held else { return Ok(LetGo::Fenced) };
        tracing::info!(
            relay.receiver = self.receiver.name(),
            relay.number = held.number,
            "a receiver is told"
        );
        loop {
            if self.stop.is_cancelled() {
                self.let_go(&held).await;
                return Ok(LetGo::Stopped);
            }
            let again = self.again().await?;
            for notice in &again {
                match self
                    .alive(&mut held, self.receiver.send(std::slice::from_ref(notice), self.now))
                    .await?
                {
                    Ok(outcomes) => self.settle(notice, outcomes.into_iter().next()).await?,
                    Err(let_go) => return Ok(let_go),
                }
            }
            let page = self.page(held.number).await?;
            if page.is_empty() {
                if !self.advance(&held, 0).await? {
                    return Ok(LetGo::Fenced);
                }
                self.rest(self.config.look_every).await;
                continue;
            }
            if let Some(let_go) = self.tell(&mut held, page).await? {
                return Ok(let_go);
            }
        }
    }

    /// Sends a page until everything in it is settled. Some: the receiver is let go.
    async fn tell(&self, held: &mut Held, page: Vec<Numbered>) -> Result<Option<LetGo>, Store> {
        let mut last = page.last().map_or(held.number, |notice| notice.number);
        let mut refused: BTreeMap<i64, u32> = BTreeMap::new();
        let mut pending: Vec<Numbered> =
            page.into_iter().filter(|notice| self.receiver.wants(notice)).collect();
        let mut pause = PAUSE;
        loop {
            let sent = match self.alive(held, self.receiver.send(&pending, self.now)).await? {
                Ok(sent) => sent,
                Err(let_go) => return Ok(Some(let_go)),
            };
            let (mut left, mut delivered, mut told) = (Vec::new(), 0, None);
            let takes_others = sent.contains(&Outcome::Done);
            for (notice, outcome) in pending.into_iter().zip(sent) {
                let times = refused.entry(notice.number).or_default();
                *times += u32::from(takes_others && matches!(outcome, Outcome::Refused(_)));
                let is_old = self.is_old(&notice) || *times >= REFUSED_BESIDE_MAX;
                match outcome {
                    Outcome::Done => {
                        delivered += 1;
                        metrics::delivery(self.receiver.name(), "delivered");
                    }
                    Outcome::Later(why) | Outcome::Refused(why) if !is_old => {
                        metrics::delivery(self.receiver.name(), "again");
                        told = Some(why);
                        left.push(notice);
                    }
                    Outcome::Later(why) | Outcome::Refused(why) | Outcome::Never(why) => {
                        self.give_up(&notice, &why).await?;
                    }
                }
            }
            pending = left;
            if !pending.is_empty() && pending.len() < ASIDE_MAX {
                // Others go on beside those that it does not take.
                let more = self.page(last).await?;
                last = more.last().map_or(last, |notice| notice.number);
                let room = more.into_iter().filter(|notice| self.receiver.wants(notice));
                pending.extend(room);
            }
            held.number = pending.first().map_or(last, |notice| notice.number - 1);
            if !self.advance(held, delivered).await? {
                return Ok(Some(LetGo::Fenced));
            }
            let Some(why) = told else { return Ok(None) };
            tracing::warn!(
                relay.receiver = self.receiver.name(),
                why,
                waiting = pending.len(),
                "a receiver does not take notices"
            );
            if let Err(let_go) = self.alive(held, sleep(jittered(pause))).await? {
                return Ok(Some(let_go));
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn is_old(&self, notice: &Numbered) -> bool {
        let age = (self.now)().duration_since(notice.written_at);
        age > SignedDuration::try_from(self.config.give_up_after).unwrap_or(SignedDuration::MAX)
    }

    /// Does some work and shows meanwhile that the receiver is held. What was under way when it is let go is done again
    /// by whoever holds it next.
    async fn alive<T>(
        &self,
        held: &mut Held,
        work: impl Future<Output = T>,
    ) -> Result<Result<T, LetGo>, Store> {
        tokio::pin!(work);
        let mut signs = tokio::time::interval(SIGN_EVERY);
        signs.reset();
        loop {
            tokio::select! {
                done = &mut work => return Ok(Ok(done)),
                () = self.stop.cancelled() => {
                    self.let_go(held).await;
                    return Ok(Err(LetGo::Stopped));
                }
                _ = signs.tick() => {
                    if !self.advance(held, 0).await? {
                        return Ok(Err(LetGo::Fenced));
                    }
                }
            }
        }
    }

    async fn advance(&self, held: &Held, delivered: i64) -> Result<bool, Store> {
        let now = (self.now)();
        let mut asked = (held, delivered, now);
        run_tx(&self.pool, "deliveries::advance", &mut asked, |tx, (held, delivered, now)| {
            Box::pin(deliveries::advance(tx, held, *delivered, *now, *now + HOLD))
        })
        .await
    }

    /// Nobody has to wait until the hold is over.
    async fn let_go(&self, held: &Held) {
        let now = (self.now)();
        let mut asked = (held, now);
        let done = run_tx(&self.pool, "deliveries::let_go", &mut asked, |tx, (held, now)| {
            Box::pin(deliveries::advance(tx, held, 0, *now, *now))
        });
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(2), done).await {
            tracing::debug!(code = error.code(), "a receiver stays held until its time is over");
        }
    }

    async fn page(&self, after: i64) -> Result<Vec<Numbered>, Store> {
        let mut after = after;
        run_tx(&self.pool, "notices::page", &mut after, |tx, after| {
            Box::pin(notices::after(tx, None, *after, PAGE))
        })
        .await
    }

    async fn again(&self) -> Result<Vec<Numbered>, Store> {
        let mut receiver = self.receiver.name();
        run_tx(&self.pool, "deliveries::again", &mut receiver, |tx, receiver| {
            Box::pin(deliveries::again(tx, receiver, 100))
        })
        .await
    }

    /// What had been given up was sent again.
    async fn settle(&self, notice: &Numbered, outcome: Option<Outcome>) -> Result<(), Store> {
        if let Some(Outcome::Later(why) | Outcome::Refused(why) | Outcome::Never(why)) = outcome {
            return self.give_up(notice, &why).await;
        }
        metrics::delivery(self.receiver.name(), "delivered");
        let mut asked = (self.receiver.name(), notice.number);
        run_tx(&self.pool, "deliveries::settle", &mut asked, |tx, (receiver, number)| {
            Box::pin(deliveries::settle(tx, receiver, *number))
        })
        .await
    }

    async fn give_up(&self, notice: &Numbered, why: &str) -> Result<(), Store> {
        metrics::delivery(self.receiver.name(), "given_up");
        tracing::error!(
            relay.receiver = self.receiver.name(),
            relay.number = notice.number,
            why,
            "a notice is given up: see `hotline notices receivers`"
        );
        let mut asked = (self.receiver.name(), notice.number, why, (self.now)());
        run_tx(&self.pool, "deliveries::give_up", &mut asked, |tx, (receiver, number, why, now)| {
            Box::pin(deliveries::give_up(tx, receiver, *number, why, *now))
        })
        .await
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Between half and all of it, so that several do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let roll = hotline_postgres::seal::random::<4>().map_or(0, u32::from_le_bytes);
    pause.mul_f64(1.0 - f64::from(roll) / f64::from(u32::MAX) / 2.0)
}
