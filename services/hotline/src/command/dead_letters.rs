//! `hotline dead-letters`: input that was refused, and its way back.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_events::Tagger;
use hotline_events::intake::{Outcome, Reason};
use hotline_postgres::dead_letters::{self, Filter, State, Taken};
use hotline_postgres::interventions::By;
use hotline_postgres::{CaseWriter, Error, run_tx};
use hotline_runtime::clock;
use serde_json::{Value, json};

use super::operator::{self, Operator};
use super::rates::Format;
use crate::global::Global;
use crate::store::Store;
use crate::{progress, store, table};

/// Letters read, or tried again, at once.
const PAGE: i64 = 1_000;
/// Some letters were refused again.
const EXIT_REFUSED: u8 = 2;

/// Shows input that was refused and kept, and sends it again. What a sender over HTTP gets back as invalid is not kept.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline dead-letters groups\n  hotline dead-letters list --reason id_conflict\n  \
                  hotline dead-letters redrive --reason unknown_source --why \"the rulebook lists it now\"\n  \
                  hotline dead-letters show 17 --bytes --why \"asked for by the vendor\" > 17.json\n  \
                  hotline dead-letters fix 17 --file 17.json --why \"month and day were swapped\""
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Counts open letters by reason and source, the most first.
    Groups {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Lists letters as NDJSON, oldest first.
    List {
        #[command(flatten)]
        of: Of,
        /// Only those of which this was done: open, redriven, fixed, discarded, erased.
        #[arg(long, value_parser = state)]
        state: Option<State>,
        /// Only those after this id.
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: i64,
    },
    /// Shows one letter and what was done about it.
    Show {
        id: i64,
        #[command(flatten)]
        open: Open,
    },
    /// Sends a letter with other bytes: a mended event, with the receipt of the first.
    Fix {
        id: i64,
        /// The event, as it should have been.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The event may be of another case or source than the letter.
        #[arg(long)]
        other_case: bool,
        #[command(flatten)]
        step: StepOptions,
    },
    /// Sends letters again as they came: after a rulebook was changed, a source resumed, a bug mended. They keep their
    /// first receipt; what is known already is a duplicate, what is refused again stays open.
    Redrive {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        step: StepOptions,
    },
    /// Gives letters up. They stay listed, with who did it and why.
    Discard {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        step: StepOptions,
    },
}

#[derive(Debug, clap::Args)]
struct Of {
    /// Only those of this reason, such as `invalid` or `id_conflict`.
    #[arg(long, value_parser = reason)]
    reason: Option<Reason>,
    /// Only those of this source.
    #[arg(long)]
    source: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Open {
    /// Its bytes as they came, instead: they may concern a person. Who looked, and why, is kept.
    #[arg(long, requires = "why")]
    bytes: bool,
    /// Why the bytes are needed.
    #[arg(long, value_name = "TEXT", requires = "bytes", value_parser = operator::said)]
    why: Option<String>,
    /// Who looks; by default the user of this session.
    #[arg(long, value_name = "NAME", env = "USER", default_value_t = operator::user(), value_parser = operator::said)]
    operator: String,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// These letters; or all open ones of a reason, of a source, or of both.
    #[arg(required_unless_present_any = ["reason", "source"], conflicts_with_all = ["reason", "source"])]
    ids: Vec<i64>,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, clap::Args)]
struct StepOptions {
    /// Says what would happen and does nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    operator: Operator,
}

fn reason(code: &str) -> Result<Reason, String> {
    Reason::parse(code).ok_or_else(|| {
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("no such reason; there are {}", known.join(", "))
    })
}

