//! A mirror: every tile and entry of the log as files, under the paths that the log serves them at, and the rulebooks.
//!
//! Run again it fetches what is new. Nothing is believed here: `verify` looks.

use std::fs;
use std::path::Path;

use hotline_postgres::closure_log::Place;
use hotline_postgres::{PgPool, run_read_tx};

use super::rulebooks::{self, RULEBOOKS};
use super::{CopyFault, write};
use crate::log::note::said;
use crate::log::path::{Asked, of_entries, of_hashes, parse};
use crate::log::{checkpoint, resource, tree};
use crate::witness::client::Client;

/// The checkpoint that the files belong to; earlier ones stand in [`CHECKPOINTS`] by their size.
pub const CHECKPOINT: &str = "checkpoint";
pub const CHECKPOINTS: &str = "checkpoints";

/// Where a log is read.
#[derive(Clone, Debug)]
pub enum Source {
    /// What its paths stand under, such as `https://…/log`, and the token of an auditor.
    Url {
        url: String,
        token: Option<String>,
    },
    Database(PgPool),
}

impl Source {
    /// Why there is no checkpoint.
    fn nothing(&self) -> CopyFault {
        match self {
            Self::Url { url, .. } => CopyFault::Source(format!(
                "{url} shows no {CHECKPOINT}: either it is not the address of a log, which ends in /log, or nothing has been signed yet"
            )),
            Self::Database(_) => CopyFault::Empty,
        }
    }

    async fn get(&self, client: &Client, path: String) -> Result<Option<Vec<u8>>, CopyFault> {
        match self {
            Self::Url { url, token } => {
                let (client, token) = (client.clone(), token.clone());
                let url = format!("{}/{path}", url.trim_end_matches('/'));
                let got = tokio::task::spawn_blocking(move || client.get(&url, token.as_deref())).await;
                got.map_err(|error| CopyFault::Source(error.to_string()))?.map_err(CopyFault::Source)
            }
            Self::Database(pool) if path == CHECKPOINT => {
                Ok(checkpoint(pool).await?.map(|(_, note)| note.into_bytes()))
            }
            Self::Database(pool) if path == RULEBOOKS => {
                Ok(Some(rulebooks::encode_hashes(&rulebooks::hashes(pool).await?)))
            }
            Self::Database(pool) if path.starts_with(RULEBOOKS) => {
                let hash = path.rsplit('/').next().unwrap_or_default();
                Ok(rulebooks::files(pool, hash).await?.map(|files| rulebooks::encode(&files)))
            }
            Self::Database(pool) => {
                let Some(mut asked) = parse(&path) else { return Ok(None) };
                let read = run_read_tx(pool, "audit::mirror", &mut asked, |tx, asked: &mut Asked| {
                    Box::pin(resource::read(tx, *asked))
                });
                Ok(read.await?)
            }
        }
    }
}

/// What a mirror holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    pub origin: String,
    pub size: u64,
    /// Files that were fetched now.
    pub fetched: u64,
}

/// Fetches what a directory lacks. `progress` is told of files done, of so many.
pub async fn mirror(
    source: &Source,
    directory: &Path,
    progress: impl Fn(u64, u64),
) -> Result<Mirrored, CopyFault> {
    let client = Client::new();
    let note = source.get(&client, CHECKPOINT.to_owned()).await?.ok_or_else(|| source.nothing())?;
    let note = String::from_utf8_lossy(&note).into_owned();
    let (origin, size) = said(&note)?;
    let kept = directory.join(CHECKPOINT);
    if let Ok(before) = fs::read_to_string(&kept) {
        let (found, before_size) = said(&before)?;
        if found != origin {
            return Err(CopyFault::OtherLog { path: kept, expected: origin, found });
        }
        write(&directory.join(CHECKPOINTS).join(before_size.to_string()), before.as_bytes())?;
    }
    let of = (tree::all(size).count() + usize::try_from(size.div_ceil(tree::WIDTH)).unwrap_or(0)) as u64;
    let (mut done, mut fetched) = (0, 0);
    let tiles = tree::all(size).flat_map(|(place, width)| {
        let hashes = std::iter::once(of_hashes(place, width));
        hashes.chain((place.level == 0).then(|| of_entries(place.index, width)))
    });
    for path in tiles {
        let file = directory.join(&path);
        if !file.exists() {
            let bytes = source.get(&client, path.clone()).await?.ok_or(CopyFault::Missing { path })?;
            write(&file, &bytes)?;
            fetched += 1;
        }
        done += 1;
        progress(done, of);
    }
    fetched += copy_rulebooks(source, &client, directory).await?;
    write(&kept, note.as_bytes())?;
    Ok(Mirrored { origin, size, fetched })
}

/// The rulebooks that the directory lacks.
async fn copy_rulebooks(source: &Source, client: &Client, directory: &Path) -> Result<u64, CopyFault> {
    let missing = |path: String| move || CopyFault::Missing { path };
    let odd = |path: &str| CopyFault::Source(format!("{path} is not what a log has there"));
    let listed = source.get(client, RULEBOOKS.to_owned()).await?;
    let listed = listed.ok_or_else(missing(RULEBOOKS.to_owned()))?;
    let mut fetched = 0;
    for hash in rulebooks::decode_hashes(&listed).ok_or_else(|| odd(RULEBOOKS))? {
        if rulebooks::directory_of(directory, &hash).is_some_and(|found| found.exists()) {
            continue;
        }
        let path = format!("{RULEBOOKS}/{hash}");
        let bytes = source.get(client, path.clone()).await?.ok_or_else(missing(path.clone()))?;
        rulebooks::store(directory, &hash, &rulebooks::decode(&bytes).ok_or_else(|| odd(&path))?)?;
        fetched += 1;
    }
    Ok(fetched)
}

/// The files of a tile and of its entries.
pub(crate) fn files(place: Place, width: u64) -> (String, Option<String>) {
    (of_hashes(place, width), (place.level == 0).then(|| of_entries(place.index, width)))
}
