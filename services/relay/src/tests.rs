//! The role on a real database and real sockets: what a receiver sees when it is away, refuses, or is told twice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use hotline_core::fact::EventKey;
use hotline_events::notice::{Notice, NoticeKind};
use hotline_postgres::grants::Role;
use hotline_postgres::testing::TestDatabase;
use hotline_postgres::{deliveries, notices, run_tx};
use hotline_runtime::clock;
use hotline_runtime::config::Section as _;
use hotline_runtime::webhook::{ID, SIGNATURE, Secret, TIMESTAMP};

use super::*;

/// A case over whose notices a server fails.
const POISON: &str = "12345:poison";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// A request, as a receiver sees it.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    id: String,
    body: String,
    is_signed: bool,
}

/// A receiver that answers what it is told to.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<Vec<(u16, &'static str)>>>,
}

impl Server {
    /// Gives these answers, then 200.
    fn start(answers: &[(u16, &'static str)], otherwise: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.iter().rev().copied().collect::<Vec<_>>()));
        let (kept, to_give) = (Arc::clone(&seen), Arc::clone(&answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, to_give) = (Arc::clone(&kept), Arc::clone(&to_give));
                std::thread::spawn(move || serve(stream.unwrap(), &kept, &to_give, otherwise));
            }
        });
        Self { address, seen, answers }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

fn serve(
    mut stream: std::net::TcpStream,
    kept: &Mutex<Vec<Seen>>,
    to_give: &Mutex<Vec<(u16, &'static str)>>,
    otherwise: &'static str,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim_end().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let found = lines.iter().find_map(|line| {
                let (known, value) = line.split_once(": ")?;
                known.eq_ignore_ascii_case(name).then(|| value.to_owned())
            });
            found.unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let signature = Secret::parse(SECRET).unwrap().sign(
            &header(ID),
            header(TIMESTAMP).parse().unwrap_or_default(),
            &body,
        );
        let body = String::from_utf8(body).unwrap();
        let fails = body.contains(POISON);
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
            path: lines[0].clone(),
            id: header(ID),
            body,
            is_signed: header(SIGNATURE) == signature,
        });
        let given = to_give.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (status, answer) = given.unwrap_or((if fails { 500 } else { 200 }, otherwise));
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).unwrap();
    }
}

fn config(format: Format, server: &Server, dir: &std::path::Path) -> RelayConfig {
    let secret_file = dir.join("secret");
    std::fs::write(&secret_file, if format == Format::Dingtalk { "SECtest" } else { SECRET }).unwrap();
    let webhook = WebhookConfig {
        name: "district".to_owned(),
        url: server.url(),
        format,
        secret_file: (format != Format::Wecom).then_some(secret_file),
        key_file: None,
        departments: Vec::new(),
        levels: Vec::new(),
        template: None,
        allow_private: true,
    };
    let config = RelayConfig {
        look_every: Duration::from_millis(20),
        webhooks: vec![webhook],
        ..RelayConfig::default()
    };
    assert_eq!(config.faults(), Vec::<String>::new());
    config
}

#[test]
fn the_key_of_a_robot_is_not_printed() {
    let server = Server::start(&[], "");
    let mut config = config(Format::Wecom, &server, &directory());
    config.webhooks[0].url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=sekret".to_owned();
    let shown = serde_json::to_string(&config).unwrap();
    assert!(shown.contains("/send?***") && !shown.contains("sekret"), "{shown}");
}

fn directory() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("hotline-relay-{}-{nth}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn notice(case: &str, nth: usize, department: &str) -> Notice {
    let id = EventKey::of(case, &nth.to_string());
    let event = serde_json::json!({
        "id": id.to_string(), "subject": case,
        "data": { "department": department, "level": "breach", "stage": "close", "due_at": "2026-03-09T16:00:00Z" },
    });
    Notice { id, kind: NoticeKind::Raised, case: case.into(), department: department.into(), event }
}

async fn write(database: &TestDatabase, notices: &[Notice]) {
    let mut asked = (notices, clock::now());
    run_tx(&database.pool, "test", &mut asked, |tx, (notices, now)| {
        Box::pin(notices::append(tx, notices, *now))
    })
    .await
    .unwrap();
}

async fn standing(database: &TestDatabase) -> deliveries::Receiver {
    let all = run_tx(&database.pool, "test", &mut (), |tx, ()| Box::pin(deliveries::list(tx))).await.unwrap();
    all.into_iter().next().expect("somebody is told")
}

