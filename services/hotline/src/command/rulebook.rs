//! `hotline rulebook`: checking one, and making it the active one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use hotline_core::fold::FOLD_VERSION;
use hotline_core::rulebook::{Severity, load, wired};
use hotline_postgres::batch::preview;
use hotline_postgres::rulebooks::Activation;
use hotline_postgres::{CaseWriter, Error, cases, refolds, restatements, rulebooks, run_tx};
use hotline_runtime::clock;
use hotline_runtime::lifecycle::EXIT_CONFIG;
use serde_json::json;

use super::rates::Format;
use crate::files;
use crate::global::{Global, Lang};
use crate::store::{self, Store};
use crate::{progress, table};

/// Checks rulebooks and activates them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hotline rulebook check deploy/rulebook\n  hotline rulebook activate deploy/rulebook --dry-run\n  \
                        hotline rulebook activate deploy/rulebook\n  hotline rulebook status --wait"
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
    /// Makes a rulebook the active one, after folding every case by it: refused if settled results would change, unless
    /// --restate. Cases are then folded again in the background, by casework. `hotline what-if` shows the same change rate
    /// by rate and case by case.
    Activate {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Only say how many cases would change; exit 2 if settled results would.
        #[arg(long)]
        dry_run: bool,
        /// Even if settled results change: each change is kept as a restatement.
        #[arg(long)]
        restate: bool,
    },
    /// Lists the rulebooks that were activated, and how far casework is in folding all cases by the last one.
    Status {
        /// Wait until every case is folded by it.
        #[arg(long)]
        wait: bool,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Check { dir, format } => check(dir, *format, global.lang()),
        What::Activate { dir, dry_run, restate } => activate(global, dir, *dry_run, *restate).await,
        What::Status { wait, format } => {
            store::with(&global.load()?, async |store| status(store, *wait, *format).await).await
        }
    }
}

/// What is said of a rulebook that can be activated.
fn sound(warnings: usize, lang: Lang) -> String {
    match (warnings, lang) {
        (0, Lang::Zh) => "规则库无误，以上是它的哈希".to_owned(),
        (0, Lang::En) => "the rulebook is sound; its hash stands above".to_owned(),
        (_, Lang::Zh) => format!("规则库可以启用，但请先看以上 {warnings} 条警告；警告之后是它的哈希"),
        (_, Lang::En) => format!(
            "the rulebook can be activated, but look at what is said above first ({warnings} in all); after that stands its hash"
        ),
    }
}

fn check(dir: &Path, format: Format, lang: Lang) -> anyhow::Result<ExitCode> {
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
                // Alone on its line: scripts read it.
                println!("{hash}");
                eprintln!("{}", sound(faults.len(), lang));
            }
        }
    }
    Ok(if hash.is_some() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) })
}

