//! How the open cases and the pipeline stand: what gauges show. Indicative; exact rates are made of tallies.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::deliveries::{self, Receiver};
use crate::error::Error;
use crate::sql_types::At;
use crate::{boards, cases, sources};

/// The open cases of a department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who leads; `-` where nobody does.
    pub department: SmolStr,
    pub open: i64,
    /// … of which the closing deadline is over.
    pub overdue: i64,
    /// … or still to come today.
    pub due_today: i64,
    /// … or less than 24 hours away.
    pub near_due: i64,
}

/// The registered open cases by department, in its order, at an instant of a day that ends at another.
pub async fn by_department(
    tx: &mut PgConnection,
    as_of: Timestamp,
    day_ends: Timestamp,
) -> Result<Vec<Standing>, Error> {
    let rows = sqlx::query(
        "/* standing::by_department */
         SELECT coalesce(department, '-'), count(*), count(*) FILTER (WHERE due_at < $1 AND runs),
                count(*) FILTER (WHERE due_at >= $1 AND due_at <= $2 AND runs),
                count(*) FILTER (WHERE due_at >= $1 AND due_at < $1 + interval '24 hours' AND runs)
           FROM (SELECT department, due_at, NOT coalesce(waits ? 'submitted_in_time', false) AS runs
                   FROM cases WHERE closed_at IS NULL AND registered) AS open GROUP BY 1 ORDER BY 1",
    )
    .bind(At(as_of))
    .bind(At(day_ends))
    .fetch_all(tx)
    .await
    .map_err(Error::database("standing::by_department"))?;
    let standing = |row: &sqlx::postgres::PgRow| Standing {
        department: row.get::<&str, _>(0).into(),
        open: row.get(1),
        overdue: row.get(2),
        due_today: row.get(3),
        near_due: row.get(4),
    };
    Ok(rows.iter().map(standing).collect())
}

/// Open dead letters of a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letters {
    pub reason: String,
    pub open: i64,
    /// When the first of them was received.
    pub oldest_at: Option<Timestamp>,
}

/// What waits, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub dead_letters: Vec<Letters>,
    /// Of every stopped source, how: paused or diverted.
    pub stops: Vec<&'static str>,
    pub receivers: Vec<Receiver>,
    /// Since when a notice waits for its number.
    pub unnumbered_since: Option<Timestamp>,
    /// Cases that timekeeper should have looked at, and since when the first of them waits.
    pub waking: (i64, Option<Timestamp>),
    /// As of when the figures of months are; None: they were never computed.
    pub months_as_of: Option<Timestamp>,
}

/// How the pipeline stands at an instant.
pub async fn pipeline(tx: &mut PgConnection, as_of: Timestamp) -> Result<Pipeline, Error> {
    let name = "standing::pipeline";
    let rows = sqlx::query(
        "/* standing::pipeline */ SELECT reason, count(*), min(received_at) FROM dead_letters
          WHERE state = 'open' GROUP BY reason ORDER BY reason",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let letters = |row: &sqlx::postgres::PgRow| Letters {
        reason: row.get(0),
        open: row.get(1),
        oldest_at: row.get::<Option<At>, _>(2).map(|at| at.0),
    };
    let unnumbered: Option<At> = sqlx::query_scalar(
        "/* standing::pipeline */ SELECT min(written_at) FROM notices WHERE number IS NULL",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    Ok(Pipeline {
        dead_letters: rows.iter().map(letters).collect(),
        stops: sources::list(tx).await?.iter().map(|stopped| stopped.stop.name()).collect(),
        receivers: deliveries::list(tx).await?,
        unnumbered_since: unnumbered.map(|at| at.0),
        waking: cases::overslept(tx, as_of).await?,
        months_as_of: boards::as_of(tx).await?,
    })
}
