//! What was kept long enough goes by way of functions of the owner, with the operator's login, and is noted.

use jiff::civil::date;

use super::{Bench, NOW, at};
use crate::grants::Role;
use crate::interventions::By;
use crate::ledger;
use crate::pool::run_tx;
use crate::retention;
use crate::testing::{execute, texts};

#[tokio::test]
async fn a_month_of_the_ledger_goes_and_what_was_read_from_its_beginning_knows() {
    let bench = Bench::new().await;
    let operator = bench.database.login(Role::Operator);
    let mut tx = bench.database.pool.acquire().await.unwrap();
    ledger::create_partitions(&mut tx, at("2025-01-05T00:00:00Z"), 1).await.unwrap();
    let months = async || {
        let mut tx = operator.acquire().await.unwrap();
        let months = retention::months(&mut tx, date(2026, 3, 1)).await.unwrap();
        months.iter().map(|month| month.first).collect::<Vec<_>>()
    };
    assert_eq!(months().await, [date(2025, 1, 1), date(2025, 2, 1)], "neither later ones nor the default");
    let drop = async |first| {
        let mut first = first;
        run_tx(&operator, "test", &mut first, |tx, first| {
            Box::pin(async move {
                let by = By { operator: "tester", why: "the period is over", at: at(NOW) };
                retention::drop_month(tx, *first, &by).await
            })
        })
        .await
        .unwrap()
    };
    assert_eq!(retention::newest_dropped(&mut tx).await.unwrap(), None);
    assert!(drop(date(2025, 1, 1)).await);
    assert!(!drop(date(2025, 1, 1)).await, "it is not there any more");
    assert!(!drop(date(2024, 1, 1)).await);
    assert_eq!(months().await, [date(2025, 2, 1)]);
    assert_eq!(retention::newest_dropped(&mut tx).await.unwrap(), Some(date(2025, 1, 1)));
    let noted = texts(
        &mut tx,
        "SELECT concat_ws(' ', subject, step, operator, why, before - 'bytes') FROM interventions WHERE before->'bytes' > '0'",
    )
    .await;
    assert_eq!(
        noted,
        [
            r#"ledger month_dropped tester the period is over {"login": "hotline_operator", "month": "2025-01-01", "entries": 0}"#
        ]
    );
}

#[tokio::test]
async fn a_month_that_ended_less_than_half_a_year_ago_stays_whoever_asks() {
    let bench = Bench::new().await;
    let mut tx = bench.database.pool.acquire().await.unwrap();
    execute(
        &mut tx,
        "SELECT make_ledger_partition((date_trunc('month', now() AT TIME ZONE 'UTC') - n * interval '1 month')::date)
           FROM generate_series(0, 7) AS n",
    )
    .await;
    let mut operator = bench.database.login(Role::Operator).acquire().await.unwrap();
    for months in 0..=7 {
        let dropped: Result<bool, sqlx::Error> = sqlx::query_scalar(
            "SELECT drop_ledger_month((date_trunc('month', now() AT TIME ZONE 'UTC') - $1 * interval '1 month')::date, 'tester', 'a test')",
        )
        .bind(months)
        .fetch_one(&mut *operator)
        .await;
        match dropped {
            Ok(dropped) => assert!(dropped && months > 6, "{months}"),
            Err(error) => {
                let error = error.as_database_error().unwrap();
                assert_eq!(error.code().as_deref(), Some("23001"), "{error}");
                assert!(
                    months <= 6 && error.message().ends_with("ended less than six months ago"),
                    "{error}"
                );
            }
        }
    }
    assert_eq!(texts(&mut tx, "SELECT step FROM interventions").await, ["month_dropped"]);
}

#[tokio::test]
async fn letters_that_were_dealt_with_go_and_open_ones_stay() {
    let bench = Bench::new().await;
    let operator = bench.database.login(Role::Operator);
    let mut tx = bench.database.pool.acquire().await.unwrap();
    execute(
        &mut tx,
        "INSERT INTO dead_letters (origin, origin_offset, received_at, reason, faults, sealed, state, state_at)
         SELECT 'http', n, '2026-01-01', 'invalid', '[]', '\\x01', state, CASE WHEN state <> 'open' THEN timestamptz '2026-01-02' + n * interval '1 day' END
           FROM unnest(ARRAY['open', 'discarded', 'redriven', 'fixed']) WITH ORDINALITY AS letters (state, n)",
    )
    .await;
    let before = at("2026-01-05T12:00:00Z");
    let mut letters = operator.acquire().await.unwrap();
    assert_eq!(retention::letters(&mut letters, before).await.unwrap(), 2);
    let by = By { operator: "tester", why: "the period is over", at: at(NOW) };
    for (limit, gone) in [(1, 1), (10, 1), (10, 0)] {
        assert_eq!(retention::forget_letters(&mut letters, before, limit, &by).await.unwrap(), gone);
    }
    assert_eq!(retention::letters(&mut letters, before).await.unwrap(), 0);
    assert_eq!(texts(&mut tx, "SELECT state FROM dead_letters ORDER BY id").await, ["open", "fixed"]);
    let noted = "SELECT concat_ws(' ', subject, step, operator, before) FROM interventions ORDER BY id";
    let one = r#"dead_letters forgotten tester {"login": "hotline_operator", "letters": 1}"#;
    assert_eq!(texts(&mut tx, noted).await, [one, one]);
}
