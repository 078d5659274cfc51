//! `hotline partitions`: how far every origin of events has been read.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_kafka::{Partition, inspect};
use hotline_postgres::positions::{self, Position};
use hotline_postgres::{run_snapshot_tx, run_tx};
use hotline_runtime::config::KafkaConfig;
use serde_json::{Value, json};

use super::operator::Operator;
use super::rates::Format;
use crate::global::Global;
use crate::{broker, store, table};

/// Shows the positions: one for each partition of a topic, `http` for what came in without a broker, `redrive` for dead
/// letters that were sent again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline partitions list\n\n\
                  next_offset - start_offset = records + gaps; records = applied + duplicate + ignored + dead")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists them with what became of their records.
    List {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Reads a halted partition on from where you say. What it was is kept with the reason.
    #[command(
        after_help = "Example:\n  hotline partitions resume hotline.events/3 --at begin --dry-run --why \"the topic was made anew\""
    )]
    Resume {
        /// As `hotline partitions list` names it: topic/partition.
        #[arg(value_name = "ORIGIN")]
        origin: String,
        /// The offset of the next record: a number, `begin` or `end` of the log. Forwards, records are given up and
        /// counted as gaps; backwards, it counts anew from there, and what was read before is a duplicate.
        #[arg(long, value_name = "OFFSET", value_parser = at)]
        at: At,
        /// Says what would happen.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

/// How long the broker may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

const HEADING: [&str; 10] = [
    "origin",
    "start_offset",
    "next_offset",
    "records",
    "applied",
    "duplicate",
    "ignored",
    "dead",
    "gaps",
    "last_received_at",
];

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    match &args.what {
        What::List { format } => {
            let positions = store::with(&config, async |store| Ok(read(store).await?)).await?;
            list(&positions, *format)?;
        }
        What::Resume { origin, at, dry_run, operator } => {
            let kafka = config.optional::<KafkaConfig>();
            let way = Way { origin, at: *at, is_dry_run: *dry_run, operator };
            store::with(&config, async |store| way.go(store, kafka.as_ref()).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(store: &store::Store) -> Result<Vec<Position>, hotline_postgres::Error> {
    let name = "partitions::list";
    run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(positions::list(tx))).await
}

fn list(positions: &[Position], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let rows: Vec<Value> = positions.iter().map(shown).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Format::Csv => table::print_csv(HEADING, positions.iter().map(cells))?,
        Format::Table => table::print(HEADING, positions.iter().map(cells))?,
    }
    Ok(())
}

/// Where a partition is read on.
#[derive(Clone, Copy, Debug)]
enum At {
    Offset(i64),
    Begin,
    End,
}

fn at(text: &str) -> Result<At, String> {
    match text {
        "begin" => Ok(At::Begin),
        "end" => Ok(At::End),
        number => match number.parse() {
            Ok(offset) if offset >= 0 => Ok(At::Offset(offset)),
            _ => Err("an offset, `begin` or `end`".to_owned()),
        },
    }
}

/// A position that is set by hand.
struct Way<'a> {
    origin: &'a str,
    at: At,
    is_dry_run: bool,
    operator: &'a Operator,
}

impl Way<'_> {
    async fn go(&self, store: &store::Store, kafka: Option<&KafkaConfig>) -> anyhow::Result<()> {
        let origin = self.origin;
        let Some(position) = read(store).await?.into_iter().find(|one| one.claim.origin == origin) else {
            bail!("there is no position of {origin}; see: hotline partitions list");
        };
        let (low, high) = self.ends(kafka).await?;
        let at = match self.at {
            At::Offset(offset) => offset,
            At::Begin => low,
            At::End => high,
        };
        if !(low..=high).contains(&at) {
            bail!("the log of {origin} goes from {low} to {high}: {at} is not in it");
        }
        let next = position.claim.next_offset;
        let effect = if at > next {
            format!(
                "{} records of {origin} are given up: {next} to {}; they count as gaps",
                at - next,
                at - 1
            )
        } else {
            format!(
                "{origin} begins anew at {at} and counts from there; what was read before comes again as duplicates"
            )
        };
        if self.is_dry_run {
            println!("would be: {effect}");
            return Ok(());
        }
        let mut asked = (origin, at, self.operator.by());
        run_tx(&store.pool, "partitions::resume", &mut asked, |tx, (origin, at, by)| {
            Box::pin(positions::set(tx, origin, *at, by))
        })
        .await?;
        println!("{effect}");
        println!(
            "halted, it is read on within seconds; else with its next record; see: hotline partitions list"
        );
        Ok(())
    }

    /// The offsets between which the log lies.
    async fn ends(&self, kafka: Option<&KafkaConfig>) -> anyhow::Result<(i64, i64)> {
        let kafka = kafka.context("only partitions of a topic are resumed: there is no [kafka]")?;
        let named =
            self.origin.rsplit_once('/').and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
        let (topic, number) = named.context("an origin is named as topic/partition")?;
        let wanted = vec![(Partition::new(topic, number), None)];
        let seen = inspect(&broker::cluster(kafka)?, &kafka.group, wanted, ANSWER_WAIT).await?;
        let seen = seen.first().context("the broker does not know the partition")?;
        Ok((seen.low, seen.high))
    }
}

fn shown(position: &Position) -> Value {
    let counts = &position.counts;
    json!({
        "origin": position.claim.origin,
        "cluster": position.cluster_id,
        "epoch": position.claim.epoch,
        "start_offset": position.start_offset,
        "next_offset": position.claim.next_offset,
        "records": counts.records,
        "applied": counts.applied,
        "duplicate": counts.duplicate,
        "ignored": counts.ignored,
        "dead": counts.dead,
        "gaps": counts.gaps,
        "last_received_at": position.last.map(|last| last.received_at.to_string()),
    })
}

fn cells(position: &Position) -> [String; 10] {
    let shown = shown(position);
    HEADING.map(|name| match &shown[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    })
}
