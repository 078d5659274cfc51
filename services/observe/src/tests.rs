//! What is committed is what is made, and the catalogue is sound as a whole.

use hotline_runtime::catalogue::{Metric, faults};

use super::*;

fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn names_are_sound_and_none_is_used_twice() {
    let all: Vec<Metric> = LISTS.iter().copied().flatten().copied().collect();
    assert!(all.len() > 40, "all roles are there");
    assert_eq!(faults(&all), Vec::<String>::new());
}

#[test]
fn what_is_committed_is_what_is_made() {
    for file in files() {
        let committed = std::fs::read_to_string(root().join(&file.path)).unwrap_or_default();
        assert!(committed == file.text, "{} is stale: cargo run -p hotline-observe", file.path);
    }
}
