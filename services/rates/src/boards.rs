//! What boards show of calendar months: their rates and scores, by department and hotline, from the first month that anything
//! counts in, and of the last 13 in any case.
//!
//! All months that are due are computed as one bulletin each would be, in one snapshot, and written in its transaction.
//! This month and the last one are due every time; those of the year before it hourly, what is older daily, and all of them when
//! another rulebook or program judges. Where much of what was ever read came since, as in an import of years, or nothing came
//! since the last pass, older months do not wait. Of several processes one writes at a time, and the others find that nothing is due.

use std::time::Duration;

use hotline_core::rate::{By, Query, Table};
use hotline_core::rulebook::Rulebook;
use hotline_postgres::boards::{self, Kept, Month};
use hotline_postgres::{PgConnection, run_snapshot_tx, tallies};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::Parts;
use crate::bulletin::Stamp;
use crate::sums;

/// Months before this one that are there whether anything counts in them or not: a trend begins with the same month of last year.
const MONTHS_BEFORE: usize = 13;
/// Months before this one at most: a fact that is dated a hundred years ago must not make a thousand of them.
const MONTHS_MAX: usize = 60;
/// Months that change all the time: what was due in the last one is still being closed.
const MONTHS_YOUNG: usize = 2;
/// An earlier month changes by what comes late.
const OLDER_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// … and hardly after a year.
const OLDEST_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// One in so many of all that was read makes older months due.
const SHARE_OF_ALL: i64 = 100;
/// By department, and by department and hotline.
const BREAKDOWNS: [By; 2] = [By { hotline: false, case_type: false }, By { hotline: true, case_type: false }];

/// Keeps what boards show up to date until the token is cancelled.
pub(crate) async fn run(every: Duration, parts: &Parts, stop: &CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match refresh(every, parts).await {
            Ok(_) | Err(hotline_postgres::Error::NoRulebook) => {}
            Err(error) => tracing::warn!(error.code = error.code(), %error, "boards could not be refreshed"),
        }
    }
}

/// Computes the months that are due; how many there were.
pub async fn refresh(every: Duration, parts: &Parts) -> Result<usize, hotline_postgres::Error> {
    let as_of = (parts.now)();
    // As it is stored: what a bulletin is told to be as of is the same instant.
    let as_of = Timestamp::from_microsecond(as_of.as_microsecond()).unwrap_or(as_of);
    let mut pass = Pass { parts, as_of, every };
    run_snapshot_tx(&parts.pool, "rates::boards", &mut pass, |tx, pass| Box::pin(pass.refresh(tx))).await
}

struct Pass<'p> {
    parts: &'p Parts,
    as_of: Timestamp,
    every: Duration,
}

