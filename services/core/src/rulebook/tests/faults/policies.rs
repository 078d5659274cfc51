//! Faults of policies, alone and against each other.

use super::{check, said};
use crate::rulebook::tests::{broken, good};

/// Text, replacement, and what is said of the file.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("limit = 10\n", "limit = 0\n", "9 limit invalid_value"),
    ("limit = 10\n", "limit = -3\n", "9 limit invalid_value"),
    ("limit = 10\n", "limit = 1.5\n", "9 limit wrong_type"),
    ("limit = 10\n", "limit = 99999999999999999999999999999999999999999999\n", "9 limit invalid_value"),
    ("limit = 10\n", "", "1 limit missing_field"),
    ("unit = \"working_day\"\n", "", "1 unit missing_field"),
    ("unit = \"working_day\"\n", "unit = \"week\"\n", "10 unit unknown_value"),
    ("calendar = \"cn\"\n", "", "1 calendar missing_field"),
    ("calendar = \"cn\"\n", "calendar = \"us\"\n", "3 calendar dangling_id"),
    ("start = \"dispatched\"\n", "", "1 start missing_field"),
    ("start = \"dispatched\"\n", "start = \"dispatch\"\n", "7 start unknown_fact"),
    ("start = \"dispatched\"\n", "start = \"snapshot\"\n", "7 start unknown_fact"),
    ("start = \"dispatched\"\n", "start = \"milestone:onsite\"\n", "7 start unknown_code?"),
    ("start = \"dispatched\"\n", "start = \"milestone:\"\n", "7 start invalid_value"),
    ("stop = [\"closed\"]\n", "stop = [\"closed\", \"shut\"]\n", "8 stop[1] unknown_fact"),
    ("stop = [\"closed\"]\n", "stop = []\n", "8 stop invalid_value"),
    ("stop = [\"closed\"]\n", "stop = [\n\"closed\",\n\"shut\"]\n", "10 stop[1] unknown_fact"),
    ("stop = [\"closed\"]\n", "", "1 stop missing_field"),
    ("stop = [\"closed\"]\n", "stop = [\"closed\"]\nrestart = [\"x\"]\n", "9 restart[0] unknown_fact"),
    ("basis = \"article 1\"\n", "", "1 basis missing_field"),
    ("basis = \"article 1\"\n", "basis = \" \"\n", "20 basis invalid_value"),
    ("basis = \"article 1\"\n", "basis = \"x\"\nbais = 1\n", "21 bais unknown_field"),
    ("scope = \"custody\"\n", "scope = \"custody\"\nfamily = \"sign\"\n", "7 family not_allowed"),
    ("scope = \"custody\"\n", "scope = \"custody\"\nends_at = \"noon\"\n", "7 ends_at unknown_value"),
    ("scope = \"custody\"\n", "scope = \"custody\"\ncharge = \"closer\"\n", "7 charge without_effect?"),
    (
        "scope = \"custody\"\n",
        "on_custody_change = { returned = \"credit\" }\n",
        "6 on_custody_change without_effect?",
    ),
    (
        "scope = \"custody\"\n",
        "on_custody_change = { returnd = \"credit\" }\n",
        "6 on_custody_change.returnd unknown_field",
    ),
    ("scope = \"custody\"\n", "tier = \"promise\"\n", "19 closure not_allowed"),
    ("scope = \"custody\"\n", "effective_from = 2026-13-01\n", "6  syntax"),
    (
        "scope = \"custody\"\n",
        "effective_from = 2026-02-02\neffective_until = 2026-02-02\n",
        "7 effective_until empty_range",
    ),
    ("scope = \"custody\"\n", "effective_from = \"2026-2-2\"\n", "6 effective_from invalid_value"),
    ("times_max = 1,", "times_max = 0,", "12 extension.times_max invalid_value"),
    ("times_max = 1,", "ask_by = \"25:00\",", "12 extension.ask_by invalid_value"),
    ("times_max = 1,", "ask_before = \"1 week\",", "12 extension.ask_before invalid_value"),
    ("ask_within = \"24 hour\"", "ask_within = 24", "13 return.ask_within wrong_type"),
    ("at = \"50%\"", "at = \"150%\"", "15 alarms[0].at invalid_value"),
    ("at = \"50%\", ", "", "15 alarms[0] missing_field"),
    ("level = \"warning\"", "level = \"loud\"", "16 alarms[1].level unknown_value"),
    ("to = \"HL\"", "to = \"HQ\"", "17 alarms[2].to dangling_id"),
    ("hotline = \"12345\"", "hotline = \"12346\"", "4 match.hotline dangling_id"),
    ("hotline = \"12345\"", "hotline = 12345", "4 match.hotline wrong_type"),
    ("hotline = \"12345\"", "class = \"odd\", hotline = \"12345\"", "4 match.class dangling_id"),
    ("hotline = \"12345\"", "round = 0, hotline = \"12345\"", "4 match.round invalid_value"),
    ("hotline = \"12345\"", "round = [1, -1], hotline = \"12345\"", "4 match.round[1] invalid_value"),
    ("\"complaint\"", "\"complain\"", "4 match.case_type unknown_code?"),
    ("\"inspection\"", "\"inspecton\"", "11 holds unknown_code?"),
];

