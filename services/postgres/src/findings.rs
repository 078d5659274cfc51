//! Findings, the lists that auditors ask for first: rulings, extensions, holds, late entries, default ratings, corrections.
//! The keeper of [`crate::closures`] makes them.

use hotline_core::fact::EventKey;
use hotline_core::findings::{Finding, FindingKind};
use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::closures::column;
use crate::error::Error;
use crate::sql_types::{At, ats};

/// Which findings of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Counted at this instant or later.
    pub from: Option<Timestamp>,
    /// … and before this one.
    pub to: Option<Timestamp>,
    pub department: Option<SmolStr>,
    pub hotline: Option<SmolStr>,
    pub case_type: Option<SmolStr>,
    /// With this anomaly, or `other_author`, `judged_department`.
    pub mark: Option<SmolStr>,
}

/// A place in a list, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub at: Timestamp,
    pub case_id: SmolStr,
    pub place: i32,
}

/// A finding of a case, as it is listed. What its members mean: see [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub kind: FindingKind,
    pub at: Timestamp,
    pub case_id: SmolStr,
    pub place: i32,
    pub fact: Option<EventKey>,
    pub round: i32,
    pub department: SmolStr,
    pub hotline: SmolStr,
    pub case_type: SmolStr,
    pub code: Option<SmolStr>,
    pub of: Option<SmolStr>,
    pub reason: Option<SmolStr>,
    pub document: Option<SmolStr>,
    pub by: Option<SmolStr>,
    pub source: SmolStr,
    pub claimed_at: Timestamp,
    pub received_at: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub detail: Option<SmolStr>,
    pub marks: Vec<String>,
}

impl Listed {
    pub fn position(&self) -> Position {
        Position { at: self.at, case_id: self.case_id.clone(), place: self.place }
    }
}

/// A finding to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'m> {
    pub(crate) case: &'m SmolStr,
    pub(crate) hotline: &'m SmolStr,
    pub(crate) case_type: &'m SmolStr,
    pub(crate) place: i32,
    pub(crate) finding: &'m Finding,
}

impl New<'_> {
    /// As it is listed once it is stored.
    pub(crate) fn listed(&self) -> Listed {
        let finding = self.finding;
        Listed {
            kind: finding.kind,
            at: finding.at,
            case_id: self.case.clone(),
            place: self.place,
            fact: finding.fact,
            round: i32::try_from(finding.round).unwrap_or(i32::MAX),
            department: finding.department.clone(),
            hotline: self.hotline.clone(),
            case_type: self.case_type.clone(),
            code: finding.code.clone(),
            of: finding.of.clone(),
            reason: finding.reason.clone(),
            document: finding.document.clone(),
            by: finding.by.clone(),
            source: finding.source.clone(),
            claimed_at: finding.claimed_at,
            received_at: finding.received_at,
            until: finding.until,
            detail: finding.detail.clone(),
            marks: finding.marks.iter().map(|mark| (*mark).to_owned()).collect(),
        }
    }
}

