//! The ops server: health, metrics and the log filter, on a port of its own.
//!
//! `/livez` says that the process answers, `/readyz` that every named condition holds. It has no
//! authentication and therefore belongs on loopback or in a private network.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::config::OpsConfig;
use crate::logging::LogHandle;

/// A log filter longer than this is a mistake.
const FILTER_BYTES_MAX: usize = 4 * 1024;
/// How often the recorder folds its samples, so that memory does not grow between scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The named conditions under which the process is ready for work.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>>);

/// One condition. It does not hold until [`Condition::set`] says so.
#[derive(Debug, Clone)]
pub struct Condition(Arc<AtomicBool>);

impl Condition {
    pub fn set(&self, holds: bool) {
        self.0.store(holds, Ordering::Release);
    }
}

#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    conditions: BTreeMap<&'static str, bool>,
}

impl Readiness {
    /// The condition of that name, made when first asked for.
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Condition(Arc::clone(conditions.entry(name).or_default()))
    }

    pub fn is_ready(&self) -> bool {
        self.report().ready
    }

    fn report(&self) -> Report {
        let conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let conditions: BTreeMap<_, _> =
            conditions.iter().map(|(name, holds)| (*name, holds.load(Ordering::Acquire))).collect();
        Report { ready: conditions.values().all(|holds| *holds), conditions }
    }
}

/// The server, bound and not yet serving: the address is known before anything starts.
#[derive(Debug)]
pub struct OpsServer {
    listener: TcpListener,
    state: Ops,
}

#[derive(Debug, Clone)]
struct Ops {
    readiness: Readiness,
    /// None: nothing is measured.
    metrics: Option<PrometheusHandle>,
    log: LogHandle,
}

impl OpsServer {
    pub async fn bind(
        config: &OpsConfig,
        readiness: Readiness,
        metrics: Option<PrometheusHandle>,
        log: LogHandle,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind(config.listen).await.map_err(|source| Error::ListenFailed {
            section: "ops",
            address: config.listen,
            source,
        })?;
        Ok(Self { listener, state: Ops { readiness, metrics, log } })
    }

    /// The address in use; it differs from the configured one if that had port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// Serves until the token is cancelled.
    pub async fn serve(self, stop: CancellationToken) -> std::io::Result<()> {
        let metrics = self.state.metrics.clone();
        let upkeep = async move {
            let mut tick = tokio::time::interval(UPKEEP_EVERY);
            loop {
                tick.tick().await;
                if let Some(metrics) = &metrics {
                    metrics.run_upkeep();
                }
            }
        };
        let router = router(self.state);
        tokio::select! {
            // Not gracefully: a scraper's idle connection must not hold up the end.
            () = stop.cancelled() => Ok(()),
            served = axum::serve(self.listener, router) => served,
            () = upkeep => Ok(()),
        }
    }
}

fn router(state: Ops) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .route("/log-filter", put(set_log_filter).get(log_filter))
        .layer(DefaultBodyLimit::max(FILTER_BYTES_MAX))
        .with_state(state)
}

async fn ready(State(ops): State<Ops>) -> (StatusCode, Json<Report>) {
    let report = ops.readiness.report();
    (if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report))
}

async fn render(State(ops): State<Ops>) -> Response {
    let Some(metrics) = ops.metrics else { return StatusCode::NOT_FOUND.into_response() };
    // What the process takes of the machine is asked of it now.
    metrics_process::Collector::default().collect();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

async fn log_filter(State(ops): State<Ops>) -> String {
    ops.log.filter() + "\n"
}

async fn set_log_filter(State(ops): State<Ops>, filter: String) -> Response {
    match ops.log.set_filter(filter.trim()) {
        Ok(()) => {
            tracing::info!(log.filter = filter.trim(), "log filter changed");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
