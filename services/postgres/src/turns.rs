//! Turns: what only one process does at a time, for as long as its transaction lasts.

use sqlx::PgConnection;

use crate::error::Error;

/// What is done by one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Boards,
    /// The rows by which auditors find closed cases.
    Closures,
    LedgerPartitions,
    Notices,
    Tallies,
}

impl Turn {
    const fn name(self) -> &'static str {
        match self {
            Turn::Boards => "boards",
            Turn::Closures => "closures",
            Turn::LedgerPartitions => "ledger_partitions",
            Turn::Notices => "notices",
            Turn::Tallies => "tallies",
        }
    }

    /// Waits for whoever has the turn.
    pub(crate) async fn wait(self, tx: &mut PgConnection) -> Result<(), Error> {
        sqlx::query("/* turns::wait */ SELECT FROM turns WHERE what = $1 FOR UPDATE")
            .bind(self.name())
            .fetch_one(tx)
            .await
            .map(drop)
            .map_err(Error::database("turns::wait"))
    }

    /// Whether it could be had: somebody else is at it otherwise.
    pub(crate) async fn is_free(self, tx: &mut PgConnection) -> Result<bool, Error> {
        sqlx::query("/* turns::is_free */ SELECT FROM turns WHERE what = $1 FOR UPDATE SKIP LOCKED")
            .bind(self.name())
            .fetch_optional(tx)
            .await
            .map(|row| row.is_some())
            .map_err(Error::database("turns::is_free"))
    }
}
