//! Who may read, and who may do something about refused input: a bearer token each, or everybody on this machine where
//! none is configured.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hotline_runtime::Secret;
use hotline_runtime::problem::Problem;

use crate::config::GatewayConfig;
use crate::{Error, Gateway};

/// The SHA-256 of a token, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token(Option<Vec<u8>>);

/// The tokens for reading and for operators.
pub(crate) fn of(config: &GatewayConfig) -> Result<(Token, Token), Error> {
    let readers =
        Token::of(config.token_sha256.as_deref(), config.token.as_ref(), config.token_file.as_deref())?;
    let hash = config.operator_token_sha256.as_deref();
    Ok((readers, Token::of(hash, None, config.operator_token_file.as_deref())?))
}

impl Token {
    fn of(hash: Option<&str>, token: Option<&Secret>, file: Option<&Path>) -> Result<Self, Error> {
        if let Some(hash) = hash {
            return Ok(Self(Some(decode(hash))));
        }
        let token = match (token, file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => Some(Secret::read(path)?),
            (None, None) => None,
        };
        Ok(Self(token.map(|token| digest(&SHA256, token.expose().as_bytes()).as_ref().to_vec())))
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.0 else { return true };
        let given = headers.get(header::AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
        given.and_then(token_of).is_some_and(|token| {
            verify_slices_are_equal(digest(&SHA256, token.trim_ascii()).as_ref(), expected).is_ok()
        })
    }
}

/// The token of an `Authorization`: of `Bearer`, or the password of `Basic`, which is what a browser can ask for. Whatever
/// user stands before it.
fn token_of(given: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (scheme, rest) = given.split_at_checked(given.iter().position(|byte| *byte == b' ')? + 1)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Some(Cow::Borrowed(rest));
    }
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Cow::Owned(pair[colon + 1..].to_vec()))
}

/// Hexadecimal digits, as the configuration was checked to hold; anything else matches no token.
fn decode(hash: &str) -> Vec<u8> {
    let pair = |at: usize| hash.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hash.len()).step_by(2).filter_map(pair).collect()
}

/// Lets through who may read. An operator's token is not one for reading: whoever does both has both.
pub(crate) async fn check(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    if gateway.readers.admits(request.headers()) {
        return next.run(request).await;
    }
    refused(&request, "Reading needs a bearer token")
}

/// Lets through who may do something about refused input: nobody where operators have no token, since whoever is on the
/// machine could unseal what it keeps.
pub(crate) async fn check_operator(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    if gateway.operators.is_none() {
        let title =
            "No operator's token is configured: see [gateway] operator_token_file, or use the command line";
        return Problem::new(StatusCode::FORBIDDEN, "no_operators", title).into_response();
    }
    if gateway.operators.admits(request.headers()) {
        return next.run(request).await;
    }
    refused(&request, "This needs an operator's bearer token")
}

fn refused(request: &Request, title: &'static str) -> Response {
    let code =
        if request.headers().contains_key(header::AUTHORIZATION) { "token_bad" } else { "token_missing" };
    Problem::new(StatusCode::UNAUTHORIZED, code, title).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_a_bearer_or_as_the_password_that_a_browser_asks_for() {
        let of = |given: &str| {
            token_of(given.as_bytes()).map(|token| String::from_utf8_lossy(&token).into_owned())
        };
        assert_eq!(of("Bearer secret").as_deref(), Some("secret"));
        assert_eq!(of("bearer secret").as_deref(), Some("secret"));
        assert_eq!(of("Basic ZHV0eTpzZWM6cmV0").as_deref(), Some("sec:ret"));
        for other in ["secret", "Digest secret", "Basic secret!", "Basic ZHV0eQ==", ""] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