async fn activate(global: &Global, dir: &Path, dry_run: bool, restate: bool) -> anyhow::Result<ExitCode> {
    let files = files::rulebook_files(dir)?;
    let rulebook = match load(&files) {
        Ok(loaded) => loaded.rulebook,
        Err(faults) => {
            eprintln!("{}", files::listed(&faults));
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    let (preview, done) = store::with(&global.load()?, async |store| {
        let now = clock::now();
        let writer = CaseWriter::new(store.pool.clone(), store.master.clone());
        if !dry_run {
            writer.prepare(now).await?;
        }
        let bar = progress::count(cases_of(&progress_of(store).await?), "folding by the draft");
        let preview = preview(&writer, &rulebook, now, |cases| bar.set_position(cases)).await?;
        bar.finish_and_clear();
        if dry_run {
            return Ok((preview, None));
        }
        let done = writer.activate_previewed(&files, &rulebook, &preview, restate, now).await;
        Ok((preview, Some(done)))
    })
    .await?;
    let mut said = json!({
        "hash": rulebook.hash.as_str(),
        "cases": preview.cases,
        "changed": preview.changed,
        "restated": preview.restated,
        "settled": preview.settled,
        "sources_dropped": preview.dropped,
    });
    match done {
        None => {
            println!("{said}");
            let is_free = preview.settled == 0 && preview.dropped.is_empty();
            Ok(if is_free { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Some(Ok(activation)) => {
            said["seq"] = activation.seq.into();
            said["activated_at"] = activation.activated_at.to_string().into();
            println!("{said}");
            Ok(ExitCode::SUCCESS)
        }
        Some(Err(error @ Error::WouldRestate { .. })) => {
            eprintln!(
                "nothing was activated: {error}; `hotline what-if --rulebook {} --period …` shows which",
                dir.display()
            );
            Ok(ExitCode::from(2))
        }
        Some(Err(error)) => Err(error.into()),
    }
}

/// How many cases are folded by which rulebook and which fold.
async fn progress_of(store: &Store) -> Result<Vec<(i64, i32, i64)>, Error> {
    run_tx(&store.pool, "rulebook::progress", &mut (), |tx, ()| Box::pin(cases::progress(tx))).await
}

fn cases_of(progress: &[(i64, i32, i64)]) -> u64 {
    progress.iter().map(|(_, _, cases)| cases.cast_unsigned()).sum()
}

/// How often to look while waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);

async fn status(store: &Store, wait: bool, format: Format) -> anyhow::Result<ExitCode> {
    let is_done = async || {
        run_tx(&store.pool, "refolds::is_done", &mut (), |tx, ()| Box::pin(refolds::is_done(tx))).await
    };
    let activations =
        run_tx(&store.pool, "rulebooks::list", &mut (), |tx, ()| Box::pin(rulebooks::list(tx))).await?;
    let last = activations.last().map_or(0, |last| last.seq);
    let folded = |progress: &[(i64, i32, i64)]| -> u64 {
        let current = i32::try_from(FOLD_VERSION).unwrap_or(i32::MAX);
        let is_current = |(seq, fold, _): &&(i64, i32, i64)| *seq == last && *fold >= current;
        progress.iter().filter(is_current).map(|(_, _, cases)| cases.cast_unsigned()).sum()
    };
    let mut done = is_done().await?;
    let mut progress = progress_of(store).await?;
    if wait && last > 0 && !done && store.database().cluster().is_some() {
        bail!(
            "nobody folds the cases: this command has started the embedded database, and casework cannot use it \
             meanwhile; start `hotline all`, then ask again"
        );
    }
    if wait && last > 0 && !done {
        let bar = progress::count(cases_of(&progress), "folding by the active rulebook");
        while !done {
            bar.set_length(cases_of(&progress));
            bar.set_position(folded(&progress));
            tokio::time::sleep(LOOK_EVERY).await;
            (done, progress) = (is_done().await?, progress_of(store).await?);
        }
        bar.finish_and_clear();
    }
    let mut restated = Vec::with_capacity(activations.len());
    for activation in &activations {
        let mut seq = activation.seq;
        let count = run_tx(&store.pool, "restatements::count", &mut seq, |tx, seq| {
            Box::pin(restatements::count(tx, *seq))
        });
        restated.push(count.await?.0);
    }
    let rows = activations.iter().zip(&restated);
    let heading = ["seq", "activated at", "cases restated", "hash"];
    let line = |(activation, restated): (&Activation, &i64)| {
        [
            activation.seq.to_string(),
            activation.activated_at.to_string(),
            restated.to_string(),
            activation.hash.clone(),
        ]
    };
    match format {
        Format::Json => {
            let activations = rows.map(|(activation, restated)| {
                json!({
                    "seq": activation.seq,
                    "hash": activation.hash,
                    "activated_at": activation.activated_at.to_string(),
                    "restated": restated,
                })
            });
            let shown = json!({
                "activations": activations.collect::<Vec<_>>(),
                "cases": cases_of(&progress),
                "folded": folded(&progress),
                "done": done,
            });
            println!("{shown:#}");
        }
        Format::Csv => table::print_csv(heading, rows.map(line))?,
        Format::Table => {
            table::print(heading, rows.map(line))?;
            let state = if done { "done" } else { "casework folds the rest while it runs" };
            println!(
                "\n{} of {} cases are folded by the last: {state}",
                folded(&progress),
                cases_of(&progress)
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rulebook_that_is_sound_is_said_to_be() {
        assert_eq!(sound(0, Lang::En), "the rulebook is sound; its hash stands above");
        assert_eq!(sound(0, Lang::Zh), "规则库无误，以上是它的哈希");
        assert!(sound(3, Lang::En).contains("(3 in all)") && sound(3, Lang::Zh).contains("3 条警告"));
    }
}
