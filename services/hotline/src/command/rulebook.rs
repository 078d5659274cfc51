//! `hotline rulebook`: checking one, and making it the active one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hotline_core::rulebook::{Severity, load, wired};
use hotline_postgres::{CaseWriter, Error};
use hotline_runtime::clock;
use hotline_runtime::lifecycle::EXIT_CONFIG;
use serde_json::json;

use super::rates::Format;
use crate::files;
use crate::global::Global;
use crate::store;

/// Checks rulebooks and activates them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline rulebook check deploy/rulebook\n  hotline rulebook activate deploy/rulebook"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists all faults with file, line and field; exit 78 if one of them is an error.
    Check {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// `table` is a line for each fault.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Makes a rulebook the active one; cases are then folded again in the background.
    Activate {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Even if settled results change: each change is kept as a restatement.
        #[arg(long)]
        restate: bool,
    },
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Check { dir, format } => check(dir, *format),
        What::Activate { dir, restate } => activate(global, dir, *restate).await,
    }
}

fn check(dir: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let (hash, faults) = match load(&files::rulebook_files(dir)?) {
        Ok(loaded) => {
            let unwired = wired(&loaded.rulebook);
            (Some(loaded.rulebook.hash), loaded.warnings.into_iter().chain(unwired).collect())
        }
        Err(faults) => (None, faults),
    };
    match format {
        Format::Json => {
            let fault = |fault: &hotline_core::rulebook::Fault| {
                json!({
                    "file": fault.file,
                    "line": fault.line,
                    "field": fault.field,
                    "severity": if fault.severity == Severity::Error { "error" } else { "warning" },
                    "code": fault.code,
                    "message": fault.message,
                })
            };
            let faults: Vec<_> = faults.iter().map(fault).collect();
            println!("{:#}", json!({ "hash": hash.as_deref(), "faults": faults }));
        }
        Format::Table | Format::Csv => {
            if !faults.is_empty() {
                eprintln!("{}", files::listed(&faults));
            }
            if let Some(hash) = &hash {
                println!("{hash}");
            }
        }
    }
    Ok(if hash.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) })
}

async fn activate(global: &Global, dir: &Path, restate: bool) -> anyhow::Result<ExitCode> {
    let files = files::rulebook_files(dir)?;
    let loaded = match load(&files) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("{}", files::listed(&faults));
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    let done = store::with(&global.load()?, async |store| {
        let now = clock::now();
        let writer = CaseWriter::new(store.pool.clone(), store.master.clone());
        writer.prepare(now).await?;
        Ok(writer.activate(&files, &loaded.rulebook, restate, now).await)
    })
    .await?;
    match done {
        Ok((activation, preview)) => {
            println!(
                "{}",
                json!({
                    "seq": activation.seq,
                    "hash": activation.hash,
                    "activated_at": activation.activated_at.to_string(),
                    "cases": preview.cases,
                    "changed": preview.changed,
                    "restated": preview.restated,
                })
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ Error::WouldRestate { .. }) => {
            eprintln!("nothing was activated: {error}");
            Ok(ExitCode::from(2))
        }
        Err(error) => Err(error.into()),
    }
}
