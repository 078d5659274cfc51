//! Dead letters: input refused, kept with its bytes sealed, its origin and the reason.

use hotline_core::fact::EventKey;
use hotline_events::Fault;
use hotline_events::intake::{Outcome, Reason};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::{Error, expect_rows};
use crate::interventions::By;
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
    /// Its bytes are gone.
    Erased,
}

impl State {
    pub const ALL: [State; 5] = [State::Open, State::Redriven, State::Discarded, State::Fixed, State::Erased];

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Redriven => "redriven",
            State::Discarded => "discarded",
            State::Fixed => "fixed",
            State::Erased => "erased",
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
    /// How often it was tried again and refused again.
    pub redrives: i32,
}

/// What somebody does about a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its bytes were looked at.
    Opened,
    Redriven,
    Fixed,
    Discarded,
    Erased,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Opened => "opened",
            Step::Redriven => "redriven",
            Step::Fixed => "fixed",
            Step::Discarded => "discarded",
            Step::Erased => "erased",
        }
    }
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub at: Timestamp,
    pub step: String,
    pub operator: String,
    pub why: String,
    pub outcome: Option<String>,
}

/// A letter that was refused so often when it was tried again is tried only if it is named: else what cannot succeed
/// would go round for ever.
pub const REDRIVES_MAX: i32 = 3;

/// Which letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub reason: Option<Reason>,
    pub source: Option<String>,
    /// None: whatever has been done about them.
    pub state: Option<State>,
    /// Only those tried again fewer times than this.
    pub redrives_below: Option<i32>,
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

impl Letter {
    /// For people and programs; no bytes.
    pub fn shown(&self) -> Value {
        let fault = |(pointer, code): &(String, String)| json!({ "pointer": pointer, "code": code });
        json!({
            "id": self.id,
            "origin": self.origin,
            "offset": self.origin_offset,
            "received_at": self.received_at.to_string(),
            "reason": self.reason,
            "faults": self.faults.iter().map(fault).collect::<Value>(),
            "source": self.source,
            "case": self.case_id,
            "state": self.state.name(),
            "redrives": self.redrives,
        })
    }
}

impl Group {
    pub fn shown(&self) -> Value {
        json!({
            "reason": self.reason,
            "source": self.source,
            "letters": self.letters,
            "first_received_at": self.first_received_at.to_string(),
            "last_received_at": self.last_received_at.to_string(),
        })
    }
}

impl Taken {
    pub fn shown(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "step": self.step,
            "operator": self.operator,
            "why": self.why,
            "outcome": self.outcome,
        })
    }
}

