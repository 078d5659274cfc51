//! `hotline dead-letters`: input that was refused.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_events::intake::Reason;
use hotline_postgres::dead_letters::{self, Letter};
use hotline_postgres::run_tx;
use serde_json::{Value, json};

use crate::global::Global;
use crate::store;

/// Letters read at once.
const PAGE: i64 = 1_000;

/// Shows input that was refused and kept, and why. What a sender over HTTP gets back as invalid is not kept.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline dead-letters list --reason id_conflict\n  hotline dead-letters show 17 --bytes"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists letters as NDJSON, oldest first.
    List {
        /// Only those of this reason, such as `invalid` or `id_conflict`.
        #[arg(long, value_parser = reason)]
        reason: Option<Reason>,
        /// Only those after this id.
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: i64,
    },
    /// Shows one letter.
    Show {
        id: i64,
        /// Its bytes as they came, instead: they may concern a person.
        #[arg(long)]
        bytes: bool,
    },
}

fn reason(code: &str) -> Result<Reason, String> {
    Reason::parse(code).ok_or_else(|| {
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("no such reason; there are {}", known.join(", "))
    })
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::List { reason, after, limit } => {
            store::with(&global.load()?, async |store| list(store, *reason, *after, *limit).await).await?;
        }
        What::Show { id, bytes } => {
            store::with(&global.load()?, async |store| show(store, *id, *bytes).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(
    store: &store::Store,
    reason: Option<Reason>,
    mut after: i64,
    limit: i64,
) -> anyhow::Result<()> {
    let mut left = limit;
    let mut out = std::io::stdout().lock();
    while left > 0 {
        let mut page = (reason, after, left.min(PAGE));
        let letters = run_tx(&store.pool, "dead_letters::list", &mut page, |tx, (reason, after, limit)| {
            Box::pin(dead_letters::list(tx, *reason, *after, *limit))
        })
        .await?;
        let Some(last) = letters.last() else { break };
        after = last.id;
        left -= i64::try_from(letters.len()).context("a page is bounded")?;
        for letter in &letters {
            writeln!(out, "{}", shown(letter)).context("cannot write the letters")?;
        }
    }
    Ok(())
}

async fn show(store: &store::Store, id: i64, bytes: bool) -> anyhow::Result<()> {
    let mut asked = (&store.master, id);
    let found = run_tx(&store.pool, "dead_letters::show", &mut asked, |tx, (master, id)| {
        Box::pin(dead_letters::show(tx, master, *id))
    })
    .await?;
    let Some((letter, raw)) = found else {
        bail!("there is no dead letter {id}; see: hotline dead-letters list")
    };
    let mut out = std::io::stdout().lock();
    if bytes {
        out.write_all(raw.expose()).context("cannot write the letter")?;
    } else {
        writeln!(out, "{:#}", shown(&letter)).context("cannot write the letter")?;
    }
    Ok(())
}

fn shown(letter: &Letter) -> Value {
    let fault = |(pointer, code): &(String, String)| json!({ "pointer": pointer, "code": code });
    json!({
        "id": letter.id,
        "origin": letter.origin,
        "offset": letter.origin_offset,
        "received_at": letter.received_at.to_string(),
        "reason": letter.reason,
        "faults": letter.faults.iter().map(fault).collect::<Vec<_>>(),
        "source": letter.source,
        "case": letter.case_id,
        "state": letter.state.name(),
    })
}
