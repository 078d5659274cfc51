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

/// What was heard of a source, over the latest events of all.
#[derive(Clone, Debug)]
pub struct Heard {
    pub source: String,
    /// How many of the latest events are its.
    pub events: i64,
    /// When the last of them was received.
    pub last_at: Timestamp,
    /// Seconds from what it claims to our receipt, history with `recordedtime` apart; None where there is nothing else.
    pub least: Option<f64>,
    pub median: Option<f64>,
}

/// Rows of the ledger that are looked at.
pub const LATEST: i64 = 20_000;

/// What was heard of every source that has one of the latest events.
pub async fn heard(tx: &mut PgConnection) -> Result<Vec<Heard>, Error> {
    let rows = sqlx::query(
        "/* health::heard */ SELECT source, count(*), max(received_at), min(late)::float8,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::float8
           FROM (SELECT source, received_at, CASE WHEN NOT event::jsonb ? 'recordedtime'
                        THEN extract(epoch FROM received_at - (event::jsonb->>'time')::timestamptz) END AS late
                   FROM (SELECT source, received_at, event FROM ledger WHERE origin <> 'pipeline'
                          ORDER BY seq DESC LIMIT $1) AS latest) AS claims
          GROUP BY source ORDER BY source",
    )
    .bind(LATEST)
    .fetch_all(tx)
    .await
    .map_err(Error::database("health::heard"))?;
    let heard = |row: &sqlx::postgres::PgRow| Heard {
        source: row.get(0),
        events: row.get(1),
        last_at: row.get::<At, _>(2).0,
        least: row.get(3),
        median: row.get(4),
    };
    Ok(rows.iter().map(heard).collect())
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
