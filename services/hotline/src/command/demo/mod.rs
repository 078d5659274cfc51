//! `hotline demo`: a made-up year through the real roles, then its figures beside those of a report.

mod table;
mod topic;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use hotline_core::rate::Row;
use hotline_core::rulebook::{Rulebook, load};
use hotline_demo::{SEED, Year, report, rulebook_files};
use hotline_postgres::Rules;
use hotline_rates::bulletin;
use hotline_runtime::config::{Config, DataConfig, KafkaConfig, PostgresConfig};
use hotline_runtime::{Place, clock};
use tokio::runtime::Handle;

use super::send::{Batch, Counts, Sender};
use crate::broker;
use crate::files;
use crate::global::{Global, Lang, sections};
use crate::progress;
use crate::roles::{Addresses, Role, run_around};
use crate::store::Store;

/// Requests in flight: casework takes what has come in meanwhile into one transaction.
const SENDERS: usize = 8;
/// Sections of the configuration that the demonstration heeds; for the rest it is always the same.
const HEEDED: [&str; 5] = ["embedded.", "gateway.listen", "audit.listen", "ops.listen", "log."];
/// Roles of this process where casework has its own.
const BESIDE_CASEWORK: &[Role] = &[Role::Gateway, Role::Rates];

/// Sends a year of a made-up city through the real roles and prints its figures beside those of a report.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline demo\n\n\
                  It keeps a database of its own and may be run again: everything is then a duplicate, and the same \
                  table comes out. It exits with 1 if a figure is not that of the report.\n\n\
                  The same figures without a database:\n  hotline demo --rulebook rulebook\n  \
                  hotline demo --events - | hotline replay --rulebook rulebook --as-of 2024-04-01T00:00:00+08:00 \\\n    \
                  --rate satisfaction.answered --by department,hotline,case_type --period 2023-01-01..2024-01-01 -")]
