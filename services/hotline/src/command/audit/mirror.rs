//! `hotline audit mirror`.

use std::path::{Path, PathBuf};
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
            let token = args.token_file.as_deref().map(read_token).transpose()?;
            copy(&Source::Url { url: url.clone(), token }, directory).await
        }
        ([_], false) => bail!(
            "one of the two places is missing: the address of the log, such as https://hotline.example.gov.cn/log, and then the directory \
             for the copy; or --database and the directory alone"
        ),
        _ => bail!(
            "with --database give the directory alone: the log is read from the database of the configuration"
        ),
    }
}

/// The token of a file.
fn read_token(path: &Path) -> anyhow::Result<String> {
    const WHENCE: &str =
        "the file of --token-file holds what `hotline token create --name NAME --role auditor` prints";
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("there is no token to be read in {}; {WHENCE}", path.display()))?;
    match text.trim() {
        "" => bail!("the token file {} is empty; {WHENCE}", path.display()),
        token => Ok(token.to_owned()),
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
