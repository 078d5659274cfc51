//! Settled results that another rulebook or another fold changed: what they were, what they are.

use hotline_core::fact::Role;
use hotline_core::rulebook::{Basis, Rulebook};
use hotline_core::score::{Cell, Score, Series, TallyKey};
use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::cases::{Loaded, fold_version};
use crate::copy::Rows;
use crate::error::Error;
use crate::sql_types::{At, On};
use crate::tallies::{Difference, differences};

/// A case with changed settled results.
#[derive(Clone, Debug)]
pub struct Restatement {
    pub case_id: SmolStr,
    pub from_rulebook_seq: i64,
    pub from_fold_version: i32,
    pub to_rulebook_seq: i64,
    /// `stored` is what the case had added, `scored` what it adds now.
    pub changes: Vec<Difference>,
}

/// A score and the rulebook that it was made by.
pub type Judged<'a> = (&'a Score, &'a Rulebook);

impl Restatement {
    /// What of the closed rounds differs between the stored score and a new one; None if nothing does. Only what
    /// both rulebooks ask for can have changed: an integer that nobody asked for before is no restatement.
    pub fn between(
        loaded: &Loaded,
        (old, before): Judged<'_>,
        (new, after): Judged<'_>,
        to_rulebook_seq: i64,
    ) -> Option<Self> {
        let mut changes = differences(settled(old), settled(new));
        changes
            .retain(|change| before.asked.needs(&change.key.series) && after.asked.needs(&change.key.series));
        (!changes.is_empty()).then(|| Self {
            case_id: loaded.case_id.clone(),
            from_rulebook_seq: loaded.rulebook_seq,
            from_fold_version: loaded.fold_version,
            to_rulebook_seq,
            changes,
        })
    }
}

/// The integers of a score's closed rounds.
fn settled(score: &Score) -> std::collections::BTreeMap<TallyKey, i64> {
    let contributions = score.settled().cloned().collect();
    Score { hotline: score.hotline.clone(), contributions, open_clocks: Vec::new() }.tallies()
}

pub async fn append(
    tx: &mut PgConnection,
    restatements: &[Restatement],
    now: Timestamp,
) -> Result<(), Error> {
    let mut rows = Rows::new(16);
    for restatement in restatements {
        for change in &restatement.changes {
            let (series, cell) = (&change.key.series, &change.key.series.cell);
            rows.row()
                .at(now)
                .text(&restatement.case_id)
                .integer(restatement.from_rulebook_seq)
                .integer(restatement.to_rulebook_seq)
                .small(restatement.from_fold_version)
                .small(fold_version())
                .text(series.basis.name())
                .on(change.key.day)
                .text(&cell.hotline)
                .text(&cell.case_type)
                .text(&cell.class)
                .text(&cell.department)
                .text(cell.role.name())
                .text(&series.measure)
                .integer(change.stored)
                .integer(change.scored);
        }
    }
    let statement = "/* restatements::append */ COPY restatements (restated_at, case_id, from_rulebook_seq,
        to_rulebook_seq, from_fold_version, to_fold_version, basis, day, hotline, case_type, class, department,
        role, measure, old_value, new_value) FROM STDIN (FORMAT binary)";
    rows.send(tx, "restatements::append", statement).await
}

/// How many cases were restated by the activation of a rulebook, and when last.
pub async fn count(tx: &mut PgConnection, to_rulebook_seq: i64) -> Result<(i64, Option<Timestamp>), Error> {
    let row = sqlx::query(
        "/* restatements::count */ SELECT count(DISTINCT case_id), max(restated_at)
           FROM restatements WHERE to_rulebook_seq = $1",
    )
    .bind(to_rulebook_seq)
    .fetch_one(tx)
    .await
    .map_err(Error::database("restatements::count"))?;
    Ok((row.get(0), row.get::<Option<At>, _>(1).map(|at| at.0)))
}

/// A change of a settled result, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub restated_at: Timestamp,
    pub case_id: SmolStr,
    pub from_rulebook_seq: i64,
    pub to_rulebook_seq: i64,
    pub series: Series,
    pub day: Date,
    pub old_value: i64,
    pub new_value: i64,
}

/// Rows that are read at once.
const PAGE: usize = 10_000;

/// What was restated after an instant on days from `days.0` to before `days.1`, of the series that `takes` takes, in order;
/// at most `limit` rows.
pub async fn since(
    tx: &mut PgConnection,
    since: Timestamp,
    days: (Date, Date),
    limit: usize,
    takes: impl Fn(&Series) -> bool,
) -> Result<Vec<Listed>, Error> {
    let (mut found, mut after) = (Vec::new(), 0_i64);
    loop {
        let rows = sqlx::query(
            "/* restatements::since */ SELECT id, restated_at, case_id, from_rulebook_seq, to_rulebook_seq, day, old_value,
                new_value, basis, measure, department, role, hotline, case_type, class
               FROM restatements WHERE restated_at > $1 AND day >= $2 AND day < $3 AND id > $4 ORDER BY id LIMIT $5",
        )
        .bind(At(since))
        .bind(On(days.0))
        .bind(On(days.1))
        .bind(after)
        .bind(i64::try_from(PAGE).expect("it is small"))
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("restatements::since"))?;
        for row in &rows {
            after = row.get(0);
            let one = listed(row)?;
            if takes(&one.series) {
                found.push(one);
            }
            if found.len() == limit {
                return Ok(found);
            }
        }
        if rows.len() < PAGE {
            return Ok(found);
        }
    }
}

fn listed(row: &PgRow) -> Result<Listed, Error> {
    let malformed = |what| move || Error::Malformed { what };
    let code = |column: usize| SmolStr::from(row.get::<&str, _>(column));
    Ok(Listed {
        restated_at: row.get::<At, _>(1).0,
        case_id: code(2),
        from_rulebook_seq: row.get(3),
        to_rulebook_seq: row.get(4),
        day: row.get::<On, _>(5).0,
        old_value: row.get(6),
        new_value: row.get(7),
        series: Series {
            basis: Basis::parse(row.get(8)).ok_or_else(malformed("the basis of a restatement"))?,
            measure: code(9),
            cell: Cell {
                department: code(10),
                role: Role::parse(row.get(11)).ok_or_else(malformed("the role of a restatement"))?,
                hotline: code(12),
                case_type: code(13),
                class: code(14),
            },
        },
    })
}