pub struct Args {
    /// Stop after the table.
    #[arg(long)]
    exit: bool,
    /// Where the database is kept; by default `demo` in the configured [data] dir.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Send through the broker of [kafka], with two processes of casework: the same table comes out.
    #[arg(long)]
    kafka: bool,
    /// Another seed gives another year with the same figures.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// Write the events here and stop; `-` is standard output.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["exit", "data", "kafka"])]
    events: Option<PathBuf>,
    /// Write the rulebook into this new directory and stop.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["exit", "data", "kafka"])]
    rulebook: Option<PathBuf>,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let files = rulebook_files();
    let loaded = load(&files)
        .map_err(|faults| anyhow::anyhow!("the rulebook has faults:\n{}", files::listed(&faults)))?;
    if args.events.is_some() || args.rulebook.is_some() {
        if let Some(dir) = &args.rulebook {
            write_rulebook(&files, dir)?;
        }
        if let Some(file) = &args.events {
            write_events(&loaded.rulebook, args.seed, file)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (config, dir) = configuration(global, args)?;
    let lang = global.lang();
    let rulebook = Arc::new(loaded.rulebook);
    let broker = config
        .optional::<KafkaConfig>()
        .map(|kafka| Ok::<_, anyhow::Error>((broker::cluster(&kafka)?, kafka)));
    let broker = broker.transpose()?;
    let work = async |store: &Store, addresses: Addresses| -> anyhow::Result<bool> {
        let gateway = addresses.gateway.context("the gateway is one of the roles")?;
        let year = (Arc::clone(&rulebook), args.seed, format!("http://{gateway}"), Handle::current());
        let mut casework = match &broker {
            Some((cluster, kafka)) => {
                topic::prepare(cluster, kafka).await?;
                Some((topic::Casework::start(&config, kafka, store)?, cluster, kafka))
            }
            None => None,
        };
        let sent = tokio::task::spawn_blocking(move || send_year(&year.0, year.1, &year.2, &year.3)).await;
        let mut counts = sent.context("sending was cut off")??;
        if let Some((casework, cluster, kafka)) = &mut casework {
            let duplicate = casework.finish(store, cluster, kafka).await?;
            counts = Counts { applied: counts.accepted.saturating_sub(duplicate), duplicate, ..counts };
        }
        let rows = rows(store, &rulebook).await?;
        let holds = table::print(&rows, &rulebook, counts, lang)?;
        if !args.exit {
            table::print_addresses(addresses, &dir, lang)?;
            std::future::pending::<()>().await;
        }
        Ok(holds)
    };
    let roles = if args.kafka { BESIDE_CASEWORK } else { Role::ALL };
    let (code, done) = run_around(&config, roles, Some(&files), work)
        .with_context(|| format!("the demonstration with its database in {}", dir.display()))?;
    match done {
        Some(Ok(true)) | None => Ok(code),
        Some(Ok(false)) => bail!("a figure is not that of the report"),
        Some(Err(error)) => Err(error),
    }
}

/// A configuration that is the same everywhere, and the directory of its database: free ports and few words in the
/// log, unless something else is configured.
fn configuration(global: &Global, args: &Args) -> anyhow::Result<(Config, PathBuf)> {
    let theirs = global.load()?;
    if theirs.optional::<PostgresConfig>().is_some() {
        bail!("the demonstration runs a private database: start it without [postgres] (--config /dev/null)");
    }
    let dir = args.data.clone().unwrap_or_else(|| theirs.section::<DataConfig>().dir.join("demo"));
    let mut ours: BTreeMap<String, String> = [
        ("gateway.listen", "127.0.0.1:0"),
        ("audit.listen", "127.0.0.1:0"),
        ("ops.listen", "127.0.0.1:0"),
        ("log.filter", "warn,hotline_gateway=error,sqlx=error"),
        ("log.format", "text"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let heeded = |key: &str| HEEDED.iter().any(|heeded| key.starts_with(heeded));
    for value in theirs.effective() {
        if value.place != Place::Default && heeded(&value.key) {
            ours.insert(value.key.clone(), value.value.to_string());
        }
    }
    if args.kafka {
        if theirs.optional::<KafkaConfig>().is_none() {
            bail!(
                "--kafka needs a broker: set [kafka] brokers or HOTLINE__KAFKA__BROKERS; deploy/local/kafka.sh starts one"
            );
        }
        let kafka = theirs.effective().iter().filter(|value| value.key.starts_with("kafka."));
        ours.extend(
            kafka
                .filter(|value| value.place != Place::Default)
                .map(|value| (value.key.clone(), value.value.to_string())),
        );
        if let Some(password) = theirs.section::<KafkaConfig>().password {
            ours.insert("kafka.password".to_owned(), topic::quoted(password.expose()));
        }
    }
    ours.insert("data.dir".to_owned(), dir.to_string_lossy().into_owned());
    let variable = |key: &str| format!("HOTLINE__{}", key.replace('.', "__").to_uppercase());
    let variables = ours.into_iter().map(|(key, value)| (variable(&key), value));
    Ok((Config::load(None, variables, &sections())?, dir))
}

fn write_events(rulebook: &Rulebook, seed: u64, file: &Path) -> anyhow::Result<()> {
    let out: Box<dyn Write> = if file == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?)
    };
    let mut out = BufWriter::with_capacity(1 << 20, out);
    for line in Year::new(rulebook, seed) {
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

fn write_rulebook(files: &BTreeMap<String, Vec<u8>>, dir: &Path) -> anyhow::Result<()> {
    fs::create_dir(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    for (path, bytes) in files {
        let path = dir.join(path);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the directory {}", folder.display()))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Sends the year as `hotline send` does, with some requests in flight; the order of arrival does not matter.
fn send_year(rulebook: &Rulebook, seed: u64, to: &str, runtime: &Handle) -> anyhow::Result<Counts> {
    let bar = progress::count(Year::lines(rulebook, seed), "a year of events");
    let (batches, waiting) = sync_channel(2 * SENDERS);
    let waiting = Arc::new(Mutex::new(waiting));
    let counts = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let sender = Sender::new(to, None, runtime.clone());
                let (waiting, bar) = (Arc::clone(&waiting), bar.clone());
                scope.spawn(move || send_batches(sender?, &waiting, &bar))
            })
            .collect();
        // What is left of the channel when all senders gave up is told by their errors.
        drop(waiting);
        let mut batch = Batch::of(Path::new("year"));
        for (number, line) in (1..).zip(Year::new(rulebook, seed)) {
            if batch.is_full(line.len()) && batches.send(batch.take()).is_err() {
                break;
            }
            batch.push(number, line.as_bytes());
        }
        let rest = batches.send(batch);
        drop(batches);
        let mut sum = Counts::default();
        for sender in senders {
            let counts = sender.join().map_err(|_| anyhow::anyhow!("a sender failed"))??;
            sum.applied += counts.applied;
            sum.duplicate += counts.duplicate;
            sum.accepted += counts.accepted;
            sum.refused += counts.refused;
        }
        rest.map_err(|_| anyhow::anyhow!("nobody sent the rest"))?;
        anyhow::Ok(sum)
    })?;
    bar.finish_and_clear();
    if counts.refused > 0 {
        bail!("{} events were refused", counts.refused);
    }
    Ok(counts)
}

fn send_batches(
    mut sender: Sender,
    waiting: &Mutex<Receiver<Batch>>,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Counts> {
    loop {
        let batch = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return Ok(sender.counts()) };
        sender.send(&batch)?;
        bar.inc(batch.count());
    }
}

/// The rows of the figures from the database, once with and once without case types.
async fn rows(store: &Store, rulebook: &Rulebook) -> anyhow::Result<Vec<Row>> {
    let rules = Rules::new(store.pool.clone());
    let mut rows = Vec::new();
    for by_case_type in [false, true] {
        let query =
            report::query(rulebook, by_case_type).context("the rulebook lacks a rate of the report")?;
        let ask = hotline_rates::Ask {
            ids: query.rates.iter().map(|rate| rate.id.to_string()).collect(),
            by: query.by,
            from: query.from,
            to: query.to,
        };
        rows.extend(bulletin(&store.pool, &rules, ask, clock::now()).await?.answer.rows);
    }
    Ok(rows)
}

/// One of two texts.
const fn said(lang: Lang, zh: &'static str, en: &'static str) -> &'static str {
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}
