//! Who asks, and who asked: tokens, the access log, how far an export is.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hotline_postgres::access::{self, Export, Listed};
use hotline_postgres::tokens::{self, Token as Kept};
use hotline_postgres::{Error as Store, run_read_tx, run_tx};
use hotline_runtime::problem::Problem;
use hotline_runtime::serve::Peer;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Deserialize;
use serde_json::{Value, json};

use super::foreign::{foreign, is_foreign, is_reading};
use super::problem;
use crate::desk::Desk;
use crate::token::{Caller, Right, Role, Token};

/// Entries of a page of the access log at most.
const LIMIT_MAX: i64 = 1_000;
/// As whom this machine asks while there is no token.
const LOOPBACK: &str = "loopback";

/// Lets through whoever may ask for this, and says who it is.
pub(super) async fn check(
    State((desk, right)): State<(Arc<Desk>, Right)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if !is_reading(request.method()) && is_foreign(request.headers()) {
        return foreign().into_response();
    }
    match caller(&desk, request.method(), request.headers(), peer).await {
        Ok(caller) if caller.may(right) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(_) => problem::not_yours().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Who asks: whose token it is, or this machine as long as nobody has made any.
pub(crate) async fn caller(
    desk: &Desk,
    method: &Method,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<Caller, Problem> {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return unnamed(desk, headers, peer).await;
    };
    // A browser adds a password that it was once told to whatever a page of any site makes it send.
    if !is_reading(method) && !is_bearer(given) {
        return Err(bearer_only());
    }
    let token = given.to_str().ok().and_then(token_in).and_then(|token| Token::read(&token));
    of_token(desk, &token.ok_or_else(token_bad)?).await
}

/// The token of an `Authorization`: of `Bearer`, or the password of `Basic`, which is what a browser can ask for.
fn token_in(given: &str) -> Option<String> {
    let (scheme, rest) = given.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let pair = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(password.trim().to_owned())
}

fn is_bearer(given: &HeaderValue) -> bool {
    let scheme = given.to_str().ok().and_then(|given| given.split_once(' ')).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

fn bearer_only() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "bearer_only", "What is sent here needs a bearer token")
}

pub(crate) fn token_bad() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token_bad", "The token is not one of ours, or no longer")
}

/// Whose token it is, if it is good.
pub(crate) async fn of_token(desk: &Desk, token: &Token) -> Result<Caller, Problem> {
    let (now, bad) = ((desk.parts.now)(), token_bad);
    let kept = by_hash(desk, token.sha256()).await.map_err(|error| problem::of_store(&error))?;
    let kept = kept.filter(|kept| token.is_of(&kept.sha256) && kept.is_good(now)).ok_or_else(bad)?;
    note_use(desk, &kept, now).await;
    let role = Role::parse(&kept.role).ok_or_else(bad)?;
    Ok(Caller { name: kept.name, role, departments: kept.departments, may_unmask: kept.may_unmask })
}

async fn by_hash(desk: &Desk, sha256: [u8; 32]) -> Result<Option<Kept>, Store> {
    let mut sha256 = sha256;
    run_read_tx(&desk.parts.pool, "audit::token", &mut sha256, |tx, sha256| {
        Box::pin(tokens::by_hash(tx, sha256))
    })
    .await
}

/// Once a day. Who asks is answered though it cannot be noted.
async fn note_use(desk: &Desk, kept: &Kept, now: Timestamp) {
    let today = Offset::UTC.to_datetime(now).date();
    if kept.last_used_on.is_some_and(|on| on >= today) {
        return;
    }
    let mut used = (kept.id, today);
    let noted = run_tx(&desk.parts.pool, "audit::token_used", &mut used, |tx, (id, on)| {
        Box::pin(tokens::used(tx, *id, *on))
    });
    if let Err(error) = noted.await {
        tracing::warn!(error.code = error.code(), %error, "the use of a token was not noted");
    }
}

/// Without a token only this machine is answered, and only while there is none at all. What a proxy hands on comes from
/// somewhere else.
async fn unnamed(desk: &Desk, headers: &HeaderMap, peer: Option<Peer>) -> Result<Caller, Problem> {
    let missing = || Problem::new(StatusCode::UNAUTHORIZED, "token_missing", "Asking needs a bearer token");
    let is_near = peer.is_some_and(|Peer(peer)| peer.ip().is_loopback());
    if !is_near || is_handed_on(headers) {
        return Err(missing());
    }
    let any = run_read_tx(&desk.parts.pool, "audit::any_token", &mut (), |tx, ()| Box::pin(tokens::any(tx)))
        .await
        .map_err(|error| problem::of_store(&error))?;
    if any {
        return Err(missing());
    }
    Ok(Caller { name: LOOPBACK.to_owned(), role: Role::Auditor, departments: None, may_unmask: false })
}

fn is_handed_on(headers: &HeaderMap) -> bool {
    let names = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    names.iter().any(|name| headers.contains_key(*name))
        || headers.get(header::HOST).is_some_and(|host| !is_this_machine(host))
}

/// Whether a browser on this machine meant it: a site may let a name of its own lead here, and its pages then ask under that name.
fn is_this_machine(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    before: Option<i64>,
    limit: Option<i64>,
}

/// `GET /v1/access`: the newest first.
pub(super) async fn log(
    State(desk): State<Arc<Desk>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = asked.ok().map(|Query(asked)| (asked.before, asked.limit.unwrap_or(100)));
    let Some((before, limit)) = asked.filter(|(_, limit)| (1..=LIMIT_MAX).contains(limit)) else {
        let title = "The query takes before (a number) and limit (1 to 1000)";
        return Problem::new(StatusCode::BAD_REQUEST, "query", title).into_response();
    };
    match entries(&desk, before, limit).await {
        Ok((entries, next)) => {
            Json(json!({ "rows": entries.iter().map(entry).collect::<Vec<_>>(), "before": next }))
                .into_response()
        }
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// The newest entries before a number, and where to go on.
pub(crate) async fn entries(
    desk: &Desk,
    before: Option<i64>,
    limit: i64,
) -> Result<(Vec<Listed>, Option<i64>), Store> {
    let mut asked = (before, limit);
    let read = run_read_tx(&desk.parts.pool, "audit::access", &mut asked, |tx, (before, limit)| {
        Box::pin(access::page(tx, *before, *limit))
    });
    let entries = read.await?;
    let next = entries.last().filter(|_| i64::try_from(entries.len()) == Ok(limit)).map(|last| last.id);
    Ok((entries, next))
}

/// `GET /v1/exports/{id}`: how far one is.
pub(super) async fn export(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_export", "There is no such export").into_response();
    let Ok(mut id) = id.parse::<i64>() else { return none() };
    let read =
        run_read_tx(&desk.parts.pool, "audit::export", &mut id, |tx, id| Box::pin(access::by_id(tx, *id)));
    match read.await {
        Ok(Some(listed)) if listed.export.is_some() => Json(entry(&listed)).into_response(),
        Ok(_) => none(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

fn entry(listed: &Listed) -> Value {
    let export = |export: &Export| {
        json!({
            "format": export.format,
            "state": export.state,
            "rows": export.rows_done,
            "rows_about": export.rows_about,
            "ended_at": export.ended_at.map(|at| at.to_string()),
        })
    };
    json!({
        "id": listed.id,
        "at": listed.at.to_string(),
        "by": listed.actor,
        "role": listed.role,
        "step": listed.step,
        "subject": listed.subject,
        "filter": listed.filter,
        "why": listed.why,
        "export": listed.export.as_ref().map(export),
    })
}
