//! Decoding, case by case: what is read, what is refused, and that nothing personal leaks.

use hotline_core::fact::{Body, EventKey, Grant, OwnLimit};
use hotline_events::{
    DecodeError, Decoded, EVENT_BYTES_MAX, Event, Figure, Framing, Keep, Tagger, decode, decode_binary,
    decode_many, is_binary,
};
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "reads better at its many calls")]
fn event(kind: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/12345/411200",
        "id": "1", "subject": "12345:1", "time": "2023-11-22T08:30:00+08:00", "data": data,
    })
}

fn with(mut event: Value, name: &str, value: Value) -> Value {
    event[name] = value;
    event
}

fn decoded_text(text: &str) -> Decoded {
    match decode(text.as_bytes(), &Tagger::keyed(b"key"), Keep::All).unwrap() {
        Event::Case(case) => *case,
        Event::Figure(_) => panic!("a figure"),
    }
}

fn decoded(event: &Value) -> Decoded {
    decoded_text(&event.to_string())
}

/// The faults as `pointer code`, or the code of what is undecodable.
fn refused(text: impl AsRef<[u8]>) -> Vec<String> {
    match decode(text.as_ref(), &Tagger::unkeyed(), Keep::All) {
        Ok(_) => Vec::new(),
        Err(error) => {
            error.faults().iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
        }
    }
}

#[track_caller]
fn check_refused(event: &Value, expect: &[&str]) {
    assert_eq!(refused(event.to_string()), expect, "{event}");
}

#[test]
fn an_event_is_read_with_its_defaults() {
    let case = decoded(&event("received", json!({ "case_type": "complaint" })));
    assert_eq!(case.subject, "12345:1");
    assert_eq!(case.fact.key, EventKey::of("/hotline/12345/411200", "1"));
    assert_eq!(case.fact.claimed_at.to_string(), "2023-11-22T00:30:00Z");
    assert_eq!((case.fact.received_at, case.fact.recorded_at, case.fact.sequence), (None, None, 0));
    let Body::Received(received) = &case.fact.body else { panic!("received") };
    assert_eq!(received.category, ["unclassified"]);
    assert_eq!((received.persons, received.urgency.as_str(), received.reply_wanted), (1, "normal", true));
    assert!(!received.anonymous && !received.confidential);
    assert_eq!(case.personal, None);
}

#[test]
fn receipt_is_the_callers_affair_and_in_files_the_recorded_time() {
    let sent = with(event("accepted", json!({})), "recordedtime", json!("2023-11-22T09:00:00+08:00"));
    let case = decoded(&sent);
    let recorded = case.fact.recorded_at;
    assert_eq!(recorded.unwrap().to_string(), "2023-11-22T01:00:00Z");
    assert_eq!(case.clone().from_file().fact.received_at, recorded);
    let at = "2024-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(case.received(at).fact.received_at, Some(at));
}

#[test]
fn amounts_are_kept_in_fen_and_sorted() {
    let case = decoded(&event(
        "closed",
        json!({ "department": "D1", "amounts": { "b": 0.29, "a": 1e3, "c": 9_999_999_999.99 } }),
    ));
    let Body::Closed { amounts, .. } = case.fact.body else { panic!("closed") };
    let amounts: Vec<(&str, i64)> = amounts.iter().map(|(name, fen)| (name.as_str(), *fen)).collect();
    assert_eq!(amounts, [("a", 100_000), ("b", 29), ("c", 999_999_999_999)]);
}

#[test]
fn a_date_ends_at_24_00_in_the_offset_of_time() {
    let case = decoded(&event("extended", json!({ "until": "2026-10-19" })));
    let Body::Extended { grant: Grant::Until(until), .. } = case.fact.body else { panic!("until") };
    assert_eq!(until.to_string(), "2026-10-19T16:00:00Z");
    let own = json!({ "case_type": "complaint", "own_limit": { "due_at": "2023-12-01T00:00:00.0000019Z" } });
    let Body::Received(received) = decoded(&event("received", own)).fact.body else { panic!("received") };
    let Some(OwnLimit::DueAt(due_at)) = received.own_limit else { panic!("due_at") };
    assert_eq!(due_at.to_string(), "2023-12-01T00:00:00.000001Z");
}

#[test]
fn all_faults_are_reported_at_once_by_pointer_and_code() {
    let mut bad =
        event("received", json!({ "category": "x", "persons": 0, "origin": {}, "tags": ["a", ""] }));
    bad["time"] = json!("yesterday");
    bad.as_object_mut().unwrap().remove("id");
    check_refused(
        &bad,
        &[
            "/id required",
            "/time format",
            "/data/case_type required",
            "/data/category type",
            "/data/origin/hotline required",
            "/data/persons range",
            "/data/tags/1 length",
        ],
    );
}

