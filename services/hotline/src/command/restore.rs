//! `hotline restore`: a backup into an empty database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_postgres::backups::{self, Target};
use hotline_postgres::{run_snapshot_tx, run_tx, schema, tallies};
use hotline_runtime::config::{Config, DataConfig, KafkaConfig};
use hotline_runtime::dump;

use super::backup::{self, DATABASE, Manifest, SUMS};
use super::operator::Operator;
use crate::global::Global;
use crate::progress;
use crate::store::Store;

/// Fills an empty database with a backup, all of it or nothing, brings its schema up to this program and checks its
/// sums. An embedded database is made where `[data] dir` has none. The master key must be there before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline restore /backup/hotline-2026-11-25 --why \"the disk failed\"\n\n\
                  Events that were acknowledged after the backup are not in it. Over Kafka they are read again by \
                  themselves from the positions of the backup, as long as the topic holds them; over HTTP the hotlines \
                  send again what they sent since. What comes twice changes nothing."
)]
pub struct Args {
    /// As `hotline backup` made it.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    operator: Operator,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let dir = args.dir.canonicalize().with_context(|| format!("there is no {}", args.dir.display()))?;
    let manifest = Manifest::read(&dir)?;
    check_files(&dir)?;
    check_schema(&manifest)?;
    // Opening an embedded database would make a new key, which cannot be the right one.
    let master_key = config.section::<DataConfig>().master_key_path();
    if manifest.key_check.is_some() && !master_key.exists() {
        bail!(
            "put the master key of the installation at {} first: the backup is sealed with it",
            master_key.display()
        );
    }
    let store = Store::open_for_copying(&config).await?;
    let restored = backup::unless_stopped(restore(&store, &dir, &manifest, args, &master_key)).await;
    store.close().await?;
    let is_sound = restored?;
    tell(&manifest, &config);
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Whether the tallies of what was restored are the sums of its cases.
async fn restore(
    store: &Store,
    dir: &Path,
    manifest: &Manifest,
    args: &Args,
    master_key: &Path,
) -> anyhow::Result<bool> {
    if manifest.key_check.as_ref().is_some_and(|check| *check != backups::key_check(&store.master)) {
        bail!("{} is not the master key of this backup: put the right one there", master_key.display());
    }
    match backups::target(&store.pool).await? {
        Target::Empty => fill(store, dir, manifest).await?,
        Target::Unfinished => go_on(store, manifest).await?,
        Target::Filling => {
            bail!("another restore fills this database just now: wait for its end, or end its pg_restore")
        }
        Target::Occupied => bail!(
            "the database is not empty, and a restore would mix two truths: name an empty one in [postgres], or another \
             [data] dir"
        ),
    }
    let mut last = (args.operator.by(), manifest.schema.as_slice());
    let name = "backups::begin_anew";
    run_tx(&store.pool, name, &mut last, |tx, (by, versions)| {
        Box::pin(backups::begin_anew(tx, by, versions))
    })
    .await?;
    schema::migrate(&store.pool).await?;
    backups::analyze(&store.pool).await?;
    let name = "tallies::check";
    let off = run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(tallies::check(tx))).await?;
    for difference in &off {
        eprintln!("{difference:?}");
    }
    if !off.is_empty() {
        eprintln!("{} tallies differ from the scores of the cases: hotline tallies repair", off.len());
    }
    Ok(off.is_empty())
}

async fn fill(store: &Store, dir: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let server_major = backups::server_major(&store.pool).await?;
    let whole = u64::try_from(manifest.bytes).ok().filter(|bytes| *bytes > 0);
    let bar = progress::bytes(whole, "restoring");
    let database = dir.join(DATABASE);
    let restoring = dump::restore(store.database().connection(), server_major, &database);
    let so_far = || async {
        backups::bytes(&store.pool).await.ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)
    };
    let restored = backup::watched(restoring, &bar, so_far).await;
    bar.finish_and_clear();
    restored.context("nothing was restored")
}

/// Takes up a restore that was interrupted after it had filled the database.
async fn go_on(store: &Store, manifest: &Manifest) -> anyhow::Result<()> {
    if !backups::is_of(&store.pool, manifest.installation.as_deref(), manifest.cases).await? {
        bail!(
            "a restore of another backup was begun in this database and not finished: empty it, or go on with that backup"
        );
    }
    eprintln!("the database was filled by a restore that was interrupted: going on");
    Ok(())
}

/// Every file is as it was written.
fn check_files(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(SUMS);
    let said = fs::read_to_string(&path).with_context(|| {
        format!("{} is not whole: it has no {SUMS}, which is written last", dir.display())
    })?;
    if said.lines().count() == 0 {
        bail!("{} is empty: the backup is not whole", path.display());
    }
    let found = backup::sums(dir)?;
    if let Some(line) = said.lines().find(|line| !found.lines().any(|other| other == *line)) {
        let name = line.split_whitespace().nth(1).unwrap_or(SUMS);
        bail!(
            "{} has changed since the backup was made, or is gone: nothing was restored",
            dir.join(name).display()
        );
    }
    if let Some(line) = found.lines().find(|line| !said.lines().any(|other| other == *line)) {
        let name = line.split_whitespace().nth(1).unwrap_or_default();
        bail!("{} does not belong to the backup: nothing was restored", dir.join(name).display());
    }
    Ok(())
}

/// A newer program's schema cannot be served; an older one's is brought up to date afterwards.
fn check_schema(manifest: &Manifest) -> anyhow::Result<()> {
    let unknown: Vec<i64> =
        manifest.schema.iter().copied().filter(|version| !schema::knows(*version)).collect();
    if !unknown.is_empty() {
        bail!(
            "the backup was made by hotline {}, whose migrations {unknown:?} this program does not know: use that program",
            manifest.program
        );
    }
    Ok(())
}

fn tell(manifest: &Manifest, config: &Config) {
    println!("{} cases as of {}, made by hotline {}", manifest.cases, manifest.made_at, manifest.program);
    for position in &manifest.positions {
        let last = position
            .last_received_at
            .as_ref()
            .map(|at| format!(", the last received {at}"))
            .unwrap_or_default();
        println!("{} is read on from {}{last}", position.origin, position.next_offset);
    }
    if config.optional::<KafkaConfig>().is_some() {
        println!("`hotline doctor` says whether the topic still holds what has come since");
    } else {
        println!(
            "let the hotlines send again what they have sent since {}: what comes twice changes nothing",
            manifest.made_at
        );
    }
}
