//! `GET /audit/access`: who took what away, and who saw whom.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_postgres::access::Listed;

use super::frame::{Frame, Reader, href, page};
use super::shown::{Shown, Table, Teller, case_href};
use super::{codes, words};
use crate::api::access::entries;
use crate::api::problem;
use crate::desk::Desk;
use crate::query::{List, Sample};

const ROWS: i64 = 50;

#[derive(Debug, askama::Template)]
#[template(path = "pages/access.html")]
struct Page {
    frame: Frame,
    table: Table,
    first: Option<String>,
    older: Option<String>,
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    let parameters = reader.parameters().unwrap_or_default();
    let before = parameters.iter().find(|(name, _)| name == "before");
    let before = before.and_then(|(_, before)| before.parse().ok());
    let rules = match desk.parts.rules.current().await {
        Ok(rules) => rules,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    let (rows, next) = match entries(&desk, before, ROWS).await {
        Ok(found) => found,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    let w = words::of(reader.lang);
    let teller = Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: true };
    let headings = vec![w.number, w.when, w.who, w.role, w.what, w.subject, w.filter, w.why, w.export];
    let shown = Page {
        frame: Frame::new(&reader, w.access),
        table: Table::new(w.access, headings, rows.iter().map(|entry| row(entry, &teller))),
        first: before.map(|_| "/audit/access".to_owned()),
        older: next.map(|next| href("/audit/access", [("before", next.to_string().as_str())])),
    };
    page(StatusCode::OK, &shown)
}

fn row(entry: &Listed, teller: &Teller<'_>) -> Vec<Shown> {
    let lang = teller.lang;
    let subject = match (entry.step.as_str(), List::parse(&entry.subject)) {
        ("exported", Some(list)) => Shown::text(super::lists::title(list, lang)),
        ("exported", None) if entry.subject == Sample::NAME => Shown::text(words::of(lang).sample),
        ("unmasked", _) => Shown::link(entry.subject.as_str(), case_href(&entry.subject)),
        _ => Shown::text(entry.subject.as_str()),
    };
    let members = entry.filter.as_object().into_iter().flatten();
    let said = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = members.filter(|(_, value)| !value.is_null());
    let filter: Vec<String> = members.map(|(name, value)| format!("{name}={}", said(value))).collect();
    let export = entry.export.as_ref().map(|export| {
        let state = codes::export_state(&export.state, lang);
        let rows = export.rows_done;
        lang.of(
            format!("{} {state}，{rows} 行", export.format),
            format!("{} {state}, {rows} rows", export.format),
        )
    });
    vec![
        Shown::number(entry.id),
        Shown::text(teller.at(entry.at)).with_class("time"),
        Shown::text(entry.actor.as_str()),
        Shown::text(codes::role(&entry.role, lang)),
        Shown::text(codes::step(&entry.step, lang)),
        subject,
        Shown::code(filter.join(" ")),
        Shown::text(entry.why.clone().unwrap_or_default()),
        Shown::text(export.unwrap_or_default()),
    ]
}
