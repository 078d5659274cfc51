//! Whatever comes in: bytes near to events, rows near to a sheet, facts of nonsense. Nothing panics, nothing is kept that
//! cannot be read again, and no error tells a value.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p hotline-events --test fuzz` looks longer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hotline_core::case::{Added, CaseFacts};
use hotline_core::fold::settle;
use hotline_core::rulebook::{Rulebook, load};
use hotline_core::score::score;
use hotline_events::adapter::Adapter;
use hotline_events::{Event, Framing, Keep, Tagger, decode, decode_many, table};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

const CASES: u32 = 1_500;
/// Stands in every free text: no error may tell it.
const SECRET: &str = "秘密sekret";

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default().cases;
    let cases = if asked > 256 { asked } else { CASES };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// Every example of the contract, valid or not.
static EXAMPLES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut found = Vec::new();
    files_below(&root().join("schemas/examples"), &mut found);
    found.sort();
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).expect("a file")).ok();
    found.iter().filter_map(read).collect()
});

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| {
    let folder = root().join("deploy/rulebook");
    let mut found = Vec::new();
    files_below(&folder, &mut found);
    let mut files = BTreeMap::new();
    for path in found.iter().filter(|path| path.extension().is_some_and(|extension| extension != "md")) {
        let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
        files.insert(name, fs::read(path).expect("a file"));
    }
    load(&files).unwrap_or_else(|faults| panic!("{faults:?}")).rulebook
});

/// What no member of an event is meant to be.
fn odd() -> impl Strategy<Value = Value> {
    let values = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!(SECRET),
        json!("\u{0}"),
        json!("9999-12-31T23:59:59.999999999+23:59"),
        json!("-009999-01-01T00:00:00Z"),
        json!("1970-01-01T00:00:00Z"),
        json!("2026-02-30T00:00:00+08:00"),
        json!("x".repeat(65)),
        json!([]),
        json!([[[]]]),
        json!({}),
        json!({ "due_at": "0001-01-01T00:00:00Z" }),
        json!({ "limit": 100_000, "unit": "working_day" }),
        json!({ "limit": 100_000, "unit": "working_hour" }),
    ];
    select(values)
}

/// A place in a JSON value, by walking down at random.
fn place<'v>(value: &'v mut Value, way: &[Index]) -> &'v mut Value {
    let mut at = value;
    for step in way {
        let is_leaf = match &*at {
            Value::Object(members) => members.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => true,
        };
        if is_leaf {
            break;
        }
        at = match at {
            Value::Object(members) => {
                let nth = step.index(members.len());
                members.values_mut().nth(nth).expect("it has so many")
            }
            Value::Array(items) => {
                let nth = step.index(items.len());
                &mut items[nth]
            }
            leaf => leaf,
        };
    }
    at
}

/// An example with members exchanged, left out or made odd.
fn event() -> impl Strategy<Value = Value> {
    let change = (vec(any::<Index>(), 1..4), odd(), 0..10_u8, any::<Index>());
    (any::<Index>(), vec(change, 0..4)).prop_map(|(of, changes)| {
        let mut event = EXAMPLES[of.index(EXAMPLES.len())].clone();
        for (way, odd, how, other) in changes {
            let at = place(&mut event, &way);
            match how {
                0..=4 => *at = odd,
                5 | 6 => *at = place(&mut EXAMPLES[other.index(EXAMPLES.len())].clone(), &way).clone(),
                7 | 8 => {
                    if let Value::Object(members) = at {
                        let name = members.keys().nth(other.index(members.len().max(1))).cloned();
                        name.and_then(|name| members.remove(&name));
                    }
                }
                _ => {
                    if let Value::Object(members) = at {
                        members.insert(SECRET.to_owned(), odd);
                    }
                }
            }
        }
        event
    })
}

/// Instants of one month, so that facts of one case meet.
fn at() -> impl Strategy<Value = String> {
    (1..31_i32, 0..24_i32, 0..60_i32)
        .prop_map(|(day, hour, minute)| format!("2026-09-{day:02}T{hour:02}:{minute:02}:00+08:00"))
}

