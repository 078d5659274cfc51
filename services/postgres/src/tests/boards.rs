//! What boards read: lists of open cases, each word of them explained.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{Bench, NOW, at, event, received};
use crate::testing::texts;

const LATER: &str = "2026-03-05T01:00:00Z";

/// Type, time, data.
type Step<'s> = (&'s str, &'s str, Value);

/// Cases received at 08:10 on Monday, 2 March: five working days end with Monday, the 9th.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let d1 = || json!({ "department": "D1" });
    let steps: [(&str, &[Step<'_>]); 9] = [
        ("new", &[]),
        ("sent", &[("dispatched", "2026-03-02T00:11:00Z", d1())]),
        (
            "asked",
            &[
                ("dispatched", "2026-03-02T00:11:00Z", d1()),
                ("return_requested", "2026-03-03T00:00:00Z", d1()),
            ],
        ),
        ("back", &[("dispatched", "2026-03-02T00:11:00Z", d1()), ("returned", "2026-03-03T02:00:00Z", d1())]),
        (
            "longer",
            &[
                ("dispatched", "2026-03-02T00:11:00Z", d1()),
                (
                    "extension_requested",
                    "2026-03-03T00:00:00Z",
                    json!({ "stage": "close", "limit": 5, "unit": "working_day" }),
                ),
            ],
        ),
        (
            "held",
            &[
                ("dispatched", "2026-03-02T00:11:00Z", d1()),
                (
                    "held",
                    "2026-03-03T00:00:00Z",
                    json!({ "reason": "inspection", "until": "2026-03-06T00:00:00Z" }),
                ),
            ],
        ),
        (
            "submitted",
            &[("dispatched", "2026-03-02T00:11:00Z", d1()), ("submitted", "2026-03-04T00:00:00Z", d1())],
        ),
        (
            "late",
            &[("dispatched", "2026-03-02T00:11:00Z", d1()), ("urged", "2026-03-02T00:20:00Z", json!({}))],
        ),
        ("closed", &[("dispatched", "2026-03-02T00:11:00Z", d1()), ("closed", "2026-03-03T00:10:00Z", d1())]),
    ];
    let mut records = Vec::new();
    for (case, steps) in steps {
        let tagged =
            json!({ "case_type": "complaint", "reporter_tag": if case.len() < 5 { "a1" } else { "b2" } });
        records.push(bench.record(&event("e0", case, "received", "2026-03-02T00:10:00Z", &tagged)));
        for (n, (kind, time, data)) in steps.iter().enumerate() {
            let id = format!("e{}", n + 1);
            let received_at = if *kind == "urged" { LATER } else { time };
            records.push(bench.record_at(&event(&id, case, kind, time, data), received_at));
        }
    }
    let applied = bench.apply(&mut claim, records).await;
    assert_eq!(applied.counts.dead, 0, "{applied:?}");
    bench
}

/// The cases on a list as of an instant, without their hotline.
async fn list(bench: &Bench, view: &str, as_of: &str) -> String {
    let mut connection = bench.database.pool.acquire().await.unwrap();
    let set = format!("SET hotline.as_of = '{as_of}'");
    sqlx::query(AssertSqlSafe(set)).execute(&mut *connection).await.unwrap();
    let sql = format!("SELECT string_agg(substr(case_id, 7), ' ' ORDER BY case_id) FROM board.{view}");
    let list: Option<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.unwrap();
    sqlx::query("RESET hotline.as_of").execute(&mut *connection).await.unwrap();
    list.unwrap_or_default()
}

#[tokio::test]
async fn every_list_holds_the_cases_that_wait_for_it() {
    let bench = bench().await;
    for (view, expect) in [
        ("undispatched", "back new"),
        ("returned", "asked back"),
        ("extension_waiting", "longer"),
        ("parked", "held"),
        ("waiting_for_review", "submitted"),
        ("backdated", "late"),
        ("due_today", ""),
        ("overdue", ""),
        ("unsigned", ""),
    ] {
        assert_eq!(list(&bench, view, LATER).await, expect, "{view}");
    }
    assert_eq!(list(&bench, "parked", "2026-03-06T00:00:00Z").await, "", "it is over");
    let running = "asked back held late longer new sent";
    assert_eq!(
        list(&bench, "due_today", "2026-03-09T08:00:00Z").await,
        running,
        "until midnight in Shanghai"
    );
    assert_eq!(list(&bench, "near_due", "2026-03-08T15:59:59Z").await, "");
    assert_eq!(list(&bench, "near_due", "2026-03-08T16:00:00Z").await, running);
    assert_eq!(list(&bench, "due_today", "2026-03-09T16:00:00Z").await, "");
    assert_eq!(list(&bench, "overdue", "2026-03-09T16:00:00Z").await, running);
    let counts: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT sum(open)::bigint, sum(undispatched)::bigint, sum(waiting_for_review)::bigint, sum(return_asked)::bigint,
                sum(to_dispatch_again)::bigint FROM board.worklist_counts",
    )
    .fetch_one(&bench.database.pool)
    .await
    .unwrap();
    assert_eq!(counts, (8, 2, 1, 1, 1));
    let aged = "SELECT sum(cases)::bigint FROM board.backlog_by_age WHERE age = '>60 d'";
    assert_eq!(bench.count(aged).await, 8, "in the year in which this runs they are old");
}