pub async fn append(tx: &mut PgConnection, letters: &[NewLetter<'_>]) -> Result<(), Error> {
    let mut rows = Rows::new(9);
    for letter in letters {
        rows.row()
            .text(letter.origin)
            .integer(letter.origin_offset)
            .at(letter.received_at)
            .text(letter.reason.code())
            .jsonb(&faults_shown(letter.faults))
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
                state, case_id, redrives
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

/// Letters after an id, oldest first.
pub async fn list(
    tx: &mut PgConnection,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Letter>, Error> {
    let rows = sqlx::query(
        "/* dead_letters::list */ SELECT id, origin, origin_offset, received_at, reason, faults::text, source, state,
                case_id, redrives
           FROM dead_letters
          WHERE id > $1 AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR source = $3)
            AND ($4::text IS NULL OR state = $4) AND ($5::integer IS NULL OR redrives < $5)
          ORDER BY id LIMIT $6",
    )
    .bind(after)
    .bind(filter.reason.map(Reason::code))
    .bind(filter.source.as_deref())
    .bind(filter.state.map(State::name))
    .bind(filter.redrives_below)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("dead_letters::list"))?;
    rows.iter().map(letter).collect()
}

/// One letter and its bytes, opened; none of them where they were erased. None if there is none of this id.
pub async fn show(
    tx: &mut PgConnection,
    master: &MasterKey,
    id: i64,
) -> Result<Option<(Letter, Personal<Vec<u8>>)>, Error> {
    let row = sqlx::query(
        "/* dead_letters::show */ SELECT id, origin, origin_offset, received_at, reason, faults::text, source,
                state, case_id, redrives, sealed
           FROM dead_letters WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("dead_letters::show"))?;
    let Some(row) = row else { return Ok(None) };
    let letter = letter(&row)?;
    if letter.state == State::Erased {
        return Ok(Some((letter, Personal::new(Vec::new()))));
    }
    let bytes = master.open_letter(&letter.origin, letter.origin_offset, row.get(10))?;
    Ok(Some((letter, bytes)))
}

/// Locks an open letter; [`Error::LetterNotOpen`] if it is none.
pub async fn hold(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    let found = sqlx::query(
        "/* dead_letters::hold */ SELECT FROM dead_letters WHERE id = $1 AND state = 'open' FOR UPDATE",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("dead_letters::hold"))?;
    if found.is_some() { Ok(()) } else { Err(Error::LetterNotOpen { id }) }
}

/// Says what came of an open letter that was tried again: refused again it stays open, with the new reason; with bytes of
/// somebody's own it stays what it was, as its own bytes do.
pub(crate) async fn tried(
    tx: &mut PgConnection,
    id: i64,
    step: Step,
    outcome: &Outcome,
    by: &By<'_>,
) -> Result<(), Error> {
    let name = "dead_letters::tried";
    let code = match outcome {
        Outcome::Dead { reason, .. } if step == Step::Fixed => reason.code(),
        Outcome::Dead { reason, faults } => {
            let done = sqlx::query(
                "/* dead_letters::tried */ UPDATE dead_letters
                    SET redrives = redrives + 1, reason = $2, faults = $3::text::jsonb WHERE id = $1 AND state = 'open'",
            )
            .bind(id)
            .bind(reason.code())
            .bind(faults_shown(faults).to_string())
            .execute(&mut *tx)
            .await
            .map_err(Error::database(name))?;
            expect_rows(name, 1, done.rows_affected())?;
            reason.code()
        }
        other => {
            let state = if step == Step::Fixed { State::Fixed } else { State::Redriven };
            settle(tx, id, state, by.at).await?;
            other.code()
        }
    };
    note(tx, id, step, by, Some(code)).await
}

/// As [`list`] from the beginning: the ids of all.
pub async fn ids(tx: &mut PgConnection, filter: &Filter) -> Result<Vec<i64>, Error> {
    /// Letters read at once.
    const PAGE: i64 = 10_000;
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page = list(tx, filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        after = last.id;
        ids.extend(page.iter().map(|letter| letter.id));
    }
}

/// Gives an open letter up.
pub async fn discard(tx: &mut PgConnection, id: i64, by: &By<'_>) -> Result<(), Error> {
    hold(tx, id).await?;
    settle(tx, id, State::Discarded, by.at).await?;
    note(tx, id, Step::Discarded, by, None).await
}

/// Notes that somebody looked at a letter's bytes.
pub async fn note_opened(tx: &mut PgConnection, id: i64, by: &By<'_>) -> Result<(), Error> {
    note(tx, id, Step::Opened, by, None).await
}

/// What was done about a letter, in order.
pub async fn steps(tx: &mut PgConnection, id: i64) -> Result<Vec<Taken>, Error> {
    let rows = sqlx::query(
        "/* dead_letters::steps */ SELECT at, step, operator, why, outcome FROM dead_letter_steps
          WHERE letter_id = $1 ORDER BY id",
    )
    .bind(id)
    .fetch_all(tx)
    .await
    .map_err(Error::database("dead_letters::steps"))?;
    let taken = |row: &PgRow| Taken {
        at: row.get::<At, _>(0).0,
        step: row.get(1),
        operator: row.get(2),
        why: row.get(3),
        outcome: row.get(4),
    };
    Ok(rows.iter().map(taken).collect())
}

/// Destroys a letter's bytes, and with them the salt of their key.
pub(crate) async fn destroy(tx: &mut PgConnection, id: i64, now: Timestamp) -> Result<(), Error> {
    let done = sqlx::query(
        "/* dead_letters::destroy */ UPDATE dead_letters SET sealed = '', state = 'erased', state_at = $2
          WHERE id = $1 AND state <> 'erased'",
    )
    .bind(id)
    .bind(At(now))
    .execute(tx)
    .await
    .map_err(Error::database("dead_letters::destroy"))?;
    expect_rows("dead_letters::destroy", 1, done.rows_affected())
}

pub(crate) async fn note(
    tx: &mut PgConnection,
    id: i64,
    step: Step,
    by: &By<'_>,
    outcome: Option<&str>,
) -> Result<(), Error> {
    sqlx::query(
        "/* dead_letters::note */ INSERT INTO dead_letter_steps (letter_id, at, step, operator, why, outcome)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(At(by.at))
    .bind(step.name())
    .bind(by.operator)
    .bind(by.why)
    .bind(outcome)
    .execute(tx)
    .await
    .map_err(Error::database("dead_letters::note"))?;
    Ok(())
}

async fn settle(tx: &mut PgConnection, id: i64, state: State, now: Timestamp) -> Result<(), Error> {
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

/// Faults as they are stored and shown.
pub fn faults_shown(faults: &[Fault]) -> Value {
    faults.iter().map(|fault| json!({ "pointer": fault.pointer, "code": fault.code })).collect()
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
        redrives: row.get(9),
    })
}