#[test]
fn an_unknown_type_is_one_fault() {
    check_refused(&event("vanished", json!({ "x": 1 })), &["/type unknown_type"]);
}

#[test]
fn only_the_pipeline_pins() {
    let pin = json!({ "slot": "0".repeat(32), "rule": "r", "rulebook": "a".repeat(64) });
    let pinned = event("dispatched", json!({ "department": "D1", "pin": pin }));
    check_refused(&pinned, &["/data/pin forbidden"]);
    let own = with(pinned, "source", json!("/hotline/pipeline"));
    let Body::Dispatched(dispatched) = decoded(&own).fact.body else { panic!("dispatched") };
    assert_eq!(dispatched.pin.unwrap().rule, "r");
    let bare = with(event("dispatched", json!({ "department": "D1" })), "source", json!("/hotline/pipeline"));
    check_refused(&bare, &["/data/pin required"]);
}

#[test]
fn duplicate_names_are_found_at_any_depth_and_size() {
    let text = r#"{"specversion":"1.0","type":"hotline.case.accepted.v1","source":"/s","id":"1","id":"2","subject":"a:1","time":"2023-11-22T08:30:00Z","data":{"department":"D1","\u0064epartment":"D2"}}"#;
    assert_eq!(refused(text), ["/data/department duplicate_key", "/id duplicate_key"]);
    let many: Vec<String> = (0..100).map(|n| format!("\"k{}\":0", n % 99)).collect();
    let text = event("accepted", json!({ "x": "@" }))
        .to_string()
        .replace("\"@\"", &format!("{{{}}}", many.join(",")));
    assert_eq!(refused(text), ["/data duplicate_key"]);
}

#[test]
fn nul_is_refused_anywhere_and_unknown_names_are_not_repeated() {
    check_refused(
        &event("accepted", json!({ "department": "a\0" })),
        &["/data/department nul", "/data/department pattern"],
    );
    check_refused(&event("accepted", json!({ "00000000000": { "x": ["\0"] } })), &["/data nul"]);
    check_refused(&event("accepted", json!({ "a\0": 1 })), &["/data nul"]);
    check_refused(
        &event("received", json!({ "case_type": "c", "reporter": { "name": "\0" } })),
        &["/data/reporter/name nul"],
    );
}

#[test]
fn nesting_is_bounded_at_32() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let text =
        |depth: usize| event("accepted", json!({ "x": "@" })).to_string().replace("\"@\"", &nested(depth));
    // The event and its data are two.
    assert_eq!(refused(text(30)), [""; 0]);
    assert_eq!(refused(text(31)), ["/data too_deep"]);
    assert_eq!(refused(text(100_000)), ["/data too_deep"]);
}

#[test]
fn what_is_no_json_object_is_undecodable() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "json"),
        (b"{", "json"),
        (b"{} {}", "json"),
        (b"[]", "not_object"),
        (b"null", "not_object"),
        (b"{\"a\":\"\xff\"}", "utf8"),
        (b"{\"a\":\"\\ud800\"}", "json"),
    ];
    for (bytes, code) in cases {
        let error = decode(bytes, &Tagger::unkeyed(), Keep::All).unwrap_err();
        assert_eq!(error, DecodeError::Undecodable { code }, "{bytes:?}");
        assert_eq!(error.code(), "undecodable");
    }
    let long = format!("{}{}", event("accepted", json!({})), " ".repeat(EVENT_BYTES_MAX));
    assert_eq!(refused(long), [" too_large"]);
}

#[test]
fn personal_members_go_to_the_vault_and_only_there() {
    let mut sent = event(
        "received",
        json!({
            "case_type": "complaint", "title": "示例标题", "reporter": { "name": "示例", "phone": "00000000000" },
            "own_limit": { "limit": 1, "unit": "hour", "note": "示例备注" }, "whatever": 1.50,
        }),
    );
    sent["clerk"] = json!("示例办事员");
    let case = decoded(&sent);
    let personal = case.personal.clone().unwrap();
    assert_eq!(
        Value::Object(personal.members().clone()),
        json!({
            "clerk": "示例办事员",
            "data": {
                "title": "示例标题", "reporter": { "name": "示例", "phone": "00000000000" },
                "own_limit": { "note": "示例备注" }, "whatever": 1.5,
            },
        })
    );
    assert_eq!(
        std::str::from_utf8(&case.public).unwrap(),
        r#"{"data":{"case_type":"complaint","own_limit":{"limit":1,"unit":"hour"}},"id":"1","source":"/hotline/12345/411200","specversion":"1.0","subject":"12345:1","time":"2023-11-22T08:30:00+08:00","type":"hotline.case.received.v1"}"#
    );
    assert!(!format!("{case:?}").contains("示例"));
}

