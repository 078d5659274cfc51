//! Records computed again: what casework wrote holds, and what says otherwise is found, though the log has signed it.

use std::path::Path;
use std::sync::Arc;

use hotline_core::rulebook::{Files, Rulebook, load};
use hotline_postgres::closure_records::{self, Which};
use hotline_postgres::run_read_tx;
use serde_json::{Value, json};

use super::{Rulebooks, Trust, Verified, directory};
use crate::api::tests::stage::{Stage, closed, event, files};
use crate::copy::bundle::{INDEX, Wanted, export};
use crate::copy::mirror::{Source, mirror};
use crate::copy::rulebooks::{RULEBOOKS, directory_of};

/// Those that stand in a copy.
struct Copied<'d>(&'d Path);

impl Rulebooks for Copied<'_> {
    fn find(&mut self, hash: &str) -> Result<Option<Arc<Rulebook>>, String> {
        let Some(path) = directory_of(self.0, hash).filter(|path| path.is_dir()) else { return Ok(None) };
        let of =
            |path: &String| Some((path.clone(), std::fs::read(directory_of(self.0, hash)?.join(path)).ok()?));
        let found: Files = files().keys().filter_map(of).collect();
        assert!(!found.is_empty(), "{}", path.display());
        load(&found).map(|loaded| Some(Arc::new(loaded.rulebook))).map_err(|faults| format!("{faults:?}"))
    }
}

/// A log of cases that were closed in time and late, rated, reopened and ruled on.
async fn staged() -> Stage {
    let stage = Stage::new().await;
    stage.apply(closed("A", "D1", "2026-03-03T01:00:00Z")).await;
    stage.apply(closed("B", "D1", "2026-03-12T01:00:00Z")).await;
    let rated = json!({ "reached": true, "satisfaction": 5, "attempt": 1 });
    stage.apply(vec![event("A-s", "A", "rated", "2026-03-04T01:00:00Z", &rated)]).await;
    let reopened = json!({ "reason": "dissatisfied" });
    stage.apply(vec![event("B-o", "B", "reopened", "2026-03-13T01:00:00Z", &reopened)]).await;
    stage
}

async fn records(stage: &Stage) -> Vec<closure_records::Kept> {
    let pool = stage.operator();
    let mut which = Which::default();
    run_read_tx(&pool, "test", &mut which, |tx, which| Box::pin(closure_records::page(tx, which, 0, 100)))
        .await
        .unwrap()
}

/// What is found in a mirror and in a bundle of everything.
async fn verified(stage: &Stage) -> [Verified; 2] {
    stage.seal(records(stage).await.last().unwrap().id).await;
    let (pool, key) = (stage.operator(), stage.log_key().await);
    let trust = Trust { key, witnesses: Vec::new() };
    let (copy, bundle) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    mirror(&Source::Database(pool.clone()), copy.path(), |_, _| {}).await.unwrap();
    export(&pool, &Wanted::default(), bundle.path()).await.unwrap();
    [copy.path(), bundle.path()].map(|path| directory(path, &trust, &mut Copied(path), |_, _| {}).unwrap())
}

#[tokio::test]
async fn what_casework_wrote_is_what_the_facts_come_to() {
    let stage = staged().await;
    let written = records(&stage).await;
    let kinds: Vec<&str> = written.iter().map(|kept| kept.kind.as_str()).collect();
    assert_eq!(kinds, ["rulebook", "closed", "closed", "rated", "reopened"]);
    for verified in verified(&stage).await {
        assert!(verified.is_sound(), "{:?}", verified.findings);
        assert!(verified.remade.is_whole(), "{:?}", verified.remade);
        assert_eq!((verified.remade.records, verified.remade.rulebooks), (4, 1));
    }
}

#[tokio::test]
async fn a_rulebook_that_a_bundle_brings_along_is_counted() {
    let stage = staged().await;
    stage.seal(records(&stage).await.last().unwrap().id).await;
    let trust = Trust { key: stage.log_key().await, witnesses: Vec::new() };
    let bundle = tempfile::tempdir().unwrap();
    // The record of the rulebook itself is not in it.
    let which = Which { cases: vec!["12345:B".to_owned()], ..Which::default() };
    export(&stage.operator(), &Wanted { which, bulletin: None }, bundle.path()).await.unwrap();
    let verified = directory(bundle.path(), &trust, &mut Copied(bundle.path()), |_, _| {}).unwrap();
    assert!(verified.is_sound() && verified.remade.records > 0, "{:?}", verified.remade);
    assert_eq!(verified.remade.rulebooks, 1);
}

