//! What boards show besides lists of cases: names of the rulebook, and figures of calendar months.
//!
//! A month's rows are replaced in the transaction that computed them: whoever reads the views of the schema `board` sees
//! all months as they were, or as they are. Rows that stay the same are not written.

use hotline_core::fact::Role;
use hotline_core::rank::Standing;
use hotline_core::rate::{ALL, Row};
use hotline_core::rulebook::{Best, Composite, Rate, Rulebook, Term};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::cases::fold_version;
use crate::error::Error;
use crate::sql_types::{At, On};
use crate::turns::Turn;

/// A month that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its first day.
    pub month: Date,
    pub as_of: Timestamp,
    pub rulebook_seq: i64,
    pub fold_version: i32,
    pub refold_pending: bool,
    /// The sum of its positions: how much had been read.
    pub read: i64,
}

/// A calendar month in the rulebook's zone, and the snapshot that its figures are of.
#[derive(Clone, Debug)]
pub struct Month<'m> {
    pub month: Date,
    /// The first day after it.
    pub until: Date,
    pub begins_at: Timestamp,
    pub ends_at: Timestamp,
    pub as_of: Timestamp,
    pub rulebook_seq: i64,
    pub rulebook_hash: &'m str,
    /// By origin, the next offset to read.
    pub positions: &'m Value,
    pub refold_pending: bool,
}

/// Whether it is this transaction's turn to write: one does at a time, the others go on without.
pub async fn turn(tx: &mut PgConnection) -> Result<bool, Error> {
    Turn::Boards.is_free(tx).await
}

/// The months that are kept, in order.
pub async fn kept(tx: &mut PgConnection) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query(
        "/* boards::kept */ SELECT month, as_of, rulebook_seq, fold_version, refold_pending,
                coalesce((SELECT sum(value::bigint)::bigint FROM jsonb_each_text(positions)), 0)
           FROM board_months ORDER BY month",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("boards::kept"))?;
    let kept = |row: &sqlx::postgres::PgRow| Kept {
        month: row.get::<On, _>(0).0,
        as_of: row.get::<At, _>(1).0,
        rulebook_seq: row.get(2),
        fold_version: row.get(3),
        refold_pending: row.get(4),
        read: row.get(5),
    };
    Ok(rows.iter().map(kept).collect())
}

/// As of when the newest month is: it is computed every time. None: no month is kept.
pub async fn as_of(tx: &mut PgConnection) -> Result<Option<Timestamp>, Error> {
    let as_of: Option<At> =
        sqlx::query_scalar("/* boards::as_of */ SELECT as_of FROM board_months ORDER BY month DESC LIMIT 1")
            .fetch_optional(tx)
            .await
            .map_err(Error::database("boards::as_of"))?;
    Ok(as_of.map(|at| at.0))
}

/// Whether a month was judged by this program and that activation.
pub fn is_current(kept: &Kept, rulebook_seq: i64) -> bool {
    (kept.rulebook_seq, kept.fold_version) == (rulebook_seq, fold_version())
}

