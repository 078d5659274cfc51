//! `hotline notices`: how far receivers were told, and what was given up.

use std::process::ExitCode;

use anyhow::bail;
use hotline_postgres::{deliveries, run_tx};
use serde_json::{Value, json};

use super::rates::Format;
use crate::global::Global;
use crate::store::{self, Store};
use crate::table;

/// Notices that departments are sent: how far each receiver was told, and what was given up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hotline notices receivers\n  hotline notices again district-office")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the receivers: how far each was told, how much waits for it and since when, what was given up and why.
    Receivers {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Sends what was given up for a receiver again, once whoever runs it has mended it.
    Again {
        /// Its name in the configuration; `kafka` for the topic.
        receiver: String,
    },
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match &args.what {
        What::Receivers { format } => receivers(store, *format).await,
        What::Again { receiver } => again(store, receiver).await,
    })
    .await
}

async fn receivers(store: &Store, format: Format) -> anyhow::Result<ExitCode> {
    let all =
        run_tx(&store.pool, "deliveries::list", &mut (), |tx, ()| Box::pin(deliveries::list(tx))).await?;
    let heading = ["receiver", "told up to", "delivered", "waiting", "since", "given up", "why"];
    let rows = all.iter().map(|one| {
        [
            one.receiver.to_string(),
            one.number.to_string(),
            one.delivered.to_string(),
            one.behind.to_string(),
            one.oldest_at.map_or_else(String::new, |at| at.to_string()),
            one.undelivered.to_string(),
            one.why.clone().unwrap_or_default(),
        ]
    });
    match format {
        Format::Table => table::print(heading, rows)?,
        Format::Csv => table::print_csv(heading, rows)?,
        Format::Json => {
            let shown = |one: &deliveries::Receiver| {
                json!({
                    "receiver": one.receiver,
                    "number": one.number,
                    "delivered": one.delivered,
                    "waiting": one.behind,
                    "waiting_since": one.oldest_at.map(|at| at.to_string()),
                    "given_up": one.undelivered,
                    "why": one.why,
                })
            };
            println!("{}", Value::Array(all.iter().map(shown).collect()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn again(store: &Store, receiver: &str) -> anyhow::Result<ExitCode> {
    let mut receiver = receiver;
    let (is_known, asked) = run_tx(&store.pool, "notices::again", &mut receiver, |tx, receiver| {
        Box::pin(async move {
            let is_known = deliveries::list(tx).await?.iter().any(|one| one.receiver == *receiver);
            Ok((is_known, deliveries::ask_again(tx, receiver).await?))
        })
    })
    .await?;
    if !is_known {
        bail!("no receiver {receiver} was ever told anything: `hotline notices receivers` lists them");
    }
    println!("{asked} notices will be sent to {receiver} again, while a relay runs");
    Ok(ExitCode::SUCCESS)
}
