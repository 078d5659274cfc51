//! `hotline retention`: what was kept long enough, and its end.

use std::process::ExitCode;

use hotline_postgres::interventions::By;
use hotline_postgres::retention::{self, Month};
use hotline_postgres::{erasures, run_snapshot_tx, run_tx};
use hotline_runtime::clock;
use hotline_runtime::config::Section;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::erase;
use super::operator::Operator;
use super::rates::Format;
use crate::global::Global;
use crate::store::Store;
use crate::{progress, store, table};

/// `[retention]`: for how long is kept what may go at all. 0, for ever, is the default of each: no rule names a period for
/// records of hotlines; the office sets it (个人信息保护法, article 19: no longer than needed; 网络安全法: logs for six months at
/// least; classes of paper are 10 or 30 years or permanent).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Whole months of the ledger, by receipt. What reads it from its beginning on then ends: stamps, exports, checks.
    pub ledger_months: u32,
    /// Persons of a case, from its last closing on.
    pub personal_days: u32,
    /// Dead letters, from when they were redriven, fixed, discarded or erased on. Open ones stay.
    pub dead_letter_days: u32,
}

/// A century: nobody means more.
const MONTHS_MAX: u32 = 1_200;
const DAYS_MAX: u32 = 36_525;
/// The shortest time that the ledger is kept: a month is not dropped while its corrections still come. `drop_ledger_month`
/// holds the same.
const MONTHS_MIN: u32 = 6;

impl Section for RetentionConfig {
    const NAME: &'static str = "retention";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.ledger_months > 0 && !(MONTHS_MIN..=MONTHS_MAX).contains(&self.ledger_months) {
            faults.push(format!("ledger_months must be 0, for ever, or {MONTHS_MIN} to {MONTHS_MAX}"));
        }
        for (name, days) in
            [("personal_days", self.personal_days), ("dead_letter_days", self.dead_letter_days)]
        {
            if days > DAYS_MAX {
                faults.push(format!("{name} must be at most {DAYS_MAX}; 0 is for ever"));
            }
        }
        faults
    }
}

/// Shows what [retention] lets go, and lets it go. Nothing goes by itself but notices, which [relay] `keep` keeps. Alarms,
/// closure records, interventions, restatements and published bulletins stay for ever: others check them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline retention plan\n  hotline retention apply --why \"periods of 2026, approved on 3 March\""
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Says what would go and what no longer works then; changes nothing.
    Plan {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Lets it go. Goes on where it was interrupted. Each class is an intervention.
    Apply {
        #[command(flatten)]
        operator: Operator,
    },
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let keeps = config.section::<RetentionConfig>();
    store::with(&config, async |store| {
        let plan = Plan::of(store, &keeps, clock::now()).await?;
        match &args.what {
            What::Plan { format } => plan.tell(*format),
            What::Apply { operator } => plan.apply(store, operator.by()).await,
        }
    })
    .await
}

/// What goes, as of an instant.
struct Plan {
    months: Vec<Month>,
    /// Persons of cases closed before this instant, and how many cases have some.
    persons: Option<(Timestamp, u64)>,
    /// Letters dealt with before this instant, and how many there are.
    letters: Option<(Timestamp, u64)>,
}

impl Plan {
    async fn of(store: &Store, keeps: &RetentionConfig, now: Timestamp) -> anyhow::Result<Self> {
        let mut asked = (
            first_kept(keeps.ledger_months, now),
            ago(keeps.personal_days, now),
            ago(keeps.dead_letter_days, now),
        );
        let plan =
            run_snapshot_tx(&store.pool, "retention::plan", &mut asked, |tx, (ledger, persons, letters)| {
                Box::pin(async move {
                    let months = match *ledger {
                        Some(day) => retention::months(tx, day).await?,
                        None => Vec::new(),
                    };
                    let persons = match *persons {
                        Some(before) => Some((before, erasures::count(tx, &closed(before)).await?)),
                        None => None,
                    };
                    let letters = match *letters {
                        Some(before) => Some((before, retention::letters(tx, before).await?)),
                        None => None,
                    };
                    Ok(Self { months, persons, letters })
                })
            });
        Ok(plan.await?)
    }

