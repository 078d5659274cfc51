//! Bulletins that were published: frozen figures and what it takes to make the same again. Append-only, by trigger.

use std::collections::BTreeMap;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::Error;
use crate::interventions::By;
use crate::sql_types::At;

/// The form that a bulletin was made in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormStamp {
    pub id: SmolStr,
    pub version: u32,
    /// SHA-256 of `text`, in hexadecimal.
    pub hash: String,
    pub text: String,
}

/// What it takes to make the same figures again.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    pub form: FormStamp,
    /// As it was asked for.
    pub period: String,
    /// Days from the first to before the second.
    pub spans: BTreeMap<Span, (Date, Date)>,
    pub rulebook_seq: i64,
    pub rulebook_hash: SmolStr,
    pub fold_version: u32,
    /// By rate and score, those that scores are made of included, the version of its definition.
    pub definitions: BTreeMap<SmolStr, u32>,
    /// By origin, the next offset to read.
    pub positions: BTreeMap<String, i64>,
    /// What stands below this number in the ledger was known, and nothing else; None of what is not to be published.
    pub ledger_below: Option<i64>,
    /// What open clocks were doing is as of this instant.
    pub as_of: Timestamp,
}

/// A bulletin that is to be published.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub stamp: Stamp,
    pub figures: Figures,
    /// `[{"annex", "rows"}]`, without personal data.
    pub annexes: Value,
}

/// One that was.
#[derive(Clone, Debug)]
pub struct Published {
    pub id: i64,
    pub published_at: Timestamp,
    pub operator: String,
    pub why: String,
    pub frozen: Frozen,
}

/// … as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: i64,
    pub published_at: Timestamp,
    pub operator: String,
    pub why: String,
    pub form: String,
    pub form_version: i32,
    pub period: String,
    /// Its days, from the first to before the second.
    pub days: Option<(Date, Date)>,
    pub as_of: Timestamp,
    pub rulebook_hash: String,
}

/// Publishes a bulletin; its number.
pub async fn publish(tx: &mut PgConnection, frozen: &Frozen, by: &By<'_>) -> Result<i64, Error> {
    let name = "bulletins::publish";
    let stamp = &frozen.stamp;
    let spans: serde_json::Map<String, Value> = stamp
        .spans
        .iter()
        .map(|(span, (from, to))| {
            (span.name().to_owned(), serde_json::json!([from.to_string(), to.to_string()]))
        })
        .collect();
    let definitions: BTreeMap<&str, u32> =
        stamp.definitions.iter().map(|(id, version)| (id.as_str(), *version)).collect();
    let json = |value: serde_json::Result<String>| value.map_err(|_| Error::Malformed { what: "a stamp" });
    let id: i64 = sqlx::query_scalar(
        "/* bulletins::publish */ INSERT INTO bulletins (published_at, operator, why, form, form_version, form_hash,
            form_text, period, spans, rulebook_seq, rulebook_hash, fold_version, definitions, positions, ledger_below,
            as_of, annexes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13::text::jsonb, $14::text::jsonb,
            $15, $16, $17::text::jsonb) RETURNING id",
    )
    .bind(At(by.at))
    .bind(by.operator)
    .bind(by.why)
    .bind(stamp.form.id.as_str())
    .bind(i32_of(stamp.form.version)?)
    .bind(&stamp.form.hash)
    .bind(&stamp.form.text)
    .bind(&stamp.period)
    .bind(Value::Object(spans).to_string())
    .bind(stamp.rulebook_seq)
    .bind(stamp.rulebook_hash.as_str())
    .bind(i32_of(stamp.fold_version)?)
    .bind(json(serde_json::to_string(&definitions))?)
    .bind(json(serde_json::to_string(&stamp.positions))?)
    .bind(stamp.ledger_below)
    .bind(At(stamp.as_of))
    .bind(frozen.annexes.to_string())
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    append(tx, id, &frozen.figures).await?;
    Ok(id)
}

async fn append(tx: &mut PgConnection, id: i64, figures: &Figures) -> Result<(), Error> {
    let places = || figures.keys();
    let sums = |sum: fn(Sums) -> i64| -> Vec<Option<i64>> {
        figures.values().map(|figure| figure.sums.map(sum)).collect()
    };
    let versions: Vec<i32> =
        figures.values().map(|figure| i32_of(figure.version)).collect::<Result<_, _>>()?;
    let ranks: Vec<Option<i32>> =
        figures.values().map(|figure| figure.rank.map(i32_of).transpose()).collect::<Result<_, _>>()?;
    let done = sqlx::query(
        "/* bulletins::append */ INSERT INTO bulletin_figures (bulletin_id, span, sort, figure, department, version,
            numerator, denominator, scale, value, rank_group, rank)
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::float8[], $11::text[], $12::integer[])",
    )
    .bind(id)
    .bind(places().map(|place| place.span.name()).collect::<Vec<_>>())
    .bind(places().map(|place| place.sort.name()).collect::<Vec<_>>())
    .bind(places().map(|place| place.id.as_str()).collect::<Vec<_>>())
    .bind(places().map(|place| place.department.as_str()).collect::<Vec<_>>())
    .bind(versions)
    .bind(sums(|sums| sums.numerator))
    .bind(sums(|sums| sums.denominator))
    .bind(sums(|sums| sums.scale))
    .bind(figures.values().map(|figure| figure.value).collect::<Vec<_>>())
    .bind(figures.values().map(|figure| figure.group.as_deref()).collect::<Vec<_>>())
    .bind(ranks)
    .execute(tx)
    .await
    .map_err(Error::database("bulletins::append"))?;
    crate::error::expect_rows("bulletins::append", figures.len(), done.rows_affected())
}

