//! Who took what away, and who saw whom. Append-only; how far an export came is kept beside it.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, Row as _};

use crate::error::{Error, expect_rows};
use crate::sql_types::At;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor<'a> {
    /// The name of the token, or of the user of the command.
    pub name: &'a str,
    pub role: &'a str,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    pub at: Timestamp,
    pub actor: Actor<'a>,
    /// `exported`, `unmasked`, `token_created`, `token_revoked`.
    pub step: &'static str,
    pub subject: &'a str,
    /// Codes and days, and the seed of a sample.
    pub filter: Value,
    pub why: Option<&'a str>,
}

/// An entry as it is listed, with what became of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub role: String,
    pub step: String,
    pub subject: String,
    pub filter: Value,
    pub why: Option<String>,
    pub export: Option<Export>,
}

/// How far an export came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub id: i64,
    pub format: String,
    /// `running`, or how it ended: see [`Ended`].
    pub state: String,
    pub rows_done: i64,
    /// None: that could not be told.
    pub rows_about: Option<i64>,
    pub ended_at: Option<Timestamp>,
}

/// How an export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Broken,
    /// It broke off because whoever asked for it took nothing for a while.
    Idle,
}

impl Ended {
    pub fn name(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Broken => "broken",
            Ended::Idle => "idle",
        }
    }
}

/// Notes what somebody does; its number.
pub async fn append(tx: &mut PgConnection, entry: &Entry<'_>) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* access::append */ INSERT INTO access_log (at, actor, role, step, subject, filter, why)
         VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7) RETURNING id",
    )
    .bind(At(entry.at))
    .bind(entry.actor.name)
    .bind(entry.actor.role)
    .bind(entry.step)
    .bind(entry.subject)
    .bind(entry.filter.to_string())
    .bind(entry.why)
    .fetch_one(tx)
    .await
    .map_err(Error::database("access::append"))
}

/// At most `limit` entries before a number, the newest first.
pub async fn page(tx: &mut PgConnection, before: Option<i64>, limit: i64) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(
        "/* access::page */ SELECT access_log.id, at, actor, role, step, subject, filter::text, why,
                format, state, rows_done, rows_about, ended_at
           FROM access_log LEFT JOIN exports USING (id)
          WHERE access_log.id < $1 ORDER BY access_log.id DESC LIMIT $2",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("access::page"))?;
    rows.iter().map(listed).collect()
}

/// One entry.
pub async fn by_id(tx: &mut PgConnection, id: i64) -> Result<Option<Listed>, Error> {
    let row = sqlx::query(
        "/* access::by_id */ SELECT access_log.id, at, actor, role, step, subject, filter::text, why,
                format, state, rows_done, rows_about, ended_at
           FROM access_log LEFT JOIN exports USING (id) WHERE access_log.id = $1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("access::by_id"))?;
    row.as_ref().map(listed).transpose()
}

/// Those of these entries that there are.
pub async fn by_ids(tx: &mut PgConnection, ids: &[i64]) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(
        "/* access::by_ids */ SELECT access_log.id, at, actor, role, step, subject, filter::text, why,
                format, state, rows_done, rows_about, ended_at
           FROM access_log LEFT JOIN exports USING (id) WHERE access_log.id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(Error::database("access::by_ids"))?;
    rows.iter().map(listed).collect()
}

fn listed(row: &sqlx::postgres::PgRow) -> Result<Listed, Error> {
    let id = row.get(0);
    let export = row.get::<Option<String>, _>(8).map(|format| Export {
        id,
        format,
        state: row.get(9),
        rows_done: row.get(10),
        rows_about: row.get(11),
        ended_at: row.get::<Option<At>, _>(12).map(|at| at.0),
    });
    Ok(Listed {
        id,
        at: row.get::<At, _>(1).0,
        actor: row.get(2),
        role: row.get(3),
        step: row.get(4),
        subject: row.get(5),
        filter: serde_json::from_str(row.get(6))
            .map_err(|_| Error::Malformed { what: "the filter of an access" })?,
        why: row.get(7),
        export,
    })
}

/// Begins an export that was noted under this number.
pub async fn begin_export(
    tx: &mut PgConnection,
    id: i64,
    format: &str,
    rows_about: Option<i64>,
) -> Result<(), Error> {
    sqlx::query(
        "/* access::begin_export */ INSERT INTO exports (id, format, state, rows_done, rows_about)
         VALUES ($1, $2, 'running', 0, $3)",
    )
    .bind(id)
    .bind(format)
    .bind(rows_about)
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("access::begin_export"))
}

/// How far an export is.
pub async fn advance_export(tx: &mut PgConnection, id: i64, rows_done: i64) -> Result<(), Error> {
    let done = sqlx::query(
        "/* access::advance_export */ UPDATE exports SET rows_done = $2 WHERE id = $1 AND state = 'running'",
    )
    .bind(id)
    .bind(rows_done)
    .execute(tx)
    .await
    .map_err(Error::database("access::advance_export"))?;
    expect_rows("access::advance_export", 1, done.rows_affected())
}

/// Ends an export, whole or not.
pub async fn end_export(
    tx: &mut PgConnection,
    id: i64,
    ended: Ended,
    rows_done: i64,
    at: Timestamp,
) -> Result<(), Error> {
    let done = sqlx::query(
        "/* access::end_export */ UPDATE exports SET state = $2, rows_done = $3, ended_at = $4
          WHERE id = $1 AND state = 'running'",
    )
    .bind(id)
    .bind(ended.name())
    .bind(rows_done)
    .bind(At(at))
    .execute(tx)
    .await
    .map_err(Error::database("access::end_export"))?;
    expect_rows("access::end_export", 1, done.rows_affected())
}

/// Exports that run, by what is kept of them: those of a process that died are among them.
pub async fn running(tx: &mut PgConnection) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(
        "/* access::running */ SELECT access_log.id, at, actor, role, step, subject, filter::text, why,
                format, state, rows_done, rows_about, ended_at
           FROM exports JOIN access_log USING (id) WHERE state = 'running' ORDER BY id",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("access::running"))?;
    rows.iter().map(listed).collect()
}