impl Pass<'_> {
    async fn refresh(&self, tx: &mut PgConnection) -> Result<usize, hotline_postgres::Error> {
        if !boards::turn(tx).await? {
            return Ok(0);
        }
        let rules = self.parts.rules.within(tx).await?;
        let rulebook = &*rules.rulebook;
        let today = rulebook.timezone.to_datetime(self.as_of).date();
        let months = months(today, tallies::first_day(tx).await?.unwrap_or(today));
        let kept = boards::kept(tx).await?;
        let current =
            |month: Date| kept.iter().find(|one| one.month == month && boards::is_current(one, rules.seq));
        let stamp = Stamp::read(tx, &rules, self.as_of).await?;
        let read = stamp.positions.values().sum();
        let intake = Intake { read, rests: kept.last().is_some_and(|last| last.read == read) };
        let due: Vec<Date> = months
            .iter()
            .enumerate()
            .filter(|(age, month)| current(**month).is_none_or(|kept| self.is_due(*age, kept, &intake)))
            .map(|(_, month)| *month)
            .collect();
        if due.is_empty() {
            return Ok(0);
        }
        boards::keep_rules(tx, rulebook, rules.seq).await?;
        let mut figures: Vec<Figures<'_>> = due.iter().map(|month| Figures::new(*month, rulebook)).collect();
        let tables = figures.iter_mut().flat_map(|figures| &mut figures.tables);
        let mut tables: Vec<_> = tables.map(|(query, table)| ((query.from, query.to), table)).collect();
        sums::read(tx, &mut tables, self.as_of).await?;
        for figures in &figures {
            figures.keep(tx, rulebook, &stamp).await?;
        }
        if let Some(oldest) = months.last() {
            boards::forget_before(tx, *oldest).await?;
        }
        Ok(due.len())
    }

    /// Whether a month of this rulebook is to be computed again. What another process did a moment ago is not.
    fn is_due(&self, age: usize, kept: &Kept, intake: &Intake) -> bool {
        let every = SignedDuration::try_from(self.every).unwrap_or(OLDER_EVERY);
        let rest = match age {
            _ if kept.refold_pending || intake.outran(kept) => every / 2,
            0..MONTHS_YOUNG => every / 2,
            _ if age <= MONTHS_BEFORE => OLDER_EVERY,
            _ => OLDEST_EVERY,
        };
        self.as_of.duration_since(kept.as_of) >= rest
    }
}

/// What was read until now.
struct Intake {
    read: i64,
    /// Nothing came since the last pass.
    rests: bool,
}

impl Intake {
    fn outran(&self, kept: &Kept) -> bool {
        let since = self.read - kept.read;
        since > 0 && (self.rests || since.saturating_mul(SHARE_OF_ALL) >= self.read)
    }
}

/// First days of months, the newest first.
fn months(today: Date, first_day: Date) -> Vec<Date> {
    (0..=MONTHS_MAX)
        .filter_map(|age| {
            Some((age, today.first_of_month().checked_sub(i64::try_from(age).ok()?.months()).ok()?))
        })
        .take_while(|(age, month)| *age <= MONTHS_BEFORE || month.last_of_month() >= first_day)
        .map(|(_, month)| month)
        .collect()
}

/// The tables of a month.
struct Figures<'r> {
    tables: Vec<(Query<'r>, Table<'r>)>,
}

impl<'r> Figures<'r> {
    fn new(month: Date, rulebook: &'r Rulebook) -> Self {
        let table = |by| {
            let query = Query {
                rates: rulebook.rates.values().collect(),
                scores: rulebook.scores.values().collect(),
                by,
                from: month,
                to: month.last_of_month().tomorrow().unwrap_or(Date::MAX),
            };
            let table = Table::new(&query, rulebook);
            (query, table)
        };
        Self { tables: BREAKDOWNS.map(table).into() }
    }

    async fn keep(
        &self,
        tx: &mut PgConnection,
        rulebook: &Rulebook,
        stamp: &Stamp,
    ) -> Result<(), hotline_postgres::Error> {
        let (mut rows, mut standings) = (Vec::new(), Vec::new());
        for (query, table) in &self.tables {
            let answer = table.answer(query, rulebook);
            rows.extend(answer.rows);
            standings.extend(answer.standings);
        }
        let query = &self.tables[0].0;
        let midnight = |day: Date| rulebook.timezone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible();
        let month = Month {
            month: query.from,
            until: query.to,
            begins_at: midnight(query.from).unwrap_or(Timestamp::MIN),
            ends_at: midnight(query.to).unwrap_or(Timestamp::MAX),
            as_of: stamp.as_of,
            rulebook_seq: stamp.rulebook_seq,
            rulebook_hash: &stamp.rulebook_hash,
            positions: &json!(stamp.positions),
            refold_pending: stamp.refold_pending,
        };
        boards::keep_month(tx, &month).await?;
        boards::keep_rates(tx, query.from, &rows).await?;
        boards::keep_scores(tx, query.from, &standings).await
    }
}

#[cfg(test)]
mod tests;