/// The last record of a case with something in it changed, as its next.
fn next(written: &[closure_records::Kept], case: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let last = written.iter().rev().find(|kept| kept.case_id.as_deref() == Some(case)).expect("it has one");
    let mut said: Value = serde_json::from_slice(&last.leaf).unwrap();
    said["seq"] = (said["seq"].as_i64().unwrap() + 1).into();
    change(&mut said);
    hotline_events::canonical(&said)
}

#[tokio::test]
async fn a_signed_record_that_says_otherwise_is_found() {
    let stage = staged().await;
    let written = records(&stage).await;
    let lie = next(&written, "12345:B", |said| {
        assert_eq!(said["judged"]["rounds"][0]["clocks"][0]["verdict"], "late");
        said["judged"]["rounds"][0]["clocks"][0]["verdict"] = "met".into();
    });
    stage.write_record("12345:B", "reopened", lie).await;
    for verified in verified(&stage).await {
        assert_eq!(verified.found, 1, "{:?}", verified.findings);
        let finding = &verified.findings[0];
        assert!(
            finding.contains("12345:B") && finding.contains("/judged/rounds/0/clocks/0/verdict"),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn a_record_that_is_missing_is_missed_in_a_mirror() {
    let stage = staged().await;
    let written = records(&stage).await;
    let later = next(&written, "12345:A", |said| said["seq"] = 7.into());
    stage.write_record("12345:A", "rated", later).await;
    let [mirror, bundle] = verified(&stage).await;
    assert!(bundle.is_sound(), "a bundle has some records only: {:?}", bundle.findings);
    assert_eq!(
        mirror.findings,
        ["12345:A: its records must be numbered from 1 on, each once; there are 1, 2, 7"]
    );
}

#[tokio::test]
async fn a_record_that_stands_twice_in_place_of_another_is_found() {
    let stage = staged().await;
    let written = records(&stage).await;
    let again = next(&written, "12345:A", |said| said["seq"] = 2.into());
    stage.write_record("12345:A", "rated", again).await;
    let [mirror, _] = verified(&stage).await;
    assert_eq!(
        mirror.findings,
        ["12345:A: its records must be numbered from 1 on, each once; there are 1, 2, 2"]
    );
}

#[tokio::test]
async fn a_bundle_that_was_shortened_or_labelled_otherwise_is_found() {
    let stage = staged().await;
    stage.seal(records(&stage).await.last().unwrap().id).await;
    let (pool, key) = (stage.operator(), stage.log_key().await);
    let trust = Trust { key, witnesses: Vec::new() };
    let looked = async |change: fn(&Path, &mut Value)| {
        let bundle = tempfile::tempdir().unwrap();
        export(&pool, &Wanted::default(), bundle.path()).await.unwrap();
        let index = bundle.path().join(INDEX);
        let mut said: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
        change(bundle.path(), &mut said);
        std::fs::write(&index, said.to_string()).unwrap();
        directory(bundle.path(), &trust, &mut Copied(bundle.path()), |_, _| {}).unwrap().findings
    };
    assert_eq!(looked(|_, _| {}).await, Vec::<String>::new());
    let none = looked(|_, said| said["records"] = json!([])).await;
    assert_eq!(none, ["index.json names no record"]);
    let other = looked(|_, said| said["records"][1]["case"] = "12345:Z".into()).await;
    assert!(other.len() == 1 && other[0].contains("says something else of it"), "{other:?}");
    let forged = looked(|path, _| std::fs::write(path.join("checkpoint"), "forged").unwrap()).await;
    assert!(forged.len() == 1 && forged[0].starts_with("checkpoint: "), "{forged:?}");
    let bare = looked(|path, _| std::fs::remove_dir_all(path.join(RULEBOOKS)).unwrap()).await;
    assert!(bare.len() == 1 && bare[0].contains("is not in the copy"), "{bare:?}");
}

#[tokio::test]
async fn bytes_that_are_no_record_and_records_of_newer_programs_are_told_apart() {
    let stage = staged().await;
    stage.write_record("12345:A", "closed", b"{".to_vec()).await;
    stage.write_record("12345:A", "closed", br#"{"v":99}"#.to_vec()).await;
    for verified in verified(&stage).await {
        assert_eq!((verified.found, verified.remade.unknown), (1, 1), "{:?}", verified.findings);
        assert!(!verified.remade.is_whole());
    }
}
