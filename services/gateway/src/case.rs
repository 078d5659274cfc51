//! `GET /v1/cases/{id}`: one case as it stands now, under the active rulebook.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_runtime::problem::Problem;

use crate::Gateway;
use crate::handler::unavailable;

/// As the schemas bound a subject.
const ID_BYTES_MAX: usize = 96;

pub(crate) async fn show(
    State(gateway): State<Arc<Gateway>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_case", "There is no such case").into_response();
    let Ok(Path(id)) = id else { return none() };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(is_allowed) {
        return none();
    }
    match gateway.parts.rules.view(&id).await {
        Ok(Some(viewed)) => Json(viewed.shown((gateway.parts.now)())).into_response(),
        Ok(None) => none(),
        Err(error) => unavailable(&error).into_response(),
    }
}
