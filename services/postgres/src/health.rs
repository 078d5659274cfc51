//! What `hotline doctor` asks the database.

use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::At;

/// The server, as it describes itself.
#[derive(Clone, Debug)]
pub struct Server {
    pub version: String,
    /// By its own clock.
    pub now: Timestamp,
    /// Bytes of the database.
    pub bytes: i64,
}

/// How the clock of a source stands to ours, over its latest events. Seconds from what it claims to our receipt.
#[derive(Clone, Debug)]
pub struct Skew {
    pub source: String,
    pub events: i64,
    /// Negative: it claims what has not happened yet.
    pub least: f64,
    pub median: f64,
}

pub async fn server(tx: &mut PgConnection) -> Result<Server, Error> {
    let row = sqlx::query(
        "/* health::server */ SELECT current_setting('server_version'), clock_timestamp(),
                pg_database_size(current_database())",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("health::server"))?;
    Ok(Server { version: row.get(0), now: row.get::<At, _>(1).0, bytes: row.get(2) })
}

/// The skew of every source that has one of the latest events; history with `recordedtime` apart.
pub async fn skew(tx: &mut PgConnection) -> Result<Vec<Skew>, Error> {
    /// Rows of the ledger that are looked at.
    const LATEST: i64 = 20_000;
    let rows = sqlx::query(
        "/* health::skew */ SELECT source, count(*), min(late)::float8,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::float8
           FROM (SELECT source, extract(epoch FROM received_at - (event::jsonb->>'time')::timestamptz) AS late
                   FROM (SELECT source, received_at, event FROM ledger WHERE origin <> 'pipeline'
                          ORDER BY seq DESC LIMIT $1) AS latest
                  WHERE NOT event::jsonb ? 'recordedtime') AS claims
          GROUP BY source ORDER BY source",
    )
    .bind(LATEST)
    .fetch_all(tx)
    .await
    .map_err(Error::database("health::skew"))?;
    let skew = |row: &sqlx::postgres::PgRow| Skew {
        source: row.get(0),
        events: row.get(1),
        least: row.get(2),
        median: row.get(3),
    };
    Ok(rows.iter().map(skew).collect())
}
