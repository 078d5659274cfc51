//! `hotline audit export-bundle`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use hotline_audit::copy::bundle::{Wanted, export};
use hotline_postgres::closure_records::Which;
use jiff::Timestamp;
use serde_json::json;

use crate::global::Global;
use crate::store;

/// Writes records with their proofs, the rulebooks they name and how to check them into a directory, for somebody who has
/// neither the database nor the network: `hotline audit verify DIR` looks at it.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("selection").required(true).args(["case", "bulletin", "since"])))]
#[command(after_help = "Example:\n  hotline audit export-bundle --case 12345:2026-000017 bundle/\n  \
                  hotline audit export-bundle --since 2026-10-01T00:00:00+08:00 bundle/")]
pub struct Args {
    /// The records of this case.
    #[arg(long, value_name = "ID")]
    case: Vec<String>,
    /// The record of this published bulletin; to count its figures again takes a mirror.
    #[arg(long, value_name = "N")]
    bulletin: Option<i64>,
    /// Everything written at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// A new or empty directory.
    directory: PathBuf,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let kinds = args.bulletin.map(|_| "bulletin".to_owned()).into_iter().collect();
    let which = Which { cases: args.case.clone(), kinds, since: args.since };
    let wanted = Wanted { which, bulletin: args.bulletin };
    store::with(&global.load()?, async |store| {
        let bundled = export(&store.pool, &wanted, &args.directory).await?;
        println!(
            "{}",
            json!({
                "records": bundled.records, "not_sealed_yet": bundled.waiting, "rulebooks": bundled.rulebooks,
            })
        );
        if bundled.records > 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if bundled.waiting > 0 {
            bail!("nothing of it is signed yet: hotline audit seals, ask again in a moment");
        }
        bail!(
            "there is no such record: a case is named <hotline>:<number>, such as 12345:2026-000017, and has records once it \
             was closed; a bulletin has one once it was published"
        );
    })
    .await
}
