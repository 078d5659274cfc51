//! Who the people of a case are, for whoever may see it and says why. It is recorded before anything is shown.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hotline_runtime::problem::Problem;

use super::case::{PeopleShown, people_shown};
use super::frame::{Frame, Reader, page};
use super::session::field;
use super::shown::case_href;
use super::words;
use crate::api::closures::{history, is_reason};
use crate::api::foreign::{foreign, is_foreign};
use crate::api::people::unmasked;
use crate::api::problem;
use crate::desk::Desk;
use crate::token::Right;

#[derive(Debug, askama::Template)]
#[template(path = "pages/people.html")]
struct Page {
    frame: Frame,
    case: String,
    action: String,
    /// None: this role does not see the case itself.
    back: Option<String>,
    fault: Option<&'static str>,
    people: Option<PeopleShown>,
}

impl Page {
    fn new(reader: &Reader, case: String) -> Self {
        let w = words::of(reader.lang);
        let at = case_href(&case);
        Self {
            frame: Frame::new(reader, format!("{} · {case}", w.unmask)),
            action: format!("{at}/people"),
            back: reader.may(Right::Case).then_some(at),
            fault: None,
            people: None,
            case,
        }
    }
}

/// The case that is asked about, if the reader sees it.
async fn found(desk: &Desk, reader: &Reader, case: &str) -> Result<(), Problem> {
    let caller = reader.caller.as_ref().ok_or_else(problem::no_case)?;
    let history = history(desk, caller, case).await.map_err(|error| problem::of(&error))?;
    history.map(drop).ok_or_else(problem::no_case)
}

/// `GET /audit/cases/{case}/people`: asks why.
pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(case): Path<String>,
) -> Response {
    match found(&desk, &reader, &case).await {
        Ok(()) => page(StatusCode::OK, &Page::new(&reader, case)),
        Err(problem) => problem.into_response(),
    }
}

/// `POST /audit/cases/{case}/people`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(case): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if is_foreign(&headers) {
        return foreign().into_response();
    }
    if let Err(problem) = found(&desk, &reader, &case).await {
        return problem.into_response();
    }
    let (now, caller) = ((desk.parts.now)(), reader.caller.as_ref());
    let why = field(&body, "why").filter(|why| is_reason(why));
    let (Some(why), Some(caller)) = (why, caller) else {
        let fault = Some(super::problem::told("reason", reader.lang));
        return page(StatusCode::BAD_REQUEST, &Page { fault, ..Page::new(&reader, case) });
    };
    match unmasked(&desk.parts.pool, &desk.parts.master, &case, (caller, &why), now).await {
        Ok(people) => {
            let w = words::of(reader.lang);
            let people = people_shown(&people, &reader, (w.people_clear, w.value_plain));
            page(StatusCode::OK, &Page { people: Some(people), ..Page::new(&reader, case) })
        }
        Err(error) => problem::of_store(&error).into_response(),
    }
}
