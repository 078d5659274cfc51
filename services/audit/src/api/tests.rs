//! The role over its addresses, on a real PostgreSQL: who may ask what, what pages and files hold, what is recorded.

mod asking;
mod refused;
pub(crate) mod stage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use serde_json::{Value, json};
use smol_str::SmolStr;
use tokio::sync::Semaphore;

use crate::api::ROUTES;
use crate::export::{Format, Place, Wanted};
use crate::query::{List, Queries, Question};
use crate::token::{Caller, Right, Role};
use stage::{Stage, closed, event, ruled};

#[test]
fn the_description_of_the_interface_and_the_addresses_are_the_same() {
    let text = include_str!("../../../../schemas/audit.yaml");
    let described: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  /").map(|_| line.trim().trim_end_matches(':')))
        .collect();
    let answered: BTreeSet<String> = ROUTES.iter().map(|route| route.path.replace('*', "")).collect();
    assert_eq!(described, answered.iter().map(String::as_str).collect());
    for list in crate::query::List::ALL {
        assert!(text.contains(list.name()), "{} is not described", list.name());
    }
}

#[tokio::test]
async fn each_role_is_answered_where_it_may_ask_and_nowhere_else() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.keep().await;
    let tokens = [
        (Role::Auditor, false),
        (Role::Auditor, true),
        (Role::Supervisor, false),
        (Role::Supervisor, true),
        (Role::Operator, false),
    ];
    let path = |route: &str| {
        route
            .replace("{case}", "12345:1")
            .replace("{list}", "holds")
            .replace("{id}", "1")
            .replace("sample", "sample?seed=1")
            .replace("{level}", "0")
            .replace("{*index}", "000.p/1")
            .replace("{record}", "1")
    };
    for (role, may_unmask) in tokens {
        let token = stage.token(role, None, may_unmask).await;
        for route in ROUTES {
            let (status, body) = if route.right == Some(Right::Unmask) {
                stage.post(&path(route.path), Some(&token), &json!({ "why": "asked by the court" })).await
            } else {
                stage.get(&path(route.path), Some(&token)).await
            };
            let Some(right) = route.right else {
                assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{}", route.path);
                continue;
            };
            let may = match (right, role) {
                (Right::Unmask, Role::Operator) => true,
                (Right::Unmask, _) => may_unmask,
                (_, Role::Auditor) | (Right::Lists | Right::Case, Role::Supervisor) => true,
                _ => false,
            };
            assert_eq!(status != 403, may, "{role:?} {may_unmask} {}: {status} {body}", route.path);
            assert_ne!(status, 401, "{}", route.path);
        }
        let (status, _) = stage.get("/v1/closures?format=csv", Some(&token)).await;
        assert_eq!(status, if role == Role::Auditor { 200 } else { 403 });
    }
    for route in ROUTES {
        let (status, body) = if route.right == Some(Right::Unmask) {
            stage.post(&path(route.path), None, &json!({ "why": "asked by the court" })).await
        } else {
            stage.get(&path(route.path), None).await
        };
        // What is signed and hashed is for everybody; nothing is, yet.
        let refused = if route.right.is_some() { (401, "token_missing") } else { (404, "not_found") };
        assert_eq!((status, body["code"].as_str()), (refused.0, Some(refused.1)), "{}", route.path);
    }
    assert_eq!(stage.get_from("192.0.2.7", "/log/checkpoint", &[]).await.0, 404);
    assert_eq!(stage.get_from("192.0.2.7", "/log/tile/entries/000", &[]).await.0, 401);
}

#[tokio::test]
async fn a_token_that_is_revoked_expired_or_mistyped_is_refused() {
    let stage = Stage::new().await;
    let token = stage.token(Role::Auditor, None, false).await;
    let status = async |token: &str| stage.get("/v1/closures", Some(token)).await.0;
    assert_eq!(status(&token).await, 200);
    assert_eq!(status(&token[..58]).await, 401);
    let other = crate::token::Token::generate().unwrap();
    assert_eq!(status(other.expose()).await, 401);
    stage.execute("UPDATE tokens SET expires_at = '2026-03-02T01:00:00Z'").await;
    assert_eq!(status(&token).await, 401, "it is good until that instant, not at it");
    stage.execute("UPDATE tokens SET expires_at = '2026-03-02T01:00:01Z'").await;
    assert_eq!(status(&token).await, 200);
    stage.execute("UPDATE tokens SET revoked_at = '2026-03-01T00:00:00Z'").await;
    assert_eq!(status(&token).await, 401);
    assert_eq!(stage.texts("SELECT last_used_on::text FROM tokens").await, ["2026-03-02"]);
    let kept = stage.texts("SELECT encode(sha256, 'hex') FROM tokens").await;
    assert!(!kept[0].contains(&token[3..]), "the token itself is kept nowhere");
}

