//! `hotline migrate`: the schema of the database.

use std::process::ExitCode;

use hotline_postgres::schema;

use crate::global::Global;
use crate::store::Store;

/// Brings the database's schema up to this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline migrate --config /etc/hotline/hotline.toml")]
pub struct Args {}

pub async fn run(global: &Global, _args: &Args) -> anyhow::Result<ExitCode> {
    let store = Store::open_unchecked(&global.load()?).await?;
    let migrated = schema::migrate(&store.pool).await;
    store.close().await?;
    migrated?;
    Ok(ExitCode::SUCCESS)
}
