//! One closed case: its history, its records, its people.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use hotline_runtime::problem::Problem;
use serde::Deserialize;

use super::people::{masked, unmasked};
use super::problem;
use crate::desk::Desk;
use crate::error::Error;
use crate::query::History;
use crate::token::Caller;

/// As the schemas bound a subject.
const CASE_BYTES_MAX: usize = 96;
/// A reason says something, in a few lines.
const WHY_BYTES: std::ops::RangeInclusive<usize> = 3..=1_000;

/// Whether it can be the name of a case.
pub(crate) fn is_case(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=CASE_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// The history of a case that the caller sees; a case of others is none.
pub(crate) async fn history(desk: &Desk, caller: &Caller, case: &str) -> Result<Option<History>, Error> {
    if !is_case(case) {
        return Ok(None);
    }
    let history = desk.queries.history(case).await?;
    Ok(history.filter(|history| caller.sees(history.departments())))
}

/// `GET /v1/closures/{case}`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<String>,
) -> Response {
    match history(&desk, &caller, &case).await {
        Ok(Some(history)) => match masked(&desk.parts.pool, &desk.parts.master, &case).await {
            Ok(people) => {
                let mut shown = history.to_json((desk.parts.now)());
                shown["people"] = people.to_json();
                Json(shown).into_response()
            }
            Err(error) => problem::of_store(&error).into_response(),
        },
        Ok(None) => problem::no_case().into_response(),
        Err(error) => problem::of(&error).into_response(),
    }
}

/// `GET /v1/closures/{case}/records/{id}`: exactly the bytes that the log hashes.
pub(super) async fn record(
    State(desk): State<Arc<Desk>>,
    Path((case, id)): Path<(String, String)>,
) -> Response {
    match leaf_of(&desk, &case, &id).await {
        Ok((_, bytes)) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes)
                .into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The number and the bytes of a record of a case.
pub(crate) async fn leaf_of(desk: &Desk, case: &str, id: &str) -> Result<(i64, Vec<u8>), Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_record", "The case has no such record");
    let id = id.parse::<i64>().ok().filter(|_| is_case(case)).ok_or_else(none)?;
    let bytes = desk.queries.leaf(case, id).await.map_err(|error| problem::of(&error))?;
    Ok((id, bytes.ok_or_else(none)?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    why: String,
}

/// Whether it can be kept as a reason.
pub(crate) fn is_reason(why: &str) -> bool {
    WHY_BYTES.contains(&why.len()) && !why.contains('\0')
}

/// Forms of other sites cannot say so of what they send.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// `POST /v1/closures/{case}/unmask` with `{"why": …}`.
pub(super) async fn unmask(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_json(&headers) {
        let title = "The body is JSON: say so with Content-Type: application/json";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", title).into_response();
    }
    let reason = serde_json::from_slice::<Reason>(&body).ok().map(|reason| reason.why.trim().to_owned());
    let Some(why) = reason.filter(|why| is_reason(why)) else {
        let title = "The body is {\"why\": …}: the reason, in 3 to 1000 bytes; it is kept";
        return Problem::new(StatusCode::BAD_REQUEST, "reason", title).into_response();
    };
    match history(&desk, &caller, &case).await {
        Ok(Some(_)) => {}
        Ok(None) => return problem::no_case().into_response(),
        Err(error) => return problem::of(&error).into_response(),
    }
    let now = (desk.parts.now)();
    match unmasked(&desk.parts.pool, &desk.parts.master, &case, (&caller, &why), now).await {
        Ok(people) => Json(people.to_json()).into_response(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}