pub(crate) async fn insert(tx: &mut PgConnection, rows: &[New<'_>]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let findings = || rows.iter().map(|row| row.finding);
    let optionals = |of: fn(&Finding) -> Option<&str>| findings().map(of).collect::<Vec<_>>();
    sqlx::query(
        "/* findings::insert */ INSERT INTO closure_findings (kind, at, case_id, place, fact, round, department, hotline,
            case_type, code, of, reason, document, by, source, claimed_at, received_at, until, detail, marks)
         SELECT kind, at, case_id, place, fact, round, department, hotline, case_type, code, of, reason, document, by,
            source, claimed_at, received_at, until, detail, string_to_array(marks, ',')
           FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::integer[], $5::bytea[], $6::integer[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::text[], $20::text[])
             AS n (kind, at, case_id, place, fact, round, department, hotline, case_type, code, of, reason, document, by,
                source, claimed_at, received_at, until, detail, marks)",
    )
    .bind(findings().map(|finding| finding.kind.name()).collect::<Vec<_>>())
    .bind(findings().map(|finding| At(finding.at)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.case.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.place).collect::<Vec<_>>())
    .bind(findings().map(|finding| finding.fact.map(|key| key.0.to_vec())).collect::<Vec<_>>())
    .bind(findings().map(|finding| i32::try_from(finding.round).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(findings().map(|finding| finding.department.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.hotline.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.case_type.as_str()).collect::<Vec<_>>())
    .bind(optionals(|finding| finding.code.as_deref()))
    .bind(optionals(|finding| finding.of.as_deref()))
    .bind(optionals(|finding| finding.reason.as_deref()))
    .bind(optionals(|finding| finding.document.as_deref()))
    .bind(optionals(|finding| finding.by.as_deref()))
    .bind(findings().map(|finding| finding.source.as_str()).collect::<Vec<_>>())
    .bind(findings().map(|finding| At(finding.claimed_at)).collect::<Vec<_>>())
    .bind(ats(findings().map(|finding| finding.received_at)))
    .bind(ats(findings().map(|finding| finding.until)))
    .bind(optionals(|finding| finding.detail.as_deref()))
    .bind(findings().map(|finding| finding.marks.join(",")).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("findings::insert"))
}

/// At most `limit` findings of a kind after a place, the newest first.
pub async fn page(
    tx: &mut PgConnection,
    kind: FindingKind,
    filter: &Filter,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<Listed>, Error> {
    let name = "findings::page";
    sqlx::query("/* findings::page */ SET LOCAL plan_cache_mode = 'force_custom_plan'")
        .execute(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    let rows = sqlx::query(
        "/* findings::page */ SELECT kind, at, case_id, place, fact, round, department, hotline, case_type, code, of,
                reason, document, by, source, claimed_at, received_at, until, detail, marks
           FROM closure_findings
          WHERE kind = $1 AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3)
            AND ($4::text IS NULL OR department = $4) AND ($5::text IS NULL OR hotline = $5)
            AND ($6::text IS NULL OR case_type = $6) AND ($7::text IS NULL OR $7 = ANY (marks))
            AND ($8::timestamptz IS NULL OR (at, case_id, place) < ($8, $9, $10))
          ORDER BY at DESC, case_id DESC, place DESC LIMIT $11",
    )
    .bind(kind.name())
    .bind(filter.from.map(At))
    .bind(filter.to.map(At))
    .bind(filter.department.as_deref())
    .bind(filter.hotline.as_deref())
    .bind(filter.case_type.as_deref())
    .bind(filter.mark.as_deref())
    .bind(after.map(|after| At(after.at)))
    .bind(after.map_or("", |after| after.case_id.as_str()))
    .bind(after.map_or(0, |after| after.place))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await
    .map_err(Error::database(name))?;
    rows.iter().map(listed).collect()
}

/// A stored row: of which case, its place there, and what it says. None: that cannot be read.
pub(crate) type Stored = (SmolStr, i32, Option<Listed>);

/// The rows of cases after a key, up to another where one is given, in the order of their cases.
pub(crate) async fn between(
    tx: &mut PgConnection,
    (after, to): (&str, Option<&str>),
) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query(
        "/* findings::between */ SELECT kind, at, case_id, place, fact, round, department, hotline, case_type, code, of,
                reason, document, by, source, claimed_at, received_at, until, detail, marks
           FROM closure_findings WHERE case_id > $1 AND ($2::text IS NULL OR case_id <= $2)
          ORDER BY case_id, place, kind, at",
    )
    .bind(after)
    .bind(to)
    .fetch_all(tx)
    .await
    .map_err(Error::database("findings::between"))?;
    Ok(rows.iter().map(|row| (row.get::<&str, _>(2).into(), row.get(3), listed(row).ok())).collect())
}

/// How many findings of a kind there are, up to `most`.
pub async fn count(
    tx: &mut PgConnection,
    kind: FindingKind,
    filter: &Filter,
    most: i64,
) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* findings::count */ SELECT count(*) FROM (SELECT FROM closure_findings
          WHERE kind = $1 AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3)
            AND ($4::text IS NULL OR department = $4) AND ($5::text IS NULL OR hotline = $5)
            AND ($6::text IS NULL OR case_type = $6) AND ($7::text IS NULL OR $7 = ANY (marks)) LIMIT $8) AS few",
    )
    .bind(kind.name())
    .bind(filter.from.map(At))
    .bind(filter.to.map(At))
    .bind(filter.department.as_deref())
    .bind(filter.hotline.as_deref())
    .bind(filter.case_type.as_deref())
    .bind(filter.mark.as_deref())
    .bind(most)
    .fetch_one(tx)
    .await
    .map_err(Error::database("findings::count"))
}

/// Whoever has the database may have put there what no program of ours reads.
fn listed(row: &PgRow) -> Result<Listed, Error> {
    let malformed = |what| move || Error::Malformed { what };
    let text = |at: usize| Ok::<_, Error>(SmolStr::from(column::<&str>(row, at)?));
    let optional = |at: usize| Ok::<_, Error>(column::<Option<&str>>(row, at)?.map(SmolStr::from));
    let instant = |at: usize| Ok::<_, Error>(column::<Option<At>>(row, at)?.map(|at| at.0));
    let fact = match column::<Option<&[u8]>>(row, 4)? {
        Some(key) => Some(EventKey(key.try_into().map_err(|_| malformed("the fact of a finding")())?)),
        None => None,
    };
    Ok(Listed {
        kind: FindingKind::parse(column(row, 0)?).ok_or_else(malformed("the kind of a finding"))?,
        at: column::<At>(row, 1)?.0,
        case_id: text(2)?,
        place: column(row, 3)?,
        fact,
        round: column(row, 5)?,
        department: text(6)?,
        hotline: text(7)?,
        case_type: text(8)?,
        code: optional(9)?,
        of: optional(10)?,
        reason: optional(11)?,
        document: optional(12)?,
        by: optional(13)?,
        source: text(14)?,
        claimed_at: column::<At>(row, 15)?.0,
        received_at: instant(16)?,
        until: instant(17)?,
        detail: optional(18)?,
        marks: column(row, 19)?,
    })
}
