//! Every address of the role, those of programs and those of people, and what holds for all of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use hotline_runtime::problem::Problem;

use crate::desk::Desk;
use crate::{AuditConfig, LogParts, Parts, api, pages};

/// A reason is a few lines.
const BODY_BYTES_MAX: usize = 16 * 1024;

pub(crate) fn router(config: &AuditConfig, parts: &Parts, log: &LogParts) -> Router {
    let desk = Arc::new(Desk::new(config, parts, log));
    let method =
        || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This is not asked that way") };
    api::router(&desk)
        .merge(pages::router(&desk))
        .with_state(desk)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .method_not_allowed_fallback(method)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no_route", "There is nothing here") })
        .layer(axum::middleware::from_fn(pages::humane))
        .layer(axum::middleware::map_response(strict))
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