#[tokio::test]
async fn repeat_callers_are_told_by_their_tag() {
    let bench = bench().await;
    let mut connection = bench.database.pool.acquire().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("SET hotline.as_of = '{LATER}'")))
        .execute(&mut *connection)
        .await
        .unwrap();
    let callers = "SELECT reporter || ' ' || cases || ' ' || open || ' ' || array_to_string(departments, ',')
                     FROM board.repeat_callers ORDER BY 1";
    assert_eq!(texts(&mut connection, callers).await, ["a1 5 5 -,D1", "b2 4 3 D1"]);
    sqlx::query("RESET hotline.as_of").execute(&mut *connection).await.unwrap();
}

#[tokio::test]
async fn a_refold_fills_what_an_older_program_did_not_know() {
    let bench = bench().await;
    let waits = "SELECT case_id || ' ' || coalesce(waits::text, '-') FROM cases ORDER BY 1";
    let mut connection = bench.database.pool.acquire().await.unwrap();
    let before = texts(&mut connection, waits).await;
    bench.execute("UPDATE cases SET waits = NULL, backdated_at = NULL, reporter_tag = NULL, fold_version = fold_version - 1").await;
    assert_eq!(bench.writer.refold_step(at(NOW), 100).await.unwrap().cases, 9);
    assert_eq!(texts(&mut connection, waits).await, before);
    assert_eq!(bench.count("SELECT count(*) FROM cases WHERE backdated_at IS NOT NULL").await, 1);
    assert_eq!(bench.count("SELECT count(reporter_tag) FROM cases").await, 9);
    assert_eq!(bench.count("SELECT count(*) FROM restatements").await, 0, "nothing that counts has changed");
}

#[tokio::test]
async fn every_view_and_column_of_a_board_says_what_it_is() {
    let bench = Bench::new().await;
    let mut connection = bench.database.pool.acquire().await.unwrap();
    let mute = "SELECT relname || coalesce('.' || attname, '') FROM pg_class
                  LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
                 WHERE relnamespace = 'board'::regnamespace AND relkind = 'v'
                   AND (obj_description(pg_class.oid) IS NULL OR col_description(pg_class.oid, attnum) IS NULL) ORDER BY 1";
    assert_eq!(texts(&mut connection, mute).await, [""; 0]);
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    let stamp: (i64, bool, i64) =
        sqlx::query_as("SELECT rulebook_seq, fold_pending, records FROM board.record_stamp")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    assert_eq!(stamp, (1, true, 1), "nobody has gone over all cases yet");
}