fn state(name: &str) -> Result<State, String> {
    State::parse(name)
        .ok_or_else(|| format!("no such state; there are {}", State::ALL.map(State::name).join(", ")))
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match &args.what {
        What::Groups { format } => groups(store, *format).await.map(|()| ExitCode::SUCCESS),
        What::List { of, state, after, limit } => {
            let filter = Filter { state: *state, ..of.filter() };
            list(store, filter, *after, *limit).await.map(|()| ExitCode::SUCCESS)
        }
        What::Show { id, open } => show(store, *id, open).await.map(|()| ExitCode::SUCCESS),
        What::Fix { id, file, other_case, step } => fix(store, *id, file, *other_case, step).await,
        What::Redrive { which, step } => redrive(store, which, step).await,
        What::Discard { which, step } => discard(store, which, step).await.map(|()| ExitCode::SUCCESS),
    })
    .await
}

impl Of {
    fn filter(&self) -> Filter {
        Filter { reason: self.reason, source: self.source.clone(), ..Filter::default() }
    }
}

impl Which {
    /// The letters meant; with `redrives_below` those that were refused too often are left out and told.
    async fn ids(&self, store: &Store, redrives_below: Option<i32>) -> anyhow::Result<Vec<i64>> {
        if !self.ids.is_empty() {
            // Named twice it is one letter all the same.
            return Ok(self.ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect());
        }
        let open = Filter { state: Some(State::Open), ..self.of.filter() };
        let mut filters = (open.clone(), Filter { redrives_below, ..open });
        let name = "dead_letters::ids";
        let (all, ids) = run_tx(&store.pool, name, &mut filters, |tx, (all, some)| {
            Box::pin(
                async move { Ok((dead_letters::ids(tx, all).await?, dead_letters::ids(tx, some).await?)) },
            )
        })
        .await?;
        let left = all.len() - ids.len();
        if left > 0 {
            let max = dead_letters::REDRIVES_MAX;
            eprintln!("{left} letters were refused {max} times when they were sent again: name them by id");
        }
        Ok(ids)
    }
}

async fn groups(store: &Store, format: Format) -> anyhow::Result<()> {
    const HEADING: [&str; 5] = ["reason", "source", "letters", "first_received_at", "last_received_at"];
    let name = "dead_letters::groups";
    let groups = run_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(dead_letters::groups(tx))).await?;
    let cells = |group: &dead_letters::Group| {
        [
            group.reason.clone(),
            group.source.clone().unwrap_or_else(|| "-".to_owned()),
            group.letters.to_string(),
            group.first_received_at.to_string(),
            group.last_received_at.to_string(),
        ]
    };
    match format {
        Format::Table => table::print(HEADING, groups.iter().map(cells))?,
        Format::Csv => table::print_csv(HEADING, groups.iter().map(cells))?,
        Format::Json => {
            println!(
                "{}",
                serde_json::to_string_pretty(
                    &groups.iter().map(dead_letters::Group::shown).collect::<Value>()
                )?
            );
        }
    }
    Ok(())
}

async fn list(store: &Store, filter: Filter, mut after: i64, limit: i64) -> anyhow::Result<()> {
    let mut left = limit;
    let mut out = std::io::stdout().lock();
    while left > 0 {
        let mut page = (filter.clone(), after, left.min(PAGE));
        let letters = run_tx(&store.pool, "dead_letters::list", &mut page, |tx, (filter, after, limit)| {
            Box::pin(dead_letters::list(tx, filter, *after, *limit))
        })
        .await?;
        let Some(last) = letters.last() else { break };
        after = last.id;
        left -= i64::try_from(letters.len()).context("a page is bounded")?;
        for letter in &letters {
            writeln!(out, "{}", letter.shown()).context("cannot write the letters")?;
        }
    }
    Ok(())
}

