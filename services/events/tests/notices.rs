//! What departments are told is what `schemas/notice.v1.json` says, both ways.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hotline_core::alarm::telling::{Telling, Told, Withdrawal};
use hotline_core::alarm::{Alarm, telling};
use hotline_core::case::CaseFacts;
use hotline_core::fact::{Body, Dispatched, EventKey, Fact, Pin, Precision, Role};
use hotline_core::fold::{View, fold};
use hotline_core::rulebook::{Level, Rulebook, Tier, load};
use hotline_events::notice::{Notice, NoticeKind};
use jiff::Timestamp;
use serde_json::{Value, json};

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/notice.v1.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rulebook() -> Rulebook {
    let text = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let files = [
        text("rulebook.toml", "name = \"t\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        text("hotlines.toml", ""),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nD1,甲,A,,,,,\n",
        ),
        text(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"saturday\", \"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-12-25\n",
        ),
    ];
    load(&files.into()).unwrap_or_else(|faults| panic!("{faults:?}")).rulebook
}

fn view() -> View {
    fold("12345:1", &CaseFacts::default(), &rulebook())
}

fn told(telling: Telling) -> Told {
    let alarm = Alarm {
        round: 1,
        stage: "close".into(),
        tier: Tier::Statutory,
        custody: Some(EventKey([7; 16])),
        rung: "b+0h".into(),
        place: 2,
        due_at: "2026-03-09T16:00:00Z".parse().unwrap(),
        at: "2026-03-09T16:00:00Z".parse().unwrap(),
        deliver_at: "2026-03-10T00:30:00Z".parse().unwrap(),
        level: Level::Breach,
        to: Some("D1".into()),
        is_over: false,
    };
    Told { alarm, n: 1, telling }
}

fn pin() -> (Fact, Dispatched) {
    let dispatched = Dispatched {
        department: "D1".into(),
        from: None,
        role: Role::Lead,
        reason: None,
        basis: None,
        own_limit: None,
        pin: Some(Pin { slot: EventKey([1; 16]), rule: "housing".into(), rulebook: "00".into() }),
    };
    let fact = Fact {
        key: EventKey([2; 16]),
        source: "/hotline/pipeline".into(),
        body: Body::Dispatched(Box::new(dispatched.clone())),
        claimed_at: "2026-03-02T01:20:00Z".parse().unwrap(),
        precision: Precision::Second,
        received_at: None,
        recorded_at: None,
        sequence: 0,
        tag: 0,
        ledger_seq: 0,
    };
    (fact, dispatched)
}

/// One of each kind, and a withdrawal for each reason.
fn all() -> Vec<Notice> {
    let (view, now) = (view(), "2026-03-10T00:30:01Z".parse::<Timestamp>().unwrap());
    let (pin, dispatched) = pin();
    let tellings = std::iter::once(Telling::Raised).chain(Withdrawal::ALL.map(Telling::Withdrawn));
    let alarms = tellings.filter_map(|telling| Notice::of_alarm("12345:1", &view, &told(telling), now));
    alarms
        .chain([
            Notice::of_dispatch("12345:1", &view, &pin, &dispatched, now),
            Notice::of_overruled("12345:1", &view, &pin, &dispatched, (EventKey([3; 16]), now)),
        ])
        .collect()
}

#[test]
fn every_notice_is_as_its_schema_says() {
    let schema = schema();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    for notice in all() {
        let faults: Vec<String> =
            validator.iter_errors(&notice.event).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}: {}", notice.event);
        assert_eq!(notice.event["id"], json!(notice.id.to_string()));
    }
    let mut odd = all().remove(0).event;
    odd["data"]["reporter"] = json!("示例");
    assert!(!validator.is_valid(&odd), "nothing personal has a place");
}

#[test]
fn the_schema_names_every_kind_reason_and_member() {
    let schema = schema();
    let kinds: Vec<Value> = NoticeKind::ALL.iter().map(|kind| json!(kind.event_type())).collect();
    assert_eq!(schema["properties"]["type"]["enum"], json!(kinds));
    let reasons: Vec<&str> = Withdrawal::ALL.iter().map(|why| why.code()).collect();
    assert_eq!(schema["$defs"]["alarm"]["properties"]["why"]["enum"], json!(reasons));
    for (of, is_alarm) in [("alarm", true), ("dispatch", false)] {
        let members = schema["$defs"][of]["properties"].as_object().unwrap().keys().cloned();
        let written = all()
            .into_iter()
            .filter(|notice| matches!(notice.kind, NoticeKind::Raised | NoticeKind::Withdrawn) == is_alarm);
        let written: BTreeSet<String> = written
            .flat_map(|notice| notice.event["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(written, members.collect::<BTreeSet<_>>());
    }
}

#[test]
fn what_is_only_noted_is_no_notice_and_each_telling_has_an_id_of_its_own() {
    let now = "2026-03-10T00:30:01Z".parse().unwrap();
    assert_eq!(Notice::of_alarm("12345:1", &view(), &told(Telling::Missed), now), None);
    let ids = |n: u16, telling: Telling| {
        let told = Told { n, ..told(telling) };
        Notice::of_alarm("12345:1", &view(), &told, now).unwrap().id
    };
    let withdrawn = Telling::Withdrawn(telling::Withdrawal::Held);
    assert_ne!(ids(1, Telling::Raised), ids(2, withdrawn));
    assert_ne!(ids(1, Telling::Raised), ids(3, Telling::Raised));
    assert_eq!(ids(1, Telling::Raised), ids(1, Telling::Raised));
}
