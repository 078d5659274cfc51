//! Bad input over HTTP: every fault has its answer, and the connection stays usable.

use hotline_tests::root;
use hotline_tests::server::{Server, run, text};
use serde_json::{Value, json};

fn event(id: &str, kind: &str, time: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/sample/12345",
        "id": id, "subject": "12345:bad", "time": time, "data": data,
    })
}

const TIME: &str = "2026-09-01T09:00:00+08:00";

#[test]
fn every_fault_has_its_answer() {
    let server = Server::start("http", &root().join("deploy/rulebook"));
    let good = event("1", "received", TIME, &json!({ "case_type": "complaint" }));
    assert_eq!(server.post(&good.to_string()).0, 200);
    assert_eq!(server.post(&good.to_string()).0, 200, "the same again is a duplicate");

    let check = |body: &str, status: u16, says: &str| {
        let (got, answer) = server.post(body);
        let shown: String = body.chars().take(300).collect();
        assert_eq!(got, status, "{shown}: {answer}");
        assert!(answer.contains(says), "{shown}: {answer} does not say {says}");
        assert!(!answer.contains("secretvalue"), "an answer repeats a value: {answer}");
    };
    let with = |member: &str, value: Value| {
        let mut bad = good.clone();
        bad[member] = value;
        bad.to_string()
    };
    check("{\"a\":", 400, "undecodable");
    check(&with("type", json!("hotline.case.secretvalue.v1")), 400, "unknown_type");
    check(&with("specversion", json!("secretvalue")), 400, "/specversion");
    check(&with("subject", json!("secretvalue without a colon")), 400, "/subject");
    check(&with("time", json!("secretvalue")), 400, "/time");
    check(&with("data", json!({ "case_type": "a\u{0}secretvalue" })), 400, "nul");
    check(&with("data", json!({ "category": "secretvalue" })), 400, "/data/case_type");
    check(&good.to_string().replacen("{\"data\"", "{\"id\":\"1\",\"data\"", 1), 400, "duplicate_key");
    check(&with("source", json!("/hotline/unlisted")), 401, "unknown_source");
    check(&with("data", json!({ "case_type": "report" })), 409, "id_conflict");
    check(
        &event("9", "closed", "2099-01-01T00:00:00+08:00", &json!({ "department": "HL" })).to_string(),
        400,
        "future_dated",
    );
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let bad = format!(
        "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.received.v1\",\"source\":\"/hotline/sample/12345\",\"id\":\"d\",\"subject\":\"12345:bad\",\"time\":\"{TIME}\",\"data\":{{\"case_type\":\"complaint\",\"x\":{deep}}}}}"
    );
    check(&bad, 400, "too_deep");
    let long = "x".repeat(300 * 1024);
    check(&with("data", json!({ "case_type": "complaint", "content": long })), 413, "too_large");
    let flood = vec![b'x'; 9 * 1024 * 1024];
    let (status, _) =
        server.request("POST", "/v1/events", &[("content-type", "application/x-ndjson")], &flood);
    assert_eq!(status, 413);
    assert_eq!(server.post(&good.to_string()).0, 200, "the gateway still works");
}

#[test]
fn a_batch_is_answered_event_by_event_and_a_dry_run_stores_nothing() {
    let server = Server::start("batch", &root().join("deploy/rulebook"));
    let batch = json!([
        event("1", "received", TIME, &json!({ "case_type": "complaint" })),
        event("2", "closed", TIME, &json!({})),
        event("3", "dispatched", TIME, &json!({ "department": "ZJJ" })),
    ]);
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let dry = server.request("POST", "/v1/events?dry_run=true", &headers, batch.to_string().as_bytes());
    assert_eq!(dry.0, 200, "{}", dry.1);
    assert_eq!(server.request("GET", "/v1/cases/12345:bad", &[], b"").0, 404, "a dry run stores nothing");

    let (status, answer) = server.request("POST", "/v1/events", &headers, batch.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let statuses: Vec<&str> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(statuses, ["applied", "refused", "applied"]);

    let (status, shown) = server.request("GET", "/v1/cases/12345:bad", &[], b"");
    assert_eq!(status, 200);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["rounds"][0]["custody"][0]["department"], "ZJJ");
    assert!(shown["rounds"][0]["clocks"][0]["explanation"].is_array(), "clocks explain themselves: {shown}");
}

