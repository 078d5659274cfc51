//! `hotline alarms`: what departments were told of deadlines, and whether that is what is true.

use std::process::ExitCode;

use hotline_core::alarm::telling::{Telling, Told};
use hotline_postgres::alarms::{self, Standing};
use hotline_postgres::{CaseWriter, Rules, run_tx};
use hotline_runtime::clock;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::rates::Format;
use crate::global::Global;
use crate::store::{self, Store};
use crate::table;

/// What departments were told of deadlines: alarms that stand, and whether they are what is true.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hotline alarms list --department D1 --level breach\n  hotline alarms check && echo all is told"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the alarms that stand on open cases, the newest first. What came in too late to be told is not among them.
    List(ListArgs),
    /// Folds every case and lists, as NDJSON, what should have been told or withdrawn and was not; exit 2 if there is any.
    Check,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Of this department only.
    #[arg(long, value_name = "CODE")]
    department: Option<String>,
    /// Of this level only.
    #[arg(long, value_parser = ["notice", "warning", "breach", "escalation"])]
    level: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What fell due less than this ago may still be on its way.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match &args.what {
        What::List(args) => list(store, args).await,
        What::Check => check(store).await,
    })
    .await
}

async fn list(store: &Store, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let in_force = Rules::new(store.pool.clone()).current().await?;
    if let Some(department) = &args.department
        && !in_force.rulebook.departments.contains_key(department.as_str())
    {
        eprintln!("the rulebook has no department {department}: is it spelt so in departments.csv?");
    }
    let mut asked = args;
    let found = run_tx(&store.pool, "alarms::list", &mut asked, |tx, asked| {
        Box::pin(alarms::standing(tx, asked.department.as_deref(), asked.level.as_deref(), asked.limit))
    })
    .await?;
    let heading = ["told at", "level", "department", "case", "stage", "due at", "alarm"];
    // As people there read a clock; programs that read JSON get UTC.
    let zone = &in_force.rulebook.timezone;
    let local = |at: &jiff::Timestamp| at.display_with_offset(zone.to_offset(*at)).to_string();
    let rows = found.iter().map(|Standing { case_id, told_at, told: Told { alarm, .. } }| {
        [
            local(told_at),
            alarm.level.name().to_owned(),
            alarm.to.as_deref().unwrap_or("-").to_owned(),
            case_id.to_string(),
            alarm.stage.to_string(),
            local(&alarm.due_at),
            alarm.id().to_string(),
        ]
    });
    match args.format {
        Format::Table => {
            table::print(heading, rows)?;
            if i64::try_from(found.len()).is_ok_and(|count| count == args.limit) {
                eprintln!("the newest {}: there may be more, see --limit", found.len());
            }
        }
        Format::Csv => table::print_csv(heading, rows)?,
        Format::Json => println!("{}", Value::Array(found.iter().map(standing).collect())),
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(found: &Standing) -> Value {
    let mut shown = shown(&found.case_id, &found.told);
    shown["told_at"] = json!(found.told_at.to_string());
    shown
}

fn shown(case: &str, told: &Told) -> Value {
    let alarm = &told.alarm;
    json!({
        "case": case,
        "alarm": alarm.id(),
        "n": told.n,
        "telling": told.telling.name(),
        "why": match told.telling {
            Telling::Withdrawn(why) => Some(why.code()),
            Telling::Raised | Telling::Missed => None,
        },
        "level": alarm.level.name(),
        "department": alarm.to,
        "stage": alarm.stage,
        "tier": alarm.tier.name(),
        "round": alarm.round,
        "due_at": alarm.due_at.to_string(),
        "fell_due_at": alarm.at.to_string(),
    })
}

async fn check(store: &Store) -> anyhow::Result<ExitCode> {
    let writer = CaseWriter::new(store.pool.clone(), store.master.clone());
    let untold = writer.check_alarms(clock::now(), GRACE).await?;
    for case in &untold {
        for told in &case.tellings {
            println!("{}", shown(&case.case_id, told));
        }
    }
    eprintln!("{} cases of which something else was told than is true", untold.len());
    Ok(if untold.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
