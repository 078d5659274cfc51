//! Tallies plus deltas are what the scores of the cases add up to, whatever happens beside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use hotline_core::measure::State;
use hotline_core::rate::OpenAsked;
use hotline_core::rulebook::Basis;
use hotline_core::score::{OpenClock, Series};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Bench, apply, at, event};
use crate::cases::{self, First};
use crate::pool::{run_snapshot_tx, run_tx};
use crate::tallies::{self, Difference, Measures, Tallies, months};

async fn check(bench: &Bench) -> Vec<Difference> {
    run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::check(tx)))
        .await
        .unwrap()
}

async fn all(bench: &Bench) -> Tallies {
    run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::all(tx))).await.unwrap()
}

async fn compact(bench: &Bench, limit: i64) -> Option<u64> {
    let mut limit = limit;
    run_tx(&bench.database.pool, "test", &mut limit, |tx, limit| Box::pin(tallies::compact(tx, *limit)))
        .await
        .unwrap()
}

async fn sum(bench: &Bench, basis: Basis) -> BTreeMap<Series, i64> {
    let mut measures = Measures::new();
    for key in all(bench).await.into_keys().filter(|key| key.series.basis == basis) {
        measures.entry(basis).or_default().insert(key.series.measure);
    }
    let mut asked = ((date(2026, 1, 1), date(2027, 1, 1)), measures);
    run_snapshot_tx(&bench.database.pool, "test", &mut asked, |tx, (days, measures)| {
        Box::pin(async move { Ok(tallies::sums(tx, *days, measures).await?.by_series()) })
    })
    .await
    .unwrap()
}

