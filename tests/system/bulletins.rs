//! Bulletins from outside: made, published, shown, made again from the ledger after more has come in.
//!
//! The month is that of 宁国, April 2022, as its table was printed: 601 orders dispatched, 597 closed in time, 4 late. The cases
//! are made up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hotline_tests::root;
use hotline_tests::server::{Folder, Server, run, text};
use serde_json::{Value, json};

const FORM: &str = "12345-monthly";
const LATER: &str = "2026-11-01T00:00:00+08:00";
const DEPARTMENTS: [&str; 6] = ["ZJJ", "CGJ", "JTJ", "HBQ", "SZQ", "LBS"];

/// The shipped rulebook, whose calendar begins a year too late for this month.
fn rulebook(folder: &Path) -> PathBuf {
    let to = folder.join("rulebook");
    let copied = Command::new("cp").arg("-r").arg(root().join("deploy/rulebook")).arg(&to).status();
    assert!(copied.expect("cp runs").success());
    let calendar = to.join("calendars/cn.toml");
    let text = fs::read_to_string(&calendar).expect("the shipped calendar");
    let earlier = text.replacen("known_from = 2023-01-01", "known_from = 2022-01-01", 1);
    assert_ne!(earlier, text, "the calendar says from when on it is known");
    fs::write(&calendar, earlier).expect("a copy can be written");
    to
}

/// Event `n` of a case, of the source whose past is believed.
fn event(case: &str, n: u32, kind: &str, time: &str, data: &Value) -> String {
    let event = json!({
        "specversion": "1.0",
        "type": format!("hotline.case.{kind}.v1"),
        "source": "/hotline/sample/12345",
        "id": format!("{case}-{n}"),
        "subject": format!("12345:{case}"),
        "time": time,
        "recordedtime": time,
        "data": data,
    });
    format!("{event}\n")
}

/// 601 consultations dispatched in April, the four late ones on the 11th; they are closed on the 28th.
fn april() -> String {
    let mut events = String::new();
    for n in 0..601 {
        let (case, late) = (format!("N{n:04}"), n < 4);
        let day = if late { 11 } else { 1 + n % 20 };
        let department = DEPARTMENTS[n % DEPARTMENTS.len()];
        let at = |day: usize, time: &str| format!("2022-04-{day:02}T{time}+08:00");
        let closed = if late { at(28, "16:00:00") } else { at(day, "15:30:00") };
        let more = [
            (
                "received",
                at(day, "09:00:00"),
                json!({ "case_type": "consult", "category": ["housing"], "channel": "phone" }),
            ),
            ("dispatched", at(day, "09:10:00"), json!({ "department": department, "role": "lead" })),
            ("signed", at(day, "10:00:00"), json!({ "department": department })),
            ("closed", closed, json!({ "department": department, "outcome": "resolved" })),
        ];
        for (nth, (kind, time, data)) in (1..).zip(more) {
            events.push_str(&event(&case, nth, kind, &time, &data));
        }
    }
    events
}

/// Three of the late ones are opened again in May and answered in time, and other cases come in.
fn may() -> String {
    let mut events = String::new();
    for (n, department) in DEPARTMENTS.iter().enumerate().take(3) {
        let case = format!("N{n:04}");
        let more = [
            ("reopened", "2022-05-10T09:00:00+08:00", json!({ "reason": "dissatisfied" })),
            ("dispatched", "2022-05-10T09:10:00+08:00", json!({ "department": department, "role": "lead" })),
            (
                "closed",
                "2022-05-10T15:00:00+08:00",
                json!({ "department": department, "outcome": "resolved" }),
            ),
        ];
        for (nth, (kind, time, data)) in (5..).zip(more) {
            events.push_str(&event(&case, nth, kind, time, &data));
        }
    }
    for n in 0..40 {
        let case = format!("M{n:04}");
        let received = json!({ "case_type": "consult", "category": ["housing"], "channel": "phone" });
        events.push_str(&event(&case, 1, "received", "2022-05-11T09:00:00+08:00", &received));
        let dispatched = json!({ "department": DEPARTMENTS[n % DEPARTMENTS.len()], "role": "lead" });
        events.push_str(&event(&case, 2, "dispatched", "2022-05-11T09:10:00+08:00", &dispatched));
    }
    events
}

