//! Rules that may change: what a draft would do, how it comes into force, how one case is explained.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotline_tests::root;
use hotline_tests::server::{Server, replay, run, text};
use serde_json::Value;

const RATES: &str = "on_time_closure.due,signing,satisfaction.answered";
const PERIOD: &str = "2026-08-01..2026-11-01";
const LATER: &str = "2027-06-01T00:00:00+08:00";

fn shipped() -> PathBuf {
    root().join("deploy/rulebook")
}

fn sample() -> String {
    root().join("deploy/sample/events.ndjson").to_string_lossy().into_owned()
}

/// The shipped rulebook with three working days less for complaints.
fn draft(folder: &Path) -> PathBuf {
    let to = folder.join("draft");
    let copied = Command::new("cp").arg("-r").arg(shipped()).arg(&to).status().expect("cp runs");
    assert!(copied.success());
    let policies = to.join("policies/12345-henan.toml");
    let text = fs::read_to_string(&policies).expect("the shipped policies");
    assert!(text.contains("limit = 10\n"), "complaints have ten working days");
    fs::write(&policies, text.replacen("limit = 10\n", "limit = 7\n", 1)).expect("a draft can be written");
    to
}

/// A hash of every row of every table.
fn hash_of_tables(server: &Server) -> String {
    let data = server.folder.0.join("data");
    let lines = fs::read_to_string(data.join("postgres/postmaster.pid")).expect("the cluster runs");
    let lines: Vec<&str> = lines.lines().collect();
    let (port, socket) = (lines[3].trim(), lines[4].trim());
    let password = fs::read_to_string(data.join("postgres.password")).expect("its password");
    let sql = "SELECT string_agg(table_name || ' ' || md5(query_to_xml(format(
                 'SELECT t::text AS line FROM %I AS t ORDER BY 1', table_name), true, true, '')::text), E'\\n' ORDER BY table_name)
               FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let asked = Command::new("psql")
        .args(["-At", "-h", socket, "-p", port, "-U", "hotline", "-d", "hotline", "-c", sql])
        .env("PGPASSWORD", password.trim())
        .output()
        .expect("psql runs");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).expect("text")
}

/// `rate department numerator/denominator` of a side of what-if, or of replay's rows.
fn rows(rows: &Value, side: Option<&str>) -> Vec<String> {
    let rows = rows.as_array().expect("rows").iter();
    let mut shown: Vec<String> = rows
        .filter_map(|row| {
            let figures = side.map_or(row, |side| &row[side]);
            let (rate, department) = (&row["rate"], &row["by"]["department"]);
            (!figures.is_null())
                .then(|| format!("{rate} {department} {}/{}", figures["numerator"], figures["denominator"]))
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_draft_is_weighed_shown_and_put_into_force() {
    let server = Server::start("rules", &shipped());
    let sample = sample();
    assert!(server.send(&[&sample]).status.success());
    let config = server.config();
    let hotline = |args: &[&str]| run(&[&["--config", &config], args].concat());
    let draft = draft(&server.folder.0).to_string_lossy().into_owned();

    // Deltas are merged when nothing more comes in: then the tables rest.
    let mut before = hash_of_tables(&server);
    let settled = (0..60).any(|_| {
        std::thread::park_timeout(std::time::Duration::from_millis(500));
        let after = hash_of_tables(&server);
        std::mem::replace(&mut before, after.clone()) == after
    });
    assert!(settled, "nothing comes in, and the tables change all the same");
    let asked = ["what-if", "--rulebook", &draft, "--rate", RATES, "--period", PERIOD, "--format", "json"];
    let weighed = hotline(&asked);
    assert!(weighed.status.success(), "{}", String::from_utf8_lossy(&weighed.stderr));
    let dry = hotline(&["rulebook", "activate", &draft, "--dry-run"]);
    assert_eq!(dry.status.code(), Some(2), "settled results would change");
    assert_eq!(hash_of_tables(&server), before, "nothing live is touched");

    let weighed: Value = serde_json::from_slice(&weighed.stdout).expect("JSON");
    assert!(
        weighed["changed"].as_u64() > Some(0) && !weighed["moved"].as_array().expect("a list").is_empty()
    );
    let replayed = |rulebook: &Path| -> Value {
        serde_json::from_str(&replay(rulebook, RATES, PERIOD, LATER, &sample)).expect("JSON")
    };
    assert_eq!(rows(&weighed["rates"], Some("draft")), rows(&replayed(Path::new(&draft)), None));
    assert_eq!(rows(&weighed["rates"], Some("live")), rows(&replayed(&shipped()), None));
    let live = shipped().to_string_lossy().into_owned();
    let files: Vec<&str> = [&asked[..], &["--against", &live, &sample]].concat();
    let of_files: Value = serde_json::from_slice(&hotline(&files).stdout).expect("JSON");
    assert_eq!(of_files["rates"], weighed["rates"], "files say what the database says");

    let refused = hotline(&["rulebook", "activate", &draft]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("what-if"), "it says where to look");
    assert!(hotline(&["rulebook", "activate", &draft, "--restate"]).status.success());
    let status: Value =
        serde_json::from_slice(&hotline(&["rulebook", "status", "--wait", "--format", "json"]).stdout)
            .expect("JSON");
    assert_eq!((&status["done"], &status["folded"]), (&Value::Bool(true), &status["cases"]));
    assert!(status["activations"][1]["restated"].as_u64() > Some(0));
    assert_eq!(server.bulletin(RATES, PERIOD), replay(Path::new(&draft), RATES, PERIOD, LATER, &sample));
}

#[test]
fn a_case_is_explained_in_two_languages_as_of_any_instant() {
    let server = Server::start("explained", &shipped());
    assert!(server.send(&[&sample()]).status.success());
    let config = server.config();
    let told = |more: &[&str]| text(&[&["--config", &config, "explain", "12345:S0001"], more].concat());
    let (zh, en) = (told(&["--lang", "zh"]), told(&["--lang", "en"]));
    assert!(zh.contains("起算当日不计") && zh.contains("到期"), "{zh}");
    assert!(en.contains("the day of the start") && en.contains("due  "), "{en}");
    for personal in ["示例诉求", "00000000000"] {
        assert!(!zh.contains(personal), "nothing personal is told");
    }
    let early = told(&["--as-of", "2026-08-01T00:00:00+08:00"]);
    assert!(
        early.contains("counts nowhere") || early.contains("不计入任何统计"),
        "nothing was known yet: {early}"
    );

    // The same over HTTP.
    let ask = |query: &str| server.request("GET", &format!("/v1/cases/12345:S0001{query}"), &[], b"");
    let (status, text) = ask("?format=text&lang=zh");
    let without_clock = |text: &str| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!((status, without_clock(&text)), (200, without_clock(zh.trim_end())));
    assert_eq!(ask("?as_of=2026-08-01T00:00:00%2B08:00").0, 200);
    assert_eq!(ask("?as_of=yesterday").0, 400);
    assert_eq!(ask("?format=xml").0, 400);
    let refused = run(&["--config", &config, "explain", "12345:none"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no case"));
}
