//! What falls due by itself: who tells it, who tells it again, who is told that it is true no longer.

use super::*;
use crate::batch::Woken;
use crate::cases::First;
use crate::{alarms, cases, notices, run_tx};

const LADDER: &str = "basis = \"article 1\"\nalarms = [{ at = \"50%\", level = \"notice\" }, { after = \"0 hour\", level = \"breach\" }]\nextension = { times_max = 1 }\n";
const EARLY: &str = "2026-03-02T02:00:00Z";
/// Half of five working days from Monday 2 March end on Wednesday 4, noon; all of them on Monday 9.
const HALF: &str = "2026-03-05T04:00:00Z";
const BREACH: &str = "2026-03-09T16:00:00Z";

fn ladder_files() -> Files {
    let mut files = files(5);
    let policies = String::from_utf8(files["policies/close.toml"].clone()).unwrap();
    files.insert(
        "policies/close.toml".into(),
        policies.replacen("basis = \"article 1\"\n", LADDER, 1).into_bytes(),
    );
    files
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let files = ladder_files();
    bench.writer.activate(&files, &rulebook(&files), true, at(NOW)).await.unwrap();
    bench
}

/// What a step did; how long somebody waited, apart.
async fn wake(bench: &Bench, now: &str) -> Woken {
    let woken = bench.writer.wake_step(at(now), First::Oldest, 10).await.unwrap();
    assert!(!woken.beside_batches, "nothing else is at work");
    Woken { waited: jiff::SignedDuration::ZERO, ..woken }
}

/// `kind level department` of every notice, in order.
async fn told(bench: &Bench) -> Vec<String> {
    run_tx(&bench.database.pool, "test", &mut (), |tx, ()| {
        Box::pin(async move {
            notices::number(tx, 100).await?;
            notices::after(tx, None, 0, 100).await
        })
    })
    .await
    .unwrap()
    .into_iter()
    .map(|notice| {
        let event: Value = serde_json::from_str(&notice.event).unwrap();
        assert_eq!(event["id"], json!(notice.id.to_string()));
        let level = event["data"]["level"].as_str().unwrap_or("-").to_owned();
        format!("{} {} {level} {}", notice.number, notice.kind, notice.department)
    })
    .collect()
}

#[tokio::test]
async fn a_deadline_is_told_once_and_withdrawn_when_it_moves() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let dispatched = event("e2", "1", "dispatched", "2026-03-02T00:11:00Z", &json!({ "department": "D1" }));
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1")), bench.record(&dispatched)]).await;
    assert_eq!(wake(&bench, EARLY).await, Woken::default(), "nothing is due");
    assert_eq!(wake(&bench, HALF).await, Woken { cases: 1, raised: 1, ..Woken::default() });
    assert_eq!(wake(&bench, HALF).await, Woken::default(), "it sleeps until the breach");
    assert_eq!(wake(&bench, BREACH).await, Woken { cases: 1, raised: 1, ..Woken::default() });
    let urged = event("e3", "1", "urged", "2026-03-09T17:00:00Z", &json!({}));
    bench.apply(&mut claim, vec![bench.record_at(&urged, "2026-03-09T17:00:00Z")]).await;
    assert_eq!(wake(&bench, "2026-03-09T17:00:01Z").await, Woken::default(), "the ladder is the same");
    let extended =
        event("e4", "1", "extended", "2026-03-09T15:00:00Z", &json!({ "limit": 5, "unit": "working_day" }));
    bench.apply(&mut claim, vec![bench.record_at(&extended, "2026-03-09T18:00:00Z")]).await;
    let woken = wake(&bench, "2026-03-09T18:00:01Z").await;
    assert_eq!(
        woken,
        Woken { cases: 1, raised: 1, withdrawn: 2, ..Woken::default() },
        "half of the new limit is over"
    );
    assert_eq!(
        told(&bench).await,
        [
            "1 raised notice D1",
            "2 raised breach D1",
            "3 withdrawn notice D1",
            "4 withdrawn breach D1",
            "5 raised notice D1"
        ]
    );
    assert_eq!(bench.count("SELECT count(*) FROM alarms WHERE why = 'deadline_moved'").await, 2);
    let rules = crate::Rules::new(bench.database.pool.clone());
    let viewed = rules.view("12345:1", None).await.unwrap().expect("the case");
    let text = viewed.told(at("2026-03-10T00:00:00Z"), hotline_events::Lang::En);
    assert_eq!(text.matches("\ntold  ").count(), 3, "{text}");
    assert_eq!(text.matches("\nwithdrawn (deadline_moved)  ").count(), 2, "{text}");
    let before = rules.view("12345:1", Some(at(HALF))).await.unwrap().expect("the case");
    let tellings = before.shown(at(HALF))["told"].clone();
    assert_eq!(tellings.as_array().map(Vec::len), Some(1), "what was told by then: {tellings}");
}

