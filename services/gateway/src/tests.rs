//! The door with a stand-in for casework behind it; nothing here needs a database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use hotline_events::Tagger;
use hotline_runtime::config::Section as _;
use hotline_runtime::webhook::{self, Secret};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::GatewayConfig;
use crate::access;
use crate::signature::{Allowed, Distrust, Keys};
use crate::throttle::Throttle;
use crate::{body, intake};

/// The example of the Standard Webhooks specification's own libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Events that the tests allow in one request.
const EVENTS_MAX: usize = 50;
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(webhook::ID, id), (webhook::TIMESTAMP, timestamp), (webhook::SIGNATURE, signature)]
    {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_signature_is_that_of_the_specification() {
    let secret = Secret::parse(SECRET).unwrap();
    let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn only_the_sources_of_the_secret_that_signed_are_admitted() {
    let keys = Keys::of(&[(SECRET, &["/a", "/b"]), (OTHER_SECRET, &["/c"])]);
    let signed = Secret::parse(SECRET).unwrap().sign("1", 1000, b"body");
    let allowed = keys.verify(&headers("1", "1000", &signed), b"body", at(1000)).unwrap();
    assert!(allowed.admits("/a") && allowed.admits("/b") && !allowed.admits("/c"));
    let both = format!("{signed} {}", Secret::parse(OTHER_SECRET).unwrap().sign("1", 1000, b"body"));
    assert!(keys.verify(&headers("1", "1000", &both), b"body", at(1000)).unwrap().admits("/c"));
    assert_eq!(Keys::default().verify(&HeaderMap::new(), b"", at(0)), Ok(Allowed::Anyone));
}

#[test]
fn what_is_altered_stale_or_unsigned_is_refused() {
    let keys = Keys::of(&[(SECRET, &["/a"])]);
    let signed = Secret::parse(SECRET).unwrap().sign("1", 1000, b"body");
    let verify =
        |id, timestamp, body: &[u8], now| keys.verify(&headers(id, timestamp, &signed), body, at(now));
    assert_eq!(verify("2", "1000", b"body", 1000), Err(Distrust::Bad));
    assert_eq!(verify("1", "1001", b"body", 1000), Err(Distrust::Bad));
    assert_eq!(verify("1", "1000", b"bodY", 1000), Err(Distrust::Bad));
    assert!(verify("1", "1000", b"body", 1300).is_ok());
    assert_eq!(verify("1", "1000", b"body", 1301), Err(Distrust::Stale));
    assert_eq!(verify("1", "1000", b"body", 699), Err(Distrust::Stale));
    assert_eq!(verify("1", "x", b"body", 1000), Err(Distrust::Bad));
    assert_eq!(keys.verify(&HeaderMap::new(), b"body", at(1000)), Err(Distrust::Missing));
}

#[test]
fn a_secret_that_is_short_or_not_base64_is_none() {
    for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
        assert!(Secret::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_listener_open_to_others_needs_secrets_and_a_token() {
    let open = GatewayConfig { listen: "0.0.0.0:8080".parse().unwrap(), ..GatewayConfig::default() };
    assert_eq!(open.faults().len(), 2);
    let safe = GatewayConfig {
        secrets: BTreeMap::from([("/a".to_owned(), vec![PathBuf::from("a.key")])]),
        token_sha256: Some("0".repeat(64)),
        ..open
    };
    assert_eq!(safe.faults(), Vec::<String>::new());
    assert_eq!(GatewayConfig::default().faults(), Vec::<String>::new());
    let two = GatewayConfig {
        token_file: Some("x".into()),
        token_sha256: Some("short".into()),
        ..GatewayConfig::default()
    };
    assert_eq!(two.faults().len(), 2);
}

#[test]
fn without_a_token_reading_is_open_and_with_one_it_is_not() {
    assert!(access::of(&GatewayConfig::default()).unwrap().0.is_none());
    let config = GatewayConfig { token_sha256: Some("ab".repeat(32)), ..GatewayConfig::default() };
    assert!(!access::of(&config).unwrap().0.is_none());
}

#[test]
fn a_bucket_lets_a_large_batch_through_and_pays_afterwards() {
    let throttle = Throttle::new(10, 100);
    let begun_at = Instant::now();
    assert_eq!(throttle.take(&"/a".into(), 200, begun_at), Ok(()));
    let wait = throttle.take(&"/a".into(), 1, begun_at).unwrap_err();
    assert!(wait > Duration::from_secs(10), "{wait:?}");
    assert_eq!(throttle.take(&"/b".into(), 1, begun_at), Ok(()), "another source is no concern");
    assert_eq!(throttle.take(&"/a".into(), 1, begun_at + Duration::from_secs(11)), Ok(()));
}

async fn read(bytes: usize, max: usize) -> Result<usize, (StatusCode, &'static str)> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let budget = Arc::new(Semaphore::new(500));
    let read = body::read(&HeaderMap::new(), Body::from(vec![b' '; bytes]), max, &budget, deadline).await;
    read.map(|(bytes, _)| bytes.len()).map_err(|problem| (problem.status(), problem.code()))
}

#[tokio::test]
async fn a_body_above_the_limit_is_too_large() {
    assert_eq!(read(100, 100).await, Ok(100));
    assert_eq!(read(101, 100).await, Err((StatusCode::PAYLOAD_TOO_LARGE, "too_large")));
    assert_eq!(read(1000, 100).await, Err((StatusCode::PAYLOAD_TOO_LARGE, "too_large")));
    // The bodies of all senders together are bounded too.
    assert_eq!(read(501, 600).await, Err((StatusCode::SERVICE_UNAVAILABLE, "busy")));
}

#[test]
fn more_events_than_are_taken_at_once_are_not_even_looked_at() {
    let body = format!("[{}]", vec!["{}"; EVENTS_MAX + 1].join(","));
    assert_eq!(taken("application/cloudevents-batch+json", &body).map(|_| ()), Err("too_many"));
    let lines = "{}\n".repeat(EVENTS_MAX + 1);
    assert_eq!(taken("application/x-ndjson", &lines).map(|_| ()), Err("too_many"));
}

#[test]
fn an_unsigned_head_is_refused_before_its_body() {
    let keys = Keys::of(&[(SECRET, &["/a"])]);
    assert_eq!(keys.look_at(&HeaderMap::new(), at(0)), Err(Distrust::Missing));
}

fn taken(content_type: &str, body: &str) -> Result<intake::Taken, &'static str> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
    intake::events(&headers, body.as_bytes(), &Tagger::unkeyed(), EVENTS_MAX)
        .map_err(|problem| problem.code())
}

const EVENT: &str = r#"{"specversion":"1.0","type":"hotline.case.signed.v1","source":"/a","id":"1","subject":"12345:1","time":"2026-01-05T09:00:00+08:00","data":{"department":"d"}}"#;

#[test]
fn a_body_is_taken_apart_as_its_content_type_says() {
    let count =
        |content_type, body: &str| taken(content_type, body).map(|taken| (taken.single, taken.items.len()));
    assert_eq!(count("application/cloudevents+json", EVENT), Ok((true, 1)));
    assert_eq!(count("application/json; charset=utf-8", EVENT), Ok((true, 1)));
    assert_eq!(count("application/json", &format!(" [{EVENT},{EVENT}]")), Ok((false, 2)));
    assert_eq!(count("application/cloudevents-batch+json", "[]"), Ok((false, 0)));
    assert_eq!(count("application/x-ndjson", &format!("{EVENT}\n\nnot json\n")), Ok((false, 2)));
    assert_eq!(count("text/html", EVENT), Err("content_type"));
    assert_eq!(count("application/cloudevents-batch+json", "[1,"), Err("undecodable"));
}

#[test]
fn one_bad_event_of_many_does_not_spoil_the_others() {
    let taken = taken("application/x-ndjson", &format!("{EVENT}\n{{\"id\":\"2\"}}\n")).unwrap();
    assert!(taken.items[0].event.is_ok());
    let refused = taken.items[1].event.as_ref().unwrap_err();
    assert_eq!(refused.reason, "invalid");
    assert!(refused.faults.iter().any(|fault| fault.pointer == "/specversion" && fault.code == "required"));
}

#[test]
fn binary_mode_is_kept_as_it_would_stand_in_structured_mode() {
    let mut headers = HeaderMap::new();
    let attributes = [
        ("ce-specversion", "1.0"),
        ("ce-type", "hotline.case.signed.v1"),
        ("ce-source", "/a"),
        ("ce-id", "1"),
        ("ce-subject", "12345:1"),
        ("ce-time", "2026-01-05T09:00:00+08:00"),
        ("content-type", "application/json"),
    ];
    for (name, value) in attributes {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let body = br#"{"department":"d"}"#;
    let taken = intake::events(&headers, body, &Tagger::unkeyed(), EVENTS_MAX).unwrap();
    assert!(taken.single && taken.items[0].event.is_ok());
    let again = self::taken("application/json", std::str::from_utf8(&taken.items[0].raw).unwrap()).unwrap();
    assert!(again.items[0].event.is_ok());
}