#[test]
fn personal_members_inside_snapshots_are_kept_by_index() {
    let received = json!({ "type": "hotline.case.received.v1", "time": "2023-11-22T08:30:00+08:00", "data": { "case_type": "c", "title": "示例" } });
    let closed = json!({ "type": "hotline.case.closed.v1", "time": "2023-11-23T08:30:00+08:00", "data": { "department": "D1" } });
    let case = decoded(&event("snapshot", json!({ "facts": [closed, received] })));
    let personal = Value::Object(case.personal.unwrap().members().clone());
    assert_eq!(personal, json!({ "data": { "facts": { "1": { "data": { "title": "示例" } } } } }));
    assert!(!String::from_utf8(case.public).unwrap().contains("示例"));
}

#[test]
fn the_key_of_an_inner_fact_knows_type_instant_and_public_content_only() {
    let inner = |time: &str, data: Value| {
        let fact = json!({ "type": "hotline.case.received.v1", "time": time, "data": data });
        let Body::Snapshot(facts) = decoded(&event("snapshot", json!({ "facts": [fact] }))).fact.body else {
            panic!("snapshot")
        };
        facts[0].key
    };
    let first = inner("2023-11-22T08:30:00+08:00", json!({ "case_type": "c", "title": "示例" }));
    assert_eq!(first, inner("2023-11-22T00:30:00.000Z", json!({ "title": "示例", "case_type": "c" })));
    assert_ne!(first, inner("2023-11-22T08:30:00+08:00", json!({ "case_type": "d", "title": "示例" })));
    // A title set right is no new fact: it keeps the receipt it had.
    assert_eq!(first, inner("2023-11-22T08:30:00+08:00", json!({ "case_type": "c", "title": "示例二" })));
    let data = r#"{"case_type":"c"}"#.as_bytes();
    let type_name = "hotline.case.received.v1";
    assert_eq!(first, EventKey::of_inner("/hotline/12345/411200", type_name, "2023-11-22T00:30:00Z", data));
}

#[test]
fn tags_know_content_not_spelling_nor_recordedtime() {
    let a = r#"{"specversion":"1.0","type":"hotline.case.accepted.v1","source":"/s","id":"1","subject":"a:1","time":"2023-11-22T08:30:00Z","data":{"department":"办","n":[1,2.50,{"a":1,"b":null}]}}"#;
    let b = r#" {"data" : {"n":[1.0,25e-1,{"b":null,"a":1}], "department":"\u529e"}, "time":"2023-11-22T08:30:00Z","subject":"a:1","recordedtime":"2024-01-01T00:00:00Z","id":"1","source":"/s","datacontenttype":"application/json","type":"hotline.case.accepted.v1","specversion":"1.0"}"#;
    let others = [
        a.replace("2.50", "2.51"),
        a.replace("[1,2.50", "[2.50,1"),
        a.replace("null", "false"),
        a.replace("\"b\"", "\"c\""),
        a.replace("\"id\":\"1\"", "\"id\":\"2\""),
        a.replace("\"n\":", "\"m\":"),
    ];
    for tagger in [Tagger::keyed(b"key"), Tagger::keyed(b"other"), Tagger::unkeyed()] {
        let tag = |text: &str| match decode(text.as_bytes(), &tagger, Keep::Fact).unwrap() {
            Event::Case(case) => case.fact.tag,
            Event::Figure(figure) => figure.tag,
        };
        assert_eq!(tag(a), tag(b));
        for other in &others {
            assert_ne!(tag(a), tag(other), "{other}");
        }
    }
}

#[test]
fn keyed_tags_are_the_first_8_bytes_of_hmac_sha256_of_the_canonical_content() {
    let text = r#"{"specversion":"1.0","type":"hotline.case.accepted.v1","source":"/s","id":"1","subject":"a:1","time":"2023-11-22T08:30:00Z","data":{}}"#;
    // printf '{"data":{},"id":"1","source":"/s","specversion":"1.0","subject":"a:1","time":"2023-11-22T08:30:00Z","type":"hotline.case.accepted.v1"}' | openssl dgst -sha256 -hmac key
    assert_eq!(decoded_text(text).fact.tag, KNOWN_TAG);
}

const KNOWN_TAG: u64 = 0xe42c_bcd2_a4ef_6652;

#[test]
fn a_replay_keeps_only_the_fact() {
    let sent = event("received", json!({ "case_type": "complaint", "title": "示例" })).to_string();
    let Event::Case(lean) = decode(sent.as_bytes(), &Tagger::keyed(b"key"), Keep::Fact).unwrap() else {
        panic!("a case")
    };
    assert_eq!((lean.personal, lean.public.len()), (None, 0));
    assert_eq!(lean.fact, decoded_text(&sent).fact);
}

