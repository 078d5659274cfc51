//! Persons, planted through every way in: nowhere in the clear at any time, and gone once they are erased.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotline_tests::root;
use hotline_tests::server::{Server, get, run, text};
use serde_json::{Value, json};

use crate::kafka;

/// Names, a phone, an address, free text, and what no schema knows: text that stands nowhere else.
const PLANTED: [&str; 6] =
    ["栽名甲乙丙", "13900001234", "plantedstreet77", "plantedunknown88", "栽的诉求内容", "plantedcompany66"];
const CASE: &str = "12345:20260901077";

fn event(id: &str, case: &str, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/sample/12345", "id": id,
        "subject": case, "time": "2026-09-01T09:00:00+08:00", "data": data,
    })
}

/// Members that concern a person, beside these.
fn with_person(mut data: Value) -> Value {
    for (name, value) in [
        ("title", json!(PLANTED[0])),
        ("content", json!(PLANTED[4])),
        ("address", json!(PLANTED[2])),
        ("reporter", json!({ "name": PLANTED[0], "phone": PLANTED[1] })),
        ("respondent", json!({ "name": PLANTED[5] })),
        ("note", json!(PLANTED[3])),
    ] {
        data[name] = value;
    }
    data
}

/// What has planted text in it, of the files of a folder and of texts.
fn readable(folder: &Path, texts: &BTreeMap<&str, String>) -> Vec<String> {
    let needles: Vec<Vec<u8>> = PLANTED.iter().flat_map(|text| ways(text)).collect();
    let holds = |bytes: &[u8]| needles.iter().any(|needle| find(bytes, needle));
    let mut found: Vec<String> =
        texts.iter().filter(|(_, text)| holds(text.as_bytes())).map(|(name, _)| (*name).to_owned()).collect();
    for path in files(folder) {
        if fs::read(&path).is_ok_and(|bytes| holds(&bytes)) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A text as it stands, and as JSON may escape it.
fn ways(text: &str) -> Vec<Vec<u8>> {
    let escaped = text.encode_utf16().fold(String::new(), |text, unit| text + &format!("\\u{unit:04x}"));
    vec![text.as_bytes().to_vec(), escaped.into_bytes()]
}

/// Whether bytes hold these.
fn find(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first).map(|(place, _)| place);
    starts.into_iter().any(|place| bytes[place..].starts_with(needle))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// Sends persons in every way that there is over HTTP, sound and refused; what was answered.
fn plant(server: &Server) -> String {
    let sound = event("p1", CASE, "received", &with_person(json!({ "case_type": "complaint" })));
    let conflict = event("p1", CASE, "received", &with_person(json!({ "case_type": "report" })));
    let invalid = event("p2", CASE, "received", &with_person(json!({})));
    let mut unlisted = event("p3", CASE, "received", &with_person(json!({ "case_type": "complaint" })));
    unlisted["source"] = json!(format!("/hotline/{}", PLANTED[2]));
    let mut future = event("p4", CASE, "supplemented", &with_person(json!({})));
    future["time"] = json!("2099-01-01T00:00:00+08:00");
    let closed = event("p5", CASE, "closed", &with_person(json!({ "department": "HL" })));
    let rated = event("p6", CASE, "rated", &with_person(json!({ "reached": true })));
    let ruled = event(
        "p7",
        CASE,
        "ruled",
        &with_person(
            json!({ "indicator": "close", "effect": "exclude", "reason": "other", "document": "D-1" }),
        ),
    );
    let other = event(
        "q1",
        "12345:20260901078",
        "received",
        &json!({ "case_type": "complaint", "content": "another" }),
    );
    let mut said = String::new();
    for body in [&sound, &conflict, &invalid, &unlisted, &future, &closed, &rated, &ruled, &other] {
        let (status, answer) = server.post(&body.to_string());
        said = said + &status.to_string() + " " + &answer + "\n";
    }
    let broken = format!("{{\"subject\": \"{CASE}\", \"data\": {}", PLANTED[0]);
    said.push_str(&server.post(&broken).1);
    let batch = json!([sound, invalid, rated]).to_string();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    said.push_str(&server.request("POST", "/v1/events", &headers, batch.as_bytes()).1);
    said
}

#[test]
fn persons_are_nowhere_in_the_clear_and_gone_once_they_are_erased() {
    let mut server = Server::start("persons", &root().join("deploy/rulebook"));
    let config = server.config();
    let hotline = |args: &[&str]| text(&[&["--config", &config], args].concat());
    let mut told = BTreeMap::from([("answers", plant(&server))]);
    // A letter goes back, and is refused again.
    run(&["--config", &config, "dead-letters", "redrive", "--reason", "id_conflict", "--why", "a test"]);
    let backup = server.folder.0.join("backup");
    hotline(&["backup", &backup.to_string_lossy()]);
    told.insert("letters", hotline(&["dead-letters", "list"]));
    told.insert("export", hotline(&["export"]));
    told.insert("explanation", hotline(&["explain", CASE]));
    told.insert("alarms", hotline(&["alarms", "list"]));
    told.insert("case", server.request("GET", &format!("/v1/cases/{CASE}"), &[], b"").1);
    told.insert("duty", server.request("GET", "/duty", &[], b"").1);
    told.insert("metrics", get(&server.ops, "/metrics").expect("it answers").1);
    assert!(told["letters"].contains("id_conflict") && told["export"].contains(CASE), "{told:#?}");
    assert_eq!(readable(&server.folder.0, &told), Vec::<String>::new());
    server.kill();
    assert_eq!(readable(&server.folder.0, &told), Vec::<String>::new(), "nor after a crash");
    server.restart();

    let dry = hotline(&["erase", CASE, "--why", "a test", "--dry-run", "--json"]);
    let erased = hotline(&["erase", CASE, "--why", "a test", "--json"]);
    let (dry, erased): (Value, Value) = (json_of(&dry), json_of(&erased));
    for name in ["cases", "keys", "parts", "letters", "unplaced_letters"] {
        assert_eq!(dry[name], erased[name], "{name}: {dry} {erased}");
    }
    assert!(
        ["cases", "keys", "parts", "letters"].iter().all(|name| erased[name].as_u64() > Some(0)),
        "{erased}"
    );
    assert_eq!(erased["files_written_anew"], true);
    // No letter opens any more that is of the case, and what is left names nobody of it.
    let letters = hotline(&["dead-letters", "list", "--state", "erased"]);
    assert!(letters.lines().count() > 1, "{letters}");
    for letter in letters.lines().map(json_of) {
        let id = letter["id"].to_string();
        assert_eq!(hotline(&["dead-letters", "show", &id, "--bytes", "--why", "a test"]), "", "{letter}");
    }
    let left = hotline(&["dead-letters", "list"]);
    assert_eq!(
        left.lines().count(),
        letters.lines().count(),
        "every letter of these was of the case: {left}"
    );
    // The case itself is as it was: who handled it, when, and the figures.
    assert_eq!(server.request("GET", &format!("/v1/cases/{CASE}"), &[], b"").0, 200);
    hotline(&["tallies", "check"]);
    its_records_stay_sound(&server, &hotline);
    let listed = hotline(&["erase", "--list"]);
    assert!(listed.contains(CASE) && listed.lines().count() == 1, "{listed}");
    let unknown = run(&["--config", &config, "erase", "12345:nobody", "--why", "a test"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("nothing was erased"));
    assert_eq!(server.stop(), 0, "{}", server.log_text());
    assert_eq!(readable(&server.folder.0, &told), Vec::<String>::new());
}

/// Its records and their proofs are what they were, and who checks them is told that the person was erased.
fn its_records_stay_sound(server: &Server, hotline: &impl Fn(&[&str]) -> String) {
    hotline(&["audit", "check"]);
    let bundle = sealed(server, hotline);
    let key = hotline(&["audit", "key"]);
    let verify =
        |more: &[&str]| hotline(&[&["audit", "verify", "--key", key.trim(), &bundle], more].concat());
    let verified = json_of(&verify(&["--format", "json"]));
    assert_eq!(verified["sound"], true, "{verified}");
    assert_eq!(verified["verified"]["erased"][0]["case"], CASE, "{verified}");
    let said = verify(&["--lang", "en"]);
    assert!(said.contains(&format!("{CASE}: its person was erased")) && said.contains("verified:"), "{said}");
}

/// A bundle of the case's records, once all of them are sealed.
fn sealed(server: &Server, hotline: &impl Fn(&[&str]) -> String) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    for attempt in 0.. {
        let bundle = server.folder.0.join(format!("bundle-{attempt}")).to_string_lossy().into_owned();
        let bundled =
            json_of(&hotline(&["audit", "export-bundle", "--case", CASE, "--format", "json", &bundle]));
        if bundled["not_sealed_yet"] == 0 && bundled["records"].as_u64() > Some(1) {
            return bundle;
        }
        assert!(Instant::now() < deadline, "{bundled}");
        std::thread::park_timeout(Duration::from_millis(500));
    }
    unreachable!("it returns or panics")
}

#[test]
fn what_a_broker_keeps_of_persons_is_sealed() {
    let Some(brokers) = kafka::brokers() else { return };
    let topic = format!("persons-{}", std::process::id());
    let server = kafka::server("persons-topic", &root().join("deploy/rulebook"), &brokers, &topic, 2);
    let answers = plant(&server);
    let casework = kafka::Casework::start(&server, &brokers, &topic, "casework");
    casework.wait_for_a_partition();
    let accepted = answers.matches("\"accepted\"").count();
    assert!(accepted > 6, "{answers}");
    kafka::wait_for(&server, i64::try_from(accepted).expect("few"));
    let told = BTreeMap::from([("answers", answers)]);
    assert_eq!(readable(&server.folder.0, &told), Vec::<String>::new());
    if let Some(logs) = std::env::var_os("HOTLINE_TEST_KAFKA_DATA") {
        let logs = PathBuf::from(logs);
        let of_topic = files(&logs).into_iter().any(|path| path.to_string_lossy().contains(&topic));
        assert!(of_topic, "{} holds the topic", logs.display());
        assert_eq!(readable(&logs, &BTreeMap::new()), Vec::<String>::new());
    }
    casework.stop();
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
