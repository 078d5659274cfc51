//! What an operator does about refused input and about sources, over HTTP.
//!
//! ```text
//! GET  /v1/dead-letters?reason=&source=&state=&after=&limit=    letters, oldest first, without their bytes
//! GET  /v1/dead-letters/groups                                  open ones by reason and source
//! GET  /v1/dead-letters/{id}                                    one, and what was done about it
//! POST /v1/dead-letters/{id}/open                               its bytes; who asked, and why, is kept
//! POST /v1/dead-letters/{id}/fix                                sends it with another event
//! POST /v1/dead-letters/redrive · /v1/dead-letters/discard      by ids, or by reason and source
//! GET  /v1/sources · POST /v1/sources/pause · /v1/sources/resume
//! ```
//!
//! Every POST names an operator and a reason, which are kept. With `dry_run` nothing is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hotline_events::intake::{Outcome, Reason};
use hotline_postgres::dead_letters::{self, Filter, Letter, State as LetterState};
use hotline_postgres::interventions::By;
use hotline_postgres::sources::{self, Stop};
use hotline_postgres::{Error, run_tx};
use hotline_runtime::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;
use crate::handler::unavailable;

/// Letters of one answer, and of one redrive.
const LETTERS_MAX: i64 = 1_000;

type Shared = State<Arc<Gateway>>;
type Answer = Result<Json<Value>, Problem>;

/// Questions: under the token for reading.
pub(crate) fn reads() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/dead-letters", get(list))
        .route("/v1/dead-letters/groups", get(groups))
        .route("/v1/dead-letters/{id}", get(show))
        .route("/v1/sources", get(list_sources))
}

/// Steps: under the operator's token.
pub(crate) fn steps() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/dead-letters/{id}/open", post(open))
        .route("/v1/dead-letters/{id}/fix", post(fix))
        .route("/v1/dead-letters/redrive", post(redrive))
        .route("/v1/dead-letters/discard", post(discard))
        .route("/v1/sources/pause", post(pause))
        .route("/v1/sources/resume", post(resume))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    reason: Option<String>,
    source: Option<String>,
    state: Option<String>,
    after: i64,
    limit: Option<i64>,
}

/// What a POST says beside what it is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    operator: String,
    why: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    ids: Vec<i64>,
    reason: Option<String>,
    source: Option<String>,
    event: Option<Value>,
    #[serde(default)]
    other_case: bool,
}

impl Step {
    fn by(&self, gateway: &Gateway) -> By<'_> {
        By { operator: self.operator.trim(), why: self.why.trim(), at: (gateway.parts.now)() }
    }
}

fn wrong(title: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "query", title)
}

fn no_letter() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_dead_letter", "There is no such dead letter")
}

fn failed(error: &Error) -> Problem {
    match error {
        Error::LetterNotOpen { id } => {
            Problem::new(StatusCode::CONFLICT, "letter_not_open", "The dead letter is not open")
                .with("id", (*id).into())
        }
        Error::LetterOfAnother { id } => Problem::new(
            StatusCode::CONFLICT,
            "letter_of_another",
            "The dead letter is of another case or source; say other_case if that is meant",
        )
        .with("id", (*id).into()),
        error if error.is_denied() => Problem::new(
            StatusCode::FORBIDDEN,
            "not_in_this_process",
            "The gateway's login may not do this: run `hotline dead-letters` with the operator's",
        ),
        error => unavailable(error),
    }
}

fn step(body: Result<Json<Step>, JsonRejection>) -> Result<Step, Problem> {
    /// What people say is short.
    const SAID_BYTES_MAX: usize = 1_000;
    let title = "The body is JSON with operator and why, and what the route takes beside them";
    let Json(step) = body.map_err(|_| wrong(title))?;
    let is_said = |text: &str| (1..=SAID_BYTES_MAX).contains(&text.trim().len()) && !text.contains('\0');
    if is_said(&step.operator) && is_said(&step.why) { Ok(step) } else { Err(wrong(title)) }
}

fn reason(code: Option<&str>) -> Result<Option<Reason>, Problem> {
    code.map(|code| Reason::parse(code).ok_or_else(|| wrong("There is no such reason"))).transpose()
}

