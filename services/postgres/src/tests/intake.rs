//! Outcomes, dead letters, positions, the ledger.

use hotline_events::intake::{Reason, Record, RecordContent};
use serde_json::json;

use super::{Bench, at, codes, event, received};
use crate::cases::First;
use crate::error::Error;
use crate::interventions::By;
use crate::pool::{run_snapshot_tx, run_tx};
use crate::{cases, dead_letters, ledger, positions};

#[tokio::test]
async fn every_kind_of_input_has_its_outcome_and_every_record_is_counted() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut unlisted = received("u1", "1");
    unlisted["source"] = json!("/hotline/nobody");
    let other_content =
        event("e1", "1", "received", "2026-03-02T00:10:00Z", &json!({ "case_type": "praise" }));
    let far_ahead = event("f1", "1", "signed", "2026-03-03T01:00:01Z", &json!({ "department": "D1" }));
    let ahead = event("f2", "1", "urged", "2026-03-03T00:59:59Z", &json!({}));
    let mut passed_over = bench.record(&received("p1", "1"));
    passed_over.content = RecordContent::Events(Vec::new());
    let mut refused = bench.record(&received("p2", "1"));
    refused.content = RecordContent::Refused(Reason::UnknownSource);
    let records = vec![
        bench.record(&received("e1", "1")),
        bench.record(&received("e1", "1")),
        bench.record(&other_content),
        bench.record(&unlisted),
        bench.record(&far_ahead),
        bench.record(&ahead),
        bench.record(&json!({ "specversion": "1.0" })),
        passed_over,
        refused,
    ];
    let applied = bench.apply(&mut claim, records).await;
    let expected = [
        "applied",
        "duplicate",
        "id_conflict",
        "unknown_source",
        "future_dated",
        "applied",
        "invalid",
        "unknown_source",
    ];
    assert_eq!(codes(&applied), expected);
    let counts = positions::Counts { records: 9, applied: 2, duplicate: 1, ignored: 1, dead: 5, gaps: 0 };
    assert_eq!(applied.counts, counts);
    assert_eq!(claim.next_offset, 9);

    check_traces(&bench, &other_content, counts).await;
}

/// What the position and the dead letters say afterwards.
async fn check_traces(bench: &Bench, other_content: &serde_json::Value, counts: positions::Counts) {
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let position = positions::list(&mut tx).await.unwrap().pop().unwrap();
    assert_eq!((position.counts, position.last.unwrap().offset), (counts, 8));
    let letters = dead_letters::list(&mut tx, &dead_letters::Filter::default(), 0, 100).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["id_conflict", "unknown_source", "future_dated", "invalid", "unknown_source"]);
    assert!(letters[3].faults.contains(&("/type".into(), "required".into())), "{:?}", letters[3].faults);
    assert_eq!((letters[0].source.as_deref(), letters[1].source.as_deref()), (Some("/hotline/12345"), None));
    let (_, bytes) =
        dead_letters::show(&mut tx, bench.writer.master(), letters[0].id).await.unwrap().unwrap();
    assert_eq!(bytes.expose(), other_content.to_string().as_bytes());
    assert_eq!(dead_letters::groups(&mut tx).await.unwrap()[0].letters, 2);
    let by = By { operator: "tester", why: "a test", at: at(super::NOW) };
    dead_letters::discard(&mut tx, letters[0].id, &by).await.unwrap();
    let again = dead_letters::discard(&mut tx, letters[0].id, &by).await;
    assert!(matches!(again, Err(Error::LetterNotOpen { .. })));
}

#[tokio::test]
async fn a_case_that_is_too_long_still_takes_what_ends_it() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut records = vec![bench.record(&received("e0", "1"))];
    for n in 1..=1000 {
        records.push(bench.record(&event(
            &format!("e{n}"),
            "1",
            "urged",
            "2026-03-02T00:20:00Z",
            &json!({}),
        )));
    }
    let closed = event("end", "1", "closed", "2026-03-02T00:30:00Z", &json!({ "department": "D1" }));
    records.push(bench.record(&closed));
    let applied = bench.apply(&mut claim, records).await;
    let codes = codes(&applied);
    assert_eq!(codes.iter().filter(|code| **code == "applied").count(), 1001);
    assert_eq!((codes[1000], codes[1001]), ("case_too_long", "applied"));
}

