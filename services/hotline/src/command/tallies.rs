//! `hotline tallies`: whether the stored integers are what the cases add up to.

use std::process::ExitCode;

use hotline_postgres::tallies::{self, Difference};
use hotline_postgres::{run_snapshot_tx, tallies::repair};
use serde_json::json;

use crate::cli::Global;
use crate::store;

/// Compares tallies and deltas with the sum of all scores, in one snapshot, while casework runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline tallies check && echo all is well")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists what differs as NDJSON; exit 2 if anything does.
    Check,
    /// Mends what differs and lists it.
    Repair,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let mends = matches!(args.what, What::Repair);
    let differences = store::with(&global.load()?, async |store| {
        let found = if mends {
            run_snapshot_tx(&store.pool, "tallies::repair", &mut (), |tx, ()| Box::pin(repair(tx))).await
        } else {
            run_snapshot_tx(&store.pool, "tallies::check", &mut (), |tx, ()| Box::pin(tallies::check(tx)))
                .await
        };
        Ok(found?)
    })
    .await?;
    for difference in &differences {
        println!("{}", shown(difference));
    }
    let verb = if mends { "mended" } else { "differ" };
    eprintln!("{} tallies {verb}", differences.len());
    Ok(if differences.is_empty() || mends { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn shown(difference: &Difference) -> serde_json::Value {
    let key = &difference.key;
    json!({
        "basis": key.basis.name(),
        "day": key.day.to_string(),
        "hotline": key.hotline.as_str(),
        "case_type": key.case_type.as_str(),
        "class": key.class.as_str(),
        "department": key.department.as_str(),
        "role": key.role.name(),
        "measure": key.measure.as_str(),
        "stored": difference.stored,
        "scored": difference.scored,
    })
}
