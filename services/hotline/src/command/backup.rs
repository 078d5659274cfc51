//! `hotline backup`: a copy of the whole database in a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{self, SHA256};
use hotline_postgres::backups::{self, Content};
use hotline_postgres::seal::hex;
use hotline_postgres::{PgConnection, installation, run_snapshot_tx};
use hotline_runtime::config::DataConfig;
use hotline_runtime::database::Connection;
use hotline_runtime::dump;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::global::Global;
use crate::progress;
use crate::store::Store;

/// Copies the whole database, as it is at one instant, into a new directory, while the roles go on. The master key is not
/// in it: without the key nobody can read the persons in a backup, nor can you; keep it elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline backup /backup/hotline-$(date +%F)\n\n\
                  `hotline restore` takes it back, and checks that no byte of it has changed.")]
pub struct Args {
    /// Is made; if it is there, it must be empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Tables that are copied at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
}

/// What `pg_dump` writes.
pub(super) const DATABASE: &str = "database";
/// What the backup says of itself.
pub(super) const MANIFEST: &str = "backup.json";
/// The SHA-256 of every other file, as `sha256sum --check` reads them.
pub(super) const SUMS: &str = "SHA256SUMS";
const FORMAT: u32 = 1;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a backup says of itself, so that `hotline restore` can refuse before it begins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// RFC 3339.
    pub(super) made_at: String,
    /// The version of the program that made it.
    pub(super) program: String,
    /// The migrations of its schema.
    pub(super) schema: Vec<i64>,
    pub(super) installation: Option<String>,
    /// Derived from the master key, which is not in the backup.
    pub(super) key_check: Option<String>,
    pub(super) bytes: i64,
    pub(super) cases: i64,
    pub(super) positions: Vec<ReadTo>,
}

/// How far an origin had been read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReadTo {
    pub(super) origin: String,
    pub(super) next_offset: i64,
    pub(super) cluster_id: Option<String>,
    /// RFC 3339.
    pub(super) last_received_at: Option<String>,
}

impl Manifest {
    fn of(content: &Content) -> Self {
        let positions = content.positions.iter().map(|position| ReadTo {
            origin: position.claim.origin.clone(),
            next_offset: position.claim.next_offset,
            cluster_id: position.cluster_id.clone(),
            last_received_at: position.last.map(|last| last.received_at.to_string()),
        });
        Self {
            format: FORMAT,
            made_at: content.made_at.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: content.schema.clone(),
            installation: content.installation.as_ref().map(|named| named.id.clone()),
            key_check: content.installation.as_ref().map(|named| named.key_check.clone()),
            bytes: content.bytes,
            cases: content.cases,
            positions: positions.collect(),
        }
    }

    /// What a directory says of itself, if it is a backup that this program understands and is whole.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(MANIFEST);
        let text = fs::read(&path)
            .with_context(|| format!("{} is not a backup: it has no {MANIFEST}", dir.display()))?;
        let format = serde_json::from_slice::<serde_json::Value>(&text)
            .ok()
            .and_then(|value| value["format"].as_u64());
        match format {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => bail!("the backup has format {format}; this program reads format {FORMAT}"),
            None => bail!("{} is damaged", path.display()),
        }
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    Store::must_exist(&config)?;
    prepare(&args.dir)?;
    let store = Store::open_for_copying(&config).await?.checked().await?;
    let copied = unless_stopped(copy(&store, args)).await;
    store.close().await?;
    let manifest = copied.inspect_err(|_| eprintln!("{} is not whole: remove it", args.dir.display()))?;
    let master_key = config.section::<DataConfig>().master_key_path();
    println!("{}: {} cases as of {}", args.dir.display(), manifest.cases, manifest.made_at);
    println!(
        "the master key {} is NOT in it: without it no person in the backup can be read; keep it elsewhere, and the \
         configuration too",
        master_key.display()
    );
    Ok(ExitCode::SUCCESS)
}

async fn copy(store: &Store, args: &Args) -> anyhow::Result<Manifest> {
    installation::check(&store.pool, &store.master).await?;
    let connection = store.database().connection().clone();
    let mut work = Work { connection, args, manifest: None };
    run_snapshot_tx(&store.pool, "backup", &mut work, |tx, work| Box::pin(work.copy(tx))).await??;
    work.manifest.context("the copy was made and not described")
}

/// Does some work unless somebody stops it; what it was doing ends with it, PostgreSQL's programs too.
pub(super) async fn unless_stopped<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => bail!("stopped"),
        _ = terminate.recv() => bail!("stopped"),
    }
}

/// Makes the directory, which nobody else may enter: what is in it is as confidential as the database.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    if !dir.is_dir() {
        let made = fs::DirBuilder::new().mode(0o700).create(dir);
        made.with_context(|| {
            format!("cannot make {}; is the disk there that it is to lie on?", dir.display())
        })?;
    }
    let mut entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    if entries.next().is_some() {
        bail!("{} is not empty: a backup wants a directory of its own", dir.display());
    }
    let closed = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    closed.with_context(|| format!("cannot keep others out of {}", dir.display()))
}

struct Work<'w> {
    connection: Connection,
    args: &'w Args,
    manifest: Option<Manifest>,
}

impl Work<'_> {
    /// Copies what this transaction sees. Everything is on the disk when it returns.
    async fn copy(&mut self, tx: &mut PgConnection) -> Result<anyhow::Result<()>, hotline_postgres::Error> {
        let content = backups::describe(tx).await?;
        Ok(self.write(&content).await)
    }

    async fn write(&mut self, content: &Content) -> anyhow::Result<()> {
        let dir = self.args.dir.canonicalize()?;
        let database = dir.join(DATABASE);
        let jobs = usize::from(self.args.jobs);
        let copying = dump::dump(&self.connection, content.server_major, &content.snapshot, jobs, &database);
        let bar = progress::written("copying");
        let copied = watched(copying, &bar, || std::future::ready(size_of(&database))).await;
        bar.finish_and_clear();
        copied?;
        let manifest = Manifest::of(content);
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        write_through(&dir.join(MANIFEST), &text)?;
        let sums = sums(&dir)?;
        write_through(&dir.join(SUMS), sums.as_bytes())?;
        File::open(&database)?.sync_all()?;
        File::open(&dir)?.sync_all()?;
        self.manifest = Some(manifest);
        Ok(())
    }
}

/// Waits for a copy and shows how many bytes of it there are.
pub(super) async fn watched<T, B: Future<Output = u64>>(
    copying: impl Future<Output = T>,
    bar: &ProgressBar,
    bytes: impl Fn() -> B,
) -> T {
    tokio::pin!(copying);
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            done = &mut copying => return done,
            _ = look.tick() => bar.set_position(bytes().await),
        }
    }
}

/// Bytes of the files of a directory.
fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// The lines of SHA256SUMS for a directory, sorted by path; what it lists is on the disk then.
pub(super) fn sums(dir: &Path) -> anyhow::Result<String> {
    let mut paths = vec![PathBuf::from(MANIFEST)];
    let database = dir.join(DATABASE);
    for entry in fs::read_dir(&database).with_context(|| format!("{} is missing", database.display()))? {
        paths.push(Path::new(DATABASE).join(entry?.file_name()));
    }
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let sum =
            sum_of(&dir.join(&path)).with_context(|| format!("cannot read {}", dir.join(&path).display()))?;
        lines.push(format!("{sum}  {}\n", path.display()));
    }
    Ok(lines.concat())
}

fn sum_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
    }
    file.sync_all()?;
    Ok(hex(context.finish().as_ref()))
}

fn write_through(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}
