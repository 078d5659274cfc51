//! Another rulebook: shown first, refused if it would rewrite the past unasked, then applied to every case.

use serde_json::json;

use super::{Bench, Files, at, event, files, received, rulebook};
use crate::pool::{run_snapshot_tx, run_tx};
use crate::{batch, refolds, restatements, rulebooks, tallies};

const LATER: &str = "2026-03-20T00:00:00Z";

/// Two cases: one closed on the fourth working day, one open.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let closed = event("e2", "1", "closed", "2026-03-06T00:30:00Z", &json!({ "department": "D1" }));
    let records = vec![
        bench.record(&received("e1", "1")),
        bench.record_at(&closed, "2026-03-06T00:30:00Z"),
        bench.record(&received("e1", "2")),
    ];
    bench.apply(&mut claim, records).await;
    bench
}

#[tokio::test]
async fn an_activation_that_changes_settled_results_wants_to_be_asked_for() {
    let bench = bench().await;
    let longer = files(7);
    let mut seen = 0;
    let preview =
        batch::preview(&bench.writer, &rulebook(&longer), at(LATER), |cases| seen = cases).await.unwrap();
    assert_eq!(seen, 2, "how far it is is told");
    assert_eq!((preview.cases, preview.changed), (2, 2), "the due days move");
    let shorter = files(3);
    let error = bench.writer.activate(&shorter, &rulebook(&shorter), false, at(LATER)).await.unwrap_err();
    assert_eq!(error.code(), "would_restate");
    assert_eq!(bench.count("SELECT count(*) FROM rulebooks").await, 1);
    bench.writer.activate(&shorter, &rulebook(&shorter), true, at(LATER)).await.unwrap();
    // Asking for the active one again changes nothing.
    let (again, preview) =
        bench.writer.activate(&shorter, &rulebook(&shorter), true, at(LATER)).await.unwrap();
    assert_eq!((again.seq, preview.changed), (2, 2), "not folded again yet");
}

#[tokio::test]
async fn refolding_brings_every_case_to_the_active_rulebook_and_lists_what_it_restated() {
    let bench = bench().await;
    let shorter = files(3);
    bench.writer.activate(&shorter, &rulebook(&shorter), true, at(LATER)).await.unwrap();
    let is_done = async || {
        run_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(refolds::is_done(tx))).await.unwrap()
    };
    assert!(!is_done().await);
    let step = bench.writer.refold_step(at(LATER), 1).await.unwrap();
    assert_eq!((step.cases, step.refold.after_case.as_str(), step.refold.done), (1, "12345:1", false));
    // Another process goes on where the first one stopped.
    let second = bench.second();
    let step = second.refold_step(at(LATER), 1).await.unwrap();
    assert_eq!((step.cases, step.refold.cases, step.refold.restated), (1, 2, 1));
    assert!(second.refold_step(at(LATER), 1).await.unwrap().refold.done);
    assert!(second.refold_step(at(LATER), 1).await.unwrap().refold.done);
    assert!(is_done().await);
    assert_eq!(
        bench.count("SELECT count(*) FROM fold_progress WHERE rulebook_seq = 2 AND cases = 2").await,
        1
    );
    let became_late = "SELECT count(*) FROM restatements WHERE case_id = '12345:1' AND basis = 'closed'
        AND measure IN ('each.close.met', 'each.close.late') AND old_value + new_value = 1";
    assert_eq!(bench.count(became_late).await, 2);
    assert_eq!(
        bench.count("SELECT count(*) FROM cases WHERE verdict = 'late' AND rulebook_seq = 2").await,
        1
    );
    let counted =
        run_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(restatements::count(tx, 2)))
            .await
            .unwrap();
    assert_eq!(counted, (1, Some(at(LATER))));
    let check = run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::check(tx)))
        .await
        .unwrap();
    assert_eq!(check, []);
}

