//! A witness over HTTP, and one that looks by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use hotline_postgres::closure_log::Tile;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::client::Client;
use super::{Fault, Verdict, Witness};
use crate::log::note::said;
use crate::log::path::of_hashes;
use crate::log::tree::{Tiles, WIDTH, Wanted, needed, prove_consistency};

/// A checkpoint with its proof.
const BODY_BYTES_MAX: usize = 65_536;
const TEXT: &str = "text/plain; charset=utf-8";
/// As the specification names it.
const SIZE: &str = "text/x.tlog.size";

/// The witness and its clock.
type Shared = (Arc<Witness>, fn() -> Timestamp);

/// `POST /add-checkpoint`.
pub fn router(witness: Arc<Witness>, now: fn() -> Timestamp) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state((witness, now))
}

async fn add_checkpoint(State((witness, now)): State<Shared>, body: String) -> Response {
    // It waits for a disk.
    let looked = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now())).await;
    match looked {
        Ok(Ok(verdict)) => answer(verdict),
        Ok(Err(fault)) => {
            tracing::error!(error = %fault, "nothing can be kept, so nothing is cosigned");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn answer(verdict: Verdict) -> Response {
    match verdict {
        Verdict::Cosigned(line) => ([(header::CONTENT_TYPE, TEXT)], line).into_response(),
        Verdict::Seen(size) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Verdict::Malformed => StatusCode::BAD_REQUEST.into_response(),
        Verdict::UnknownLog => StatusCode::NOT_FOUND.into_response(),
        Verdict::NotSigned => StatusCode::FORBIDDEN.into_response(),
        Verdict::Inconsistent => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}

/// Looks at what a log publishes, for a witness that the log cannot reach.
#[derive(Clone, Debug)]
pub struct Follow {
    /// What the paths of the log stand under, such as `https://…/log`.
    pub url: String,
    pub every: Duration,
}

impl Follow {
    /// Looks again and again until `stop`; what is wrong is told each time it changes.
    pub async fn run(self, witness: Arc<Witness>, now: fn() -> Timestamp, stop: CancellationToken) {
        let (client, mut told) = (Client::new(), String::new());
        while !stop.is_cancelled() {
            let (witness, client, url) = (Arc::clone(&witness), client.clone(), self.url.clone());
            let looked = tokio::task::spawn_blocking(move || look(&witness, &client, &url, now())).await;
            let wrong = match looked {
                Ok(Ok(Verdict::Cosigned(_))) => String::new(),
                Ok(Ok(verdict)) => format!("the checkpoint was not cosigned: {verdict:?}"),
                Ok(Err(wrong)) => wrong,
                Err(error) => error.to_string(),
            };
            if wrong != told && !wrong.is_empty() {
                tracing::error!(log.url = self.url, reason = wrong, "the log could not be followed");
            }
            told = wrong;
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// One look at a log.
fn look(witness: &Witness, client: &Client, url: &str, now: Timestamp) -> Result<Verdict, String> {
    let url = url.trim_end_matches('/');
    let get = |path: &str| client.get(&format!("{url}/{path}"), None);
    let note = get("checkpoint")?.and_then(|bytes| String::from_utf8(bytes).ok());
    let note = note.ok_or_else(|| format!("{url}/checkpoint: there is none"))?;
    let (origin, size) = said(&note).map_err(|fault| fault.to_string())?;
    let before = witness.seen(&origin).ok_or_else(|| format!("{origin} is none of the logs it knows"))?;
    if before > size {
        return Ok(Verdict::Seen(before));
    }
    let mut tiles = Vec::new();
    for place in needed(&[Wanted::Consistency { size, before }]) {
        let hashes = size >> (u32::from(place.level) * WIDTH.ilog2());
        let path = of_hashes(place, WIDTH.min(hashes - place.index * WIDTH));
        let data = get(&path)?.ok_or_else(|| format!("{url}/{path}: there is none"))?;
        tiles.push(Tile { place, data });
    }
    let tiles: Tiles = tiles.into_iter().collect();
    let proof = prove_consistency(&tiles, size, before).map_err(|error| error.to_string())?;
    let asked = Asked { before, proof: proof.iter().map(|hash| hash.0).collect(), note };
    witness.add_checkpoint(&asked.to_string(), now).map_err(|fault: Fault| fault.to_string())
}

/// Serves until `stop`; answers that are under way are given.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}
