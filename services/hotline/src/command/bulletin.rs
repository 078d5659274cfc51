//! `hotline bulletin`: rates from the database, forms filled with them, and what was published.

mod form;
mod stamp;

use std::path::PathBuf;
use std::process::ExitCode;

use hotline_postgres::Rules;
use hotline_rates::bulletin;
use hotline_rates::made::Allowed;
use hotline_runtime::clock;

use super::operator::Operator;
use super::rates::{self, Ask, print_answer};
use crate::global::Global;
use crate::store;

/// Prints rates from the database, as of one snapshot of it: as rows (--rate), or in a form (--form). Publishes bulletins and
/// makes published figures again.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  hotline bulletin --rate on_time_closure.due,satisfaction.answered \\\n    \
                        --by department --period 2026-09-01..2026-10-01 --format table\n  \
                        hotline bulletin --form 12345-monthly --period 2026-09 --format html --output 2026-09.html\n  \
                        hotline bulletin publish --form 12345-monthly --period 2026-09 --why \"monthly meeting\"\n  \
                        hotline bulletin show 1 --restated\n  \
                        hotline bulletin --stamp 1"
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Ids of rates and scores, separated by commas.
    #[arg(
        long,
        value_name = "ID[,ID]",
        value_delimiter = ',',
        required_unless_present_any = ["form", "stamp"],
        conflicts_with_all = ["form", "stamp"]
    )]
    rate: Vec<String>,
    /// The form to fill, one of `hotline bulletin forms`.
    #[arg(long, value_name = "ID", conflicts_with = "stamp")]
    form: Option<String>,
    /// Make the figures of a published bulletin again, from the ledger and the rulebook of its stamp, and compare every one of
    /// them; exit 1 if one differs. A number of `hotline bulletin published`, or a file of --format json.
    #[arg(long, value_name = "N|FILE")]
    stamp: Option<String>,
    /// With --rate: department[,hotline][,case_type]
    #[arg(long, default_value = "department")]
    by: String,
    /// With --rate days FROM..TO, TO not included; with --form also a month 2026-09, a week 2026-W40, or either after the name
    /// of a period of the rulebook, month-26:2026-09.
    #[arg(long, required_unless_present = "stamp")]
    period: Option<String>,
    /// json without --form, table with it.
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    to: To,
    /// With the annexes that the form lists: cases excluded, extended, corrected.
    #[arg(long, requires = "form")]
    annexes: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the forms: those of [bulletins] dir, else those that come with the program.
    Forms,
    /// Freezes the figures of a form with their stamp. Refused while cases are still being folded by a new rulebook.
    Publish {
        /// One of `hotline bulletin forms`.
        #[arg(long, value_name = "ID")]
        form: String,
        /// As with --form.
        #[arg(long)]
        period: String,
        /// A period that is not over yet.
        #[arg(long)]
        unfinished: bool,
        /// The same form of the same days once more: as a correction, both stay.
        #[arg(long)]
        again: bool,
        /// json: with the whole stamp.
        #[arg(long, value_enum, default_value_t = Said::Text)]
        format: Said,
        #[command(flatten)]
        operator: Operator,
    },
    /// Lists what was published.
    Published {
        #[arg(long, value_enum, default_value_t = rates::Format::Table)]
        format: rates::Format,
    },
    /// Prints a published bulletin as it was.
    Show {
        /// Of `hotline bulletin published`.
        #[arg(value_name = "N")]
        id: i64,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        to: To,
        /// With its annexes.
        #[arg(long)]
        annexes: bool,
        /// With what has changed since: every figure that is another now, and cases that were judged anew.
        #[arg(long)]
        restated: bool,
    },
}

/// How the answer to a publication is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Said {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Json,
    Table,
    Csv,
    Xlsx,
    Html,
}

/// Where it goes.
#[derive(Clone, Debug, clap::Args)]
struct To {
    /// Write into this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// CSV with a byte order mark, by which spreadsheets know that it is UTF-8.
    #[arg(long)]
    bom: bool,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        Some(What::Forms) => form::forms(global),
        Some(What::Publish { form, period, unfinished, again, format, operator }) => {
            let allowed = Allowed { unfinished: *unfinished, again: *again };
            form::publish(global, (form, period), (allowed, *format), operator.by()).await
        }
        Some(What::Published { format }) => form::published(global, *format).await,
        Some(What::Show { id, format, to, annexes, restated }) => {
            form::show(global, *id, (*format, to), form::With { annexes: *annexes, restated: *restated })
                .await
        }
        None => match (&args.stamp, &args.form, &args.period) {
            (Some(stamp), ..) => stamp::run(global, stamp).await,
            (None, Some(id), Some(period)) => {
                let format = args.format.unwrap_or(Format::Table);
                form::print(global, (id, period), (format, &args.to), args.annexes).await
            }
            (None, _, period) => rows(global, args, period.as_deref().unwrap_or_default()).await,
        },
    }
}

/// The rows of rates, as `replay` prints them.
async fn rows(global: &Global, args: &Args, period: &str) -> anyhow::Result<ExitCode> {
    let format = match args.format {
        None | Some(Format::Json) => rates::Format::Json,
        Some(Format::Table) => rates::Format::Table,
        Some(Format::Csv) => rates::Format::Csv,
        Some(Format::Xlsx | Format::Html) => {
            anyhow::bail!("--rate prints json, table or csv; xlsx and html are formats of --form")
        }
    };
    anyhow::ensure!(
        args.to.output.is_none() && !args.to.bom,
        "--output and --bom go with --form; rows are printed to standard output"
    );
    let ask = Ask { rate: args.rate.clone(), by: args.by.clone(), period: period.to_owned(), format };
    let question = ask.question()?;
    let bulletin = store::with(&global.load()?, async |store| {
        let rules = Rules::new(store.pool.clone());
        let bulletin = bulletin(&store.pool, &rules, question, clock::now()).await?;
        let in_force = rules.current().await?;
        let rulebook = &in_force.rulebook;
        let query = bulletin.ask.query(rulebook)?;
        print_answer(&bulletin.answer, &query, rulebook, (format, global.lang()))?;
        Ok(bulletin)
    })
    .await?;
    // Standard output holds the rows alone, as of replay.
    eprintln!("stamp: {}", bulletin.stamp.to_json());
    if bulletin.stamp.refold_pending {
        eprintln!("not for publication: cases are still being folded by the active rulebook");
    }
    Ok(ExitCode::SUCCESS)
}