#[tokio::test]
async fn the_columns_of_a_case_are_those_of_its_view() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let dispatched = event("e2", "1", "dispatched", "2026-03-02T00:11:00Z", &json!({ "department": "D1" }));
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1")), bench.record(&dispatched)]).await;
    let row: (String, String, String, String, i16, bool) = sqlx::query_as(
        "SELECT department, due_on::text, due_at::text, category[1], rounds, clocks_run FROM cases
          WHERE case_id = '12345:1' AND registered AND closed_at IS NULL AND verdict = 'open'",
    )
    .fetch_one(&bench.database.pool)
    .await
    .unwrap();
    assert_eq!((row.0.as_str(), row.1.as_str()), ("D1", "2026-03-09"));
    assert_eq!(
        (row.2.as_str(), row.3.as_str(), row.4, row.5),
        ("2026-03-09 16:00:00+00", "unclassified", 1, true)
    );
    let closed = event("e3", "1", "closed", "2026-03-02T00:30:00Z", &json!({ "department": "D2" }));
    bench.apply(&mut claim, vec![bench.record(&closed)]).await;
    let row: (String, Option<String>, String, i64) = sqlx::query_as(
        "SELECT department, due_at::text, verdict, revision FROM cases WHERE closed_at = '2026-03-02 00:30:00+00'",
    )
    .fetch_one(&bench.database.pool)
    .await
    .unwrap();
    assert_eq!(row, ("D2".into(), None, "met".into(), 2));
}

#[tokio::test]
async fn our_own_decision_is_taken_once_it_is_due_and_stands_in_the_ledger() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut opening = received("e1", "1");
    opening["source"] = json!("/hotline/plain");
    opening["time"] = json!("2026-03-02T00:50:00Z");
    bench.apply(&mut claim, vec![bench.record(&opening)]).await;
    let waiting =
        "SELECT count(*) FROM cases WHERE wake_at = '2026-03-02 01:20:00+00' AND department IS NULL";
    assert_eq!(bench.count(waiting).await, 1);
    assert_eq!(bench.writer.wake_step(at("2026-03-02T01:19:59Z"), First::Oldest, 10).await.unwrap().cases, 0);
    assert_eq!(
        bench.writer.wake_step(at("2026-03-02T01:20:00Z"), First::Oldest, 10).await.unwrap().dispatched,
        1
    );
    // Then nothing is told of it; it is marked when its clock falls due.
    let sleeps = "SELECT count(*) FROM cases WHERE wake_at = '2026-03-09 16:00:00+00' AND department = 'D2'";
    assert_eq!(bench.count(sleeps).await, 1);
    let mut page =
        run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(ledger::page(tx, 0, 9)))
            .await
            .unwrap();
    let pin = page.pop().unwrap();
    assert_eq!((page.len(), pin.received_at), (1, at("2026-03-02T01:20:00Z")));
    let record = bench.record(&serde_json::from_str(&pin.event).unwrap());
    let applied = bench.apply(&mut claim, vec![record]).await;
    assert_eq!(codes(&applied).len(), 1, "a pin is an event like any other");
    let loaded =
        run_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(cases::load(tx, &["12345:1"])))
            .await
            .unwrap();
    let facts = hotline_core::case::CaseFacts::decode(&loaded[0].facts).unwrap();
    assert_eq!(facts.count(), 2);
    assert!(facts.facts().iter().all(|fact| fact.ledger_seq > 0));
}

