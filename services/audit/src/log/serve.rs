//! The log over HTTP: static resources as C2SP tlog-tiles has them, and a proof for each record.
//!
//! Two routers for the listener of the gateway, which knows who may read: [`public`] gives away sizes and hashes to everybody,
//! [`auditors`] the records themselves.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hotline_postgres::{Error as Store, PgConnection, PgPool, Sort, closure_log, run_read_tx};
use hotline_runtime::problem::Problem;

use super::path::{Asked, parse};
use super::state;
use super::tree::WIDTH;
use crate::error::Error;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// What is at a path of a tile stays so.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// The same for what only auditors may see.
const FOR_EVER_PRIVATE: &str = "private, max-age=31536000, immutable";
/// A checkpoint is followed by the next.
const BRIEFLY: &str = "public, max-age=1";
const NOT_KEPT: &str = "no-store";
/// When to come again while the store is away.
const RETRY_SECONDS: u64 = 5;

/// The checkpoint and the hashes of the tree, for anybody.
pub fn public(pool: PgPool) -> Router {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{level}/{*index}", get(hashes))
        .with_state(pool)
}

/// The records and their proofs, for whoever may read cases.
pub fn auditors(pool: PgPool) -> Router {
    Router::new()
        .route("/log/tile/entries/{*index}", get(entries))
        .route("/log/proof/{record}", get(proof))
        .with_state(pool)
}

async fn checkpoint(State(pool): State<PgPool>) -> Response {
    match state::checkpoint(&pool).await {
        Ok(Some((_, note))) => answer(TEXT, BRIEFLY, note),
        Ok(None) => not_found(),
        Err(error) => problem(&error),
    }
}

async fn hashes(State(pool): State<PgPool>, Path((level, index)): Path<(String, String)>) -> Response {
    let Some(asked @ Asked::Hashes { .. }) = parse(&format!("tile/{level}/{index}")) else {
        return not_found();
    };
    resource(&pool, asked, FOR_EVER).await
}

async fn entries(State(pool): State<PgPool>, Path(index): Path<String>) -> Response {
    let Some(asked) = parse(&format!("tile/entries/{index}")) else { return not_found() };
    resource(&pool, asked, FOR_EVER_PRIVATE).await
}

async fn resource(pool: &PgPool, asked: Asked, cache: &'static str) -> Response {
    let mut asked = asked;
    let read = run_read_tx(pool, "audit::resource", &mut asked, |tx, asked| Box::pin(read(tx, *asked)));
    match read.await {
        Ok(Some(bytes)) => answer(BYTES, cache, bytes),
        Ok(None) => not_found(),
        Err(error) => problem(&error),
    }
}

/// The bytes of a resource of the log in force; None: that much was not signed.
pub(crate) async fn read(tx: &mut PgConnection, asked: Asked) -> Result<Option<Vec<u8>>, Store> {
    let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
    let Some(signed) = closure_log::last_signed(tx, state.log, None).await? else { return Ok(None) };
    match asked {
        Asked::Hashes { place, width } => {
            let hashes = signed.size.checked_shr(u32::from(place.level) * WIDTH.ilog2()).unwrap_or(0);
            if !is_signed(place.index, width, hashes) {
                return Ok(None);
            }
            let found = closure_log::tiles(tx, state.log, &[place]).await?;
            // A narrower tile is the beginning of a wider one.
            let bytes = usize::try_from(width * 32).unwrap_or(usize::MAX);
            Ok(found.into_iter().next().and_then(|tile| tile.data.get(..bytes).map(<[u8]>::to_vec)))
        }
        Asked::Entries { index, width } => {
            if !is_signed(index, width, signed.size) {
                return Ok(None);
            }
            let limit = i64::try_from(width).unwrap_or(i64::MAX);
            let sealed = closure_log::sealed_from(tx, state.log, index * WIDTH, limit).await?;
            Ok(bundle(sealed.iter().map(|sealed| sealed.leaf.as_deref()), width))
        }
    }
}

fn is_signed(index: u64, width: u64, hashes: u64) -> bool {
    index.checked_mul(WIDTH).and_then(|first| first.checked_add(width)).is_some_and(|end| end <= hashes)
}

/// Leaves one after another, each with its length in two bytes before it. None: one is missing.
pub(crate) fn bundle<'l>(leaves: impl Iterator<Item = Option<&'l [u8]>>, width: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for leaf in leaves {
        let leaf = leaf?;
        bytes.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(leaf);
        count += 1;
    }
    (count == width).then_some(bytes)
}

/// The leaves of a bundle; None: it is not one.
pub(crate) fn unbundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf);
        bytes = rest;
    }
    bytes.is_empty().then_some(leaves)
}

async fn proof(State(pool): State<PgPool>, Path(record): Path<String>) -> Response {
    let Ok(record) = record.parse::<i64>() else { return not_found() };
    match state::proof_of(&pool, record).await {
        Ok(proof) => answer(TEXT, NOT_KEPT, proof.to_string()),
        Err(Error::NotSealed { .. } | Error::NoLog) => not_found(),
        Err(Error::Store(error)) => problem(&error),
        Err(error) => {
            tracing::error!(error.code = error.code(), %error, "a proof could not be made");
            let title = "The closure log does not hold together; its operator is told";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "log", title).into_response()
        }
    }
}

fn answer(kind: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, body.into()).into_response()
}

fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "The log has no such resource").into_response()
}

fn problem(error: &Store) -> Response {
    match error.sort() {
        Sort::Environment | Sort::Race => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store is unavailable")
                .retry_after(RETRY_SECONDS)
                .into_response()
        }
        Sort::Data | Sort::Bug => {
            tracing::error!(error.code = error.code(), %error, "the log could not be read");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error")
                .into_response()
        }
    }
}
