//! Closure records: laws over random lives of a case, and that `schemas/closure-record.v1.json` says what is written, both
//! ways.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use hotline_core::case::{Added, CaseFacts};
use hotline_core::fact::*;
use hotline_core::fold::{FOLD_VERSION, fold};
use hotline_core::rulebook::{Files, Rulebook, load};
use hotline_events::canonical;
use hotline_events::closure::{
    BulletinRecord, CaseRecord, Cause, Commitments, Destroyed, FormOf, Judgement, LEAF_BYTES_MAX, LogStep,
    NewAccess, NewBulletin, NewErasure, NewExport, NewRecord, Number, ReadError, ReadRecord, RecomputeError,
    RecordKind, Rules, counted_hash, facts_of, is_judged, join, of_log, of_rulebook, read, recompute,
    reported_hash,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const CASE: &str = "12345:1";
const SOURCE: &str = "/hotline/12345";
/// What no record may hold.
const REPORTER: &str = "reporter-tag-planted";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn files() -> Files {
    let text = |path: &str, text: String| (path.to_owned(), text.into_bytes());
    let policy = |id: &str, stage: &str, start: &str, stop: &str, more: &str| {
        format!(
            "[[policy]]\nid = \"{id}\"\ncalendar = \"cn\"\nmatch = {{ hotline = \"12345\" }}\nstage = \"{stage}\"\n\
             start = \"{start}\"\nstop = [\"{stop}\"]\nlimit = 3\nunit = \"working_day\"\nbasis = \"article 1\"\n{more}\n\n"
        )
    };
    let close = "scope = \"custody\"\nclosure = true\nholds = [\"parked\"]\nextension = { times_max = 2 }\nreturn = { times_max = 2 }\n";
    let policies = [
        policy("close", "close", "dispatched", "closed", close),
        policy("sign", "sign", "dispatched", "signed", "scope = \"custody\"\n"),
        policy("promise", "close", "received", "closed", "tier = \"promise\"\n"),
        policy("follow", "follow_up", "closed", "rated", ""),
    ];
    [
        text("rulebook.toml", "name = \"t\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n".to_owned()),
        text(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"saturday\", \"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-03-10\n".to_owned(),
        ),
        text("policies/all.toml", policies.concat()),
        text(
            "routing/all.csv",
            "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\nfallback,12345,,,,,D1,0,,\n".to_owned(),
        ),
        text(
            "sources/city.toml",
            format!("[[source]]\nid = \"{SOURCE}\"\nhotline = \"12345\"\nname = \"city\"\ndispatch = \"hotline\"\nbackdate_max = \"2 hour\"\n"),
        ),
        text(
            "hotlines.toml",
            "[[hotline]]\ncode = \"12345\"\nname_zh = \"热线\"\nname_en = \"Hotline\"\noffice = \"HL\"\n".to_owned(),
        ),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\nD1,甲,A,,,,,\nD2,乙,B,,,,,\n".to_owned(),
        ),
    ]
    .into()
}

fn rulebook() -> Rulebook {
    load(&files()).unwrap_or_else(|faults| panic!("{faults:?}")).rulebook
}

fn received() -> Body {
    Body::Received(Box::new(Received {
        case_type: "complaint".into(),
        category: vec!["住房".into(), "供暖".into()],
        region: Some("411202".into()),
        number: None,
        channel: Some("phone".into()),
        origin_hotline: None,
        origin_number: None,
        contact: None,
        persons: 1,
        urgency: "normal".into(),
        anonymous: false,
        confidential: false,
        reply_wanted: true,
        tags: Vec::new(),
        reporter_tag: Some(REPORTER.into()),
        amounts: Vec::new(),
        own_limit: None,
    }))
}

fn rated(satisfaction: Option<u8>, reached: bool, method: &'static str, solved: Option<Solved>) -> Body {
    let aspects = satisfaction.map(|grade| ("speed".into(), grade)).into_iter().collect();
    Body::Rated(Box::new(Rated {
        reached,
        method: Some(method.into()),
        satisfaction,
        aspects,
        solved,
        attempt: 1,
    }))
}

