//! What surrounds every page: language, navigation, who is signed in. Pages are whole without any script.

use askama::Template;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hotline_events::Lang;

use super::words::{self, Words};
use super::{codes, cookies};
use crate::token::{Caller, Right};

/// Under which all pages stand.
pub(super) const ROOT: &str = "/audit";
/// Only what the server itself hands out is shown or sent to; nothing is run.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// Who reads a page, and how.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) lang: Lang,
    /// None: nobody is signed in.
    pub(super) caller: Option<Caller>,
    pub(super) uri: Uri,
}

impl Reader {
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        Self { lang: asked(uri).unwrap_or_else(|| preferred(headers)), caller: None, uri: uri.clone() }
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(right))
    }

    /// The parameters of the address, in order; those that were left empty are none. None: they cannot be read.
    pub(super) fn parameters(&self) -> Option<Vec<(String, String)>> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&self.uri).ok()?;
        let said = |(name, value): &(String, String)| name != "lang" && !value.trim().is_empty();
        Some(read.0.into_iter().filter(said).map(|(name, value)| (name, value.trim().to_owned())).collect())
    }
}

/// The language that an address asks for.
pub(super) fn asked(uri: &Uri) -> Option<Lang> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == "lang").and_then(|(_, value)| Lang::parse(&value))
}

/// What was chosen before, else what the browser asks for first of the two languages there are.
fn preferred(headers: &HeaderMap) -> Lang {
    let chosen = cookies::cookie(headers, cookies::LANG).and_then(Lang::parse);
    let first =
        || headers.get(header::ACCEPT_LANGUAGE).and_then(|asked| asked.to_str().ok()).unwrap_or_default();
    let is_english = || first().trim_start().get(..2).is_some_and(|code| code.eq_ignore_ascii_case("en"));
    chosen.unwrap_or_else(|| if is_english() { Lang::En } else { Lang::Zh })
}

/// What every template gets.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) lang: Lang,
    pub(super) w: &'static Words,
    pub(super) title: String,
    pub(super) nav: Vec<Nav>,
    /// The name of the token and its role.
    pub(super) who: Option<(String, String)>,
    /// This page in the other language.
    pub(super) zh: String,
    pub(super) en: String,
}

/// A place of the navigation.
#[derive(Debug)]
pub(super) struct Nav {
    pub(super) href: &'static str,
    pub(super) text: &'static str,
    pub(super) is_here: bool,
}

impl Frame {
    pub(super) fn new(reader: &Reader, title: impl Into<String>) -> Self {
        let lang = reader.lang;
        let w = words::of(lang);
        let who = reader
            .caller
            .as_ref()
            .map(|caller| (caller.name.clone(), codes::role(caller.role.name(), lang).to_owned()));
        let all = [
            ("/audit", w.home, None),
            ("/audit/closures", w.closures, Some(Right::Lists)),
            ("/audit/lists", w.lists, Some(Right::Lists)),
            ("/audit/sample", w.sample, Some(Right::Lists)),
            ("/audit/bulletins", w.bulletins, Some(Right::Lists)),
            ("/audit/log", w.log, None),
            ("/audit/access", w.access, Some(Right::AccessLog)),
        ];
        let path = reader.uri.path();
        let is_within = |href: &str| path == href || href != ROOT && path.starts_with(&format!("{href}/"));
        let nav = all
            .into_iter()
            .filter(|(_, _, right)| reader.caller.is_some() && right.is_none_or(|right| reader.may(right)))
            .map(|(href, text, _)| Nav { href, text, is_here: is_within(href) })
            .collect();
        let (zh, en) = (in_language(&reader.uri, "zh"), in_language(&reader.uri, "en"));
        Self { lang, w, title: title.into(), nav, who, zh, en }
    }

    pub(super) fn is_zh(&self) -> bool {
        self.lang == Lang::Zh
    }

    /// As HTML calls the language.
    pub(super) fn code(&self) -> &'static str {
        self.lang.of("zh-CN", "en")
    }
}

/// The same address in another language.
fn in_language(uri: &Uri, lang: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let others = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "lang");
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(others).append_pair("lang", lang);
    format!("{}?{}", uri.path(), pairs.finish())
}

/// An address with parameters.
pub(super) fn href<'p>(path: &str, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    match query.finish() {
        empty if empty.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// A page as an answer.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = template.render().expect("a template of this program writes to a string");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        // Under `no-referrer` a browser sends our own forms with `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::VARY, "Accept-Language, Cookie"),
    ];
    (status, headers, html).into_response()
}

/// Elsewhere, asked for with GET.
pub(super) fn elsewhere(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