#[tokio::test]
async fn a_preview_takes_the_dispatch_decisions_that_the_draft_takes() {
    let bench = bench().await;
    // From now on the cases of this source are ours to dispatch; nobody dispatched those that there are.
    let mut ours = files(5);
    let sources = ours.get_mut("sources/city.toml").unwrap();
    let text = String::from_utf8(sources.clone()).unwrap();
    *sources = text.replacen("dispatch = \"hotline\"", "dispatch = \"pipeline\"", 1).into_bytes();
    let error = bench.writer.activate(&ours, &rulebook(&ours), false, at(LATER)).await.unwrap_err();
    assert_eq!(error.code(), "would_restate");
    bench.writer.activate(&ours, &rulebook(&ours), true, at(LATER)).await.unwrap();
    while !bench.writer.refold_step(at(LATER), 10).await.unwrap().refold.done {}
    assert!(bench.count("SELECT count(*) FROM restatements WHERE measure = 'dispatched'").await > 0);
}

#[tokio::test]
async fn what_would_break_the_record_is_refused() {
    let bench = bench().await;
    let refused = async |files: &Files| {
        bench.writer.activate(files, &rulebook(files), true, at(LATER)).await.unwrap_err().code()
    };
    let mut fewer = files(5);
    let sources = fewer.get_mut("sources/city.toml").unwrap();
    let text = String::from_utf8(sources.clone()).unwrap();
    *sources = text.replacen("/hotline/12345", "/hotline/other", 1).into_bytes();
    assert_eq!(refused(&fewer).await, "sources_dropped");
    let mut other = files(5);
    let rates = other.get_mut("rates/all.toml").unwrap();
    let text = String::from_utf8(rates.clone()).unwrap();
    *rates = text.replacen("\"each.close.open\", ", "", 1).into_bytes();
    assert_eq!(refused(&other).await, "rates_redefined");
    let rates = other.get_mut("rates/all.toml").unwrap();
    *rates = String::from_utf8(rates.clone()).unwrap().replacen("version = 1", "version = 2", 1).into_bytes();
    bench.writer.activate(&other, &rulebook(&other), true, at(LATER)).await.unwrap();
}

#[tokio::test]
async fn a_provisional_deadline_is_settled_when_the_years_calendar_arrives() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    // Five working days from Monday 21 December end with Monday 28, three days after what the notices settle.
    let receive = |id: &str, case: &str| {
        event(id, case, "received", "2026-12-21T01:00:00Z", &json!({ "case_type": "complaint" }))
    };
    let closed = event("e3", "2", "closed", "2026-12-28T02:00:00Z", &json!({ "department": "D1" }));
    let records =
        [receive("e1", "1"), receive("e2", "2")].map(|event| bench.record_at(&event, "2026-12-21T01:00:00Z"));
    bench.apply(&mut claim, records.into()).await;
    bench.apply(&mut claim, vec![bench.record_at(&closed, "2026-12-28T02:00:00Z")]).await;
    let rules = crate::Rules::new(bench.database.pool.clone());
    let clock = async |case: &str| {
        let viewed = rules.view(case, None).await.unwrap().expect("it is there");
        let shown = viewed.shown(at("2026-12-29T00:00:00Z"));
        let clock = &shown["rounds"][0]["clocks"][0];
        (
            clock["due_on"].as_str().unwrap_or_default().to_owned(),
            clock["provisional"] == true,
            clock["verdict"].clone(),
        )
    };
    assert_eq!(clock("12345:1").await, ("2026-12-28".into(), true, json!("open")));
    assert_eq!(clock("12345:2").await, ("2026-12-28".into(), true, json!("met")));

    // The notice of the next year turns a Saturday into a working day.
    let mut settled = files(5);
    let calendar = settled.get_mut("calendars/cn.toml").unwrap();
    let text = String::from_utf8(calendar.clone()).unwrap().replace("2026-12-25", "2027-12-25")
        + "[[day]]\ndate = 2026-12-26\nkind = \"work\"\nname = \"元旦\"\n";
    *calendar = text.into_bytes();
    let draft = rulebook(&settled);
    let preview = batch::preview(&bench.writer, &draft, at("2026-12-29T00:00:00Z"), |_| {}).await.unwrap();
    assert_eq!((preview.changed, preview.restated), (2, 1), "the closed one was judged by another day");
    bench.writer.activate(&settled, &draft, true, at("2026-12-29T00:00:00Z")).await.unwrap();
    while !bench.writer.refold_step(at("2026-12-29T00:00:00Z"), 10).await.unwrap().refold.done {}
    assert_eq!(clock("12345:1").await, ("2026-12-26".into(), false, json!("open")));
    assert_eq!(
        clock("12345:2").await,
        ("2026-12-26".into(), false, json!("late")),
        "the rulebook in force judges all"
    );
    assert!(bench.count("SELECT count(*) FROM restatements WHERE case_id = '12345:2'").await > 0);
}

