//! Faults of all other files: head, sources, hotlines, rates, directories, routing, holds.

use super::{check, said};
use crate::rulebook::tests::good;

#[test]
fn faults_of_the_head() {
    const FILE: &str = "rulebook.toml";
    for (old, new, expect) in [
        ("name = \"tests\"\n", "", "1 name missing_field"),
        ("name = \"tests\"\n", "naem = 1\nname = \"tests\"\n", "1 naem unknown_field"),
        ("\"Asia/Shanghai\"", "\"PRC+8\"", "2 timezone invalid_value"),
        ("month_from = 26", "month_from = 31", "6 periods.bulletin_month.month_from invalid_value"),
        ("month_from = 26", "", "6 periods.bulletin_month missing_field"),
        ("week = { ", "week = { month_from = 2, ", "7 periods.week missing_field"),
        ("dispatched = false", "dispatchd = false", "11 when.dispatchd unknown_field"),
        ("dispatched = false", "", "11 when invalid_value"),
        ("dispatched = false", "outcome = \"solved\"", "11 when.outcome unknown_code?"),
    ] {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
    check(
        FILE,
        "\"direct\"",
        "\"ordinary\"",
        &["rates/rates.toml:6 where.class_not dangling_id", "rulebook.toml:10 id reserved_id"],
    );
}

#[test]
fn faults_of_sources_and_hotlines() {
    const FILE: &str = "sources/city.toml";
    for (old, new, expect) in [
        ("dispatch = \"hotline\"\n", "", "1 dispatch missing_field"),
        ("dispatch = \"hotline\"", "dispatch = \"us\"", "6 dispatch unknown_value"),
        ("dispatch = \"hotline\"", "dispatch = 3", "6 dispatch wrong_type"),
        ("\"30 minute\"", "\"1 working_day\"", "13 dispatch.after invalid_value"),
        ("after =", "aftr = 1, after =", "13 dispatch.aftr unknown_field"),
        ("hotline = \"12345\"", "hotline = \"1\"", "3 hotline dangling_id"),
        ("\"/hotline/12345\"", "\"/hotline/pipeline\"", "2 id reserved_id"),
        (
            "trusted_before = 2025-01-01T00:00:00Z",
            "trusted_before = 2025-01-01T00:00:00",
            "7 trusted_before invalid_value",
        ),
        (
            "trusted_before = 2025-01-01T00:00:00Z",
            "trusted_before = 2025-01-01",
            "7 trusted_before invalid_value",
        ),
        ("\"48 hours\"", "\"48 hourss\"", "16 backdate_max invalid_value"),
        ("\"48 hours\"", "\"99999999999 hours\"", "16 backdate_max invalid_value"),
    ] {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
    check("hotlines.toml", "office = \"HL\"\nlabels", "labels", &["hotlines.toml:1 office missing_field"]);
    check("hotlines.toml", "office = \"HL\"", "office = \"HQ\"", &["hotlines.toml:5 office dangling_id"]);
    check(
        "hotlines.toml",
        "accepted = \"受理\"",
        "accepted = 1",
        &["hotlines.toml:6 labels.accepted wrong_type"],
    );
    // We dispatch for 12345; for 12315 nobody does.
    check("routing/all.csv", "fallback,12345,,,,,HL,0,,\n", "", &["hotlines.toml:1  no_fallback"]);
    check("routing/all.csv", "other,12315,,,,,HL,0,,\n", "", &["hotlines.toml:8  no_fallback?"]);
}

#[test]
fn faults_of_rates() {
    const FILE: &str = "rates/rates.toml";
    for (old, new, expect) in [
        ("each.rated_4\"", "each.rated_6\"", "16 numerator[0] unknown_measure"),
        ("each.close.open_overdue", "close.overdue", "8 denominator[2].measure unknown_measure"),
        ("\"close.late\"", "\"closed.late\"", "8 denominator unknown_stage?"),
        ("\"close.late\"", "\"close_promise.late\"", "8 denominator unknown_stage?"),
        ("\"close.late\"", "\"sign.approved_late\"", "8 denominator unknown_measure"),
        ("\"close.late\"", "\"each.returned\"", "8 denominator[1] unknown_measure"),
        ("\"close.late\"", "3", "8 denominator[1] wrong_type"),
        ("\"1/2\"", "\"1/0\"", "8 denominator[2].weight invalid_value"),
        ("\"1/2\"", "\"0\"", "8 denominator[2].weight invalid_value"),
        ("\"1/2\"", "\"-1\"", "8 denominator[2].weight invalid_value"),
        ("\"1/2\"", "\"0.12345678901\"", "8 denominator[2].weight invalid_value"),
        ("numerator = [\"each.close.met\"]\n", "", "1 numerator missing_field"),
        ("numerator = [\"each.close.met\"]", "numerator = []", "7 numerator invalid_value"),
        ("basis = \"due\"", "basis = \"dew\"", "5 basis unknown_value"),
        (", en = \"on time, due\"", "", "4 name.en missing_field"),
        ("role = \"lead\"", "role = \"boss\"", "6 where.role unknown_value"),
        ("class_not = [\"direct\"]", "class = \"odd\"", "6 where.class dangling_id"),
        ("class_not = [\"direct\"]", "hotline = \"1\"", "6 where.hotline dangling_id"),
        ("class_not = [\"direct\"]", "case_type_not = \"x\"", "6 where.case_type_not unknown_code?"),
        ("\"close.late\"", "\"outcome.mended\"", "8 denominator unknown_code?"),
        ("\"close.late\"", "\"verified.fled\"", "8 denominator unknown_code?"),
        ("version = 1\n", "", "1 version missing_field"),
        ("[[rate]]", "[[ratio]]\n[[rate]]", "1 ratio unknown_field"),
    ] {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
}

/// File, text, replacement, and what is said of the file.
const CSV: &[(&str, &str, &str, &str)] = &[
    ("departments.csv", "name_zh,name_en", "name_zh,english", "1 english unknown_field"),
    ("departments.csv", "D2,城管局,", "D2,城管局", "4  wrong_width"),
    ("departments.csv", "D2,城管局,", "\n\nD2,城管局", "6  wrong_width"),
    ("departments.csv", "D2,城管局,", "D2,,", "4 name_zh missing_field"),
    ("departments.csv", "2025-01-01", "2020-01-01", "4 valid_until empty_range"),
    ("departments.csv", "2025-01-01", "2025-1-1", "4 valid_until invalid_value"),
    ("departments.csv", "2025-01-01,D1", "2025-01-01,D9", "4 successor dangling_id"),
    ("departments.csv", "2025-01-01,D1", "2025-01-01,D2", "4 successor cycle"),
    ("departments.csv", "Housing,HL", "Housing,D9", "3 parent dangling_id"),
    ("routing/all.csv", "411202,,D1", "411202,,D9", "2 department dangling_id"),
    ("routing/all.csv", "lakeside,12345", "lakeside,1234", "2 hotline dangling_id"),
    ("routing/all.csv", "D1,0,,\nh", "D1,first,,\nh", "2 priority invalid_value"),
    ("routing/all.csv", "housing/heating", "housing//heating", "2 category invalid_value"),
    ("routing/all.csv", "lakeside,12345,,", "lakeside,12345,complain,", "2 case_type unknown_code?"),
    ("routing/all.csv", "HL,0,,\nother", "HL,0,,\nagain,12345,,,,,HL,0,,\nother", "5 rule unreachable_rule?"),
    ("routing/all.csv", "HL,0,,\nother", "HL,0,,\nagain,12345,,,,,D1,0,,\nother", "5 rule unreachable_rule?"),
    (
        "routing/all.csv",
        "fallback,",
        "late,12345,,housing,,heat,D1,0,2026-01-01,\nfallback,",
        "4 rule unreachable_rule?",
    ),
    ("codes/case_type.csv", "code,", "kode,", "1 code missing_field"),
];

#[test]
fn faults_of_csv_files() {
    for (path, old, new, expect) in CSV {
        check(path, old, new, &[&format!("{path}:{expect}")]);
    }
    // The second choice after a return, said so by its priority; and an earlier validity.
    let more = "HL,1,,\nsecond,12345,,,,,D1,0,,\nother";
    check("routing/all.csv", "HL,0,,\nother", more, &[]);
    let early = "early,12345,,housing,,heat,D1,0,2024-01-01,\nfallback,";
    check("routing/all.csv", "fallback,", early, &[]);
    let mut files = good();
    files.insert("departments.csv".into(), b"code,name_zh\nHL,\xc8\xc8\nD1,x\n".to_vec());
    assert_eq!(said(&files), ["departments.csv:2  not_utf8"]);
    files.insert("departments.csv".into(), Vec::new());
    assert_eq!(said(&files), ["departments.csv:-  missing_field"]);
    files.insert("departments.csv".into(), "\u{feff}code,name_zh\r\nHL,x\r\nD1,x\r\n".into());
    assert_eq!(said(&files), [""; 0]);
}

#[test]
fn a_cycle_of_two_departments_is_said_of_both() {
    check(
        "departments.csv",
        "Hotline office,,",
        "Hotline office,D1,",
        &["departments.csv:2 parent cycle", "departments.csv:3 parent cycle"],
    );
}

#[test]
fn faults_of_general_holds() {
    const FILE: &str = "holds.toml";
    for (old, new, expect) in [
        ("until = 2026-07-02", "until = 2026-07-01", "3 until empty_range"),
        ("from = 2026-07-01T08:00:00+08:00", "from = 2026-07-01", "2 from invalid_value"),
        ("basis = \"typhoon\"\n", "", "1 basis missing_field"),
        ("[\"close\"]", "[\"clos\"]", "5 stages unknown_stage?"),
        ("region = \"4112\"", "hotline = \"1\"", "4 match.hotline dangling_id"),
        ("basis", "reason = \"rain\"\nbasis", "6 reason unknown_code?"),
        ("[[general_hold]]", "[[general_holds]]", "1 general_holds unknown_field"),
    ] {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
}
