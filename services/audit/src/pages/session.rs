//! Signing in: the token is kept in a cookie that scripts and other sites do not see. There is no session on the server, so
//! a token that is revoked is refused at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use super::cookies::{LANG, TOKEN};
use super::frame::{Frame, ROOT, Reader, elsewhere, page};
use super::problem::told;
use crate::api::access;
use crate::api::foreign::{foreign, is_foreign};
use crate::desk::Desk;
use crate::token::Token;

/// Half a day; whoever comes back tomorrow signs in again.
const TOKEN_SECONDS: u32 = 12 * 3_600;
const LANG_SECONDS: u32 = 365 * 86_400;
/// A token has 59.
const FIELD_BYTES_MAX: usize = 200;

#[derive(Debug, askama::Template)]
#[template(path = "pages/sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    fault: Option<String>,
}

/// A cookie to be kept; of no time at all: to be forgotten.
pub(super) fn keep(name: &str, value: &str, seconds: u32, headers: &HeaderMap) -> HeaderValue {
    let is_secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https");
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={ROOT}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).expect("letters, digits and signs of ASCII")
}

pub(super) fn keep_lang(lang: hotline_events::Lang, headers: &HeaderMap) -> HeaderValue {
    keep(LANG, lang.of("zh", "en"), LANG_SECONDS, headers)
}

/// Where to go on after signing in: a page of ours, and nothing else.
fn next(asked: Option<&str>) -> String {
    let is_ours = |path: &&str| {
        let is_below = *path == ROOT || path.starts_with("/audit/") || path.starts_with("/audit?");
        is_below && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !path.contains("//")
    };
    asked.filter(is_ours).filter(|path| !path.starts_with("/audit/sign-")).unwrap_or(ROOT).to_owned()
}

/// `GET /audit/sign-in`.
pub(super) fn ask(headers: &HeaderMap, uri: &Uri) -> Response {
    let reader = Reader::of(uri, headers);
    let parameters = reader.parameters().unwrap_or_default();
    let asked = |of: &str| parameters.iter().find(|(name, _)| name == of).map(|(_, value)| value.as_str());
    let why = asked("why").filter(|why| *why == "token_bad");
    let fault = why.map(|why| (StatusCode::OK, told(why, reader.lang).to_owned()));
    form(&reader, next(asked("next")), fault)
}

fn form(reader: &Reader, next: String, fault: Option<(StatusCode, String)>) -> Response {
    let status = fault.as_ref().map_or(StatusCode::OK, |(status, _)| *status);
    let frame = Frame::new(reader, super::words::of(reader.lang).sign_in);
    page(status, &SignIn { frame, next, fault: fault.map(|(_, text)| text) })
}

/// The fields of a form.
pub(super) fn field(body: &[u8], name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(body);
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.trim().to_owned())
}

/// `POST /audit/sign-in`.
pub(super) async fn sign_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    if is_foreign(&headers) {
        return foreign().into_response();
    }
    let reader = Reader::of(&uri, &headers);
    let to = next(field(&body, "next").as_deref());
    let given = field(&body, "token").filter(|given| given.len() <= FIELD_BYTES_MAX).unwrap_or_default();
    let caller = match Token::read(&given) {
        Some(token) => access::of_token(&desk, &token).await,
        None => Err(access::token_bad()),
    };
    match caller {
        Ok(_) => {
            let mut response = elsewhere(&to);
            response.headers_mut().append(header::SET_COOKIE, keep(TOKEN, &given, TOKEN_SECONDS, &headers));
            response
        }
        Err(problem) => {
            let (status, code) = (problem.status(), problem.code());
            form(&reader, to, Some((status, told(code, reader.lang).to_owned())))
        }
    }
}

/// `POST /audit/sign-out`.
pub(super) fn sign_out(headers: &HeaderMap) -> Response {
    if is_foreign(headers) {
        return foreign().into_response();
    }
    let mut response = elsewhere("/audit/sign-in");
    response.headers_mut().append(header::SET_COOKIE, keep(TOKEN, "", 0, headers));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_stays_here() {
        for ours in ["/audit", "/audit/closures?department=D1", "/audit?lang=en"] {
            assert_eq!(next(Some(ours)), ours);
        }
        for other in [
            "https://example.org/audit",
            "//example.org",
            "/audit//example.org",
            "/auditors",
            "/audit/\\x",
            "/audit/ x",
            "/audit/sign-in",
        ] {
            assert_eq!(next(Some(other)), ROOT, "{other}");
        }
        assert_eq!(next(None), ROOT);
    }
}
