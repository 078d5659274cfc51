//! Making the rows of closed cases and of findings anew where cases were written.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use hotline_core::case::CaseFacts;
use hotline_core::findings::{self, Closure, Finding, path};
use hotline_core::fold::fold;
use hotline_core::rulebook::Rulebook;
use jiff::civil::Date;
use smol_str::SmolStr;
use sqlx::{PgConnection, PgPool, Row as _};

use super::{Closed, closed, column};
use crate::cases::{self, Loaded};
use crate::copy::Rows;
use crate::error::{Error, expect_rows};
use crate::pool::run_tx;
use crate::rules::Rules;
use crate::sql_types::{At, On, ats};
use crate::turns::Turn;

/// Separates the parts of a list within one bound text; codes hold no control characters.
const SEPARATOR: &str = "\u{1f}";

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Entries of the list of written cases that were taken off.
    pub taken: usize,
    /// Cases that were folded.
    pub cases: usize,
    /// Rows of closed cases that changed.
    pub changed: usize,
}

/// Says that these cases were written: whoever writes cases says so in the same transaction.
pub async fn append(tx: &mut PgConnection, cases: impl Iterator<Item = &str>) -> Result<(), Error> {
    let mut rows = Rows::new(1);
    for case in cases {
        rows.row().text(case);
    }
    let statement = "/* closures::append */ COPY closure_changes (case_id) FROM STDIN (FORMAT binary)";
    rows.send(tx, "closures::append", statement).await
}

/// How many entries wait for the keeper, up to `most`: a case that was written often stands there as often.
pub async fn pending(tx: &mut PgConnection, most: i64) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* closures::pending */ SELECT count(*) FROM (SELECT FROM closure_changes LIMIT $1) AS few",
    )
    .bind(most)
    .fetch_one(tx)
    .await
    .map_err(Error::database("closures::pending"))
}

/// [`keep`] in a transaction of its own.
pub async fn keep_step(pool: &PgPool, rules: &Rules, limit: i64) -> Result<Option<Kept>, Error> {
    let mut context = (rules, limit);
    run_tx(pool, "closures::keep_step", &mut context, |tx, (rules, limit)| Box::pin(keep(tx, rules, *limit)))
        .await
}

/// Takes up to `limit` entries off the list of written cases and makes the rows of these cases anew, under the rulebook in
/// force. None: another keeper is at work.
///
/// The entries taken are those that one statement sees and deletes. A case is read after that, so what is kept of it is
/// at least as new as its entry; whoever writes it meanwhile leaves another.
pub async fn keep(tx: &mut PgConnection, rules: &Rules, limit: i64) -> Result<Option<Kept>, Error> {
    let name = "closures::keep";
    if !Turn::Closures.is_free(tx).await? {
        return Ok(None);
    }
    let taken: Vec<String> = sqlx::query_scalar(
        "/* closures::keep */ DELETE FROM closure_changes
          WHERE ctid = ANY (ARRAY (SELECT ctid FROM closure_changes LIMIT $1)) RETURNING case_id",
    )
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    if taken.is_empty() {
        return Ok(Some(Kept::default()));
    }
    let in_force = rules.within(tx).await?;
    let ids: BTreeSet<&str> = taken.iter().map(String::as_str).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let loaded = cases::load(tx, &ids).await?;
    let mut made = BTreeMap::new();
    let mut broken = Vec::new();
    for one in &loaded {
        match Made::of(one, &in_force.rulebook) {
            Ok(of) => _ = made.insert(one.case_id.clone(), of),
            // It stays as it was: whoever asks for the case itself is told why.
            Err(error) => {
                tracing::error!(error.code = error.code(), %error, "a closed case cannot be listed");
                broken.push(one.case_id.clone());
            }
        }
    }
    let ids: Vec<&str> = ids.into_iter().filter(|id| !broken.iter().any(|one| one == id)).collect();
    let changed = replace_closures(tx, &ids, &made).await?;
    replace_findings(tx, &ids, &made).await?;
    Ok(Some(Kept { taken: taken.len(), cases: loaded.len(), changed }))
}

/// What is derived from a case.
pub(super) struct Made {
    pub(super) hotline: SmolStr,
    pub(super) case_type: SmolStr,
    pub(super) closure: Option<Closure>,
    pub(super) findings: Vec<Finding>,
}

impl Made {
    pub(super) fn of(loaded: &Loaded, rulebook: &Rulebook) -> Result<Self, Error> {
        let case = || loaded.case_id.clone();
        let facts =
            CaseFacts::decode(&loaded.facts).map_err(|source| Error::Facts { case: case(), source })?;
        let fold = || {
            let view = fold(&loaded.case_id, &facts, rulebook);
            Self {
                hotline: view.hotline.clone(),
                case_type: view.attributes.case_type.clone(),
                closure: Closure::of(&view, rulebook),
                findings: findings::findings(&view, &facts),
            }
        };
        catch_unwind(AssertUnwindSafe(fold)).map_err(|_| Error::Panicked { case: case() })
    }

