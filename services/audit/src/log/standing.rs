//! How the log stands, for whoever asks: nothing is written.

use hotline_postgres::closure_log::{self, Cosigned};
use hotline_postgres::{Error as Store, PgConnection, run_read_tx};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::note::Key;
use super::sealer::Sealer;
use crate::LogParts;
use crate::config::AuditConfig;
use crate::error::Error;

/// What is said of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub origin: String,
    /// Leaves, and how many of them were signed.
    pub size: u64,
    pub signed: u64,
    pub signed_at: Option<Timestamp>,
    /// Records that wait, counted up to 100,000.
    pub waiting: i64,
    /// The last answer of each witness that ever gave one.
    pub cosigned: Vec<Cosigned>,
}

const WAITING_MAX: i64 = 100_000;
/// Records wait no longer where somebody seals.
const SEALED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

impl Standing {
    /// Whether records wait for longer than they may.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        self.waiting > 0 && self.signed_at.is_none_or(|at| now.duration_since(at) > SEALED_WITHIN)
    }
}

/// How the log stands. An error says why it stands still; [`Error::NoLog`] if there is none yet.
pub async fn standing(config: &AuditConfig, parts: &LogParts) -> Result<Standing, Error> {
    let (published, _) = watch::channel(None);
    let examined = Sealer::new(config, parts.clone(), published).examine().await?;
    let mut log = examined.state.log;
    let read = run_read_tx(&parts.pool, "audit::standing", &mut log, |tx, log| {
        Box::pin(async move {
            let waiting = closure_log::count_unsealed(tx, WAITING_MAX).await?;
            Ok((waiting, closure_log::last_cosigned(tx, *log).await?))
        })
    });
    let (waiting, cosigned) = read.await?;
    Ok(Standing {
        origin: examined.state.origin,
        size: examined.state.size,
        signed: examined.outside.map_or(0, |outside| outside.size),
        signed_at: examined.last.map(|last| last.signed_at),
        waiting,
        cosigned,
    })
}

/// How far a witness is with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    pub name: String,
    /// Whether checkpoints are shown to it.
    pub is_configured: bool,
    /// What it cosigned last.
    pub last: Option<Cosigned>,
    /// When the first checkpoint was signed that it has not come to; None: it has cosigned the last one, or there is none.
    pub behind_since: Option<Timestamp>,
}

/// How far each witness is that is configured, then each that cosigned before and is configured no longer. Whether one that is
/// behind refuses or is away is not stored.
pub async fn witnessed(tx: &mut PgConnection, log: i32, configured: &[Key]) -> Result<Vec<Witnessed>, Store> {
    let cosigned = closure_log::last_cosigned(tx, log).await?;
    let is_configured = |name: &str| configured.iter().any(|key| key.name() == name);
    let others = cosigned.iter().map(|last| last.witness.as_str()).filter(|name| !is_configured(name));
    let names: Vec<&str> = configured.iter().map(Key::name).chain(others).collect();
    let mut witnessed = Vec::new();
    for name in names {
        let last = cosigned.iter().find(|last| last.witness == name).cloned();
        let seen = last.as_ref().map_or(0, |last| last.size);
        let next = closure_log::signed_after(tx, (log, seen), 1).await?;
        witnessed.push(Witnessed {
            name: name.to_owned(),
            is_configured: is_configured(name),
            last,
            behind_since: next.first().filter(|next| next.log == log).map(|next| next.signed_at),
        });
    }
    Ok(witnessed)
}
