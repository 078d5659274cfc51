//! How the open cases stand: what gauges show. Indicative; exact rates are made of tallies.

use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::At;

/// The open cases of a department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who leads; `-` where nobody does.
    pub department: SmolStr,
    pub open: i64,
    /// … of which the closure clock is past its deadline.
    pub overdue: i64,
}

/// The registered open cases by department, in its order.
pub async fn by_department(tx: &mut PgConnection, as_of: Timestamp) -> Result<Vec<Standing>, Error> {
    let rows = sqlx::query(
        "/* standing::by_department */
         SELECT coalesce(department, '-'), count(*), count(*) FILTER (WHERE due_at < $1)
           FROM cases WHERE closed_at IS NULL AND registered GROUP BY 1 ORDER BY 1",
    )
    .bind(At(as_of))
    .fetch_all(tx)
    .await
    .map_err(Error::database("standing::by_department"))?;
    let standing = |row: &sqlx::postgres::PgRow| Standing {
        department: row.get::<&str, _>(0).into(),
        open: row.get(1),
        overdue: row.get(2),
    };
    Ok(rows.iter().map(standing).collect())
}
