//! Closure records: which are written when, that they recompute, and that nothing personal is in them.

use hotline_core::rulebook::{Files, Rulebook};
use hotline_events::closure::{CaseRecord, ReadRecord, read, recompute};
use serde_json::{Value, json};

use super::{Bench, at, codes, event, files, received, rulebook};
use crate::grants::Role;
use crate::interventions::By;
use crate::pool::run_tx;
use crate::positions::Claim;
use crate::sources::Stop;
use crate::testing::alter;
use crate::{closure_records, dead_letters, erasures, personal, rulebooks, sources};

const LATER: &str = "2026-03-20T00:00:00Z";
const NAME: &str = "Planted-Name-41aa";

/// The small rulebook with a hold, and this limit.
fn holding(limit: u32) -> Files {
    let mut files = files(limit);
    let policies = files.get_mut("policies/close.toml").unwrap();
    policies.extend(b"holds = [\"parked\"]\n");
    // What comes in days late counts when it happened.
    let sources = String::from_utf8(files["sources/city.toml"].clone()).unwrap();
    let patient = sources.replacen("trusted_before", "backdate_max = \"500 hour\"\ntrusted_before", 1);
    files.insert("sources/city.toml".to_owned(), patient.into_bytes());
    files
}

async fn bench() -> (Bench, Rulebook, Claim) {
    let bench = Bench::new().await;
    let files = holding(5);
    let rules = rulebook(&files);
    bench.writer.activate(&files, &rules, false, at(super::NOW)).await.unwrap();
    let claim = bench.writer.claim("http").await.unwrap();
    (bench, rules, claim)
}

fn closed(id: &str, time: &str) -> Value {
    event(id, "1", "closed", time, &json!({ "department": "D1", "outcome": "resolved" }))
}

fn rated(id: &str, time: &str) -> Value {
    event(id, "1", "rated", time, &json!({ "reached": true, "satisfaction": 5, "method": "call" }))
}

fn reopened(id: &str, time: &str) -> Value {
    event(id, "1", "reopened", time, &json!({ "reason": "dissatisfied" }))
}

impl Bench {
    /// An event that is received when it happens.
    async fn send(&self, claim: &mut Claim, event: &Value) -> &'static str {
        let received_at = event["time"].as_str().unwrap();
        let code = codes(&self.apply(claim, vec![self.record_at(event, received_at)]).await)[0];
        assert!(["applied", "duplicate", "source_stopped"].contains(&code), "{code}: {event}");
        code
    }

    async fn records_of(&self, case: &str) -> Vec<CaseRecord> {
        let mut tx = self.database.pool.acquire().await.unwrap();
        let leaves = closure_records::of_case(&mut tx, case).await.unwrap();
        let record = |leaf: &Vec<u8>| match read(leaf) {
            Ok(ReadRecord::Case(record)) => *record,
            other => panic!("{other:?}"),
        };
        leaves.iter().map(record).collect()
    }

    async fn kinds(&self) -> Vec<String> {
        let records = self.records_of("12345:1").await;
        let numbers: Vec<_> = records.iter().map(|record| record.seq).collect();
        let dense: Vec<_> = (1..).map(Some).take(records.len()).collect();
        assert_eq!(numbers, dense);
        records.iter().map(|record| record.kind.to_string()).collect()
    }

    async fn refold(&self) {
        while !self.writer.refold_step(at(LATER), 1).await.unwrap().refold.done {}
    }
}

