//! What a browser keeps for us.

use axum::http::{HeaderMap, header};

/// The cookies: a token, and a language that was chosen.
pub(super) const TOKEN: &str = "hotline_token";
pub(super) const LANG: &str = "hotline_lang";

/// A cookie of a request.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; hotline_token=hl_x; b=2"));
        assert_eq!(cookie(&headers, TOKEN), Some("hl_x"));
        assert_eq!(cookie(&headers, LANG), None);
    }
}
