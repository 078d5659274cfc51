//! `hotline replay`: rates from files of events, without a database.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use hotline_core::case::{Added, CaseFacts};
use hotline_core::fact::{Fact, PIPELINE_SOURCE};
use hotline_core::fold::settle;
use hotline_core::rate::Table;
use hotline_core::rulebook::Rulebook;
use hotline_core::score::score;
use hotline_events::{Event, Keep, Tagger, decode};
use jiff::Timestamp;
use serde_json::json;
use smol_str::SmolStr;

use super::rates::{Ask, print_rows};
use crate::files;
use crate::progress;

/// Folds files of events under a rulebook and prints rates: no database, no server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline replay --rulebook deploy/rulebook --as-of 2026-11-01T00:00:00+08:00 \\\n    \
                        --rate on_time_closure.due --by department --period 2026-09-01..2026-11-01 \\\n    \
                        deploy/sample/events.ndjson"
)]
pub struct Args {
    /// The rulebook directory.
    #[arg(long, value_name = "DIR")]
    rulebook: PathBuf,
    /// What is known at this instant: facts received later are not seen (RFC 3339 with offset).
    #[arg(long, value_name = "T")]
    as_of: Timestamp,
    #[command(flatten)]
    ask: Ask,
    /// Event NDJSON; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rulebook = files::rulebook(&args.rulebook)?.rulebook;
    let query = args.ask.query(&rulebook)?;
    let bar = progress::bytes(files::length(&args.files), "reading");
    let mut replay = Replay {
        rulebook: &rulebook,
        as_of: args.as_of,
        tagger: Tagger::unkeyed(),
        cases: HashMap::new(),
        refused: 0,
    };
    for file in &args.files {
        files::lines(files::open(file)?, |number, line| {
            bar.inc(line.len() as u64 + 1);
            replay.event(number, line);
            Ok(())
        })
        .with_context(|| format!("reading {}", file.display()))?;
    }
    bar.finish_and_clear();
    let table = replay.fold(Table::new(&query));
    if replay.refused > 0 {
        eprintln!("{} events were refused and are in no figure", replay.refused);
    }
    print_rows(&table.rows(), &query, args.ask.format)?;
    Ok(ExitCode::SUCCESS)
}

struct Replay<'a> {
    rulebook: &'a Rulebook,
    as_of: Timestamp,
    tagger: Tagger,
    cases: HashMap<SmolStr, CaseFacts>,
    refused: u64,
}

impl<'a> Replay<'a> {
    fn event(&mut self, line: u64, bytes: &[u8]) {
        let decoded = match decode(bytes, &self.tagger, Keep::Fact) {
            Ok(Event::Case(decoded)) => decoded.from_file(),
            Ok(Event::Figure(_)) => return,
            Err(error) => {
                let faults: Vec<_> = error
                    .faults()
                    .iter()
                    .map(|fault| json!({ "pointer": fault.pointer, "code": fault.code }))
                    .collect();
                return self.refuse(line, &json!({ "line": line, "code": error.code(), "faults": faults }));
            }
        };
        let fact = decoded.fact;
        if fact.source != PIPELINE_SOURCE && !self.rulebook.sources.contains_key(&fact.source) {
            return self.refuse(line, &json!({ "line": line, "code": "unknown_source" }));
        }
        if !self.is_seen(&fact) {
            return;
        }
        let code = match self.cases.entry(decoded.subject).or_default().add(fact, self.rulebook) {
            Added::Applied | Added::Duplicate { .. } => return,
            Added::IdConflict => "id_conflict",
            Added::FutureDated => "future_dated",
            Added::CaseTooLong => "case_too_long",
        };
        self.refuse(line, &json!({ "line": line, "code": code }));
    }

    /// Unseen is what was received after the instant, or claimed after it where no receipt is known. A decision of
    /// ours was taken when it was due.
    fn is_seen(&self, fact: &Fact) -> bool {
        let trusted = self.rulebook.sources.get(&fact.source).and_then(|source| source.trusted_before);
        let receipt = if trusted.is_some_and(|before| fact.claimed_at < before) {
            fact.recorded_at
        } else {
            fact.received_at
        };
        receipt.unwrap_or(fact.claimed_at) <= self.as_of
    }

    fn refuse(&mut self, _line: u64, refusal: &serde_json::Value) {
        self.refused += 1;
        eprintln!("{refusal}");
    }

    fn fold(&mut self, mut table: Table<'a>) -> Table<'a> {
        let bar = progress::count(self.cases.len() as u64, "folding");
        for (case, facts) in &mut self.cases {
            let (view, _) = settle(case, facts, self.rulebook, self.as_of);
            table.add_score(&score(&view, self.rulebook), self.as_of);
            bar.inc(1);
        }
        bar.finish_and_clear();
        table
    }
}
