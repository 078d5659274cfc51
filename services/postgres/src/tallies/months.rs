//! Sums of whole calendar months, so that a bulletin of a month does not add up its days again.
//!
//! A month is summed once it is over and its tallies rest; from then on what is merged into one of its days is merged into its
//! sum by the same statement. The sum of a listed month is that of its days in every snapshot; deltas stand beside both.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use sqlx::{PgConnection, PgPool, Row as _};

use super::first_day;
use crate::error::Error;
use crate::pool::run_tx;
use crate::sql_types::On;
use crate::turns::Turn;

/// Months that are summed at most: what is dated a hundred years ago must not make a thousand of them.
const MONTHS_MAX: usize = 60;

/// The months that are summed and lie within the days from `from` to before `to`, in order.
pub(super) async fn whole(tx: &mut PgConnection, (from, to): (Date, Date)) -> Result<Vec<Date>, Error> {
    let rows = sqlx::query(
        "/* tallies::whole_months */ SELECT month FROM summed_months
          WHERE month >= $1 AND month + interval '1 month' <= $2 ORDER BY month",
    )
    .bind(On(from))
    .bind(On(to))
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::whole_months"))?;
    Ok(rows.iter().map(|row| row.get::<On, _>(0).0).collect())
}

/// What of some days is in none of these months, which are in order and lie within: spans, each from its first day to before another.
pub(super) fn days_outside(months: &[Date], (from, to): (Date, Date)) -> Vec<(Date, Date)> {
    let (mut spans, mut at) = (Vec::new(), from);
    for month in months {
        if at < *month {
            spans.push((at, *month));
        }
        at = after(*month);
    }
    if at < to {
        spans.push((at, to));
    }
    spans
}

/// The first day after a month.
fn after(month: Date) -> Date {
    month.checked_add(1.month()).unwrap_or(Date::MAX)
}

/// Sums the newest month that was over by `today` and is not summed yet; which one. None: there is none, or the compactor is at
/// work elsewhere.
pub async fn sum_next(pool: &PgPool, today: Date) -> Result<Option<Date>, Error> {
    let mut today = today;
    run_tx(pool, "tallies::sum_next", &mut today, |tx, today| Box::pin(next(tx, *today))).await
}

async fn next(tx: &mut PgConnection, today: Date) -> Result<Option<Date>, Error> {
    let name = "tallies::sum_next";
    let Some(first_day) = first_day(tx).await? else { return Ok(None) };
    let summed = whole(tx, (date(1, 1, 1), Date::MAX)).await?;
    let earlier = |month: &Date| month.checked_sub(1.month()).ok();
    let month = std::iter::successors(earlier(&today.first_of_month()), earlier)
        .take(MONTHS_MAX)
        .take_while(|month| month.last_of_month() >= first_day)
        .find(|month| !summed.contains(month));
    let Some(month) = month else { return Ok(None) };
    if !Turn::Tallies.is_free(tx).await? {
        return Ok(None);
    }
    // Nobody merges until this commits, and this statement sees all that was merged.
    sqlx::query(
        "/* tallies::sum_next */ INSERT INTO tally_months (measure_id, month, cell_id, value)
         SELECT tally_measures.id, $1, cell_id, sum(value)::bigint FROM tally_measures
          CROSS JOIN LATERAL (SELECT cell_id, value FROM tallies
                               WHERE measure_id = tally_measures.id AND day >= $1 AND day < $2) AS of_days
          GROUP BY 1, 3 HAVING sum(value) <> 0 ORDER BY 1, 3",
    )
    .bind(On(month))
    .bind(On(after(month)))
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    sqlx::query("/* tallies::sum_next */ INSERT INTO summed_months (month) VALUES ($1)")
        .bind(On(month))
        .execute(tx)
        .await
        .map_err(Error::database(name))?;
    Ok(Some(month))
}

/// The summed months whose sums are not those of their days. Run it in a snapshot.
pub async fn off(tx: &mut PgConnection) -> Result<Vec<Date>, Error> {
    let rows = sqlx::query(
        "/* tallies::months_off */
         SELECT month FROM (
             SELECT month, measure_id, cell_id, sum(value) AS value FROM (
                 SELECT month, measure_id, cell_id, value FROM tally_months
                 UNION ALL
                 SELECT month, measure_id, cell_id, -value FROM summed_months
                   JOIN tallies ON day >= month AND day < month + interval '1 month') AS both_sides
              GROUP BY 1, 2, 3 HAVING sum(value) <> 0) AS differing
         GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::months_off"))?;
    Ok(rows.iter().map(|row| row.get::<On, _>(0).0).collect())
}

/// Forgets the sums of months that are [`off`]: they are summed anew. Which ones. Run it in a snapshot.
pub async fn repair(tx: &mut PgConnection) -> Result<Vec<Date>, Error> {
    let months = off(tx).await?;
    for sql in [
        "/* tallies::forget_months */ DELETE FROM tally_months WHERE month = ANY ($1)",
        "/* tallies::forget_months */ DELETE FROM summed_months WHERE month = ANY ($1)",
    ] {
        sqlx::query(sql)
            .bind(months.iter().map(|month| On(*month)).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await
            .map_err(Error::database("tallies::forget_months"))?;
    }
    Ok(months)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn months_and_the_days_outside_them_are_all_days_once() {
        let days = (date(2026, 1, 26), date(2026, 4, 26));
        let months = [date(2026, 2, 1), date(2026, 3, 1)];
        let outside = [(date(2026, 1, 26), date(2026, 2, 1)), (date(2026, 4, 1), date(2026, 4, 26))];
        assert_eq!(days_outside(&months, days), outside);
        assert_eq!(
            days_outside(&months[1..], (date(2026, 2, 1), date(2026, 4, 1))),
            [(date(2026, 2, 1), date(2026, 3, 1))]
        );
        assert_eq!(days_outside(&months, (date(2026, 2, 1), date(2026, 4, 1))), []);
        assert_eq!(days_outside(&[], days), [days]);
    }
}
