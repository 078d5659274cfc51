//! Sources that are stopped: their events are kept as dead letters until somebody resumes them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::interventions::{self, By};
use crate::sql_types::At;

/// Why a source is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// By casework: too much of it was refused.
    Diverted,
    /// By an operator.
    Paused,
}

impl Stop {
    pub fn name(self) -> &'static str {
        match self {
            Stop::Diverted => "diverted",
            Stop::Paused => "paused",
        }
    }
}

/// A source that is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub source: SmolStr,
    pub stop: Stop,
    pub since: Timestamp,
    pub operator: String,
    pub why: String,
}

/// The sources whose events are not folded now.
pub async fn stopped(tx: &mut PgConnection) -> Result<BTreeSet<SmolStr>, Error> {
    let sources: Vec<String> =
        sqlx::query_scalar("/* sources::stopped */ SELECT source FROM stopped_sources")
            .fetch_all(tx)
            .await
            .map_err(Error::database("sources::stopped"))?;
    Ok(sources.into_iter().map(SmolStr::from).collect())
}

/// As [`stopped`], with what is known of each.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Stopped>, Error> {
    let rows = sqlx::query(
        "/* sources::list */ SELECT source, state, since, operator, why FROM stopped_sources ORDER BY source",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("sources::list"))?;
    let stop = |row: &PgRow| if row.get::<&str, _>(1) == "paused" { Stop::Paused } else { Stop::Diverted };
    let stopped = |row: &PgRow| Stopped {
        source: row.get::<&str, _>(0).into(),
        stop: stop(row),
        since: row.get::<At, _>(2).0,
        operator: row.get(3),
        why: row.get(4),
    };
    Ok(rows.iter().map(stopped).collect())
}

/// Stops a source; false: it was stopped already, and stays so as it was.
pub async fn stop(tx: &mut PgConnection, source: &str, stop: Stop, by: &By<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "/* sources::stop */ INSERT INTO stopped_sources (source, state, since, operator, why)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source) DO NOTHING",
    )
    .bind(source)
    .bind(stop.name())
    .bind(At(by.at))
    .bind(by.operator)
    .bind(by.why)
    .execute(&mut *tx)
    .await
    .map_err(Error::database("sources::stop"))?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    interventions::note(tx, source, stop.name(), by, None).await?;
    Ok(true)
}

/// Takes a source up again; false: it was not stopped. What was kept of it meanwhile is redriven separately.
pub async fn resume(tx: &mut PgConnection, source: &str, by: &By<'_>) -> Result<bool, Error> {
    let done = sqlx::query("/* sources::resume */ DELETE FROM stopped_sources WHERE source = $1")
        .bind(source)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("sources::resume"))?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    interventions::note(tx, source, "resumed", by, None).await?;
    Ok(true)
}
