//! The first page: look up a case, begin a search, see whether the log stands.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::frame::{Frame, Reader, elsewhere, page};
use super::lists::{Form, Sort, others};
use super::shown::case_href;
use crate::api::closures::is_case;
use crate::api::problem;
use crate::desk::Desk;
use crate::query::List;
use crate::token::Right;

#[derive(Debug, askama::Template)]
#[template(path = "pages/home.html")]
struct Home {
    frame: Frame,
    may_look_up: bool,
    /// None: this role sees no lists.
    form: Option<Form>,
    /// Lists with their address and heading.
    lists: Vec<(String, &'static str, &'static str)>,
}

/// `GET /audit`.
pub(super) async fn show(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    let frame = Frame::new(&reader, super::words::of(reader.lang).home);
    let may_list = reader.may(Right::Lists);
    let form = if may_list {
        match desk.parts.rules.current().await {
            Ok(rules) => Some(Form::new(List::Closures, &reader, &rules.rulebook, &[])),
            Err(error) => return problem::of_store(&error).into_response(),
        }
    } else {
        None
    };
    let lists = if may_list { others(reader.lang) } else { Vec::new() };
    let may_look_up = reader.may(Right::Case) || reader.may(Right::Unmask);
    page(StatusCode::OK, &Home { frame, may_look_up, form, lists })
}

/// `GET /audit/find?case=…`: the number as people write it, with or without its hotline.
pub(super) async fn find(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    let parameters = reader.parameters().unwrap_or_default();
    let asked = parameters.into_iter().find(|(name, _)| name == "case").map(|(_, case)| case);
    let Some(asked) = asked.filter(|asked| is_case(asked)) else {
        return problem::no_case().into_response();
    };
    let found = if asked.contains(':') { Ok(Some(asked)) } else { with_hotline(&desk, &asked).await };
    match found {
        Ok(Some(case)) if reader.may(Right::Case) => elsewhere(&case_href(&case)),
        Ok(Some(case)) => elsewhere(&format!("{}/people", case_href(&case))),
        Ok(None) => problem::no_case().into_response(),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// The case of this number, of whichever hotline.
async fn with_hotline(desk: &Desk, number: &str) -> Result<Option<String>, hotline_postgres::Error> {
    let rules = desk.parts.rules.current().await?;
    for hotline in rules.rulebook.hotlines.keys() {
        let case = format!("{hotline}:{number}");
        if is_case(&case) && desk.parts.rules.view(&case, None).await?.is_some() {
            return Ok(Some(case));
        }
    }
    Ok(None)
}