async fn list(State(gateway): Shared, uri: Uri) -> Answer {
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(&uri) else {
        return Err(wrong("The query takes reason, source, state, after and limit"));
    };
    let state = asked.state.as_deref().map(LetterState::parse);
    let filter = Filter {
        reason: reason(asked.reason.as_deref())?,
        source: asked.source,
        state: state.map(|state| state.ok_or_else(|| wrong("There is no such state"))).transpose()?,
        redrives_below: None,
    };
    let limit = asked.limit.unwrap_or(LETTERS_MAX).clamp(1, LETTERS_MAX);
    let mut page = (filter, asked.after, limit);
    let name = "dead_letters::list";
    let letters = run_tx(&gateway.parts.pool, name, &mut page, |tx, (filter, after, limit)| {
        Box::pin(dead_letters::list(tx, filter, *after, *limit))
    })
    .await
    .map_err(|error| failed(&error))?;
    let next = letters.last().filter(|_| letters.len() as u64 == limit.unsigned_abs()).map(|last| last.id);
    Ok(Json(json!({ "letters": letters.iter().map(Letter::shown).collect::<Value>(), "after": next })))
}

async fn groups(State(gateway): Shared) -> Answer {
    let name = "dead_letters::groups";
    let groups = run_tx(&gateway.parts.pool, name, &mut (), |tx, ()| Box::pin(dead_letters::groups(tx)))
        .await
        .map_err(|error| failed(&error))?;
    Ok(Json(json!({ "groups": groups.iter().map(dead_letters::Group::shown).collect::<Value>() })))
}

async fn show(State(gateway): Shared, id: Result<Path<i64>, PathRejection>) -> Answer {
    let Path(id) = id.map_err(|_| no_letter())?;
    let mut asked = (gateway.parts.writer.master(), id);
    let name = "dead_letters::show";
    let (found, steps) = run_tx(&gateway.parts.pool, name, &mut asked, |tx, (master, id)| {
        Box::pin(async move {
            Ok((dead_letters::show(tx, master, *id).await?, dead_letters::steps(tx, *id).await?))
        })
    })
    .await
    .map_err(|error| failed(&error))?;
    let (found, _) = found.ok_or_else(no_letter)?;
    let mut shown = found.shown();
    shown["steps"] = steps.iter().map(dead_letters::Taken::shown).collect();
    Ok(Json(shown))
}

async fn open(
    State(gateway): Shared,
    id: Result<Path<i64>, PathRejection>,
    body: Result<Json<Step>, JsonRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_letter())?;
    let step = step(body)?;
    let mut asked = (gateway.parts.writer.master(), id, step.by(&gateway));
    let name = "dead_letters::open";
    let found = run_tx(&gateway.parts.pool, name, &mut asked, |tx, (master, id, by)| {
        Box::pin(async move {
            let found = dead_letters::show(tx, master, *id).await?;
            if found.is_some() {
                dead_letters::note_opened(tx, *id, by).await?;
            }
            Ok(found)
        })
    })
    .await
    .map_err(|error| failed(&error))?;
    let (_, bytes) = found.ok_or_else(no_letter)?;
    Ok(bytes.expose().clone().into_response())
}

async fn fix(
    State(gateway): Shared,
    id: Result<Path<i64>, PathRejection>,
    body: Result<Json<Step>, JsonRejection>,
) -> Answer {
    let Path(id) = id.map_err(|_| no_letter())?;
    let step = step(body)?;
    let Some(event) = &step.event else { return Err(wrong("The body has the mended event as event")) };
    let by = (!step.dry_run).then(|| step.by(&gateway));
    let parts = &gateway.parts;
    let outcome =
        parts.writer.fix_letter(&parts.tagger, id, event.to_string().into_bytes(), step.other_case, by).await;
    let outcome = outcome.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "dry_run": step.dry_run, "results": results(&[id], &[outcome]) })))
}

async fn redrive(State(gateway): Shared, body: Result<Json<Step>, JsonRejection>) -> Answer {
    let step = step(body)?;
    let ids = ids(&gateway, &step, Some(dead_letters::REDRIVES_MAX)).await?;
    let by = (!step.dry_run).then(|| step.by(&gateway));
    let parts = &gateway.parts;
    let outcomes = parts.writer.redrive_letters(&parts.tagger, &ids, by).await;
    let outcomes = outcomes.map_err(|error| failed(&error))?;
    Ok(Json(json!({ "dry_run": step.dry_run, "results": results(&ids, &outcomes) })))
}

