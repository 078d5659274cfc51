//! Dead letters: input refused, kept with its bytes sealed, its origin and the reason.

use hotline_core::fact::EventKey;
use hotline_events::Fault;
use hotline_events::intake::Reason;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::{Error, expect_rows};
use crate::seal::{MasterKey, Personal};
use crate::sql_types::At;

/// A letter to keep.
#[derive(Clone, Debug)]
pub struct NewLetter<'l> {
    pub origin: &'l str,
    pub origin_offset: i64,
    pub received_at: Timestamp,
    pub reason: Reason,
    pub faults: &'l [Fault],
    /// Where the rulebook knows it.
    pub source: Option<&'l str>,
    /// Of the event refused, where it could be told.
    pub event_key: Option<EventKey>,
    /// … and its case, where the rulebook knows its source.
    pub case_id: Option<&'l str>,
    pub sealed: Vec<u8>,
}

/// What has been done about a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Redriven,
    Discarded,
    Fixed,
}

impl State {
    pub const ALL: [State; 4] = [State::Open, State::Redriven, State::Discarded, State::Fixed];

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Redriven => "redriven",
            State::Discarded => "discarded",
            State::Fixed => "fixed",
        }
    }

    pub fn parse(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A letter as it is shown: no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub id: i64,
    pub origin: String,
    pub origin_offset: i64,
    pub received_at: Timestamp,
    pub reason: String,
    /// (pointer, code)
    pub faults: Vec<(String, String)>,
    pub source: Option<String>,
    pub case_id: Option<String>,
    pub state: State,
}

/// How many open letters there are of one reason and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub reason: String,
    pub source: Option<String>,
    pub letters: i64,
    pub first_received_at: Timestamp,
    pub last_received_at: Timestamp,
}

pub async fn append(tx: &mut PgConnection, letters: &[NewLetter<'_>]) -> Result<(), Error> {
    let mut rows = Rows::new(9);
    for letter in letters {
        let fault = |fault: &Fault| json!({ "pointer": fault.pointer, "code": fault.code });
        rows.row()
            .text(letter.origin)
            .integer(letter.origin_offset)
            .at(letter.received_at)
            .text(letter.reason.code())
            .jsonb(&letter.faults.iter().map(fault).collect())
            .optional_text(letter.source)
            .bytes(&letter.sealed)
            .optional_bytes(letter.event_key.as_ref().map(|key| key.0.as_slice()))
            .optional_text(letter.case_id);
    }
    let statement =
        "/* dead_letters::append */ COPY dead_letters (origin, origin_offset, received_at, reason,
        faults, source, sealed, event_key, case_id) FROM STDIN (FORMAT binary)";
    rows.send(tx, "dead_letters::append", statement).await
}

/// The newest letter of an event of a case, whatever its state; None if it never was refused.
pub async fn of_event(
    tx: &mut PgConnection,
    key: EventKey,
    case_id: Option<&str>,
) -> Result<Option<Letter>, Error> {
    let row = sqlx::query(
        "/* dead_letters::of_event */ SELECT id, origin, origin_offset, received_at, reason, faults::text, source,
                state, case_id
           FROM dead_letters WHERE event_key = $1 AND case_id IS NOT DISTINCT FROM $2 ORDER BY id DESC LIMIT 1",
    )
    .bind(key.0.as_slice())
    .bind(case_id)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("dead_letters::of_event"))?;
    row.as_ref().map(letter).transpose()
}

/// The open letters by reason and source, the most first.
pub async fn groups(tx: &mut PgConnection) -> Result<Vec<Group>, Error> {
    let rows = sqlx::query(
        "/* dead_letters::groups */ SELECT reason, source, count(*), min(received_at), max(received_at)
           FROM dead_letters WHERE state = 'open' GROUP BY reason, source ORDER BY 3 DESC, 1, 2",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("dead_letters::groups"))?;
    let group = |row: &PgRow| Group {
        reason: row.get(0),
        source: row.get(1),
        letters: row.get(2),
        first_received_at: row.get::<At, _>(3).0,
        last_received_at: row.get::<At, _>(4).0,
    };
    Ok(rows.iter().map(group).collect())
}

/// Letters after an id, of one reason or of all, whatever their state.
pub async fn list(
    tx: &mut PgConnection,
    reason: Option<Reason>,
    after: i64,
    limit: i64,
) -> Result<Vec<Letter>, Error> {
    let rows = sqlx::query(
        "/* dead_letters::list */ SELECT id, origin, origin_offset, received_at, reason, faults::text, source, state,
                case_id
           FROM dead_letters WHERE id > $1 AND ($2::text IS NULL OR reason = $2) ORDER BY id LIMIT $3",
    )
    .bind(after)
    .bind(reason.map(Reason::code))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("dead_letters::list"))?;
    rows.iter().map(letter).collect()
}

/// One letter and its bytes, opened; None if there is none of this id.
pub async fn show(
    tx: &mut PgConnection,
    master: &MasterKey,
    id: i64,
) -> Result<Option<(Letter, Personal<Vec<u8>>)>, Error> {
    let row = sqlx::query(
        "/* dead_letters::show */ SELECT id, origin, origin_offset, received_at, reason, faults::text, source,
                state, case_id, sealed
           FROM dead_letters WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("dead_letters::show"))?;
    let Some(row) = row else { return Ok(None) };
    let letter = letter(&row)?;
    let bytes = master.open_letter(&letter.origin, letter.origin_offset, row.get(9))?;
    Ok(Some((letter, bytes)))
}

/// Says what was done about an open letter.
pub async fn settle(tx: &mut PgConnection, id: i64, state: State, now: Timestamp) -> Result<(), Error> {
    let done = sqlx::query(
        "/* dead_letters::settle */ UPDATE dead_letters SET state = $2, state_at = $3 WHERE id = $1 AND state = 'open'",
    )
    .bind(id)
    .bind(state.name())
    .bind(At(now))
    .execute(tx)
    .await
    .map_err(Error::database("dead_letters::settle"))?;
    expect_rows("dead_letters::settle", 1, done.rows_affected())
}

fn letter(row: &PgRow) -> Result<Letter, Error> {
    let malformed = || Error::Malformed { what: "a dead letter" };
    let faults: Vec<Value> = serde_json::from_str(row.get(5)).map_err(|_| malformed())?;
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
    Ok(Letter {
        id: row.get(0),
        origin: row.get(1),
        origin_offset: row.get(2),
        received_at: row.get::<At, _>(3).0,
        reason: row.get(4),
        faults: faults.iter().map(|fault| (text(fault, "pointer"), text(fault, "code"))).collect(),
        source: row.get(6),
        state: State::parse(row.get(7)).ok_or_else(malformed)?,
        case_id: row.get(8),
    })
}
