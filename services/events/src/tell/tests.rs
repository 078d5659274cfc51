//! A case under the shipped rulebook, told in both languages.

use std::path::Path;

use hotline_core::case::CaseFacts;
use hotline_core::fold::fold;
use hotline_core::rulebook::{Files, Rulebook, load};
use serde_json::{Value, json};

use super::case;
use crate::words::Lang;
use crate::{Event, Keep, Tagger, decode};

const CASE: &str = "12345:411200202609230001";

fn shipped() -> Rulebook {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rulebook");
    let (mut files, mut folders) = (Files::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the shipped rulebook") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "md") {
                let name = path.strip_prefix(&root).expect("it lies within").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    load(&files).unwrap_or_else(|faults| panic!("{faults:#?}")).rulebook
}

/// A complaint of the day before the Mid-Autumn festival, closed eight days later.
fn told(lang: Lang) -> String {
    let rulebook = shipped();
    let events: [(&str, &str, Value); 4] = [
        ("received", "2026-09-24T16:00:00+08:00", json!({ "case_type": "complaint", "region": "411200" })),
        ("dispatched", "2026-09-24T16:30:00+08:00", json!({ "department": "FGW" })),
        ("signed", "2026-09-24T17:00:00+08:00", json!({ "department": "FGW" })),
        ("closed", "2026-10-12T17:30:00+08:00", json!({ "department": "FGW", "outcome": "resolved" })),
    ];
    let mut facts = CaseFacts::default();
    for (n, (kind, time, data)) in events.into_iter().enumerate() {
        let event = json!({
            "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/12345/411200",
            "id": n.to_string(), "subject": CASE, "time": time, "data": data,
        });
        let Ok(Event::Case(decoded)) = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::Fact)
        else {
            panic!("{event} is an event");
        };
        facts.add(decoded.fact, &rulebook);
    }
    let as_of = "2026-10-20T00:00:00+08:00".parse().expect("an instant");
    let text = case(&fold(CASE, &facts, &rulebook), &rulebook, as_of, lang);
    // The hash changes with every change of the rulebook.
    text.replace(&rulebook.hash[..12], "<hash>")
}

#[test]
fn what_decides_is_said_of_each_event() {
    let rulebook = shipped();
    let mut facts = CaseFacts::default();
    for (n, (kind, data)) in [
        ("received", json!({ "case_type": "complaint", "region": "411200" })),
        ("dispatched", json!({ "department": "FGW" })),
        ("linked", json!({ "kind": "repeat", "case": "12345:411200202609230002" })),
        ("extended", json!({ "stage": "close", "limit": 2, "unit": "working_day", "by": "HL" })),
        ("acknowledged", json!({ "alarm": "1.close.statutory.9f0c21d84be77a35.b+0h.1760284800" })),
        ("closed", json!({ "department": "FGW", "outcome": "resolved" })),
        ("rated", json!({ "reached": false, "attempt": 1 })),
        ("rated", json!({ "reached": true, "method": "call", "satisfaction": 2, "solved": "partly", "attempt": 2 })),
        ("ruled", json!({ "indicator": "close", "effect": "exclude", "reason": "unreasonable", "document": "2026-7", "by": "HL" })),
    ]
    .into_iter()
    .enumerate()
    {
        let event = json!({
            "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/12345/411200",
            "id": n.to_string(), "subject": CASE, "time": format!("2026-09-24T16:0{n}:00+08:00"), "data": data,
        });
        let decoded = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::Fact);
        let Ok(Event::Case(decoded)) = decoded else { panic!("{event} is an event: {decoded:?}") };
        facts.add(decoded.fact, &rulebook);
    }
    let as_of = "2026-10-20T00:00:00+08:00".parse().expect("an instant");
    let view = fold(CASE, &facts, &rulebook);
    let text = case(&view, &rulebook, as_of, Lang::En);
    for said in [
        "repeat  case 12345:411200202609230002",
        "for 2 working days  by HL",
        "alarm 1.close.statutory.9f0c21d84be77a35.b+0h.1760284800",
        "not reached  attempt 1",
        "grade 2  solved partly  by call  attempt 2",
        "indicator close  reason unreasonable  document 2026-7",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let shown = crate::show::view(&view, &rulebook, as_of);
    let facts = shown["rounds"][0]["facts"].as_array().expect("facts");
    let ruled = facts.iter().find(|fact| fact["type"] == "ruled").expect("it is there");
    assert_eq!(ruled["details"]["document"], "2026-7");
}

#[test]
fn what_was_corrected_is_said() {
    let closed = |id: &str| {
        json!({ "specversion": "1.0", "source": "/hotline/12345/411200", "id": id, "subject": CASE,
            "time": "2026-09-25T10:00:00+08:00" })
    };
    let rulebook = shipped();
    let mut facts = CaseFacts::default();
    for (id, kind, data) in [
        ("1", "received", json!({ "case_type": "complaint", "region": "411200" })),
        ("2", "dispatched", json!({ "department": "FGW" })),
        (
            "3",
            "corrected",
            json!({ "corrects": { "source": "/hotline/12345/411200", "id": "2",
            "type": "hotline.case.dispatched.v1" }, "data": { "department": "GAJ" } }),
        ),
        ("4", "closed", json!({ "department": "GAJ", "outcome": "resolved" })),
        (
            "5",
            "corrected",
            json!({ "corrects": { "source": "/hotline/12345/411200", "id": "4",
            "type": "hotline.case.closed.v1" }, "void": true }),
        ),
    ] {
        let mut event = closed(id);
        event["type"] = json!(format!("hotline.case.{kind}.v1"));
        event["data"] = data;
        let decoded = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::Fact);
        let Ok(Event::Case(decoded)) = decoded else { panic!("{event} is an event: {decoded:?}") };
        facts.add(decoded.fact, &rulebook);
    }
    let as_of = "2026-10-20T00:00:00+08:00".parse().expect("an instant");
    let text = case(&fold(CASE, &facts, &rulebook), &rulebook, as_of, Lang::En);
    for said in [
        "corrected  2026-09-25 10:00  dispatched of 2026-09-25 10:00: its data were replaced",
        "closed of 2026-09-25 10:00: voided, by /hotline/12345/411200",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn every_day_of_a_deadline_is_accounted_for_in_english() {
    let text = told(Lang::En);
    for line in [
        "12345:411200202609230001  complaint, unclassified, 411200, normal",
        "      skips 2026-09-24 16:30 to 2026-09-25 00:00 (the day of the start)",
        "      skips 2026-09-25 (中秋节, festival)",
        "      counts 1 working day: 2026-10-10 (made up for 国庆节)",
        "      counts 4 working days: 2026-10-12 to 2026-10-15",
        "    due  2026-10-15 24:00",
        "    stopped  2026-10-12 17:30, 3 d 6 h 30 min before it was due",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn every_day_of_a_deadline_is_accounted_for_in_chinese() {
    let text = told(Lang::Zh);
    for line in
        ["12345:411200202609230001  投诉, 未分类, 411200, 一般", "      不计 2026-09-25（中秋节，法定节日）"]
    {
        assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
    }
}
