//! How it stops, how it starts again, and what a copy of it is worth.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hotline_tests::server::{Folder, Server, binary, free_address, get, replay, run, text};
use hotline_tests::{read, root};

const RATES: &str = "on_time_closure.due,signing,satisfaction.answered,reopening";
const PERIOD: &str = "2026-08-01..2026-11-01";
const AS_OF: &str = "2027-06-01T00:00:00+08:00";
/// A first signal lets the batch under way end; after so long it would be cut off.
const STOP_MAX: Duration = Duration::from_secs(10);

fn shipped() -> PathBuf {
    root().join("deploy/rulebook")
}

/// A file of so many cases, three events each.
fn many(path: &Path, cases: u32) -> String {
    let mut file = fs::File::create(path).expect("a file can be made");
    let steps = [
        ("received", "{\"case_type\":\"complaint\",\"region\":\"411202\"}"),
        ("dispatched", "{\"department\":\"ZJJ\"}"),
        ("signed", "{\"department\":\"ZJJ\"}"),
    ];
    for case in 0..cases {
        for (nth, (kind, data)) in steps.iter().enumerate() {
            writeln!(
                file,
                "{{\"specversion\":\"1.0\",\"type\":\"hotline.case.{kind}.v1\",\"source\":\"/hotline/sample/12345\",\"id\":\"{nth}\",\
                 \"subject\":\"12345:many-{case}\",\"time\":\"2026-09-0{}T09:00:00+08:00\",\"data\":{data}}}",
                nth + 1
            )
            .expect("it can be written");
        }
    }
    path.to_string_lossy().into_owned()
}

fn hotline(config: &str, args: &[&str]) -> String {
    text(&[&["--config", config], args].concat())
}