#[test]
fn a_figure_is_read() {
    let text = r#"{"specversion":"1.0","type":"hotline.figure.reported.v1","source":"/s","id":"1","time":"2023-11-22T08:30:00Z","data":{"measure":"calls_answered","day":"2023-11-21","value":12,"note":"示例"}}"#;
    let Event::Figure(figure) = decode(text.as_bytes(), &Tagger::unkeyed(), Keep::All).unwrap() else {
        panic!("a case")
    };
    let Figure { measure, day, value, personal, .. } = *figure;
    assert_eq!((measure.as_str(), day.to_string().as_str()), ("calls_answered", "2023-11-21"));
    assert!((value - 12.0).abs() < f64::EPSILON);
    assert!(personal.is_some());
}

#[test]
fn bodies_hold_one_event_an_array_or_a_line_each() {
    let (one, two) = (event("accepted", json!({})).to_string(), event("withdrawn", json!({})).to_string());
    let kinds = |body: &str, framing: Framing| -> Vec<String> {
        let tagger = Tagger::unkeyed();
        let items = decode_many(body.as_bytes(), framing, &tagger, Keep::Fact).unwrap();
        items
            .map(|item| match item.event {
                Ok(Event::Case(case)) => format!("{} {}", case.kind().name(), item.raw.len() == one.len()),
                Ok(Event::Figure(_)) => "figure".to_owned(),
                Err(error) => error.code().to_owned(),
            })
            .collect()
    };
    assert_eq!(kinds(&one, Framing::One), ["accepted true"]);
    assert_eq!(
        kinds(&format!("[{one} , 5,\n{two}]"), Framing::Batch),
        ["accepted true", "undecodable", "withdrawn false"]
    );
    assert_eq!(
        kinds(&format!("\u{feff}{one}\r\n\n{{}}\n{two}"), Framing::Lines),
        ["accepted true", "invalid", "withdrawn false"]
    );
    assert_eq!(kinds("[]", Framing::Batch), [""; 0]);
    assert!(decode_many(b"[{]", Framing::Batch, &Tagger::unkeyed(), Keep::Fact).is_err());
    for (content_type, body, expect) in [
        ("application/cloudevents+json; charset=utf-8", "", Some(Framing::One)),
        ("application/cloudevents-batch+json", "", Some(Framing::Batch)),
        ("application/x-ndjson", "", Some(Framing::Lines)),
        ("Application/JSON", " [", Some(Framing::Batch)),
        ("application/json", "{", Some(Framing::One)),
        ("text/plain", "{", None),
    ] {
        assert_eq!(Framing::of(content_type, body.as_bytes()), expect, "{content_type}");
    }
}

#[test]
fn binary_mode_gives_the_same_event_as_structured_mode() {
    let structured =
        decoded(&with(event("closed", json!({ "department": "D1" })), "clerk", json!("示 \"例\"")));
    let attributes = |prefix: &str, clerk: &str| -> Vec<(String, Vec<u8>)> {
        [
            ("specversion", "1.0"),
            ("type", "hotline.case.closed.v1"),
            ("source", "/hotline/12345/411200"),
            ("id", "1"),
            ("subject", "12345:1"),
            ("time", "2023-11-22T08:30:00+08:00"),
            ("clerk", clerk),
        ]
        .map(|(name, value)| (format!("{prefix}{name}"), value.as_bytes().to_vec()))
        .into_iter()
        .chain([
            ("Content-Type".to_owned(), b"application/json; charset=utf-8".to_vec()),
            ("traceparent".to_owned(), vec![0xff]),
        ])
        .collect()
    };
    for headers in [attributes("ce_", "示 \"例\""), attributes("CE-", "%E7%A4%BA%20%22%E4%BE%8B%22")] {
        assert!(is_binary(headers.iter().map(|(name, _)| name.as_str())));
        let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let Event::Case(binary) =
            decode_binary(pairs, br#"{"department":"D1"}"#, &Tagger::keyed(b"key"), Keep::All).unwrap()
        else {
            panic!("a case")
        };
        assert_eq!(*binary, structured);
    }
    let twice = [("ce_id", b"1".as_slice()), ("ce-ID", b"2"), ("content-type", b"text/xml")];
    let error = decode_binary(twice, b"", &Tagger::unkeyed(), Keep::All).unwrap_err();
    let faults: Vec<String> =
        error.faults().iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect();
    assert!(
        faults.contains(&"/id duplicate_key".to_owned())
            && faults.contains(&"/datacontenttype enum".to_owned()),
        "{faults:?}"
    );
}
