//! Who may read: a bearer token, or everybody on this machine where none is configured.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hotline_runtime::Secret;
use hotline_runtime::problem::Problem;

use crate::config::GatewayConfig;
use crate::{Error, Gateway};

/// The SHA-256 of the token for reading, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(Option<Vec<u8>>);

impl Tokens {
    pub(crate) fn of(config: &GatewayConfig) -> Result<Self, Error> {
        if let Some(hash) = &config.token_sha256 {
            return Ok(Self(Some(decode(hash))));
        }
        let token = match (&config.token, &config.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => Some(Secret::read(path)?),
            (None, None) => None,
        };
        Ok(Self(token.map(|token| digest(&SHA256, token.expose().as_bytes()).as_ref().to_vec())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.0 else { return true };
        let given = headers.get(header::AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
        let Some((scheme, token)) = given.and_then(|given| given.split_at_checked("Bearer ".len())) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ")
            && verify_slices_are_equal(digest(&SHA256, token.trim_ascii()).as_ref(), expected).is_ok()
    }
}

/// Hexadecimal digits, as the configuration was checked to hold; anything else matches no token.
fn decode(hash: &str) -> Vec<u8> {
    let pair = |at: usize| hash.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hash.len()).step_by(2).filter_map(pair).collect()
}

/// Lets through who bears the token.
pub(crate) async fn check(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    if gateway.tokens.admits(request.headers()) {
        return next.run(request).await;
    }
    let code =
        if request.headers().contains_key(header::AUTHORIZATION) { "token_bad" } else { "token_missing" };
    Problem::new(StatusCode::UNAUTHORIZED, code, "Reading needs a bearer token").into_response()
}
