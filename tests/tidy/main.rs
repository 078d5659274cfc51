//! House rules as tests: what a reviewer would otherwise have to look for.

mod planted;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use hotline_tests::{files, read, root};
use serde_json::Value;

/// Which of our crates each crate may use.
const EDGES: &[(&str, &[&str])] = &[
    ("hotline-core", &[]),
    ("hotline-events", &["hotline-core"]),
    ("hotline-postgres", &["hotline-core", "hotline-events"]),
    ("hotline-runtime", &[]),
    ("hotline-kafka", &[]),
    (
        "hotline-gateway",
        &["hotline-core", "hotline-events", "hotline-kafka", "hotline-postgres", "hotline-runtime"],
    ),
    (
        "hotline-casework",
        &["hotline-core", "hotline-events", "hotline-kafka", "hotline-postgres", "hotline-runtime"],
    ),
    ("hotline-relay", &["hotline-events", "hotline-kafka", "hotline-postgres", "hotline-runtime"]),
    ("hotline-timekeeper", &["hotline-postgres", "hotline-runtime"]),
    ("hotline-rates", &["hotline-core", "hotline-events", "hotline-postgres", "hotline-runtime"]),
    (
        "hotline-audit",
        &["hotline-core", "hotline-events", "hotline-postgres", "hotline-rates", "hotline-runtime"],
    ),
    ("hotline-demo", &["hotline-core"]),
    (
        "hotline-observe",
        &[
            "hotline-audit",
            "hotline-casework",
            "hotline-events",
            "hotline-gateway",
            "hotline-rates",
            "hotline-relay",
            "hotline-runtime",
            "hotline-timekeeper",
        ],
    ),
];

/// Where a library may be used at all.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["hotline-postgres"]),
    ("rdkafka", &["hotline-kafka"]),
    ("axum", &["hotline-runtime", "hotline-gateway", "hotline-rates", "hotline-relay", "hotline-audit"]),
    ("anyhow", &["hotline"]),
];

fn is(path: &str, extension: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|known| known == extension)
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let normal = |package: &Value| -> BTreeSet<String> {
        package["dependencies"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    packages
        .iter()
        .map(|package| (package["name"].as_str().expect("a name").to_owned(), normal(package)))
        .collect()
}

#[test]
fn crates_depend_one_way() {
    let dependencies = dependencies();
    for (name, allowed) in EDGES {
        let ours = dependencies[*name].iter().filter(|name| name.starts_with("hotline-"));
        for dependency in ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
    for (library, homes) in HOMES {
        for (name, uses) in &dependencies {
            assert!(
                !uses.contains(*library) || homes.contains(&name.as_str()),
                "{library} is used in {homes:?} only, not in {name}"
            );
        }
    }
}

#[test]
fn the_core_is_small() {
    let allowed = ["csv", "jiff", "serde", "sha2", "smol_str", "thiserror", "toml"];
    for dependency in &dependencies()["hotline-core"] {
        assert!(allowed.contains(&dependency.as_str()), "hotline-core does not need {dependency}");
    }
}

/// The last column of the vocabulary: words that must not be used for our terms.
fn vocabulary() -> Vec<(String, Vec<String>)> {
    let text = read("services/README.md");
    let section = text.split("## Vocabulary").nth(1).expect("services/README.md has a vocabulary");
    section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let never = cells[2].split(',').map(|word| word.trim().to_owned());
            (cells[0].to_owned(), never.filter(|word| !word.is_empty()).collect())
        })
        .collect()
}

#[test]
fn names_use_the_vocabulary() {
    let vocabulary = vocabulary();
    assert!(vocabulary.len() > 15, "the table is read");
    let never: Vec<&String> = vocabulary.iter().flat_map(|(_, never)| never).collect();
    let rust = files().into_iter().filter(|path| path.starts_with("services/") && is(path, "rs"));
    let mut found = Vec::new();
    for path in rust {
        for (number, line) in read(&path).lines().enumerate() {
            let Some((what, name)) = declared(line) else { continue };
            let words = words(name);
            let is_type = ["struct ", "enum "].contains(&what);
            let forbidden = |word: &&&String| is_type || !EVERYDAY.contains(&word.as_str());
            if let Some(word) =
                never.iter().filter(forbidden).find(|word| words.contains(&word.to_lowercase()))
            {
                found.push(format!("{path}:{}: {name} says \"{word}\"", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "words that the vocabulary forbids:\n{}", found.join("\n"));
}

/// Words with an everyday meaning (a total order, a cycle of references): forbidden as names of types only.
/// "stats" is what a library calls a method that ours must implement.
const EVERYDAY: [&str; 6] = ["order", "cycle", "message", "settings", "issue", "stats"];

/// What a line declares and under which name, if it declares something.
fn declared(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
    let kinds = ["fn ", "struct ", "enum ", "mod ", "async fn "];
    let (kind, rest) = kinds.iter().find_map(|kind| Some((*kind, line.strip_prefix(kind)?)))?;
    Some((kind, rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?))
}

/// The words of a name in snake or camel case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("there is one").extend(c.to_lowercase());
        }
    }
    words
}

#[test]
fn every_path_named_in_a_readme_exists() {
    let top = ["services/", "schemas/", "deploy/", "tests/", ".ci/"];
    for path in files().into_iter().filter(|path| is(path, "md")) {
        for word in read(&path).split(|c: char| c.is_whitespace() || "`()[]|,;\"'".contains(c)) {
            let word = word.trim_end_matches(['.', ':']);
            let plain = !word.contains(['*', '{', '<', '…', '$']);
            if plain && top.iter().any(|folder| word.starts_with(folder)) {
                assert!(root().join(word).exists(), "{path} names {word}, which is not there");
            }
        }
    }
}

#[test]
fn files_stay_readable() {
    for path in files().into_iter().filter(|path| is(path, "rs")) {
        let lines = read(&path).lines().count();
        assert!(lines <= 900, "{path} has {lines} lines: it mixes concerns");
    }
}

#[test]
fn nothing_is_left_half_done() {
    let mut left = Vec::new();
    // Written in two parts, so that this list does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ign", "ore"),
    ];
    for path in files() {
        let code = [".rs", ".sh", ".toml", ".sql", ".jq", ".md"].iter().any(|end| path.ends_with(end));
        if !code {
            continue;
        }
        for word in words {
            if read(&path).contains(word) {
                left.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn scripts_stop_at_the_first_error() {
    let scripts = files().into_iter().filter(|path| is(path, "sh") || path == ".ci/run");
    for path in scripts {
        assert!(read(&path).contains("set -euo pipefail"), "{path} goes on after an error");
    }
}
