//! Figures that sources report and that are not about a case; shown with their source, never mixed into ours.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
use hotline_events::Figure;
use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::sql_types::{At, On};

/// A figure to store.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'f> {
    pub figure: &'f Figure,
    pub received_at: Timestamp,
    pub ledger_seq: i64,
}

/// The content tags of these figures, as far as they are known.
pub async fn tags(tx: &mut PgConnection, keys: &[EventKey]) -> Result<Vec<(EventKey, u64)>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.0.as_slice()).collect();
    let rows =
        sqlx::query("/* figures::tags */ SELECT event_key, tag FROM figures WHERE event_key = ANY($1)")
            .bind(keys)
            .fetch_all(tx)
            .await
            .map_err(Error::database("figures::tags"))?;
    let malformed = |_| Error::Malformed { what: "an event key" };
    rows.iter()
        .map(|row| {
            let key = row.get::<&[u8], _>(0).try_into().map_err(malformed)?;
            Ok((EventKey(key), row.get::<i64, _>(1).cast_unsigned()))
        })
        .collect()
}

/// Up to where the ledger is read.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k> {
    /// By origin, the next offset to read.
    pub positions: &'k BTreeMap<String, i64>,
    pub ledger_below: i64,
}

/// What was reported of some measures for days from `days.0` to before `days.1`, by measure and department, added up; of
/// one hotline where `hotlines` names any. `known`: only what was known then.
pub async fn sums(
    tx: &mut PgConnection,
    measures: &[SmolStr],
    hotlines: &[SmolStr],
    days: (Date, Date),
    known: Option<Known<'_>>,
) -> Result<Vec<(SmolStr, Option<SmolStr>, f64)>, Error> {
    if measures.is_empty() {
        return Ok(Vec::new());
    }
    let texts = |codes: &[SmolStr]| codes.iter().map(SmolStr::to_string).collect::<Vec<_>>();
    // In one order, since sums of decimals depend on it.
    let rows = sqlx::query(
        "/* figures::sums */ SELECT measure, figures.department, sum(value ORDER BY figures.event_key) FROM figures
          WHERE measure = ANY($1) AND day >= $2 AND day < $3 AND (cardinality($4::text[]) = 0 OR hotline = ANY($4))
            AND ($5::bigint IS NULL OR ledger_seq < $5 AND EXISTS (
                SELECT FROM ledger JOIN unnest($6::text[], $7::bigint[]) AS read (origin, next_offset) USING (origin)
                 WHERE ledger.seq = ledger_seq AND origin_offset < next_offset))
          GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .bind(texts(measures))
    .bind(On(days.0))
    .bind(On(days.1))
    .bind(texts(hotlines))
    .bind(known.map(|known| known.ledger_below))
    .bind(known.map(|known| known.positions.keys().cloned().collect::<Vec<_>>()).unwrap_or_default())
    .bind(known.map(|known| known.positions.values().copied().collect::<Vec<_>>()).unwrap_or_default())
    .fetch_all(tx)
    .await
    .map_err(Error::database("figures::sums"))?;
    let sum = |row: &sqlx::postgres::PgRow| {
        (row.get::<&str, _>(0).into(), row.get::<Option<&str>, _>(1).map(SmolStr::from), row.get(2))
    };
    Ok(rows.iter().map(sum).collect())
}

/// Stores figures that [`tags`] did not find, sorted by key.
pub async fn insert(tx: &mut PgConnection, figures: &[Reported<'_>]) -> Result<(), Error> {
    if figures.is_empty() {
        return Ok(());
    }
    let name = "figures::insert";
    let each = || figures.iter().map(|reported| reported.figure);
    let done = sqlx::query(
        "/* figures::insert */ INSERT INTO figures (event_key, source, measure, day, value, department, hotline,
            claimed_at, received_at, tag, ledger_seq)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::date[], $5::float8[], $6::text[],
            $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[])
         ON CONFLICT (event_key) DO NOTHING",
    )
    .bind(each().map(|figure| figure.key.0.as_slice()).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.source.as_str()).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.measure.as_str()).collect::<Vec<_>>())
    .bind(each().map(|figure| On(figure.day)).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.value).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.department.as_deref()).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.hotline.as_deref()).collect::<Vec<_>>())
    .bind(each().map(|figure| At(figure.claimed_at)).collect::<Vec<_>>())
    .bind(figures.iter().map(|reported| At(reported.received_at)).collect::<Vec<_>>())
    .bind(each().map(|figure| figure.tag.cast_signed()).collect::<Vec<_>>())
    .bind(figures.iter().map(|reported| reported.ledger_seq).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    let (expected, found) = (figures.len() as u64, done.rows_affected());
    if expected == found { Ok(()) } else { Err(Error::Raced { name, expected, found }) }
}