/// What may happen next, by number.
fn body(kind: u8, department: Code, dice: u8) -> Body {
    let reason = || Some(Code::new_static("wrong"));
    let role = [Role::Lead, Role::Lead, Role::Co, Role::Sub][usize::from(dice) % 4];
    let from = (role == Role::Sub).then(|| Code::new_static("D1"));
    let effect = [RulingEffect::Exclude, RulingEffect::Met, RulingEffect::Failed, RulingEffect::Restore];
    let solved = [None, Some(Solved::Yes), Some(Solved::Partly), Some(Solved::No)];
    match kind {
        0..=2 => Body::Dispatched(Box::new(Dispatched {
            department,
            from,
            role,
            reason: (dice.is_multiple_of(5)).then(|| "reorganisation".into()),
            basis: None,
            own_limit: None,
            pin: None,
        })),
        3 => Body::Signed { department, automatic: false },
        4 => Body::Held { reason: "parked".into(), stages: Vec::new(), until: None },
        5 => Body::Released { reason: "parked".into() },
        6 if dice.is_multiple_of(2) => {
            Body::Extended { stage: "close".into(), grant: Grant::Limit(2, Unit::WorkingDay), by: None }
        }
        6 => Body::Extended {
            stage: "close".into(),
            grant: Grant::Until(at("2026-04-01T00:00:00Z")),
            by: None,
        },
        7 => Body::ReturnRequested { department, reason: reason() },
        8 => Body::Returned { department, reason: reason() },
        9 => Body::Submitted { department, outcome: None, amounts: Vec::new() },
        10..=13 => {
            Body::Closed { department, by: None, outcome: Some("resolved".into()), amounts: Vec::new() }
        }
        14 => Body::Withdrawn { by: None },
        15 => Body::Merged { into: "12345:2".into(), reason: None },
        16..=18 => {
            let method = ["call", "sms", "default"][usize::from(dice) % 3];
            let satisfaction = (!dice.is_multiple_of(4)).then_some(1 + dice % 5);
            rated(satisfaction, !dice.is_multiple_of(7), method, solved[usize::from(dice) % 4])
        }
        19..=21 => Body::Reopened { reason: "unsolved".into() },
        22..=24 => Body::Ruled(Box::new(Ruled {
            indicator: ["all", "close", "rating", "return", "reopening"][usize::from(dice) % 5].into(),
            effect: effect[usize::from(dice / 5) % 4],
            reason: "weather".into(),
            document: "示例〔2026〕1号".into(),
            by: (dice.is_multiple_of(2)).then(|| "HL".into()),
            round: (dice.is_multiple_of(3)).then_some(1),
            department: (dice.is_multiple_of(4)).then_some(department),
        })),
        25 => Body::Refused { department: Some(department), ground: "no_jurisdiction".into() },
        26 => Body::Split { into: vec!["12345:3".into()] },
        _ => Body::Urged { by: None },
    }
}

/// A life: `(kind, minutes after the fact before, department, dice, minutes until it was received)`.
type Life = Vec<(u8, i64, bool, u8, i64)>;

fn life() -> impl Strategy<Value = Life> {
    proptest::collection::vec((0..28_u8, 0..3_000_i64, any::<bool>(), any::<u8>(), 0..400_i64), 1..24)
}

fn facts_in(life: &Life) -> Vec<Fact> {
    let mut claimed_at = at("2026-03-02T01:00:00Z");
    let begin = std::iter::once((received(), 0, 0_u8, 0));
    let rest = life.iter().map(|(kind, minutes, other, dice, delay)| {
        (body(*kind, Code::new_static(if *other { "D2" } else { "D1" }), *dice), *minutes, *dice, *delay)
    });
    let fact = |(n, (body, minutes, dice, delay)): (usize, (Body, i64, u8, i64))| {
        claimed_at += SignedDuration::from_mins(minutes);
        Fact {
            key: EventKey::of(SOURCE, &n.to_string()),
            source: SOURCE.into(),
            body,
            claimed_at,
            precision: if dice == 7 { Precision::Day } else { Precision::Second },
            received_at: Some(claimed_at + SignedDuration::from_mins(delay)),
            recorded_at: None,
            sequence: 0,
            tag: 0,
            ledger_seq: n as u64 + 1,
        }
    };
    begin.chain(rest).enumerate().map(fact).collect()
}

