//! Erasing persons: what is gone, what stays, and what somebody with the files and the master key can still open.

use std::collections::BTreeSet;

use hotline_events::closure::{self, Destroyed, ReadRecord};
use serde_json::json;
use smol_str::SmolStr;
use sqlx::Row as _;

use super::privacy::held;
use super::{Bench, NOW, at, codes, event};
use crate::erasures::{self, Erased};
use crate::error::Error;
use crate::grants::Role;
use crate::interventions::By;
use crate::pool::run_tx;
use crate::testing::{TestDatabase, count, directory, execute, texts};
use crate::{CaseWriter, dead_letters, personal};

fn by() -> By<'static> {
    By { operator: "tester", why: "asked for", at: at(NOW) }
}

/// As the operator does it: with the rights of that login.
async fn erase(database: &TestDatabase, cases: &[&str]) -> Erased {
    let mut asked = cases.iter().copied().map(SmolStr::from).collect::<Vec<_>>();
    run_tx(&database.login(Role::Operator), "test", &mut asked, |tx, cases| {
        Box::pin(async move { erasures::erase(tx, cases, &by()).await })
    })
    .await
    .unwrap()
}

async fn rewrite(database: &TestDatabase) {
    run_tx(&database.login(Role::Operator), "test", &mut (), |tx, ()| {
        Box::pin(async move { erasures::rewrite(tx, &by()).await })
    })
    .await
    .unwrap();
}

fn received(id: &str, case: &str, more: &str) -> serde_json::Value {
    let data = json!({ "case_type": "complaint", "content": format!("words of {case} {more}") });
    event(id, case, "received", "2026-03-02T00:10:00Z", &data)
}

/// Two cases, each with a letter, and a letter of no known case that names the first.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let writer = CaseWriter::new(bench.database.login(Role::Casework), bench.writer.master().clone());
    let bench = Bench { writer, ..bench };
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut faulty = received("e9", "20260001", "faulty");
    faulty["time"] = json!("no time");
    let events = [
        received("e1", "20260001", ""),
        received("e1", "20260001", "again"),
        received("e2", "20260002", ""),
        received("e2", "20260002", "again"),
        faulty,
    ];
    let applied = bench.apply(&mut claim, events.iter().map(|event| bench.record(event)).collect()).await;
    assert_eq!(codes(&applied), ["applied", "id_conflict", "applied", "id_conflict", "invalid"]);
    bench
}