async fn discard(State(gateway): Shared, body: Result<Json<Step>, JsonRejection>) -> Answer {
    let step = step(body)?;
    let ids = ids(&gateway, &step, None).await?;
    if !step.dry_run {
        let mut asked = (&ids, step.by(&gateway));
        run_tx(&gateway.parts.pool, "dead_letters::discard", &mut asked, |tx, (ids, by)| {
            Box::pin(async move {
                for id in &**ids {
                    dead_letters::discard(tx, *id, by).await?;
                }
                Ok(())
            })
        })
        .await
        .map_err(|error| failed(&error))?;
    }
    Ok(Json(json!({ "dry_run": step.dry_run, "discarded": ids })))
}

/// The letters that a step names, or the open ones that it describes: at most so many at once.
async fn ids(gateway: &Gateway, step: &Step, redrives_below: Option<i32>) -> Result<Vec<i64>, Problem> {
    if !step.ids.is_empty() {
        let few = i64::try_from(step.ids.len()).is_ok_and(|count| count <= LETTERS_MAX);
        return if few {
            Ok(step.ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
        } else {
            Err(wrong("At most 1,000 letters at once"))
        };
    }
    if step.reason.is_none() && step.source.is_none() {
        return Err(wrong("The body names ids, or a reason, or a source"));
    }
    let reason = reason(step.reason.as_deref())?;
    let state = Some(LetterState::Open);
    let mut filter = Filter { reason, source: step.source.clone(), state, redrives_below };
    let name = "dead_letters::ids";
    let letters = run_tx(&gateway.parts.pool, name, &mut filter, |tx, filter| {
        Box::pin(dead_letters::list(tx, filter, 0, LETTERS_MAX))
    });
    let letters = letters.await.map_err(|error| failed(&error))?;
    Ok(letters.iter().map(|letter| letter.id).collect())
}

fn results(ids: &[i64], outcomes: &[Outcome]) -> Value {
    let result = |(id, outcome): (&i64, &Outcome)| match outcome {
        Outcome::Dead { reason, faults } => json!({
            "id": id,
            "status": "refused",
            "reason": reason.code(),
            "faults": dead_letters::faults_shown(faults),
        }),
        other => json!({ "id": id, "status": other.code() }),
    };
    ids.iter().zip(outcomes).map(result).collect()
}

async fn list_sources(State(gateway): Shared) -> Answer {
    let rules = gateway.parts.rules.current().await.map_err(|error| failed(&error))?;
    let name = "sources::list";
    let stopped = run_tx(&gateway.parts.pool, name, &mut (), |tx, ()| Box::pin(sources::list(tx)))
        .await
        .map_err(|error| failed(&error))?;
    let shown = |source: &hotline_core::rulebook::Source| {
        let stopped = stopped.iter().find(|one| one.source == source.id);
        json!({
            "source": source.id.as_str(),
            "name": source.name,
            "hotline": source.hotline.as_str(),
            "state": stopped.map_or("running", |one| one.stop.name()),
            "since": stopped.map(|one| one.since.to_string()),
            "operator": stopped.map(|one| one.operator.as_str()),
            "why": stopped.map(|one| one.why.as_str()),
        })
    };
    Ok(Json(json!({ "sources": rules.rulebook.sources.values().map(shown).collect::<Value>() })))
}

async fn pause(State(gateway): Shared, body: Result<Json<Step>, JsonRejection>) -> Answer {
    let step = step(body)?;
    let rules = gateway.parts.rules.current().await.map_err(|error| failed(&error))?;
    let source = step.source.as_deref().filter(|source| rules.rulebook.sources.contains_key(*source));
    let source = source.ok_or_else(|| wrong("The body names a source of the rulebook"))?;
    let is_new = step.dry_run
        || gateway
            .parts
            .writer
            .stop_source(source, Stop::Paused, step.by(&gateway))
            .await
            .map_err(|error| failed(&error))?;
    Ok(Json(json!({ "source": source, "dry_run": step.dry_run, "paused": is_new })))
}

async fn resume(State(gateway): Shared, body: Result<Json<Step>, JsonRejection>) -> Answer {
    let step = step(body)?;
    let source = step.source.as_deref().ok_or_else(|| wrong("The body names a source"))?;
    let mut asked = (source, step.by(&gateway));
    let was_stopped = !step.dry_run
        && run_tx(&gateway.parts.pool, "sources::resume", &mut asked, |tx, (source, by)| {
            Box::pin(sources::resume(tx, source, by))
        })
        .await
        .map_err(|error| failed(&error))?;
    Ok(Json(json!({ "source": source, "dry_run": step.dry_run, "resumed": was_stopped })))
}