#[test]
fn faults_of_the_members_of_a_policy() {
    const FILE: &str = "policies/close.toml";
    for (old, new, expect) in MEMBERS {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
}

#[test]
fn hours_are_not_counted_as_days() {
    const FILE: &str = "policies/close.toml";
    let unit = "unit = \"round_clock_hour\"\n";
    for (member, field) in [
        ("count_from = \"next_day\"", "count_from"),
        ("ends_at = \"end_of_day\"", "ends_at"),
        ("roll = \"festival\"", "roll"),
    ] {
        check(FILE, unit, &format!("{unit}{member}\n"), &[&format!("{FILE}:32 {field} not_allowed")]);
    }
    check(FILE, unit, &format!("{unit}roll = \"none\"\n"), &[]);
}

#[test]
fn close_of_office_needs_office_hours() {
    let day = "unit = \"working_day\"\nholds";
    let mut files =
        broken("policies/close.toml", day, "unit = \"working_day\"\nends_at = \"close_of_office\"\nholds");
    assert_eq!(said(&files), [""; 0]);
    let calendar = "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = []\n\
                    known_from = 2025-01-01\nknown_until = 2026-12-25\n";
    files.insert("calendars/cn.toml".into(), calendar.into());
    assert_eq!(said(&files), ["policies/close.toml:11 ends_at not_allowed"]);
}

#[test]
fn policies_against_each_other() {
    const FILE: &str = "policies/own.toml";
    // Same stage and tier, same keys, and a case can have both.
    check(
        FILE,
        "[\"12315\"], round = 1, tags = [\"city\"]",
        "\"12345\", tags = [\"city\"]",
        &["policies/own.toml:4 match policy_draw"],
    );
    let own = |text: &str| format!("\"12345\", tags = [\"city\"] }}\n{text}#");
    let old = "[\"12315\"], round = 1, tags = [\"city\"] }";
    check(FILE, old, &own("tier = \"promise\"\n"), &["policies/own.toml:12 closure not_allowed"]);
    // Dates that do not overlap keep them apart, but only if both are selected by the same day.
    let mut files = broken(FILE, old, &own("effective_from = 2026-04-15\n"));
    let close = String::from_utf8(files["policies/close.toml"].clone()).unwrap();
    let until = |more: &str| close.replacen("scope = \"custody\"\n", more, 1).into_bytes();
    files.insert("policies/close.toml".into(), until("effective_until = 2026-04-15\n"));
    assert_eq!(said(&files), [""; 0]);
    files.insert("policies/close.toml".into(), until("effective_until = 2026-04-16\n"));
    assert_eq!(said(&files), ["policies/own.toml:4 match policy_draw"]);
    files
        .insert("policies/close.toml".into(), until("effective_until = 2026-04-15\nselect_by = \"start\"\n"));
    assert_eq!(said(&files), ["policies/own.toml:4 match policy_draw"]);
}

#[test]
fn closure_policies_of_two_stages_must_not_meet() {
    let old = "stage = \"close\"\nstart = \"received\"";
    let new = "stage = \"second\"\nfamily = \"close\"\nstart = \"received\"";
    check("policies/own.toml", old, new, &[]);
    let files = broken("policies/own.toml", "hotline = [\"12315\"], ", "");
    let text = String::from_utf8(files["policies/own.toml"].clone()).unwrap().replacen(old, new, 1);
    let mut files = good();
    files.insert("policies/own.toml".into(), text.into_bytes());
    assert_eq!(said(&files), ["policies/own.toml:11 closure closure_ambiguous"]);
    check(
        "policies/own.toml",
        "stage = \"close\"",
        "stage = \"second\"",
        &["policies/own.toml:10 closure not_allowed"],
    );
}