    /// Its findings as they are to be stored.
    pub(super) fn rows<'m>(&'m self, case: &'m SmolStr) -> impl Iterator<Item = crate::findings::New<'m>> {
        let (hotline, case_type) = (&self.hotline, &self.case_type);
        (1..).zip(&self.findings).map(move |(place, finding)| crate::findings::New {
            case,
            hotline,
            case_type,
            place,
            finding,
        })
    }
}

/// A row as it is to be stored.
pub(super) struct Row<'m> {
    pub(super) closed: Closed,
    closure: &'m Closure,
}

pub(super) fn row<'m>(case: &SmolStr, closure: &'m Closure) -> Row<'m> {
    let text = |text: &'static str| SmolStr::new_static(text);
    let closed = Closed {
        case_id: case.clone(),
        day: closure.day,
        closed_at: closure.closed_at,
        received_at: closure.received_at,
        department: closure.department.clone(),
        hotline: closure.hotline.clone(),
        case_type: closure.case_type.clone(),
        category: path(&closure.category).into(),
        region: closure.region.clone(),
        class: closure.class.clone(),
        kind: text(closure.kind),
        outcome: closure.outcome.clone(),
        verdict: closure.verdict.map(text),
        due_at: closure.due_at,
        excluded: closure.excluded,
        rounds: i32::try_from(closure.rounds).unwrap_or(i32::MAX),
        rating: closure.rating.map(text),
        policies: closure.policies.iter().map(SmolStr::to_string).collect(),
        anomalies: closure.anomalies.iter().map(|code| (*code).to_owned()).collect(),
    };
    Row { closed, closure }
}

/// Replaces the rows that changed; how many did. Counts by term and day go with them.
async fn replace_closures(
    tx: &mut PgConnection,
    ids: &[&str],
    made: &BTreeMap<SmolStr, Made>,
) -> Result<usize, Error> {
    let name = "closures::replace";
    let stored =
        sqlx::query(select!("/* closures::replace */", ", terms FROM closures WHERE case_id = ANY($1)"))
            .bind(ids)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database(name))?;
    let mut counts: BTreeMap<(SmolStr, Date), i64> = BTreeMap::new();
    let mut gone: Vec<SmolStr> = Vec::new();
    let mut same = BTreeSet::new();
    for old in &stored {
        let case = SmolStr::from(old.get::<&str, _>(0));
        let (keys, day) = (column::<Vec<String>>(old, 19), column::<On>(old, 1));
        let new = made.get(&case).and_then(|made| made.closure.as_ref());
        if let (Ok(old), Ok(keys), Some(new)) = (closed(old), &keys, new)
            && row(&case, new).closed == old
            && new.keys() == *keys
        {
            same.insert(case);
            continue;
        }
        // Of what nobody of ours wrote so the counts go as far as they can be told.
        if let (Ok(keys), Ok(day)) = (&keys, day) {
            for term in keys.iter().filter_map(|key| Some(key.rsplit_once('@')?.0)) {
                *counts.entry((term.into(), day.0)).or_default() -= 1;
            }
        }
        gone.push(case);
    }
    let rows: Vec<Row<'_>> = made
        .iter()
        .filter(|(case, _)| !same.contains(*case))
        .filter_map(|(case, made)| Some(row(case, made.closure.as_ref()?)))
        .collect();
    for row in &rows {
        for term in row.closure.terms() {
            *counts.entry((term, row.closed.day)).or_default() += 1;
        }
    }
    let done = sqlx::query("/* closures::replace */ DELETE FROM closures WHERE case_id = ANY($1)")
        .bind(gone.iter().map(SmolStr::as_str).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    expect_rows(name, gone.len(), done.rows_affected())?;
    insert(tx, rows.as_slice()).await?;
    recount(tx, &counts).await?;
    let reopened =
        gone.iter().filter(|case| made.get(*case).is_none_or(|made| made.closure.is_none())).count();
    Ok(rows.len() + reopened)
}

