//! What concerns a person stands in no column, no file of the cluster and no log in the clear.

use std::fs;
use std::path::{Path, PathBuf};

use hotline_core::fact::EventKey;
use serde_json::json;

use super::{Bench, codes, event};
use crate::interventions::By;
use crate::testing::directory;
use crate::{erasures, personal};

const NAME: &str = "Planted-Name-9f2c";
const PHONE: &str = "13900001111";
const TEXT: &str = "planted words of a caller";

#[tokio::test]
async fn planted_personal_data_are_found_sealed_and_nowhere_else() {
    let bench = Bench::new().await;
    let mut claim = bench.writer.claim("http").await.unwrap();
    let data = json!({
        "case_type": "complaint", "content": TEXT, "reporter": { "name": NAME, "phone": PHONE },
        "remark_of_no_schema": NAME,
    });
    let good = event("e1", "1", "received", "2026-03-02T00:10:00Z", &data);
    let mut conflict = good.clone();
    conflict["data"]["content"] = json!(format!("{TEXT}, again"));
    let mut invalid = good.clone();
    invalid["time"] = json!(PHONE);
    let mut unlisted = good.clone();
    unlisted["source"] = json!(format!("/hotline/{NAME}"));
    let records = [&good, &conflict, &invalid, &unlisted].map(|event| bench.record(event));
    let applied = bench.apply(&mut claim, records.into()).await;
    assert_eq!(codes(&applied), ["applied", "id_conflict", "invalid", "unknown_source"]);

    let mut tx = bench.database.pool.acquire().await.unwrap();
    let opened = personal::open(&mut tx, bench.writer.master(), "12345:1").await.unwrap();
    assert_eq!((opened.len(), opened[0].0), (1, EventKey::of("/hotline/12345", "e1")));
    let members = String::from_utf8(opened[0].1.expose().clone()).unwrap();
    assert!([NAME, PHONE, TEXT].iter().all(|planted| members.contains(planted)), "{members}");

    sqlx::query("CHECKPOINT").execute(&mut *tx).await.unwrap();
    let found = search(directory(), &[NAME, PHONE, TEXT]);
    assert_eq!(found, Vec::<String>::new());
    // The search finds what is there.
    assert!(
        !search(directory(), &["Hotline 12345"]).is_empty() || !search(directory(), &["12345:1"]).is_empty()
    );

    let mut tx = bench.database.pool.begin().await.unwrap();
    let by = By { operator: "tester", why: "asked for", at: super::at(super::NOW) };
    let erased = erasures::erase(&mut tx, &["12345:1".into()], &by).await.unwrap();
    assert_eq!((erased.keys, erased.parts, erased.letters), (1, 1, 1));
    let error = personal::open(&mut tx, bench.writer.master(), "12345:1").await.unwrap_err();
    assert_eq!(error.code(), "erased");
    let again = erasures::erase(&mut tx, &["12345:1".into()], &by).await.unwrap();
    assert_eq!((again.keys, again.parts, again.letters), (0, 0, 0));
}

/// Files under a directory that hold one of the words.
fn search(directory: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in files(directory) {
        // The words are ASCII: what is no text changes nothing about them.
        let text = String::from_utf8_lossy(&bytes);
        let holds = |word: &&&str| text.contains(**word);
        found.extend(words.iter().find(holds).map(|word| format!("{word} in {}", path.display())));
    }
    found
}

/// Which of these, by their place among them, stand in files under a directory.
pub(super) fn held(directory: &Path, needles: &[Vec<u8>]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..needles.len()).collect();
    for (_, bytes) in files(directory) {
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        left.retain(|place| !holds(&needles[*place]));
    }
    (0..needles.len()).filter(|place| !left.contains(place)).collect()
}

/// The files under a directory and what they hold. One that goes meanwhile is left out.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            all.push((path, bytes));
        }
    }
    all
}