fn case(facts: impl IntoIterator<Item = Fact>, rulebook: &Rulebook) -> CaseFacts {
    let mut case = CaseFacts::default();
    for fact in facts {
        assert_eq!(case.add(fact, rulebook), Added::Applied);
    }
    case
}

fn cause() -> Cause {
    Cause::Event {
        kind: Kind::Closed,
        source: SOURCE.into(),
        id: "1".into(),
        origin: "events/0".into(),
        offset: 7,
        ledger: 1,
    }
}

fn leaves(facts: &CaseFacts, rulebook: &Rulebook, causes: &[Cause], number: Number) -> Vec<Vec<u8>> {
    let judgement = Judgement::of(&fold(CASE, facts, rulebook), rulebook);
    let kind = match number {
        Number::Nth(n) => RecordKind::of_case(causes, n == 1),
        Number::After(_) => RecordKind::Standing,
    };
    let record = NewRecord {
        case: CASE,
        kind,
        number,
        written_at: at("2026-03-20T00:00:00.25Z"),
        rules: Rules { seq: 1, hash: &rulebook.hash },
        causes,
        judgement: &judgement,
        facts: &facts_of(facts),
        personal: Commitments::default(),
    };
    record.leaves()
}

fn leaf(facts: &CaseFacts, rulebook: &Rulebook) -> Vec<u8> {
    leaves(facts, rulebook, &[cause()], Number::Nth(1)).remove(0)
}

fn case_record(leaf: &[u8]) -> CaseRecord {
    match read(leaf) {
        Ok(ReadRecord::Case(record)) => *record,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(leaf)),
    }
}

/// The pointers of all values that are neither objects nor arrays.
fn ends(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| ends(value, &format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| ends(value, &format!("{pointer}/{n}"), found));
        }
        _ => found.push(pointer.to_owned()),
    }
}

proptest! {
    #[test]
    fn a_record_is_canonical_and_recomputes_without_a_difference(life in life()) {
        let rulebook = rulebook();
        let facts = case(facts_in(&life), &rulebook);
        let leaf = leaf(&facts, &rulebook);
        let value: Value = serde_json::from_slice(&leaf).unwrap();
        prop_assert_eq!(canonical(&value), leaf.clone());
        prop_assert!(!leaf.windows(REPORTER.len()).any(|window| window == REPORTER.as_bytes()));
        let record = case_record(&leaf);
        prop_assert!(!record.facts.encode().windows(REPORTER.len()).any(|window| window == REPORTER.as_bytes()));
        prop_assert_eq!(recompute(&record, &rulebook), Ok(Vec::new()));
    }

    #[test]
    fn a_record_is_a_function_of_the_set_of_facts((life, shuffled) in life().prop_flat_map(|life| {
        let facts = facts_in(&life);
        (Just(life), Just(facts).prop_shuffle())
    })) {
        let rulebook = rulebook();
        let (one, other) = (case(facts_in(&life), &rulebook), case(shuffled, &rulebook));
        prop_assert_eq!(leaf(&one, &rulebook), leaf(&other, &rulebook));
    }

    #[test]
    fn whatever_is_altered_in_what_was_decided_is_found_where_it_stands(life in life(), dice in any::<prop::sample::Index>()) {
        let rulebook = rulebook();
        let mut record = case_record(&leaf(&case(facts_in(&life), &rulebook), &rulebook));
        let mut pointers = Vec::new();
        ends(&record.judged, "", &mut pointers);
        let pointer = dice.get(&pointers).clone();
        let value = record.judged.pointer_mut(&pointer).unwrap();
        let recomputed = value.clone();
        *value = match &*value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            _ => json!("altered"),
        };
        let recorded = value.clone();
        let found = recompute(&record, &rulebook).unwrap();
        prop_assert_eq!(found.len(), 1, "{:?}", found);
        prop_assert_eq!(&found[0].pointer, &format!("/judged{pointer}"));
        prop_assert_eq!((&found[0].recorded, &found[0].recomputed), (&recorded, &recomputed));
    }

    #[test]
    fn a_closing_that_is_moved_left_out_or_added_is_found(life in life(), minutes in 1..5_000_i64) {
        let rulebook = rulebook();
        let facts = facts_in(&life);
        let record = case_record(&leaf(&case(facts.clone(), &rulebook), &rulebook));
        let closing = record.judged.pointer("/rounds/0/closed/fact").and_then(Value::as_str).map(str::to_owned);
        prop_assume!(closing.is_some());
        let is_closing = |fact: &Fact| Some(fact.key.to_string()) == closing;
        let left_out = facts.iter().filter(|fact| !is_closing(fact)).cloned();
        let moved = facts.iter().cloned().map(|mut fact| {
            if is_closing(&fact) {
                fact.claimed_at += SignedDuration::from_mins(minutes);
                fact.received_at = Some(fact.claimed_at);
            }
            fact
        });
        for forged in [case(left_out, &rulebook), case(moved, &rulebook)] {
            let mut altered = record.clone();
            altered.facts = forged;
            prop_assert!(!recompute(&altered, &rulebook).unwrap().is_empty());
        }
    }
}

