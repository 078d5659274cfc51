//! `hotline bulletin`: rates from the database.

use std::process::ExitCode;

use hotline_postgres::Rules;
use hotline_rates::bulletin;
use hotline_runtime::clock;

use super::rates::{Ask, print_answer};
use crate::global::Global;
use crate::store;

/// Prints rates from the database, as of one snapshot of it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline bulletin --rate on_time_closure.due,satisfaction.answered \\\n    \
                        --by department --period 2026-09-01..2026-10-01 --format table"
)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let ask = args.ask.question()?;
    let bulletin = store::with(&global.load()?, async |store| {
        let rules = Rules::new(store.pool.clone());
        let bulletin = bulletin(&store.pool, &rules, ask, clock::now()).await?;
        let in_force = rules.current().await?;
        let rulebook = &in_force.rulebook;
        let query = bulletin.ask.query(rulebook)?;
        print_answer(&bulletin.answer, &query, rulebook, (args.ask.format, global.lang()))?;
        Ok(bulletin)
    })
    .await?;
    // Standard output holds the rows alone, as of replay.
    eprintln!("stamp: {}", bulletin.stamp.to_json());
    if bulletin.stamp.refold_pending {
        eprintln!("not for publication: cases are still being folded by the active rulebook");
    }
    Ok(ExitCode::SUCCESS)
}