    fn rows(&self) -> Vec<[String; 4]> {
        let mib = |bytes: u64| format!("{} MiB", bytes.div_ceil(1 << 20));
        let month = |month: &Month| {
            let first = month.first.strftime("%Y-%m").to_string();
            ["ledger".to_owned(), first, month.entries.to_string(), mib(month.bytes)]
        };
        let other = |class: &str, found: Option<(Timestamp, u64)>| {
            found.map(|(before, count)| {
                [class.to_owned(), format!("before {before}"), count.to_string(), String::new()]
            })
        };
        let others = [other("persons", self.persons), other("dead_letters", self.letters)];
        self.months.iter().map(month).chain(others.into_iter().flatten()).collect()
    }

    fn tell(&self, format: Format) -> anyhow::Result<ExitCode> {
        const HEADING: [&str; 4] = ["class", "what", "count", "size"];
        let rows = self.rows();
        match format {
            Format::Json => {
                let row = |[class, what, count, _]: &[String; 4]| json!({ "class": class, "what": what, "count": count });
                println!("{}", serde_json::to_string_pretty(&rows.iter().map(row).collect::<Value>())?);
            }
            Format::Csv => table::print_csv(HEADING, rows)?,
            Format::Table if rows.is_empty() => {
                println!("nothing: [retention] keeps everything for ever, or nothing is that old");
            }
            Format::Table => table::print(HEADING, rows)?,
        }
        if let Some(last) = self.months.last() {
            eprintln!("{}", lost(last));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn apply(&self, store: &Store, by: By<'_>) -> anyhow::Result<ExitCode> {
        /// Letters of one transaction.
        const LETTERS: i64 = 1_000;
        let mut code = ExitCode::SUCCESS;
        if let Some((before, count)) = self.persons.filter(|(_, count)| *count > 0) {
            code = erase::closed(store, &closed(before), count, by).await?;
        }
        if let Some((before, count)) = self.letters {
            let bar = progress::count(count, "letters");
            let mut asked = (before, by);
            while bar.position() < count {
                let gone = run_tx(&store.pool, "retention::letters", &mut asked, |tx, (before, by)| {
                    Box::pin(retention::forget_letters(tx, *before, LETTERS, by))
                })
                .await?;
                if gone == 0 {
                    break;
                }
                bar.inc(gone);
            }
            bar.finish_and_clear();
            println!("dead letters deleted: {count}");
        }
        let bar = progress::count(self.months.len() as u64, "months");
        for month in &self.months {
            let mut asked = (month.first, by);
            run_tx(&store.pool, "retention::month", &mut asked, |tx, (first, by)| {
                Box::pin(retention::drop_month(tx, *first, by))
            })
            .await?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(last) = self.months.last() {
            println!("months of the ledger dropped: {}", self.months.len());
            eprintln!("{}", lost(last));
        }
        Ok(code)
    }
}

fn closed(before: Timestamp) -> erasures::Filter {
    erasures::Filter { closed_before: before, class: None }
}

/// What no longer works without the ledger up to a month.
fn lost(last: &Month) -> String {
    format!(
        "without the ledger up to {}: `hotline bulletin --stamp` and `hotline tallies check` refuse, `hotline export` begins later, annexes \
         of older periods are empty. Published figures, rates, cases and closure records stay; `hotline export` before it keeps a copy",
        last.first.strftime("%Y-%m")
    )
}

/// The first day of the first month that is kept.
fn first_kept(months: u32, now: Timestamp) -> Option<Date> {
    let this = Offset::UTC.to_datetime(now).date().first_of_month();
    (months > 0).then(|| this.saturating_sub(i64::from(months).months()))
}

fn ago(days: u32, now: Timestamp) -> Option<Timestamp> {
    (days > 0)
        .then(|| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_goes_when_so_many_whole_ones_came_after_it() {
        let now: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        assert_eq!(first_kept(0, now), None);
        assert_eq!(first_kept(6, now), Some(jiff::civil::date(2026, 5, 1)));
        assert_eq!(first_kept(12, now), Some(jiff::civil::date(2025, 11, 1)));
    }

    #[test]
    fn what_is_set_too_short_is_a_fault() {
        let faults =
            |ledger_months| RetentionConfig { ledger_months, ..RetentionConfig::default() }.faults().len();
        assert_eq!([0, 1, 5, 6, 1_200, 1_201].map(faults), [0, 1, 1, 0, 0, 1]);
        let days =
            RetentionConfig { personal_days: 36_526, dead_letter_days: 36_526, ..RetentionConfig::default() };
        assert_eq!(days.faults().len(), 2);
    }
}