/// A number that looks random, the same in every run.
fn scramble(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

/// Something that may happen to one of a few cases.
fn any_event(n: u64) -> serde_json::Value {
    let draw = scramble(n);
    let case = (draw % 40).to_string();
    let time = format!("2026-02-{:02}T{:02}:00:00Z", 1 + draw / 40 % 28, draw / 1200 % 24);
    let department = ["D1", "D2"][usize::from(draw & 0x10000 > 0)];
    let (kind, data) = match draw / 7 % 6 {
        0 | 1 => ("received", json!({ "case_type": "complaint" })),
        2 => ("dispatched", json!({ "department": department })),
        3 => ("closed", json!({ "department": department })),
        4 => ("rated", json!({ "reached": true, "satisfaction": 1 + draw % 5 })),
        _ => ("reopened", json!({ "reason": "dissatisfied" })),
    };
    event(&format!("e{n}"), &case, kind, &time, &data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_compactor_beside_two_writers_changes_no_sum() {
    let bench = Bench::new().await;
    let second = bench.second();
    let writing = AtomicBool::new(true);
    let write = async |writer: &crate::CaseWriter, origin: &str, from: u64| {
        let mut claim = writer.claim(origin).await.unwrap();
        for batch in 0..15 {
            let first = from + batch * 20;
            let records = (first..first + 20).map(|n| bench.record(&any_event(n))).collect();
            apply(writer, &mut claim, records).await;
        }
    };
    let writers = async {
        tokio::join!(write(&bench.writer, "http", 0), write(&second, "events/0", 300));
        writing.store(false, Ordering::Release);
    };
    let compactor = async {
        let mut steps = 0;
        while writing.load(Ordering::Acquire) {
            compact(&bench, 25).await;
            assert_eq!(check(&bench).await, []);
            steps += 1;
        }
        steps
    };
    let ((), steps) = tokio::join!(writers, compactor);
    assert!(steps > 0);
    let before = sum(&bench, Basis::Received).await;
    assert!(!before.is_empty());
    while compact(&bench, 100).await != Some(0) {}
    assert_eq!(bench.count("SELECT count(*) FROM tally_deltas").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM tallies WHERE value = 0").await, 0);
    assert_eq!(check(&bench).await, []);
    assert_eq!(sum(&bench, Basis::Received).await, before);
}

async fn months_off(bench: &Bench) -> Vec<Date> {
    run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(months::off(tx))).await.unwrap()
}

#[tokio::test]
async fn a_month_that_was_summed_stays_the_sum_of_its_days() {
    let bench = Bench::new().await;
    let pool = &bench.database.pool;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let february = date(2026, 2, 1);
    bench.apply(&mut claim, (0..200).map(|n| bench.record(&any_event(n))).collect()).await;
    while compact(&bench, 100).await != Some(0) {}
    assert_eq!(months::sum_next(pool, date(2026, 2, 28)).await.unwrap(), None, "it is not over");
    assert_eq!(months::sum_next(pool, date(2026, 3, 1)).await.unwrap(), Some(february));
    assert_eq!(months::sum_next(pool, date(2026, 3, 1)).await.unwrap(), None, "nothing counts in January");
    for batch in 0..5 {
        let first = 200 + batch * 40;
        bench.apply(&mut claim, (first..first + 40).map(|n| bench.record(&any_event(n))).collect()).await;
        // Some of it is merged, some is not.
        compact(&bench, 30).await;
        assert_eq!(months_off(&bench).await, []);
        let of_months = sum(&bench, Basis::Received).await;
        bench.execute("CREATE TABLE kept AS SELECT month FROM summed_months").await;
        bench.execute("DELETE FROM summed_months").await;
        assert_eq!(of_months, sum(&bench, Basis::Received).await, "its days say the same");
        bench.execute("INSERT INTO summed_months SELECT month FROM kept").await;
        bench.execute("DROP TABLE kept").await;
    }
    assert_ne!(bench.count("SELECT count(*) FROM tally_months").await, 0);
    bench.execute("UPDATE tally_months SET value = value + 1").await;
    assert_eq!(months_off(&bench).await, [february]);
    let mended = run_snapshot_tx(pool, "test", &mut (), |tx, ()| Box::pin(months::repair(tx))).await.unwrap();
    assert_eq!(mended, [february]);
    assert_eq!(months_off(&bench).await, []);
    assert_eq!(months::sum_next(pool, date(2026, 3, 1)).await.unwrap(), Some(february), "it is summed anew");
    assert_eq!(months_off(&bench).await, []);
}

/// The overdue clocks at an instant, as bulletins find them and by a look at every open one.
async fn overdue(bench: &Bench, asked: OpenAsked, as_of: Timestamp) -> Vec<String> {
    let mut question = (asked, as_of);
    let read = run_snapshot_tx(&bench.database.pool, "test", &mut question, |tx, (asked, as_of)| {
        Box::pin(async move {
            let mut found = Vec::new();
            cases::open_clocks(tx, *asked, *as_of, |open| {
                let is_overdue = |clock: &&OpenClock| clock.state(*as_of) == State::OpenOverdue;
                found.extend(open.clocks.iter().filter(is_overdue).map(|clock| format!("{clock:?}")));
            })
            .await?;
            found.sort();
            Ok(found)
        })
    });
    read.await.unwrap()
}

#[tokio::test]
async fn a_bulletin_finds_every_clock_that_is_overdue_whoever_was_woken() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut most = 0;
    for step in 0..40_u64 {
        // Some come as they happen, some weeks later.
        let now = at("2026-02-01T00:00:00Z") + SignedDuration::from_hours(18 * i64::try_from(step).unwrap());
        let events = (step * 8..step * 8 + 8).map(any_event);
        let records = events.map(|event| bench.record_at(&event, &now.to_string())).collect();
        bench.apply(&mut claim, records).await;
        // Now and then timekeeper keeps up, and now and then it is away.
        for _ in 0..scramble(step) % 3 {
            bench.writer.wake_step(now, First::Oldest, 5).await.unwrap();
        }
        for hours in [-30, 0, 1, 90] {
            let as_of = now + SignedDuration::from_hours(hours);
            let found = overdue(&bench, OpenAsked::Overdue, as_of).await;
            assert_eq!(found, overdue(&bench, OpenAsked::All, as_of).await, "step {step}, {hours} h");
            most = most.max(found.len());
        }
    }
    assert!(most > 5, "some are overdue: {most}");
    let marked = bench.count("SELECT count(*) FROM cases WHERE overdue").await;
    assert!(marked < bench.count("SELECT count(*) FROM cases WHERE clocks_run").await, "not all are marked");
}

#[tokio::test]
async fn arrival_order_and_batches_do_not_matter_to_the_sums() {
    let (one, two) = (Bench::new().await, Bench::new().await);
    let mut claim = one.writer.claim("http").await.unwrap();
    one.apply(&mut claim, (0..300).map(|n| one.record(&any_event(n))).collect()).await;
    let mut claim = two.writer.claim("http").await.unwrap();
    for batch in (0..300).rev().collect::<Vec<_>>().chunks(37) {
        two.apply(&mut claim, batch.iter().map(|n| two.record(&any_event(*n))).collect()).await;
        two.apply(&mut claim, batch.iter().map(|n| two.record(&any_event(*n))).collect()).await;
    }
    for basis in Basis::ALL {
        assert_eq!(sum(&one, basis).await, sum(&two, basis).await, "{}", basis.name());
    }
    assert_eq!(check(&two).await, []);
}

#[tokio::test]
async fn a_damaged_tally_is_found_and_mended() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    bench.apply(&mut claim, (0..100).map(|n| bench.record(&any_event(n))).collect()).await;
    while compact(&bench, 1000).await != Some(0) {}
    let right = sum(&bench, Basis::Received).await;
    let damage = "UPDATE tallies SET value = value + 1 WHERE ctid = (SELECT min(ctid) FROM tallies)";
    sqlx::query(damage).execute(&bench.database.pool).await.unwrap();
    sqlx::query("DELETE FROM tallies WHERE ctid = (SELECT max(ctid) FROM tallies)")
        .execute(&bench.database.pool)
        .await
        .unwrap();
    assert_eq!(check(&bench).await.len(), 2);
    let mended =
        run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::repair(tx)))
            .await
            .unwrap();
    assert_eq!(mended.len(), 2);
    assert_eq!(check(&bench).await, []);
    assert_eq!(sum(&bench, Basis::Received).await, right);
}
