//! Input that makes others suffer: a source that sends rubbish, a record that ends whoever reads it.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use hotline_tests::root;
use hotline_tests::server::{Server, run, text};
use serde_json::Value;

use super::ending::database;
use super::kafka::{Casework, brokers, positions, server, sum, wait_for};

fn event(source: &str, case: &str, id: &str, kind: &str, data: &str) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.{kind}.v1\",\"source\":\"{source}\",\"id\":\"{id}\",\"subject\":\"{case}\",\
         \"time\":\"2026-09-01T09:00:00+08:00\",\"data\":{data}}}\n"
    )
}

/// Puts events into the topic as a sender to Kafka does, without a gateway that looks at them.
fn produce(server: &Server, brokers: &str, topic: &str, name: &str, events: &str) {
    let file = server.folder.0.join(name);
    fs::write(&file, events).expect("a file can be written");
    let sent = run(&["send", "--to", &format!("kafka://{brokers}/{topic}"), &file.to_string_lossy()]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

/// The open ones.
fn letters(server: &Server) -> Vec<Value> {
    let said = text(&["--config", &server.config(), "dead-letters", "list", "--limit", "100000"]);
    let all = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.filter(|letter| letter["state"] == "open").collect()
}

#[test]
fn a_source_that_sends_rubbish_is_diverted_and_everybody_else_goes_on() {
    let Some(brokers) = brokers() else { return };
    let topic = format!("hotline.rubbish.{}", std::process::id());
    let server = server("rubbish", &root().join("deploy/rulebook"), &brokers, &topic, 1);
    let (bad, good) = ("/hotline/sample/12315", "/hotline/sample/12345");
    let mut events = String::new();
    for nth in 0..150 {
        events += &event(bad, &format!("12315:{nth}"), "1", "dispatched", "{}");
        events += &event(good, &format!("12345:{nth}"), "1", "received", "{\"case_type\":\"help\"}");
    }
    produce(&server, &brokers, &topic, "rubbish.ndjson", &events);
    let casework = Casework::start(&server, &brokers, &topic, "casework");
    wait_for(&server, 300);
    // What it sends now is good, and kept until somebody has looked.
    let later = event(bad, "12315:later", "1", "received", "{\"case_type\":\"complaint\"}");
    produce(&server, &brokers, &topic, "later.ndjson", &later);
    wait_for(&server, 301);
    let sources = text(&["--config", &server.config(), "sources", "list", "--format", "json"]);
    let diverted = |name: &str| {
        let rows: Vec<Value> = serde_json::from_str(&sources).expect("JSON");
        rows.iter().any(|row| row["source"] == name && row.to_string().contains("diverted"))
    };
    assert!(diverted(bad) && !diverted(good), "{sources}");
    assert_eq!(sum(&positions(&server), "applied"), 150);
    let kept = letters(&server).iter().filter(|letter| letter["reason"] == "source_stopped").count();
    assert!(kept >= 1, "what came after is kept");

    text(&["--config", &server.config(), "sources", "resume", bad, "--why", "a test"]);
    let again = ["dead-letters", "redrive", "--source", bad, "--reason", "source_stopped", "--why", "a test"];
    let said = run(&[&["--config", server.config().as_str()], &again[..]].concat());
    assert!(said.status.code().is_some_and(|code| code <= 2), "{}", String::from_utf8_lossy(&said.stderr));
    let open = letters(&server);
    assert!(open.iter().all(|letter| letter["case"] != "12315:later"), "the good one was applied");
    casework.stop();
}

#[test]
fn a_record_that_ends_whoever_reads_it_is_found_and_put_aside() {
    let Some(brokers) = brokers() else { return };
    let topic = format!("hotline.fatal.{}", std::process::id());
    let server = server("fatal", &root().join("deploy/rulebook"), &brokers, &topic, 1);
    let source = "/hotline/sample/12345";
    let mut events = String::new();
    for nth in 0..3 {
        write!(
            events,
            "{}",
            event(source, &format!("12345:{nth}"), "1", "received", "{\"case_type\":\"help\"}")
        )
        .expect("writing to a string");
    }
    produce(&server, &brokers, &topic, "fatal.ndjson", &events);
    // Nothing can be written as long as this is held, so whoever reads the first record stays in the middle of it.
    let psql = |statement: &str| {
        let mut command = Command::new("psql");
        command.args(["--no-psqlrc", "--quiet", "--command", statement]).envs(database(&server));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("psql runs")
    };
    let mut held = psql("BEGIN; LOCK TABLE cases IN EXCLUSIVE MODE; SELECT pg_sleep(600)");
    let mut deaths = 0;
    while sum(&positions(&server), "records") == 0 {
        assert!(deaths < 16, "it is not put aside");
        let mut casework = Casework::start(&server, &brokers, &topic, &format!("casework-{deaths}"));
        casework.wait_for_a_partition();
        // Long enough to begin, and for the one that only puts it aside to commit.
        std::thread::park_timeout(std::time::Duration::from_secs(2));
        casework.signal("-KILL");
        deaths += 1;
    }
    let ended = psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    )
    .wait();
    assert!(
        ended.expect("psql ends").success() && !held.wait().expect("it ends").success(),
        "the lock is given up"
    );
    let found = letters(&server);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["reason"], "internal_error");
    assert_eq!(found[0]["case"], Value::Null, "nobody looks into it again");
    let casework = Casework::start(&server, &brokers, &topic, "casework-well");
    wait_for(&server, 3);
    assert_eq!(sum(&positions(&server), "applied"), 2, "the others go on");
    let again = ["dead-letters", "redrive", "--reason", "internal_error", "--why", "a test"];
    text(&[&["--config", server.config().as_str()], &again[..]].concat());
    assert!(letters(&server).is_empty(), "and later it is applied as well");
    casework.stop();
}
