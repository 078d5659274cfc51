//! Adapters and tables: what they make of rows, and what they may not do.

use std::path::Path;

use hotline_core::fact::{Body, OwnLimit};
use hotline_events::adapter::{Adapter, OUTPUTS_MAX};
use hotline_events::{AdapterError, Event, Keep, TableError, Tagger, decode, table};
use serde_json::{Value, json};

fn run(program: &str, row: &Value) -> Result<Vec<Value>, AdapterError> {
    Adapter::compile("test", program).unwrap().run(row)
}

fn boston311() -> Adapter {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/adapters/boston311.jq");
    Adapter::compile("boston311", &std::fs::read_to_string(path).unwrap()).unwrap()
}

const HEADER: &str = "case_enquiry_id,open_raw,target_raw,closed_raw,agency_on_time,case_status,subject,reason,type,department,neighborhood,channel\n";

fn boston_events(lines: &str) -> Vec<Event> {
    let adapter = boston311();
    let rows = table::csv(lines.as_bytes()).unwrap().map(|row| row.value.unwrap());
    let events = rows.flat_map(|row| adapter.run(&row).unwrap());
    events.map(|event| decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::All).unwrap()).collect()
}

#[test]
fn a_program_makes_zero_or_more_events_of_a_row() {
    assert_eq!(run("empty", &json!({})).unwrap(), Vec::<Value>::new());
    let out =
        run(".a[] | { n: ., big: 12345678901234567890, half: 0.5, none: null }", &json!({ "a": [1, "二"] }));
    assert_eq!(
        out.unwrap(),
        [
            json!({ "n": 1, "big": 12_345_678_901_234_567_890_u64, "half": 0.5, "none": null }),
            json!({ "n": "二", "big": 12_345_678_901_234_567_890_u64, "half": 0.5, "none": null }),
        ]
    );
}

#[test]
fn how_many_events_a_row_becomes_is_bounded() {
    assert_eq!(run("range(1000)", &json!(0)).unwrap().len(), OUTPUTS_MAX);
    assert_eq!(run("repeat(1)", &json!(0)), Err(AdapterError::TooManyOutputs { max: OUTPUTS_MAX }));
}

#[test]
fn errors_carry_only_what_the_program_itself_says() {
    let row = json!({ "phone": "00000000000" });
    assert_eq!(
        run("error(\"no number\")", &row),
        Err(AdapterError::Failed { reason: Some("no number".to_owned()) })
    );
    for program in ["error(.phone)", ".phone | error", ".phone.x", "error", ".phone | tonumber | .[0]"] {
        assert_eq!(run(program, &row), Err(AdapterError::Failed { reason: None }), "{program}");
    }
    assert_eq!(run("{(.phone): nan}", &row), Err(AdapterError::NotJson));
}

#[test]
fn programs_see_nothing_but_their_row() {
    for program in
        ["now", "env", "input", "[inputs]", "halt", "halt_error", "debug", "stderr", "localtime", "$ENV"]
    {
        assert!(Adapter::compile("test", program).is_err(), "{program}");
    }
}

#[test]
fn faults_of_a_program_have_a_line() {
    let error = Adapter::compile("a.jq", ".a\n| nothere").unwrap_err();
    assert_eq!(error, AdapterError::Undefined { name: "a.jq".into(), line: 2, symbol: "nothere".into() });
    let error = Adapter::compile("a.jq", ".a\n| {").unwrap_err();
    assert_eq!(error.code(), "adapter_syntax");
}

#[test]
fn adapters_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Adapter>();
}

#[test]
fn csv_rows_are_objects_of_strings_and_a_bad_row_does_not_end_the_file() {
    let file = b"\xef\xbb\xbfa,b\n1,\n\"x\ny\",2\n3\n\xff,4\n5,6\n";
    let rows: Vec<_> = table::csv(&file[..]).unwrap().map(|row| (row.line, row.value)).collect();
    assert_eq!(
        rows,
        [
            (2, Ok(json!({ "a": "1", "b": "" }))),
            (3, Ok(json!({ "a": "x\ny", "b": "2" }))),
            (5, Err(TableError::Fields { expected: 2, found: 1 })),
            (6, Err(TableError::Utf8)),
            (7, Ok(json!({ "a": "5", "b": "6" }))),
        ]
    );
    assert_eq!(table::csv(&b"a,a\n"[..]).err(), Some(TableError::DuplicateColumn));
}

#[test]
fn ndjson_rows_keep_their_lines() {
    let long = format!("\"{}\"", "x".repeat(300_000));
    let file = format!("{{\"a\":1}}\n\n{{\n{long}\n2");
    let rows: Vec<_> = table::ndjson(file.as_bytes()).map(|row| (row.line, row.value)).collect();
    assert_eq!(
        rows,
        [
            (1, Ok(json!({ "a": 1 }))),
            (3, Err(TableError::Json)),
            (4, Err(TableError::TooLong { max: 262_144 })),
            (5, Ok(json!(2))),
        ]
    );
}

#[test]
fn a_closed_boston_case_is_received_dispatched_and_closed() {
    let row = "101000729509,2013-01-01 06:32:33,2013-01-02 06:32:33,2013-01-01 13:14:40,ONTIME,Closed,Public Works Department,Street Cleaning,Pick up Dead Animal,PWDx,Greater Mattapan,Constituent Call\n";
    let events = boston_events(&format!("{HEADER}{row}"));
    let [Event::Case(received), Event::Case(dispatched), Event::Case(closed)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (received.subject.as_str(), received.id.as_str()),
        ("boston311:101000729509", "101000729509-received")
    );
    assert_eq!(received.source(), "/hotline/boston311");
    assert_eq!(received.fact.claimed_at.to_string(), "2013-01-01T06:32:33Z");
    let Body::Received(body) = &received.fact.body else { panic!("{received:?}") };
    assert_eq!(body.category, ["Pick up Dead Animal", "Street Cleaning", "Public Works Department"]);
    assert_eq!((body.case_type.as_str(), body.region.as_deref()), ("complaint", Some("Greater Mattapan")));
    assert_eq!(body.own_limit, Some(OwnLimit::DueAt("2013-01-02T06:32:33Z".parse().unwrap())));
    assert_eq!(dispatched.fact.claimed_at, received.fact.claimed_at);
    assert_eq!(dispatched.fact.body.department().unwrap(), "PWDx");
    assert_eq!(closed.fact.claimed_at.to_string(), "2013-01-01T13:14:40Z");
    assert_eq!(closed.fact.body.department().unwrap(), "PWDx");
    assert!([received, dispatched, closed].iter().all(|case| case.personal.is_none()));
}

#[test]
fn an_open_boston_case_without_target_has_neither_limit_nor_closing() {
    let row = "1,2013-01-01 06:32:33,,,ONTIME,Open,S,R,T,INFO, ,\n";
    let events = boston_events(&format!("{HEADER}{row}"));
    let [Event::Case(received), Event::Case(_)] = &events[..] else { panic!("{events:?}") };
    let Body::Received(body) = &received.fact.body else { panic!("{received:?}") };
    assert_eq!((&body.own_limit, &body.region, &body.channel), (&None, &None, &None));
}

#[test]
fn rows_have_the_line_on_which_they_begin_whatever_ends_a_line() {
    for end in ["\n", "\r\n"] {
        let text = ["h1,h2", "1,2", "a", "3,4"].map(|line| format!("{line}{end}")).concat();
        let rows = hotline_events::table::csv(text.as_bytes()).unwrap();
        assert_eq!(rows.map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4], "{end:?}");
    }
}
