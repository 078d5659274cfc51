//! What became of the events of a request, as it is answered.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_events::Event;
use hotline_events::intake::{Outcome, Reason};
use hotline_runtime::problem::Problem;
use serde::Serialize;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::intake::{Refused, event_too_large, fault, problem_of, source_of};
use crate::metrics;

/// What is answered when a topic has the event.
const ACCEPTED: &str = "accepted";

/// … and when its source is stopped: it is kept and not folded.
const PARKED: &str = "parked";

/// How an event is named in its result; of a part that is no event nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Name {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<SmolStr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<SmolStr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<SmolStr>,
    /// Of the row that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
}

impl Name {
    pub(crate) fn of(event: &Event, line: Option<u64>) -> Self {
        let (id, subject) = match event {
            Event::Case(decoded) => (decoded.id.clone(), Some(decoded.subject.clone())),
            Event::Figure(figure) => (figure.id.clone(), None),
        };
        Self { id: Some(id), source: Some(source_of(event).clone()), subject, line }
    }
}

/// The result of one event.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EventResult {
    #[serde(flatten)]
    pub(crate) name: Name,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<Value>,
}

impl EventResult {
    pub(crate) fn refused(name: Name, refused: &Refused) -> Self {
        let faults = refused.faults.iter().map(fault).collect();
        Self { name, status: "refused", reason: Some(refused.reason), faults }
    }

    /// Durable, and not folded yet: what became of it is asked for later.
    pub(crate) fn accepted(name: Name) -> Self {
        Self { name, status: ACCEPTED, reason: None, faults: Vec::new() }
    }

    pub(crate) fn of(name: Name, outcome: &Outcome) -> Self {
        match outcome {
            // Durable: it waits with its receipt until somebody resumes the source.
            Outcome::Dead { reason: reason @ Reason::SourceStopped, .. } => {
                Self { name, status: PARKED, reason: Some(reason.code()), faults: Vec::new() }
            }
            Outcome::Dead { reason, faults } => {
                Self::refused(name, &Refused { reason: reason.code(), faults: faults.clone() })
            }
            other => Self { name, status: other.code(), reason: None, faults: Vec::new() },
        }
    }

    fn count(&self) {
        let source = self.name.source.as_deref().unwrap_or(metrics::OTHER);
        metrics::events(source, self.reason.unwrap_or(self.status), 1);
    }
}

/// The answer to a whole request. `cases` are the views of a dry run.
pub(crate) fn answer(single: bool, results: &[EventResult], cases: Option<Vec<Value>>) -> Response {
    for result in results.iter().filter(|_| cases.is_none()) {
        result.count();
    }
    if let (true, [result]) = (single, results)
        && let Some(problem) = refusal(result)
    {
        return problem.into_response();
    }
    let mut body = json!({ "results": results });
    if let Some(cases) = cases {
        body["cases"] = Value::Array(cases);
    }
    let is_waiting = results.iter().any(|result| [ACCEPTED, PARKED].contains(&result.status));
    let status = if is_waiting { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Json(body)).into_response()
}

/// The problem of a single event that was refused.
fn refusal(result: &EventResult) -> Option<Problem> {
    let reason = result.reason.filter(|_| result.status != PARKED)?;
    let (status, title) = match Reason::parse(reason) {
        Some(Reason::UnknownSource) => (StatusCode::UNAUTHORIZED, "The source is not listed in the rulebook"),
        Some(Reason::IdConflict) => {
            (StatusCode::CONFLICT, "Another content is already known under this source and id")
        }
        Some(Reason::CaseTooLong) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The case holds as much as a case may")
        }
        Some(Reason::FutureDated) => {
            (StatusCode::BAD_REQUEST, "The event claims to be more than 24 hours in the future")
        }
        Some(Reason::InternalError) => (StatusCode::INTERNAL_SERVER_ERROR, "The event could not be taken in"),
        Some(Reason::SourceStopped | Reason::Undecodable | Reason::Invalid) | None => {
            let faults = Value::from(result.faults.clone());
            let is_too_large = result.faults.iter().any(|fault| fault["code"] == "too_large");
            let problem = if is_too_large {
                event_too_large()
            } else {
                problem_of(&Refused { reason, faults: Vec::new() })
            };
            return Some(problem.with("faults", faults));
        }
    };
    let with_name = |problem: Problem, (member, value): (&str, &Option<SmolStr>)| match value {
        Some(value) => problem.with(member, json!(value)),
        None => problem,
    };
    let names = [("id", &result.name.id), ("source", &result.name.source), ("subject", &result.name.subject)];
    Some(names.into_iter().fold(Problem::new(status, reason, title), with_name))
}
