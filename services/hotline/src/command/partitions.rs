//! `hotline partitions`: how far every origin of events has been read.

use std::process::ExitCode;

use hotline_postgres::positions::{self, Position};
use hotline_postgres::run_snapshot_tx;
use serde_json::{Value, json};

use super::rates::Format;
use crate::global::Global;
use crate::store;

/// Shows the positions: one for each partition of a topic, and `http` for what came in without a broker.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline partitions list\n\n\
                  next_offset - start_offset = records + gaps; records = applied + duplicate + ignored + dead")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists them with what became of their records.
    List {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

const HEADING: [&str; 10] = [
    "origin",
    "start_offset",
    "next_offset",
    "records",
    "applied",
    "duplicate",
    "ignored",
    "dead",
    "gaps",
    "last_received_at",
];

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let What::List { format } = args.what;
    let positions = store::with(&global.load()?, async |store| {
        let name = "partitions::list";
        Ok(run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(positions::list(tx))).await?)
    })
    .await?;
    match format {
        Format::Json => {
            let rows: Vec<Value> = positions.iter().map(shown).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Format::Csv => {
            println!("{}", HEADING.join(","));
            for position in &positions {
                println!("{}", cells(position).join(","));
            }
        }
        Format::Table => {
            let lines: Vec<[String; 10]> =
                [HEADING.map(str::to_owned)].into_iter().chain(positions.iter().map(cells)).collect();
            for line in &lines {
                let padded = line.iter().enumerate().map(|(column, cell)| {
                    let width = lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
                    if matches!(column, 0 | 9) {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
                println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(position: &Position) -> Value {
    let counts = &position.counts;
    json!({
        "origin": position.claim.origin,
        "cluster": position.cluster_id,
        "epoch": position.claim.epoch,
        "start_offset": position.start_offset,
        "next_offset": position.claim.next_offset,
        "records": counts.records,
        "applied": counts.applied,
        "duplicate": counts.duplicate,
        "ignored": counts.ignored,
        "dead": counts.dead,
        "gaps": counts.gaps,
        "last_received_at": position.last.map(|last| last.received_at.to_string()),
    })
}

fn cells(position: &Position) -> [String; 10] {
    let shown = shown(position);
    HEADING.map(|name| match &shown[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    })
}
