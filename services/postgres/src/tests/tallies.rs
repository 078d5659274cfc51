//! Tallies plus deltas are what the scores of the cases add up to, whatever happens beside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use hotline_core::rulebook::Basis;
use hotline_core::score::Series;
use jiff::civil::date;
use serde_json::json;

use super::{Bench, apply, event};
use crate::pool::{run_snapshot_tx, run_tx};
use crate::tallies::{self, Difference, Range};

async fn check(bench: &Bench) -> Vec<Difference> {
    run_snapshot_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(tallies::check(tx)))
        .await
        .unwrap()
}

async fn compact(bench: &Bench, limit: i64) -> Option<u64> {
    let mut limit = limit;
    run_tx(&bench.database.pool, "test", &mut limit, |tx, limit| Box::pin(tallies::compact(tx, *limit)))
        .await
        .unwrap()
}

async fn sum(bench: &Bench, basis: Basis) -> BTreeMap<Series, i64> {
    let mut range = Range { basis, from: date(2026, 1, 1), to: date(2027, 1, 1), measures: None };
    run_tx(&bench.database.pool, "test", &mut range, |tx, range| Box::pin(tallies::sum(tx, range)))
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
