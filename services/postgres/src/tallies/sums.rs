//! Sums of tallies over days: of months that are over from the sums that stand, of other days from their tallies, and of what
//! is not merged yet from the deltas.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hotline_core::fact::{Code, Role};
use hotline_core::rulebook::Basis;
use hotline_core::score::{Cell, Series};
use jiff::civil::Date;
use sqlx::{PgConnection, Row as _};

use super::months;
use crate::error::Error;
use crate::sql_types::On;

/// The names of tallies that are asked for, by basis.
pub type Measures = BTreeMap<Basis, BTreeSet<Code>>;

/// Sums by measure and cell; none is 0.
#[derive(Debug, Default)]
pub struct Sums {
    cells: HashMap<i32, Cell>,
    of: Vec<OfMeasure>,
}

#[derive(Debug)]
struct OfMeasure {
    basis: Basis,
    measure: Code,
    /// By their numbers, each with its sum.
    cells: Vec<(i32, i64)>,
}

impl Sums {
    /// Each measure with the sums of its cells.
    pub fn measures(&self) -> impl Iterator<Item = (Basis, &Code, impl Iterator<Item = (&Cell, i64)>)> {
        self.of.iter().map(|of| {
            let cells = of.cells.iter().filter_map(|(id, value)| Some((self.cells.get(id)?, *value)));
            (of.basis, &of.measure, cells)
        })
    }

    pub fn by_series(&self) -> BTreeMap<Series, i64> {
        let mut sums = BTreeMap::new();
        for (basis, measure, cells) in self.measures() {
            for (cell, value) in cells {
                sums.insert(Series { basis, measure: measure.clone(), cell: cell.clone() }, value);
            }
        }
        sums
    }
}

/// The sums over the days from `from` to before `to`, in one snapshot if the transaction is one.
pub async fn sums(
    tx: &mut PgConnection,
    (from, to): (Date, Date),
    measures: &Measures,
) -> Result<Sums, Error> {
    let whole = months::whole(tx, (from, to)).await?;
    let days = months::days_outside(&whole, (from, to));
    let asked =
        || measures.iter().flat_map(|(basis, names)| names.iter().map(|name| (basis.name(), name.as_str())));
    let rows = sqlx::query(
        "/* tallies::sums */
         WITH asked AS (
             SELECT id, basis, measure FROM unnest($1::text[], $2::text[]) AS named (basis, measure)
               JOIN tally_measures USING (basis, measure)),
         parts AS (
             SELECT measure_id, cell_id, value FROM tally_months
              WHERE measure_id = ANY (ARRAY (SELECT id FROM asked)) AND month = ANY ($5)
             UNION ALL
             SELECT measure_id, cell_id, value FROM unnest($6::date[], $7::date[]) AS days (first, after)
              CROSS JOIN LATERAL (SELECT measure_id, cell_id, value FROM tallies
                                   WHERE measure_id = ANY (ARRAY (SELECT id FROM asked))
                                     AND day >= first AND day < after OFFSET 0) AS of_days
             UNION ALL
             SELECT measure_id, cell_id, value FROM tally_deltas
              WHERE measure_id = ANY (ARRAY (SELECT id FROM asked)) AND day >= $3 AND day < $4),
         sums AS (
             SELECT measure_id, cell_id, sum(value)::bigint AS value FROM parts GROUP BY 1, 2 HAVING sum(value) <> 0)
         SELECT basis, measure, array_agg(cell_id), array_agg(sums.value) FROM sums
           JOIN asked ON asked.id = measure_id GROUP BY 1, 2",
    )
    .bind(asked().map(|(basis, _)| basis).collect::<Vec<_>>())
    .bind(asked().map(|(_, name)| name).collect::<Vec<_>>())
    .bind(On(from))
    .bind(On(to))
    .bind(whole.iter().map(|month| On(*month)).collect::<Vec<_>>())
    .bind(days.iter().map(|(first, _)| On(*first)).collect::<Vec<_>>())
    .bind(days.iter().map(|(_, after)| On(*after)).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("tallies::sums"))?;
    let mut sums = Sums::default();
    for row in &rows {
        let basis = Basis::parse(row.get(0)).ok_or(Error::Malformed { what: "the basis of a tally" })?;
        let (ids, values): (Vec<i32>, Vec<i64>) = (row.get(2), row.get(3));
        let measure = Code::from(row.get::<&str, _>(1));
        sums.of.push(OfMeasure { basis, measure, cells: ids.into_iter().zip(values).collect() });
    }
    let ids: BTreeSet<i32> = sums.of.iter().flat_map(|of| of.cells.iter().map(|(id, _)| *id)).collect();
    sums.cells = cells(tx, ids.into_iter().collect()).await?;
    Ok(sums)
}

/// The cells of these numbers.
async fn cells(tx: &mut PgConnection, ids: Vec<i32>) -> Result<HashMap<i32, Cell>, Error> {
    let rows = sqlx::query(
        "/* tallies::cells */ SELECT id, department, role, hotline, case_type, class FROM tally_cells WHERE id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(Error::database("tallies::cells"))?;
    let text = |row: &sqlx::postgres::PgRow, at: usize| Code::from(row.get::<&str, _>(at));
    let cell = |row: &sqlx::postgres::PgRow| {
        let role = Role::parse(row.get(2)).ok_or(Error::Malformed { what: "the role of a tally" })?;
        let (department, hotline) = (text(row, 1), text(row, 3));
        Ok((row.get(0), Cell { department, role, hotline, case_type: text(row, 4), class: text(row, 5) }))
    };
    rows.iter().map(cell).collect()
}
