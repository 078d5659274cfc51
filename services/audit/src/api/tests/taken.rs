//! What is taken away as a file: whole, recorded with its rows, with headings for whoever reads it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use hotline_events::Lang;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::stage::{Stage, closed};
use crate::export::{Format, Place, Subject, Wanted};
use crate::query::{List, Queries, Question, Sample};
use crate::token::{Caller, Role};

/// Lines of NDJSON.
fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
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
    let (_, page) = stage.get("/v1/closures", Some(&auditor)).await;
    assert_eq!(json!(lines(&ndjson)), page["rows"]);
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
    let wanted = Wanted {
        subject: Subject::List(List::Closures),
        question: Question::default(),
        format: Format::Csv { bom: false, headings: None },
    };
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

#[tokio::test]
async fn a_sample_that_was_taken_away_is_drawn_again_by_what_is_recorded_of_it() {
    let stage = Stage::new().await;
    for n in 0..25 {
        stage.apply(closed(&n.to_string(), "D1", "2026-03-03T02:00:00Z")).await;
    }
    stage.keep().await;
    let auditor = stage.token(Role::Auditor, None, false).await;
    let asked = "/v1/audit/sample?seed=%E7%A7%8D+1&size=7&hotline=12345";
    let (_, sample) = stage.get(asked, Some(&auditor)).await;
    let (headers, ndjson) = stage.file(&format!("{asked}&format=ndjson"), &auditor).await;
    assert_eq!(headers["export-rows-about"], "7");
    assert!(headers["content-disposition"].to_str().unwrap().contains("\"sample-"));
    assert_eq!((sample["rows"].as_array().unwrap().len(), &json!(lines(&ndjson))), (7, &sample["rows"]));
    let (_, csv) = stage.file(&format!("{asked}&plain=true&format=csv"), &auditor).await;
    let csv = String::from_utf8(csv).unwrap();
    let heading = csv.lines().next().unwrap();
    assert!(heading.starts_with("case,closed_at,") && heading.ends_with(",anomalies,weight"), "{heading}");
    assert!(
        csv.matches("\r\n").count() == 8 && csv.lines().skip(1).all(|line| line.ends_with(",1")),
        "{csv}"
    );
    let (_, xlsx) = stage.file(&format!("{asked}&format=xlsx&headings=zh"), &auditor).await;
    assert!(xlsx.starts_with(b"PK"));
    let (_, log) = stage.get("/v1/access?limit=3", Some(&auditor)).await;
    let filter = json!({ "hotline": "12345", "seed": "种 1", "size": 7 });
    assert_eq!((&log["rows"][2]["subject"], &log["rows"][2]["filter"]), (&json!("sample"), &filter));
    assert_eq!(log["rows"][1]["filter"]["plain"], json!(true));
    assert_eq!(log["rows"][0]["export"]["rows"], json!(7));
    let records = stage
        .texts("SELECT convert_from(leaf, 'UTF8') FROM closure_records WHERE kind = 'exported' ORDER BY id")
        .await;
    assert_eq!(records.len(), 6);
    for (n, record) in records.iter().enumerate() {
        assert!(!record.contains('种'), "a text of somebody's own stays out of the log: {record}");
        let record: Value = serde_json::from_str(record).unwrap();
        // Each when it begins and when it has ended.
        assert_eq!((&record["list"], &record["rows"]), (&json!("sample"), &json!(n % 2 * 7)));
        assert_eq!(record["filter"]["seed_sha256"].as_str().unwrap().len(), 64);
    }
    let last = stage.texts("SELECT max(id)::text FROM closure_records").await;
    stage.seal(last[0].parse().unwrap()).await;
    assert_eq!(stage.checked().await, Vec::<String>::new());
    for (wrong, code) in [("seed=1&size=1001&format=csv", "limit"), ("format=csv", "value")] {
        let (status, body) = stage.get(&format!("/v1/audit/sample?{wrong}"), Some(&auditor)).await;
        assert_eq!((status, body["code"].as_str()), (400, Some(code)), "{wrong}");
    }
    let exported = stage.texts("SELECT id::text FROM access_log WHERE step = 'exported'").await;
    assert_eq!(exported.len(), 3, "what was refused is not recorded");
}

#[tokio::test]
async fn headings_are_codes_unless_somebody_asks_for_words() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.keep().await;
    let auditor = stage.token(Role::Auditor, None, false).await;
    for (headings, begins) in [
        ("", "case,closed_at,"),
        ("&headings=code", "case,closed_at,"),
        ("&headings=zh", "工单,办结时间,"),
        ("&headings=en", "case,closed,"),
    ] {
        let (_, csv) = stage.file(&format!("/v1/closures?format=csv{headings}"), &auditor).await;
        let csv = String::from_utf8(csv).unwrap();
        assert!(csv.starts_with(begins) && csv.contains(",met,"), "{headings}: {csv}");
    }
    for wrong in ["format=csv&headings=fr", "headings=zh", "format=ndjson&headings=zh"] {
        let (status, body) = stage.get(&format!("/v1/closures?{wrong}"), Some(&auditor)).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("value")), "{wrong}");
    }
}

#[test]
fn no_two_columns_of_a_file_have_the_same_heading() {
    let all = List::ALL.map(List::columns);
    for columns in all.into_iter().chain([Sample::columns()]) {
        for words in [None, Some(Lang::Zh), Some(Lang::En)] {
            let headings: BTreeSet<&str> = columns.iter().map(|column| column.heading(words)).collect();
            assert_eq!(headings.len(), columns.len(), "{headings:?}");
        }
    }
}