#[tokio::test]
async fn who_tells_knows_how_late_it_is_and_whether_events_are_taken_in_meanwhile() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench
        .apply(&mut claim, vec![bench.record(&received("e1", "1")), bench.record(&received("e2", "2"))])
        .await;
    let mut batch = bench.database.pool.begin().await.unwrap();
    sqlx::query("UPDATE positions SET epoch = epoch").execute(&mut *batch).await.unwrap();
    let woken = bench.writer.wake_step(at("2026-03-05T04:00:07Z"), First::Oldest, 1).await.unwrap();
    assert_eq!((woken.waited, woken.beside_batches), (jiff::SignedDuration::from_secs(7), true));
    batch.rollback().await.unwrap();
    assert!(!bench.writer.wake_step(at(HALF), First::Oldest, 1).await.unwrap().beside_batches);
}

#[tokio::test]
async fn a_case_that_something_came_in_about_has_not_waited_for_long() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench
        .apply(&mut claim, vec![bench.record(&received("e1", "1")), bench.record(&received("e2", "2"))])
        .await;
    let urged = event("e3", "2", "urged", "2026-03-05T04:10:00Z", &json!({}));
    bench.apply(&mut claim, vec![bench.record_at(&urged, "2026-03-05T04:10:00Z")]).await;
    let waiting = async |by: &str| {
        let mut by = at(by);
        let read = run_tx(&bench.database.pool, "test", &mut by, |tx, by| {
            Box::pin(async move {
                Ok((cases::overslept(tx, *by).await?.0, cases::overslept_long(tx, *by).await?))
            })
        });
        read.await.unwrap()
    };
    assert_eq!(waiting("2026-03-05T03:59:00Z").await, (0, 0), "nothing is due");
    assert_eq!(waiting("2026-03-05T04:05:00Z").await, (2, 1));
    assert_eq!(waiting("2026-03-05T04:20:00Z").await, (2, 2));
}

#[tokio::test]
async fn what_several_processes_look_at_is_told_once() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let records = (0..300).map(|n| bench.record(&received(&format!("e{n}"), &n.to_string()))).collect();
    bench.apply(&mut claim, records).await;
    let second = bench.second();
    let work = async |writer: &CaseWriter| {
        let mut raised = 0;
        loop {
            let woken = writer.wake_step(at(BREACH), First::Oldest, 20).await.unwrap();
            if woken.cases == 0 {
                return raised;
            }
            raised += woken.raised;
        }
    };
    let (one, two) = tokio::join!(work(&bench.writer), work(&second));
    assert_eq!((one + two, one > 0, two > 0), (600, true, true));
    assert_eq!(bench.count("SELECT count(*) FROM notices").await, 600);
    assert_eq!(bench.count("SELECT count(*) FROM cases WHERE wake_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn who_folds_a_case_is_not_disturbed_by_who_looks_at_it() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    let revision = "SELECT revision FROM cases";
    assert_eq!(bench.count(revision).await, 1);
    wake(&bench, BREACH).await;
    assert_eq!(bench.count(revision).await, 1, "its revision stays");
    assert_eq!(bench.count("SELECT count(*) FROM cases WHERE told").await, 1);
}

#[tokio::test]
async fn a_decision_of_ours_is_told_and_withdrawn_when_the_hotline_was_quicker() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut opening = received("e1", "1");
    opening["source"] = json!("/hotline/plain");
    opening["time"] = json!("2026-03-02T00:50:00Z");
    bench.apply(&mut claim, vec![bench.record(&opening)]).await;
    let woken = wake(&bench, "2026-03-02T01:20:00Z").await;
    assert_eq!(woken, Woken { cases: 1, dispatched: 1, ..Woken::default() });
    let dispatched = event("e2", "1", "dispatched", "2026-03-02T01:10:00Z", &json!({ "department": "D1" }));
    bench.apply(&mut claim, vec![bench.record_at(&dispatched, "2026-03-02T01:30:00Z")]).await;
    assert_eq!(told(&bench).await, ["1 dispatched - D2", "2 dispatch_withdrawn - D2"]);
    let signed = event("e3", "1", "signed", "2026-03-02T01:40:00Z", &json!({ "department": "D1" }));
    bench.apply(&mut claim, vec![bench.record_at(&signed, "2026-03-02T01:40:00Z")]).await;
    assert_eq!(told(&bench).await.len(), 2, "it is not told again");
}

#[tokio::test]
async fn numbers_have_no_gap_and_stay_when_old_notices_go() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let records = (0..5).map(|n| bench.record(&received(&format!("e{n}"), &n.to_string()))).collect();
    bench.apply(&mut claim, records).await;
    wake(&bench, HALF).await;
    assert_eq!(told(&bench).await.len(), 5);
    let mut tx = bench.database.pool.begin().await.unwrap();
    let gone = notices::forget(&mut tx, at("2027-01-01T00:00:00Z"), 100).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(gone, 4, "the newest stays, so that numbers go on");
    wake(&bench, BREACH).await;
    let told = told(&bench).await;
    assert_eq!((told.len(), told[1].as_str()), (6, "6 raised breach HL"));
    let mut tx = bench.database.pool.begin().await.unwrap();
    let last = alarms::last_told(&mut tx, &["12345:0"]).await.unwrap();
    assert_eq!(last["12345:0"].len(), 2);
}