struct Office {
    server: Server,
    /// Where the rulebook lies.
    _rules: Folder,
}

impl Office {
    fn open(name: &str) -> Self {
        let rules = Folder::new(&format!("{name}-rules"));
        let server = Server::start(name, &rulebook(&rules.0));
        Self { server, _rules: rules }
    }

    fn send(&self, name: &str, events: &str) -> String {
        let file = self.server.folder.0.join(name);
        fs::write(&file, events).expect("events can be written");
        let file = file.to_string_lossy().into_owned();
        let sent = self.server.send(&[&file]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        file
    }

    fn bulletin(&self, args: &[&str]) -> Output {
        run(&[&["--config", &self.server.config(), "--lang", "zh", "bulletin"], args].concat())
    }

    fn text(&self, args: &[&str]) -> String {
        text(&[&["--config", &self.server.config(), "--lang", "zh", "bulletin"], args].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(args)).expect("JSON")
    }
}

/// The cells of a line of the sheet by their headings.
fn cells(sheet: &Value, sort: &str) -> BTreeMap<String, String> {
    let lines = sheet["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["sort"] == sort).expect("a line of this sort");
    let heading = |column: &Value| {
        format!(
            "{}/{}",
            column["over"].as_str().unwrap_or_default(),
            column["heading"].as_str().unwrap_or_default()
        )
    };
    let headings = sheet["columns"].as_array().expect("columns").iter().map(heading);
    let texts = line["cells"].as_array().expect("cells").iter();
    headings.zip(texts.map(|cell| cell["text"].as_str().unwrap_or_default().to_owned())).collect()
}

fn printed(sheet: &Value) -> [String; 6] {
    let total = cells(sheet, "total");
    ["派遣总数", "按时办结", "超时办结", "未办结", "办结率", "按时办结率"]
        .map(|heading| total[&format!("派单/{heading}")].clone())
}

#[test]
fn a_month_stays_as_it_was_published_whatever_comes_later() {
    let office = Office::open("bulletin");
    office.send("april.ndjson", &april());
    let april = ["601", "597", "4", "0", "100.00 %", "99.33 %"];
    let draft = office.json(&["--form", FORM, "--period", "2022-04", "--format", "json"]);
    assert_eq!(printed(&draft), april);

    let published = office.json(&[
        "publish",
        "--form",
        FORM,
        "--period",
        "2022-04",
        "--operator",
        "tests",
        "--why",
        "the monthly table",
        "--format",
        "json",
    ]);
    assert_eq!(published["bulletin"], 1);
    let publish = |more: &[&str]| {
        let asked = ["publish", "--form", FORM, "--operator", "tests", "--why", "once more"];
        office.bulletin(&[&asked, more].concat())
    };
    let told = |output: std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let twice = told(publish(&["--period", "2022-04"]));
    assert!(twice.contains("bulletin 1 says the same form of the same days"), "{twice}");
    let early = told(publish(&["--period", "2999-01"]));
    assert!(early.contains("which is not over"), "{early}");
    let empty = told(publish(&["--period", "1999-01"]));
    assert!(empty.contains("there is nothing to publish"), "{empty}");
    let before = office.text(&["show", "1", "--format", "csv"]);
    assert!(before.contains("601") && before.contains("99.33%"), "{before}");

    office.send("may.ndjson", &may());
    assert_eq!(office.text(&["show", "1", "--format", "csv"]), before, "what was published stays");
    let now = office.json(&["--form", FORM, "--period", "2022-04", "--format", "json"]);
    assert_eq!(printed(&now), april, "a case that is opened again in May leaves April as it was");
    let may = office.json(&["--form", FORM, "--period", "2022-05", "--format", "json"]);
    assert_eq!(printed(&may)[..4], ["43", "3", "0", "40"]);

    let again = office.bulletin(&["--stamp", "1"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    let file = office.server.folder.0.join("april.json").to_string_lossy().into_owned();
    office.text(&["show", "1", "--format", "json", "--output", &file]);
    assert!(office.bulletin(&["--stamp", &file]).status.success(), "a file says as much as the number");

    // Of what was late three are reopened now: that is a change since, and no other figure of April is one.
    let since = office.json(&["show", "1", "--restated", "--format", "json"]);
    let changed: Vec<&str> = since["lists"]["changes"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row[0] == "period")
        .map(|row| row[1].as_str().expect("an id"))
        .collect();
    assert!(!changed.is_empty() && changed.iter().all(|id| *id == "reopening"), "{changed:?}");

    // One integer that was tampered with is found.
    let text = fs::read_to_string(&file).expect("it was written");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    let figure = value["figures"].as_array_mut().expect("figures").iter_mut();
    let figure = figure.into_iter().find(|figure| figure["id"] == "on_time_closure.due").expect("a figure");
    figure["numerator"] = (figure["numerator"].as_i64().expect("an integer") + 1).into();
    fs::write(&file, value.to_string()).expect("a file can be written");
    let tampered = office.bulletin(&["--stamp", &file]);
    assert_eq!(tampered.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&tampered.stdout).lines().count(), 1);
}

#[test]
fn every_form_counts_as_replay_does_in_every_format() {
    let server = Server::start("forms", &root().join("deploy/rulebook"));
    let sample = root().join("deploy/sample/events.ndjson").to_string_lossy().into_owned();
    assert!(server.send(&[&sample]).status.success());
    let config = server.config();
    let hotline = |args: &[&str]| text(&[&["--config", &config, "--lang", "en", "bulletin"], args].concat());
    let period = "2026-08-01..2026-11-01";
    for form in ["12345-monthly", "12315-monthly", "petition-monthly"] {
        let asked = ["--form", form, "--period", period, "--annexes"];
        let sheet: Value =
            serde_json::from_str(&hotline(&[&asked[..], &["--format", "json"]].concat())).expect("JSON");
        let hotline_code = form.trim_end_matches("-monthly");
        let rates: Vec<&String> =
            sheet["stamp"]["definitions"].as_object().expect("an object").keys().collect();
        for rate in rates {
            let rows = text(&[
                "replay",
                "--rulebook",
                &root().join("deploy/rulebook").to_string_lossy(),
                "--as-of",
                LATER,
                "--rate",
                rate,
                "--by",
                "department,hotline",
                "--period",
                period,
                &sample,
            ]);
            let rows: Value = serde_json::from_str(&rows).expect("JSON");
            let mut expected = String::new();
            let of_hotline =
                |row: &&Value| row["by"]["hotline"] == hotline_code && row["by"]["department"] != "*";
            for row in rows.as_array().expect("rows").iter().filter(of_hotline) {
                let _ = writeln!(
                    expected,
                    "{} {}/{}",
                    row["by"]["department"], row["numerator"], row["denominator"]
                );
            }
            let mut found = String::new();
            let of_rate = |figure: &&Value| {
                figure["id"] == rate.as_str() && figure["span"] == "period" && figure["denominator"] != 0
            };
            for figure in sheet["figures"].as_array().expect("figures").iter().filter(of_rate) {
                let scale = figure["scale"].as_i64().expect("a scale");
                assert_eq!(scale, 1);
                let _ = writeln!(
                    found,
                    "{} {}/{}",
                    figure["department"], figure["numerator"], figure["denominator"]
                );
            }
            assert_eq!(found, expected, "{form} {rate}");
        }
        for format in ["table", "csv", "html"] {
            let printed = hotline(&[&asked[..], &["--format", format]].concat());
            assert!(printed.contains("Definitions") || format == "csv", "{format}: {printed}");
        }
        let workbook = server.folder.0.join("bulletin.xlsx").to_string_lossy().into_owned();
        hotline(&[&asked[..], &["--format", "xlsx", "--output", &workbook]].concat());
        assert_eq!(&fs::read(&workbook).expect("a workbook")[..2], b"PK");
    }
    assert!(hotline(&["forms"]).contains("12315-monthly"));
    let refused = run(&["--config", &config, "bulletin", "--form", "none", "--period", "2026-09"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("12345-monthly"), "it says which there are");
}