async fn show(store: &Store, id: i64, open: &Open) -> anyhow::Result<()> {
    let by = open.why.as_deref().map(|why| By { operator: &open.operator, why, at: clock::now() });
    let mut asked = (&store.master, id, by);
    let found = run_tx(&store.pool, "dead_letters::show", &mut asked, |tx, (master, id, by)| {
        Box::pin(async move {
            let found = dead_letters::show(tx, master, *id).await?;
            if let (Some(_), Some(by)) = (&found, by) {
                dead_letters::note_opened(tx, *id, by).await?;
            }
            Ok((found, dead_letters::steps(tx, *id).await?))
        })
    })
    .await?;
    let (Some((letter, raw)), steps) = found else {
        bail!("there is no dead letter {id}; see: hotline dead-letters list")
    };
    let mut out = std::io::stdout().lock();
    if open.bytes {
        out.write_all(raw.expose()).context("cannot write the letter")?;
    } else {
        let mut shown = letter.shown();
        shown["steps"] = steps.iter().map(Taken::shown).collect();
        writeln!(out, "{shown:#}").context("cannot write the letter")?;
    }
    Ok(())
}

/// What it takes to send letters again.
fn writer(store: &Store) -> (CaseWriter, Tagger) {
    let tagger = Tagger::keyed(&store.master.tag_key());
    (CaseWriter::new(store.pool.clone(), store.master.clone()), tagger)
}

async fn fix(
    store: &Store,
    id: i64,
    file: &Path,
    other_case: bool,
    step: &StepOptions,
) -> anyhow::Result<ExitCode> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (writer, tagger) = writer(store);
    let by = (!step.dry_run).then(|| step.operator.by());
    let outcome = match writer.fix_letter(&tagger, id, bytes, other_case, by).await {
        Err(error @ Error::LetterOfAnother { .. }) => {
            return Err(error).context("nothing was sent; say --other-case if that is meant");
        }
        outcome => outcome?,
    };
    tell(&[id], &[outcome], step.dry_run)
}

async fn redrive(store: &Store, which: &Which, step: &StepOptions) -> anyhow::Result<ExitCode> {
    let ids = which.ids(store, Some(dead_letters::REDRIVES_MAX)).await?;
    let (writer, tagger) = writer(store);
    let by = (!step.dry_run).then(|| step.operator.by());
    let bar = progress::count(ids.len() as u64, "sending again");
    let mut outcomes = Vec::with_capacity(ids.len());
    for part in ids.chunks(100) {
        outcomes.extend(writer.redrive_letters(&tagger, part, by).await?);
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    tell(&ids, &outcomes, step.dry_run)
}

/// One line a letter that was refused, then a sum.
fn tell(ids: &[i64], outcomes: &[Outcome], is_dry_run: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let mut refused = 0;
    for (id, outcome) in ids.iter().zip(outcomes) {
        if let Outcome::Dead { reason, faults } = outcome {
            refused += 1;
            let faults = dead_letters::faults_shown(faults);
            let line = json!({ "id": id, "reason": reason.code(), "faults": faults });
            writeln!(out, "{line}").context("cannot write the outcomes")?;
        }
    }
    let count = |code: &str| outcomes.iter().filter(|outcome| outcome.code() == code).count();
    eprintln!(
        "{} letters{}: {} applied, {} duplicate, {} ignored, {refused} refused again",
        outcomes.len(),
        if is_dry_run { " would be sent again" } else { " were sent again" },
        count("applied"),
        count("duplicate"),
        count("ignored"),
    );
    Ok(if refused > 0 { ExitCode::from(EXIT_REFUSED) } else { ExitCode::SUCCESS })
}

async fn discard(store: &Store, which: &Which, step: &StepOptions) -> anyhow::Result<()> {
    let ids = which.ids(store, None).await?;
    if step.dry_run {
        eprintln!("{} letters would be discarded", ids.len());
        return Ok(());
    }
    let mut asked = (&ids, step.operator.by());
    run_tx(&store.pool, "dead_letters::discard", &mut asked, |tx, (ids, by)| {
        Box::pin(async move {
            for id in *ids {
                dead_letters::discard(tx, *id, by).await?;
            }
            Ok::<(), Error>(())
        })
    })
    .await?;
    eprintln!("{} letters were discarded", ids.len());
    Ok(())
}
