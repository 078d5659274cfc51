//! `hotline due`: deadlines by a policy of a rulebook, for starts on standard input.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use hotline_core::deadline::{Limit, Rule, due, explain};
use hotline_core::rulebook::Policy;
use hotline_events::show::piece;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files;

/// Deadlines for starts: NDJSON `{"id","start"}` in, `{"id","due_at","provisional"}` out, in the same order.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"id\":\"1\",\"start\":\"2026-09-30T10:00:00+08:00\"}' | \\\n    \
                        hotline due --rulebook deploy/rulebook --policy 12345-henan-close-complaint"
)]
pub struct Args {
    /// The rulebook directory.
    #[arg(long, value_name = "DIR")]
    rulebook: PathBuf,
    /// The id of the policy that counts.
    #[arg(long, value_name = "ID")]
    policy: String,
    /// Add every counted and skipped span with its reason.
    #[arg(long)]
    explain: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    start: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    due_at: String,
    provisional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    line: u64,
    code: &'a str,
    message: &'a str,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rulebook = files::rulebook(&args.rulebook)?.rulebook;
    let Some(policy) = rulebook.policy(&args.policy) else {
        let known: Vec<&str> = rulebook.policies.iter().map(|policy| policy.id.as_str()).collect();
        bail!("the rulebook has no policy \"{}\"; it has: {}", args.policy, known.join(", "));
    };
    let Some(rule) = rule(policy) else {
        bail!("policy \"{}\" only takes own limits: it has no limit to count", policy.id);
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut refused = false;
    files::lines(files::open("-".as_ref())?, |number, line| match answer(line, &rule, args.explain) {
        Ok(answer) => writeln!(out, "{answer}").context("cannot write the answer"),
        Err(message) => {
            refused = true;
            let refusal = Refusal { line: number, code: "invalid", message };
            eprintln!("{}", serde_json::to_string(&refusal)?);
            Ok(())
        }
    })?;
    out.flush().context("cannot write the answers")?;
    Ok(if refused { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn rule(policy: &Policy) -> Option<Rule<'_>> {
    Some(Rule {
        calendar: &policy.calendar,
        limit: policy.limit?,
        count_from: policy.count_from,
        outside_hours: policy.outside_hours,
        ends_at: policy.ends_at,
        roll: policy.roll,
    })
}

fn answer(line: &[u8], rule: &Rule<'_>, with_spans: bool) -> Result<String, &'static str> {
    let line: Line = serde_json::from_slice(line)
        .map_err(|_| "a line is {\"id\": text, \"start\": RFC 3339 instant with offset}")?;
    let start: Timestamp =
        line.start.parse().map_err(|_| "start is not an RFC 3339 instant with an offset")?;
    let limit = Limit::Rule(*rule);
    let deadline = due(&limit, start, &[], &[]);
    let due_at = deadline.due_at.ok_or("there is no deadline")?;
    let spans = with_spans.then(|| {
        explain(&limit, start, &[], &[]).iter().map(|one| piece(one, rule.calendar)).collect::<Vec<_>>()
    });
    let answer =
        Answer { id: &line.id, due_at: local(due_at, rule), provisional: deadline.provisional, spans };
    serde_json::to_string(&answer).map_err(|_| "the answer cannot be written")
}

/// RFC 3339 with the numeric offset of the calendar's zone at that instant.
fn local(at: Timestamp, rule: &Rule<'_>) -> String {
    let offset = rule.calendar.timezone().to_offset(at);
    at.display_with_offset(offset).to_string()
}
