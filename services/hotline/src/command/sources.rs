//! `hotline sources`: who sends events, and who is stopped.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use hotline_postgres::sources::{self, Stop, Stopped};
use hotline_postgres::{Rules, dead_letters, run_snapshot_tx, run_tx};
use serde_json::{Value, json};

use super::operator::Operator;
use super::rates::Format;
use crate::global::Global;
use crate::{store, table};

/// Shows the sources of the rulebook, and stops or resumes one. Events of a stopped source are acknowledged and kept as
/// dead letters, with their receipts; nothing is lost, and nobody else waits.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline sources list\n  \
                  hotline sources pause /hotline/12345/411200 --why \"sends yesterday's sheet again\"\n  \
                  hotline sources resume /hotline/12345/411200 --why \"mended by the vendor\"\n  \
                  hotline dead-letters redrive --source /hotline/12345/411200 --reason source_stopped --why \"mended\"")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists them: running, diverted by casework because too much was refused, or paused by somebody.
    List {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Keeps the events of a source as dead letters from now on.
    Pause {
        source: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Takes a source up again. What was kept of it is sent again by `hotline dead-letters redrive`.
    Resume {
        source: String,
        #[command(flatten)]
        operator: Operator,
    },
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match &args.what {
        What::List { format } => list(store, *format).await,
        What::Pause { source, operator } => pause(store, source, operator).await,
        What::Resume { source, operator } => resume(store, source, operator).await,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

struct Row {
    source: String,
    name: String,
    stopped: Option<Stopped>,
    letters: i64,
}

async fn list(store: &store::Store, format: Format) -> anyhow::Result<()> {
    let rules = Rules::new(store.pool.clone()).current().await?;
    let (stopped, groups) = run_snapshot_tx(&store.pool, "sources::list", &mut (), |tx, ()| {
        Box::pin(async move { Ok((sources::list(tx).await?, dead_letters::groups(tx).await?)) })
    })
    .await?;
    let mut stopped: BTreeMap<_, _> = stopped.into_iter().map(|one| (one.source.clone(), one)).collect();
    let mut rows = Vec::new();
    for source in rules.rulebook.sources.values() {
        let of_it = groups.iter().filter(|group| group.source.as_deref() == Some(source.id.as_str()));
        rows.push(Row {
            source: source.id.to_string(),
            name: source.name.clone(),
            stopped: stopped.remove(&source.id),
            letters: of_it.map(|group| group.letters).sum(),
        });
    }
    // A source may be stopped that the rulebook lists no longer.
    rows.extend(stopped.into_values().map(|one| Row {
        source: one.source.to_string(),
        name: "(not in the rulebook)".to_owned(),
        stopped: Some(one),
        letters: 0,
    }));
    match format {
        Format::Json => {
            println!("{}", serde_json::to_string_pretty(&rows.iter().map(Row::shown).collect::<Value>())?);
        }
        Format::Csv => table::print_csv(HEADING, rows.iter().map(Row::cells))?,
        Format::Table => table::print(HEADING, rows.iter().map(Row::cells))?,
    }
    Ok(())
}

const HEADING: [&str; 6] = ["source", "name", "state", "open_dead_letters", "since", "why"];

impl Row {
    fn state(&self) -> &'static str {
        self.stopped.as_ref().map_or("running", |stopped| stopped.stop.name())
    }

    fn cells(&self) -> [String; 6] {
        let since = self.stopped.as_ref().map_or(String::new(), |stopped| stopped.since.to_string());
        let why = self
            .stopped
            .as_ref()
            .map_or(String::new(), |stopped| format!("{}: {}", stopped.operator, stopped.why));
        [
            self.source.clone(),
            self.name.clone(),
            self.state().to_owned(),
            self.letters.to_string(),
            since,
            why,
        ]
    }

    fn shown(&self) -> Value {
        json!({
            "source": self.source,
            "name": self.name,
            "state": self.state(),
            "open_dead_letters": self.letters,
            "since": self.stopped.as_ref().map(|stopped| stopped.since.to_string()),
            "operator": self.stopped.as_ref().map(|stopped| stopped.operator.as_str()),
            "why": self.stopped.as_ref().map(|stopped| stopped.why.as_str()),
        })
    }
}

async fn pause(store: &store::Store, source: &str, operator: &Operator) -> anyhow::Result<()> {
    let rules = Rules::new(store.pool.clone()).current().await?;
    if !rules.rulebook.sources.contains_key(source) {
        bail!("the rulebook has no source {source}; see: hotline sources list");
    }
    let mut asked = (source, operator.by());
    let is_new = run_tx(&store.pool, "sources::pause", &mut asked, |tx, (source, by)| {
        Box::pin(sources::stop(tx, source, Stop::Paused, by))
    })
    .await?;
    println!("{source} {}", if is_new { "is paused" } else { "was stopped already" });
    Ok(())
}

async fn resume(store: &store::Store, source: &str, operator: &Operator) -> anyhow::Result<()> {
    let mut asked = (source, operator.by());
    let was_stopped = run_tx(&store.pool, "sources::resume", &mut asked, |tx, (source, by)| {
        Box::pin(sources::resume(tx, source, by))
    })
    .await?;
    if !was_stopped {
        bail!("{source} is not stopped; see: hotline sources list");
    }
    println!("{source} is taken up again");
    println!(
        "what was kept of it: hotline dead-letters redrive --source {source} --reason source_stopped --why TEXT"
    );
    Ok(())
}