#[tokio::test]
async fn each_change_of_what_was_decided_is_a_record_and_nothing_else_is() {
    let (bench, rules, mut claim) = bench().await;
    bench.send(&mut claim, &received("e1", "1")).await;
    bench.send(&mut claim, &event("e2", "1", "urged", "2026-03-02T05:00:00Z", &json!({}))).await;
    assert_eq!(bench.kinds().await, Vec::<String>::new(), "nothing was decided yet");
    bench.send(&mut claim, &closed("e3", "2026-03-03T05:00:00Z")).await;
    bench.send(&mut claim, &rated("e4", "2026-03-04T05:00:00Z")).await;
    bench.send(&mut claim, &reopened("e5", "2026-03-05T05:00:00Z")).await;
    bench.send(&mut claim, &event("e6", "1", "urged", "2026-03-05T06:00:00Z", &json!({}))).await;
    bench.send(&mut claim, &closed("e7", "2026-03-06T05:00:00Z")).await;
    let exclusion =
        json!({ "indicator": "close", "effect": "exclude", "reason": "weather", "document": "示例1号" });
    bench.send(&mut claim, &event("e8", "1", "ruled", "2026-03-07T05:00:00Z", &exclusion)).await;
    let corrects = json!({ "source": "/hotline/12345", "id": "e7", "type": "hotline.case.closed.v1" });
    let voided = json!({ "corrects": corrects, "void": true });
    assert_eq!(
        bench.send(&mut claim, &event("e9", "1", "corrected", "2026-03-08T05:00:00Z", &voided)).await,
        "applied"
    );
    let kinds = ["closed", "rated", "reopened", "closed", "ruled", "corrected"];
    assert_eq!(bench.kinds().await, kinds);
    // What comes again changes nothing.
    assert_eq!(bench.send(&mut claim, &closed("e7", "2026-03-06T05:00:00Z")).await, "duplicate");
    assert_eq!(bench.kinds().await, kinds);

    let records = bench.records_of("12345:1").await;
    for record in &records {
        assert_eq!(recompute(record, &rules), Ok(Vec::new()));
    }
    let first = |n: usize, member: &str| records[n].judged["rounds"][0][member].clone();
    for member in ["opened", "closed", "clocks"] {
        assert_eq!(first(0, member), first(2, member), "a reopened case keeps its first round");
        assert_eq!(first(0, member), first(3, member));
    }
    let rounds = |n: usize| records[n].judged["rounds"].as_array().unwrap().len();
    assert_eq!([0, 1, 2, 3, 4, 5].map(rounds), [1, 1, 1, 2, 2, 1], "a round whose closing is voided is open");
    let cause = serde_json::to_value(format!("{:?}", records[0].cause)).unwrap();
    assert!(cause.as_str().unwrap().contains("\"e3\""), "{cause}");
}

#[tokio::test]
async fn a_hold_that_comes_in_late_changes_a_verdict_and_is_a_record() {
    let (bench, rules, mut claim) = bench().await;
    bench.send(&mut claim, &received("e1", "1")).await;
    bench.send(&mut claim, &closed("e2", "2026-03-13T05:00:00Z")).await;
    let held = event("e3", "1", "held", "2026-03-03T01:00:00Z", &json!({ "reason": "parked" }));
    let released = event("e4", "1", "released", "2026-03-11T01:00:00Z", &json!({ "reason": "parked" }));
    let late = [&held, &released].map(|event| bench.record_at(event, LATER));
    bench.apply(&mut claim, late.into()).await;
    let records = bench.records_of("12345:1").await;
    let verdict = |record: &CaseRecord| record.judged["rounds"][0]["clocks"][0]["verdict"].clone();
    assert_eq!(records.iter().map(verdict).collect::<Vec<_>>(), ["late", "met"]);
    assert_eq!(bench.kinds().await, ["closed", "corrected"]);
    assert_eq!(recompute(&records[1], &rules), Ok(Vec::new()));
}

#[tokio::test]
async fn a_batch_split_otherwise_writes_the_same_judgement() {
    let (bench, _, mut claim) = bench().await;
    let events =
        [received("e1", "1"), closed("e2", "2026-03-03T05:00:00Z"), rated("e3", "2026-03-04T05:00:00Z")];
    let again: Vec<Value> = events
        .iter()
        .map(|event| {
            let mut event = event.clone();
            event["subject"] = json!("12345:2");
            event
        })
        .collect();
    for event in &events {
        bench.send(&mut claim, event).await;
    }
    let whole = again.iter().map(|event| bench.record_at(event, event["time"].as_str().unwrap())).collect();
    bench.apply(&mut claim, whole).await;
    let (one, other) = (bench.records_of("12345:1").await, bench.records_of("12345:2").await);
    assert_eq!((one.len(), other.len()), (2, 1));
    assert_eq!(one[1].judged, other[0].judged);
}

#[tokio::test]
async fn other_rules_that_decide_otherwise_restate_and_others_write_nothing() {
    let (bench, _, mut claim) = bench().await;
    bench.send(&mut claim, &received("e1", "1")).await;
    bench.send(&mut claim, &closed("e2", "2026-03-06T00:30:00Z")).await;
    bench.refold().await;
    let mut same = holding(5);
    same.get_mut("policies/close.toml").unwrap().extend(b"# another file, the same rules\n");
    bench.writer.activate(&same, &rulebook(&same), true, at(LATER)).await.unwrap();
    bench.refold().await;
    assert_eq!(bench.kinds().await, ["closed"], "it decides the same");
    let shorter = holding(3);
    bench.writer.activate(&shorter, &rulebook(&shorter), true, at(LATER)).await.unwrap();
    bench.refold().await;
    assert_eq!(bench.kinds().await, ["closed", "restated"]);
    let records = bench.records_of("12345:1").await;
    assert_eq!(recompute(&records[1], &rulebook(&shorter)), Ok(Vec::new()));
    bench.refold().await;
    assert_eq!(bench.kinds().await.len(), 2);
}