#[test]
fn a_record_longer_than_a_leaf_is_read_from_its_parts() {
    let rulebook = rulebook();
    let mut life = vec![(0, 1, false, 0, 0)];
    for _ in 0..150 {
        life.extend([(10, 1, false, 0, 0), (16, 1, false, 3, 0), (19, 1, false, 0, 0), (0, 1, false, 0, 0)]);
    }
    let facts = case(facts_in(&life), &rulebook);
    let leaves = leaves(&facts, &rulebook, &[cause()], Number::Nth(1));
    assert!(leaves.len() > 1 && leaves.iter().all(|leaf| leaf.len() <= LEAF_BYTES_MAX));
    let mut parts: Vec<_> = leaves
        .iter()
        .map(|leaf| match read(leaf).unwrap() {
            ReadRecord::Part(part) => part,
            other => panic!("{other:?}"),
        })
        .collect();
    parts.reverse();
    let record = case_record(&join(&parts).unwrap());
    assert_eq!(recompute(&record, &rulebook), Ok(Vec::new()));
    let missing = join(&parts[1..]);
    assert!(matches!(missing, Err(ReadError::Parts { .. })));
    parts[0].bytes[9] ^= 1;
    assert!(matches!(join(&parts), Err(ReadError::Parts { .. })));
}

#[test]
fn only_what_this_program_knows_whole_is_read() {
    let rulebook = rulebook();
    let leaf = leaf(&case(facts_in(&vec![(10, 9, false, 0, 0)]), &rulebook), &rulebook);
    let altered = |alter: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&leaf).unwrap();
        alter(&mut value);
        read(&canonical(&value)).map_err(|error| error.code())
    };
    assert!(altered(&|_| {}).is_ok());
    let codes = [
        altered(&|value| value["v"] = json!(2)),
        altered(&|value| value["suite"] = json!("sm3-sm2")),
        altered(&|value| value["kind"] = json!("forgotten")),
        altered(&|value| value["more"] = json!(1)),
        altered(&|value| value["facts"] = json!("AgAA")),
        altered(&|value| value["kind"] = json!("standing")),
    ]
    .map(|read| read.expect_err("refused"));
    assert_eq!(
        codes,
        ["unknown_version", "unknown_suite", "unknown_kind", "malformed", "malformed", "malformed"]
    );
    let spaced = String::from_utf8(leaf.clone()).unwrap().replacen("\":", "\": ", 1);
    assert_eq!(read(spaced.as_bytes()).map_err(|error| error.code()), Err("not_canonical"));
    assert_eq!(read(&leaf[1..]).map_err(|error| error.code()), Err("not_json"));
    let record = case_record(&leaf);
    let mut other = record.clone();
    other.fold = FOLD_VERSION + 1;
    assert_eq!(recompute(&other, &rulebook), Err(RecomputeError::OtherFold { wanted: FOLD_VERSION + 1 }));
    let mut other = record;
    other.rulebook.hash = "00".into();
    assert_eq!(recompute(&other, &rulebook).map_err(|error| error.code()), Err("other_rulebook"));
}

