//! The same casework over a real broker: several processes that come and go, records keyed otherwise, a kill.
//!
//! `HOTLINE_TEST_KAFKA` names the brokers (deploy/local/kafka.sh). Without it these tests say so and are left out;
//! in continuous integration that is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotline_tests::root;
use hotline_tests::server::{Folder, Server, binary, free_address, get, replay, run, text};
use serde_json::Value;

/// How long casework may stand still.
const STILL_MAX: Duration = Duration::from_mins(2);

pub(super) fn brokers() -> Option<String> {
    let brokers = std::env::var_os("HOTLINE_TEST_KAFKA").and_then(|brokers| brokers.into_string().ok());
    assert!(
        brokers.is_some() || std::env::var_os("CI").is_none(),
        "continuous integration has no broker: HOTLINE_TEST_KAFKA is not set"
    );
    if brokers.is_none() {
        eprintln!("left out: HOTLINE_TEST_KAFKA names no broker");
    }
    brokers
}

/// A process of casework on the database of a server.
pub(super) struct Casework {
    child: Child,
    log: PathBuf,
}

impl Casework {
    pub(super) fn start(server: &Server, brokers: &str, topic: &str, name: &str) -> Self {
        let data = server.folder.0.join("data");
        let pid_file = fs::read_to_string(data.join("postgres/postmaster.pid")).expect("the cluster runs");
        let line = |nth: usize| pid_file.lines().nth(nth).expect("a line of postmaster.pid").to_owned();
        let log = server.folder.0.join(format!("{name}.log"));
        let file = fs::File::create(&log).expect("a log can be written");
        let ops = free_address();
        let child = Command::new(binary())
            .arg("casework")
            .env("HOTLINE_CONFIG", "/dev/null")
            .env("HOTLINE__POSTGRES__HOST", line(4))
            .env("HOTLINE__POSTGRES__PORT", line(3))
            .env("HOTLINE__POSTGRES__PASSWORD_FILE", data.join("postgres.password"))
            .env("HOTLINE__POSTGRES__USER", "hotline")
            .env("HOTLINE__POSTGRES__DATABASE", "hotline")
            .env("HOTLINE__DATA__MASTER_KEY_FILE", data.join("master.key"))
            .env("HOTLINE__OPS__LISTEN", &ops)
            .env("HOTLINE__KAFKA__BROKERS", brokers)
            .env("HOTLINE__KAFKA__TOPIC", topic)
            .env("HOTLINE__KAFKA__GROUP", topic)
            .env("HOTLINE__KAFKA__SESSION_WAIT", "6s")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file)
            .spawn()
            .expect("the binary runs");
        let mut casework = Self { child, log };
        let deadline = Instant::now() + STILL_MAX;
        while get(&ops, "/readyz").is_none_or(|(status, _)| status != 200) {
            let ended = casework.child.try_wait().expect("it can be asked");
            assert!(ended.is_none() && Instant::now() < deadline, "{name}: {}", casework.said());
            std::thread::park_timeout(Duration::from_millis(100));
        }
        casework
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Until the group has given it something to read.
    pub(super) fn wait_for_a_partition(&self) {
        let deadline = Instant::now() + STILL_MAX;
        while !self.said().contains("partition assigned") {
            assert!(Instant::now() < deadline, "no partition was assigned: {}", self.said());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    pub(super) fn signal(&mut self, signal: &str) -> i32 {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }

    /// Ends it as an operator would.
    pub(super) fn stop(mut self) {
        assert_eq!(self.signal("-TERM"), 0, "a stop is clean: {}", self.said());
    }
}

impl Drop for Casework {
    fn drop(&mut self) {
        // One that ended already cannot be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server whose gateway produces to a topic of its own, with so many partitions.
pub(super) fn server(name: &str, rulebook: &Path, brokers: &str, topic: &str, partitions: u32) -> Server {
    let kafka = format!(
        "\n[kafka]\nbrokers = '{brokers}'\ntopic = '{topic}'\ngroup = '{topic}'\nsession_wait = '6s'\n"
    );
    Server::start_gateway(name, rulebook, &kafka, |config| {
        text(&["--config", config, "migrate", "--partitions", &partitions.to_string()]);
        let rulebook = rulebook.to_string_lossy();
        text(&["--config", config, "rulebook", "activate", &rulebook]);
    })
}

/// What every partition's row says, checked against the conservation law.
pub(super) fn positions(server: &Server) -> Vec<Value> {
    let said = text(&["--config", &server.config(), "partitions", "list", "--format", "json"]);
    let positions: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    for position in &positions {
        let number = |name: &str| position[name].as_i64().unwrap_or_else(|| panic!("{name} of {position}"));
        assert_eq!(
            number("next_offset") - number("start_offset"),
            number("records") + number("gaps"),
            "{position}"
        );
        let outcomes = ["applied", "duplicate", "ignored", "dead"].map(number).iter().sum::<i64>();
        assert_eq!(number("records"), outcomes, "{position}");
    }
    positions
}

pub(super) fn sum(positions: &[Value], name: &str) -> i64 {
    positions.iter().filter_map(|position| position[name].as_i64()).sum()
}

/// Waits until so many records are committed.
pub(super) fn wait_for(server: &Server, records: i64) {
    let (mut last, mut moved_at) = (-1, Instant::now());
    loop {
        let done = sum(&positions(server), "records");
        if done >= records {
            assert_eq!(done, records, "no record is read twice");
            return;
        }
        if done > last {
            (last, moved_at) = (done, Instant::now());
        }
        assert!(moved_at.elapsed() < STILL_MAX, "casework stands still at {done} of {records}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

#[test]
fn boston_over_six_partitions_while_processes_come_and_go_gives_what_replay_gives() {
    let Some(brokers) = brokers() else { return };
    let data = root().join("../shared/acceptance/boston311");
    let (rulebook, events, rates, periods) = if data.exists() {
        let adapter = root().join("deploy/adapters/boston311.jq").to_string_lossy().into_owned();
        let cases = data.join("cases.csv").to_string_lossy().into_owned();
        let events = text(&["import", "--format", "csv", "--adapter", &adapter, &cases]);
        let periods: Vec<String> =
            (2013..2017).map(|year| format!("{year}-01-01..{}-01-01", year + 1)).collect();
        (data.join("rulebook"), events, "closed_with_target,with_target,agency", periods)
    } else {
        eprintln!("no ../shared/acceptance here: the sample has to do");
        let sample = hotline_tests::read("deploy/sample/events.ndjson");
        let rates = "on_time_closure.due,signing,satisfaction.answered";
        (root().join("deploy/rulebook"), sample, rates, vec!["2026-08-01..2026-11-01".to_owned()])
    };
    let folder = Folder::new("kafka-boston");
    let lines: Vec<&str> = events.lines().collect();
    let write = |name: &str, lines: &[&str]| {
        let path = folder.0.join(name).to_string_lossy().into_owned();
        fs::write(&path, lines.join("\n")).expect("a file can be written");
        path
    };
    let all = write("all.ndjson", &lines);
    let third = lines.len() / 3;
    let parts = [&lines[..third], &lines[third..2 * third], &lines[2 * third..]];
    let parts = [0, 1, 2].map(|nth| write(&format!("part{nth}.ndjson"), parts[nth]));

    let topic = format!("boston-{}", std::process::id());
    let server = server("kafka-boston-server", &rulebook, &brokers, &topic, 6);
    let first = Casework::start(&server, &brokers, &topic, "first");
    let second = Casework::start(&server, &brokers, &topic, "second");
    // Through the gateway, which seals; casework is at work meanwhile.
    let sent = server.send(&[&parts[0]]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let third = Casework::start(&server, &brokers, &topic, "third");
    assert!(server.send(&[&parts[1]]).status.success());
    first.stop();
    // The group spreads over those that are left.
    second.wait_for_a_partition();
    third.wait_for_a_partition();
    // Straight to the topic, each event keyed by itself: a case lies on several partitions.
    let to = format!("kafka://{brokers}/{topic}");
    let straight = |file: &str| {
        let sent = run(&["send", "--to", &to, "--key", "id", file]);
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    };
    straight(&parts[2]);
    // One more time, keyed otherwise than before: duplicates. Meanwhile a process dies, and another comes.
    straight(&all);
    let mut killed = third;
    killed.signal("-KILL");
    let last = Casework::start(&server, &brokers, &topic, "last");
    let sent = i64::try_from(2 * lines.len()).expect("small");
    wait_for(&server, sent);

    for period in &periods {
        assert_eq!(
            server.bulletin(rates, period),
            replay(&rulebook, rates, period, "2027-01-01T00:00:00Z", &all),
            "{period}"
        );
    }
    let positions = positions(&server);
    assert_eq!(positions.len(), 6, "every partition was read");
    assert_eq!(sum(&positions, "dead"), 0);
    last.wait_for_a_partition();
    let checked = run(&["--config", &server.config(), "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    second.stop();
    last.stop();
}

#[test]
fn an_event_is_acknowledged_when_durable_and_its_outcome_can_be_asked_for() {
    let Some(brokers) = brokers() else { return };
    let topic = format!("outcome-{}", std::process::id());
    let server = server("kafka-outcome-server", &root().join("deploy/rulebook"), &brokers, &topic, 2);
    let event = |id: &str, kind: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.received.v1\",\"source\":\"/hotline/sample/12345\",\"id\":\"{id}\",\
             \"subject\":\"12345:kafka\",\"time\":\"2026-09-01T09:00:00+08:00\",\
             \"data\":{{\"case_type\":\"{kind}\",\"content\":\"plantedintransit\"}}}}"
        )
    };
    let outcome = |id: &str| {
        let path = format!("/v1/events/%2Fhotline%2Fsample%2F12345/{id}?subject=12345:kafka");
        server.request("GET", &path, &[], b"")
    };
    let (status, body) = server.post(&event("1", "complaint"));
    assert_eq!(status, 202, "{body}");
    assert!(body.contains("accepted"), "{body}");
    assert_eq!(outcome("1").0, 404, "nobody has read it yet");
    assert_eq!(server.post(&event("1", "report")).0, 202, "a conflict shows later");
    assert_eq!(server.post("{}").0, 400, "what is no event is refused at once");

    let casework = Casework::start(&server, &brokers, &topic, "casework");
    wait_for(&server, 2);
    let (status, body) = outcome("1");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("applied"), "the first one stands: {body}");
    assert!(body.contains("refused_copy"), "and the other content is named: {body}");
    let of_another = "/v1/events/%2Fhotline%2Fsample%2F12345/1?subject=12345:another";
    assert_eq!(server.request("GET", of_another, &[], b"").0, 404, "an event is named within its case");
    assert_eq!(outcome("2").0, 404);
    let listed = text(&["--config", &server.config(), "dead-letters", "list"]);
    assert!(listed.contains("id_conflict"), "{listed}");
    let (status, body) = server.request(
        "POST",
        "/v1/events?dry_run=true",
        &[("content-type", "application/cloudevents+json")],
        event("3", "complaint").as_bytes(),
    );
    assert_eq!(status, 200, "a dry run is folded by the gateway itself: {body}");
    casework.stop();
}

#[test]
fn a_restored_database_that_is_older_than_the_topic_reads_on() {
    let Some(brokers) = brokers() else { return };
    let topic = format!("hotline.restored.{}", std::process::id());
    let rulebook = root().join("deploy/rulebook");
    let sample = root().join("deploy/sample/events.ndjson").to_string_lossy().into_owned();
    let mut server = server("restored", &rulebook, &brokers, &topic, 3);
    let backup = server.folder.0.join("backup").to_string_lossy().into_owned();
    let casework = Casework::start(&server, &brokers, &topic, "before");
    let lines = fs::read_to_string(&sample).expect("the sample is there");
    let count = lines.lines().count();
    let half = server.folder.0.join("half.ndjson").to_string_lossy().into_owned();
    let first: String = lines.lines().take(count / 2).flat_map(|line| [line, "\n"]).collect();
    fs::write(&half, first).expect("a file can be written");
    assert!(server.send(&[&half]).status.success());
    wait_for(&server, i64::try_from(count / 2).expect("few"));
    text(&["--config", &server.config(), "backup", &backup]);
    assert!(server.send(&[&sample]).status.success());
    let records = i64::try_from(count / 2 + count).expect("few");
    wait_for(&server, records);
    let in_the_end = server.bulletin("signing,reopening", "2026-08-01..2026-11-01");

    // The database is gone with all that came since; the topic is not.
    casework.stop();
    assert_eq!(server.stop(), 0, "{}", server.log_text());
    let data = server.folder.0.join("data");
    let key = server.folder.0.join("key");
    fs::rename(data.join("master.key"), &key).expect("the key is kept elsewhere");
    fs::remove_dir_all(&data).expect("the data can be removed");
    fs::create_dir_all(&data).expect("a folder can be made");
    fs::rename(&key, data.join("master.key")).expect("the key is put back");
    let said = text(&["--config", &server.config(), "restore", &backup, "--why", "a test"]);
    assert!(said.contains("is read on from"), "{said}");
    server.restart();
    let casework = Casework::start(&server, &brokers, &topic, "after");
    wait_for(&server, records);
    assert_eq!(server.bulletin("signing,reopening", "2026-08-01..2026-11-01"), in_the_end);
    let checked = run(&["--config", &server.config(), "tallies", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    casework.stop();
}
