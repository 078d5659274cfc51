//! Events in, exact rates out.

use std::fs;
use std::path::{Path, PathBuf};

use hotline_tests::server::{Folder, Server, replay, run, text};
use hotline_tests::{read, root};

const RATES: &str =
    "on_time_closure.due,on_time_closure.closed_or_overdue,signing,satisfaction.answered,reopening";
const PERIOD: &str = "2026-08-01..2026-11-01";

fn shipped() -> PathBuf {
    root().join("deploy/rulebook")
}

/// The lines of a text, reversed.
fn reversed(text: &str) -> String {
    text.lines().rev().flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_sample_in_any_order_twice_and_through_a_kill_gives_what_replay_gives() {
    let sample = read("deploy/sample/events.ndjson");
    let folder = Folder::new("sample");
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name).to_string_lossy().into_owned();
        fs::write(&path, text).expect("a file can be written");
        path
    };
    let lines: Vec<&str> = sample.lines().collect();
    let half = write("half.ndjson", &reversed(&lines[..lines.len() / 2].join("\n")));
    let all = write("all.ndjson", &reversed(&sample));

    let mut server = Server::start("sample-server", &shipped());
    assert!(server.send(&[&half]).status.success());
    server.kill();
    server.restart();
    for _ in 0..2 {
        let sent = server.send(&[&all]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    }
    let bulletin = server.bulletin(RATES, PERIOD);
    assert_eq!(bulletin, replay(&shipped(), RATES, PERIOD, "2027-06-01T00:00:00+08:00", &all));
    assert!(bulletin.contains("\"numerator\""), "there are rows: {bulletin}");

    // What the server exports is the same again, and its stored integers are what its cases say.
    let exported = write("exported.ndjson", &text(&["--config", &server.config(), "export"]));
    assert_eq!(bulletin, replay(&shipped(), RATES, PERIOD, "2027-06-01T00:00:00+08:00", &exported));
    let checked = run(&["--config", &server.config(), "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    assert_eq!(server.stop(), 0, "a stop is clean: {}", server.log_text());
}

#[test]
fn a_stopped_source_loses_nothing_and_its_letters_go_back() {
    let sample = root().join("deploy/sample/events.ndjson").to_string_lossy().into_owned();
    let server = Server::start_with("stopped-source", &shipped(), |folder| {
        let token = folder.join("operator.token");
        fs::write(&token, "an-operators-token\n").expect("a token can be written");
        format!("operator_token_file = '{}'", token.display())
    });
    let config = server.config();
    let hotline = |args: &[&str]| text(&[&["--config", &config], args].concat());
    let source = "/hotline/sample/12345";
    hotline(&["sources", "pause", source, "--why", "a test"]);
    let sent = server.send(&[&sample]);
    assert!(sent.status.success(), "what is kept is acknowledged: {}", String::from_utf8_lossy(&sent.stderr));
    assert!(String::from_utf8_lossy(&sent.stdout).contains("\"parked\":349"));

    // Over HTTP an operator sees them, and one of them goes back.
    let bearer = ("authorization", "Bearer an-operators-token");
    let json = [("content-type", "application/json"), bearer];
    let refused = server.request("POST", "/v1/dead-letters/redrive", &json[..1], b"{}").0;
    assert_eq!(refused, 401, "nobody else does anything");
    let (status, groups) = server.request("GET", "/v1/dead-letters/groups", &[bearer], b"");
    assert!(status == 200 && groups.contains("\"letters\":349"), "{groups}");
    let (status, said) = server.request("POST", "/v1/dead-letters/redrive", &json, b"{\"ids\":[1]}");
    assert_eq!(status, 400, "nobody does anything without a reason: {said}");
    let step = br#"{"operator":"tester","why":"a test","ids":[1,1]}"#;
    let (status, said) = server.request("POST", "/v1/dead-letters/redrive", &json, step);
    assert!(status == 200 && said.contains("applied"), "{said}");
    assert_eq!(
        server.request("POST", "/v1/dead-letters/redrive", &json, step).0,
        409,
        "it is open no longer"
    );
    let (_, shown) = server.request("GET", "/v1/dead-letters/1", &[bearer], b"");
    assert!(shown.contains("\"outcome\":\"applied\"") && shown.contains("a test"), "{shown}");

    // On the command line the others go back, and the figures are as if nothing had been stopped.
    hotline(&["sources", "resume", source, "--why", "a test"]);
    let all = ["dead-letters", "redrive", "--source", source, "--why", "a test"];
    let dry = run(&[&["--config", &config], &all[..], &["--dry-run"]].concat());
    assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
    hotline(&all);
    assert_eq!(
        server.bulletin(RATES, PERIOD),
        replay(&shipped(), RATES, PERIOD, "2027-06-01T00:00:00+08:00", &sample)
    );
    let checked = run(&["--config", &config, "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn nothing_planted_in_personal_members_is_readable_on_disk() {
    let planted = ["栽名甲乙丙", "13900001234", "plantedstreet77", "plantedunknown88", "栽的诉求内容"];
    let event = |id: &str, kind: &str, data: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.{kind}.v1\",\"source\":\"/hotline/sample/12345\",\"id\":\"{id}\",\
             \"subject\":\"12345:planted\",\"time\":\"2026-09-01T09:00:00+08:00\",\"data\":{data}}}"
        )
    };
    let personal = format!(
        "\"title\":\"{0}\",\"content\":\"{4}\",\"address\":\"{2}\",\"reporter\":{{\"name\":\"{0}\",\"phone\":\"{1}\"}},\"note\":\"{3}\"",
        planted[0], planted[1], planted[2], planted[3], planted[4]
    );
    let mut server = Server::start("planted", &shipped());
    let received = event("p1", "received", &format!("{{\"case_type\":\"complaint\",{personal}}}"));
    assert_eq!(server.post(&received).0, 200);
    // The same id with other content becomes a dead letter, bytes and all.
    let conflict = event("p1", "received", &format!("{{\"case_type\":\"report\",{personal}}}"));
    assert_eq!(server.post(&conflict).0, 409);
    // Refused outright: invalid, and not even JSON.
    assert_eq!(server.post(&event("p2", "received", &format!("{{{personal}}}"))).0, 400);
    assert_eq!(server.post(&format!("{{\"data\": {}", planted[0])).0, 400);
    assert_eq!(server.request("GET", "/v1/cases/12345:planted", &[], b"").0, 200);
    let shown = text(&["--config", &server.config(), "dead-letters", "list"]);
    assert!(shown.contains("id_conflict"), "{shown}");
    assert_eq!(server.stop(), 0);

    let mut found = Vec::new();
    scan(&server.folder.0, &planted, &mut found);
    assert!(found.is_empty(), "planted text can be read in {found:#?}");
}

/// Looks for planted text in every file of a folder.
fn scan(folder: &Path, planted: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scan(&path, planted, found);
        } else if let Ok(bytes) = fs::read(&path) {
            let holds = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            if planted.iter().any(holds) {
                found.push(path);
            }
        }
    }
}

