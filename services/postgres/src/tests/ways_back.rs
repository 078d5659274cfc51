//! Dead letters that go back, sources that are stopped, records that end processes, positions set by hand.

use hotline_events::intake::{Outcome, Reason, Record};
use serde_json::json;

use super::{Bench, at, codes, received};
use crate::dead_letters::{self, Filter, Letter, State};
use crate::error::Error;
use crate::interventions::By;
use crate::pool::run_tx;
use crate::positions::{self, Position, Set, Trial};
use crate::sources::{self, Stop};

const SOURCE: &str = "/hotline/12345";
const LATER: &str = "2026-03-05T01:00:00Z";

fn by() -> By<'static> {
    By { operator: "tester", why: "a test", at: at(LATER) }
}

async fn letters(bench: &Bench) -> Vec<Letter> {
    let mut tx = bench.database.pool.acquire().await.unwrap();
    dead_letters::list(&mut tx, &Filter::default(), 0, 100).await.unwrap()
}

async fn steps(bench: &Bench, id: i64) -> Vec<(String, Option<String>)> {
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let steps = dead_letters::steps(&mut tx, id).await.unwrap();
    steps.into_iter().map(|step| (step.step, step.outcome)).collect()
}

async fn position(bench: &Bench, origin: &str) -> Position {
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let mut found = positions::list(&mut tx).await.unwrap();
    found.retain(|position| position.claim.origin == origin);
    found.pop().unwrap()
}

async fn resume(bench: &Bench) -> bool {
    run_tx(&bench.database.pool, "test", &mut by(), |tx, by| Box::pin(sources::resume(tx, SOURCE, by)))
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_stopped_source_sends_is_kept_and_goes_back_with_its_first_receipt() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    assert!(bench.writer.stop_source(SOURCE, Stop::Paused, by()).await.unwrap());
    assert!(!bench.writer.stop_source(SOURCE, Stop::Diverted, by()).await.unwrap(), "it is stopped already");
    let event = received("e1", "1");
    let applied = bench.apply(&mut claim, vec![bench.record(&event)]).await;
    assert_eq!((codes(&applied), applied.counts.dead), (vec!["source_stopped"], 1));
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 0);
    assert!(resume(&bench).await && !resume(&bench).await);

    let letter = letters(&bench).await.pop().unwrap();
    assert_eq!((letter.source.as_deref(), letter.case_id.as_deref()), (Some(SOURCE), Some("12345:1")));
    let dry = bench.writer.redrive_letters(&bench.tagger, &[letter.id], None).await.unwrap();
    assert_eq!(dry, [Outcome::Applied]);
    assert_eq!(bench.count("SELECT count(*) FROM cases").await, 0, "a dry run stores nothing");
    let done = bench.writer.redrive_letters(&bench.tagger, &[letter.id], Some(by())).await.unwrap();
    assert_eq!(done, [Outcome::Applied]);

    assert_eq!(letters(&bench).await.pop().unwrap().state, State::Redriven);
    assert_eq!(steps(&bench, letter.id).await, [("redriven".to_owned(), Some("applied".to_owned()))]);
    let receipts =
        "SELECT count(*) FROM ledger WHERE origin = 'redrive' AND received_at = '2026-03-02T01:00:00Z'";
    assert_eq!(bench.count(receipts).await, 1, "the receipt is the first one");
    let counts = position(&bench, "redrive").await.counts;
    assert_eq!((counts.records, counts.applied, counts.dead), (1, 1, 0));
    let again = bench.writer.redrive_letters(&bench.tagger, &[letter.id], Some(by())).await;
    assert!(matches!(again, Err(Error::LetterNotOpen { .. })));
    let same = bench.apply(&mut claim, vec![bench.record(&event)]).await;
    assert_eq!(codes(&same), ["duplicate"], "it is known now");
}

#[tokio::test]
async fn a_letter_that_is_refused_again_stays_open_and_a_mended_one_is_taken() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let mut wrong = received("e1", "1");
    wrong["data"] = json!({});
    let applied = bench.apply(&mut claim, vec![bench.record(&wrong)]).await;
    assert_eq!(codes(&applied), ["invalid"]);
    let letter = letters(&bench).await.pop().unwrap();
    assert_eq!(letter.source.as_deref(), Some(SOURCE), "an invalid event names its source all the same");

    let done = bench.writer.redrive_letters(&bench.tagger, &[letter.id], Some(by())).await.unwrap();
    assert!(matches!(done[0], Outcome::Dead { reason: Reason::Invalid, .. }));
    let refused = letters(&bench).await;
    assert_eq!(refused.len(), 1, "no letter is made of a letter");
    assert_eq!((refused[0].state, refused[0].redrives), (State::Open, 1));

    let worse =
        bench.writer.fix_letter(&bench.tagger, letter.id, b"{".to_vec(), false, Some(by())).await.unwrap();
    assert!(matches!(worse, Outcome::Dead { reason: Reason::Undecodable, .. }));
    let kept = letters(&bench).await;
    assert_eq!((kept[0].reason.as_str(), kept[0].redrives), ("invalid", 1), "it is what its own bytes are");

    let mended = received("e1", "1").to_string().into_bytes();
    let outcome = bench.writer.fix_letter(&bench.tagger, letter.id, mended, false, Some(by())).await.unwrap();
    assert_eq!(outcome, Outcome::Applied);
    assert_eq!(letters(&bench).await[0].state, State::Fixed);
    let taken = [
        ("redriven".to_owned(), Some("invalid".to_owned())),
        ("fixed".to_owned(), Some("undecodable".to_owned())),
        ("fixed".to_owned(), Some("applied".to_owned())),
    ];
    assert_eq!(steps(&bench, letter.id).await, taken);
}

