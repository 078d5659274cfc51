//! A small rulebook and lives of cases written as people would tell them, for tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use smol_str::SmolStr;

use crate::case::CaseFacts;
use crate::fact::{
    Amended, Body, Change, Code, Corrected, Dispatched, EventKey, Fact, Grant, InnerFact, Kind, OwnLimit,
    Precision, Rated, Received, Role, Ruled, RulingEffect, Solved, Unit,
};
use crate::rate::{By, Query, Table};
use crate::rulebook::{Rulebook, load};
use crate::score::score;

/// The source that dispatches itself.
pub(crate) const PLATFORM: &str = "/hotline/12345/test";
/// The source that leaves dispatch to us.
pub(crate) const PLAIN: &str = "/hotline/12345/plain";
pub(crate) const CASE: &str = "12345:1";

const DIRECTORIES: &[(&str, &str)] = &[
    ("rulebook.toml", "name = \"samples\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
    (
        "hotlines.toml",
        "[[hotline]]\ncode = \"12345\"\nname_zh = \"热线\"\nname_en = \"Hotline\"\noffice = \"HL\"\n",
    ),
    (
        "departments.csv",
        "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,办,Office,,,,,\nD1,一,One,,,,,\n\
         D2,二,Two,,,,,\nD3,三,Three,,,,,\nS1,街,Street,D1,,,,\n",
    ),
    (
        "routing/r.csv",
        "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\n\
         heating,12345,,housing/heating,,,D3,0,,\nhousing,12345,,housing,,,D1,0,,\nfallback,12345,,,,,HL,0,,\n",
    ),
    (
        "sources/s.toml",
        "[[source]]\nid = \"/hotline/12345/test\"\nhotline = \"12345\"\nname = \"t\"\ndispatch = \"hotline\"\n\
         [[source]]\nid = \"/hotline/12345/plain\"\nhotline = \"12345\"\nname = \"p\"\ndispatch = \"pipeline\"\n\
         [[source]]\nid = \"/hotline/12345/later\"\nhotline = \"12345\"\nname = \"l\"\ndispatch = { after = \"30 minute\" }\n\
         [[source]]\nid = \"/hotline/12345/sheet\"\nhotline = \"12345\"\nname = \"s\"\nmode = \"snapshots\"\ndispatch = \"hotline\"\n",
    ),
];

/// The Chinese calendar of 2026, as far as the samples need it.
const CALENDAR: &str = r#"id = "cn"
timezone = "Asia/Shanghai"
rest_days = ["saturday", "sunday"]
office_hours = [["08:30", "12:00"], ["14:30", "17:30"]]
known_from = 2026-01-01
known_until = 2026-12-25
"#;

const DAYS: &[(&str, &str)] = &[
    ("2026-05-01", "festival"),
    ("2026-05-02", "festival"),
    ("2026-05-03", "rest"),
    ("2026-05-04", "rest"),
    ("2026-05-05", "rest"),
    ("2026-05-09", "work"),
    ("2026-09-20", "work"),
    ("2026-09-25", "festival"),
    ("2026-09-26", "rest"),
    ("2026-09-27", "rest"),
    ("2026-10-01", "festival"),
    ("2026-10-02", "festival"),
    ("2026-10-03", "festival"),
    ("2026-10-04", "rest"),
    ("2026-10-05", "rest"),
    ("2026-10-06", "rest"),
    ("2026-10-07", "rest"),
    ("2026-10-10", "work"),
];

/// The policies that most samples run under: ten working days to close, 24 hours to sign, a review by the office.
pub(crate) const POLICIES: &str = r#"
[[policy]]
id = "close"
calendar = "cn"
match = { hotline = "12345" }
stage = "close"
scope = "custody"
start = "dispatched"
stop = ["closed"]
limit = 10
unit = "working_day"
holds = ["inspection", "parked"]
extension = { times_max = 1, each_max = 10, unit = "working_day", ask_by = "17:00" }
return = { ask_within = "24 hour", times_max = 1 }
closure = true
basis = "sample"

[[policy]]
id = "sign"
calendar = "cn"
match = { hotline = "12345" }
stage = "sign"
scope = "custody"
start = "dispatched"
stop = ["signed"]
limit = 24
unit = "round_clock_hour"
basis = "sample"

[[policy]]
id = "case-close"
calendar = "cn"
match = { hotline = "12345" }
stage = "whole"
family = "close"
start = "received"
stop = ["closed"]
limit = 15
unit = "working_day"
holds = ["inspection"]
basis = "sample"

[[policy]]
id = "review"
calendar = "cn"
match = { hotline = "12345" }
stage = "review"
start = "submitted"
stop = ["closed", "close_refused"]
limit = 2
unit = "working_day"
basis = "sample"
"#;

/// Rates over every measure that the tests ask for, one a measure and basis.
fn rates() -> String {
    let mut rates = String::new();
    let stages = ["close", "sign", "whole", "review", "close_promise", "supervise", "contact"];
    for stage in stages {
        for basis in ["due", "received", "closed"] {
            write!(
                rates,
                "[[rate]]\nid = \"{stage}.{basis}\"\nversion = 1\nname = {{ zh = \"率\", en = \"rate\" }}\nbasis = \"{basis}\"\n\
                 numerator = [\"each.{stage}.met\"]\ndenominator = [\"each.{stage}.met\", \"each.{stage}.late\", \
                 \"each.{stage}.left_late\", \"each.{stage}.open_overdue\"]\n\n"
            )
            .expect("writing to a string");
        }
    }
    let more = [
        ("disputed", "received", "sum.amount_disputed", "received"),
        ("solved", "closed", "{ measure = \"each.solved_partly\", weight = \"1/2\" }", "each.solved_partly"),
        ("returned", "event", "excluded.returned", "returned"),
        ("rated", "rated", "rated", "rated"),
        ("first", "received", "first.whole.met", "first.whole.met"),
        ("final", "received", "final.whole.met", "final.whole.met"),
    ];
    for (id, basis, numerator, denominator) in more {
        let numerator =
            if numerator.starts_with('{') { numerator.to_owned() } else { format!("\"{numerator}\"") };
        write!(
            rates,
            "[[rate]]\nid = \"{id}\"\nversion = 1\nname = {{ zh = \"率\", en = \"rate\" }}\nbasis = \"{basis}\"\n\
             numerator = [{numerator}]\ndenominator = [\"{denominator}\"]\n\n"
        )
        .expect("writing to a string");
    }
    rates
}

/// A rulebook with these policies, or the errors that the loader finds.
pub(crate) fn rulebook(policies: &str) -> Rulebook {
    rulebook_with(policies, &[])
}

pub(crate) fn rulebook_with(policies: &str, more: &[(&str, &str)]) -> Rulebook {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut calendar = CALENDAR.to_owned();
    for (date, kind) in DAYS {
        write!(calendar, "[[day]]\ndate = {date}\nkind = \"{kind}\"\nname = \"节\"\n")
            .expect("writing to a string");
    }
    files.insert("calendars/cn.toml".into(), calendar.into_bytes());
    files.insert("policies/p.toml".into(), policies.as_bytes().to_vec());
    files.insert("rates/r.toml".into(), rates().into_bytes());
    for (path, text) in DIRECTORIES.iter().chain(more) {
        files.insert((*path).into(), text.as_bytes().to_vec());
    }
    load(&files).unwrap_or_else(|faults| panic!("{faults:#?}")).rulebook
}

/// An instant in Shanghai, `09-21 09:00` or `09-21 09:00:01`, of the year 2026.
pub(crate) fn at(text: &str) -> Timestamp {
    let text = if text.len() == 11 { format!("{text}:00") } else { text.to_owned() };
    let local: DateTime = format!("2026-{}", text.replacen(' ', "T", 1)).parse().expect("a sample's instant");
    TimeZone::get("Asia/Shanghai").expect("bundled").to_timestamp(local).expect("no gap in Shanghai")
}

/// An instant as the samples write it, to the minute.
pub(crate) fn local(at: Timestamp) -> String {
    let zone = TimeZone::get("Asia/Shanghai").expect("bundled");
    zone.to_datetime(at).strftime("%m-%d %H:%M").to_string()
}

/// One fact told as `09-21 09:00 dispatched D1 role=co`; words with `=` are options, the others stand in the order
/// of the event's required members. `src=`, `id=`, `recorded=` and `seq=` belong to the event itself.
pub(crate) fn fact(line: &str) -> Fact {
    let (instant, rest) = line.trim().split_at(11);
    let mut words = rest.split_whitespace();
    let kind = words.next().expect("a type");
    let all: Vec<&str> = words.collect();
    let options: BTreeMap<&str, &str> = all.iter().filter_map(|word| word.split_once('=')).collect();
    let plain: Vec<&str> = all.iter().copied().filter(|word| !word.contains('=')).collect();
    let source = match options.get("src") {
        Some(&"plain") => PLAIN.to_owned(),
        Some(other) => format!("/hotline/12345/{other}"),
        None => PLATFORM.to_owned(),
    };
    let id = options.get("id").map_or_else(|| line.trim().to_owned(), |id| (*id).to_owned());
    let instant_of = |name: &str| options.get(name).map(|text| at(&text.replacen('T', " ", 1)));
    let received_at = instant_of("recorded");
    Fact {
        key: EventKey::of(&source, &id),
        source: SmolStr::new(source),
        body: body(kind, &plain, &options),
        claimed_at: at(instant),
        precision: if options.contains_key("day") { Precision::Day } else { Precision::Second },
        received_at,
        recorded_at: received_at,
        sequence: options.get("seq").map_or(0, |seq| seq.parse().expect("a number")),
        tag: 1,
        ledger_seq: 0,
    }
}

/// The facts of a life, a line each.
pub(crate) fn life(text: &str) -> Vec<Fact> {
    text.lines().filter(|line| !line.trim().is_empty()).map(fact).collect()
}

pub(crate) fn case(facts: impl IntoIterator<Item = Fact>, rulebook: &Rulebook) -> CaseFacts {
    let mut case = CaseFacts::default();
    for fact in facts {
        case.add(fact, rulebook);
    }
    case
}

fn limit(text: &str) -> (u32, Unit) {
    let (limit, unit) = text.split_once('-').expect("limit-unit");
    (limit.parse().expect("a number"), Unit::parse(unit).expect("a unit"))
}

fn own(options: &BTreeMap<&str, &str>) -> Option<OwnLimit> {
    options.get("own").map(|text| {
        if text.contains('T') {
            return OwnLimit::DueAt(at(&text.replacen('T', " ", 1)));
        }
        let (limit, unit) = limit(text);
        OwnLimit::Limit(limit, unit)
    })
}

fn body(kind: &str, plain: &[&str], options: &BTreeMap<&str, &str>) -> Body {
    let word = |n: usize| Code::new(plain.get(n).copied().unwrap_or_else(|| panic!("{kind} wants a word")));
    let option = |name: &str| options.get(name).map(Code::new);
    let until = || options.get("until").map(|text| at(&text.replacen('T', " ", 1)));
    let grant = || {
        if let Some(until) = until() {
            Grant::Until(until)
        } else {
            let (limit, unit) = limit(plain.last().expect("a grant"));
            Grant::Limit(limit, unit)
        }
    };
    let stage = || option("stage").unwrap_or_else(|| "close".into());
    match Kind::parse(kind).unwrap_or_else(|| panic!("{kind} is no type")) {
        Kind::Received => Body::Received(Box::new(received(plain, options))),
        Kind::Amended => Body::Amended(Box::new(Amended {
            case_type: option("case_type"),
            category: option("category").map(|path| path.split('/').map(Code::new).collect()),
            ..Amended::default()
        })),
        Kind::Supplemented => Body::Supplemented { new_facts: options.contains_key("new_facts") },
        Kind::Linked => Body::Linked { kind: word(0), case: "12345:2".into() },
        Kind::Dispatched => Body::Dispatched(Box::new(Dispatched {
            department: word(0),
            from: option("from"),
            role: option("role").map_or(Role::Lead, |role| Role::parse(&role).expect("a role")),
            reason: option("reason"),
            basis: None,
            own_limit: own(options),
            pin: None,
        })),
        Kind::Signed => Body::Signed { department: word(0), automatic: false },
        Kind::Contacted => Body::Contacted { department: word(0), reached: Some(true) },
        Kind::Replied => Body::Replied { department: word(0), preliminary: false },
        Kind::Accepted => Body::Accepted { department: plain.first().map(Code::new) },
        Kind::Refused => Body::Refused { department: None, ground: word(0) },
        Kind::ReturnRequested => Body::ReturnRequested { department: word(0), reason: None },
        Kind::ReturnRefused => {
            Body::ReturnRefused { department: word(0), reason: None, is_final: options.contains_key("final") }
        }
        Kind::Returned => Body::Returned { department: word(0), reason: None },
        Kind::ExtensionRequested => Body::ExtensionRequested { stage: stage(), grant: grant(), by: None },
        Kind::ExtensionRefused => Body::ExtensionRefused { stage: stage(), by: None },
        Kind::Extended => Body::Extended { stage: stage(), grant: grant(), by: None },
        Kind::Held => Body::Held { reason: word(0), stages: Vec::new(), until: until() },
        Kind::Released => Body::Released { reason: word(0) },
        Kind::Verified => Body::Verified { result: word(0), amounts: Vec::new() },
        Kind::Notified => Body::Notified { of: word(0) },
        Kind::Submitted => Body::Submitted { department: word(0), outcome: None, amounts: Vec::new() },
        Kind::CloseRefused => Body::CloseRefused { department: word(0) },
        Kind::Closed => {
            Body::Closed { department: word(0), by: None, outcome: option("outcome"), amounts: Vec::new() }
        }
        Kind::Merged => Body::Merged { into: "12345:9".into(), reason: Some("duplicate".into()) },
        Kind::Split => Body::Split { into: vec!["12345:8".into(), "12345:9".into()] },
        Kind::Withdrawn => Body::Withdrawn { by: None },
        Kind::Rated => Body::Rated(Box::new(rated(plain, options))),
        Kind::Reopened => Body::Reopened { reason: word(0) },
        Kind::Urged => Body::Urged { by: option("by") },
        Kind::Supervised => Body::Supervised { kind: option("kind"), by: None, own_limit: own(options) },
        Kind::SupervisionAnswered => Body::SupervisionAnswered { kind: None, by: None },
        Kind::Acknowledged => Body::Acknowledged { alarm: word(0) },
        Kind::Appealed => Body::Appealed { indicator: word(0) },
        Kind::Ruled => Body::Ruled(Box::new(Ruled {
            indicator: word(0),
            effect: RulingEffect::parse(&word(1)).expect("an effect"),
            reason: "sample".into(),
            document: "doc".into(),
            by: None,
            round: options.get("round").map(|round| round.parse().expect("a number")),
            department: option("department"),
        })),
        Kind::Milestone => Body::Milestone { name: word(0), result: None },
        Kind::Snapshot => Body::Snapshot(Vec::new()),
        Kind::Corrected => Body::Corrected(Box::new(corrected(plain, options))),
    }
}

fn received(plain: &[&str], options: &BTreeMap<&str, &str>) -> Received {
    let path = options.get("category").copied().unwrap_or("housing/heating");
    Received {
        case_type: Code::new(plain.first().copied().unwrap_or("complaint")),
        category: path.split('/').map(Code::new).collect(),
        region: Some("411202".into()),
        number: None,
        channel: None,
        origin_hotline: None,
        origin_number: None,
        contact: None,
        persons: 1,
        urgency: "normal".into(),
        anonymous: options.contains_key("anonymous"),
        confidential: false,
        reply_wanted: true,
        tags: Vec::new(),
        reporter_tag: None,
        amounts: options
            .get("disputed")
            .map(|fen| ("disputed".into(), fen.parse().expect("fen")))
            .into_iter()
            .collect(),
        own_limit: own(options),
    }
}

fn rated(plain: &[&str], options: &BTreeMap<&str, &str>) -> Rated {
    let grade: u8 = plain.first().map_or(0, |grade| grade.parse().expect("a grade"));
    Rated {
        reached: !options.contains_key("unreached"),
        method: Some(Code::new(options.get("method").copied().unwrap_or("call"))),
        satisfaction: Some(grade).filter(|grade| *grade > 0),
        aspects: Vec::new(),
        solved: options.get("solved").map(|solved| Solved::parse(solved).expect("a word")),
        attempt: 1,
    }
}

/// `corrected <type of target> target=<id> void=1`, or `time=09-21T09:00`, or `department=D2` of a closing.
fn corrected(plain: &[&str], options: &BTreeMap<&str, &str>) -> Corrected {
    let target_kind = Kind::parse(plain[0]).expect("a type");
    let source = options.get("of").map_or_else(|| PLATFORM.to_owned(), |of| format!("/hotline/12345/{of}"));
    let change = if options.contains_key("void") {
        Change::Void
    } else {
        let time = options.get("time").map(|text| at(&text.replacen('T', " ", 1)));
        let body = options.get("department").map(|department| {
            Box::new(Body::Closed {
                department: Code::new(department),
                by: None,
                outcome: None,
                amounts: Vec::new(),
            })
        });
        Change::Replace { body, time }
    };
    Corrected { target: EventKey::of(&source, options["target"]), target_kind, change }
}

/// A snapshot of a source: what it says at an instant.
pub(crate) fn snapshot(source: &str, taken_at: Timestamp, id: &str, facts: &[Fact]) -> Fact {
    let inner = facts
        .iter()
        .map(|fact| InnerFact {
            key: EventKey::of_inner(source, fact.body.kind().name(), &fact.claimed_at.to_string(), &[]),
            claimed_at: fact.claimed_at,
            precision: fact.precision,
            body: fact.body.clone(),
        })
        .collect();
    Fact {
        key: EventKey::of(source, id),
        source: SmolStr::new(source),
        body: Body::Snapshot(inner),
        claimed_at: taken_at,
        precision: Precision::Second,
        received_at: Some(taken_at),
        recorded_at: None,
        sequence: 0,
        tag: 7,
        ledger_seq: 0,
    }
}

/// The rows of a rate over the whole year, as `D1 0/1, D2 1/1`, in the order of departments, the sum left out.
pub(crate) fn rows(case: &mut CaseFacts, rulebook: &Rulebook, rate: &str, as_of: Timestamp) -> String {
    let rate = rulebook.rates.get(rate).unwrap_or_else(|| panic!("no rate {rate}"));
    let day = |text: &str| text.parse().expect("a date");
    let query = Query {
        rates: vec![rate],
        scores: Vec::new(),
        by: By::default(),
        from: day("2026-01-01"),
        to: day("2028-01-01"),
    };
    let (view, _) = super::settle(CASE, case, rulebook, as_of);
    let mut table = Table::new(&query, rulebook);
    table.add_score(&score(&view, rulebook), as_of);
    let rows = table.rows();
    let rows = rows.iter().filter(|row| row.department != "*" && row.denominator > 0);
    let sum =
        |value: i64, scale: i64| if scale == 1 { value.to_string() } else { format!("({value}/{scale})") };
    rows.map(|row| {
        format!("{} {}/{}", row.department, sum(row.numerator, row.scale), sum(row.denominator, row.scale))
    })
    .collect::<Vec<_>>()
    .join(", ")
}
