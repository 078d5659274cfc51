//! Each role as a process of its own, under its own login of the database: all of it works, and no login may do more.
//!
//! Over a broker: see [`kafka`](crate::kafka).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotline_tests::root;
use hotline_tests::server::{Folder, Server, binary, free_address, get, replay, run, text};

use crate::kafka::{brokers, server, wait_for};

const RATES: &str = "signing,reopening,on_time_closure.due";
const PERIOD: &str = "2026-08-01..2026-11-01";
/// The roles, and the operator last.
const LOGINS: [&str; 7] = ["gateway", "casework", "timekeeper", "relay", "rates", "audit", "operator"];

/// A process of one role, under its login.
struct Role {
    name: &'static str,
    child: Child,
    ops: String,
    log: std::path::PathBuf,
}

impl Role {
    fn start(name: &'static str, folder: &Path) -> Self {
        let (ops, log) = (free_address(), folder.join(format!("{name}.log")));
        let file = fs::File::create(&log).expect("a log can be written");
        let child = Command::new(binary())
            .args(["--config", &config(folder, name), name])
            .env("HOTLINE__OPS__LISTEN", &ops)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file)
            .spawn()
            .expect("the binary runs");
        let mut role = Self { name, child, ops, log };
        let deadline = Instant::now() + Duration::from_mins(2);
        while get(&role.ops, "/readyz").is_none_or(|(status, _)| status != 200) {
            let ended = role.child.try_wait().expect("it can be asked");
            assert!(ended.is_none() && Instant::now() < deadline, "{name}: {}", role.said());
            std::thread::park_timeout(Duration::from_millis(100));
        }
        role
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// It ends in order, and was never refused anything.
    fn stop(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let code = self.child.wait().expect("it ends").code();
        assert_eq!(code, Some(0), "{}: {}", self.name, self.said());
        assert!(!self.said().contains("permission denied"), "{}: {}", self.name, self.said());
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // One that ended already cannot be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn config(folder: &Path, login: &str) -> String {
    folder.join(format!("{login}.toml")).to_string_lossy().into_owned()
}

/// Writes the configuration of each login, and its password.
fn configure(folder: &Path, server: &Server, (brokers, topic): (&str, &str), gateway: &str, audit: &str) {
    let data = server.folder.0.join("data");
    let pid_file = fs::read_to_string(data.join("postgres/postmaster.pid")).expect("the cluster runs");
    let line = |nth: usize| pid_file.lines().nth(nth).expect("a line of postmaster.pid");
    let passwords = folder.join("passwords");
    fs::create_dir(&passwords).expect("a folder can be made");
    let write = |name: &str, user: &str, password: &Path| {
        let text = format!(
            "[data]\ndir = '{0}'\nmaster_key_file = '{1}'\n[postgres]\nhost = '{2}'\nport = {3}\nuser = '{user}'\npassword_file = '{4}'\n\
             [kafka]\nbrokers = '{brokers}'\ntopic = '{topic}'\ngroup = '{topic}'\nsession_wait = '6s'\n\
             [gateway]\nlisten = '{gateway}'\n[audit]\nlisten = '{audit}'\n[relay]\ntopic = '{topic}-notices'\n[rulebook]\ndir = '{5}'\n",
            folder.join("none").display(),
            data.join("master.key").display(),
            line(4),
            line(3),
            password.display(),
            root().join("deploy/rulebook").display()
        );
        fs::write(config(folder, name), text).expect("a configuration can be written");
    };
    write("migrate", "hotline", &data.join("postgres.password"));
    for login in LOGINS {
        let password = passwords.join(format!("hotline_{login}"));
        fs::write(&password, format!("password of {login}\n")).expect("a password can be written");
        write(login, &format!("hotline_{login}"), &password);
    }
}

#[test]
fn every_role_works_under_its_own_login_and_may_do_no_more() {
    let Some(brokers) = brokers() else { return };
    let topic = format!("hotline.logins.{}", std::process::id());
    // Its private cluster is the server of one's own; beside it runs its gateway, to which nobody sends anything.
    let server = server("logins-server", &root().join("deploy/rulebook"), &brokers, &topic, 2);
    let (folder, gateway, audit) = (Folder::new("logins"), free_address(), free_address());
    configure(&folder.0, &server, (&brokers, &topic), &gateway, &audit);
    let passwords = folder.0.join("passwords").to_string_lossy().into_owned();
    let migrate = config(&folder.0, "migrate");
    let roles =
        ["--config", &migrate, "migrate", "--roles", "--password-files", &passwords, "--partitions", "2"];
    let said = text(&roles);
    assert!(said.contains("hotline_owner owns the tables"), "{said}");
    assert!(said.contains("logins made: hotline_gateway, ") && said.contains("\nnext: "), "{said}");
    let again = text(&roles);
    assert!(again.contains("logins that were there already and were kept: hotline_gateway, "), "{again}");
    assert!(again.contains("passwords set from their files: hotline_gateway, "), "{again}");
    let operator = |args: &[&str]| text(&[&["--config", &config(&folder.0, "operator")], args].concat());

    // A role that is pointed at another's login says what is missing, at once.
    let wrong = run(&["--config", &config(&folder.0, "rates"), "casework"]);
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && why.contains("hotline_rates may not do what it must"), "{why}");
    assert!(why.contains("INSERT on ledger"), "{why}");

