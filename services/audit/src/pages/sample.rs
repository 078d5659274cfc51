//! A random sample of closed cases that anybody may draw again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::frame::{Frame, Reader, page};
use super::lists::{Form, Sort, files, marks, stamp, table};
use super::problem::fault;
use super::shown::{Table, Teller};
use super::words;
use crate::api::lists::{question, sampling, take};
use crate::api::problem;
use crate::desk::Desk;
use crate::error::{Error, Fault};
use crate::query::table::Cell;
use crate::query::{List, Sample, Sampling};
use crate::token::Right;

#[derive(Debug, askama::Template)]
#[template(path = "pages/sample.html")]
struct Page {
    frame: Frame,
    form: Form,
    seed: String,
    size: String,
    is_plain: bool,
    fault: Option<String>,
    drawn: Option<Drawn>,
}

#[derive(Debug)]
struct Drawn {
    of: i64,
    table: Table,
    marks: Vec<(String, &'static str)>,
    stamp: String,
    /// Files of it, by what they are called.
    files: Vec<(String, &'static str)>,
}

/// `GET /audit/sample`: the form, and with a seed the sample.
pub(super) async fn show(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    match made(&desk, &reader).await {
        Ok(response) => response,
        Err(error) => problem::of(&error).into_response(),
    }
}

async fn made(desk: &Desk, reader: &Reader) -> Result<Response, Error> {
    let mut parameters = reader.parameters().unwrap_or_default();
    // A button's own name says nothing.
    take(&mut parameters, "draw");
    let of = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let drawn = match of("seed") {
        Some(_) => draw(desk, reader, parameters.clone()).await.map(Some),
        None => Ok(None),
    };
    let (status, wrong, drawn) = match drawn {
        Ok(drawn) => (StatusCode::OK, None, drawn),
        Err(Error::Fault(what)) => (StatusCode::BAD_REQUEST, Some(fault(&what, reader.lang)), None),
        Err(error) => return Err(error),
    };
    let rules = desk.parts.rules.current().await?;
    let shown = Page {
        frame: Frame::new(reader, words::of(reader.lang).sample),
        form: Form::new(List::Closures, reader, &rules.rulebook, &parameters),
        seed: of("seed").unwrap_or_default(),
        size: of("size").unwrap_or_else(|| "20".to_owned()),
        is_plain: of("plain").is_some(),
        fault: wrong,
        drawn: drawn.map(|sample| told(&sample, &parameters, reader)),
    };
    Ok(page(status, &shown))
}

async fn draw(desk: &Desk, reader: &Reader, mut parameters: Vec<(String, String)>) -> Result<Sample, Error> {
    let sampling: Sampling = sampling(&mut parameters)?;
    let caller = reader.caller.as_ref().ok_or(Fault::Value { name: "query" })?;
    let question = question(desk, caller, List::Closures, &parameters).await?;
    desk.queries.sample(&question, &sampling).await
}

fn told(sample: &Sample, parameters: &[(String, String)], reader: &Reader) -> Drawn {
    let lang = reader.lang;
    let rulebook = &*sample.in_force.rulebook;
    let teller = Teller { lang, rulebook, leads_to_cases: reader.may(Right::Case) };
    let rows: Vec<Vec<Cell>> = sample.rows();
    let mut table = table(List::Closures, Sample::columns(), &rows, &teller);
    words::of(lang).sample.clone_into(&mut table.caption);
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Drawn {
        of: sample.of,
        marks: marks(List::Closures, &rows, lang),
        table,
        stamp: stamp(rulebook, lang),
        files: files(Sample::NAME, &pairs, reader),
    }
}