#[tokio::test]
async fn without_any_token_only_this_machine_is_answered_and_nobody_who_was_handed_on() {
    let stage = Stage::new().await;
    assert_eq!(stage.get_from("127.0.0.1", "/v1/closures", &[]).await.0, 200);
    assert_eq!(stage.get_from("192.0.2.7", "/v1/closures", &[]).await.0, 401);
    assert_eq!(stage.get_from("127.0.0.1", "/v1/closures", &[("x-forwarded-for", "192.0.2.7")]).await.0, 401);
    for (host, status) in [
        ("127.0.0.1:8090", 200),
        ("localhost", 200),
        ("[::1]:8090", 200),
        ("[::1]", 200),
        ("rebound.example:8090", 401),
        ("192.0.2.7", 401),
    ] {
        let answer = stage.get_from("127.0.0.1", "/v1/closures", &[("host", host)]).await;
        assert_eq!(answer.0, status, "a site whose name leads here is not this machine: {host}");
    }
    let (status, _) = stage.post("/v1/closures/12345:1/unmask", None, &json!({ "why": "curious" })).await;
    assert_eq!(status, 403, "an auditor sees nobody's identity");
    stage.token(Role::Operator, None, false).await;
    assert_eq!(stage.get_from("127.0.0.1", "/v1/closures", &[]).await.0, 401);
}

#[tokio::test]
async fn a_supervisor_sees_its_own_departments() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.apply(closed("2", "D2", "2026-03-03T03:00:00Z")).await;
    stage.keep().await;
    let one = stage.token(Role::Supervisor, Some(&["D1"]), false).await;
    let cases = |body: &Value| stage::column(body, "case");
    assert_eq!(cases(&stage.get("/v1/closures", Some(&one)).await.1), ["12345:1"]);
    let both = stage.token(Role::Supervisor, Some(&["D1", "D2"]), false).await;
    let (status, body) = stage.get("/v1/closures", Some(&both)).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("department")));
    assert_eq!(cases(&stage.get("/v1/closures?department=D2", Some(&both)).await.1), ["12345:2"]);
    for path in [
        "/v1/closures?department=D2",
        "/v1/audit/holds?department=D2",
        "/v1/audit/sample?seed=1&department=D2",
    ] {
        assert_eq!(stage.get(path, Some(&one)).await.0, 400, "{path}");
    }
    assert_eq!(stage.get("/v1/closures/12345:1", Some(&one)).await.0, 200);
    assert_eq!(stage.get("/v1/closures/12345:2", Some(&one)).await.0, 404, "a case of others is none");
    assert_eq!(stage.get("/v1/audit/rule_changes", Some(&one)).await.0, 200);
}

