//! `hotline case`: one case, as anybody may check it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_postgres::Rules;
use hotline_runtime::clock;
use serde_json::Value;

use crate::global::Global;
use crate::store;

/// Shows one case: what happened, who held it, and how each deadline was counted. Nothing personal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline case 12345:411200202609010001")]
pub struct Args {
    /// `<hotline>:<number>`, as events name it in `subject`.
    #[arg(value_name = "CASE")]
    case: String,
    /// As `GET /v1/cases/{id}` answers.
    #[arg(long)]
    json: bool,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let case = args.case.as_str();
    let viewed =
        store::with(&global.load()?, async |store| Ok(Rules::new(store.pool.clone()).view(case).await?))
            .await?;
    let Some(viewed) = viewed else { bail!("there is no case {case}: no event about it was taken in") };
    let now = clock::now();
    let shown = viewed.shown(now);
    let text = if args.json { format!("{shown:#}\n") } else { text(&shown, now) };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write the case")?;
    Ok(ExitCode::SUCCESS)
}

/// The view as lines for people, its instants in the rulebook's zone.
fn text(case: &Value, now: jiff::Timestamp) -> String {
    let mut out = format!("{}\n", words(case, &["case", "case_type", "class", "urgency", "region"]));
    let path = list(&case["category"]).iter().map(word).collect::<Vec<_>>().join(" / ");
    line(&mut out, 0, &[&path, &list(&case["tags"]).iter().map(word).collect::<Vec<_>>().join(" ")]);
    if case["registered"] == false {
        line(&mut out, 0, &["unregistered: it counts nowhere until its receipt arrives"]);
    }
    if case["refold_pending"] == true {
        line(&mut out, 0, &["tallies still hold it by an older rulebook"]);
    }
    for round in list(&case["rounds"]) {
        write_round(&mut out, round);
    }
    for anomaly in list(&case["anomalies"]) {
        line(&mut out, 0, &["anomaly", &words(anomaly, &["at", "code", "meaning"])]);
    }
    for alarm in list(&case["alarms"]) {
        let at = alarm["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let label = if at.is_some_and(|at| at > now) { "alarm to come" } else { "alarm" };
        line(&mut out, 0, &[label, &words(alarm, &["at", "level", "stage", "department"])]);
    }
    if !case["proposal"].is_null() {
        line(&mut out, 0, &["to be dispatched", &words(&case["proposal"], &["at", "department", "rule"])]);
    }
    out
}

fn write_round(out: &mut String, round: &Value) {
    line(out, 0, &["round", &word(&round["round"])]);
    for fact in list(&round["facts"]) {
        let counted = &fact["counted_at"];
        // Where all three times are one, one is enough.
        let other = |name: &str| match &fact[name] {
            time if time == counted || time.is_null() => String::new(),
            time => format!("{} {}", name.trim_end_matches("_at"), word(time)),
        };
        let what = words(fact, &["counted_at", "type", "department", "code"]);
        line(out, 1, &[&what, &other("claimed_at"), &other("received_at")]);
    }
    for clock in list(&round["clocks"]) {
        let mut flags: Vec<&str> = ["decides_on_time", "provisional", "ruled", "excluded"]
            .into_iter()
            .filter(|flag| clock[*flag] == true)
            .collect();
        flags.extend(clock["state"].as_str());
        line(
            out,
            1,
            &["clock", &words(clock, &["stage", "tier", "department", "verdict"]), &flags.join(" ")],
        );
        line(out, 2, &[&words(clock, &["policy", "basis"])]);
        for (name, label) in
            [("start_at", "from"), ("due_at", "due"), ("stopped_at", "stopped"), ("ended_at", "ended")]
        {
            if !clock[name].is_null() {
                line(out, 2, &[label, &word(&clock[name])]);
            }
        }
        for span in list(&clock["explanation"]) {
            let mut span = span.clone();
            if let Some(seconds) = span["seconds"].as_u64() {
                span["seconds"] = format!("{} h {:02} min of", seconds / 3600, seconds % 3600 / 60).into();
            }
            let names = [
                "step",
                "from",
                "to",
                "days",
                "seconds",
                "unit",
                "reason",
                "of",
                "make_up_for",
                "by",
                "before",
                "after",
                "due_at",
            ];
            line(out, 3, &[&words(&span, &names)]);
        }
    }
    let rating = &round["rating"];
    if !rating.is_null() {
        line(out, 1, &["rating", &words(rating, &["outcome", "solved", "at"])]);
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value as a word: an instant to the second without its `T`, a list by its items, an object by its values.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => match text.split_once('T') {
            Some((day, time)) if is_instant(day, time) => format!("{day} {time}"),
            _ => text.clone(),
        },
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members.values().map(word).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn is_instant(day: &str, time: &str) -> bool {
    let is_digit = |at: &u8| at.is_ascii_digit();
    day.len() == 10
        && day.as_bytes().first().is_some_and(is_digit)
        && time.as_bytes().first().is_some_and(is_digit)
}

/// Those members that are there, in this order.
fn words(of: &Value, names: &[&str]) -> String {
    let there = names.iter().map(|name| word(&of[*name])).filter(|word| !word.is_empty());
    there.collect::<Vec<_>>().join("  ")
}

fn line(out: &mut String, indent: usize, parts: &[&str]) {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        writeln!(out, "{:indent$}{}", "", parts.join("  "), indent = 2 * indent)
            .expect("a String takes all that is written to it");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_case_reads_as_it_happened() {
        let case = json!({
            "case": "12345:1", "case_type": "complaint", "class": "ordinary", "urgency": "normal", "region": null,
            "category": ["housing", "heating"], "tags": [], "registered": true, "refold_pending": false,
            "rounds": [{
                "round": 1,
                "facts": [
                    { "counted_at": "2026-09-21T09:00:00+08:00", "claimed_at": "2026-09-21T09:00:00+08:00",
                      "received_at": "2026-09-21T09:00:02+08:00", "type": "received", "code": "complaint" },
                ],
                "clocks": [{
                    "stage": "sign", "tier": "statutory", "department": "D1", "verdict": "open", "state": "overdue",
                    "policy": "sign", "basis": "第一条", "start_at": "2026-09-21T09:30:00+08:00",
                    "due_at": "2026-09-22T09:30:00+08:00", "decides_on_time": true,
                    "explanation": [{ "step": "skipped", "from": "a", "to": "b", "reason": "held", "of": ["parked"] },
                        { "step": "counted", "seconds": 84_152, "unit": "round_clock_hour" }],
                }],
                "rating": { "outcome": 5, "solved": "yes", "at": null },
            }],
            "anomalies": [{ "at": "2026-09-21T09:00:00+08:00", "code": "backdated", "meaning": "Late." }],
            "alarms": [
                { "at": "1969-12-31T09:00:00+08:00", "level": "warning", "stage": "close", "department": "D1" },
                { "at": "2026-10-13T00:00:00+08:00", "level": "breach", "stage": "close", "department": "D1" },
            ], "proposal": null,
        });
        assert_eq!(
            text(&case, jiff::Timestamp::UNIX_EPOCH),
            "12345:1  complaint  ordinary  normal\n\
             housing / heating\n\
             round  1\n\
             \x20 2026-09-21 09:00:00+08:00  received  complaint  received 2026-09-21 09:00:02+08:00\n\
             \x20 clock  sign  statutory  D1  open  decides_on_time overdue\n\
             \x20   sign  第一条\n\
             \x20   from  2026-09-21 09:30:00+08:00\n\
             \x20   due  2026-09-22 09:30:00+08:00\n\
             \x20     skipped  a  b  held  parked\n\
             \x20     counted  23 h 22 min of  round_clock_hour\n\
             \x20 rating  5  yes\n\
             anomaly  2026-09-21 09:00:00+08:00  backdated  Late.\n\
             alarm  1969-12-31 09:00:00+08:00  warning  close  D1\n\
             alarm to come  2026-10-13 00:00:00+08:00  breach  close  D1\n"
        );
    }
}
