//! `GET /v1/cases/{id}`: one case as it stands, or as it was known at an instant, under the active rulebook; as JSON, or
//! told as text.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_events::Lang;
use hotline_runtime::problem::Problem;
use jiff::Timestamp;
use serde::Deserialize;

use crate::Gateway;
use crate::handler::unavailable;

/// As the schemas bound a subject.
const ID_BYTES_MAX: usize = 96;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    as_of: Option<String>,
    format: Option<String>,
    lang: Option<String>,
}

impl Asked {
    /// None: now.
    fn as_of(&self) -> Result<Option<Timestamp>, Problem> {
        // In a query an unescaped + is a blank.
        let read = |text: &String| text.replace(' ', "+").parse().map_err(|_| bad_query());
        self.as_of.as_ref().map(read).transpose()
    }

    /// The language of the text; None where JSON is wanted.
    fn told(&self) -> Result<Option<Lang>, Problem> {
        let lang = match self.lang.as_deref() {
            None => Some(Lang::Zh),
            Some(name) => Lang::parse(name),
        };
        match (self.format.as_deref(), lang) {
            (None | Some("json"), Some(_)) => Ok(None),
            (Some("text"), Some(lang)) => Ok(Some(lang)),
            _ => Err(bad_query()),
        }
    }
}

fn bad_query() -> Problem {
    let title = "as_of is an instant with an offset, format json or text, lang zh or en";
    Problem::new(StatusCode::BAD_REQUEST, "query", title)
}

pub(crate) async fn show(
    State(gateway): State<Arc<Gateway>>,
    id: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else { return bad_query().into_response() };
    let (told, seen_by) = match asked.told().and_then(|told| Ok((told, asked.as_of()?))) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_case", "There is no such case").into_response();
    let Ok(Path(id)) = id else { return none() };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(is_allowed) {
        return none();
    }
    let as_of = seen_by.unwrap_or_else(gateway.parts.now);
    match gateway.parts.rules.view(&id, seen_by).await {
        Ok(Some(viewed)) => match told {
            Some(lang) => viewed.told(as_of, lang).into_response(),
            None => Json(viewed.shown(as_of)).into_response(),
        },
        Ok(None) => none(),
        Err(error) => unavailable(&error).into_response(),
    }
}