/// What a command says when it refuses.
fn refusal(config: &str, args: &[&str]) -> String {
    let output = run(&[&["--config", config], args].concat());
    assert!(!output.status.success(), "hotline {args:?} must refuse");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How to reach the database of a server that runs, for libpq and for hotline.
pub(super) fn database(server: &Server) -> [(&'static str, String); 10] {
    let data = server.folder.0.join("data");
    let pid_file = fs::read_to_string(data.join("postgres/postmaster.pid")).expect("the cluster runs");
    let line = |nth: usize| pid_file.lines().nth(nth).expect("a line of postmaster.pid").to_owned();
    let password = fs::read_to_string(data.join("postgres.password")).expect("the password is there");
    let password = password.trim_end().to_owned();
    [
        ("PGHOST", line(4)),
        ("HOTLINE__POSTGRES__HOST", line(4)),
        ("PGPORT", line(3)),
        ("HOTLINE__POSTGRES__PORT", line(3)),
        ("PGUSER", "hotline".to_owned()),
        ("HOTLINE__POSTGRES__USER", "hotline".to_owned()),
        ("PGDATABASE", "hotline".to_owned()),
        ("HOTLINE__POSTGRES__DATABASE", "hotline".to_owned()),
        ("PGPASSWORD", password.clone()),
        ("HOTLINE__POSTGRES__PASSWORD", password),
    ]
}

/// Runs statements on the database of a server that runs.
fn execute(server: &Server, statements: &str) {
    let done = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--command", statements])
        .envs(database(server))
        .status();
    assert!(done.expect("psql runs").success(), "{statements}");
}

#[test]
fn a_stop_under_load_is_quick_and_loses_nothing() {
    let mut server = Server::start("stop", &shipped());
    let file = many(&server.folder.0.join("many.ndjson"), 20_000);
    let to = format!("http://{}", server.gateway);
    let mut sender = Command::new(binary())
        .args(["send", "--to", &to, &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let applied = |server: &Server| -> i64 {
        let said = hotline(&server.config(), &["partitions", "list", "--format", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        rows.as_array().into_iter().flatten().filter_map(|row| row["applied"].as_i64()).sum()
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    while applied(&server) == 0 {
        assert!(Instant::now() < deadline, "nothing arrives: {}", server.log_text());
    }
    let asked_at = Instant::now();
    assert_eq!(server.stop(), 0, "a stop is clean: {}", server.log_text());
    let took = asked_at.elapsed();
    assert!(took < STOP_MAX, "it took {took:?}");
    drop(sender.kill());
    drop(sender.wait());
    server.restart();
    let before = applied(&server);
    assert!(before < 60_000, "it was stopped in the middle");
    let sent = server.send(&[&file]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert_eq!(applied(&server), 60_000, "every event once");
    hotline(&server.config(), &["tallies", "check"]);
}

#[test]
fn a_role_refuses_a_schema_that_is_not_its_own() {
    let mut server = Server::start("schema", &shipped());
    let psql = |statement: &str| execute(&server, statement);
    let refused = |expect: &str| {
        let ended = Command::new(binary())
            .arg("rates")
            .env("HOTLINE_CONFIG", "/dev/null")
            .envs(database(&server))
            .env("HOTLINE__DATA__MASTER_KEY_FILE", server.folder.0.join("data/master.key"))
            .env("HOTLINE__OPS__LISTEN", free_address())
            .output()
            .expect("the binary runs");
        let said =
            String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert!(!ended.status.success() && said.contains(expect), "{said}");
    };
    psql("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 10");
    refused("hotline migrate");
    psql("UPDATE _sqlx_migrations SET version = 10 WHERE version = 9999");
    psql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
          VALUES (9999, 'of the future', true, '', 0)",
    );
    refused("9999");
    let said = refusal(&server.config(), &["tallies", "check"]);
    assert!(said.contains("9999"), "a command refuses as well: {said}");
    psql("DELETE FROM _sqlx_migrations WHERE version = 9999");
    // What a restore leaves that was interrupted before its end.
    psql("CREATE TABLE kept AS SELECT * FROM _sqlx_migrations; DELETE FROM _sqlx_migrations");
    refused("a restore of this database was not finished");
    psql("INSERT INTO _sqlx_migrations SELECT * FROM kept; DROP TABLE kept");
    assert_eq!(server.stop(), 0, "{}", server.log_text());
}

#[test]
fn a_backup_is_whole_or_refused_and_what_came_since_is_sent_again() {
    let sample = read("deploy/sample/events.ndjson");
    let folder = Folder::new("backup");
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name).to_string_lossy().into_owned();
        fs::write(&path, text).expect("a file can be written");
        path
    };
    let lines: Vec<&str> = sample.lines().collect();
    let half = write("half.ndjson", &(lines[..lines.len() / 2].join("\n") + "\n"));
    let all = write("all.ndjson", &sample);
    let backup = folder.0.join("backup").to_string_lossy().into_owned();

    let mut server = Server::start("backup-server", &shipped());
    assert!(server.send(&[&half]).status.success());
    let at_backup = server.bulletin(RATES, PERIOD);
    let said = hotline(&server.config(), &["backup", &backup, "--jobs", "3"]);
    assert!(said.contains("master.key") && said.contains("NOT"), "it says what is not in it: {said}");
    assert!(refusal(&server.config(), &["backup", &backup]).contains("not empty"));
    assert!(server.send(&[&all]).status.success());
    let in_the_end = server.bulletin(RATES, PERIOD);
    assert_ne!(at_backup, in_the_end);
    let occupied = refusal(&server.config(), &["restore", &backup, "--why", "a test"]);
    assert!(occupied.contains("not empty"), "{occupied}");
    assert_eq!(server.stop(), 0, "{}", server.log_text());

    // The disk fails: a machine with nothing but the backup, the configuration and, kept elsewhere, the key.
    let key = fs::read(server.folder.0.join("data/master.key")).expect("the key is there");
    fs::remove_dir_all(server.folder.0.join("data")).expect("the data can be removed");
    let restore = ["restore", backup.as_str(), "--why", "the disk failed"];
    let keyless = refusal(&server.config(), &restore);
    assert!(keyless.contains("put the master key"), "{keyless}");
    let data = server.folder.0.join("data");
    fs::create_dir_all(&data).expect("a folder can be made");
    let put_key = |bytes: &[u8]| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = data.join("master.key");
        fs::write(&path, bytes).expect("a key can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
    };
    put_key("0".repeat(64).as_bytes());
    let other_key = refusal(&server.config(), &restore);
    assert!(other_key.contains("not the master key of this backup"), "{other_key}");
    put_key(&key);

    // One byte of one file is another.
    let file = fs::read_dir(folder.0.join("backup/database")).expect("it is there").next();
    let damaged = file.expect("a file").expect("an entry").path();
    let whole = fs::read(&damaged).expect("it can be read");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&damaged, &changed).expect("it can be written");
    let said = refusal(&server.config(), &restore);
    assert!(said.contains("has changed since the backup was made"), "{said}");
    fs::write(&damaged, &whole).expect("it can be written");

    let said = hotline(&server.config(), &restore);
    assert!(said.contains("send again"), "it says what to do: {said}");
    server.restart();
    assert_eq!(server.bulletin(RATES, PERIOD), at_backup);
    assert!(server.send(&[&all]).status.success());
    assert_eq!(server.bulletin(RATES, PERIOD), in_the_end);
    assert_eq!(in_the_end, replay(&shipped(), RATES, PERIOD, AS_OF, &all));
    hotline(&server.config(), &["tallies", "check"]);
}

#[test]
fn a_database_that_takes_nothing_any_more_is_seen_in_readiness() {
    let mut server = Server::start("read-only", &shipped());
    let psql = |statement: &str| execute(&server, statement);
    let wait_for = |expect: u16| {
        let deadline = Instant::now() + Duration::from_mins(1);
        while get(&server.ops, "/readyz").is_none_or(|(status, _)| status != expect) {
            assert!(Instant::now() < deadline, "/readyz never says {expect}");
            std::thread::park_timeout(Duration::from_millis(200));
        }
    };
    psql("ALTER DATABASE hotline SET default_transaction_read_only = on");
    wait_for(503);
    psql("BEGIN READ WRITE; ALTER DATABASE hotline RESET default_transaction_read_only; COMMIT");
    wait_for(200);
    assert_eq!(server.stop(), 0, "{}", server.log_text());
}