/// Every bulletin that was published, in order.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(
        "/* bulletins::list */ SELECT id, published_at, operator, why, form, form_version, period, as_of, rulebook_hash,
                spans::text
           FROM bulletins ORDER BY id",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("bulletins::list"))?;
    let listed = |row: &PgRow| Listed {
        id: row.get(0),
        published_at: row.get::<At, _>(1).0,
        operator: row.get(2),
        why: row.get(3),
        form: row.get(4),
        form_version: row.get(5),
        period: row.get(6),
        as_of: row.get::<At, _>(7).0,
        rulebook_hash: row.get(8),
        days: serde_json::from_str(row.get(9))
            .ok()
            .and_then(|value| spans(&value)?.get(&Span::Period).copied()),
    };
    Ok(rows.iter().map(listed).collect())
}

/// A bulletin as it was published; None: there is none of this number.
pub async fn by_id(tx: &mut PgConnection, id: i64) -> Result<Option<Published>, Error> {
    let row = sqlx::query(
        "/* bulletins::by_id */ SELECT published_at, operator, why, form, form_version, form_hash, form_text, period,
            spans::text, rulebook_seq, rulebook_hash, fold_version, definitions::text, positions::text, ledger_below,
            as_of, annexes::text
           FROM bulletins WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::database("bulletins::by_id"))?;
    let Some(row) = row else { return Ok(None) };
    let malformed = || Error::Malformed { what: "a published bulletin" };
    let json = |column: usize| serde_json::from_str(row.get(column)).map_err(|_| malformed());
    let form = FormStamp {
        id: row.get::<&str, _>(3).into(),
        version: u32_of(row.get(4))?,
        hash: row.get(5),
        text: row.get(6),
    };
    let definitions: BTreeMap<String, u32> = serde_json::from_value(json(12)?).map_err(|_| malformed())?;
    let stamp = Stamp {
        form,
        period: row.get(7),
        spans: spans(&json(8)?).ok_or_else(malformed)?,
        rulebook_seq: row.get(9),
        rulebook_hash: row.get::<&str, _>(10).into(),
        fold_version: u32_of(row.get(11))?,
        definitions: definitions.into_iter().map(|(id, version)| (id.into(), version)).collect(),
        positions: serde_json::from_value(json(13)?).map_err(|_| malformed())?,
        ledger_below: Some(row.get(14)),
        as_of: row.get::<At, _>(15).0,
    };
    let annexes = json(16)?;
    let (published_at, operator, why) = (row.get::<At, _>(0).0, row.get(1), row.get(2));
    let frozen = Frozen { stamp, figures: figures(tx, id).await?, annexes };
    Ok(Some(Published { id, published_at, operator, why, frozen }))
}

/// `{"period": ["2026-09-01", "2026-10-01"], …}`.
fn spans(value: &Value) -> Option<BTreeMap<Span, (Date, Date)>> {
    let day = |value: &Value| value.as_str()?.parse().ok();
    let span = |(name, days): (&String, &Value)| Some((Span::parse(name)?, (day(&days[0])?, day(&days[1])?)));
    value.as_object()?.iter().map(span).collect()
}

async fn figures(tx: &mut PgConnection, id: i64) -> Result<Figures, Error> {
    let rows = sqlx::query(
        "/* bulletins::figures */ SELECT span, sort, figure, department, version, numerator, denominator, scale, value,
            rank_group, rank
           FROM bulletin_figures WHERE bulletin_id = $1",
    )
    .bind(id)
    .fetch_all(tx)
    .await
    .map_err(Error::database("bulletins::figures"))?;
    let malformed = || Error::Malformed { what: "a figure of a bulletin" };
    let figure = |row: &PgRow| -> Result<(Place, Figure), Error> {
        let place = Place {
            span: Span::parse(row.get(0)).ok_or_else(malformed)?,
            sort: Sort::parse(row.get(1)).ok_or_else(malformed)?,
            id: row.get::<&str, _>(2).into(),
            department: row.get::<&str, _>(3).into(),
        };
        let sums = row.get::<Option<i64>, _>(5).zip(row.get(6)).zip(row.get(7));
        let figure = Figure {
            version: u32_of(row.get(4))?,
            sums: sums.map(|((numerator, denominator), scale)| Sums { numerator, denominator, scale }),
            value: row.get(8),
            group: row.get::<Option<&str>, _>(9).map(SmolStr::from),
            rank: row.get::<Option<i32>, _>(10).map(u32_of).transpose()?,
        };
        Ok((place, figure))
    };
    rows.iter().map(figure).collect()
}

fn i32_of(number: u32) -> Result<i32, Error> {
    i32::try_from(number).map_err(|_| Error::Malformed { what: "a number of a bulletin" })
}

fn u32_of(number: i32) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::Malformed { what: "a number of a bulletin" })
}
