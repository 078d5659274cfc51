//! `hotline audit mirror`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_audit::copy::mirror::{Source, mirror};
use serde_json::json;

use crate::global::Global;
use crate::{progress, store};

/// Copies every tile and record of the log into a directory, under the paths that the log serves them at; run again it fetches
/// what is new. `hotline audit verify DIR` looks at it without network.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline audit mirror https://hotline.example.gov.cn/log mirror/ --token-file auditor.token\n  \
                  hotline audit mirror --database mirror/"
)]
pub struct Args {
    /// What the paths of the log stand under, and the directory; with --database the directory only.
    #[arg(num_args = 1..=2, required = true, value_name = "PLACE")]
    places: Vec<String>,
    /// Reads the database of the configuration instead of a URL.
    #[arg(long)]
    database: bool,
    /// A file with the token of an auditor, without which nobody is given records.
    #[arg(long, value_name = "FILE", conflicts_with = "database")]
    token_file: Option<PathBuf>,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match (args.places.as_slice(), args.database) {
        ([directory], true) => {
            store::with(&global.load()?, async |store| {
                copy(&Source::Database(store.pool.clone()), directory).await
            })
            .await
        }
        ([url, directory], false) => {
            let token = args.token_file.as_ref().map(std::fs::read_to_string).transpose();
            let token = token.context("cannot read the token")?.map(|token| token.trim().to_owned());
            copy(&Source::Url { url: url.clone(), token }, directory).await
        }
        _ => bail!("give a URL and a directory, or --database and a directory"),
    }
}

async fn copy(source: &Source, directory: &str) -> anyhow::Result<ExitCode> {
    let bar = progress::count(0, "copying");
    let mirrored = mirror(source, &PathBuf::from(directory), |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    println!("{}", json!({ "origin": mirrored.origin, "size": mirrored.size, "fetched": mirrored.fetched }));
    Ok(ExitCode::SUCCESS)
}
