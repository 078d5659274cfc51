//! Each fault planted in the good rulebook, and what is said of it: file, line, field and code.

mod calendars;
mod entries;
mod policies;

use super::super::{Files, Severity, load};
use super::{broken, faults, good};

/// Plants a fault by replacing a text of a file, and compares everything that is said then.
#[track_caller]
fn check(path: &str, old: &str, new: &str, expect: &[&str]) {
    assert_eq!(said(&broken(path, old, new)), expect, "{path}: {old:?} → {new:?}");
}

/// `file:line field code`, with `?` after the code of a warning.
fn said(files: &Files) -> Vec<String> {
    faults(files)
        .iter()
        .map(|fault| {
            let line = fault.line.map_or_else(|| "-".into(), |line| line.to_string());
            let mark = if fault.severity == Severity::Warning { "?" } else { "" };
            format!("{}:{line} {} {}{mark}", fault.file, fault.field, fault.code)
        })
        .collect()
}

#[test]
fn ids_stand_once() {
    check("policies/own.toml", "id = \"own\"", "id = \"sign\"", &["policies/own.toml:2 id duplicate_id"]);
    check("policies/own.toml", "id = \"own\"", "id = \"\"", &["policies/own.toml:2 id invalid_value"]);
    check(
        "calendars/lakeside.toml",
        "id = \"lakeside\"",
        "id = \"cn\"",
        &["calendars/lakeside.toml:1 id duplicate_id"],
    );
    check(
        "rates/rates.toml",
        "\"satisfaction\"",
        "\"on_time.due\"",
        &["rates/rates.toml:12 id duplicate_id"],
    );
    check("sources/city.toml", "/plain", "", &["sources/city.toml:10 id duplicate_id"]);
    check(
        "hotlines.toml",
        "code = \"12315\"",
        "code = \"12345\"",
        &[
            "hotlines.toml:9 code duplicate_id",
            "policies/own.toml:4 match.hotline dangling_id",
            "routing/all.csv:5 hotline dangling_id",
        ],
    );
    check("departments.csv", "D2,", "D1,", &["departments.csv:4 code duplicate_id"]);
    check("routing/all.csv", "housing,12345", "lakeside,12345", &["routing/all.csv:3 rule duplicate_id"]);
    check(
        "codes/case_type.csv",
        "noise,噪音\n",
        "noise,噪音\nnoise,x\n",
        &["codes/case_type.csv:3 code duplicate_id"],
    );
}

#[test]
fn files_that_are_missing_or_read_by_nothing() {
    for path in ["policies/x.yaml", "routing/all.toml", "policy/close.toml", "Rulebook.toml", "x/holds.toml"]
    {
        let mut files = good();
        files.insert(path.into(), Vec::new());
        assert_eq!(said(&files), [format!("{path}:-  unknown_file")]);
    }
    let without = |gone: &str| {
        let files: Files = good().into_iter().filter(|(path, _)| !path.starts_with(gone)).collect();
        said(&files)
    };
    assert_eq!(without("rulebook.toml"), ["rulebook.toml:-  missing_file"]);
    assert_eq!(without("departments.csv"), ["departments.csv:-  missing_file"]);
    assert_eq!(without("hotlines.toml"), ["hotlines.toml:-  missing_file"]);
    assert_eq!(without("sources/"), ["sources/:-  missing_file?"]);
    assert_eq!(without("holds.toml"), [""; 0]);
    assert_eq!(without("codes/"), [""; 0]);
    assert!(load(&Files::new()).is_err());
}

#[test]
fn all_faults_of_a_rulebook_are_listed_at_once() {
    let mut files = good();
    let policies = "[[policy]]\nid = \"a\"\ncalendar = \"us\"\nmatch = { hotline = \"9\", colour = \"red\" }\n\
                    stage = \"close\"\nstart = \"begun\"\nstop = [\"ended\", \"closed\"]\nlimit = 0\nunit = \"day\"\n\n\
                    [[policy]]\nid = \"b\"\n";
    files.insert("policies/more.toml".into(), policies.into());
    files.insert("rates/more.toml".into(), "[[rate]\nid = 1\nx = = 2\n".into());
    files.insert("routing/more.csv".into(), "rule,hotline,department\nr,9,D9\ns,12345\n".into());
    assert_eq!(
        said(&files),
        [
            "policies/more.toml:1 basis missing_field",
            "policies/more.toml:3 calendar dangling_id",
            "policies/more.toml:4 match.colour unknown_field",
            "policies/more.toml:4 match.hotline dangling_id",
            "policies/more.toml:6 start unknown_fact",
            "policies/more.toml:7 stop[0] unknown_fact",
            "policies/more.toml:8 limit invalid_value",
            "policies/more.toml:9 unit unknown_value",
            "policies/more.toml:11 basis missing_field",
            "policies/more.toml:11 calendar missing_field",
            "policies/more.toml:11 limit missing_field",
            "policies/more.toml:11 match missing_field",
            "policies/more.toml:11 stage missing_field",
            "policies/more.toml:11 start missing_field",
            "policies/more.toml:11 stop missing_field",
            "policies/more.toml:11 unit missing_field",
            "rates/more.toml:1  syntax",
            "rates/more.toml:3  syntax",
            "rates/more.toml:3  syntax",
            "routing/more.csv:2 department dangling_id",
            "routing/more.csv:2 hotline dangling_id",
            "routing/more.csv:3  wrong_width",
        ]
    );
}

#[test]
fn a_broken_entry_makes_nothing_else_dangle() {
    // The calendar cannot be used, its policies are judged all the same.
    let mut files = broken("calendars/cn.toml", "Asia/Shanghai", "Asia/Sanmenxia");
    assert_eq!(said(&files), ["calendars/cn.toml:2 timezone invalid_value"]);
    files.insert("hotlines.toml".into(), "[[hotline]\n".into());
    assert_eq!(said(&files), ["calendars/cn.toml:2 timezone invalid_value", "hotlines.toml:1  syntax"]);
    check("hotlines.toml", "name_zh = \"12345热线\"\n", "", &["hotlines.toml:1 name_zh missing_field"]);
}

#[test]
fn a_fault_reads_as_a_line_of_a_compiler() {
    let text = |files: &Files| faults(files)[0].to_string();
    insta::assert_snapshot!(
        text(&broken("policies/close.toml", "limit = 10", "limit = 0")),
        @"policies/close.toml:9: limit: must be at least 1"
    );
    insta::assert_snapshot!(
        text(&broken("policies/own.toml", "[\"12315\"], round = 1", "\"12345\"")),
        @r#"policies/own.toml:4: match: draws with "close" at policies/close.toml:1: both can match one case, and neither has more match keys, a longer category or a longer region"#
    );
    insta::assert_snapshot!(
        text(&broken("calendars/cn.toml", "date = 2026-01-04", "date = 2026-01-05")),
        @"calendars/cn.toml:20: kind: warning: 2026-01-05 is worked anyway"
    );
    insta::assert_snapshot!(
        text(&broken("sources/city.toml", "dispatch = \"hotline\"\n", "")),
        @r#"sources/city.toml:1: dispatch: the choice must be made: "hotline", "pipeline" or { after = "30 minute" }"#
    );
    insta::assert_snapshot!(
        text(&broken("rates/rates.toml", "\"close.late\"", "\"close.overdue\"")),
        @r#"rates/rates.toml:8: denominator[1]: "close.overdue" is not a measure: measures are written each.close.met, first.rated_5, solved_yes, returned, linked.urge, outcome.mediated, verified.filed, sum.persons"#
    );
}