#[test]
fn with_a_secret_only_signed_events_are_taken_and_with_a_token_only_its_bearer_reads() {
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let token = "a-token-for-tests";
    let server = Server::start_with("signed", &root().join("deploy/rulebook"), |folder| {
        let (key, bearer) = (folder.join("key"), folder.join("token"));
        std::fs::write(&key, secret).expect("a key file");
        std::fs::write(&bearer, token).expect("a token file");
        let (key, bearer) = (key.display(), bearer.display());
        format!("token_file = '{bearer}'\n[gateway.secrets]\n'/hotline/sample/12345' = ['{key}']")
    });
    let good = event("1", "received", TIME, &json!({ "case_type": "complaint" }));
    assert_eq!(server.post(&good.to_string()).0, 401, "an unsigned event is refused");
    let forged = [
        ("content-type", "application/cloudevents+json"),
        ("webhook-id", "1"),
        ("webhook-timestamp", "1767225600"),
        ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    ];
    let answer = server.request("POST", "/v1/events", &forged, good.to_string().as_bytes());
    assert_eq!(answer.0, 401, "a forged one too: {}", answer.1);

    let file = server.folder.0.join("one.ndjson").display().to_string();
    std::fs::write(&file, format!("{good}\n")).expect("a file");
    let key = server.folder.0.join("key").display().to_string();
    let sent = server.send(&["--secret-file", &key, &file]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert!(String::from_utf8_lossy(&sent.stdout).contains("\"acknowledged\":1"));

    let path = "/v1/cases/12345:bad";
    assert_eq!(server.request("GET", path, &[], b"").0, 401);
    assert_eq!(server.request("GET", path, &[("authorization", "Bearer wrong")], b"").0, 401);
    let bearer = format!("Bearer {token}");
    assert_eq!(server.request("GET", path, &[("authorization", &bearer)], b"").0, 200);

    // The closure log is the auditors' affair, not the gateway's.
    assert_eq!(server.request("GET", "/log/checkpoint", &[("authorization", &bearer)], b"").0, 404);
}

#[test]
fn what_the_log_signs_and_hashes_is_for_everybody_and_its_records_for_auditors() {
    let server = Server::start("log", &root().join("deploy/rulebook"));
    let args =
        ["--config", &server.config(), "token", "create", "--name", "audit office", "--role", "auditor"];
    let made = run(&args);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let printed = String::from_utf8(made.stdout).expect("text");
    let token = printed.split_whitespace().find(|word| word.starts_with("hl_")).expect("a token").to_owned();
    // The activation of the rulebook is a record.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let published = loop {
        let (status, note) = server.ask("/log/checkpoint", &[]);
        if status == 200 || std::time::Instant::now() > deadline {
            break (status, note);
        }
        assert_eq!(status, 404, "{note}");
    };
    assert!(published.0 == 200 && published.1.contains("/log1\n"), "{published:?}");
    assert_eq!(server.ask("/log/tile/0/000.p/1", &[]).0, 200);
    let bearer = format!("Bearer {token}");
    for path in ["/log/tile/entries/000.p/1", "/log/proof/1"] {
        assert_eq!(server.ask(path, &[]).0, 401, "{path}");
        assert_eq!(server.ask(path, &[("authorization", "Bearer wrong")]).0, 401, "{path}");
        assert_eq!(server.ask(path, &[("authorization", &bearer)]).0, 200, "{path}");
    }
}

#[test]
fn whoever_has_a_mirror_computes_verdicts_and_published_rates_again() {
    let server = Server::start("mirror", &root().join("deploy/rulebook"));
    let sample = root().join("deploy/sample/events.ndjson");
    assert!(server.send(&[&sample.to_string_lossy()]).status.success());
    let config = server.config();
    let inside = |name: &str| server.folder.0.join(name).to_string_lossy().into_owned();
    let with = |args: &[&str]| text(&[&["--config", &config], args].concat());
    with(&["bulletin", "publish", "--form", "12345-monthly", "--period", "2026-09", "--why", "a test"]);
    let made = with(&["token", "create", "--name", "audit office", "--role", "auditor"]);
    let token = made.split_whitespace().find(|word| word.starts_with("hl_")).expect("a token").to_owned();
    std::fs::write(inside("token"), token).expect("it can be written");
    let (mirror, url) = (inside("mirror"), format!("http://{}/log", server.audit));
    let key = inside("log.vkey");
    let verified = || {
        let copied = run(&["audit", "mirror", &url, &mirror, "--token-file", &inside("token")]);
        if !copied.status.success() {
            return (false, Value::String(String::from_utf8_lossy(&copied.stderr).into_owned()));
        }
        std::fs::write(&key, with(&["audit", "key"])).expect("it can be written");
        let done = run(&["audit", "verify", "--strict", "--format", "json", "--key", &key, &mirror]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        (done.status.success(), serde_json::from_str::<Value>(&said).unwrap_or_default())
    };
    // The bulletin's record is sealed some moments after it was written.
    let is_counted = |said: &Value| said["verified"]["remade"]["bulletins"][0]["outcome"] == "same";
    let mut last = Value::Null;
    assert!(
        wait_until(|| {
            let (is_good, said) = verified();
            last = said;
            is_good && is_counted(&last)
        }),
        "{last}"
    );
    assert!(last["verified"]["remade"]["records"].as_u64() > Some(10), "{last}");
    let without = run(&["audit", "mirror", &url, &inside("without")]);
    let why = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && why.contains("no token was sent"), "{why}");
    // Another rulebook under the hash is no rulebook of that hash.
    let folder = std::path::Path::new(&mirror).join("rulebooks");
    let rulebook = std::fs::read_dir(folder).expect("there is one").flatten().next().expect("one").path();
    let file = rulebook.join("rulebook.toml");
    let other = std::fs::read_to_string(&file).expect("it is there") + "\n# changed\n";
    std::fs::write(&file, other).expect("it can be written");
    let (is_good, said) = verified();
    let finding = said["verified"]["findings"][0].as_str().unwrap_or_default().to_owned();
    assert!(!is_good && finding.contains("its files have the hash"), "{said}");
}