async fn insert(tx: &mut PgConnection, rows: &[Row<'_>]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<&Row<'_>> = rows.iter().collect();
    // As they stand in the index: neighbours are written together.
    rows.sort_by(|a, b| {
        let key = |row: &Row<'_>| (row.closed.day, row.closed.closed_at);
        key(a).cmp(&key(b)).then_with(|| a.closed.case_id.cmp(&b.closed.case_id))
    });
    let closed = || rows.iter().map(|row| &row.closed);
    let texts = |of: fn(&Closed) -> &str| closed().map(of).collect::<Vec<_>>();
    let optionals = |of: fn(&Closed) -> Option<&str>| closed().map(of).collect::<Vec<_>>();
    let lists =
        |of: fn(&Closed) -> &[String]| closed().map(|row| of(row).join(SEPARATOR)).collect::<Vec<_>>();
    let done = sqlx::query(
        "/* closures::insert */ INSERT INTO closures (case_id, day, closed_at, received_at, department, hotline,
            case_type, category, region, class, kind, outcome, verdict, due_at, excluded, rounds, rating, policies, anomalies, terms)
         SELECT case_id, day, closed_at, received_at, department, hotline, case_type, category, region, class, kind,
            outcome, verdict, due_at, excluded, rounds, rating, string_to_array(policies, E'\\x1f'),
            string_to_array(anomalies, E'\\x1f'), string_to_array(terms, E'\\x1f')
           FROM unnest($1::text[], $2::date[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
                $15::bool[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::text[])
             AS n (case_id, day, closed_at, received_at, department, hotline, case_type, category, region, class, kind,
                outcome, verdict, due_at, excluded, rounds, rating, policies, anomalies, terms)",
    )
    .bind(texts(|row| &row.case_id))
    .bind(closed().map(|row| On(row.day)).collect::<Vec<_>>())
    .bind(closed().map(|row| At(row.closed_at)).collect::<Vec<_>>())
    .bind(ats(closed().map(|row| row.received_at)))
    .bind(texts(|row| &row.department))
    .bind(texts(|row| &row.hotline))
    .bind(texts(|row| &row.case_type))
    .bind(texts(|row| &row.category))
    .bind(texts(|row| &row.region))
    .bind(texts(|row| &row.class))
    .bind(texts(|row| &row.kind))
    .bind(optionals(|row| row.outcome.as_deref()))
    .bind(optionals(|row| row.verdict.as_deref()))
    .bind(ats(closed().map(|row| row.due_at)))
    .bind(closed().map(|row| row.excluded).collect::<Vec<_>>())
    .bind(closed().map(|row| row.rounds).collect::<Vec<_>>())
    .bind(optionals(|row| row.rating.as_deref()))
    .bind(lists(|row| &row.policies))
    .bind(lists(|row| &row.anomalies))
    .bind(rows.iter().map(|row| row.closure.keys().join(SEPARATOR)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::database("closures::insert"))?;
    expect_rows("closures::insert", rows.len(), done.rows_affected())
}

/// Adds what changed to the counts by term and day; those that come to nothing go.
async fn recount(tx: &mut PgConnection, counts: &BTreeMap<(SmolStr, Date), i64>) -> Result<(), Error> {
    let name = "closures::recount";
    let split = |is_wanted: fn(i64) -> bool| -> (Vec<&str>, Vec<On>, Vec<i64>) {
        let wanted = counts.iter().filter(|(_, change)| is_wanted(**change));
        let mut columns = (Vec::new(), Vec::new(), Vec::new());
        for ((term, day), change) in wanted {
            columns.0.push(term.as_str());
            columns.1.push(On(*day));
            columns.2.push(*change);
        }
        columns
    };
    let (terms, days, changes) = split(|change| change > 0);
    sqlx::query(
        "/* closures::recount */ INSERT INTO closure_days (term, day, cases)
         SELECT * FROM unnest($1::text[], $2::date[], $3::bigint[])
         ON CONFLICT (term, day) DO UPDATE SET cases = closure_days.cases + excluded.cases",
    )
    .bind(terms)
    .bind(days)
    .bind(changes)
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let (terms, days, changes) = split(|change| change < 0);
    // Those that come to nothing first: no count is ever 0.
    let gone = sqlx::query(
        "/* closures::recount */ DELETE FROM closure_days
          USING unnest($1::text[], $2::date[], $3::bigint[]) AS n (term, day, change)
          WHERE closure_days.term = n.term AND closure_days.day = n.day AND closure_days.cases + n.change = 0",
    )
    .bind(&terms)
    .bind(&days)
    .bind(&changes)
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let done = sqlx::query(
        "/* closures::recount */ UPDATE closure_days SET cases = cases + n.change
           FROM unnest($1::text[], $2::date[], $3::bigint[]) AS n (term, day, change)
          WHERE closure_days.term = n.term AND closure_days.day = n.day",
    )
    .bind(&terms)
    .bind(&days)
    .bind(&changes)
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    expect_rows(name, terms.len(), gone.rows_affected() + done.rows_affected())
}

/// Replaces the findings of these cases.
async fn replace_findings(
    tx: &mut PgConnection,
    ids: &[&str],
    made: &BTreeMap<SmolStr, Made>,
) -> Result<(), Error> {
    sqlx::query("/* closures::replace_findings */ DELETE FROM closure_findings WHERE case_id = ANY($1)")
        .bind(ids)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("closures::replace_findings"))?;
    let mut rows = Vec::new();
    for (case, made) in made {
        rows.extend(made.rows(case));
    }
    crate::findings::insert(tx, &rows).await
}
