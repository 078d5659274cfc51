//! What is said of cases whose person was erased, by whoever checks a copy.

use hotline_postgres::closure_records::{self, Leaf, Which};
use hotline_postgres::run_tx;
use jiff::Timestamp;

use super::bundle::{Bundled, INDEX, Wanted, export};
use super::mirror::{Source, mirror};
use crate::log::tests::Stage;
use crate::verify::{Erased, Trust, directory};
use crate::witness::tests::NoRulebooks;

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

async fn write(stage: &Stage, kind: &'static str, bytes: &str) {
    let mut leaves = vec![Leaf { case_id: Some("12345:1".into()), kind, bytes: bytes.as_bytes().to_vec() }];
    run_tx(&stage.database.pool, "test", &mut leaves, |tx, leaves| {
        Box::pin(closure_records::append(tx, leaves, NOW))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_case_without_a_person_is_named_and_its_records_stay_sound() {
    let stage = Stage::new().await;
    write(&stage, "closed", r#"{"case":"12345:1","cause":[{"kind":"erased"}],"kind":"closed"}"#).await;
    write(
        &stage,
        "erased",
        r#"{"after":1,"case":"12345:1","kind":"erased","written_at":"2026-03-02T01:00:00Z"}"#,
    )
    .await;
    stage.seal().await.unwrap();
    let trust = Trust { key: stage.key().await, witnesses: Vec::new() };
    let pool = stage.operator().pool;
    let (bundle, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let which = Which { cases: vec!["12345:1".to_owned()], ..Which::default() };
    export(&pool, &Wanted { which, bulletin: None }, bundle.path()).await.unwrap();
    mirror(&Source::Database(pool), copy.path(), |_, _| {}).await.unwrap();
    for found in [bundle.path(), copy.path()] {
        let verified = directory(found, &trust, &mut NoRulebooks, |_, _| {}).unwrap();
        assert!(verified.is_sound(), "{:?}", verified.findings);
        assert_eq!(verified.records, 2);
        let erased = Erased { case: "12345:1".to_owned(), at: "2026-03-02T01:00:00Z".to_owned() };
        assert_eq!(verified.erased, [erased]);
    }
}

#[tokio::test]
async fn a_bundle_without_a_record_leaves_nothing_behind() {
    let stage = Stage::new().await;
    write(&stage, "closed", r#"{"case":"12345:1","cause":[],"kind":"closed"}"#).await;
    stage.seal().await.unwrap();
    let (pool, outside) = (stage.operator().pool, tempfile::tempdir().unwrap());
    let directory = outside.path().join("bundle");
    let wanted = |case: &str| Wanted {
        which: Which { cases: vec![case.to_owned()], ..Which::default() },
        bulletin: None,
    };
    let nothing = export(&pool, &wanted("nope"), &directory).await.unwrap();
    assert_eq!((nothing, directory.exists()), (Bundled::default(), false));
    let bundled = export(&pool, &wanted("12345:1"), &directory).await.unwrap();
    assert_eq!((bundled.records, directory.join(INDEX).is_file()), (1, true), "the same directory is taken");
}
