//! `hotline explain`: one case, as anybody may check it.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_postgres::Rules;
use hotline_runtime::clock;
use jiff::Timestamp;

use super::instant;
use crate::global::Global;
use crate::store;

/// Shows one case: what happened, who held it, and how each deadline was counted, day by day. Nothing personal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hotline explain 12345:411200202609010001\n  \
                        hotline --lang zh explain 12345:411200202609010001 --as-of 2026-09-10T00:00:00+08:00")]
pub struct Args {
    /// `<hotline>:<number>`, as events name it in `subject`.
    #[arg(value_name = "CASE")]
    case: String,
    /// What was known at this instant, under the rulebook of today; by default now.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    as_of: Option<Timestamp>,
    /// `text` is for people, in the language of --lang; `json` is what `GET /v1/cases/{id}` answers.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let case = args.case.as_str();
    let viewed = store::with(&global.load()?, async |store| {
        Ok(Rules::new(store.pool.clone()).view(case, args.as_of).await?)
    })
    .await?;
    let Some(viewed) = viewed else { bail!("there is no case {case}: no event about it was taken in") };
    let as_of = args.as_of.unwrap_or_else(clock::now);
    let text = match args.format {
        Format::Json => format!("{:#}\n", viewed.shown(as_of)),
        Format::Text => viewed.told(as_of, global.lang()),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write the case")?;
    Ok(ExitCode::SUCCESS)
}