    let running: Vec<Role> = LOGINS[..6].iter().map(|name| Role::start(name, &folder.0)).collect();
    let sample = root().join("deploy/sample/events.ndjson").to_string_lossy().into_owned();
    let sent = run(&["send", "--to", &format!("http://{gateway}"), &sample]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let events = fs::read_to_string(&sample).expect("the sample is there").lines().count();
    wait_for(&server, i64::try_from(events).expect("a small sample"));
    let bulletin = operator(&["bulletin", "--rate", RATES, "--by", "department", "--period", PERIOD]);
    let expect = replay(&root().join("deploy/rulebook"), RATES, PERIOD, "2027-06-01T00:00:00+08:00", &sample);
    assert_eq!(bulletin, expect);
    // What the gateway shows, under the gateway's login.
    for path in [
        "/duty",
        "/v1/rates?rate=signing&period=2026-08-01..2026-11-01",
        "/v1/departments/HL12345/feed",
        "/v1/dead-letters",
        "/v1/dead-letters/groups",
        "/v1/sources",
    ] {
        let (status, answer) = get(&gateway, path).expect("it answers");
        assert_eq!(status, 200, "{path}: {answer}");
    }
    // What the role audit shows auditors, under its own.
    for path in [
        "/v1/closures",
        "/v1/audit/exclusions",
        "/v1/audit/sample?seed=2026&size=5",
        "/v1/access",
        "/log/checkpoint",
        "/log/rulebooks",
    ] {
        let (status, answer) = get(&audit, path).expect("it answers");
        assert_eq!(status, 200, "{path}: {answer}");
    }
    // The operator's commands, each under the operator's login.
    let inside = |name: &str| folder.0.join(name).to_string_lossy().into_owned();
    let (backup, bundle, mirror) = (inside("backup"), inside("bundle"), inside("mirror"));
    for args in [
        &["tallies", "check"][..],
        &["tallies", "repair"],
        &["bulletin", "publish", "--form", "12345-monthly", "--period", "2026-09", "--why", "a test"],
        &["dead-letters", "groups"],
        &["sources", "pause", "/hotline/sample/12345", "--why", "a test"],
        &["sources", "resume", "/hotline/sample/12345", "--why", "a test"],
        &["partitions", "list"],
        &["notices", "receivers"],
        &["alarms", "list"],
        &["rulebook", "activate", &root().join("deploy/rulebook").to_string_lossy()],
        &["backup", &backup],
        &["erase", "--closed-before", "2027-01-01", "--why", "a test"],
        &["retention", "plan"],
        &["retention", "apply", "--why", "a test"],
        &["token", "create", "--name", "an auditor", "--role", "auditor"],
        &["token", "list"],
        &["token", "revoke", "--name", "an auditor"],
        &["audit", "key"],
        &["audit", "check"],
        &["audit", "export-bundle", "--since", "2020-01-01T00:00:00Z", &bundle],
        &["audit", "mirror", "--database", &mirror],
    ] {
        operator(args);
    }
    let doctor = run(&["--config", &config(&folder.0, "operator"), "doctor", "--lang", "en"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("7 logins have the rights that their roles need, and no more"), "{said}");
    for role in running {
        role.stop();
    }
    operator(&["audit", "relog", "--reason", "a test"]);
}
