//! What people did to sources and positions, and what casework did to a source by itself. Append-only.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::error::Error;
use crate::sql_types::At;

/// Who does something by hand, and why.
#[derive(Clone, Copy, Debug)]
pub struct By<'b> {
    /// As they call themselves.
    pub operator: &'b str,
    pub why: &'b str,
    pub at: Timestamp,
}

/// Who casework is where it does something by itself.
pub const CASEWORK: &str = "hotline";

/// Notes a step; `before` is what a position was.
pub(crate) async fn note(
    tx: &mut PgConnection,
    subject: &str,
    step: &str,
    by: &By<'_>,
    before: Option<Value>,
) -> Result<(), Error> {
    sqlx::query(
        "/* interventions::note */ INSERT INTO interventions (at, subject, step, operator, why, before)
         VALUES ($1, $2, $3, $4, $5, $6::text::jsonb)",
    )
    .bind(At(by.at))
    .bind(subject)
    .bind(step)
    .bind(by.operator)
    .bind(by.why)
    .bind(before.unwrap_or_else(|| json!({})).to_string())
    .execute(tx)
    .await
    .map_err(Error::database("interventions::note"))?;
    Ok(())
}
