//! What is committed is what is made, and the catalogue is sound as a whole.

use hotline_runtime::catalogue::{Kind, Metric, faults};

use super::*;

fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn names_are_sound_and_none_is_used_twice() {
    let all: Vec<Metric> = LISTS.iter().copied().flatten().copied().collect();
    assert!(all.len() > 40, "all roles are there");
    assert_eq!(faults(&all), Vec::<String>::new());
}

/// How many values a label takes at most in an installation of 300 departments, each with a webhook of its own, 8 sources, 4
/// hotlines and 12 partitions, whose roles all run in one process. Whoever adds a label says here how many it has.
fn values(label: &str) -> usize {
    match label {
        // … and `-` and `other`.
        "department" => 302,
        // … and the topic.
        "receiver" => 301,
        // … and `other`.
        "source" => 9,
        // … and `http`; routes of the role audit, all pages being one: the gateway has half as many.
        "partition" | "route" => 13,
        "hotline" | "calendar" | "witness" => 4,
        "version" | "status" => 1,
        "stage" => 5,
        "change" | "stop" => 2,
        "reason" => 8,
        "outcome" | "result" => 11,
        "telling" | "format" => 3,
        // Of problems, of errors of the store.
        "code" => 40,
        other => panic!("how many values has {other}?"),
    }
}

/// What Prometheus keeps of a metric: a histogram has its buckets, the one without bound, sum and count.
fn series(metric: &Metric) -> usize {
    let combinations = match metric.name {
        // Only who sends events has a source, and an answer's code has one status.
        "hotline_gateway_requests_total" => (values("route") + values("source")) * values("code"),
        "hotline_relay_deliveries_total" => values("receiver") * 3,
        _ => metric.labels.iter().map(|label| values(label)).product(),
    };
    let each = if let Kind::Histogram(bounds) = metric.kind { bounds.len() + 3 } else { 1 };
    combinations * each
}

#[test]
fn three_hundred_departments_make_fewer_than_ten_thousand_series() {
    let of_all: usize = LISTS.iter().copied().flatten().map(series).sum();
    assert!(of_all > 3_000, "departments and receivers are counted: {of_all}");
    assert!(of_all < 10_000, "{of_all} series");
}

#[test]
fn what_is_committed_is_what_is_made() {
    for file in files() {
        let committed = std::fs::read_to_string(root().join(&file.path)).unwrap_or_default();
        assert!(committed == file.text, "{} is stale: cargo run -p hotline-observe", file.path);
    }
}

#[test]
fn every_alerting_rule_has_a_test() {
    let read = |name| {
        std::fs::read_to_string(root().join("deploy/prometheus/tests").join(name)).expect("tests of rules")
    };
    let tests: String =
        ["seconds.yml", "hotline.yml", "days.yml", "week.yml", "weeks.yml"].map(read).concat();
    for alert in crate::alerts::alerts() {
        assert!(tests.contains(&format!("  - name: {}, ", alert.name)), "{} has no test", alert.name);
    }
}

#[test]
fn boards_and_alerts_name_what_is_measured() {
    let known: Vec<&str> = LISTS.iter().copied().flatten().map(|metric| metric.name).collect();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut named = std::collections::BTreeSet::new();
    for file in files().into_iter().filter(|file| !file.path.contains("/runbooks/")) {
        for word in file.text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("hotline_")) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
            let is_known = known.contains(&word) || base.is_some_and(|base| known.contains(&base));
            assert!(is_known, "{}: {word} is not measured", file.path);
            named.insert(base.unwrap_or(word).to_owned());
        }
    }
    let unseen: Vec<&&str> =
        known.iter().filter(|name| name.starts_with("hotline_") && !named.contains(**name)).collect();
    assert!(unseen.is_empty(), "measured and shown nowhere: {unseen:?}");
}

#[test]
fn every_panel_says_what_it_shows() {
    let boards = files().into_iter().filter(|file| file.path.starts_with("deploy/grafana/dashboards/"));
    for file in boards {
        let board: serde_json::Value = serde_json::from_str(&file.text).expect("JSON");
        assert_eq!(board["editable"], false, "{}", file.path);
        let panels = board["panels"].as_array().expect("panels");
        assert!(panels.len() > 5, "{}", file.path);
        let mut taken = std::collections::BTreeSet::new();
        for panel in panels {
            let named = format!("{}: {}", file.path, panel["title"]);
            for member in ["title", "description"] {
                assert!(panel[member].as_str().is_some_and(|text| !text.is_empty()), "{named}: {member}");
            }
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{named}: unit");
            assert!(panel["links"][0]["url"].as_str().is_some_and(|url| url.len() > 10), "{named}: link");
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty(), "{named}");
            for target in targets {
                let Some(expr) = target["expr"].as_str() else { continue };
                // A number of its own would be shown where nothing was scraped.
                assert!(!expr.contains("vector("), "{named}: {expr}");
                let ranged = expr.matches("rate(").count();
                assert_eq!(ranged, expr.matches("[$__rate_interval]").count(), "{named}: {expr}");
                assert_eq!(
                    expr.contains("_total"),
                    expr.contains("rate(") && expr.contains("_total") || expr.contains("increase("),
                    "{named}: a counter is shown as such: {expr}"
                );
            }
            let place = &panel["gridPos"];
            let at = |member: &str| place[member].as_u64().expect("a number");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{named} overlaps another");
                }
            }
        }
    }
}

#[test]
fn columns_and_series_have_names_that_people_read() {
    let boards = files().into_iter().filter(|file| file.path.starts_with("deploy/grafana/dashboards/"));
    for file in boards {
        let board: serde_json::Value = serde_json::from_str(&file.text).expect("JSON");
        for panel in board["panels"].as_array().expect("panels") {
            let named = format!("{}: {}", file.path, panel["title"]);
            let overrides = panel["fieldConfig"]["overrides"].as_array().expect("a list");
            let is_called = |column: &str| {
                overrides.iter().any(|one| {
                    one["matcher"]["options"] == column && one["properties"][0]["id"] == "displayName"
                })
            };
            for target in panel["targets"].as_array().expect("targets") {
                let sql = target["rawSql"].as_str().unwrap_or_default();
                let is_series = target["format"] == "time_series";
                for column in crate::words::columns(sql) {
                    let is_grafanas = is_series || sql.is_empty();
                    assert!(is_grafanas || is_called(&column), "{named}: {column} has no heading");
                }
                let legend = target["legendFormat"].as_str().unwrap_or_default();
                let is_percentile = |word: &str| ["p50", "p99", "p90"].contains(&word);
                let words = legend.split(['{', '}', ' ']).filter(|word| !word.is_empty());
                let labels: Vec<&str> =
                    legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).collect();
                let is_english =
                    |word: &str| word.chars().all(|c| c.is_ascii_alphabetic()) && !labels.contains(&word);
                if file.path.contains("/zh/") {
                    for word in words {
                        assert!(is_percentile(word) || !is_english(word), "{named}: {legend}");
                    }
                }
            }
        }
    }
}