#[tokio::test]
async fn a_case_closed_before_there_were_records_gets_its_first_when_it_is_folded_again() {
    let (bench, rules, mut claim) = bench().await;
    for event in [received("e1", "1"), closed("e2", "2026-03-03T05:00:00Z")] {
        bench.send(&mut claim, &event).await;
    }
    alter(&mut bench.database.pool.acquire().await.unwrap(), "TRUNCATE closure_records").await;
    bench
        .execute("UPDATE cases SET records = 0, judged = NULL, recorded_whole = false, fold_version = fold_version - 1")
        .await;
    bench.refold().await;
    assert_eq!(bench.kinds().await, ["recorded"]);
    assert_eq!(recompute(&bench.records_of("12345:1").await[0], &rules), Ok(Vec::new()));
    bench.execute("UPDATE cases SET fold_version = fold_version - 1").await;
    bench.execute("TRUNCATE refolds").await;
    bench.refold().await;
    assert_eq!(bench.kinds().await, ["recorded"], "once");
}

#[tokio::test]
async fn what_is_sent_again_by_hand_is_recorded_once() {
    let (bench, _, mut claim) = bench().await;
    let by = || By { operator: "tester", why: "a test", at: at(LATER) };
    bench.send(&mut claim, &received("e1", "1")).await;
    bench.writer.stop_source("/hotline/12345", Stop::Paused, by()).await.unwrap();
    assert_eq!(bench.send(&mut claim, &closed("e2", "2026-03-03T05:00:00Z")).await, "source_stopped");
    assert_eq!(bench.kinds().await, Vec::<String>::new());
    let ids = run_tx(&bench.database.pool, "test", &mut by(), |tx, by| {
        Box::pin(async move {
            sources::resume(tx, "/hotline/12345", by).await?;
            dead_letters::ids(tx, &dead_letters::Filter::default()).await
        })
    })
    .await
    .unwrap();
    bench.writer.redrive_letters(&bench.tagger, &ids, Some(by())).await.unwrap();
    assert_eq!(bench.kinds().await, ["closed"]);
    let records = bench.records_of("12345:1").await;
    assert!(format!("{:?}", records[0].cause).contains("\"redrive\""));
    bench.send(&mut claim, &closed("e2", "2026-03-03T05:00:00Z")).await;
    assert_eq!(bench.kinds().await, ["closed"]);
}

#[tokio::test]
async fn nothing_personal_is_in_a_record_and_each_part_can_be_shown() {
    let (bench, _, mut claim) = bench().await;
    let data = json!({
        "case_type": "complaint", "content": NAME, "reporter": { "name": NAME }, "reporter_tag": NAME,
    });
    let first = event("e1", "1", "received", "2026-03-02T00:10:00Z", &data);
    let mut second = closed("e2", "2026-03-03T05:00:00Z");
    second["data"]["content"] = json!(NAME);
    let mut third = rated("e3", "2026-03-04T05:00:00Z");
    third["data"]["remark"] = json!(NAME);
    bench.send(&mut claim, &first).await;
    let both = [&second, &third].map(|event| bench.record_at(event, "2026-03-04T05:00:00Z"));
    bench.apply(&mut claim, both.into()).await;
    // A copy adds nothing to the chain.
    bench.send(&mut claim, &second).await;

    let record = bench.records_of("12345:1").await.pop().unwrap();
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let leaves = closure_records::of_case(&mut tx, "12345:1").await.unwrap();
    let holds = |bytes: &[u8]| bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes());
    assert!(leaves.iter().all(|leaf| !holds(leaf)) && !holds(&record.facts.encode()));

    let (key, mut parts) = personal::committed(&mut tx, bench.writer.master(), "12345:1").await.unwrap();
    let chain = personal::chain(&key, &parts).unwrap();
    assert_eq!((chain.count, parts.len()), (3, 3));
    assert_eq!(record.personal.count, 3);
    assert_eq!(record.personal.chain, crate::seal::hex(&chain.chain));
    assert!(parts.iter().all(|part| holds(part.members.expose())));
    parts.swap(0, 2);
    assert_eq!(personal::chain(&key, &parts).unwrap(), chain, "they have their places");
    parts[1].members = crate::seal::Personal::new(b"{}".to_vec());
    assert_ne!(personal::chain(&key, &parts).unwrap(), chain);
    parts.remove(1);
    assert_eq!(personal::chain(&key, &parts), Err(2));
    let other = crate::seal::DataKey::generate().unwrap();
    let (_, parts) = personal::committed(&mut tx, bench.writer.master(), "12345:1").await.unwrap();
    assert_ne!(personal::chain(&other, &parts).unwrap(), chain, "nobody can make it without the key");
}