fn bytes_of(event: &Value, cuts: &[(Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = event.to_string().into_bytes();
    for (at, byte, how) in cuts {
        let at = at.index(bytes.len().max(1));
        match how {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bodies_near_to_events_are_taken_or_refused_without_a_value(
        events in vec((event(), vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..3)), 1..4),
        framing in select(vec![Framing::One, Framing::Batch, Framing::Lines]),
    ) {
        let parts: Vec<Vec<u8>> = events.iter().map(|(event, cuts)| bytes_of(event, cuts)).collect();
        let body = match framing {
            Framing::One => parts.concat(),
            Framing::Lines => parts.join(&b'\n'),
            Framing::Batch => [b"[".to_vec(), parts.join(&b','), b"]".to_vec()].concat(),
        };
        let tagger = Tagger::keyed(b"key");
        let Ok(items) = decode_many(&body, framing, &tagger, Keep::All) else { return Ok(()) };
        for item in items {
            match item.event {
                Ok(Event::Case(taken)) => {
                    // What is stored is what was understood.
                    let again = decode(&taken.public, &tagger, Keep::Fact);
                    let Ok(Event::Case(again)) = again else { panic!("stored and unreadable: {again:?}") };
                    prop_assert_eq!(&again.subject, &taken.subject);
                    prop_assert_eq!(again.fact.body, taken.fact.body);
                    prop_assert!(!String::from_utf8_lossy(&taken.public).contains("\\u0000"));
                }
                Ok(Event::Figure(_)) => {}
                Err(error) => {
                    prop_assert!(!error.faults().is_empty());
                    prop_assert!(!format!("{error} {:?}", error.faults()).contains(SECRET), "{error:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_accepted_is_folded_scored_and_kept(
        events in vec((event(), at(), 0..3_u8), 1..24),
        as_of in at(),
    ) {
        let rulebook = &*RULEBOOK;
        let mut facts = CaseFacts::default();
        for (nth, (mut event, time, source)) in events.into_iter().enumerate() {
            if let Some(members) = event.as_object_mut() {
                let source = ["/hotline/sample/12345", "/hotline/sample/12315", "/hotline/sample/petition"][usize::from(source)];
                if members.get("source").is_some_and(|source| source != "/hotline/pipeline") {
                    members.insert("source".to_owned(), json!(source));
                }
                members.insert("id".to_owned(), json!(nth.to_string()));
                members.insert("time".to_owned(), json!(time));
            }
            let Ok(Event::Case(taken)) = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::Fact) else { continue };
            let added = facts.add(taken.from_file().fact, rulebook);
            prop_assert!(!matches!(added, Added::IdConflict), "every event has an id of its own");
        }
        let bytes = facts.encode();
        let decoded = CaseFacts::decode(&bytes);
        prop_assert_eq!(decoded.as_ref(), Ok(&facts));
        let as_of: Timestamp = as_of.parse().expect("an instant");
        let (view, _) = settle("12345:1", &mut facts, rulebook, as_of);
        let stored = score(&view, rulebook).encode();
        prop_assert!(hotline_core::score::Score::decode(&stored).is_ok());
    }

    #[test]
    fn no_row_makes_an_adapter_panic(
        names in vec(select(vec!["case_enquiry_id", "open_dt", "open_raw", "closed_raw", "target_raw", "type", "agency_on_time", "x", SECRET]), 0..9),
        values in vec(odd(), 9),
    ) {
        static BOSTON: LazyLock<Adapter> = LazyLock::new(|| {
            let code = fs::read_to_string(root().join("deploy/adapters/boston311.jq")).expect("it is there");
            Adapter::compile("boston311", &code).expect("it compiles")
        });
        let row = Value::Object(names.into_iter().map(str::to_owned).zip(values).collect());
        match BOSTON.run(&row) {
            Ok(events) => {
                for event in events {
                    let _ = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::All);
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains(SECRET), "{error}"),
        }
    }

    #[test]
    fn no_table_makes_its_reader_panic(text in "[a-c,\"\n\r;\t\u{feff}甲 0-9{}\\[\\]:]{0,80}", bytes in vec(any::<u8>(), 0..80)) {
        for input in [text.as_bytes(), &bytes] {
            if let Ok(rows) = table::csv(input) {
                prop_assert!(rows.count() <= input.len());
            }
            prop_assert!(table::ndjson(input).count() <= input.len() + 1);
        }
    }
}
