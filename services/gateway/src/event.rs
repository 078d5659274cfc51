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
        Ok(None) if question.subject.is_none() => {
            let title =
                "No figure of this name is known; an event about a case is asked for with ?subject={case}";
            Problem::new(StatusCode::NOT_FOUND, "no_event", title).into_response()
        }
        Ok(None) => {
            let title =
                "The event is not known: not yet, never sent, or a snapshot that a newer one replaced";
            Problem::new(StatusCode::NOT_FOUND, "no_event", title).into_response()
        }
        Err(error) => unavailable(&error).into_response(),
    }
}

struct Question {
    key: EventKey,
    subject: Option<String>,
}

/// When an applied event was had; of a snapshot and of a figure that is not kept.
#[derive(Clone, Copy)]
struct Receipt(Option<Timestamp>);

/// What became of it. Of an event that was sent with two contents the first is applied, the second a letter.
struct Found {
    /// None: refused.
    applied: Option<Receipt>,
    refused: Option<Letter>,
}

impl Question {
    async fn read(&self, tx: &mut hotline_postgres::PgConnection) -> Result<Option<Found>, Error> {
        let applied = match &self.subject {
            Some(subject) => self.in_case(tx, subject).await?,
            None => (!figures::tags(tx, &[self.key]).await?.is_empty()).then_some(Receipt(None)),
        };
        let refused = dead_letters::of_event(tx, self.key, self.subject.as_deref()).await?;
        Ok((applied.is_some() || refused.is_some()).then_some(Found { applied, refused }))
    }

    /// The receipt of the fact, or of the snapshot in force, if the case has it.
    async fn in_case(
        &self,
        tx: &mut hotline_postgres::PgConnection,
        subject: &str,
    ) -> Result<Option<Receipt>, Error> {
        let Some(case) = cases::load(tx, &[subject]).await?.pop() else { return Ok(None) };
        let facts = CaseFacts::decode(&case.facts)
            .map_err(|source| Error::Facts { case: case.case_id.clone(), source })?;
        let fact =
            facts.facts().iter().find(|fact| fact.key == self.key).map(|fact| Receipt(fact.received_at));
        let snapshot = || facts.snapshots().iter().find(|one| one.key == self.key).map(|_| Receipt(None));
        Ok(fact.or_else(snapshot))
    }
}

impl Found {
    fn json(&self, source: &str, id: &str) -> Value {
        let letter = self.refused.as_ref().map(|letter| {
            json!({
                "received_at": letter.received_at.to_string(),
                "reason": letter.reason,
                "faults": letter.faults.iter().map(|(pointer, code)| json!({ "pointer": pointer, "code": code })).collect::<Vec<_>>(),
                "dead_letter": letter.id,
            })
        });
        let mut found = json!({ "source": source, "id": id });
        match (self.applied, letter) {
            (Some(Receipt(received_at)), letter) => {
                found["status"] = "applied".into();
                found["received_at"] = received_at.map(|at| at.to_string()).into();
                if let Some(letter) = letter {
                    found["refused_copy"] = letter;
                }
            }
            (None, Some(Value::Object(letter))) => {
                found["status"] = "refused".into();
                found.as_object_mut().expect("it was made above").extend(letter);
            }
            (None, _) => {}
        }
        found
    }
}