#[test]
fn while_the_database_is_away_nothing_is_acknowledged() {
    let server = Server::start("away", &root().join("deploy/rulebook"));
    let postmaster = std::fs::read_to_string(server.folder.0.join("data/postgres/postmaster.pid"));
    let postmaster = postmaster.expect("the private cluster runs");
    let postmaster = postmaster.lines().next().expect("its first line is the process").to_owned();
    let backends = |signal: &str| {
        let children = std::process::Command::new("ps").args(["-o", "pid=", "--ppid", &postmaster]).output();
        let children = String::from_utf8(children.expect("ps runs").stdout).expect("numbers");
        let all = children.split_whitespace().chain([postmaster.as_str()]);
        for process in all {
            let sent =
                std::process::Command::new("kill").args([signal, process]).status().expect("kill runs");
            assert!(sent.success() || signal == "-STOP", "kill {signal} {process}");
        }
    };
    let good = event("1", "received", TIME, &json!({ "case_type": "complaint" })).to_string();
    backends("-STOP");
    let (status, answer) = server.post(&good);
    backends("-CONT");
    assert_eq!(status, 503, "{answer}");
    assert!(wait_until(|| server.post(&good).0 == 200), "it recovers");
    assert_eq!(server.request("GET", "/v1/cases/12345:bad", &[], b"").0, 200);
}

/// Asks until it is so, at most a minute.
fn wait_until(mut asked: impl FnMut() -> bool) -> bool {
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while std::time::Instant::now() < deadline {
        if asked() {
            return true;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    false
}

#[test]
fn neither_many_tiny_events_nor_half_sent_ones_keep_others_out() {
    let server = Server::start("crowd", &root().join("deploy/rulebook"));
    let tiny = format!("[{}]", vec!["{}"; 400_000].join(","));
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let (status, answer) = server.request("POST", "/v1/events", &headers, tiny.as_bytes());
    assert_eq!(status, 413, "{answer}");
    assert!(answer.contains("too_many"), "{answer}");

    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
    let half_sent: Vec<std::net::TcpStream> = (0..300)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&server.gateway).expect("a connection");
            std::io::Write::write_all(&mut stream, head.as_bytes()).expect("it takes the head");
            stream
        })
        .collect();
    let good = event("1", "received", TIME, &json!({ "case_type": "complaint" }));
    assert_eq!(server.post(&good.to_string()).0, 200);
    assert_eq!(server.request("GET", "/v1/cases/12345:bad", &[], b"").0, 200);
    assert_eq!(server.request("GET", "/v1/cases/%ff", &[], b"").0, 404);
    let far = "/v1/rates?rate=signing&by=department&period=0001-01-01..9999-12-31";
    assert_eq!(server.request("GET", far, &[], b"").0, 200, "far days are days");
    drop(half_sent);
}

#[test]
fn whoever_is_on_duty_sees_each_source_without_any_grafana() {
    let server = Server::start("duty", &root().join("deploy/rulebook"));
    let good =
        event("1", "received", TIME, &json!({ "case_type": "complaint", "title": "<script>x</script>" }));
    assert_eq!(server.post(&good.to_string()).0, 200);
    let source = good["source"].as_str().expect("a source");
    let (status, page) = server.request("GET", "/duty", &[], b"");
    assert_eq!(status, 200, "{page}");
    for said in ["<html lang=\"zh-CN\">", "是他们还是我们", source, "hotline sources pause", "<td>http</td>"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    let row = page.lines().find(|line| line.contains(&format!("<td>{source}</td>"))).expect("its row");
    assert!(row.contains("<td>运行</td>") && !row.contains("<td>-</td><td>-</td>"), "{row}");
    assert!(!page.contains("script"), "nothing of what people wrote");
    let (status, page) = server.request("GET", "/duty?lang=en", &[], b"");
    assert!(status == 200 && page.contains("Us or them"), "{page}");
    assert_eq!(server.request("GET", "/duty?lang=de", &[], b"").0, 400);
}