/// Runs the role until something is true of a receiver.
async fn until(database: &TestDatabase, config: &RelayConfig, mut is_done: impl FnMut() -> bool) {
    let stop = CancellationToken::new();
    let parts = Parts { pool: database.login(Role::Relay), topic: None, now: clock::now };
    let running = tokio::spawn(run(config.clone(), parts, stop.clone()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_done() {
        assert!(tokio::time::Instant::now() < deadline, "it takes too long");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What was answered last is noted too.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// A receiver begins with what comes after it was configured.
async fn begin(database: &TestDatabase, config: &RelayConfig) {
    let now = std::time::Instant::now();
    until(database, config, || now.elapsed() > Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_notice_is_told_signed_and_in_order_however_often_the_receiver_fails() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[(503, ""), (200, ""), (500, ""), (429, "")], "");
    let config = config(Format::Event, &server, &directory());
    begin(&database, &config).await;
    let all: Vec<Notice> = (0..40).map(|nth| notice(&format!("12345:{}", nth % 4), nth, "D1")).collect();
    write(&database, &all).await;
    let server_sees = || {
        let ids: std::collections::BTreeSet<String> = server.seen().into_iter().map(|seen| seen.id).collect();
        ids.len() == 40 && server.answers.lock().unwrap().is_empty()
    };
    until(&database, &config, server_sees).await;
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.is_signed), "{seen:?}");
    for case in 0..4 {
        // Of those that were taken the order is that of writing.
        let mut ids: Vec<String> = Vec::new();
        for one in seen.iter().filter(|seen| seen.body.contains(&format!("12345:{case}"))) {
            ids.retain(|id| *id != one.id);
            ids.push(one.id.clone());
        }
        let expect: Vec<String> =
            all.iter().filter(|n| *n.case == format!("12345:{case}")).map(|n| n.id.to_string()).collect();
        assert_eq!(ids, expect);
    }
    for one in &all {
        let bodies: Vec<&str> =
            seen.iter().filter(|seen| seen.id == one.id.to_string()).map(|seen| seen.body.as_str()).collect();
        let content = one.event.to_string();
        assert!(bodies.iter().all(|body| *body == content), "one id, one content");
    }
    let standing = standing(&database).await;
    assert_eq!((standing.number, standing.behind, standing.undelivered), (40, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_the_receiver_fails_over_holds_up_no_other_case() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[], "");
    let config = config(Format::Event, &server, &directory());
    begin(&database, &config).await;
    let others = |from: usize| (from..from + 40).map(|nth| notice(&format!("12345:{nth}"), nth, "D1"));
    let first = [notice(POISON, 1, "D1"), notice(POISON, 2, "D1")];
    write(&database, &first.iter().cloned().chain(others(0)).collect::<Vec<_>>()).await;
    let taken = || server.seen().iter().filter(|seen| !seen.body.contains(POISON)).count();
    let stop = CancellationToken::new();
    let parts = Parts { pool: database.login(Role::Relay), topic: None, now: clock::now };
    let running = tokio::spawn(run(config.clone(), parts, stop.clone()));
    for wanted in [40, 80] {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while taken() < wanted {
            assert!(tokio::time::Instant::now() < deadline, "{} of {wanted}", taken());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What is written later goes, too.
        write(&database, &others(wanted).collect::<Vec<_>>()).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    let second = first[1].id.to_string();
    assert!(server.seen().iter().all(|seen| seen.id != second), "it waits for the one before");
    assert_eq!(standing(&database).await.number, 0, "what is not settled is not passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_kept_and_sent_again_when_somebody_asks() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[(400, "")], "");
    let config = config(Format::Event, &server, &directory());
    begin(&database, &config).await;
    write(&database, &[notice("12345:1", 1, "D1"), notice("12345:1", 2, "D1")]).await;
    until(&database, &config, || server.seen().len() == 2).await;
    let before = standing(&database).await;
    assert_eq!((before.number, before.undelivered, before.why.as_deref()), (2, 1, Some("status 400")));
    let asked =
        run_tx(&database.pool, "test", &mut (), |tx, ()| Box::pin(deliveries::ask_again(tx, "district")))
            .await;
    assert_eq!(asked.unwrap(), 1);
    until(&database, &config, || server.seen().len() == 3).await;
    assert_eq!(standing(&database).await.undelivered, 0);
    assert_eq!(server.seen()[2].body, server.seen()[0].body);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_tell_a_receiver_once() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[], "");
    let config = config(Format::Event, &server, &directory());
    begin(&database, &config).await;
    let stop = CancellationToken::new();
    let parts = Parts { pool: database.login(Role::Relay), topic: None, now: clock::now };
    let second = tokio::spawn(run(config.clone(), parts, stop.clone()));
    write(&database, &(0..200).map(|nth| notice(&format!("12345:{nth}"), nth, "D1")).collect::<Vec<_>>())
        .await;
    until(&database, &config, || server.seen().len() >= 200).await;
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(server.seen().len(), 200, "nothing is told twice while nobody dies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_is_told_several_at_once_and_only_what_it_wants() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[(200, r#"{"errcode":45009}"#)], r#"{"errcode":0}"#);
    let mut config = config(Format::Dingtalk, &server, &directory());
    config.webhooks[0].departments = vec!["D1".to_owned()];
    let key_file = directory().join("robot.key");
    std::fs::write(&key_file, "to/ken\n").unwrap();
    config.webhooks[0].key_file = Some(key_file);
    assert_eq!(config.faults(), Vec::<String>::new());
    begin(&database, &config).await;
    write(&database, &[notice("12345:1", 1, "D1"), notice("12345:2", 2, "D2"), notice("12345:3", 3, "D1")])
        .await;
    until(&database, &config, || server.seen().len() == 2).await;
    let seen = server.seen();
    assert_eq!(seen[0].body, seen[1].body, "the robot was busy");
    assert!(seen[1].path.contains("?access_token=to%2Fken&timestamp=") && seen[1].path.contains("&sign="));
    let told = "**【超期】** D1 工单 12345:1 办结 期限 2026-03-09 24:00";
    assert!(seen[1].body.contains(told) && seen[1].body.contains("12345:3"), "{}", seen[1].body);
    assert!(!seen[1].body.contains("12345:2"), "another department's");
    assert_eq!(standing(&database).await.number, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_this_network_is_refused_unless_it_is_meant() {
    let database = TestDatabase::create().await;
    let server = Server::start(&[], "");
    let mut config = config(Format::Event, &server, &directory());
    config.webhooks[0].allow_private = false;
    assert_eq!(config.faults(), ["webhooks[0].url must be https, unless allow_private"]);
    config.give_up_after = Duration::ZERO;
    begin(&database, &config).await;
    write(&database, &[notice("12345:1", 1, "D1")]).await;
    let began = std::time::Instant::now();
    until(&database, &config, || began.elapsed() > Duration::from_millis(500)).await;
    assert!(server.seen().is_empty());
    let why = standing(&database).await.why.unwrap();
    assert!(why.contains("allow_private"), "{why}");
}
