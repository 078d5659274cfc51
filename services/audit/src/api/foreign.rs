//! Requests that a page of another site made a browser send. It adds what the browser keeps of ours, a cookie or a password, by
//! itself; what it cannot make it leave out is where the request came from.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hotline_runtime::problem::Problem;

/// Whether another site sent it. A browser says so in `Sec-Fetch-Site`, where the connection is safe, and names the site in
/// `Origin`, which must be the one that was asked; programs send neither. `Origin: null` is nobody's.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_elsewhere = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    is_elsewhere || headers.get_all(header::ORIGIN).into_iter().any(|origin| !is_ours(origin, headers))
}

/// Whether it names what was asked: by `Host`, or by what a proxy says that this was. No form of another site can add either.
fn is_ours(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some((_, site)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let asked = [headers.get(header::HOST), headers.get("x-forwarded-host")];
    asked.into_iter().flatten().any(|asked| asked.as_bytes().eq_ignore_ascii_case(site.as_bytes()))
}

/// Whether a request asks only: whatever else it may be, it says so by its method.
pub(crate) fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

pub(crate) fn foreign() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "foreign", "The form was sent by another site")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        is_foreign(&headers)
    }

    #[test]
    fn what_another_site_sent_is_foreign_and_what_a_program_sends_is_not() {
        let host = ("host", "audit.example:8090");
        for ours in [
            &[host] as &[_],
            &[host, ("origin", "http://audit.example:8090")],
            &[host, ("origin", "http://Audit.Example:8090"), ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
            &[
                ("host", "127.0.0.1:8090"),
                ("x-forwarded-host", "audit.example"),
                ("origin", "https://audit.example"),
            ],
        ] {
            assert!(!of(ours), "{ours:?}");
        }
        for other in [
            &[host, ("sec-fetch-site", "cross-site")] as &[_],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("origin", "null")],
            &[host, ("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[host, ("origin", "")],
            &[host, ("origin", "http://audit.example")],
            &[host, ("origin", "http://audit.example:8091")],
            &[host, ("origin", "http://other.example:8090")],
            &[host, ("origin", "http://audit.example:8090"), ("origin", "http://other.example")],
            &[("origin", "http://audit.example:8090")],
        ] {
            assert!(of(other), "{other:?}");
        }
    }
}
