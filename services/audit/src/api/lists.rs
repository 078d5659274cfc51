//! Lists as pages of JSON, as files, and samples.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use hotline_events::Lang;

use super::problem;
use crate::desk::{Desk, busy};
use crate::error::{Error, Fault};
use crate::export::{self, Format, Place, READ_WITHIN, Subject, Wanted};
use crate::metrics;
use crate::query::{List, Question, Sampling};
use crate::token::{Caller, Right};

/// Rows of a page, and cases of a sample, where the question does not say.
const LIMIT: usize = 100;
const SIZE: usize = 20;
/// A seed is a few words.
const SEED_BYTES_MAX: usize = 100;

/// The parameters of a query, in their sequence.
type Parameters = Vec<(String, String)>;

fn parameters(uri: &Uri) -> Result<Parameters, Fault> {
    let read = Query::<Parameters>::try_from_uri(uri);
    read.map(|Query(parameters)| parameters).map_err(|_| Fault::Value { name: "query" })
}

/// Takes a parameter out; one that comes twice is left, and is a fault of the question.
pub(crate) fn take(parameters: &mut Parameters, name: &str) -> Option<String> {
    let at = parameters.iter().position(|(known, _)| known == name)?;
    Some(parameters.remove(at).1)
}

fn truth(parameters: &mut Parameters, name: &'static str) -> Result<bool, Fault> {
    take(parameters, name).map_or(Ok(false), |text| text.parse().map_err(|_| Fault::Value { name }))
}

fn number(parameters: &mut Parameters, name: &'static str, default: usize) -> Result<usize, Fault> {
    take(parameters, name).map_or(Ok(default), |text| text.parse().map_err(|_| Fault::Value { name }))
}

/// Takes out of the parameters as which file the rows are wanted; None: as JSON.
pub(crate) fn format(parameters: &mut Parameters) -> Result<Option<Format>, Fault> {
    let name = take(parameters, "format").filter(|format| format != "json");
    let bom = truth(parameters, "bom")?;
    let headings = headings(parameters)?;
    match name {
        Some(name) => {
            let format = Format::parse(&name, bom, headings).ok_or(Fault::Value { name: "format" })?;
            Ok(Some(format))
        }
        None if bom => Err(Fault::Value { name: "bom" }),
        None if headings.is_some() => Err(Fault::Value { name: "headings" }),
        None => Ok(None),
    }
}

/// In whose words the headings of a file are wanted; None: as the names that programs know.
fn headings(parameters: &mut Parameters) -> Result<Option<Lang>, Fault> {
    let Some(name) = take(parameters, "headings").filter(|name| name != "code") else { return Ok(None) };
    let wrong = || Fault::Choice { name: "headings", of: Lang::NAMES.into_iter().chain(["code"]).collect() };
    Lang::parse(&name).map(Some).ok_or_else(wrong)
}

/// `GET /v1/closures`.
pub(super) async fn closures(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Response {
    answer(&desk, &caller, List::Closures, &uri).await
}

/// `GET /v1/audit/{list}`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    match List::parse(&name).filter(|list| *list != List::Closures) {
        Some(list) => answer(&desk, &caller, list, &uri).await,
        None => problem::no_list().into_response(),
    }
}

async fn answer(desk: &Desk, caller: &Caller, list: List, uri: &Uri) -> Response {
    match page_or_file(desk, caller, list, uri).await {
        Ok(response) => response,
        Err(error) => problem::of(&error).into_response(),
    }
}

async fn page_or_file(desk: &Desk, caller: &Caller, list: List, uri: &Uri) -> Result<Response, Error> {
    let mut parameters = parameters(uri)?;
    if let Some(format) = format(&mut parameters)? {
        let question = question(desk, caller, list, &parameters).await?;
        return file(desk, caller, Wanted { subject: Subject::List(list), question, format }).await;
    }
    let after = take(&mut parameters, "after");
    let limit = number(&mut parameters, "limit", LIMIT)?;
    let counts = match take(&mut parameters, "count").as_deref() {
        None | Some("none") => false,
        Some("exact") => true,
        Some(_) => return Err(Fault::Value { name: "count" }.into()),
    };
    let question = question(desk, caller, list, &parameters).await?;
    let mut page = desk.queries.page(list, &question, after.as_deref(), limit).await?.to_json();
    if counts {
        page["count"] = desk.queries.count(list, &question).await?.to_json();
    }
    Ok(Json(page).into_response())
}

/// What is asked, within what the caller sees.
pub(crate) async fn question(
    desk: &Desk,
    caller: &Caller,
    list: List,
    parameters: &Parameters,
) -> Result<Question, Error> {
    let rules = desk.parts.rules.current().await?;
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut question = Question::parse(list, pairs, &rules.rulebook)?;
    // Changes of the rules concern everybody.
    if list == List::RuleChanges {
        return Ok(question);
    }
    if question.department.is_none()
        && let Some([only]) = caller.departments.as_deref()
        && !caller.sees(std::iter::empty())
    {
        question.department = Some(only.into());
    }
    if caller.sees(question.department.as_deref().into_iter()) {
        return Ok(question);
    }
    Err(Fault::Department { of: caller.departments.clone().unwrap_or_default() }.into())
}

pub(crate) async fn file(desk: &Desk, caller: &Caller, wanted: Wanted) -> Result<Response, Error> {
    if !caller.may(Right::Exports) {
        return Ok(problem::not_yours().into_response());
    }
    let Ok(permit) = Arc::clone(&desk.exports).try_acquire_owned() else {
        return Ok(busy().into_response());
    };
    metrics::exports(desk.exports_max - desk.exports.available_permits());
    let (subject, format) = (wanted.subject.name(), wanted.format);
    let place = Place { permit, patience: READ_WITHIN };
    let begun = export::begin(&desk.parts, &desk.queries, caller, wanted, place).await?;
    let name = format!("attachment; filename=\"{subject}-{}.{}\"", begun.id, format.name());
    let mut response = begun.body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::try_from(name).expect("letters, digits and signs of ASCII"),
    );
    headers.insert(HeaderName::from_static("export-id"), begun.id.into());
    headers.insert(HeaderName::from_static("export-rows-about"), begun.about.into());
    Ok(response)
}

/// `GET /v1/audit/sample`.
pub(super) async fn sample(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Response {
    match drawn(&desk, &caller, &uri).await {
        Ok(response) => response,
        Err(error) => problem::of(&error).into_response(),
    }
}

/// Takes out of the parameters what is to be drawn.
pub(crate) fn sampling(parameters: &mut Parameters) -> Result<Sampling, Fault> {
    let seed = take(parameters, "seed").filter(|seed| (1..=SEED_BYTES_MAX).contains(&seed.len()));
    let seed = seed.filter(|seed| !seed.chars().any(char::is_control));
    Ok(Sampling {
        seed: seed.ok_or(Fault::Value { name: "seed" })?,
        size: number(parameters, "size", SIZE)?,
        plain: truth(parameters, "plain")?,
    })
}

async fn drawn(desk: &Desk, caller: &Caller, uri: &Uri) -> Result<Response, Error> {
    let mut parameters = parameters(uri)?;
    let format = format(&mut parameters)?;
    let sampling = sampling(&mut parameters)?;
    let question = question(desk, caller, List::Closures, &parameters).await?;
    if let Some(format) = format {
        return file(desk, caller, Wanted { subject: Subject::Sample(sampling), question, format }).await;
    }
    let sample = desk.queries.sample(&question, &sampling).await?;
    Ok(Json(sample.to_json(&sampling)).into_response())
}
