//! Reading a body within its limits, so that whoever sends too much still hears the answer.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use hotline_runtime::problem::Problem;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

/// Of a body that is too long this many times the limit is read and dropped, so that the connection can go on.
const DRAIN: usize = 4;

/// The whole body, or the problem to answer.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    deadline: Instant,
) -> Result<Bytes, Problem> {
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
    timeout_at(deadline, collect(body, announced.unwrap_or_default(), bytes_max)).await.map_err(slow)?
}

async fn collect(mut body: Body, announced: usize, bytes_max: usize) -> Result<Bytes, Problem> {
    let cut = || Problem::new(StatusCode::BAD_REQUEST, "cut_off", "The body ended before its end").closing();
    let mut bytes = Vec::with_capacity(announced.min(bytes_max));
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| cut())?.into_data() else { continue };
        length += data.len();
        if length > bytes_max.saturating_mul(DRAIN) {
            return Err(too_large(bytes_max).closing());
        }
        if length <= bytes_max {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    if length > bytes_max { Err(too_large(bytes_max)) } else { Ok(bytes.into()) }
}

pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than is taken at once")
        .with("bytes_max", bytes_max.into())
}
