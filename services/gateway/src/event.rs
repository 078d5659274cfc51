//! `GET /v1/events/{source}/{id}?subject=…`: what became of an event that was acknowledged before it was folded.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use hotline_core::case::CaseFacts;
use hotline_core::fact::EventKey;
use hotline_postgres::dead_letters::{self, Letter};
use hotline_postgres::{Error, cases, figures, run_snapshot_tx};
use hotline_runtime::problem::Problem;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;
use crate::handler::unavailable;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The case; an event is named by source and id within it. A figure has none.
    subject: Option<String>,
}

pub(crate) async fn show(
    State(gateway): State<Arc<Gateway>>,
    name: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
) -> Response {
    let (Ok(Path((source, id))), Ok(Query(asked))) = (name, Query::<Asked>::try_from_uri(&uri)) else {
        let title = "An event is asked for as /v1/events/{source}/{id}?subject={case}, percent-encoded";
        return Problem::new(StatusCode::BAD_REQUEST, "query", title).into_response();
    };
    let mut question = Question { key: EventKey::of(&source, &id), subject: asked.subject };
    let found = run_snapshot_tx(&gateway.parts.pool, "gateway::event", &mut question, |tx, question| {
        Box::pin(question.read(tx))
    });
    match found.await {
        Ok(Some(found)) => Json(found.json(&source, &id)).into_response(),
        Ok(None) => {
            Problem::new(StatusCode::NOT_FOUND, "no_event", "The event is not known: not yet, or never sent")
                .into_response()
        }
        Err(error) => unavailable(&error).into_response(),
    }
}

struct Question {
    key: EventKey,
    subject: Option<String>,
}

/// What became of it.
enum Found {
    Applied { received_at: Option<Timestamp> },
    Refused(Box<Letter>),
}

impl Question {
    async fn read(&self, tx: &mut hotline_postgres::PgConnection) -> Result<Option<Found>, Error> {
        if let Some(subject) = &self.subject
            && let Some(case) = cases::load(tx, &[subject.as_str()]).await?.pop()
        {
            let facts = CaseFacts::decode(&case.facts)
                .map_err(|source| Error::Facts { case: case.case_id.clone(), source })?;
            let fact = facts.facts().iter().find(|fact| fact.key == self.key).map(|fact| fact.received_at);
            let of_snapshot = || {
                let receipt = |key| facts.snapshots().iter().find(|one| one.key == key).map(|_| None);
                receipt(self.key)
            };
            if let Some(received_at) = fact.or_else(of_snapshot) {
                return Ok(Some(Found::Applied { received_at }));
            }
        } else if self.subject.is_none() && !figures::tags(tx, &[self.key]).await?.is_empty() {
            return Ok(Some(Found::Applied { received_at: None }));
        }
        Ok(dead_letters::of_event(tx, self.key).await?.map(|letter| Found::Refused(Box::new(letter))))
    }
}

impl Found {
    fn json(&self, source: &str, id: &str) -> Value {
        match self {
            Found::Applied { received_at } => json!({
                "source": source, "id": id, "status": "applied",
                "received_at": received_at.map(|at| at.to_string()),
            }),
            Found::Refused(letter) => json!({
                "source": source, "id": id, "status": "refused",
                "received_at": letter.received_at.to_string(),
                "reason": letter.reason,
                "faults": letter.faults.iter().map(|(pointer, code)| json!({ "pointer": pointer, "code": code })).collect::<Vec<_>>(),
                "dead_letter": letter.id,
            }),
        }
    }
}
