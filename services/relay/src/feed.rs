//! `GET /v1/departments/{code}/feed?after=N&limit=N`: what a department was told, for whoever prefers to ask.
//!
//! The cursor is the number of the last notice that was read; it stays good for as long as notices are kept.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use hotline_postgres::notices::{self, Numbered};
use hotline_postgres::{Error, PgPool, Sort, run_tx};
use hotline_runtime::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

const LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;
/// When to come again while the store is away.
const RETRY_SECONDS: u64 = 5;

/// The feed, for the listener of the gateway, which knows who may read.
pub fn router(pool: PgPool) -> Router {
    Router::new().route("/v1/departments/{code}/feed", get(feed)).with_state(pool)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    after: i64,
    #[serde(default = "limit")]
    limit: i64,
}

fn limit() -> i64 {
    LIMIT
}

async fn feed(State(pool): State<PgPool>, Path(code): Path<String>, uri: Uri) -> Response {
    let asked = Query::<Asked>::try_from_uri(&uri).ok().map(|Query(asked)| asked);
    let Some(asked) = asked.filter(|asked| asked.after >= 0 && (1..=LIMIT_MAX).contains(&asked.limit)) else {
        let title = "The query takes after (a number) and limit (1 to 1000)";
        return Problem::new(StatusCode::BAD_REQUEST, "query", title).into_response();
    };
    let mut of = (code.as_str(), &asked);
    let found = run_tx(&pool, "relay::feed", &mut of, |tx, (code, asked)| {
        Box::pin(notices::after(tx, Some(code), asked.after, asked.limit))
    })
    .await;
    match found {
        Ok(found) => Json(page(&found, asked.after)).into_response(),
        Err(error) => problem(&error).into_response(),
    }
}

fn page(found: &[Numbered], after: i64) -> Value {
    let shown = |notice: &Numbered| {
        let event: Value = serde_json::from_str(&notice.event).unwrap_or_default();
        json!({ "number": notice.number, "event": event })
    };
    json!({
        "notices": found.iter().map(shown).collect::<Vec<_>>(),
        "after": found.last().map_or(after, |last| last.number),
    })
}

fn problem(error: &Error) -> Problem {
    if matches!(error.sort(), Sort::Environment | Sort::Race) {
        tracing::warn!(error.code = error.code(), %error, "the store is away");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store is away")
            .retry_after(RETRY_SECONDS);
    }
    tracing::error!(error.code = error.code(), %error, "a feed failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The request failed by a fault of ours")
}
