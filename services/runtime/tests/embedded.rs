//! The private cluster, with the PostgreSQL of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hotline_runtime::config::EmbeddedConfig;
use hotline_runtime::database::{Connection, Host, Target};
use hotline_runtime::embedded::{self, Cluster};
use tempfile::TempDir;

/// Others may enter: as root, PostgreSQL runs as another user.
fn data_dir() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o711)).tempdir().unwrap()
}

fn config() -> EmbeddedConfig {
    EmbeddedConfig {
        shared_buffers: Some("16 MiB".into()),
        start_wait: Duration::from_mins(1),
        stop_wait: Duration::from_mins(1),
        ..EmbeddedConfig::default()
    }
}

fn psql(cluster: &Cluster, sql: &str) -> String {
    run_psql(cluster.bin_dir(), cluster.connection(), sql).unwrap()
}

fn run_psql(bin_dir: &Path, connection: &Connection, sql: &str) -> Result<String, String> {
    let Target::Server { host: Host::SocketDir(socket_dir), port, user, password, database } =
        &connection.target
    else {
        panic!("{connection:?}");
    };
    let mut command = Command::new(bin_dir.join("psql"));
    command.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h"]).arg(socket_dir);
    command.args(["-p", &port.to_string(), "-U", user, "-d", database, "-c", sql]);
    command.env("PGPASSWORD", password.as_ref().unwrap().expose());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn a_cluster_is_made_stopped_and_started_again() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    for (setting, value) in [
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("synchronous_commit", "on"),
        ("wal_compression", "lz4"),
        ("log_min_error_statement", "panic"),
    ] {
        assert_eq!(psql(&cluster, &format!("show {setting}")), value, "{setting}");
    }
    psql(&cluster, "create table kept (x int); insert into kept values (7)");
    let pid = cluster.pid();
    cluster.stop().await.unwrap();
    // Gone, or dead and not reaped by the machine's init.
    assert_eq!(fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(), b"");
    assert!(embedded::attach(&config(), dir.path()).unwrap().is_none());

    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    assert_eq!(psql(&cluster, "select x from kept"), "7");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_hotline_is_refused_but_a_command_may_attach() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    let refused = Cluster::start(&config(), dir.path()).await.unwrap_err();
    assert_eq!(refused.code(), "data_dir_in_use", "{refused}");
    let attached = embedded::attach(&config(), dir.path()).unwrap().unwrap();
    assert_eq!(&attached, cluster.connection());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_postmaster_of_a_killed_hotline_is_adopted() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    let pid = cluster.pid();
    // As after kill -9 of hotline: the lock is gone, the postmaster lives.
    drop(cluster);
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    assert_eq!(cluster.pid(), pid);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_is_noticed_and_its_cluster_recovers() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    psql(&cluster, "create table kept (x int); insert into kept values (7)");
    let watch = tokio::spawn(cluster.watch());
    kill(cluster.pid());
    let ended = tokio::time::timeout(Duration::from_secs(30), watch).await.expect("the watch ends").unwrap();
    assert_eq!(ended.code(), "cluster_ended");
    drop(cluster);
    assert!(dir.path().join("postgres/postmaster.pid").exists(), "the stale file is what this test is about");

    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    assert_eq!(psql(&cluster, "select x from kept"), "7");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_was_half_made_is_made_anew() {
    let dir = data_dir();
    fs::create_dir(dir.path().join("postgres.new")).unwrap();
    fs::write(dir.path().join("postgres.new/PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    assert_eq!(psql(&cluster, "select current_database()"), "hotline");
    cluster.stop().await.unwrap();
    assert!(!dir.path().join("postgres.new").exists());
}

#[tokio::test]
async fn no_statement_and_no_value_reaches_the_log_and_no_password_is_left_open() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    for sql in [
        "select 'canary'::int",
        "create table once (x text primary key); insert into once values ('canary'), ('canary')",
        "do $$ begin raise exception 'canary'; end $$",
        "do $$ begin raise warning 'canary'; end $$",
    ] {
        let _ = run_psql(cluster.bin_dir(), cluster.connection(), sql);
    }
    cluster.stop().await.unwrap();
    let mut logs = fs::read_to_string(dir.path().join("postgres/start.log")).unwrap();
    for entry in fs::read_dir(dir.path().join("postgres/log")).unwrap() {
        logs += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    assert!(logs.contains("database system is ready"), "{logs}");
    assert!(!logs.contains("canary"), "{logs}");
    assert!(!dir.path().join("initdb.password").exists());
    assert_eq!(
        fs::metadata(dir.path().join("postgres.password")).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_wrong_password_is_refused_on_the_socket() {
    let dir = data_dir();
    let cluster = Cluster::start(&config(), dir.path()).await.unwrap();
    let mut connection = cluster.connection().clone();
    let Target::Server { password, .. } = &mut connection.target else { panic!("a server") };
    *password = Some(hotline_runtime::Secret::new("wrong"));
    let refused = run_psql(cluster.bin_dir(), &connection, "select 1").unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
    cluster.stop().await.unwrap();
}
