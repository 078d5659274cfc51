//! Requests through the role, on a real PostgreSQL that is not always there.

use std::sync::Arc;
use std::time::Duration;

use hotline_core::rulebook::{Files, load};
use hotline_events::intake::{Outcome, Reason, Record, RecordContent};
use hotline_events::{Event, Keep, Tagger, decode};
use hotline_postgres::grants::Role;
use hotline_postgres::handover::{Handover, Refusal, Reply, channel};
use hotline_postgres::testing::TestDatabase;
use hotline_postgres::{CaseWriter, MasterKey, PoolConfig, pool, run_snapshot_tx, tallies};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{CaseworkConfig, Clock, Intake, RunError};

const NOW: &str = "2026-03-02T01:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn files() -> Files {
    let text = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    [
        text("rulebook.toml", "name = \"tests\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        text(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-12-25\n",
        ),
        text(
            "policies/close.toml",
            "[[policy]]\nid = \"close\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\" }\nstage = \"close\"\nstart = \"received\"\nstop = [\"closed\"]\nlimit = 5\nunit = \"working_day\"\nclosure = true\nbasis = \"article 1\"\n",
        ),
        text(
            "routing/all.csv",
            "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\nfallback,12345,,,,,HL,0,,\n",
        ),
        text(
            "sources/city.toml",
            "[[source]]\nid = \"/hotline/12345\"\nhotline = \"12345\"\nname = \"city\"\ndispatch = \"hotline\"\ntrusted_before = 2026-03-01T00:00:00Z\n",
        ),
        text(
            "hotlines.toml",
            "[[hotline]]\ncode = \"12345\"\nname_zh = \"12345热线\"\nname_en = \"Hotline 12345\"\noffice = \"HL\"\n",
        ),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\n",
        ),
    ]
    .into()
}

/// The role at work.
struct Bench {
    database: TestDatabase,
    tagger: Tagger,
    sender: mpsc::Sender<Handover>,
    stop: CancellationToken,
    role: JoinHandle<Result<(), RunError>>,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let master = MasterKey::new([9; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let mut config = PoolConfig::new(
            database.connect.clone().username(&Role::Casework.login()).application_name("role"),
        );
        config.acquire_for = Duration::from_secs(5);
        let writer = Arc::new(CaseWriter::new(pool(&config), master));
        writer.prepare(now()).await.unwrap();
        let files = files();
        let rulebook = load(&files).unwrap().rulebook;
        writer.activate(&files, &rulebook, false, now()).await.unwrap();
        let (sender, receiver) = channel();
        let stop = CancellationToken::new();
        let clock: Clock = Arc::new(now);
        let role = tokio::spawn(crate::run(
            writer,
            CaseworkConfig::default(),
            clock,
            Intake::Handovers(receiver),
            stop.clone(),
        ));
        Self { database, tagger, sender, stop, role }
    }

    fn record(&self, id: &str, case: &str) -> Record {
        let event = json!({
            "specversion": "1.0", "type": "hotline.case.received.v1", "source": "/hotline/12345", "id": id,
            "subject": format!("12345:{case}"), "time": "2026-03-02T00:10:00Z",
            "data": { "case_type": "complaint", "content": "words" },
        });
        let raw = event.to_string().into_bytes();
        let event = decode(&raw, &self.tagger, Keep::All).unwrap();
        Record { raw, received_at: now(), offset: None, content: RecordContent::Events(vec![event]) }
    }

    async fn hand_over(&self, records: Vec<Record>) -> oneshot::Receiver<Result<Reply, Refusal>> {
        let (reply, receiver) = oneshot::channel();
        self.sender.send(Handover { records, reply }).await.unwrap();
        receiver
    }

    async fn send(&self, records: Vec<Record>) -> Result<Reply, Refusal> {
        self.hand_over(records).await.await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut connection = self.database.pool.acquire().await.unwrap();
        hotline_postgres::testing::count(&mut connection, sql).await
    }
}

#[tokio::test]
async fn requests_share_a_transaction_and_each_gets_its_own_answer() {
    let bench = Bench::new().await;
    let mut replies = Vec::new();
    for n in 0..20 {
        let case = n.to_string();
        replies.push(bench.hand_over(vec![bench.record("e", &case), bench.record("e", &case)]).await);
    }
    for reply in replies {
        let outcomes = reply.await.unwrap().unwrap().outcomes;
        assert_eq!(outcomes, [[Outcome::Applied], [Outcome::Duplicate]]);
    }
    assert_eq!(bench.count("SELECT next_offset FROM positions WHERE origin = 'http'").await, 40);
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 20);
    bench.stop.cancel();
    bench.role.await.unwrap().unwrap();
    let (reply, _receiver) = oneshot::channel();
    let refused = bench.sender.send(Handover { records: Vec::new(), reply }).await;
    assert!(refused.is_err(), "nothing is taken that will not be answered");
}

#[tokio::test]
async fn one_record_that_the_database_refuses_is_put_aside_and_the_others_go_on() {
    let bench = Bench::new().await;
    let mut poisoned = bench.record("e5", "5");
    if let RecordContent::Events(events) = &mut poisoned.content
        && let Event::Case(case) = &mut events[0]
    {
        case.id = "no text of PostgreSQL holds this: \0".into();
    }
    let mut records: Vec<Record> = (0..10).map(|n| bench.record("e", &n.to_string())).collect();
    records[5] = poisoned;
    let outcomes = bench.send(records).await.unwrap().outcomes;
    for (n, outcome) in outcomes.iter().enumerate() {
        let dead = Outcome::Dead { reason: Reason::InternalError, faults: Vec::new() };
        assert_eq!(*outcome, [if n == 5 { dead } else { Outcome::Applied }], "record {n}");
    }
    assert_eq!(bench.count("SELECT count(*) FROM dead_letters WHERE reason = 'internal_error'").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_is_stored_once_though_connections_die() {
    const REQUESTS: usize = 150;
    let bench = Arc::new(Bench::new().await);
    let kills = {
        let bench = Arc::clone(&bench);
        async move {
            // Sometimes in the middle of a statement, sometimes long enough for a whole batch on a busy machine.
            for nth in 0_u64.. {
                let killed = bench
                    .count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'role' AND datname = current_database()")
                    .await;
                assert!(killed >= 0);
                tokio::time::sleep(Duration::from_millis(5 + nth * 7 % 90)).await;
            }
        }
    };
    let sends = async {
        let mut refused = 0;
        for n in 0..REQUESTS {
            let case = (n % 10).to_string();
            let mut tries = 0;
            while let Err(refusal) = bench.send(vec![bench.record(&format!("e{n}"), &case)]).await {
                assert_eq!(refusal, Refusal::Unavailable);
                refused += 1;
                tries += 1;
                assert!(tries < 100, "the role does not come back");
            }
        }
        refused
    };
    let refused = tokio::select! {
        refused = sends => refused,
        () = kills => unreachable!("it goes on until it is dropped"),
    };
    assert_eq!(bench.count("SELECT count(*) FROM ledger").await, i64::try_from(REQUESTS).unwrap());
    assert_eq!(
        bench.count("SELECT applied FROM positions WHERE origin = 'http'").await,
        i64::try_from(REQUESTS).unwrap()
    );
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 10);
    let differences =
        run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::check(tx)))
            .await
            .unwrap();
    assert_eq!(differences, []);
    // Duplicates are those requests whose commit was found only by sending again.
    let duplicate = bench.count("SELECT duplicate FROM positions WHERE origin = 'http'").await;
    assert!(duplicate <= refused, "{duplicate} of {refused}");
}
