//! A small good rulebook, and what is said when somebody breaks it.

mod faults;
mod laws;
mod meaning;

use super::{Fault, Files, Loaded, Severity, load};

/// A rulebook with something of everything, without a fault.
const GOOD: &[(&str, &str)] = &[
    (
        "rulebook.toml",
        r#"name = "tests"
timezone = "Asia/Shanghai"
calendar = "cn"

[periods]
bulletin_month = { month_from = 26 }
week = { week_from = "friday" }

[[class]]
id = "direct"
when = { dispatched = false }
"#,
    ),
    (
        "calendars/cn.toml",
        r#"id = "cn"
timezone = "Asia/Shanghai"
rest_days = ["saturday", "sunday"]
office_hours = [["08:30", "12:00"], ["14:30", "17:30"]]
known_from = 2025-01-01
known_until = 2026-12-25

[[hours]]
from = "06-01"
until = "09-30"
office_hours = [["08:30", "12:00"], ["15:00", "18:00"]]

[[day]]
date = 2026-01-01
kind = "festival"
name = "元旦"

[[day]]
date = 2026-01-04
kind = "work"
name = "元旦"
"#,
    ),
    (
        "calendars/lakeside.toml",
        r#"id = "lakeside"
extends = "cn"
regions = ["4112"]

[[day]]
date = 2026-04-08
kind = "rest"
name = "a local day"
"#,
    ),
    (
        "policies/close.toml",
        r#"[[policy]]
id = "close"
calendar = "cn"
match = { hotline = "12345", case_type = "complaint" }
stage = "close"
scope = "custody"
start = "dispatched"
stop = ["closed"]
limit = 10
unit = "working_day"
holds = ["inspection"]
extension = { times_max = 1, each_max = 10, unit = "working_day" }
return = { ask_within = "24 hour", times_max = 2 }
alarms = [
  { at = "50%", level = "notice" },
  { before = "1 working_day", level = "warning" },
  { after = "0 hour", level = "breach", to = "HL", deliver = "office_hours" },
]
closure = true
basis = "article 1"

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
basis = "article 2"
"#,
    ),
    (
        "policies/own.toml",
        r#"[[policy]]
id = "own"
calendar = "cn"
match = { hotline = ["12315"], round = 1, tags = ["city"] }
stage = "close"
start = "received"
stop = ["closed"]
own_limit = "only"
charge = "closer"
closure = true
basis = "sent with the case"
"#,
    ),
    (
        "routing/all.csv",
        "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until
lakeside,12345,,housing/heating,411202,,D1,0,,
housing,12345,,housing,,heat|water,D1,0,2025-01-01,
fallback,12345,,,,,HL,0,,
other,12315,,,,,HL,0,,
",
    ),
    (
        "rates/rates.toml",
        r#"[[rate]]
id = "on_time.due"
version = 1
name = { zh = "按时办结率", en = "on time, due" }
basis = "due"
where = { class_not = ["direct"], role = "lead" }
numerator = ["each.close.met"]
denominator = ["each.close.met", "close.late", { measure = "each.close.open_overdue", weight = "1/2" }]
rank_from = 10

[[rate]]
id = "satisfaction"
version = 1
name = { zh = "满意率", en = "satisfied" }
basis = "closed"
numerator = ["each.rated_4", "each.rated_5"]
denominator = ["each.rated_1", "each.rated_2", "each.rated_3", "each.rated_4", "each.rated_5"]
"#,
    ),
    (
        "sources/city.toml",
        r#"[[source]]
id = "/hotline/12345"
hotline = "12345"
name = "the city's platform"
mode = "events"
dispatch = "hotline"
trusted_before = 2025-01-01T00:00:00Z

[[source]]
id = "/hotline/12345/plain"
hotline = "12345"
name = "leaves dispatch to us"
dispatch = { after = "30 minute" }
timezone = "UTC"
defaults = { region = "411200" }
backdate_max = "48 hours"
late_stop = "claimed"
trusted_before = "2025-01-01T08:00:00+08:00"
"#,
    ),
    (
        "hotlines.toml",
        r#"[[hotline]]
code = "12345"
name_zh = "12345热线"
name_en = "Hotline 12345"
office = "HL"
labels = { accepted = "受理" }

[[hotline]]
code = "12315"
name_zh = "12315热线"
name_en = "Hotline 12315"
office = "HL"
"#,
    ),
    (
        "departments.csv",
        "code,name_zh,name_en,parent,group,valid_from,valid_until,successor
HL,热线办,Hotline office,,,,,
D1,住建局,Housing,HL,市直,,,
D2,城管局,,,市直,2020-01-01,2025-01-01,D1
",
    ),
    (
        "holds.toml",
        r#"[[general_hold]]
from = 2026-07-01T08:00:00+08:00
until = 2026-07-02T08:00:00+08:00
match = { region = "4112" }
stages = ["close"]
basis = "typhoon"
"#,
    ),
    ("codes/case_type.csv", "code,name_zh\nnoise,噪音\n"),
    ("adapters/city.jq", "."),
];

fn good() -> Files {
    GOOD.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// The good rulebook with one text of one file replaced.
fn broken(path: &str, old: &str, new: &str) -> Files {
    let mut files = good();
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(old), "{path} has no {old:?}");
    files.insert(path.to_owned(), text.replacen(old, new, 1).into_bytes());
    files
}

fn faults(files: &Files) -> Vec<Fault> {
    match load(files) {
        Ok(Loaded { warnings, .. }) => warnings,
        Err(faults) => {
            assert!(faults.iter().any(|fault| fault.severity == Severity::Error));
            faults
        }
    }
}

fn loaded(files: &Files) -> Loaded {
    load(files).unwrap_or_else(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}