#[tokio::test]
async fn batches_that_never_end_become_smaller_until_one_record_is_put_aside() {
    let bench = Bench::new().await;
    let take = async || bench.writer.claim_partition("events/0", "cluster").await.unwrap();
    let numbered = |id: &str, offset: i64| Record { offset: Some(offset), ..bench.record(&received(id, id)) };
    let mut claim = take().await.claim;
    bench.apply(&mut claim, vec![numbered("a", 0)]).await;
    assert_eq!(take().await.trial, None, "taken over once, as by any change of the group");
    let trial = |size, until, is_condemned| Some(Trial { size, until, is_condemned });
    let second = take().await;
    assert_eq!(second.trial, trial(5_000, 5_001, false), "and again without having moved");
    assert_eq!(
        take().await.trial,
        trial(5_000, 5_001, false),
        "nothing was begun: nothing is suspected further"
    );
    let given_up = take().await.claim;
    bench.writer.begin_trial(&given_up).await.unwrap();
    bench.writer.end_trial(&given_up).await.unwrap();
    assert_eq!(take().await.trial, trial(5_000, 5_001, false), "it was given up and killed nobody");
    let alone = |is_condemned| trial(1, 2, is_condemned);
    let smaller = [trial(70, 5_001, false), trial(1, 71, false)];
    let by_itself = [alone(false), alone(false), alone(false), alone(false), alone(true)];
    for expected in smaller.into_iter().chain(by_itself) {
        bench.writer.begin_trial(&take().await.claim).await.unwrap();
        let next = take().await;
        assert_eq!(next.trial, expected);
        claim = next.claim;
    }
    let old = bench.writer.begin_trial(&second.claim).await.unwrap_err();
    assert_eq!(old.code(), "fenced");
    bench.apply(&mut claim, vec![numbered("b", 1)]).await;
    let next = take().await;
    assert_eq!((next.claim.next_offset, next.trial), (2, None), "what was suspected is behind");
}

#[tokio::test]
async fn a_position_set_by_hand_counts_what_is_given_up_or_counts_anew() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim_partition("events/0", "cluster").await.unwrap().claim;
    let numbered = |id: &str, offset: i64| Record { offset: Some(offset), ..bench.record(&received(id, id)) };
    bench.apply(&mut claim, vec![numbered("a", 0), numbered("b", 1)]).await;
    let set = async |origin: &'static str, offset: i64| {
        let mut asked = (origin, offset, by());
        run_tx(&bench.database.pool, "test", &mut asked, |tx, (origin, offset, by)| {
            Box::pin(positions::set(tx, origin, *offset, by))
        })
        .await
    };
    assert_eq!(set("events/0", 10).await.unwrap(), Set::Moved { given_up: 8 });
    let moved = position(&bench, "events/0").await;
    assert_eq!((moved.counts.records, moved.counts.gaps, moved.claim.next_offset), (2, 8, 10));
    assert_eq!(moved.claim.epoch, claim.epoch + 1, "whoever held it is fenced");
    assert_eq!(set("events/0", 0).await.unwrap(), Set::BegunAnew);
    let anew = position(&bench, "events/0").await;
    assert_eq!(
        (anew.start_offset, anew.claim.next_offset, anew.counts),
        (0, 0, positions::Counts::default())
    );
    assert_eq!((anew.cluster_id, anew.last), (None, None));
    assert_eq!(set("events/7", 0).await.unwrap_err().code(), "no_position");
    let noted = "SELECT count(*) FROM interventions WHERE before->>'next_offset' IN ('2', '10')";
    assert_eq!(bench.count(noted).await, 2);
    let mut claim = bench.writer.claim_partition("events/0", "another").await.unwrap().claim;
    let again = bench.apply(&mut claim, vec![numbered("a", 0)]).await;
    assert_eq!(codes(&again), ["duplicate"], "another cluster's log may be read now");
}
