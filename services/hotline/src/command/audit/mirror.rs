//! `hotline audit mirror`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_audit::copy::mirror::{Mirrored, Source, mirror};
use serde_json::json;

use super::Format;
use crate::global::{Global, Lang};
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
    /// `table` is a sentence.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let lang = (args.format == Format::Table).then(|| global.lang());
    match (args.places.as_slice(), args.database) {
        ([directory], true) => {
            store::with(&global.load()?, async |store| {
                copy(&Source::Database(store.pool.clone()), directory, lang).await
            })
            .await
        }
        ([url, directory], false) => {
            let token = args.token_file.as_deref().map(read_token).transpose()?;
            copy(&Source::Url { url: url.clone(), token }, directory, lang).await
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

/// Copies, and says so in a language; None: as JSON.
async fn copy(source: &Source, directory: &str, lang: Option<Lang>) -> anyhow::Result<ExitCode> {
    let bar = progress::count(0, "copying");
    let mirrored = mirror(source, &PathBuf::from(directory), |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    match lang {
        Some(lang) => println!("{}", told(&mirrored, directory, lang)),
        None => println!(
            "{}",
            json!({ "origin": mirrored.origin, "size": mirrored.size, "fetched": mirrored.fetched })
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in the directory now.
fn told(mirrored: &Mirrored, directory: &str, lang: Lang) -> String {
    let Mirrored { origin, size, fetched } = mirrored;
    match lang {
        Lang::Zh => format!(
            "{directory} 中是日志 {origin} 的镜像：记录 {size} 条，这次取回文件 {fetched} 个。核验：hotline audit verify --key log.vkey {directory}"
        ),
        Lang::En => format!(
            "{directory} is a mirror of the log {origin}: records: {size}, files that were fetched now: {fetched}. To check it: hotline audit \
             verify --key log.vkey {directory}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_is_a_sentence_that_says_how_to_check_it() {
        let mirrored = Mirrored { origin: "hotline/x/log1".to_owned(), size: 42, fetched: 3 };
        assert_eq!(
            told(&mirrored, "m", Lang::En),
            "m is a mirror of the log hotline/x/log1: records: 42, files that were fetched now: 3. To check it: hotline audit verify --key log.vkey m"
        );
        assert_eq!(
            told(&mirrored, "m", Lang::Zh),
            "m 中是日志 hotline/x/log1 的镜像：记录 42 条，这次取回文件 3 个。核验：hotline audit verify --key log.vkey m"
        );
    }
}