#[test]
fn a_record_is_called_after_what_matters_most_of_what_came_in() {
    let name = |kinds: &[Kind], is_first: bool| {
        let causes: Vec<Cause> = kinds
            .iter()
            .map(|kind| match cause() {
                Cause::Event { source, id, origin, offset, ledger, .. } => {
                    Cause::Event { kind: *kind, source, id, origin, offset, ledger }
                }
                other => other,
            })
            .collect();
        RecordKind::of_case(&causes, is_first).name()
    };
    assert_eq!(name(&[Kind::Closed, Kind::Rated], true), "closed");
    assert_eq!(name(&[Kind::Rated], true), "recorded");
    assert_eq!(name(&[], true), "recorded");
    assert_eq!(name(&[], false), "restated");
    assert_eq!(name(&[Kind::Rated], false), "rated");
    assert_eq!(name(&[Kind::Closed, Kind::Reopened], false), "reopened");
    assert_eq!(name(&[Kind::Ruled, Kind::Rated], false), "ruled");
    assert_eq!(name(&[Kind::Corrected, Kind::Reopened], false), "corrected");
    assert_eq!(name(&[Kind::Held], false), "corrected");
    let stale = [Cause::Rulebook { was: 1 }, Cause::Program { was: 1 }];
    assert_eq!(RecordKind::of_case(&stale, false), RecordKind::Restated);
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/closure-record.v1.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Notes which members of which definition a value has.
fn note(schema: &Value, node: &Value, at: &str, value: &Value, seen: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return note(schema, &schema["$defs"][name], name, value, seen);
    }
    if let Some(choices) = node["oneOf"].as_array() {
        let fits = choices.iter().find(|choice| {
            let name = choice["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
            let required = schema["$defs"][name]["required"].as_array().unwrap();
            required.iter().all(|member| value.get(member.as_str().unwrap()).is_some())
        });
        return note(schema, fits.expect("one of them"), at, value, seen);
    }
    if let (Some(properties), Some(members)) = (node["properties"].as_object(), value.as_object()) {
        for (name, value) in members {
            let at = format!("{at}.{name}");
            note(schema, &properties[name], &at, value, seen);
            seen.insert(at);
        }
    }
    if let (true, Some(items)) = (node["items"].is_object(), value.as_array()) {
        for item in items {
            note(schema, &node["items"], at, item, seen);
        }
    }
}

/// All members that a definition has.
fn members(node: &Value, at: &str, all: &mut BTreeSet<String>) {
    if let Some(properties) = node["properties"].as_object() {
        for (name, property) in properties {
            let at = format!("{at}.{name}");
            members(property, &at, all);
            all.insert(at);
        }
    }
    if node["items"].is_object() {
        members(&node["items"], at, all);
    }
}

fn figures() -> Figures {
    let place = |sort, id: &str| Place { span: Span::Period, sort, id: id.into(), department: "D1".into() };
    let sums = Some(Sums { numerator: 7, denominator: 9, scale: 1 });
    let rate = Figure { version: 3, sums, value: None, group: Some("city".into()), rank: Some(1) };
    let reported = Figure { version: 0, sums: None, value: Some(12.5), group: None, rank: None };
    [(place(Sort::Rate, "on_time"), rate), (place(Sort::Reported, "calls"), reported)].into()
}

fn bulletin(figures: &Figures) -> Vec<u8> {
    let day = |text: &str| text.parse().unwrap();
    let bulletin = NewBulletin {
        id: 1,
        written_at: at("2026-04-01T00:00:00Z"),
        form: FormOf { id: "f", version: 1, hash: "ab", text: "id = \"f\"" },
        period: "2026-03",
        spans: &[(Span::Period, (day("2026-03-01"), day("2026-04-01")))].into(),
        rules: Rules { seq: 1, hash: "cd" },
        definitions: &[("on_time".into(), 3)].into(),
        positions: &[("http".to_owned(), 17)].into(),
        ledger_below: 64,
        as_of: at("2026-04-01T00:00:00Z"),
        figures,
    };
    bulletin.leaves().remove(0)
}

fn bulletin_record(leaf: &[u8]) -> BulletinRecord {
    match read(leaf).unwrap() {
        ReadRecord::Bulletin(record) => *record,
        other => panic!("{other:?}"),
    }
}

fn access() -> NewAccess<'static> {
    NewAccess { access: 7, written_at: at("2026-04-01T00:00:00Z"), by: "audit office", role: "auditor" }
}

