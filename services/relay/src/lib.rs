//! Relay: notices that others wrote get a number and reach their receivers: a topic, webhooks, and the feed.
//!
//! Guarantees: numbers are dense and follow the order in which notices were written; each receiver has a place of its own
//! and is told by one process at a time, at least once, in order per case, always the same bytes under the same id. It
//! deliberately decides nothing: whom an alarm concerns stands in the notice.

mod config;
mod error;
mod feed;
mod message;
pub mod metrics;
#[cfg(test)]
mod tests;
mod webhook;
mod work;

use std::time::Duration;

use hotline_postgres::{Error as Store, PgPool, Sort, notices, run_tx};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Format, RelayConfig, WebhookConfig};
pub use error::Error;
pub use feed::router;
pub use work::Topic;

use webhook::Webhook;
use work::{Receiver, Work};

/// Notices that get their number in one transaction.
const NUMBERED_MAX: i64 = 5_000;
/// Old notices that go in one transaction, and how often it is looked for them.
const FORGOTTEN_MAX: i64 = 5_000;
const FORGET_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What the role works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    /// None: there is no broker.
    pub topic: Option<Topic>,
    pub now: fn() -> Timestamp,
}

/// Numbers and delivers until `stop`. Secrets are read at the beginning. Fails if the store is not what this program
/// wrote; a database or a receiver that is away is waited for.
pub async fn run(config: RelayConfig, parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    let zone = TimeZone::get(&config.timezone).unwrap_or(TimeZone::UTC);
    let mut receivers: Vec<Receiver> = parts.topic.clone().map(Receiver::Kafka).into_iter().collect();
    for webhook in &config.webhooks {
        receivers.push(Receiver::Webhook(Webhook::new(webhook, zone.clone())?));
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(number(config.clone(), parts.clone(), stop.clone()));
    for receiver in receivers {
        let (pool, config, now, stop) = (parts.pool.clone(), config.clone(), parts.now, stop.clone());
        tasks.spawn(Work { pool, config, receiver, now, stop }.run());
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    }
    Ok(())
}

/// Gives numbers to what was committed, and lets go what is old.
async fn number(config: RelayConfig, parts: Parts, stop: CancellationToken) -> Result<(), Store> {
    let mut forgotten_at = Timestamp::MIN;
    while !stop.is_cancelled() {
        let numbered = run_tx(&parts.pool, "notices::number", &mut (), |tx, ()| {
            Box::pin(notices::number(tx, NUMBERED_MAX))
        })
        .await
        .or_else(tolerate)?;
        metrics::numbered(numbered);
        let now = (parts.now)();
        if now.duration_since(forgotten_at) > FORGET_EVERY {
            let keep = SignedDuration::try_from(config.keep).unwrap_or(SignedDuration::MAX);
            let mut before = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
            let gone = run_tx(&parts.pool, "notices::forget", &mut before, |tx, before| {
                Box::pin(notices::forget(tx, *before, FORGOTTEN_MAX))
            })
            .await
            .or_else(tolerate)?;
            if gone < FORGOTTEN_MAX.cast_unsigned() {
                forgotten_at = now;
            }
        }
        if numbered < NUMBERED_MAX.cast_unsigned() {
            pause(config.look_every, &stop).await;
        }
    }
    Ok(())
}

fn tolerate<T: Default>(error: Store) -> Result<T, Store> {
    match error.sort() {
        Sort::Environment | Sort::Race => {
            tracing::warn!(code = error.code(), error = %error, "the relay waits for the database");
            Ok(T::default())
        }
        Sort::Data | Sort::Bug => Err(error),
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