#[tokio::test]
async fn a_person_is_gone_and_everybody_else_stays() {
    let bench = bench().await;
    let erased = erase(&bench.database, &["12345:20260001"]).await;
    assert_eq!(erased, Erased { cases: 1, keys: 1, parts: 1, letters: 1 });
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let master = bench.writer.master();
    let opened = personal::open(&mut tx, master, "12345:20260001").await;
    assert!(matches!(opened, Err(Error::Erased { .. })));
    assert_eq!(personal::open(&mut tx, master, "12345:20260002").await.unwrap().len(), 1);

    // A letter that was refused for its form is found by the name in it.
    let cases: BTreeSet<SmolStr> = ["12345:20260001".into()].into();
    assert_eq!(erasures::unplaced(&mut tx, master, &cases, None).await.unwrap(), 1);
    assert_eq!(erasures::unplaced(&mut tx, master, &cases, Some(&by())).await.unwrap(), 1);
    assert_eq!(erasures::unplaced(&mut tx, master, &cases, Some(&by())).await.unwrap(), 0);
    let letters =
        texts(&mut tx, "SELECT state || ' ' || (sealed = '')::text FROM dead_letters ORDER BY id").await;
    assert_eq!(letters, ["erased true", "open false", "erased true"]);
    let shown = dead_letters::show(&mut tx, master, 1).await.unwrap().unwrap();
    assert!(shown.1.expose().is_empty(), "it is shown, without bytes");
    let again = bench.second().redrive_letters(&bench.tagger, &[1], Some(by())).await;
    assert_eq!(again.map_err(|error| error.code()), Err("letter_not_open"));

    // It is known who did it, and the log says that it was done, and nothing of whom.
    let noted =
        texts(&mut tx, "SELECT subject || ' ' || step || ' ' || operator || ' ' || why FROM interventions")
            .await;
    assert_eq!(noted, ["12345:20260001 erased tester asked for"]);
    let leaf: Vec<u8> = sqlx::query_scalar("SELECT leaf FROM closure_records WHERE kind = 'erased'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let Ok(ReadRecord::Erased(record)) = closure::read(&leaf) else { panic!("it is one") };
    assert_eq!((record.case.as_str(), record.after), ("12345:20260001", 0));
    assert_eq!(record.destroyed, Destroyed { keys: 1, parts: 1, letters: 1 });
    assert_eq!(record.personal.count, 1);
    let said = String::from_utf8(leaf).unwrap();
    assert!(!said.contains("asked for") && !said.contains("words of"), "{said}");
    assert_eq!(count(&mut tx, "SELECT count(*) FROM ledger").await, 2, "the ledger names nobody and stays");
}

#[tokio::test]
async fn more_of_whom_was_erased_is_taken_in_under_a_new_key_and_noted_once() {
    let bench = bench().await;
    erase(&bench.database, &["12345:20260001"]).await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    for id in ["e3", "e4"] {
        let data = json!({ "content": "more words" });
        let more = event(id, "20260001", "supplemented", "2026-03-02T00:20:00Z", &data);
        let applied = bench.apply(&mut claim, vec![bench.record(&more)]).await;
        assert_eq!(codes(&applied), ["applied"]);
    }
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let opened = personal::open(&mut tx, bench.writer.master(), "12345:20260001").await.unwrap();
    assert_eq!(opened.len(), 2, "what came later, and only that");
    let noted = texts(&mut tx, "SELECT step || ' ' || operator FROM interventions ORDER BY id").await;
    assert_eq!(noted, ["erased tester", "sealed_after_erasure hotline"]);
    let erased = erase(&bench.database, &["12345:20260001"]).await;
    assert_eq!((erased.keys, erased.parts), (1, 2), "it is erased again when somebody says so");
}

#[tokio::test]
async fn with_the_files_and_the_master_key_nothing_can_be_opened_any_more() {
    let bench = bench().await;
    let mut tx = bench.database.pool.acquire().await.unwrap();
    // What an attacker needs: the wrapped key of the case, and the salt with which each letter begins.
    let rows = sqlx::query(
        "SELECT wrapped FROM personal_keys WHERE owner = '12345:20260001'
         UNION ALL SELECT substring(sealed FOR 16) FROM dead_letters WHERE case_id = '12345:20260001' OR case_id IS NULL",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let needles: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(needles.len(), 3);
    let database =
        count(&mut tx, "SELECT oid::bigint FROM pg_database WHERE datname = current_database()").await;
    let in_tables = || held(&directory().join(format!("data/base/{database}")), &needles);
    execute(&mut tx, "CHECKPOINT").await;
    assert_eq!(in_tables(), [0, 1, 2], "the search finds what is there");
    let cases: BTreeSet<SmolStr> = ["12345:20260001".into()].into();
    erase(&bench.database, &["12345:20260001"]).await;
    erasures::unplaced(&mut tx, bench.writer.master(), &cases, Some(&by())).await.unwrap();
    assert_eq!(erasures::standing(&mut tx).await.unwrap(), (1, false));
    execute(&mut tx, "CHECKPOINT").await;
    assert_eq!(in_tables(), [0, 1, 2], "a deleted row stays in its file");

    rewrite(&bench.database).await;
    execute(&mut tx, "CHECKPOINT").await;
    assert_eq!(in_tables(), [0; 0]);
    assert_eq!(erasures::standing(&mut tx).await.unwrap(), (1, true));
    assert_eq!(personal::open(&mut tx, bench.writer.master(), "12345:20260002").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_snapshot_from_before_is_an_onlooker_until_it_ends() {
    let bench = bench().await;
    let mut old = bench.database.pool.begin().await.unwrap();
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *old).await.unwrap();
    assert_eq!(count(&mut old, "SELECT count(*) FROM personal_keys").await, 2);
    erase(&bench.database, &["12345:20260001"]).await;
    let onlookers = async || {
        let mut tx = bench.database.login(Role::Operator).acquire().await.unwrap();
        erasures::onlookers(&mut tx).await.unwrap()
    };
    let before = onlookers().await;
    assert_eq!(before.len(), 1);
    old.rollback().await.unwrap();
    assert_eq!(onlookers().await.intersection(&before).count(), 0);
}

#[tokio::test]
async fn what_is_old_enough_is_walked_through_once() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let closed = event(
        "e5",
        "20260001",
        "closed",
        "2026-03-02T00:30:00Z",
        &json!({ "department": "HL", "outcome": "done" }),
    );
    bench.apply(&mut claim, vec![bench.record(&closed)]).await;
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let filter = |day: &str, class: Option<&str>| erasures::Filter {
        closed_before: at(day),
        class: class.map(str::to_owned),
    };
    let of = async |filter: erasures::Filter| {
        let mut tx = bench.database.login(Role::Operator).acquire().await.unwrap();
        (
            erasures::count(&mut tx, &filter).await.unwrap(),
            erasures::page(&mut tx, &filter, "").await.unwrap(),
        )
    };
    assert_eq!(of(filter("2026-03-01T00:00:00Z", None)).await, (0, vec![]));
    assert_eq!(of(filter("2026-04-01T00:00:00Z", Some("none"))).await, (0, vec![]));
    let found = of(filter("2026-04-01T00:00:00Z", None)).await;
    assert_eq!(found, (1, vec![SmolStr::from("12345:20260001")]), "the open case is not among them");
    erase(&bench.database, &["12345:20260001"]).await;
    assert_eq!(of(filter("2026-04-01T00:00:00Z", None)).await, (0, vec![]));
    let asked = ["12345:20260002".into(), "12345:20260003".into()];
    assert_eq!(erasures::unknown(&mut tx, &asked).await.unwrap(), ["12345:20260003"]);
}
