//! `GET /v1/cases/{id}`: one case as it stands now, under the active rulebook.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_core::case::CaseFacts;
use hotline_core::fold::fold;
use hotline_events::show;
use hotline_postgres::cases::{self, Loaded};
use hotline_postgres::{Error, InForce, Rules, run_snapshot_tx};
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
    match read(&gateway, &id).await {
        Ok(Some((loaded, rules))) => match viewed(&gateway, &loaded, &rules) {
            Ok(response) => response,
            Err(error) => unavailable(&error).into_response(),
        },
        Ok(None) => none(),
        Err(error) => unavailable(&error).into_response(),
    }
}

struct Asked<'g> {
    rules: &'g Rules,
    id: &'g str,
}

async fn read(gateway: &Gateway, id: &str) -> Result<Option<(Loaded, Arc<InForce>)>, Error> {
    let mut asked = Asked { rules: &gateway.parts.rules, id };
    run_snapshot_tx(&gateway.parts.pool, "gateway::case", &mut asked, |tx, asked| {
        Box::pin(async move {
            let rules = asked.rules.within(tx).await?;
            let loaded = cases::load(tx, &[asked.id]).await?.pop();
            Ok(loaded.map(|loaded| (loaded, rules)))
        })
    })
    .await
}

/// Facts hold codes and values only, so the view has nothing to hide.
fn viewed(gateway: &Gateway, loaded: &Loaded, rules: &InForce) -> Result<Response, Error> {
    let case = || loaded.case_id.clone();
    let facts = CaseFacts::decode(&loaded.facts).map_err(|source| Error::Facts { case: case(), source })?;
    let view = fold(&loaded.case_id, &facts, &rules.rulebook);
    let mut shown = show::view(&view, &rules.rulebook, (gateway.parts.now)());
    shown["revision"] = loaded.revision.into();
    // Tallies still hold this case by an older rulebook.
    shown["refold_pending"] = (loaded.rulebook_seq < rules.seq).into();
    Ok(Json(shown).into_response())
}