fn exported() -> Vec<u8> {
    let filter = json!({ "department": "D1", "from": "2026-03-01" });
    let export = NewExport { list: "closures", filter: &filter, format: "csv", rows: 25, state: "done" };
    access().exported(&export).remove(0)
}

#[test]
fn what_left_reads_back_and_says_no_reason() {
    let Ok(ReadRecord::Export(export)) = read(&exported()) else { panic!("an export") };
    assert_eq!((export.access, export.rows, export.list.as_str()), (7, 25, "closures"));
    assert_eq!((export.by.as_str(), export.filter["department"].as_str()), ("audit office", Some("D1")));
    let Ok(ReadRecord::Unmask(unmask)) = read(&access().unmasked(CASE).remove(0)) else { panic!("a case") };
    assert_eq!((unmask.access, unmask.case.as_str(), unmask.role.as_str()), (7, CASE, "auditor"));
    let mut odd: Value = serde_json::from_slice(&exported()).unwrap();
    odd["why"] = json!("a reason");
    assert!(matches!(read(&canonical(&odd)), Err(ReadError::Malformed { .. })));
}

#[test]
fn of_the_seed_of_a_sample_a_record_has_the_hash() {
    let filter = json!({ "department": "D1", "seed": "abc", "size": 20 });
    let export = NewExport { list: "sample", filter: &filter, format: "csv", rows: 20, state: "done" };
    let Ok(ReadRecord::Export(export)) = read(&access().exported(&export).remove(0)) else {
        panic!("an export")
    };
    let expected = json!({
        "department": "D1",
        "seed_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "size": 20,
    });
    assert_eq!(Value::Object(export.filter), expected);
}

#[test]
fn a_bulletin_is_known_by_what_it_counts_and_apart_by_what_is_reported() {
    let (before, mut after) = (figures(), figures());
    let record = bulletin_record(&bulletin(&before));
    assert_eq!((record.figures.count, record.reported.count), (1, 1));
    assert_eq!(record.figures.sha256, counted_hash(&before));
    assert_eq!(record.reported.sha256, reported_hash(&before));
    for figure in after.values_mut().filter(|figure| figure.value.is_some()) {
        figure.value = Some(13.0);
    }
    let reported = bulletin_record(&bulletin(&after));
    assert_eq!(reported.figures, record.figures);
    assert_ne!(reported.reported, record.reported);
    for figure in after.values_mut().filter(|figure| figure.sums.is_some()) {
        figure.rank = Some(2);
    }
    assert_ne!(counted_hash(&after), counted_hash(&before));
}

fn erasure(after: u32) -> NewErasure<'static> {
    let mut personal = Commitments::default();
    personal.add(&[1; 16], &[2; 32]);
    let destroyed = Destroyed { keys: 1, parts: 1, letters: 0 };
    NewErasure { case: CASE, after, destroyed, personal, written_at: at("2026-04-01T00:00:00Z") }
}

#[test]
fn an_erasure_says_how_much_was_destroyed_and_after_which_record() {
    let new = erasure(2);
    let ReadRecord::Erased(record) = read(&new.leaf()).unwrap() else { panic!("it is one") };
    assert_eq!((record.case.as_str(), record.after, record.destroyed), (CASE, 2, new.destroyed));
    assert_eq!((record.personal.count, record.written_at), (1, new.written_at));
    assert_ne!(erasure(3).leaf(), new.leaf());
}