#[tokio::test]
async fn answers_are_kept_out_of_caches_and_frames() {
    let stage = Stage::new().await;
    for path in ["/v1/closures", "/nothing"] {
        let headers = stage.headers(path).await;
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn a_ruling_an_extension_a_hold_and_a_late_entry_stand_in_their_lists() {
    let stage = Stage::new().await;
    let mut events = closed("1", "D1", "2026-03-03T02:00:00Z");
    events.push(ruled("1", "D1"));
    let granted = json!({ "stage": "close", "limit": 2, "unit": "working_day", "by": "HL" });
    events.insert(2, event("1-x", "1", "extended", "2026-03-02T05:00:00Z", &granted));
    events.insert(2, event("1-h", "1", "held", "2026-03-02T06:00:00Z", &json!({ "reason": "inspection" })));
    events
        .insert(3, event("1-l", "1", "released", "2026-03-02T07:00:00Z", &json!({ "reason": "inspection" })));
    for event in events {
        // All is sent at once, but the closing: eleven days late.
        let is_late = event["id"] == "1-c";
        let received_at =
            if is_late { "2026-03-14T02:00:00Z" } else { event["time"].as_str().unwrap() }.to_owned();
        stage.apply_received(vec![event], &received_at).await;
    }
    stage.keep().await;
    let row = async |list: &str| {
        let (status, body) = stage.get(&format!("/v1/audit/{list}?count=exact"), None).await;
        assert_eq!((status, &body["count"]), (200, &json!({ "exactly": 1 })), "{list}: {body}");
        body["rows"][0].clone()
    };
    let exclusion = row("exclusions").await;
    let said =
        ["indicator", "effect", "reason", "document", "approved_by"].map(|name| exclusion[name].clone());
    assert_eq!(json!(said), json!(["close", "exclude", "force_majeure", "2026-7", "HL"]));
    let extension = row("extensions").await;
    assert_eq!((&extension["granted"], &extension["approved_by"]), (&json!("2 working_day"), &json!("HL")));
    let hold = row("holds").await;
    assert_eq!(
        (&hold["reason"], &hold["until"]),
        (&json!("inspection"), &json!("2026-03-02T15:00:00+08:00"))
    );
    let late = row("late_entries").await;
    assert_eq!((&late["type"], &late["gap_seconds"]), (&json!("closed"), &json!(11 * 86_400)));
    assert_eq!(late["marks"], json!(["backdated"]));
}

#[tokio::test]
async fn a_department_is_shown_with_what_was_excluded_and_without() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    // Five working days from the 2nd end with the 9th: these two are late.
    for case in ["2", "3"] {
        stage.apply(closed(case, "D1", "2026-03-12T02:00:00Z")).await;
    }
    stage.apply(vec![ruled("2", "D1")]).await;
    stage.keep().await;
    let (_, body) = stage.get("/v1/audit/exclusions", None).await;
    let expected =
        json!({ "D1": { "with_excluded": { "met": 1, "judged": 3 }, "without": { "met": 1, "judged": 2 } } });
    assert_eq!(body["departments"], expected);
    let (_, body) = stage.get("/v1/audit/exclusions?from=2026-03-01&to=2026-03-02", None).await;
    assert_eq!((&body["rows"], &body["departments"]), (&json!([]), &json!({})));
}

#[tokio::test]
async fn a_history_says_what_explain_says_and_who_corrected_what() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    let corrects = json!({ "source": "/hotline/12345", "id": "1-c", "type": "hotline.case.closed.v1" });
    let mut correction = event(
        "k",
        "1",
        "corrected",
        "2026-03-04T00:00:00Z",
        &json!({ "corrects": corrects, "time": "2026-03-03T01:00:00Z" }),
    );
    correction["source"] = json!("/hotline/departments/D1");
    stage.apply(vec![correction]).await;
    stage.keep().await;
    let (status, history) = stage.get("/v1/closures/12345:1", None).await;
    assert_eq!(status, 200, "{history}");
    let viewed = stage.viewed("12345:1").await;
    for (name, value) in viewed.as_object().unwrap() {
        if ["rounds", "corrections", "as_of"].contains(&name.as_str()) {
            continue;
        }
        assert_eq!(&history[name], value, "{name}");
    }
    assert_eq!(history["rounds"][0]["clocks"], viewed["rounds"][0]["clocks"]);
    assert_eq!(history["corrections"][0]["marks"], json!(["other_author", "judged_department"]));
    assert_eq!(history["rounds"][0]["facts"][0]["origin"], json!({ "origin": "http", "offset": 0 }));
    let (_, body) = stage.get("/v1/audit/corrections?mark=judged_department", None).await;
    assert_eq!(stage::column(&body, "case"), ["12345:1"]);
    let (_, row) = stage.get("/v1/closures", None).await;
    assert_eq!(row["rows"][0]["closed_at"], viewed["rounds"][0]["closing"]["at"]);
    assert_eq!(row["rows"][0]["verdict"], json!("met"));
    for missing in ["12345:2", "no case", &"x".repeat(97), "12345:1/records/7"] {
        let path = format!("/v1/closures/{}", missing.replace(' ', "%20"));
        assert_eq!(stage.get(&path, None).await.0, 404, "{missing}");
    }
}

#[tokio::test]
async fn a_record_is_answered_byte_by_byte() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.execute("INSERT INTO closure_records (case_id, kind, written_at, leaf) VALUES ('12345:1', 'closed', '2026-03-03T02:00:00Z', '\\x7b000aff7d')").await;
    let (_, history) = stage.get("/v1/closures/12345:1", None).await;
    let record = history["records"].as_array().unwrap().last().unwrap();
    let bytes = stage.bytes(record["href"].as_str().unwrap()).await;
    assert_eq!(bytes, b"{\x00\x0a\xff}");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(record["sha256"], json!(hotline_postgres::seal::hex(hash.as_ref())));
}