#[tokio::test]
async fn a_dry_run_answers_with_the_view_and_stores_nothing() {
    let bench = Bench::new().await;
    let records = vec![bench.record(&received("e1", "1"))];
    let batch = hotline_events::intake::Batch { origin: hotline_events::intake::Origin::Http, records };
    let dry = bench.writer.dry_run(&batch).await.unwrap();
    assert_eq!((dry.views.len(), dry.views[0].registered), (1, true));
    assert_eq!(dry.outcomes.concat()[0].code(), "applied");
    for table in
        ["SELECT count(*) FROM cases", "SELECT count(*) FROM ledger", "SELECT count(*) FROM positions"]
    {
        assert_eq!(bench.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn offsets_of_a_log_may_have_gaps_and_never_go_back() {
    let bench = Bench::new().await;
    let claim = bench.writer.claim("events/0").await.unwrap();
    let numbered = |id: &str, offset: i64| Record { offset: Some(offset), ..bench.record(&received(id, id)) };
    let mut moved = claim.clone();
    let applied = bench.apply(&mut moved, vec![numbered("a", 2), numbered("b", 3), numbered("c", 7)]).await;
    assert_eq!((applied.counts.gaps, moved.next_offset), (5, 8));
    let batch = |offset| hotline_events::intake::Batch {
        origin: hotline_events::intake::Origin::Partition { topic: "events".into(), partition: 0 },
        records: vec![numbered("d", offset)],
    };
    let error = bench.writer.apply(&moved, &batch(7)).await.unwrap_err();
    assert_eq!(error.code(), "offset_goes_back");
    let error = bench.writer.apply(&claim, &batch(9)).await.unwrap_err();
    assert_eq!(error.code(), "position_moved");
    bench.writer.claim("events/0").await.unwrap();
    let error = bench.writer.apply(&moved, &batch(9)).await.unwrap_err();
    assert_eq!(error.code(), "fenced");
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 3);
}

#[tokio::test]
async fn who_takes_a_claim_again_takes_it_from_nobody_else() {
    let bench = Bench::new().await;
    let lost = bench.writer.claim("http").await.unwrap();
    let again = bench.writer.reclaim(&lost, 1).await.unwrap();
    assert_eq!((again.epoch, again.next_offset), (lost.epoch + 1, lost.next_offset));
    assert_eq!(bench.writer.reclaim(&lost, 1).await.unwrap(), again, "who was not answered asks again");
    assert_eq!(bench.writer.reclaim(&lost, 2).await.unwrap_err().code(), "fenced", "that was somebody else");
    let mut rightful = bench.writer.claim("http").await.unwrap();
    assert_eq!(bench.writer.reclaim(&again, 1).await.unwrap_err().code(), "fenced");
    // The attempt has not fenced whoever owns it now.
    bench.apply(&mut rightful, vec![bench.record(&received("e1", "1"))]).await;
}

#[tokio::test]
async fn figures_are_kept_once_and_belong_to_no_case() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let figure = |value: i64| {
        json!({
            "specversion": "1.0", "type": "hotline.figure.reported.v1", "source": "/hotline/12345", "id": "f1",
            "time": "2026-03-02T00:10:00Z",
            "data": { "measure": "calls_answered", "day": "2026-03-01", "value": value, "hotline": "12345" },
        })
    };
    let records = [1, 1, 2].map(|value| bench.record(&figure(value)));
    let applied = bench.apply(&mut claim, records.into()).await;
    assert_eq!(codes(&applied), ["applied", "duplicate", "id_conflict"]);
    let applied = bench.apply(&mut claim, vec![bench.record(&figure(1))]).await;
    assert_eq!(codes(&applied), ["duplicate"]);
    assert_eq!(
        bench.count("SELECT count(*) FROM figures JOIN ledger ON seq = ledger_seq AND case_id IS NULL").await,
        1
    );
}

#[tokio::test]
async fn the_ledger_goes_to_the_partition_of_its_month() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let late = bench.record_at(&received("e2", "2"), "2027-03-02T00:00:00Z");
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1")), late]).await;
    assert_eq!(bench.count("SELECT count(*) FROM ledger_2026_03").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM ledger_default").await, 1);
    // A month that fell through the net stays there; the others are made.
    bench.writer.prepare(at("2027-02-02T00:00:00Z")).await.unwrap();
    let made = "SELECT (to_regclass('ledger_2027_02') IS NOT NULL AND to_regclass('ledger_2027_03') IS NULL)::int::bigint";
    assert_eq!(bench.count(made).await, 1);
}
