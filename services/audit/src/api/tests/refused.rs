//! What is answered to nobody, whatever its token: what another site sent, what a browser added, texts where codes belong.

use serde_json::json;

use super::stage::{Stage, closed};
use crate::token::Role;

#[tokio::test]
async fn nobody_is_unmasked_for_another_site_or_on_a_password_that_a_browser_adds() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    let token = stage.token(Role::Operator, None, false).await;
    let bearer = format!("Bearer {token}");
    let basic =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("operator:{token}"));
    let basic = format!("Basic {basic}");
    let own = ("authorization", bearer.as_str());
    let json = ("content-type", "application/json");
    let host = ("host", "audit.example");
    let body = json!({ "why": "asked by the court" }).to_string();
    let status = async |headers: &[(&str, &str)]| {
        stage.browse(("POST", "/v1/closures/12345:1/unmask"), headers, &body).await.status().as_u16()
    };
    for (headers, refused) in [
        (vec![own, json, host, ("sec-fetch-site", "cross-site")], 403),
        (vec![own, json, host, ("origin", "https://other.example")], 403),
        (vec![own, json, host, ("origin", "null")], 403),
        (vec![own, host], 415),
        (vec![own, host, ("content-type", "text/plain")], 415),
        (vec![own, host, ("content-type", "application/x-www-form-urlencoded")], 415),
        (vec![("authorization", basic.as_str()), json, host], 401),
        (vec![("authorization", "Negotiate x"), json, host], 401),
    ] {
        assert_eq!(status(&headers).await, refused, "{headers:?}");
    }
    assert!(stage.texts("SELECT step FROM access_log WHERE step = 'unmasked'").await.is_empty());
    assert_eq!(status(&[own, json, host, ("origin", "https://audit.example")]).await, 200);
    assert_eq!(status(&[own, ("content-type", "Application/JSON; charset=utf-8")]).await, 200);
}

#[tokio::test]
async fn no_text_of_ones_own_is_taken_into_the_record_of_an_export() {
    let stage = Stage::new().await;
    let auditor = stage.token(Role::Auditor, None, false).await;
    let before = stage.texts("SELECT id::text FROM closure_records").await;
    for asked in ["region=%E7%A4%BA%E4%BE%8B13812345678", "department=138-1234-5678", "category=a%20b"] {
        let path = format!("/v1/closures?format=csv&{asked}");
        let (status, body) = stage.get(&path, Some(&auditor)).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("value")), "{asked}");
        assert!(body["detail"].as_str().unwrap().contains("takes a code"), "{body}");
    }
    let (_, body) = stage.get("/v1/closures?verdict=good", Some(&auditor)).await;
    assert!(body["detail"].as_str().unwrap().contains("none_stopped"), "{body}");
    assert!(stage.texts("SELECT id::text FROM access_log WHERE step = 'exported'").await.is_empty());
    assert_eq!(stage.texts("SELECT id::text FROM closure_records").await, before);
}
