//! Two writers on one case.

use std::time::Duration;

use futures_util::future::join_all;
use hotline_core::case::CaseFacts;
use hotline_core::fact::Role;
use hotline_core::rulebook::Basis;
use hotline_core::score::{Cell, Series, TallyKey};
use jiff::civil::date;
use serde_json::json;
use tokio::time::timeout;

use super::{Bench, apply, event, received};
use crate::cases::{self, Folded, Loaded};
use crate::error::{Error, Sort};
use crate::pool::{PoolConfig, pool, run_tx};
use crate::tallies::{self, Names};

async fn facts(bench: &Bench, case: &str) -> usize {
    let mut connection = bench.database.pool.acquire().await.unwrap();
    let loaded = cases::load(&mut connection, &[case]).await.unwrap();
    CaseFacts::decode(&loaded[0].facts).unwrap().count()
}

/// None of them pauses: who loses a race must be next, or it would give up after [`crate::pool::ATTEMPTS_MAX`] of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_one_new_case_lose_no_fact_and_starve_none() {
    const EACH: usize = 40;
    const WRITERS: usize = 5;
    let bench = Bench::new().await;
    let work = async |origin: String| {
        let writer = bench.second();
        let mut claim = writer.claim(&origin).await.unwrap();
        for n in 0..EACH {
            let urged = event(&format!("{origin}-{n}"), "1", "urged", "2026-03-02T00:20:00Z", &json!({}));
            // The second case makes each transaction touch two, in whatever order they arrive.
            let other = event(&format!("{origin}-{n}"), "2", "urged", "2026-03-02T00:20:00Z", &json!({}));
            let records = if n % 2 == 0 { [urged, other] } else { [other, urged] };
            apply(&writer, &mut claim, records.iter().map(|one| bench.record(one)).collect()).await;
        }
    };
    join_all((0..WRITERS).map(|n| work(format!("events/{n}")))).await;
    let all = WRITERS * EACH;
    assert_eq!((facts(&bench, "12345:1").await, facts(&bench, "12345:2").await), (all, all));
    let law = "SELECT count(*) FROM positions WHERE applied = 80 AND next_offset = 80";
    assert_eq!(bench.count(law).await, 5);
}

/// Both writers read, then both write. With which statement is the question.
async fn interleave(sql: &'static str) -> (Result<(), Error>, usize) {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    apply(&bench.writer, &mut claim, vec![bench.record(&received("e0", "1"))]).await;
    let mut one = bench.database.pool.begin().await.unwrap();
    let mut two = bench.database.pool.begin().await.unwrap();
    let first = cases::load(&mut one, &["12345:1"]).await.unwrap();
    let second = cases::load(&mut two, &["12345:1"]).await.unwrap();
    let write = async |tx: &mut sqlx::PgConnection, loaded: &Loaded, id: &str| {
        let folded = with_fact(&bench, loaded, id);
        cases::write_with(tx, "test::update", sql, &[&folded], 1, super::at(super::NOW)).await
    };
    write(&mut one, &first[0], "e1").await.unwrap();
    one.commit().await.unwrap();
    let result = write(&mut two, &second[0], "e2").await;
    two.commit().await.unwrap();
    (result, facts(&bench, "12345:1").await)
}

/// The row of a case with another fact.
fn with_fact(bench: &Bench, loaded: &Loaded, id: &str) -> Folded {
    let record = bench.record(&event(id, "1", "urged", "2026-03-02T00:20:00Z", &json!({})));
    let hotline_events::intake::RecordContent::Events(events) = &record.content else { panic!() };
    let hotline_events::Event::Case(decoded) = &events[0] else { panic!() };
    let mut facts = CaseFacts::decode(&loaded.facts).unwrap();
    let rulebook = super::rulebook(&super::files(5));
    facts.add(decoded.fact.clone(), &rulebook);
    let view = hotline_core::fold::fold("12345:1", &facts, &rulebook);
    let score = hotline_core::score::score(&view, &rulebook);
    Folded {
        case_id: loaded.case_id.clone(),
        revision: Some(loaded.revision),
        facts: facts.encode(),
        score: score.encode(),
        columns: cases::Columns::of(&view, &score, &[]),
        recorded: loaded.recorded,
    }
}

#[tokio::test]
async fn the_revision_condition_is_what_keeps_the_first_writers_fact() {
    let (result, facts) = interleave(cases::UPDATE).await;
    assert_eq!(result.unwrap_err().sort(), Sort::Race);
    assert_eq!(facts, 2, "the receipt and the first writer's fact; the second will run again");
    let without: &'static str = cases::UPDATE.replace("AND cases.revision = n.revision", "").leak();
    assert_ne!(without, cases::UPDATE);
    let (result, facts) = interleave(without).await;
    assert!(result.is_ok(), "nothing would notice");
    assert_eq!(facts, 2, "three facts were sent: the first writer's is lost");
}

#[tokio::test]
async fn who_is_cut_off_in_a_statement_leaves_no_answers_behind() {
    let bench = Bench::new().await;
    let mut config = PoolConfig::new(bench.database.connect.clone());
    config.connections_max = 1;
    let pool = pool(&config);
    for wait in 0..40 {
        let mut deltas = tallies::all(&mut bench.database.pool.acquire().await.unwrap()).await.unwrap();
        let cell = Cell {
            department: "D1".into(),
            role: Role::Lead,
            hotline: "12345".into(),
            case_type: "complaint".into(),
            class: "ordinary".into(),
        };
        for day in 1..=28 {
            let series = Series { basis: Basis::Event, measure: "received".into(), cell: cell.clone() };
            deltas.insert(TallyKey { series, day: date(2026, 2, day) }, 1);
        }
        let cut_off = run_tx(&pool, "test", &mut deltas, |tx, deltas| {
            Box::pin(async move {
                for _ in 0..200 {
                    tallies::append(tx, &Names::default(), deltas).await?;
                }
                Ok(())
            })
        });
        assert!(
            timeout(Duration::from_micros(2_000 + wait * 370), cut_off).await.is_err(),
            "it takes longer"
        );
        let mut number = 7_i64;
        let asked = run_tx(&pool, "test", &mut number, |tx, number| {
            Box::pin(async move {
                let answered: i64 =
                    sqlx::query_scalar("SELECT $1::bigint").bind(*number).fetch_one(tx).await.unwrap();
                Ok(answered)
            })
        });
        assert_eq!(asked.await.unwrap(), 7);
    }
    assert_eq!(bench.count("SELECT count(*) FROM tally_deltas").await, 0, "nothing of it was committed");
}
