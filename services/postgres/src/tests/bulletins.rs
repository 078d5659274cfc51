//! Published bulletins: what was frozen is read again as it was, stays so, and its cut through the ledger is exact.

use std::collections::BTreeMap;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use serde_json::json;

use super::{Bench, NOW, at, codes, event, received};
use crate::bulletins::{self, FormStamp, Frozen, Stamp};
use crate::figures::{self, Known};
use crate::grants::Role;
use crate::interventions::By;
use crate::pool::{run_snapshot_tx, run_tx};
use crate::{ledger, positions};

fn frozen() -> Frozen {
    let place = |sort, id: &str, department: &str| Place {
        span: Span::Period,
        sort,
        id: id.into(),
        department: department.into(),
    };
    let sums = Some(Sums { numerator: 7, denominator: 9, scale: 2 });
    let rate = Figure { version: 3, sums, value: None, group: Some("city".into()), rank: Some(1) };
    let value = |value| Figure { version: 0, sums: None, value: Some(value), group: None, rank: None };
    let figures: Figures = [
        (place(Sort::Rate, "on_time", "D1"), rate),
        (place(Sort::Score, "overall", "-"), value(99.5)),
        (place(Sort::Reported, "calls", "*"), value(12.0)),
    ]
    .into();
    let day = |text: &str| text.parse().unwrap();
    let stamp = Stamp {
        form: FormStamp { id: "f".into(), version: 2, hash: "ab".into(), text: "id = \"f\"".into() },
        period: "2026-02".to_owned(),
        spans: BTreeMap::from([
            (Span::Period, (day("2026-02-01"), day("2026-03-01"))),
            (Span::Before, (day("2026-01-01"), day("2026-02-01"))),
        ]),
        rulebook_seq: 1,
        rulebook_hash: "cd".into(),
        fold_version: 1,
        definitions: BTreeMap::from([("on_time".into(), 3)]),
        positions: BTreeMap::from([("http".to_owned(), 17)]),
        ledger_below: Some(64),
        as_of: at(NOW),
    };
    Frozen { stamp, figures, annexes: json!([{ "annex": "excluded", "rows": [["12345:1"]] }]) }
}

