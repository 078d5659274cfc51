//! The first page: look up a case, begin a search, see whether the log stands.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::frame::{Frame, Reader, elsewhere, page};
use super::lists::{Form, Sort, others};
use super::shown::{Teller, case_href};
use crate::api::closures::{history, is_case};
use crate::api::problem;
use crate::desk::Desk;
use crate::error::Error;
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

#[derive(Debug, askama::Template)]
#[template(path = "pages/found.html")]
struct Found {
    frame: Frame,
    /// Cases with their address and the name of their hotline.
    cases: Vec<(String, String, String)>,
}

/// `GET /audit/find?case=…`: the number as people write it, with or without its hotline.
pub(super) async fn find(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    let parameters = reader.parameters().unwrap_or_default();
    let asked = parameters.into_iter().find(|(name, _)| name == "case").map(|(_, case)| plain(&case));
    let Some(asked) = asked.filter(|asked| is_case(asked)) else {
        return problem::no_case().into_response();
    };
    let found = if asked.contains(':') { Ok(vec![asked]) } else { of_number(&desk, &reader, &asked).await };
    let found = match found {
        Ok(found) => found,
        Err(error) => return problem::of(&error).into_response(),
    };
    match found.as_slice() {
        [] => problem::no_case().into_response(),
        [case] => elsewhere(&shown_at(&reader, case)),
        cases => choice(&desk, &reader, cases).await,
    }
}

/// What was typed without an input method's full width, and without blanks around it.
fn plain(typed: &str) -> String {
    // The full-width forms of ASCII stand as far apart as the characters themselves (Unicode, U+FF01 to U+FF5E).
    let narrow = |sign: char| match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign),
        sign => sign,
    };
    typed.trim().chars().map(narrow).collect()
}

/// Where a case is shown to this reader.
fn shown_at(reader: &Reader, case: &str) -> String {
    let at = case_href(case);
    if reader.may(Right::Case) { at } else { format!("{at}/people") }
}

/// The cases of this number that the reader sees, of whichever hotline: two may have given the same number.
async fn of_number(desk: &Desk, reader: &Reader, number: &str) -> Result<Vec<String>, Error> {
    let Some(caller) = reader.caller.as_ref() else { return Ok(Vec::new()) };
    let rules = desk.parts.rules.current().await?;
    let mut found = Vec::new();
    for hotline in rules.rulebook.hotlines.keys() {
        let case = format!("{hotline}:{number}");
        if history(desk, caller, &case).await?.is_some() {
            found.push(case);
        }
    }
    Ok(found)
}

/// Several hotlines have a case of this number: which one is meant?
async fn choice(desk: &Desk, reader: &Reader, cases: &[String]) -> Response {
    let rules = match desk.parts.rules.current().await {
        Ok(rules) => rules,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    let teller = Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: true };
    let one = |case: &String| {
        let hotline = case.split_once(':').map_or("", |(hotline, _)| hotline);
        (shown_at(reader, case), case.clone(), teller.hotline(hotline))
    };
    let frame = Frame::new(reader, super::words::of(reader.lang).several_cases);
    page(StatusCode::OK, &Found { frame, cases: cases.iter().map(one).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_wide_it_was_typed() {
        for (typed, read) in [
            ("12345:1", "12345:1"),
            (" 1２３４５：Ａ-１\u{3000}", "12345:A-1"),
            ("１２３", "123"),
            ("工单 1", "工单 1"),
        ] {
            assert_eq!(plain(typed), read, "{typed}");
        }
    }
}