#[tokio::test]
async fn people_stand_behind_masks_until_somebody_says_why_and_that_is_recorded() {
    let stage = Stage::new().await;
    let people = json!({
        "case_type": "complaint", "content": "planted words of a caller",
        "reporter": { "name": "张三丰", "phone": "13812345678" },
    });
    let mut events = closed("1", "D1", "2026-03-03T02:00:00Z");
    events[0]["data"] = people.clone();
    stage.apply(events).await;
    stage.keep().await;
    let planted = ["planted words", "张三丰", "13812345678"];
    let (_, history) = stage.get("/v1/closures/12345:1", None).await;
    assert!(planted.iter().all(|word| !history.to_string().contains(word)), "{history}");
    let masked = &history["people"]["events"][0]["members"];
    assert!(masked.to_string().contains("138****5678") && masked.to_string().contains("张**"), "{masked}");
    for list in crate::query::List::ALL {
        let path = if list == crate::query::List::Closures {
            "/v1/closures".to_owned()
        } else {
            format!("/v1/audit/{}", list.name())
        };
        let (_, body) = stage.get(&path, None).await;
        assert!(planted.iter().all(|word| !body.to_string().contains(word)), "{path}");
    }
    let operator = stage.token(Role::Operator, None, false).await;
    let unmask = "/v1/closures/12345:1/unmask";
    for wrong in [
        json!({}),
        json!({ "why": " " }),
        json!({ "why": "x", "more": 1 }),
        json!({ "why": "y".repeat(1_001) }),
    ] {
        assert_eq!(stage.post(unmask, Some(&operator), &wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(
        stage.texts("SELECT step FROM access_log WHERE step = 'unmasked'").await,
        Vec::<String>::new()
    );
    let (status, shown) =
        stage.post(unmask, Some(&operator), &json!({ "why": "张三丰 asks for his file" })).await;
    assert_eq!(status, 200);
    assert!(planted.iter().all(|word| shown.to_string().contains(word)), "{shown}");
    assert_eq!(
        stage.texts("SELECT why FROM access_log WHERE step = 'unmasked'").await,
        ["张三丰 asks for his file"]
    );
    let records =
        stage.texts("SELECT convert_from(leaf, 'UTF8') FROM closure_records WHERE kind = 'unmasked'").await;
    assert_eq!(records.len(), 1);
    assert!(
        records[0].contains("\"case\":\"12345:1\"") && planted.iter().all(|word| !records[0].contains(word))
    );
    stage.erase("12345:1").await;
    let (_, shown) = stage.post(unmask, Some(&operator), &json!({ "why": "once more" })).await;
    assert_eq!(shown, json!({ "erased": true, "events": [] }));
    assert_eq!(stage.texts("SELECT why FROM access_log WHERE step = 'unmasked'").await.len(), 2);
}

#[tokio::test]
async fn a_list_that_is_taken_away_is_whole_and_recorded_with_its_rows() {
    let stage = Stage::new().await;
    for n in 0..25 {
        stage.apply(closed(&n.to_string(), "D1", "2026-03-03T02:00:00Z")).await;
    }
    stage.keep().await;
    let auditor = stage.token(Role::Auditor, None, false).await;
    let (headers, csv) = stage.file("/v1/closures?format=csv&bom=true&hotline=12345", &auditor).await;
    assert_eq!(headers["export-rows-about"], "25");
    assert!(headers["content-disposition"].to_str().unwrap().contains("closures-"));
    let text = String::from_utf8(csv).unwrap();
    assert!(text.starts_with("\u{feff}case,closed_at,"));
    assert_eq!(text.matches("\r\n").count(), 26);
    let (_, ndjson) = stage.file("/v1/closures?format=ndjson", &auditor).await;
    let lines: Vec<Value> = ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let (_, page) = stage.get("/v1/closures", Some(&auditor)).await;
    assert_eq!(json!(lines), page["rows"]);
    let (_, xlsx) = stage.file("/v1/closures?format=xlsx", &auditor).await;
    assert!(xlsx.starts_with(b"PK"), "a sheet is a ZIP file");
    let states =
        stage.texts("SELECT format || ' ' || state || ' ' || rows_done FROM exports ORDER BY id").await;
    assert_eq!(states, ["csv done 25", "ndjson done 25", "xlsx done 25"]);
    let (_, log) = stage.get("/v1/access?limit=3", Some(&auditor)).await;
    let first = &log["rows"][2];
    assert_eq!(first["filter"], json!({ "hotline": "12345" }));
    assert_eq!((&first["step"], &first["export"]["rows"]), (&json!("exported"), &json!(25)));
    let id = headers["export-id"].to_str().unwrap();
    assert_eq!(
        stage.get(&format!("/v1/exports/{id}"), Some(&auditor)).await.1["export"]["state"],
        json!("done")
    );
    let records = stage
        .texts("SELECT convert_from(leaf, 'UTF8') FROM closure_records WHERE kind = 'exported' ORDER BY id")
        .await;
    let records: Vec<Value> = records.iter().map(|record| serde_json::from_str(record).unwrap()).collect();
    let said: Vec<Value> =
        records.iter().map(|record| json!([record["access"], record["state"], record["rows"]])).collect();
    let expected: Vec<Value> =
        (1..=3).flat_map(|n| [json!([n, "broken", 0]), json!([n, "done", 25])]).collect();
    assert_eq!(said, expected, "each when it begins and when it has ended");
    assert_eq!(records[1]["list"], json!("closures"));
    for wrong in [
        "/v1/closures?format=pdf",
        "/v1/closures?bom=true",
        "/v1/closures?format=xlsx&bom=true",
        "/v1/closures?format=csv&limit=3",
    ] {
        assert_eq!(stage.get(wrong, Some(&auditor)).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn an_export_that_nobody_reads_ends_and_its_place_is_free() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.keep().await;
    // More pieces than wait for a reader.
    let more = "INSERT INTO closures SELECT o.* FROM closures AS c, generate_series(1, 12000) AS n,
                    jsonb_populate_record(c, jsonb_build_object('case_id', '12345:1-' || n)) AS o;
                UPDATE closure_days SET cases = cases + 12000";
    stage.execute(more).await;
    let (parts, places) = (stage.parts(), Arc::new(Semaphore::new(1)));
    let queries = Queries::new(parts.pool.clone(), Arc::clone(&parts.rules));
    let caller = Caller { name: "n".to_owned(), role: Role::Auditor, departments: None, may_unmask: false };
    let wanted =
        Wanted { list: List::Closures, question: Question::default(), format: Format::Csv { bom: false } };
    let permit = Arc::clone(&places).try_acquire_owned().unwrap();
    let place = Place { permit, patience: Duration::from_millis(50) };
    let begun = crate::export::begin(&parts, &queries, &caller, wanted, place).await.unwrap();
    let free = tokio::time::timeout(Duration::from_mins(1), places.acquire()).await;
    assert!(free.is_ok(), "its place is kept");
    assert_eq!(stage.texts("SELECT state FROM exports").await, ["idle"]);
    assert!(to_bytes(begun.body, usize::MAX).await.is_err(), "what was written cannot be taken for the file");
    let records =
        stage.texts("SELECT convert_from(leaf, 'UTF8') FROM closure_records WHERE kind = 'exported'").await;
    assert!(records.len() == 2 && records.iter().all(|record| record.contains("\"state\":\"broken\"")));
}

#[tokio::test]
async fn an_export_of_a_process_that_died_ends_as_broken() {
    let stage = Stage::new().await;
    stage.execute("INSERT INTO access_log (at, actor, role, step, subject, filter) VALUES ('2026-03-01T20:00:00Z', 'n', 'auditor', 'exported', 'closures', '{}'), ('2026-03-02T00:30:00Z', 'n', 'auditor', 'exported', 'closures', '{}')").await;
    stage.execute("INSERT INTO exports (id, format, state, rows_done) SELECT id, 'csv', 'running', 7 FROM access_log").await;
    crate::export::end_those_left(&stage.parts()).await.unwrap();
    assert_eq!(stage.texts("SELECT state FROM exports ORDER BY id").await, ["broken", "running"]);
    let records =
        stage.texts("SELECT convert_from(leaf, 'UTF8') FROM closure_records WHERE kind = 'exported'").await;
    assert!(records.len() == 1 && records[0].contains("\"state\":\"broken\""));
}

/// Names of cases by number.
fn names(range: impl Iterator<Item = u32>) -> Vec<SmolStr> {
    range.map(|n| smol_str::format_smolstr!("12345:{n}")).collect()
}