#[test]
fn boston_through_the_server_gives_what_replay_gives() {
    let data = root().join("../shared/acceptance/boston311");
    if !data.exists() {
        eprintln!("no ../shared/acceptance here: the sample has to do");
        return;
    }
    let folder = Folder::new("boston");
    let cases = data.join("cases.csv").to_string_lossy().into_owned();
    let adapter = root().join("deploy/adapters/boston311.jq").to_string_lossy().into_owned();
    let events = text(&["import", "--format", "csv", "--adapter", &adapter, &cases]);
    let file = folder.0.join("events.ndjson").to_string_lossy().into_owned();
    fs::write(&file, reversed(&events)).expect("a file can be written");
    let first: String = events.lines().take(20_000).flat_map(|line| [line, "\n"]).collect();
    let part = folder.0.join("part.ndjson").to_string_lossy().into_owned();
    fs::write(&part, first).expect("a file can be written");

    let rulebook = data.join("rulebook");
    let mut server = Server::start("boston-server", &rulebook);
    assert!(server.send(&[&part]).status.success());
    server.kill();
    server.restart();
    for _ in 0..2 {
        let sent = server.send(&[&file]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    }
    let rates = "closed_with_target,with_target,agency";
    for year in 2013..2017 {
        let period = format!("{year}-01-01..{}-01-01", year + 1);
        let replayed = replay(&rulebook, rates, &period, "2027-01-01T00:00:00Z", &file);
        assert_eq!(server.bulletin(rates, &period), replayed, "{period}");
    }
    let checked = run(&["--config", &server.config(), "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    assert_eq!(server.stop(), 0, "a stop is clean: {}", server.log_text());
}

#[test]
fn a_command_makes_no_database_out_of_a_misspelt_folder() {
    let folder = Folder::new("misspelt");
    let config = folder.0.join("hotline.toml").to_string_lossy().into_owned();
    let data = folder.0.join("data");
    fs::write(&config, format!("[data]\ndir = '{}'\n", data.display())).expect("a configuration");
    let output = run(&["--config", &config, "tallies", "check"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no database in"));
    assert!(!data.join("postgres").exists(), "nothing was made");
}

#[test]
fn a_code_that_is_also_a_verdict_leaves_the_tallies_exact() {
    let folder = Folder::new("verdict-code");
    let events = [
        ("received", r#"{"case_type":"complaint"}"#, "2026-09-01T09:00:00+08:00"),
        ("dispatched", r#"{"department":"ZJJ"}"#, "2026-09-01T09:30:00+08:00"),
        ("closed", r#"{"department":"ZJJ","outcome":"met"}"#, "2026-09-02T09:30:00+08:00"),
        (
            "ruled",
            r#"{"indicator":"close","effect":"met","reason":"r","document":"d"}"#,
            "2026-09-03T09:30:00+08:00",
        ),
        ("urged", r#"{"by":"caller"}"#, "2026-09-04T09:30:00+08:00"),
    ];
    let server = Server::start("verdict-code-server", &shipped());
    for (nth, (kind, data, time)) in events.iter().enumerate() {
        let event = format!(
            "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.{kind}.v1\",\"source\":\"/hotline/sample/12345\",\"id\":\"{nth}\",\"subject\":\"12345:v\",\"time\":\"{time}\",\"data\":{data}}}\n"
        );
        let file = folder.0.join("one.ndjson").to_string_lossy().into_owned();
        fs::write(&file, event).expect("a file can be written");
        assert!(server.send(&[&file]).status.success(), "{kind}");
    }
    let checked = run(&["--config", &server.config(), "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
