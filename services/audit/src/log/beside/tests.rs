//! A log that is whole, and tables beside it that were altered: each alteration is found, and nothing else.

use std::collections::BTreeMap;

use hotline_core::bulletin::{Figure, Place, Sort, Span, Sums};
use hotline_core::fold::FOLD_VERSION;
use hotline_events::closure::{FormOf, NewBulletin, RecordKind, Rules};
use hotline_postgres::bulletins::{self, FormStamp, Frozen, Stamp};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::interventions::By;
use hotline_postgres::run_tx;
use jiff::civil::date;
use serde_json::json;

use crate::api::tests::stage::{NOW, Stage, closed};
use crate::token::Role;

/// A bulletin with a figure that was counted and one that was reported. Its form takes more than a leaf.
fn frozen() -> Frozen {
    let place = |sort, id: &str, department: &str| Place {
        span: Span::Period,
        sort,
        id: id.into(),
        department: department.into(),
    };
    let sums = Some(Sums { numerator: 7, denominator: 9, scale: 2 });
    let rate = Figure { version: 1, sums, value: None, group: Some("city".into()), rank: Some(1) };
    let calls = Figure { version: 0, sums: None, value: Some(12.5), group: None, rank: None };
    let stamp = Stamp {
        form: FormStamp { id: "f".into(), version: 1, hash: "0".repeat(64), text: "#".repeat(70_000) },
        period: "2026-02".to_owned(),
        spans: BTreeMap::from([(Span::Period, (date(2026, 2, 1), date(2026, 3, 1)))]),
        rulebook_seq: 1,
        rulebook_hash: "0".repeat(64).into(),
        fold_version: FOLD_VERSION,
        definitions: BTreeMap::from([("closing".into(), 1)]),
        positions: BTreeMap::from([("http".to_owned(), 17)]),
        ledger_below: Some(64),
        as_of: NOW.parse().unwrap(),
    };
    let figures = BTreeMap::from([
        (place(Sort::Rate, "closing", "D1"), rate),
        (place(Sort::Reported, "calls", "*"), calls),
    ]);
    Frozen { stamp, figures, annexes: json!([]) }
}

/// Publishes it with its record, as `hotline bulletin --publish` does.
async fn publish(stage: &Stage) {
    let mut frozen = frozen();
    run_tx(&stage.operator(), "test::publish", &mut frozen, |tx, frozen| {
        Box::pin(async move {
            let at = NOW.parse().unwrap();
            let by = By { operator: "tests", why: "the month is over", at };
            let id = bulletins::publish(tx, frozen, &by).await?;
            let (stamp, form) = (&frozen.stamp, &frozen.stamp.form);
            let record = NewBulletin {
                id,
                written_at: at,
                form: FormOf { id: &form.id, version: form.version, hash: &form.hash, text: &form.text },
                period: &stamp.period,
                spans: &stamp.spans,
                rules: Rules { seq: stamp.rulebook_seq, hash: &stamp.rulebook_hash },
                definitions: &stamp.definitions,
                positions: &stamp.positions,
                ledger_below: 64,
                as_of: stamp.as_of,
                figures: &frozen.figures,
            };
            let kind = RecordKind::Bulletin.name();
            let leaf = |bytes| Leaf { case_id: None, kind, bytes };
            let leaves: Vec<Leaf> = record.leaves().into_iter().map(leaf).collect();
            assert!(leaves.len() > 1);
            closure_records::append(tx, &leaves, at).await
        })
    })
    .await
    .unwrap();
}

/// A bulletin was published, a list taken away, somebody seen; all of it is in the log.
async fn staged() -> Stage {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.keep().await;
    publish(&stage).await;
    let auditor = stage.token(Role::Auditor, None, true).await;
    stage.file("/v1/closures?format=csv", &auditor).await;
    let why = json!({ "why": "asked by the court" });
    assert_eq!(stage.post("/v1/closures/12345:1/unmask", Some(&auditor), &why).await.0, 200);
    let last = stage.texts("SELECT max(id)::text FROM closure_records").await;
    stage.seal(last[0].parse().unwrap()).await;
    stage
}

#[tokio::test]
async fn tables_that_say_otherwise_than_their_records_are_found() {
    let stage = staged().await;
    assert_eq!(stage.checked().await, Vec::<String>::new());
    // What is altered, how it is put back, what is found.
    let altered = [
        (
            "bulletin_figures SET numerator = numerator + 1 WHERE sort = 'rate'",
            "bulletin_figures SET numerator = numerator - 1 WHERE sort = 'rate'",
            "bulletin_altered: bulletin 1 has other figures",
        ),
        (
            "bulletin_figures SET value = value + 1 WHERE sort = 'reported'",
            "bulletin_figures SET value = value - 1 WHERE sort = 'reported'",
            "bulletin_altered: bulletin 1 has other figures",
        ),
        (
            "bulletins SET period = '2026-01'",
            "bulletins SET period = '2026-02'",
            "bulletin_altered: bulletin 1 says another form",
        ),
        (
            "access_log SET actor = actor || 'x' WHERE step = 'unmasked'",
            "access_log SET actor = left(actor, -1) WHERE step = 'unmasked'",
            "access_altered: entry 2",
        ),
        (
            "access_log SET subject = '12345:2' WHERE step = 'unmasked'",
            "access_log SET subject = '12345:1' WHERE step = 'unmasked'",
            "access_altered: entry 2",
        ),
        (
            "access_log SET filter = filter || '{\"region\": \"1\"}' WHERE step = 'exported'",
            "access_log SET filter = filter - 'region' WHERE step = 'exported'",
            "access_altered: entry 1",
        ),
    ];
    for (sql, back, expect) in altered {
        stage.alter(&format!("UPDATE {sql}")).await;
        let found = stage.checked().await;
        assert!(found.len() == 1 && found[0].starts_with(expect), "{sql}: {found:?}");
        stage.alter(&format!("UPDATE {back}")).await;
    }
    assert_eq!(stage.checked().await, Vec::<String>::new());
    let late = "INSERT INTO bulletin_figures (bulletin_id, span, sort, figure, department, version, value)
                VALUES (1, 'period', 'reported', 'letters', '*', 0, 1)";
    stage.alter(late).await;
    assert_eq!(stage.checked().await.len(), 1, "a figure too many");
    stage.alter("DELETE FROM bulletin_figures; DELETE FROM bulletins; DELETE FROM access_log").await;
    let found = stage.checked().await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|one| one.contains("is gone") && one.contains("there is its record")),
        "{found:?}"
    );
}
