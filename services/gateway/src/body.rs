//! Reading a body within its limits, so that whoever sends too much still hears the answer.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use hotline_runtime::problem::Problem;
use http_body_util::BodyExt as _;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::handler::busy;

/// Of a body that is too long this many times the limit is read and dropped, so that the connection can go on.
const DRAIN: usize = 4;

/// The whole body and its share of the budget, which lasts as long as it does; or the problem to answer.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    budget: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_encoding",
            "Bodies are taken as they are, without content encoding",
        )
        .closing());
    }
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let waits = headers.contains_key(header::EXPECT);
    if announced
        .is_some_and(|length| length > bytes_max && (waits || length > bytes_max.saturating_mul(DRAIN)))
    {
        return Err(too_large(bytes_max).closing());
    }
    let slow =
        |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "slow", "The body did not come in time").closing();
    timeout_at(deadline, collect(body, bytes_max, budget)).await.map_err(slow)?
}

/// Takes the body's share of the budget as its bytes come, so that an announced length takes nothing yet.
async fn collect(
    mut body: Body,
    bytes_max: usize,
    budget: &Arc<Semaphore>,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let cut = || Problem::new(StatusCode::BAD_REQUEST, "cut_off", "The body ended before its end").closing();
    let mut bytes = Vec::new();
    let share_of = |length: usize| {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Arc::clone(budget).try_acquire_many_owned(length).map_err(|_| busy())
    };
    let mut share = share_of(0)?;
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| cut())?.into_data() else { continue };
        length += data.len();
        if length > bytes_max.saturating_mul(DRAIN) {
            return Err(too_large(bytes_max).closing());
        }
        if length <= bytes_max {
            share.merge(share_of(data.len())?);
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
            share = share_of(0)?;
        }
    }
    if length > bytes_max { Err(too_large(bytes_max)) } else { Ok((bytes.into(), share)) }
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than is taken at once")
        .with("bytes_max", bytes_max.into())
}
