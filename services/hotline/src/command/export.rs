//! `hotline export`: the ledger as events.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use hotline_core::rulebook::Source;
use hotline_postgres::ledger::{self, Exported};
use hotline_postgres::{PgConnection, Rules, retention, run_snapshot_tx};
use jiff::Timestamp;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::global::Global;
use crate::store;

/// Rows read at once: some megabytes.
pub const PAGE: i64 = 5_000;

/// Writes every accepted event, our own dispatch decisions included, as NDJSON that `replay` reads. What concerns
/// a person is never among it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline export > events.ndjson\n  hotline replay --rulebook deploy/rulebook \\\n    \
                        --as-of 2026-11-01T00:00:00+08:00 --rate on_time_closure.due \\\n    \
                        --period 2026-09-01..2026-10-01 events.ndjson"
)]
pub struct Args {}

pub async fn run(global: &Global, _args: &Args) -> anyhow::Result<ExitCode> {
    let exported = store::with(&global.load()?, async |store| {
        let rules = Rules::new(store.pool.clone());
        let mut export = Export { rules: &rules, exported: 0 };
        // The inner result is that of writing: it is not the database's.
        run_snapshot_tx(&store.pool, "export", &mut export, |tx, export| Box::pin(export.write(tx)))
            .await??;
        Ok(export.exported)
    })
    .await?;
    tracing::debug!(events = exported, "exported");
    Ok(ExitCode::SUCCESS)
}

struct Export<'r> {
    rules: &'r Rules,
    exported: u64,
}

impl Export<'_> {
    async fn write(&mut self, tx: &mut PgConnection) -> Result<anyhow::Result<()>, hotline_postgres::Error> {
        let rules = self.rules.within(tx).await?;
        if let Some(month) = retention::newest_dropped(tx).await? {
            eprintln!(
                "the ledger up to {} was dropped by `hotline retention`: the export begins later",
                month.strftime("%Y-%m")
            );
        }
        let mut after = 0;
        loop {
            let page = ledger::page(tx, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Ok(())) };
            after = last.seq;
            if let Err(error) = written(&page, &rules.rulebook.sources) {
                return Ok(Err(error));
            }
            self.exported += page.len() as u64;
        }
    }
}

fn written(page: &[Exported], sources: &BTreeMap<SmolStr, Source>) -> anyhow::Result<()> {
    let mut text = Vec::with_capacity(1 << 20);
    for row in page {
        serde_json::to_writer(&mut text, &event_of(row, sources)?).context("an event cannot be written")?;
        text.push(b'\n');
    }
    std::io::stdout().lock().write_all(&text).context("cannot write the events")
}

/// A row of the ledger as the event that a file would hold, its receipt as `recordedtime`.
pub fn event_of(row: &Exported, sources: &BTreeMap<SmolStr, Source>) -> anyhow::Result<Map<String, Value>> {
    let mut event: Map<String, Value> = serde_json::from_str(&row.event)
        .with_context(|| format!("the ledger's row {} is not an event", row.seq))?;
    if !is_trusted_past(&event, sources) {
        event.insert("recordedtime".to_owned(), row.received_at.to_string().into());
    }
    Ok(event)
}

/// Whether what the source recorded counts as the receipt, so that it is left as it is: there or not.
fn is_trusted_past(event: &Map<String, Value>, sources: &BTreeMap<SmolStr, Source>) -> bool {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let trusted_before =
        text("source").and_then(|source| sources.get(source)).and_then(|source| source.trusted_before);
    let claimed_at = text("time").and_then(|time| time.parse::<Timestamp>().ok());
    matches!((trusted_before, claimed_at), (Some(before), Some(claimed_at)) if claimed_at < before)
}
