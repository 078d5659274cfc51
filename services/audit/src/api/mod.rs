//! The addresses of the role: JSON and files. What is answered is made by [`crate::query`] and [`crate::export`].

pub(crate) mod access;
pub(crate) mod closures;
pub(crate) mod foreign;
pub(crate) mod lists;
mod log;
pub(crate) mod people;
pub(crate) mod problem;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use hotline_runtime::problem::{Problem, ProblemCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::log::note::Key;
use crate::query::Queries;
use crate::token::Right;
use crate::{AuditConfig, LogParts, Parts, metrics, pages};

/// A reason is a few lines.
const BODY_BYTES_MAX: usize = 16 * 1024;
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
    exports: Arc<Semaphore>,
    exports_max: usize,
}

/// What an address needs, and who answers there.
struct Route {
    path: &'static str,
    /// None: everybody is answered.
    right: Option<Right>,
    methods: fn() -> MethodRouter<Arc<Desk>>,
}

/// Every address: the description of the interface and the tests go by this table.
const ROUTES: &[Route] = &[
    Route { path: "/v1/closures", right: Some(Right::Lists), methods: || get(lists::closures) },
    Route { path: "/v1/closures/{case}", right: Some(Right::Case), methods: || get(closures::show) },
    Route {
        path: "/v1/closures/{case}/records/{id}",
        right: Some(Right::Records),
        methods: || get(closures::record),
    },
    Route {
        path: "/v1/closures/{case}/unmask",
        right: Some(Right::Unmask),
        methods: || post(closures::unmask),
    },
    Route { path: "/v1/audit/sample", right: Some(Right::Lists), methods: || get(lists::sample) },
    Route { path: "/v1/audit/{list}", right: Some(Right::Lists), methods: || get(lists::list) },
    Route { path: "/v1/access", right: Some(Right::AccessLog), methods: || get(access::log) },
    Route { path: "/v1/exports/{id}", right: Some(Right::Exports), methods: || get(access::export) },
    Route { path: "/log/checkpoint", right: None, methods: || get(log::checkpoint) },
    Route { path: "/log/tile/{level}/{*index}", right: None, methods: || get(log::hashes) },
    Route { path: "/log/tile/entries/{*index}", right: Some(Right::Records), methods: || get(log::entries) },
    Route { path: "/log/proof/{record}", right: Some(Right::Records), methods: || get(log::proof) },
    Route { path: "/log/rulebooks", right: Some(Right::Records), methods: || get(log::rulebook_hashes) },
    Route { path: "/log/rulebooks/{hash}", right: Some(Right::Records), methods: || get(log::rulebook) },
];

pub(crate) fn router(config: &AuditConfig, parts: &Parts, log: &LogParts) -> Router {
    let desk = Arc::new(Desk {
        queries: Queries::new(parts.pool.clone(), Arc::clone(&parts.rules)),
        parts: parts.clone(),
        config: config.clone(),
        log: log.clone(),
        witnesses: config.witness_keys(),
        slots: Semaphore::new(config.requests_max),
        exports: Arc::new(Semaphore::new(config.exports_max)),
        exports_max: config.exports_max,
    });
    let routes = ROUTES.iter().fold(Router::new(), |router, route| {
        let mut methods = (route.methods)();
        if let Some(right) = route.right {
            methods = methods.route_layer(from_fn_with_state((Arc::clone(&desk), right), access::check));
        }
        let observed = from_fn_with_state((Arc::clone(&desk), route.path), observe);
        router.route(route.path, methods.route_layer(observed))
    });
    let method =
        || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This is not asked that way") };
    routes
        .merge(pages::router(&desk))
        .with_state(desk)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .method_not_allowed_fallback(method)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no_route", "There is nothing here") })
        .layer(axum::middleware::from_fn(pages::humane))
        .layer(axum::middleware::map_response(strict))
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
fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests are at work").retry_after(1)
}

/// Keeps answers out of caches and frames; nothing is run that came with one.
async fn strict(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    response
}
