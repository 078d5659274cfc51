//! `hotline audit key|relog|adopt`.

use std::process::ExitCode;

use anyhow::Context as _;
use hotline_audit::log::key::LogKey;
use hotline_audit::log::{relog as new_log, state_of};
use serde_json::json;

use crate::command::operator;
use crate::global::{Global, Lang};
use crate::store;

/// Prints the verifier key of the log: whoever checks a proof must be given it, by another way than the proof.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline audit key > log.vkey")]
pub struct KeyArgs {}

/// Begins a new log after a halt, such as after a backup was restored: its first leaf holds the last checkpoint that was signed
/// and the reason, then all records of the database follow. The log gets another name, and so another verifier key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline audit relog --reason \"the backup of 1 November was restored\"")]
pub struct RelogArgs {
    /// Why; it is in the log for ever.
    #[arg(long, value_name = "TEXT", value_parser = operator::said)]
    reason: String,
}

/// Goes on without the checkpoint file where it was lost: the last checkpoint in the database takes its place. What the file
/// protected against until now, only a witness can still show.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline audit adopt --reason \"the volume of the file had to be replaced\""
)]
pub struct AdoptArgs {
    /// Why; it is in the log for ever.
    #[arg(long, value_name = "TEXT", value_parser = operator::said)]
    reason: String,
}

pub async fn key(global: &Global, _args: &KeyArgs) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    store::with(&config, async |store| {
        let (_, parts) = super::parts(&config, store);
        let state = state_of(&parts.pool).await?;
        let state = state
            .context("there is no closure log yet: start the role audit, it makes the key with the log")?;
        println!("{}", LogKey::new(parts.places.key_file).signer(&state.origin)?.key());
        Ok(ExitCode::SUCCESS)
    })
    .await
}

pub async fn relog(global: &Global, args: &RelogArgs) -> anyhow::Result<ExitCode> {
    let (config, lang) = (global.load()?, global.lang());
    store::with(&config, async |store| {
        let (audit, parts) = super::parts(&config, store);
        let begun = new_log::relog(&audit, &parts, &args.reason).await?;
        println!(
            "{}",
            json!({
                "origin": begun.origin, "key": begun.key,
                "ended": begun.old.map(|(origin, size)| json!({ "origin": origin, "size": size })),
            })
        );
        eprintln!(
            "{}",
            match lang {
                Lang::Zh => "新日志已开始；请把新的公钥交给所有核验人和见证方",
                Lang::En => "a new log has begun: give the new key to whoever checks, and to the witnesses",
            }
        );
        Ok(ExitCode::SUCCESS)
    })
    .await
}

pub async fn adopt(global: &Global, args: &AdoptArgs) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    store::with(&config, async |store| {
        let (_, parts) = super::parts(&config, store);
        let (origin, size) = new_log::adopt(&parts, &args.reason).await?;
        println!("{}", json!({ "origin": origin, "size": size }));
        Ok(ExitCode::SUCCESS)
    })
    .await
}