async fn publish(bench: &Bench) -> i64 {
    let mut publishing = frozen();
    run_tx(&bench.database.pool, "test", &mut publishing, |tx, frozen| {
        let by = By { operator: "tests", why: "a test", at: at(NOW) };
        Box::pin(async move { bulletins::publish(tx, frozen, &by).await })
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_was_published_is_read_as_it_was_and_never_changes() {
    let bench = Bench::new().await;
    assert_eq!((publish(&bench).await, publish(&bench).await), (1, 2));
    let mut tx = bench.database.pool.begin().await.unwrap();
    let found = bulletins::by_id(&mut tx, 2).await.unwrap().unwrap();
    let expect = frozen();
    assert_eq!(found.frozen.stamp, expect.stamp);
    assert_eq!((found.frozen.figures, found.frozen.annexes), (expect.figures, expect.annexes));
    assert_eq!(
        (found.operator.as_str(), found.why.as_str(), found.published_at),
        ("tests", "a test", at(NOW))
    );
    assert_eq!(bulletins::list(&mut tx).await.unwrap().len(), 2);
    assert!(bulletins::by_id(&mut tx, 3).await.unwrap().is_none());
    drop(tx);
    for change in [
        "UPDATE bulletin_figures SET numerator = 8 WHERE numerator = 7",
        "DELETE FROM bulletin_figures",
        "UPDATE bulletins SET why = ''",
        "DELETE FROM bulletins",
    ] {
        let error = sqlx::query(change).execute(&bench.database.pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{change}: {error}");
    }
}

#[tokio::test]
async fn a_bulletin_gets_no_figure_after_it_was_published() {
    let bench = Bench::new().await;
    let id = publish(&bench).await;
    let late = "INSERT INTO bulletin_figures (bulletin_id, span, sort, figure, department, version, value)
                VALUES ($1, 'period', 'reported', 'calls', 'D9', 0, 7)";
    for pool in [&bench.database.pool, &bench.database.login(Role::Operator)] {
        let error = sqlx::query(late).bind(id).execute(pool).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("23001"), "{error}");
        assert!(error.message().contains("append-only"), "{error}");
    }
    assert_eq!(bench.count("SELECT count(*) FROM bulletin_figures").await, 3);
}

/// The cut of a snapshot, and how many rows of the ledger the snapshot holds.
async fn cut(bench: &Bench) -> (i64, i64) {
    let mut pool = bench.database.pool.clone();
    run_snapshot_tx(&bench.database.pool, "test", &mut pool, |tx, pool| {
        Box::pin(async move {
            let below = ledger::cut(pool, tx).await?;
            Ok((below, crate::testing::count(tx, "SELECT count(*) FROM ledger").await))
        })
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn below_a_cut_stands_what_its_snapshot_holds_and_nothing_that_comes_later() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    assert_eq!(cut(&bench).await.1, 0);
    // Of the source that leaves the dispatch to us: our own decision has no position.
    let mut plain = received("p1", "1");
    plain["source"] = "/hotline/plain".into();
    plain["time"] = "2026-03-01T00:10:00Z".into();
    bench.apply(&mut claim, vec![bench.record(&plain), bench.record(&received("r2", "2"))]).await;
    let (below, held) = cut(&bench).await;
    let before = "SELECT count(*) FROM ledger";
    assert_eq!(bench.count(before).await, held);
    assert!(held >= 3, "two events and a decision of ours");
    for n in 3..8 {
        let next = received(&format!("r{n}"), &n.to_string());
        bench.apply(&mut claim, vec![bench.record(&next)]).await;
    }
    let below_now: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE seq < $1")
        .bind(below)
        .fetch_one(&bench.database.pool)
        .await
        .unwrap();
    assert_eq!(below_now, held);
    assert!(bench.count(before).await > held);
}

#[tokio::test]
async fn reported_figures_are_summed_as_far_as_they_were_known() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let figure = |id: &str, value: f64| {
        json!({
            "specversion": "1.0", "type": "hotline.figure.reported.v1", "source": "/hotline/12345", "id": id,
            "time": "2026-03-01T00:00:00Z",
            "data": { "measure": "calls_answered", "day": "2026-03-01", "value": value, "hotline": "12345" },
        })
    };
    let applied = bench.apply(&mut claim, vec![bench.record(&figure("f1", 5.0))]).await;
    assert_eq!(codes(&applied), ["applied"]);
    let (below, _) = cut(&bench).await;
    let mut tx = bench.database.pool.begin().await.unwrap();
    let positions: BTreeMap<String, i64> = positions::list(&mut tx)
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.claim.origin, one.claim.next_offset))
        .collect();
    drop(tx);
    bench.apply(&mut claim, vec![bench.record(&figure("f2", 7.0))]).await;
    let mut tx = bench.database.pool.begin().await.unwrap();
    let days = ("2026-03-01".parse().unwrap(), "2026-03-02".parse().unwrap());
    let measures = ["calls_answered".into()];
    let hotlines = ["12345".into()];
    let known = Known { positions: &positions, ledger_below: below };
    let then = figures::sums(&mut tx, &measures, &hotlines, days, Some(known)).await.unwrap();
    let now = figures::sums(&mut tx, &measures, &hotlines, days, None).await.unwrap();
    let other = figures::sums(&mut tx, &measures, &["12315".into()], days, None).await.unwrap();
    let one = |value| vec![("calls_answered".into(), None, value)];
    assert_eq!((then, now, other), (one(5.0), one(12.0), Vec::new()));
}

#[tokio::test]
async fn the_ledger_knows_which_cases_annexes_may_concern() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let extended = json!({ "stage": "close", "limit": 2, "unit": "working_day" });
    let events = [
        received("r1", "1"),
        event("x1", "1", "extended", "2026-03-02T00:30:00Z", &extended),
        received("r2", "2"),
    ];
    bench.apply(&mut claim, events.iter().map(|event| bench.record(event)).collect()).await;
    let mut tx = bench.database.pool.begin().await.unwrap();
    let types = ["hotline.case.extended.v1", "hotline.case.ruled.v1"];
    let found = ledger::cases_with(&mut tx, &types, at("2026-03-01T00:00:00Z")).await.unwrap();
    assert_eq!(found, ["12345:1"]);
    assert!(ledger::cases_with(&mut tx, &types, at("2026-03-03T00:00:00Z")).await.unwrap().is_empty());
}
