//! What tables of rates are filled with: sums of tallies, and what open clocks are doing.

use hotline_core::rate::Table;
use hotline_postgres::tallies::Measures;
use hotline_postgres::{Error, PgConnection, cases, tallies};
use jiff::Timestamp;
use jiff::civil::Date;

/// Days from the first to before the second.
type Days = (Date, Date);

/// Adds to empty tables what stands in the database, each over its days, as of an instant. In a snapshot all of them agree.
pub(crate) async fn read(
    tx: &mut PgConnection,
    tables: &mut [(Days, &mut Table<'_>)],
    as_of: Timestamp,
) -> Result<(), Error> {
    // Tables of the same days share what is read; they stand one behind the other.
    for of_days in tables.chunk_by_mut(|(one, _), (next, _)| one == next) {
        let mut measures = Measures::new();
        for (basis, names) in of_days.iter().flat_map(|(_, table)| table.needs()) {
            measures.entry(basis).or_default().extend(names);
        }
        let sums = tallies::sums(tx, of_days[0].0, &measures).await?;
        for (basis, measure, cells) in sums.measures() {
            let cells: Vec<_> = cells.collect();
            for (_, table) in of_days.iter_mut() {
                let weights = table.weights(basis, measure);
                if !weights.is_empty() {
                    for (cell, value) in &cells {
                        table.add_weighed(&weights, cell, *value);
                    }
                }
            }
        }
    }
    let asked = tables.iter().map(|(_, table)| table.needs_open()).max().unwrap_or_default();
    cases::open_clocks(tx, asked, as_of, |open| {
        for (_, table) in tables.iter_mut() {
            table.add_open(open, as_of);
        }
    })
    .await
}