#[tokio::test]
async fn a_batch_folds_by_the_rulebook_that_is_active_when_it_runs() {
    let bench = bench().await;
    let shorter = files(3);
    // Activated by somebody else: this writer has the old one loaded.
    let other = bench.second();
    other.activate(&shorter, &rulebook(&shorter), true, at(LATER)).await.unwrap();
    let mut claim = bench.writer.claim("http").await.unwrap();
    let urged = event("e3", "1", "urged", "2026-03-06T00:40:00Z", &json!({}));
    bench.apply(&mut claim, vec![bench.record_at(&urged, LATER)]).await;
    assert_eq!(bench.count("SELECT rulebook_seq FROM cases WHERE case_id = '12345:1'").await, 2);
    assert!(bench.count("SELECT count(*) FROM restatements WHERE to_rulebook_seq = 2").await > 0);
    let active = run_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(rulebooks::active(tx)))
        .await
        .unwrap();
    assert_eq!(active.rulebook.hash, rulebook(&shorter).hash);
}

#[tokio::test]
async fn what_an_older_program_writes_beside_a_newer_one_is_folded_again_by_the_newer() {
    let bench = bench().await;
    while !bench.writer.refold_step(at(LATER), 10).await.unwrap().refold.done {}
    // A newer program than this one has been over all cases, and this one goes on writing.
    bench.execute("UPDATE refolds SET fold_version = fold_version + 1").await;
    let newer_is_done = "SELECT count(*) FROM refolds WHERE done_at IS NOT NULL AND after_case <> ''";
    assert_eq!(bench.count(newer_is_done).await, 1);
    let mut claim = bench.writer.claim("http").await.unwrap();
    let nothing = bench.apply(&mut claim, vec![bench.record(&received("e1", "1"))]).await;
    assert_eq!(nothing.cases, 0, "a duplicate writes no case");
    assert_eq!(bench.count(newer_is_done).await, 1);
    bench.apply(&mut claim, vec![bench.record(&received("e1", "3"))]).await;
    assert_eq!(bench.count(newer_is_done).await, 0, "it goes over all of them again");

    // The other way round: this program is the newer one, and finds the case that an older one wrote behind its pass.
    bench
        .execute("UPDATE refolds SET fold_version = fold_version - 1, done_at = now(), after_case = 'z'")
        .await;
    bench.execute("UPDATE cases SET fold_version = fold_version - 1 WHERE case_id = '12345:2'").await;
    assert_eq!(bench.writer.refold_step(at(LATER), 10).await.unwrap().cases, 0, "nobody has told it");
    bench.execute("UPDATE refolds SET done_at = NULL, after_case = ''").await;
    assert_eq!(bench.writer.refold_step(at(LATER), 10).await.unwrap().cases, 1);
    assert!(bench.writer.refold_step(at(LATER), 10).await.unwrap().refold.done);
    assert_eq!(bench.count("SELECT count(*) FROM fold_progress").await, 1, "all cases are of one fold");
}
