//! `hotline audit export-bundle`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use hotline_audit::copy::bundle::{Bundled, Wanted, export};
use hotline_postgres::closure_records::Which;
use jiff::Timestamp;
use serde_json::json;

use super::Format;
use crate::command::instant;
use crate::global::{Global, Lang};
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
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    since: Option<Timestamp>,
    /// A new or empty directory.
    directory: PathBuf,
    /// `table` is a sentence.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let kinds = args.bulletin.map(|_| "bulletin".to_owned()).into_iter().collect();
    let which = Which { cases: args.case.clone(), kinds, since: args.since };
    let wanted = Wanted { which, bulletin: args.bulletin };
    store::with(&global.load()?, async |store| {
        let bundled = export(&store.pool, &wanted, &args.directory).await?;
        if args.format == Format::Json {
            println!(
                "{}",
                json!({
                    "records": bundled.records, "not_sealed_yet": bundled.waiting, "rulebooks": bundled.rulebooks,
                })
            );
        } else if bundled.records > 0 {
            println!("{}", told(&bundled, &args.directory, global.lang()));
        }
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

/// What was written, and what is still missing of it.
fn told(bundled: &Bundled, directory: &Path, lang: Lang) -> String {
    let Bundled { records, waiting, rulebooks } = bundled;
    let place = directory.display();
    let more = match (lang, waiting) {
        (_, 0) => String::new(),
        (Lang::Zh, _) => format!("；另有 {waiting} 条尚未签名，不在其中，稍后请另选目录再导出一次"),
        (Lang::En, _) => format!(
            "; not yet signed, and so not in it: {waiting}, for which export once more in a moment, into another directory"
        ),
    };
    match lang {
        Lang::Zh => format!(
            "已导出到 {place}：记录及其证明 {records} 条，所引用的规则库 {rulebooks} 份{more}。核验：hotline audit verify --key log.vkey {place}"
        ),
        Lang::En => format!(
            "written to {place}: {} with {}, and {}{more}. To check it: hotline audit verify --key log.vkey {place}",
            if *records == 1 { "1 record".to_owned() } else { format!("{records} records") },
            if *records == 1 { "its proof" } else { "their proofs" },
            if *rulebooks == 1 { "1 rulebook".to_owned() } else { format!("{rulebooks} rulebooks") },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_a_sentence_that_says_how_to_check_it() {
        let bundled = |records, waiting| Bundled { records, waiting, rulebooks: 1 };
        let said = |bundled: &Bundled, lang| told(bundled, Path::new("bx"), lang);
        assert_eq!(
            said(&bundled(1, 0), Lang::En),
            "written to bx: 1 record with its proof, and 1 rulebook. To check it: hotline audit verify --key log.vkey bx"
        );
        assert_eq!(
            said(&bundled(7, 0), Lang::Zh),
            "已导出到 bx：记录及其证明 7 条，所引用的规则库 1 份。核验：hotline audit verify --key log.vkey bx"
        );
        let waiting = said(&bundled(7, 2), Lang::En);
        assert!(waiting.contains("not yet signed, and so not in it: 2,"), "{waiting}");
    }
}
