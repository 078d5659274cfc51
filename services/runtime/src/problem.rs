//! Answers that say what is wrong: `application/problem+json` of RFC 9457, the same for every listener.
//!
//! A problem never carries a value that came with the request: only where it stood, and a code.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// What went wrong with a request.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    members: Map<String, Value>,
    retry_after_seconds: Option<u64>,
    closes: bool,
}

/// The code of a problem, left with its answer for whoever counts answers.
#[derive(Clone, Copy, Debug)]
pub struct ProblemCode(pub &'static str);

impl Problem {
    /// `code` is stable, `title` the same for every problem of that code.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, members: Map::new(), retry_after_seconds: None, closes: false }
    }

    /// Adds a member, such as the list of faults.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The request was not read to its end, so the connection cannot be used again.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:hotline:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.members);
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            if self.code.starts_with("token") {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                // A browser asks for a password, which is the token.
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"hotline\""));
            } else {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Webhook-Signature"));
            }
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}
