//! Receivers of notices: who holds one, and who held it.

use super::*;
use crate::deliveries::{self, Held};
use crate::run_tx;

const SOON: &str = "2026-03-02T01:00:15Z";
const LATER: &str = "2026-03-02T01:00:16Z";

async fn hold(bench: &Bench, now: &str, until: &str) -> Option<Held> {
    let mut asked = (at(now), at(until));
    run_tx(&bench.database.pool, "test", &mut asked, |tx, (now, until)| {
        Box::pin(deliveries::hold(tx, "district", *now, *until))
    })
    .await
    .unwrap()
}

async fn advance(bench: &Bench, held: &Held) -> bool {
    let mut asked = held.clone();
    run_tx(&bench.database.pool, "test", &mut asked, |tx, held| {
        Box::pin(deliveries::advance(tx, held, 1, at(LATER), at("2026-03-02T01:01:00Z")))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn who_was_replaced_moves_nothing_more() {
    let bench = Bench::new().await;
    let mut first = hold(&bench, NOW, SOON).await.unwrap();
    assert_eq!(hold(&bench, NOW, SOON).await, None, "it is held");
    let mut second =
        hold(&bench, LATER, "2026-03-02T01:01:00Z").await.expect("the first gave no sign of life");
    (first.number, second.number) = (5, 3);
    assert!(!advance(&bench, &first).await, "it was replaced");
    assert!(advance(&bench, &second).await);
    second.number = 2;
    assert!(!advance(&bench, &second).await, "nobody goes back");
    let found =
        run_tx(&bench.database.pool, "test", &mut (), |tx, ()| Box::pin(deliveries::list(tx))).await.unwrap();
    assert_eq!((found[0].number, found[0].delivered), (3, 1));
}
