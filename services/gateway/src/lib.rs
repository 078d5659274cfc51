//! The gateway: the one door for events over HTTP, and for questions about cases and rates.
//!
//! ```text
//! POST /v1/events          one event, an array or NDJSON; signed; answered when stored
//! GET  /v1/events/{source}/{id}  what became of one
//! GET  /v1/cases/{id}      one case: masked view, clocks, how each deadline was counted
//! …    /v1/dead-letters, /v1/sources   what an operator does about refused input: see `desk`
//! …                        what other roles let be read, under the same token
//! ```
//!
//! Guarantees: an event is acknowledged only when it is stored; a request is either refused whole, with nothing
//! stored, or every event in it has a result of its own, in order; no answer and no log repeats a value that came
//! in. It deliberately speaks HTTP/1.1 without TLS: a proxy in front does both better. It decides nothing about
//! a case, and of events it writes nothing: casework does, behind the channel of [`hotline_postgres::handover`] or behind
//! a topic. Only dead letters go back through the writer of cases that it has for dry runs.

mod access;
mod adapters;
mod answer;
mod body;
mod case;
mod config;
mod desk;
mod error;
mod event;
mod handler;
mod intake;
pub mod metrics;
mod server;
pub mod signature;
#[cfg(test)]
mod tests;
mod throttle;
mod topic;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hotline_events::Tagger;
use hotline_postgres::handover::Handover;
use hotline_postgres::{CaseWriter, PgPool, Rules};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use config::GatewayConfig;
pub use error::Error;
pub use topic::Topic;

/// What the gateway works with.
#[derive(Clone, Debug)]
pub struct Parts {
    pub pool: PgPool,
    pub rules: Arc<Rules>,
    /// With the installation's key: what it tags is stored.
    pub tagger: Tagger,
    /// Folds for dry runs, and takes dead letters back.
    pub writer: Arc<CaseWriter>,
    pub sink: Sink,
    pub now: fn() -> Timestamp,
}

/// Where events go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// To casework in this process: answered after the commit, with 200.
    Casework(mpsc::Sender<Handover>),
    /// To a topic: answered when the brokers have them, with 202.
    Topic(Topic),
}

/// What every request shares.
#[derive(Debug)]
struct Gateway {
    config: GatewayConfig,
    parts: Parts,
    keys: signature::Keys,
    /// Who may read.
    readers: access::Token,
    /// Who may do something about refused input; where there is none and reading is open, everybody on this machine.
    operators: access::Token,
    throttle: throttle::Throttle,
    adapters: adapters::Adapters,
    /// Requests whose events are in hand: their bodies have been read.
    slots: Semaphore,
    /// Questions in hand: senders cannot take the places of readers.
    reads: Semaphore,
    /// Bytes of bodies that are being read or are in hand.
    bodies: Arc<Semaphore>,
}

/// The gateway, bound and not yet serving: the address is known before anything starts.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    gateway: Arc<Gateway>,
}

impl Server {
    /// Takes the address: before anything else is begun, so that a taken one leaves nothing behind. Who connects
    /// meanwhile waits until [`Server::run`].
    pub async fn listen(config: &GatewayConfig) -> Result<TcpListener, Error> {
        let address = config.listen;
        TcpListener::bind(address).await.map_err(|source| Error::ListenFailed { address, source })
    }

    /// Reads the secrets.
    pub fn new(listener: TcpListener, config: GatewayConfig, parts: Parts) -> Result<Self, Error> {
        Ok(Self { listener, gateway: Arc::new(Gateway::new(config, parts)?) })
    }

    /// The address in use; it differs from the configured one if that had port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// Serves until the token is cancelled, then lets the requests in hand finish. `reads` are the questions that
    /// other roles answer; they stand under the same token as the gateway's own. `open` is for everybody.
    pub async fn run(self, reads: Router, open: Router, stop: CancellationToken) -> Result<(), Error> {
        if self.gateway.keys.is_empty() {
            tracing::warn!(
                gateway.listen = %self.address(),
                "unsigned events are accepted from every program on this machine: no secrets are configured"
            );
        }
        if self.gateway.readers.is_none() {
            tracing::warn!(
                gateway.listen = %self.address(),
                "every program on this machine may read cases and rates: no token is configured"
            );
        }
        tracing::info!(gateway.listen = %self.address(), "gateway listens");
        let config = self.gateway.config.clone();
        server::serve(self.listener, handler::router(&self.gateway, reads, open), &config, stop).await;
        Ok(())
    }
}

impl Gateway {
    fn new(config: GatewayConfig, parts: Parts) -> Result<Self, Error> {
        let keys = signature::Keys::read(&config.secrets)?;
        let (readers, operators) = access::of(&config)?;
        Ok(Self {
            throttle: throttle::Throttle::new(config.events_per_second_max, config.events_burst_max),
            slots: Semaphore::new(config.requests_max),
            reads: Semaphore::new(config.requests_max),
            bodies: Arc::new(Semaphore::new(config.bodies_bytes_max)),
            adapters: adapters::Adapters::default(),
            keys,
            readers,
            operators,
            parts,
            config,
        })
    }
}
