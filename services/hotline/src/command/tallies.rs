//! `hotline tallies`: whether the stored integers are what the cases, and what the events, add up to.

use std::process::ExitCode;

use hotline_postgres::tallies::{self, Difference, Tallies, months};
use hotline_postgres::{PgConnection, Rules, run_snapshot_tx};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::folding::{Cases, Reach, read_ledger};
use crate::global::Global;
use crate::store::{self, Store};

/// Compares the stored tallies with the scores of all cases and with a fold of the whole ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline tallies check && echo all is well")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists what differs as NDJSON; exit 2 if anything does. In one snapshot, while casework runs.
    Check,
    /// Makes the tallies agree with the scores again and lists what was mended.
    Repair,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match args.what {
        What::Check => check(store).await,
        What::Repair => {
            let name = "tallies::repair";
            let mended =
                run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(tallies::repair(tx))).await?;
            let name = "tallies::repair_months";
            let months =
                run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(months::repair(tx))).await?;
            print("scores", &mended);
            print_months(&months);
            eprintln!("{} tallies mended, {} months to be summed anew", mended.len(), months.len());
            Ok(ExitCode::SUCCESS)
        }
    })
    .await
}

async fn check(store: &Store) -> anyhow::Result<ExitCode> {
    let rules = Rules::new(store.pool.clone());
    let mut compared = Compared { rules: &rules, scores: Vec::new(), ledger: Vec::new(), months: Vec::new() };
    let name = "tallies::check";
    run_snapshot_tx(&store.pool, name, &mut compared, |tx, compared| Box::pin(compared.read(tx))).await??;
    print("scores", &compared.scores);
    print("ledger", &compared.ledger);
    print_months(&compared.months);
    eprintln!(
        "{} tallies differ from the scores of the cases, {} from a fold of the ledger, {} months from their days",
        compared.scores.len(),
        compared.ledger.len(),
        compared.months.len()
    );
    let equal = compared.scores.is_empty() && compared.ledger.is_empty() && compared.months.is_empty();
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// What the stored integers were compared with, and where they differ.
struct Compared<'r> {
    rules: &'r Rules,
    scores: Vec<Difference>,
    ledger: Vec<Difference>,
    /// Months whose sums are not those of their days.
    months: Vec<Date>,
}

impl Compared<'_> {
    async fn read(&mut self, tx: &mut PgConnection) -> Result<anyhow::Result<()>, hotline_postgres::Error> {
        self.scores = tallies::check(tx).await?;
        self.months = months::off(tx).await?;
        let rules = self.rules.within(tx).await?;
        let mut cases = Cases::new(&rules.rulebook);
        if let Err(error) = read_ledger(tx, &mut cases, Reach::All).await? {
            return Ok(Err(error));
        }
        let mut folded = Tallies::new();
        // Decisions of ours that were taken stand in the ledger; none is taken here.
        cases.scores(Timestamp::MIN, |score| {
            for (key, value) in score.tallies() {
                *folded.entry(key).or_default() += value;
            }
        });
        folded.retain(|_, value| *value != 0);
        self.ledger = tallies::differences(tallies::all(tx).await?, folded);
        Ok(Ok(()))
    }
}

fn print_months(months: &[Date]) {
    for month in months {
        println!("{}", json!({ "against": "days", "month": month.to_string() }));
    }
}

fn print(against: &str, differences: &[Difference]) {
    for difference in differences {
        let (series, cell) = (&difference.key.series, &difference.key.series.cell);
        let shown = json!({
            "against": against,
            "basis": series.basis.name(),
            "day": difference.key.day.to_string(),
            "hotline": cell.hotline.as_str(),
            "case_type": cell.case_type.as_str(),
            "class": cell.class.as_str(),
            "department": cell.department.as_str(),
            "role": cell.role.name(),
            "measure": series.measure.as_str(),
            "stored": difference.stored,
            "computed": difference.scored,
        });
        println!("{shown}");
    }
}
