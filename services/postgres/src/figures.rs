//! Figures that sources report and that are not about a case; shown with their source, never mixed into ours.

use hotline_core::fact::EventKey;
use hotline_events::Figure;
use jiff::Timestamp;
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