#[tokio::test]
async fn when_the_person_is_erased_its_records_stay_sound_and_the_chain_begins_anew() {
    let (bench, rules, mut claim) = bench().await;
    let mut first = received("e1", "1");
    first["data"]["content"] = json!(NAME);
    let mut second = closed("e2", "2026-03-03T05:00:00Z");
    second["data"]["content"] = json!(NAME);
    for event in [&first, &second] {
        bench.send(&mut claim, event).await;
    }
    let before = bench.records_of("12345:1").await;
    let mut cases = vec!["12345:1".into()];
    run_tx(&bench.database.login(Role::Operator), "test", &mut cases, |tx, cases| {
        Box::pin(async move {
            let by = By { operator: "tester", why: "a test", at: at(LATER) };
            erasures::erase(tx, cases, &by).await
        })
    })
    .await
    .unwrap();
    let mut tx = bench.database.pool.acquire().await.unwrap();
    let error = personal::committed(&mut tx, bench.writer.master(), "12345:1").await.unwrap_err();
    assert_eq!(error.code(), "erased");
    let mut third = rated("e3", "2026-03-04T05:00:00Z");
    third["data"]["remark"] = json!(NAME);
    bench.send(&mut claim, &third).await;

    let leaves = closure_records::of_case(&mut tx, "12345:1").await.unwrap();
    let read: Vec<ReadRecord> = leaves.iter().map(|leaf| read(leaf).unwrap()).collect();
    let [ReadRecord::Case(closed), ReadRecord::Erased(erased), ReadRecord::Case(rated)] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(**closed, before[0], "a record stays what it was");
    assert_eq!(
        (erased.after, &erased.personal),
        (1, &closed.personal),
        "it says what cannot be shown any more"
    );
    assert_eq!((rated.seq, rated.personal.count), (Some(2), 1));
    for record in [closed, rated] {
        assert_eq!(recompute(record, &rules), Ok(Vec::new()));
    }
    let (key, parts) = personal::committed(&mut tx, bench.writer.master(), "12345:1").await.unwrap();
    let chain = personal::chain(&key, &parts).unwrap();
    assert_eq!(rated.personal.chain, crate::seal::hex(&chain.chain), "what came later can be shown");
}

#[tokio::test]
async fn every_rulebook_that_became_active_is_a_record_once() {
    let (bench, rules, _) = bench().await;
    let hashes = async || {
        let mut tx = bench.database.pool.acquire().await.unwrap();
        let leaves =
            closure_records::page(&mut tx, &closure_records::Which::default(), 0, 100).await.unwrap();
        let hash = |kept: &closure_records::Kept| match read(&kept.leaf) {
            Ok(ReadRecord::Rulebook(record)) => {
                assert_eq!(record.files.len(), rules.files.len());
                (record.rulebook.seq, record.rulebook.hash.to_string())
            }
            other => panic!("{other:?}"),
        };
        leaves.iter().map(hash).collect::<Vec<_>>()
    };
    let expected = vec![(1, rulebook(&files(5)).hash.to_string()), (2, rules.hash.to_string())];
    assert_eq!(hashes().await, expected);
    // Of before there were records.
    alter(&mut bench.database.pool.acquire().await.unwrap(), "TRUNCATE closure_records").await;
    bench.execute("UPDATE rulebooks SET recorded = false").await;
    for _ in 0..2 {
        let mut now = at(LATER);
        run_tx(&bench.database.pool, "test", &mut now, |tx, now| Box::pin(rulebooks::record_all(tx, *now)))
            .await
            .unwrap();
        assert_eq!(hashes().await, expected);
    }
}