#[tokio::test]
async fn a_rulebook_that_is_taken_back_leaves_no_case_asleep() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    wake(&bench, HALF).await;
    let (with, without) = (ladder_files(), files(5));
    // While nobody has folded the case again, its breach falls due under a rulebook that tells none.
    bench.writer.activate(&without, &rulebook(&without), true, at(HALF)).await.unwrap();
    assert_eq!(wake(&bench, BREACH).await, Woken { cases: 1, withdrawn: 1, ..Woken::default() });
    bench.writer.activate(&with, &rulebook(&with), true, at(BREACH)).await.unwrap();
    while !bench.writer.refold_step(at(BREACH), 10).await.unwrap().refold.done {}
    // The notice fell due days before these rules came back; who was told that it is withdrawn is told that it is true.
    assert_eq!(wake(&bench, BREACH).await, Woken { cases: 1, raised: 2, ..Woken::default() });
    let grace = jiff::SignedDuration::ZERO;
    assert_eq!(bench.writer.check_alarms(at(BREACH), grace).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_new_rung_tells_nothing_of_what_was_over_long_before_it() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let closed = event("e2", "1", "closed", "2026-03-06T00:30:00Z", &json!({ "department": "D1" }));
    // The other one is open still, and has long been late.
    let records = vec![
        bench.record(&received("e1", "1")),
        bench.record_at(&closed, "2026-03-06T00:30:00Z"),
        bench.record(&received("e3", "2")),
    ];
    bench.apply(&mut claim, records).await;
    let (later, with) = ("2026-04-01T00:00:00Z", ladder_files());
    bench.writer.activate(&with, &rulebook(&with), true, at(later)).await.unwrap();
    while !bench.writer.refold_step(at(later), 10).await.unwrap().refold.done {}
    assert_eq!(wake(&bench, later).await, Woken { cases: 2, missed: 3, ..Woken::default() });
    assert_eq!(bench.count("SELECT count(*) FROM notices").await, 0);
}

#[tokio::test]
async fn a_case_whose_ladder_ends_before_its_deadline_wakes_when_that_passes() {
    let bench = Bench::new().await;
    let mut files = files(5);
    let policies = String::from_utf8(files["policies/close.toml"].clone()).unwrap();
    let notice = "basis = \"article 1\"\nalarms = [{ at = \"50%\", level = \"notice\" }]\n";
    files.insert(
        "policies/close.toml".into(),
        policies.replacen("basis = \"article 1\"\n", notice, 1).into_bytes(),
    );
    bench.writer.activate(&files, &rulebook(&files), true, at(NOW)).await.unwrap();
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    assert_eq!(wake(&bench, HALF).await.raised, 1);
    let breach = "SELECT count(*) FROM cases WHERE wake_at = '2026-03-09 16:00:00+00' AND NOT overdue";
    assert_eq!(bench.count(breach).await, 1, "nothing is told then, and it must be marked");
}

#[tokio::test]
async fn a_case_that_cannot_be_looked_at_costs_nobody_else_an_alarm() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let records = (0..5).map(|n| bench.record(&received(&format!("e{n}"), &n.to_string()))).collect();
    bench.apply(&mut claim, records).await;
    bench.execute("UPDATE cases SET facts = '\\xff' WHERE case_id = '12345:2'").await;
    // A row that is there already, as after a restore by hand.
    bench
        .execute(
            "INSERT INTO alarms SELECT '12345:3', '?', 1, 'raised', NULL, now(), 1, 'close', 'nonsense', NULL, 0, now(),
                now(), now(), 'notice', NULL",
        )
        .await;
    let mut raised = 0;
    let mut failed = 0;
    for _ in 0..9 {
        let woken = wake(&bench, HALF).await;
        raised += woken.raised;
        failed += woken.failed;
    }
    assert_eq!((raised, failed), (3, 2));
    assert_eq!(bench.count("SELECT count(*) FROM cases WHERE wake_at = '2026-03-05 05:00:00+00'").await, 2);
}

#[tokio::test]
async fn what_was_told_is_withdrawn_at_once_though_nothing_new_is_due() {
    let bench = bench().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    assert_eq!(wake(&bench, HALF).await.raised, 1);
    let more = json!({ "limit": 5, "unit": "working_day" });
    let extended = event("e2", "1", "extended", "2026-03-05T05:00:00Z", &more);
    bench.apply(&mut claim, vec![bench.record_at(&extended, "2026-03-05T05:00:00Z")]).await;
    // Half of ten working days end with 8 March.
    assert_eq!(
        wake(&bench, "2026-03-05T05:00:01Z").await,
        Woken { cases: 1, withdrawn: 1, ..Woken::default() }
    );
}
