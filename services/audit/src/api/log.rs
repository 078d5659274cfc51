//! The closure log: static resources as C2SP tlog-tiles has them, and a proof for each record.
//!
//! What is signed and hashed is for everybody, from anywhere; the records themselves are for auditors.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hotline_postgres::run_read_tx;
use hotline_runtime::problem::Problem;

use super::problem;
use crate::copy::rulebooks;
use crate::desk::Desk;
use crate::error::Error;
use crate::log::path::{Asked, parse};
use crate::log::{self, resource};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
/// What is at a path of a tile stays so.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// The same for what only auditors may see.
const FOR_EVER_PRIVATE: &str = "private, max-age=31536000, immutable";
/// A checkpoint is followed by the next.
const BRIEFLY: &str = "public, max-age=1";
const NOT_KEPT: &str = "no-store";

/// `GET /log/checkpoint`
pub(super) async fn checkpoint(State(desk): State<Arc<Desk>>) -> Response {
    match log::checkpoint(&desk.parts.pool).await {
        Ok(Some((_, note))) => answer(TEXT, BRIEFLY, note),
        Ok(None) => not_found(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// `GET /log/tile/{level}/{index}`
pub(super) async fn hashes(
    State(desk): State<Arc<Desk>>,
    Path((level, index)): Path<(String, String)>,
) -> Response {
    let Some(asked @ Asked::Hashes { .. }) = parse(&format!("tile/{level}/{index}")) else {
        return not_found();
    };
    at_path(&desk, asked, FOR_EVER).await
}

/// `GET /log/tile/entries/{index}`
pub(super) async fn entries(State(desk): State<Arc<Desk>>, Path(index): Path<String>) -> Response {
    let Some(asked) = parse(&format!("tile/entries/{index}")) else { return not_found() };
    at_path(&desk, asked, FOR_EVER_PRIVATE).await
}

async fn at_path(desk: &Desk, asked: Asked, cache: &'static str) -> Response {
    let (pool, mut asked) = (&desk.parts.pool, asked);
    let read =
        run_read_tx(pool, "audit::resource", &mut asked, |tx, asked| Box::pin(resource::read(tx, *asked)));
    match read.await {
        Ok(Some(bytes)) => answer(BYTES, cache, bytes),
        Ok(None) => not_found(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// `GET /log/proof/{record}`
pub(super) async fn proof(State(desk): State<Arc<Desk>>, Path(record): Path<String>) -> Response {
    let Ok(record) = record.parse::<i64>() else { return not_found() };
    match log::proof_of(&desk.parts.pool, record).await {
        Ok(proof) => answer(TEXT, NOT_KEPT, proof.to_string()),
        Err(Error::NotSealed { .. } | Error::NoLog) => not_found(),
        Err(Error::Store(error)) => problem::of_store(&error).into_response(),
        Err(error) => {
            tracing::error!(error.code = error.code(), %error, "a proof could not be made");
            let title = "The closure log does not hold together; its operator is told";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "log", title).into_response()
        }
    }
}

/// `GET /log/rulebooks`
pub(super) async fn rulebook_hashes(State(desk): State<Arc<Desk>>) -> Response {
    match rulebooks::hashes(&desk.parts.pool).await {
        Ok(hashes) => answer(JSON, NOT_KEPT, rulebooks::encode_hashes(&hashes)),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// `GET /log/rulebooks/{hash}`
pub(super) async fn rulebook(State(desk): State<Arc<Desk>>, Path(hash): Path<String>) -> Response {
    match rulebooks::files(&desk.parts.pool, &hash).await {
        Ok(Some(files)) => answer(JSON, FOR_EVER_PRIVATE, rulebooks::encode(&files)),
        Ok(None) => not_found(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

fn answer(kind: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, body.into()).into_response()
}

fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "The log has no such resource").into_response()
}