#[test]
fn the_schema_says_what_is_written_and_every_member_it_names_is_written() {
    let (schema, rulebook) = (schema(), rulebook());
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let mut seen = BTreeSet::new();
    let mut check = |leaf: &[u8]| {
        let value: Value = serde_json::from_slice(leaf).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}: {value}");
        note(&schema, &schema, "", &value, &mut seen);
        let mut odd = value;
        odd["reporter"] = json!("示例");
        assert!(!validator.is_valid(&odd), "nothing personal has a place");
    };
    let mut runner = TestRunner::deterministic();
    let causes = [cause(), Cause::Rulebook { was: 1 }, Cause::Program { was: 6 }];
    for _ in 0..3_000 {
        let facts = case(facts_in(&life().new_tree(&mut runner).unwrap().current()), &rulebook);
        if is_judged(&fold(CASE, &facts, &rulebook)) {
            for leaf in leaves(&facts, &rulebook, &causes, Number::Nth(2)) {
                check(&leaf);
            }
        }
    }
    let mut pinned = facts_in(&vec![(10, 900, false, 0, 0)]);
    let pin = Pin { slot: pinned[0].key, rule: "fallback".into(), rulebook: rulebook.hash.clone() };
    pinned.insert(
        1,
        Fact {
            key: EventKey::of(PIPELINE_SOURCE, "1"),
            source: PIPELINE_SOURCE.into(),
            body: Body::Dispatched(Box::new(Dispatched {
                department: "D1".into(),
                from: None,
                role: Role::Lead,
                reason: None,
                basis: None,
                own_limit: None,
                pin: Some(pin),
            })),
            ..pinned[0].clone()
        },
    );
    check(&leaves(&case(pinned, &rulebook), &rulebook, &[], Number::After(0))[0]);
    let when = at("2026-03-01T00:00:00Z");
    check(&of_rulebook((1, &rulebook.hash), &files(), when, when)[0]);
    check(&bulletin(&figures()));
    for step in log_steps() {
        check(&of_log(step, when, "log2", "the disk was lost", Some("note")));
    }
    check(&exported());
    check(&access().unmasked(CASE).remove(0));
    check(&erasure(2).leaf());
    let many: Files = (0..900).map(|n| (format!("codes/{n}.csv"), Vec::new())).collect();
    for leaf in of_rulebook((1, &rulebook.hash), &many, when, when) {
        check(&leaf);
    }
    let mut all = BTreeSet::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        members(definition, name, &mut all);
    }
    let unwritten: Vec<_> = all.difference(&seen).collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}

fn log_steps() -> [LogStep<'static>; 3] {
    let database = Some(("log1", 7, "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"));
    [LogStep::Relog { database }, LogStep::Relog { database: None }, LogStep::Adopt]
}

#[test]
fn what_was_done_with_the_log_is_read_back_and_so_is_a_leaf_of_the_first_program() {
    let when = at("2026-03-01T00:00:00Z");
    let log_record = |leaf: &[u8]| match read(leaf).unwrap() {
        ReadRecord::Log(record) => record,
        other => panic!("{other:?}"),
    };
    for step in log_steps() {
        let record = log_record(&of_log(step, when, "log2", "the disk was lost", None));
        assert_eq!((record.at, &*record.log, &*record.reason), (when, "log2", "the disk was lost"));
        let size = record.database.map(|tree| tree.size);
        match step {
            LogStep::Relog { database } => {
                assert_eq!((&*record.kind, size), ("relog", database.map(|(_, size, _)| size)));
            }
            LogStep::Adopt => assert_eq!((&*record.kind, size), ("adopt", None)),
        }
    }
    let first =
        br#"{"v":1,"kind":"adopt","at":"2026-03-01T00:00:00Z","log":"log1","reason":"r","checkpoint":"c"}"#;
    assert_eq!(log_record(first).checkpoint.as_deref(), Some("c"));
}

#[test]
fn kinds_of_the_schema_are_those_of_the_code() {
    let schema = schema();
    let of_case: Vec<&str> = RecordKind::ALL
        .iter()
        .map(|kind| kind.name())
        .filter(|name| !["erased", "rulebook", "bulletin", "exported", "unmasked"].contains(name))
        .collect();
    assert_eq!(schema["$defs"]["case"]["properties"]["kind"]["enum"], json!(of_case));
    let all: Vec<&str> = RecordKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(schema["$defs"]["part"]["properties"]["kind"]["enum"], json!(all));
    assert!(RecordKind::ALL.iter().all(|kind| RecordKind::parse(kind.name()) == Some(*kind)));
}
