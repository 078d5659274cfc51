//! `hotline replay`: rates from files of events, without a database.

use std::path::PathBuf;
use std::process::ExitCode;

use hotline_core::rate::Table;
use jiff::Timestamp;

use super::instant;
use super::rates::{Ask, print_answer};
use crate::files;
use crate::folding::{Cases, read_files};
use crate::global::Global;

/// Folds files of events under a rulebook and prints rates: no database, no server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline replay --rulebook deploy/rulebook --as-of 2026-11-01T00:00:00+08:00 \\\n    \
                        --rate on_time_closure.due --by department --period 2026-09-01..2026-11-01 \\\n    \
                        deploy/sample/events.ndjson\n\n\
                  `recordedtime` of an event stands for its receipt; without it the event was received when it claims to \
                  have happened. A server knows the true receipt: replay what `hotline export` gives to get its figures."
)]
pub struct Args {
    /// The rulebook directory.
    #[arg(long, value_name = "DIR")]
    rulebook: PathBuf,
    /// What is known at this instant: facts received later are not seen (RFC 3339 with offset).
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    as_of: Timestamp,
    #[command(flatten)]
    ask: Ask,
    /// Event NDJSON; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let rulebook = files::rulebook(&args.rulebook)?.rulebook;
    let query = args.ask.query(&rulebook)?;
    let mut cases = Cases::new(&rulebook);
    let refused = read_files(&args.files, |event| cases.add(event, args.as_of))?;
    let mut table = Table::new(&query, &rulebook);
    cases.scores(args.as_of, |score| table.add_score(score, args.as_of));
    if refused > 0 {
        eprintln!("{refused} events were refused and are in no figure");
    }
    print_answer(&table.answer(&query, &rulebook), &query, &rulebook, (args.ask.format, global.lang()))?;
    Ok(ExitCode::SUCCESS)
}
