//! Pages for people: the same questions and answers as [`crate::api`] has, written by the server, whole without any script.
//!
//! ```text
//! /audit                            look up a case, search, how the log stands
//! /audit/closures, /audit/lists/…   lists, page by page; /audit/files/…: the same as files
//! /audit/cases/{case}               the whole history of one, its clocks drawn
//! /audit/cases/{case}/verify        its records beside the signed log, and folded again; /audit/rulebooks/…: their rulebooks
//! /audit/cases/{case}/people        who its people are, with a reason; recorded
//! /audit/sample, /audit/bulletins, /audit/log, /audit/access
//! ```
//!
//! A page asks what a program could ask and nothing more: it has no SQL and no rights of its own. Whoever signs in does so
//! with a token, which the browser keeps in a cookie. Errors are pages, too. Nothing comes from elsewhere.

mod access;
mod bulletins;
mod case;
mod codes;
mod cookies;
mod counted;
mod drawing;
mod figures;
mod frame;
mod home;
mod lists;
mod log;
mod people;
mod problem;
mod records;
mod round;
mod sample;
mod session;
mod shown;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use hotline_runtime::problem::Problem;
use hotline_runtime::serve::Peer;

use crate::api::{access as callers, problem as problems};
use crate::desk::{Desk, observe};
use crate::token::{Caller, Right, Token};
use frame::{ROOT, Reader, elsewhere, href};

/// The stylesheet and the drawing in a browser's tab.
const STYLE: &str = include_str!("../../assets/pages.css");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Who is answered at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// Whatever its role.
    SignedIn,
    Right(Right),
}

/// A page.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) need: Need,
    methods: fn() -> MethodRouter<Arc<Desk>>,
}

const fn route(path: &'static str, need: Need, methods: fn() -> MethodRouter<Arc<Desk>>) -> Route {
    Route { path, need, methods }
}

/// Every page: the tests go by this table.
pub(crate) const ROUTES: &[Route] = &[
    route("/audit", Need::SignedIn, || get(home::show)),
    route("/audit/", Need::SignedIn, || get(async || elsewhere(ROOT))),
    route("/audit/find", Need::SignedIn, || get(home::find)),
    route("/audit/closures", Need::Right(Right::Lists), || get(lists::closures)),
    route("/audit/lists", Need::Right(Right::Lists), || {
        get(async |Extension(reader): Extension<Reader>| lists::index(&reader))
    }),
    route("/audit/lists/{list}", Need::Right(Right::Lists), || get(lists::list)),
    route("/audit/files/{list}", Need::Right(Right::Exports), || get(lists::file)),
    route("/audit/sample", Need::Right(Right::Lists), || get(sample::show)),
    route("/audit/cases/{case}", Need::Right(Right::Case), || get(case::show)),
    route("/audit/cases/{case}/verify", Need::Right(Right::Records), || get(records::verify)),
    route("/audit/cases/{case}/records/{id}", Need::Right(Right::Records), || get(records::record)),
    route("/audit/cases/{case}/records/{id}/proof", Need::Right(Right::Records), || get(records::proof)),
    route("/audit/rulebooks/{hash}", Need::Right(Right::Records), || get(records::rulebook)),
    route("/audit/cases/{case}/people", Need::Right(Right::Unmask), || get(people::ask).post(people::show)),
    route("/audit/bulletins", Need::Right(Right::Lists), || get(bulletins::index)),
    route("/audit/bulletins/{id}", Need::Right(Right::Lists), || get(bulletins::show)),
    route("/audit/bulletins/{id}/departments/{department}", Need::Right(Right::Lists), || {
        get(bulletins::department)
    }),
    route("/audit/bulletins/{id}/departments/{department}/{rate}", Need::Right(Right::Lists), || {
        get(counted::show)
    }),
    route("/audit/log", Need::SignedIn, || get(log::show)),
    route("/audit/log/key", Need::SignedIn, || get(log::key)),
    route("/audit/access", Need::Right(Right::AccessLog), || get(access::show)),
    route("/audit/sign-in", Need::Nothing, || {
        get(async |headers: HeaderMap, uri: Uri| session::ask(&headers, &uri)).post(session::sign_in)
    }),
    route("/audit/sign-out", Need::Nothing, || post(async |headers: HeaderMap| session::sign_out(&headers))),
    route("/audit/pages.css", Need::Nothing, || get(async || asset("text/css; charset=utf-8", STYLE))),
    route("/audit/icon.svg", Need::Nothing, || get(async || asset("image/svg+xml", ICON))),
];

/// The pages, to be merged with what programs ask.
pub(crate) fn router(desk: &Arc<Desk>) -> Router<Arc<Desk>> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let methods = (route.methods)()
            .route_layer(from_fn_with_state((Arc::clone(desk), route.need), check))
            // All pages are one route to whoever counts: how long each took is nobody's question.
            .route_layer(from_fn_with_state((Arc::clone(desk), ROOT), observe));
        router.route(route.path, methods)
    })
}

/// What never changes while the program runs; it may be asked for again after an upgrade.
fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=300")], text).into_response()
}

/// Below the root every problem is a page, and a language that was chosen is kept.
pub(crate) async fn humane(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == "/" && request.method() == Method::GET {
        return elsewhere(ROOT);
    }
    if path != ROOT && !path.starts_with("/audit/") {
        return next.run(request).await;
    }
    let mut reader = Reader::of(request.uri(), request.headers());
    let chosen = frame::asked(request.uri()).map(|lang| session::keep_lang(lang, request.headers()));
    let response = next.run(request).await;
    reader.caller = response.extensions().get::<Caller>().cloned();
    let mut response = problem::humane(&reader, response);
    if let Some(chosen) = chosen {
        response.headers_mut().append(header::SET_COOKIE, chosen);
    }
    response
}

/// Lets through who may see a page, and says who it is; whoever is not signed in is asked to.
async fn check(State((desk, need)): State<(Arc<Desk>, Need)>, mut request: Request, next: Next) -> Response {
    let mut reader = Reader::of(request.uri(), request.headers());
    if need == Need::Nothing {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().copied();
    let caller = match caller(&desk, request.method(), request.headers(), peer).await {
        Ok(caller) => caller,
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => return ask(&request, problem),
        Err(problem) => return problem.into_response(),
    };
    let is_let = match need {
        Need::Right(right) => caller.may(right),
        Need::SignedIn | Need::Nothing => true,
    };
    let mut response = if is_let {
        reader.caller = Some(caller.clone());
        request.extensions_mut().insert(reader);
        next.run(request).await
    } else {
        problems::not_yours().into_response()
    };
    response.extensions_mut().insert(caller);
    response
}

/// Whose cookie it is, else who asks as programs do.
async fn caller(
    desk: &Desk,
    method: &Method,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<Caller, Problem> {
    match cookies::cookie(headers, cookies::TOKEN).filter(|token| !token.is_empty()) {
        Some(token) => match Token::read(token) {
            Some(token) => callers::of_token(desk, &token).await,
            None => Err(callers::token_bad()),
        },
        None => callers::caller(desk, method, headers, peer).await,
    }
}

/// Sends to the page for signing in, and back from there.
fn ask(request: &Request, problem: Problem) -> Response {
    if request.method() != Method::GET {
        return problem.into_response();
    }
    let back = request.uri().path_and_query().map_or(ROOT, axum::http::uri::PathAndQuery::as_str);
    let code = problem.code();
    let why = (code != "token_missing").then_some(("why", code));
    elsewhere(&href("/audit/sign-in", [("next", back)].into_iter().chain(why)))
}