/// Keeps the names and definitions of a rulebook, unless they are those that are kept.
pub async fn keep_rules(tx: &mut PgConnection, rulebook: &Rulebook, seq: i64) -> Result<(), Error> {
    let name = "boards::keep_rules";
    let timezone = rulebook.timezone.iana_name().unwrap_or("Asia/Shanghai");
    let changed = sqlx::query(
        "/* boards::keep_rules */ INSERT INTO board_rules (rulebook_seq, rulebook_hash, fold_version, timezone)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET rulebook_seq = excluded.rulebook_seq, rulebook_hash = excluded.rulebook_hash,
                fold_version = excluded.fold_version, timezone = excluded.timezone
          WHERE (board_rules.rulebook_seq, board_rules.fold_version) <> (excluded.rulebook_seq, excluded.fold_version)",
    )
    .bind(seq)
    .bind(rulebook.hash.as_str())
    .bind(fold_version())
    .bind(timezone)
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?
    .rows_affected();
    if changed == 0 {
        return Ok(());
    }
    sqlx::query("/* boards::keep_rules */ DELETE FROM board_departments")
        .execute(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    let departments = || rulebook.departments.values();
    sqlx::query(
        "/* boards::keep_rules */ INSERT INTO board_departments (code, name_zh, name_en, department_group)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])",
    )
    .bind(departments().map(|one| one.code.as_str()).collect::<Vec<_>>())
    .bind(departments().map(|one| one.name_zh.as_str()).collect::<Vec<_>>())
    .bind(departments().map(|one| one.name_en.as_str()).collect::<Vec<_>>())
    .bind(departments().map(|one| one.group.as_deref()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    sqlx::query("/* boards::keep_rules */ DELETE FROM board_definitions")
        .execute(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    for rate in rulebook.rates.values() {
        keep_rate(tx, rate).await?;
    }
    for score in rulebook.scores.values() {
        keep_score(tx, score).await?;
    }
    Ok(())
}

async fn keep_rate(tx: &mut PgConnection, rate: &Rate) -> Result<(), Error> {
    let sum = |terms: &[Term]| terms.iter().map(term).collect::<Vec<_>>().join(" + ");
    let best = match rate.best {
        Best::Highest => "highest",
        Best::Lowest => "lowest",
    };
    sqlx::query(
        "/* boards::keep_rate */ INSERT INTO board_definitions
            (kind, id, version, name_zh, name_en, basis, numerator, denominator, filter, rank_from, best)
         VALUES ('rate', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(rate.id.as_str())
    .bind(small(rate.version))
    .bind(&rate.name_zh)
    .bind(&rate.name_en)
    .bind(rate.basis.name())
    .bind(sum(&rate.numerator))
    .bind(sum(&rate.denominator))
    .bind(filter(rate))
    .bind(rate.rank_from.map(small))
    .bind(best)
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("boards::keep_rate"))
}

async fn keep_score(tx: &mut PgConnection, score: &Composite) -> Result<(), Error> {
    let terms = score.terms.iter().map(|term| match term.floor {
        0 => format!("{} × {}", term.weight, term.rate),
        floor => format!("{} × {} (≥ {floor} %)", term.weight, term.rate),
    });
    sqlx::query(
        "/* boards::keep_score */ INSERT INTO board_definitions
            (kind, id, version, name_zh, name_en, numerator, groups, rank_from)
         VALUES ('score', $1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(score.id.as_str())
    .bind(small(score.version))
    .bind(&score.name_zh)
    .bind(&score.name_en)
    .bind(terms.collect::<Vec<_>>().join(" + "))
    .bind(score.groups.iter().map(SmolStr::as_str).collect::<Vec<_>>())
    .bind(small(score.rank_from))
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("boards::keep_score"))
}

fn term(term: &Term) -> String {
    match term.weight {
        (1, 1) => term.measure.to_string(),
        (above, 1) => format!("{above} × {}", term.measure),
        (above, below) => format!("{above}/{below} × {}", term.measure),
    }
}

/// Which cases and roles a rate counts; None: lead departments, all cases.
fn filter(rate: &Rate) -> Option<String> {
    let of = &rate.filter;
    let lists = [
        ("hotline", &of.hotline),
        ("case_type", &of.case_type),
        ("case_type_not", &of.case_type_not),
        ("class", &of.class),
        ("class_not", &of.class_not),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let role = (of.role != Role::Lead).then(|| format!("role: {}", of.role.name()));
    let parts: Vec<String> =
        lists.map(|(name, list)| format!("{name}: {}", list.join(", "))).chain(role).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Keeps a month's stamp, and the times to close of the cases whose last closing is in it.
pub async fn keep_month(tx: &mut PgConnection, month: &Month<'_>) -> Result<(), Error> {
    sqlx::query(
        "/* boards::keep_month */ INSERT INTO board_months
            (month, until, begins_at, as_of, rulebook_seq, rulebook_hash, fold_version, positions, refold_pending)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9)
         ON CONFLICT (month) DO UPDATE SET until = excluded.until, begins_at = excluded.begins_at, as_of = excluded.as_of,
                rulebook_seq = excluded.rulebook_seq, rulebook_hash = excluded.rulebook_hash,
                fold_version = excluded.fold_version, positions = excluded.positions,
                refold_pending = excluded.refold_pending",
    )
    .bind(On(month.month))
    .bind(On(month.until))
    .bind(At(month.begins_at))
    .bind(At(month.as_of))
    .bind(month.rulebook_seq)
    .bind(month.rulebook_hash)
    .bind(fold_version())
    .bind(month.positions.to_string())
    .bind(month.refold_pending)
    .execute(&mut *tx)
    .await
    .map_err(Error::database("boards::keep_month"))?;
    keep_times(tx, month).await
}

async fn keep_times(tx: &mut PgConnection, month: &Month<'_>) -> Result<(), Error> {
    sqlx::query(
        "/* boards::keep_times */
         WITH new AS (
             SELECT coalesce(hotline, '*') AS hotline, CASE WHEN by_department THEN coalesce(department, '-') ELSE '*' END
                        AS department, cases, p50, p90
               FROM (SELECT hotline, department, GROUPING(department) = 0 AS by_department, count(*) AS cases,
                            percentile_disc(0.5) WITHIN GROUP (ORDER BY closed_at - received_at) AS p50,
                            percentile_disc(0.9) WITHIN GROUP (ORDER BY closed_at - received_at) AS p90
                       FROM cases WHERE closed_at >= $2 AND closed_at < $3 AND registered
                      GROUP BY GROUPING SETS ((hotline, department), (hotline), (department), ())) AS grouped
              WHERE cases > 0),
         gone AS (
             DELETE FROM board_times AS old WHERE month = $1 AND NOT EXISTS (
                 SELECT FROM new WHERE (new.hotline, new.department) = (old.hotline, old.department)))
         INSERT INTO board_times AS old (month, hotline, department, cases, p50, p90)
         SELECT $1, hotline, department, cases, p50, p90 FROM new
             ON CONFLICT (month, hotline, department) DO UPDATE
                SET cases = excluded.cases, p50 = excluded.p50, p90 = excluded.p90
              WHERE (old.cases, old.p50, old.p90) <> (excluded.cases, excluded.p50, excluded.p90)",
    )
    .bind(On(month.month))
    .bind(At(month.begins_at))
    .bind(At(month.ends_at))
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("boards::keep_times"))
}

/// Keeps all rows of a month: what is not among them goes.
pub async fn keep_rates(tx: &mut PgConnection, month: Date, rows: &[Row]) -> Result<(), Error> {
    sqlx::query(
        "/* boards::keep_rates */
         WITH new AS MATERIALIZED (
             SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[],
                                  $8::bigint[], $9::text[], $10::integer[])
                 AS n (rate, hotline, department, version, numerator, denominator, scale, department_group, rank)),
         gone AS (
             DELETE FROM board_rates AS old WHERE month = $1 AND NOT EXISTS (
                 SELECT FROM new
                  WHERE (new.rate, new.hotline, new.department) = (old.rate, old.hotline, old.department)))
         INSERT INTO board_rates AS old
            (month, rate, hotline, department, version, numerator, denominator, scale, department_group, rank)
         SELECT $1, new.* FROM new
             ON CONFLICT (rate, month, hotline, department) DO UPDATE
                SET version = excluded.version, numerator = excluded.numerator, denominator = excluded.denominator,
                    scale = excluded.scale, department_group = excluded.department_group, rank = excluded.rank
              WHERE (old.version, old.numerator, old.denominator, old.scale, old.department_group, old.rank)
                    IS DISTINCT FROM (excluded.version, excluded.numerator, excluded.denominator, excluded.scale,
                                      excluded.department_group, excluded.rank)",
    )
    .bind(On(month))
    .bind(rows.iter().map(|row| row.rate.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.hotline.as_deref().unwrap_or(ALL)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.department.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| small(row.version)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.numerator).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.denominator).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.scale).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.group.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.rank.map(small)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("boards::keep_rates"))
}

/// Keeps all scores of a month: what is not among them goes.
pub async fn keep_scores(tx: &mut PgConnection, month: Date, standings: &[Standing]) -> Result<(), Error> {
    sqlx::query(
        "/* boards::keep_scores */
         WITH new AS MATERIALIZED (
             SELECT score, hotline, department, version, points, department_group, rank, terms::jsonb
               FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::double precision[], $7::text[],
                           $8::integer[], $9::text[])
                 AS n (score, hotline, department, version, points, department_group, rank, terms)),
         gone AS (
             DELETE FROM board_scores AS old WHERE month = $1 AND NOT EXISTS (
                 SELECT FROM new
                  WHERE (new.score, new.hotline, new.department) = (old.score, old.hotline, old.department)))
         INSERT INTO board_scores AS old
            (month, score, hotline, department, version, points, department_group, rank, terms)
         SELECT $1, new.* FROM new
             ON CONFLICT (score, month, hotline, department) DO UPDATE
                SET version = excluded.version, points = excluded.points, department_group = excluded.department_group,
                    rank = excluded.rank, terms = excluded.terms
              WHERE (old.version, old.points, old.department_group, old.rank, old.terms)
                    IS DISTINCT FROM (excluded.version, excluded.points, excluded.department_group, excluded.rank,
                                      excluded.terms)",
    )
    .bind(On(month))
    .bind(standings.iter().map(|one| one.score.as_str()).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| one.hotline.as_deref().unwrap_or(ALL)).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| one.department.as_str()).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| small(one.version)).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| one.points).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| one.group.as_deref()).collect::<Vec<_>>())
    .bind(standings.iter().map(|one| one.rank.map(small)).collect::<Vec<_>>())
    .bind(standings.iter().map(terms).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("boards::keep_scores"))
}

/// The rates of a score as JSON.
fn terms(standing: &Standing) -> String {
    let terms = standing.parts.iter().map(|part| {
        json!({ "rate": part.rate.as_str(), "weight": part.weight, "value": part.value, "counted": part.counted })
    });
    Value::Array(terms.collect()).to_string()
}

/// A version or a rank.
fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Forgets the months before one.
pub async fn forget_before(tx: &mut PgConnection, month: Date) -> Result<(), Error> {
    let name = "boards::forget_before";
    for statement in [
        "/* boards::forget_before */ DELETE FROM board_rates WHERE month < $1",
        "/* boards::forget_before */ DELETE FROM board_scores WHERE month < $1",
        "/* boards::forget_before */ DELETE FROM board_times WHERE month < $1",
        "/* boards::forget_before */ DELETE FROM board_months WHERE month < $1",
    ] {
        sqlx::query(statement).bind(On(month)).execute(&mut *tx).await.map_err(Error::database(name))?;
    }
    Ok(())
}
