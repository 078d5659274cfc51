//! What every question shares, and the places for questions: whoever finds none is told to come again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hotline_runtime::problem::{Problem, ProblemCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::log::note::Key;
use crate::query::Queries;
use crate::{AuditConfig, LogParts, Parts, metrics};

/// How long an answer may take to begin; an export goes on after that.
const ANSWER_FOR_MAX: Duration = Duration::from_secs(30);

/// What every question shares.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) parts: Parts,
    pub(crate) queries: Queries,
    pub(crate) config: AuditConfig,
    pub(crate) log: LogParts,
    /// The keys of the witnesses.
    pub(crate) witnesses: Vec<Key>,
    /// Questions in hand.
    slots: Semaphore,
    /// Exports in hand.
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) exports_max: usize,
}

impl Desk {
    pub(crate) fn new(config: &AuditConfig, parts: &Parts, log: &LogParts) -> Self {
        Self {
            queries: Queries::new(parts.pool.clone(), Arc::clone(&parts.rules)),
            parts: parts.clone(),
            config: config.clone(),
            log: log.clone(),
            witnesses: config.witness_keys(),
            slots: Semaphore::new(config.requests_max),
            exports: Arc::new(Semaphore::new(config.exports_max)),
            exports_max: config.exports_max,
        }
    }
}

/// Gives a question its place and counts it.
pub(crate) async fn observe(
    State((desk, route)): State<(Arc<Desk>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let begun_at = Instant::now();
    let response = match desk.slots.try_acquire() {
        Ok(_slot) => {
            timeout(ANSWER_FOR_MAX, next.run(request)).await.unwrap_or_else(|_| slow().into_response())
        }
        Err(_) => busy().into_response(),
    };
    let code = response.extensions().get::<ProblemCode>().map_or("ok", |code| code.0);
    metrics::request(route, (response.status(), code), begun_at.elapsed());
    response
}

fn slow() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "slow", "The answer took too long").retry_after(5)
}

/// What to answer when there is no place.
pub(crate) fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests are at work").retry_after(1)
}
