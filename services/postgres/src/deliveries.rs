//! Receivers of notices: how far each was told, by whom, and what was given up.
//!
//! A receiver is held by one process at a time, for as long as it says so again and again; who takes it over raises the
//! epoch, and whoever held it before moves it no more. Delivery is at least once: what was sent and not noted is sent
//! again, under the same id.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::notices::Numbered;
use crate::sql_types::At;

/// A receiver that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub receiver: SmolStr,
    pub epoch: i64,
    /// The last notice that is settled.
    pub number: i64,
}

/// Takes a receiver over, if nobody holds it. A new one begins after the notices that there are: nobody wants to be told
/// of the past.
pub async fn hold(
    tx: &mut PgConnection,
    receiver: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Held>, Error> {
    sqlx::query(
        "/* deliveries::hold */ INSERT INTO deliveries (receiver, epoch, number, held_until, moved_at)
         SELECT $1, 0, coalesce(max(number), 0), '-infinity', $2 FROM notices
         ON CONFLICT (receiver) DO NOTHING",
    )
    .bind(receiver)
    .bind(At(now))
    .execute(&mut *tx)
    .await
    .map_err(Error::database("deliveries::hold"))?;
    let row = sqlx::query(
        "/* deliveries::hold */ UPDATE deliveries SET epoch = epoch + 1, held_until = $3
          WHERE receiver = $1 AND held_until <= $2 RETURNING epoch, number",
    )
    .bind(receiver)
    .bind(At(now))
    .bind(At(until))
    .fetch_optional(tx)
    .await
    .map_err(Error::database("deliveries::hold"))?;
    Ok(row.map(|row| Held { receiver: receiver.into(), epoch: row.get(0), number: row.get(1) }))
}

/// Goes on holding a receiver, and notes how far it was told. False: somebody else holds it.
pub async fn advance(
    tx: &mut PgConnection,
    held: &Held,
    delivered: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "/* deliveries::advance */ UPDATE deliveries SET held_until = $5, delivered = delivered + $4,
                moved_at = CASE WHEN number = $3 THEN moved_at ELSE $6 END, number = $3
          WHERE receiver = $1 AND epoch = $2 AND number <= $3",
    )
    .bind(held.receiver.as_str())
    .bind(held.epoch)
    .bind(held.number)
    .bind(delivered)
    .bind(At(until))
    .bind(At(now))
    .execute(tx)
    .await
    .map_err(Error::database("deliveries::advance"))?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a notice was given up.
pub async fn give_up(
    tx: &mut PgConnection,
    receiver: &str,
    number: i64,
    why: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "/* deliveries::give_up */ INSERT INTO undelivered (receiver, number, given_up_at, why)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (receiver, number) DO UPDATE SET given_up_at = $3, why = $4, again = false",
    )
    .bind(receiver)
    .bind(number)
    .bind(At(now))
    .bind(why)
    .execute(tx)
    .await
    .map_err(Error::database("deliveries::give_up"))?;
    Ok(())
}

/// Notices that somebody asked to be sent again, in order.
pub async fn again(tx: &mut PgConnection, receiver: &str, limit: i64) -> Result<Vec<Numbered>, Error> {
    let rows = sqlx::query(
        "/* deliveries::again */ SELECT notices.number, notice_id, written_at, kind, case_id, department, event
           FROM undelivered JOIN notices USING (number)
          WHERE receiver = $1 AND again ORDER BY number LIMIT $2",
    )
    .bind(receiver)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("deliveries::again"))?;
    rows.iter().map(crate::notices::read).collect()
}

/// A notice that had been given up was delivered.
pub async fn settle(tx: &mut PgConnection, receiver: &str, number: i64) -> Result<(), Error> {
    sqlx::query("/* deliveries::settle */ DELETE FROM undelivered WHERE receiver = $1 AND number = $2")
        .bind(receiver)
        .bind(number)
        .execute(tx)
        .await
        .map_err(Error::database("deliveries::settle"))?;
    Ok(())
}

/// Asks for everything that was given up to be sent again; how much that is. What is older than the notices are kept is
/// gone, and is forgotten here.
pub async fn ask_again(tx: &mut PgConnection, receiver: &str) -> Result<u64, Error> {
    sqlx::query(
        "/* deliveries::ask_again */ DELETE FROM undelivered
          WHERE receiver = $1 AND NOT EXISTS (SELECT FROM notices WHERE notices.number = undelivered.number)",
    )
    .bind(receiver)
    .execute(&mut *tx)
    .await
    .map_err(Error::database("deliveries::ask_again"))?;
    let done =
        sqlx::query("/* deliveries::ask_again */ UPDATE undelivered SET again = true WHERE receiver = $1")
            .bind(receiver)
            .execute(tx)
            .await
            .map_err(Error::database("deliveries::ask_again"))?;
    Ok(done.rows_affected())
}

/// How a receiver stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub receiver: SmolStr,
    pub number: i64,
    /// Notices that it has not been told.
    pub behind: i64,
    /// The oldest of them.
    pub oldest_at: Option<Timestamp>,
    pub delivered: i64,
    pub undelivered: i64,
    /// What one of those was given up for last.
    pub why: Option<String>,
}

/// All receivers that were ever told anything.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Receiver>, Error> {
    let rows = sqlx::query(
        "/* deliveries::list */ SELECT receiver, number, delivered,
                (SELECT count(*) FROM notices WHERE notices.number > deliveries.number),
                (SELECT min(written_at) FROM notices WHERE notices.number > deliveries.number),
                (SELECT count(*) FROM undelivered WHERE undelivered.receiver = deliveries.receiver),
                (SELECT why FROM undelivered WHERE undelivered.receiver = deliveries.receiver
                  ORDER BY given_up_at DESC LIMIT 1)
           FROM deliveries ORDER BY receiver",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("deliveries::list"))?;
    let read = |row: &sqlx::postgres::PgRow| Receiver {
        receiver: row.get::<&str, _>(0).into(),
        number: row.get(1),
        delivered: row.get(2),
        behind: row.get(3),
        oldest_at: row.get::<Option<At>, _>(4).map(|at| at.0),
        undelivered: row.get(5),
        why: row.get(6),
    };
    Ok(rows.iter().map(read).collect())
}
