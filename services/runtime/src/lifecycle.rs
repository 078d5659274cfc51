//! Starting and ending a process: components under supervision, two signals, an exit code.
//!
//! Components do the work and leave when the token is cancelled. Supports (the ops server, the watch
//! over the embedded database) outlive them. Whatever ends before it was asked to is a failure: all
//! else is drained and the exit code is 1.

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::ops::{Condition, Readiness};

/// How long components may take to finish after the first signal.
pub const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How long supports may take afterwards; they hold no work.
const SUPPORT_WAIT: Duration = Duration::from_secs(2);

/// Clean end.
pub const EXIT_OK: u8 = 0;
/// A component failed.
pub const EXIT_FAILED: u8 = 1;
/// The command line was not understood (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// The configuration has faults (`EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;

type Ended = (&'static str, Result<(), String>);

/// The components of a process and the tokens that end them.
#[derive(Debug)]
pub struct Lifecycle {
    stop: CancellationToken,
    stop_supports: CancellationToken,
    components: JoinSet<Ended>,
    supports: JoinSet<Ended>,
    running: Condition,
    interrupt: Signal,
    terminate: Signal,
}

impl Lifecycle {
    /// Listens to signals from here on. `/readyz` says no from the first one.
    pub fn new(readiness: &Readiness) -> Result<Self, Error> {
        let running = readiness.condition("running");
        running.set(true);
        Ok(Self {
            stop: CancellationToken::new(),
            stop_supports: CancellationToken::new(),
            components: JoinSet::new(),
            supports: JoinSet::new(),
            running,
            interrupt: signal(SignalKind::interrupt()).map_err(Error::SignalsUnavailable)?,
            terminate: signal(SignalKind::terminate()).map_err(Error::SignalsUnavailable)?,
        })
    }

    /// Cancelled at the first signal or failure: finish the batch, commit, leave.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Cancelled when all components have left.
    pub fn support_token(&self) -> CancellationToken {
        self.stop_supports.clone()
    }

    /// Starts a component that leaves when [`Lifecycle::token`] is cancelled.
    pub fn spawn<E: Into<Box<dyn StdError + Send + Sync>>>(
        &mut self,
        name: &'static str,
        component: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.components.spawn(async move { (name, component.await.map_err(chain)) });
    }

    /// Starts a support that leaves when [`Lifecycle::support_token`] is cancelled.
    pub fn spawn_support<E: Into<Box<dyn StdError + Send + Sync>>>(
        &mut self,
        name: &'static str,
        support: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.supports.spawn(async move { (name, support.await.map_err(chain)) });
    }

    /// Waits for the first signal while something is being prepared, such as a database in recovery.
    /// `None` if a signal came first; the preparation is then dropped where it stands.
    pub async fn unless_stopped<T>(&mut self, preparation: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            prepared = preparation => Some(prepared),
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
        }
    }

    /// Runs until a signal or a failure, drains, and says with which code to exit.
    pub async fn run(self) -> u8 {
        self.run_until(std::future::pending()).await
    }

    /// As [`Lifecycle::run`], around some work of this process's own: its end is taken as a signal, and at a signal
    /// it is dropped where it stands.
    pub async fn run_until(mut self, work: impl Future<Output = ()>) -> u8 {
        let mut failed = !self.until_stopped(work).await;
        self.running.set(false);
        self.stop.cancel();
        failed |= !self.drain().await;
        self.stop_supports.cancel();
        let supports = async { while self.supports.join_next().await.is_some() {} };
        if tokio::time::timeout(SUPPORT_WAIT, supports).await.is_err() {
            self.supports.abort_all();
        }
        tracing::info!(process.failed = failed, "stopped");
        if failed { EXIT_FAILED } else { EXIT_OK }
    }

    /// True if a signal or the end of the work ended the wait, false if something ended that should not have.
    async fn until_stopped(&mut self, work: impl Future<Output = ()>) -> bool {
        tokio::select! {
            () = work => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(ended) = self.components.join_next() => return unexpected(ended),
            Some(ended) = self.supports.join_next() => return unexpected(ended),
        }
        tracing::info!("stopping: finishing the work in hand; a second signal aborts");
        true
    }

    /// True if every component left by itself, without error and in time.
    async fn drain(&mut self) -> bool {
        let deadline = tokio::time::sleep(DRAIN_WAIT);
        tokio::pin!(deadline);
        let mut clean = true;
        loop {
            tokio::select! {
                ended = self.components.join_next() => match ended {
                    Some(Ok((_, Ok(())))) => {}
                    Some(ended) => clean &= unexpected(ended),
                    None => return clean,
                },
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
                () = &mut deadline => break,
            }
        }
        tracing::error!(components.left = self.components.len(), "aborting: components had not finished");
        self.components.shutdown().await;
        false
    }
}

/// An error with its causes, on one line.
fn chain<E: Into<Box<dyn StdError + Send + Sync>>>(error: E) -> String {
    let error: Box<dyn StdError + Send + Sync> = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Logs the end of something that was to go on.
fn unexpected(ended: Result<Ended, JoinError>) -> bool {
    match ended {
        Ok((name, Ok(()))) => tracing::error!(component.name = name, "component ended unexpectedly"),
        Ok((name, Err(error))) => tracing::error!(component.name = name, error, "component failed"),
        // The panic hook has logged where.
        Err(error) => tracing::error!(component.panicked = error.is_panic(), "component was cut off"),
    }
    false
}
