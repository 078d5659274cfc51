//! Audit: seals closure records into a log that nobody can quietly change, shows it to witnesses, and answers auditors.
//!
//! ```text
//! GET  /v1/closures                       closed cases, by what they are found by
//! GET  /v1/closures/{case}                the whole history of one
//! GET  /v1/closures/{case}/records/{id}   the exact bytes of a closure record
//! POST /v1/closures/{case}/unmask         who the people of a case are; recorded
//! GET  /v1/audit/{list}                   what auditors ask about first; …/sample: drawn at random
//! GET  /v1/access, /v1/exports/{id}       who took what away, and how far it is
//! GET  /audit, …                          the same for people, as pages
//! GET  /log/checkpoint, /log/tile/…       the log: what is signed and hashed for everybody, the rest for auditors
//! ```
//!
//! Reading ([`query`]), writing it for programs ([`export`], the addresses above) and for people (`pages`) are apart; the log ([`log`],
//! [`copy`], [`verify`], [`witness`]) knows nothing of either. Guarantees: an answer says what a fold says; whoever takes a list or
//! a sample away as a file, or sees an identity, is recorded before the first byte leaves. Pages, of JSON as well, and copies
//! of the log are not recorded. No list holds anything personal. It deliberately judges nothing and changes no case.

mod api;
mod config;
pub mod copy;
mod desk;
mod error;
pub mod export;
mod keeper;
pub mod log;
pub mod mask;
pub mod metrics;
mod pages;
mod proven;
pub mod query;
mod router;
pub mod token;
pub mod verify;
pub mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hotline_postgres::{MasterKey, PgPool, Rules};
use hotline_runtime::serve::{Limits, serve};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use config::{AuditConfig, WitnessConfig};
pub use error::{Error, Fault, Halt};

/// Where the files of the closure log are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub key_file: PathBuf,
    pub checkpoint_file: PathBuf,
}

/// What the closure log works with.
#[derive(Clone, Debug)]
pub struct LogParts {
    pub pool: PgPool,
    pub places: Places,
    pub now: fn() -> Timestamp,
}

/// What auditors are answered from.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    pub rules: Arc<Rules>,
    /// Opens what is sealed of a case, for whoever may see it.
    pub master: MasterKey,
    pub now: fn() -> Timestamp,
}

/// The role, bound and not yet serving: the address is known before anything starts.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    config: AuditConfig,
    parts: Parts,
    log: LogParts,
}

impl Server {
    /// Takes the address: before anything else is begun, so that a taken one leaves nothing behind.
    pub async fn listen(config: &AuditConfig) -> Result<TcpListener, Error> {
        let address = config.listen;
        TcpListener::bind(address).await.map_err(|source| Error::ListenFailed { address, source })
    }

    pub fn new(listener: TcpListener, config: AuditConfig, parts: Parts, log: LogParts) -> Self {
        Self { listener, config, parts, log }
    }

    /// The address in use; it differs from the configured one if that had port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// Until `stop` it answers auditors, keeps their lists, seals, and shows witnesses what was sealed.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        tracing::info!(audit.listen = %self.address(), "audit listens");
        export::end_those_left(&self.parts).await?;
        let Self { listener, config, parts, log } = self;
        let limits = Limits { connections_max: config.connections_max, header_wait: config.header_wait };
        let router = router::router(&config, &parts, &log);
        let answering = async {
            serve(listener, router, limits, stop.clone()).await;
            Ok(())
        };
        let keeping = async {
            keeper::run(&parts.pool, &parts.rules, config.keep_every, &stop).await.map_err(Error::from)
        };
        let sealing = async {
            let (published, latest) = watch::channel(None);
            tokio::join!(
                log::seal(config.clone(), log.clone(), published, stop.clone()),
                log::submit(&config, &log, &latest, &stop),
            );
            Ok(())
        };
        tokio::try_join!(answering, keeping, sealing).map(drop)
    }
}
