//! Showing checkpoints to witnesses (C2SP tlog-witness). One that is away delays nobody but itself.

use std::sync::Arc;
use std::time::Duration;

use hotline_postgres::closure_log::{self, Cosigned};
use hotline_postgres::{PgPool, run_read_tx, run_tx};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::note::{Key, Kind, Signer, open, with_lines};
use super::sealer::Published;
use super::state::Prover;
use crate::config::{AuditConfig, WitnessConfig};
use crate::error::Error;
use crate::witness::asked::Asked;
use crate::witness::client::{Answer, Client};
use crate::{Parts, metrics};

/// How soon a witness that is away, or refuses, is asked again: at first, and at most.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// Shows every witness what is published, until `stop`.
pub async fn submit(
    config: &AuditConfig,
    parts: &Parts,
    latest: &watch::Receiver<Option<Published>>,
    stop: &CancellationToken,
) {
    let client = Arc::new(Client::new());
    let mut tasks = JoinSet::new();
    for witness in &config.witnesses {
        let Some(submission) = Submission::new(witness, parts, &client) else { continue };
        tasks.spawn(submission.run(latest.clone(), stop.clone()));
    }
    // The channel is kept open for as long as the sealer runs.
    stop.cancelled().await;
    while tasks.join_next().await.is_some() {}
}

/// One witness.
struct Submission {
    url: Url,
    key: Key,
    pool: PgPool,
    places: crate::Places,
    client: Arc<Client>,
}

/// What came of showing a checkpoint.
enum Shown {
    Cosigned(Cosigned),
    /// It has seen so many leaves, and not ours.
    Refused(String),
    Away(String),
}

impl Submission {
    fn new(witness: &WitnessConfig, parts: &Parts, client: &Arc<Client>) -> Option<Self> {
        let url = Url::parse(&format!("{}/add-checkpoint", witness.url.trim_end_matches('/'))).ok()?;
        let key = Key::parse(&witness.key).ok().filter(|key| key.kind() == Kind::Witness)?;
        let (pool, places) = (parts.pool.clone(), parts.places.clone());
        Some(Self { url, key, pool, places, client: Arc::clone(client) })
    }

    async fn run(self, mut latest: watch::Receiver<Option<Published>>, stop: CancellationToken) {
        let mut seen: Option<(i32, u64)> = None;
        let mut wait = AGAIN_AFTER;
        let mut told = String::new();
        loop {
            let published = latest.borrow_and_update().clone();
            let shown = match &published {
                Some(published) if seen != Some((published.log, published.size)) => {
                    let behind = seen.filter(|(log, _)| *log == published.log).map_or(0, |(_, size)| size);
                    metrics::behind(self.key.name(), published.size.saturating_sub(behind));
                    Some((published, self.show(published, behind).await))
                }
                _ => None,
            };
            let again = match shown {
                None => false,
                Some((published, Shown::Cosigned(cosigned))) => {
                    seen = Some((published.log, published.size));
                    metrics::cosigned(self.key.name(), cosigned.cosigned_at);
                    metrics::behind(self.key.name(), 0);
                    metrics::refuses(self.key.name(), false);
                    (wait, told) = (AGAIN_AFTER, String::new());
                    false
                }
                Some((_, Shown::Refused(why))) => {
                    metrics::refuses(self.key.name(), true);
                    if why != told {
                        tracing::error!(witness.name = self.key.name(), reason = why, "a witness refuses");
                    }
                    told = why;
                    true
                }
                Some((_, Shown::Away(why))) => {
                    if why != told {
                        tracing::warn!(witness.name = self.key.name(), reason = why, "a witness is away");
                    }
                    told = why;
                    true
                }
            };
            let rest = if again { wait } else { Duration::MAX };
            if again {
                wait = wait.saturating_mul(2).min(AGAIN_MAX);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
                changed = latest.changed(), if !again => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn show(&self, published: &Published, seen: u64) -> Shown {
        match self.try_to_show(published, seen).await {
            Ok(shown) => shown,
            Err(error) => Shown::Away(error.to_string()),
        }
    }

    async fn try_to_show(&self, published: &Published, seen: u64) -> Result<Shown, Error> {
        // Who does not know how far the witness is finds out by asking.
        let mut seen = if seen > 0 { seen } else { self.last_seen(published.log).await? };
        for _ in 0..2 {
            let asked = Asked {
                before: seen,
                proof: self.prove(published, seen).await?,
                note: published.note.clone(),
            };
            match self.client.add_checkpoint(&self.url, &asked).await {
                Answer::Lines(lines) => return self.keep(published, &lines).await,
                Answer::Seen(size) if size != seen && size <= published.size => seen = size,
                Answer::Seen(size) => {
                    return Ok(Shown::Refused(format!(
                        "it has seen {size} leaves of {}, and other ones than the {} that are published",
                        published.origin, published.size
                    )));
                }
                Answer::Refused(why) => return Ok(Shown::Refused(why)),
                Answer::Away(why) => return Ok(Shown::Away(why)),
            }
        }
        Ok(Shown::Away("it was shown other checkpoints in the meantime".to_owned()))
    }

    async fn last_seen(&self, log: i32) -> Result<u64, Error> {
        let mut log = log;
        let last = run_read_tx(&self.pool, "audit::last_cosigned", &mut log, |tx, log| {
            Box::pin(closure_log::last_cosigned(tx, *log))
        })
        .await?;
        Ok(last.iter().find(|last| last.witness == self.key.name()).map_or(0, |last| last.size))
    }

    async fn prove(&self, published: &Published, seen: u64) -> Result<Vec<[u8; 32]>, Error> {
        let mut asked = (published.log, published.size, seen);
        let proof = run_read_tx(&self.pool, "audit::consistency", &mut asked, |tx, (log, size, seen)| {
            Box::pin(async move { Prover::new(tx, *log).consistency(*size, *seen).await })
        });
        Ok(proof.await??.iter().map(|hash| hash.0).collect())
    }

    /// Stores the line of this witness, if it holds.
    async fn keep(&self, published: &Published, lines: &str) -> Result<Shown, Error> {
        let log: Signer = super::key::LogKey::new(self.places.key_file.clone()).signer(&published.origin)?;
        for line in lines.split_inclusive('\n') {
            let note = with_lines(&published.note, [line]);
            let Ok(opened) = open(&note, log.key(), std::slice::from_ref(&self.key)) else { continue };
            let Some((witness, cosigned_at)) = opened.witnesses.into_iter().next() else { continue };
            let cosigned = Cosigned { witness, size: published.size, cosigned_at, line: line.to_owned() };
            let mut stored = (published.log, cosigned.clone());
            run_tx(&self.pool, "audit::cosigned", &mut stored, |tx, (log, cosigned)| {
                Box::pin(closure_log::note_cosigned(tx, *log, cosigned))
            })
            .await?;
            return Ok(Shown::Cosigned(cosigned));
        }
        Ok(Shown::Refused("it answered without a signature of its key".to_owned()))
    }
}
