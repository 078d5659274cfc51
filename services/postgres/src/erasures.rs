//! Erasing persons: the key of a case is destroyed, and with it the bytes of its dead letters.
//!
//! 1. [`erase`] destroys the keys, in a transaction beside which no batch runs: nothing is sealed with a key that is gone;
//! 2. when nobody's snapshot sees them any more ([`onlookers`]), [`rewrite`] writes the files of the tables anew: a row that
//!    was deleted stays in its file, where who has the file and the master key could still read it.
//!
//! What stays: the facts, which name nobody, the ledger, the closure records and their proofs; what these commit to nobody can
//! show any more, and the chain begins anew. What this cannot reach, the write-ahead log, topics and backups, ages;
//! deploy/README.md says when.

use std::collections::{BTreeSet, HashSet};

use hotline_events::closure::{Commitments, Destroyed, NewErasure, RecordKind};
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use sqlx::{PgConnection, Row as _};

use crate::closure_records::{self, Leaf};
use crate::dead_letters::{self, Step};
use crate::error::Error;
use crate::interventions::{self, By};
use crate::rulebooks;
use crate::seal::MasterKey;
use crate::sql_types::At;

/// Cases of one transaction: batches wait for it.
pub const CASES_MAX: usize = 200;
/// The shortest number of a case that is looked for in letters of no known case: a shorter one stands in any text.
const NUMBER_BYTES_MIN: usize = 6;
/// The step that closes what erasures began.
const REWRITTEN: &str = "keys_rewritten";

/// What there was of a case, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub cases: u64,
    /// … of which so many had a key.
    pub keys: u64,
    /// Sealed parts of events.
    pub parts: u64,
    /// Dead letters with bytes.
    pub letters: u64,
}

impl Erased {
    pub fn add(&mut self, more: Self) {
        self.cases += more.cases;
        self.keys += more.keys;
        self.parts += more.parts;
        self.letters += more.letters;
    }
}

/// What [`erase`] would destroy of these cases.
pub async fn found(tx: &mut PgConnection, cases: &[SmolStr]) -> Result<Erased, Error> {
    let mut found = Erased::default();
    for case in cases {
        found.add(of_case(tx, case).await?);
    }
    Ok(found)
}

async fn of_case(tx: &mut PgConnection, case: &str) -> Result<Erased, Error> {
    let row = sqlx::query(
        "/* erasures::of_case */ SELECT
            (SELECT count(*) FROM personal_keys WHERE owner = $1 AND octet_length(wrapped) > 0),
            (SELECT count(*) FROM personal WHERE owner = $1),
            (SELECT count(*) FROM dead_letters WHERE case_id = $1 AND state <> 'erased')",
    )
    .bind(case)
    .fetch_one(tx)
    .await
    .map_err(Error::database("erasures::of_case"))?;
    let count = |place: usize| row.get::<i64, _>(place).cast_unsigned();
    Ok(Erased { cases: 1, keys: count(0), parts: count(1), letters: count(2) })
}

/// Those of these cases that nothing is known of.
pub async fn unknown(tx: &mut PgConnection, cases: &[SmolStr]) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "/* erasures::unknown */ SELECT asked FROM unnest($1::text[]) AS asked
          WHERE NOT EXISTS (SELECT FROM cases WHERE case_id = asked)
            AND NOT EXISTS (SELECT FROM personal_keys WHERE owner = asked)
            AND NOT EXISTS (SELECT FROM dead_letters WHERE case_id = asked)
          ORDER BY asked",
    )
    .bind(cases.iter().map(SmolStr::as_str).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::database("erasures::unknown"))
}

/// Destroys the keys of these cases, the sealed parts and the bytes of their dead letters. Each gets an intervention and a
/// closure record that say so. One that was erased before is erased again: something may have come in since.
pub async fn erase(tx: &mut PgConnection, cases: &[SmolStr], by: &By<'_>) -> Result<Erased, Error> {
    rulebooks::hold_alone(tx).await?;
    let mut erased = Erased::default();
    let mut leaves = Vec::with_capacity(cases.len());
    for case in cases {
        let one = erase_case(tx, case, by).await?;
        let (after, personal) = end_chain(tx, case).await?;
        let destroyed = Destroyed { keys: one.keys, parts: one.parts, letters: one.letters };
        let erasure = NewErasure { case, after, destroyed, personal, written_at: by.at };
        let kind = RecordKind::Erased.name();
        leaves.push(Leaf { case_id: Some(case.clone()), kind, bytes: erasure.leaf() });
        erased.add(one);
    }
    closure_records::append(tx, &leaves, by.at).await?;
    Ok(erased)
}

async fn erase_case(tx: &mut PgConnection, case: &str, by: &By<'_>) -> Result<Erased, Error> {
    let one = of_case(tx, case).await?;
    sqlx::query(
        "/* erasures::erase */ INSERT INTO personal_keys (owner, wrapped, erased_at) VALUES ($1, '', $2)
         ON CONFLICT (owner) DO UPDATE SET wrapped = '', erased_at = excluded.erased_at",
    )
    .bind(case)
    .bind(At(by.at))
    .execute(&mut *tx)
    .await
    .map_err(Error::database("erasures::erase"))?;
    sqlx::query("/* erasures::erase */ DELETE FROM personal WHERE owner = $1")
        .bind(case)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("erasures::erase"))?;
    let letters: Vec<i64> = sqlx::query_scalar(
        "/* erasures::erase */ SELECT id FROM dead_letters WHERE case_id = $1 AND state <> 'erased' ORDER BY id",
    )
    .bind(case)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("erasures::erase"))?;
    for letter in letters {
        erase_letter(tx, letter, by).await?;
    }
    interventions::note(tx, case, "erased", by, Some(shown(&one))).await?;
    Ok(one)
}

async fn erase_letter(tx: &mut PgConnection, id: i64, by: &By<'_>) -> Result<(), Error> {
    dead_letters::destroy(tx, id, by.at).await?;
    dead_letters::note(tx, id, Step::Erased, by, None).await
}

fn shown(one: &Erased) -> Value {
    json!({ "keys": one.keys, "parts": one.parts, "letters": one.letters })
}

/// Lets the chain of commitments of a case begin anew: what it stood for cannot be shown any more. The number of the case's
/// last record, and the chain that ended. Who has read the case reads it again.
async fn end_chain(tx: &mut PgConnection, case: &str) -> Result<(u32, Commitments), Error> {
    let name = "erasures::end_chain";
    let row = sqlx::query(
        "/* erasures::end_chain */ SELECT records, personal_count, personal_chain FROM cases WHERE case_id = $1
            FOR NO KEY UPDATE",
    )
    .bind(case)
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    let Some(row) = row else { return Ok((0, Commitments::default())) };
    let chain = row.get::<Option<&[u8]>, _>(2).map_or(Ok([0; 32]), TryInto::try_into);
    let chain = chain.map_err(|_| Error::Malformed { what: "a chain of commitments" })?;
    let count = row.get::<i32, _>(1).unsigned_abs();
    if count > 0 {
        sqlx::query(
            "/* erasures::end_chain */ UPDATE cases SET revision = revision + 1, personal_count = 0, personal_chain = NULL
              WHERE case_id = $1",
        )
        .bind(case)
        .execute(tx)
        .await
        .map_err(Error::database(name))?;
    }
    Ok((row.get::<i32, _>(0).unsigned_abs(), Commitments { count, chain }))
}

/// Which cases are to be erased, of those with something left to destroy.
#[derive(Clone, Debug)]
pub struct Filter {
    pub closed_before: Timestamp,
    pub class: Option<String>,
}

/// How many there are.
pub async fn count(tx: &mut PgConnection, filter: &Filter) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(
        "/* erasures::count */ SELECT count(*) FROM cases
          WHERE closed_at < $1 AND ($2::text IS NULL OR class = $2)
            AND (EXISTS (SELECT FROM personal_keys WHERE owner = cases.case_id AND octet_length(wrapped) > 0)
                 OR EXISTS (SELECT FROM dead_letters WHERE dead_letters.case_id = cases.case_id AND state <> 'erased'))",
    )
    .bind(At(filter.closed_before))
    .bind(&filter.class)
    .fetch_one(tx)
    .await
    .map_err(Error::database("erasures::count"))?;
    Ok(count.cast_unsigned())
}

/// The next of them after a case, in order. What was erased is not among them any more, so a walk that was interrupted is
/// begun again from the beginning.
pub async fn page(tx: &mut PgConnection, filter: &Filter, after: &str) -> Result<Vec<SmolStr>, Error> {
    let cases: Vec<String> = sqlx::query_scalar(
        "/* erasures::page */ SELECT case_id FROM cases
          WHERE closed_at < $1 AND ($2::text IS NULL OR class = $2) AND case_id > $3
            AND (EXISTS (SELECT FROM personal_keys WHERE owner = cases.case_id AND octet_length(wrapped) > 0)
                 OR EXISTS (SELECT FROM dead_letters WHERE dead_letters.case_id = cases.case_id AND state <> 'erased'))
          ORDER BY case_id LIMIT $4",
    )
    .bind(At(filter.closed_before))
    .bind(&filter.class)
    .bind(after)
    .bind(i64::try_from(CASES_MAX).expect("a page is small"))
    .fetch_all(tx)
    .await
    .map_err(Error::database("erasures::page"))?;
    Ok(cases.into_iter().map(SmolStr::from).collect())
}

/// The letters of no known case that name one of these: what was refused for its form may be theirs. With `by` their bytes
/// are destroyed. How many there were.
pub async fn unplaced(
    tx: &mut PgConnection,
    master: &MasterKey,
    cases: &BTreeSet<SmolStr>,
    by: Option<&By<'_>>,
) -> Result<u64, Error> {
    /// Letters read at once, of up to 256 KiB each.
    const PAGE: i64 = 100;
    let names: HashSet<&str> = cases
        .iter()
        .flat_map(|case| {
            let number = case.split_once(':').map(|(_, number)| number);
            [Some(case.as_str()), number.filter(|number| number.len() >= NUMBER_BYTES_MIN)]
        })
        .flatten()
        .collect();
    let (mut after, mut found) = (0_i64, 0_u64);
    loop {
        let rows = sqlx::query(
            "/* erasures::unplaced */ SELECT id, origin, origin_offset, sealed FROM dead_letters
              WHERE id > $1 AND case_id IS NULL AND state <> 'erased' ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("erasures::unplaced"))?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.get(0);
        for row in &rows {
            let bytes = master.open_letter(row.get(1), row.get(2), row.get(3))?;
            if !names_one(bytes.expose(), &names) {
                continue;
            }
            found += 1;
            if let Some(by) = by {
                erase_letter(tx, row.get(0), by).await?;
            }
        }
    }
}

/// Whether a text of the bytes, or a word in them, is one of these names.
fn names_one(bytes: &[u8], names: &HashSet<&str>) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let in_text = |text: &str| {
        names.contains(text.trim())
            || text
                .split(|c: char| !is_part(c))
                .any(|word| names.contains(word.trim_matches(['-', '_', '.', ':'])))
    };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => any_text(&value, &in_text),
        Err(_) => in_text(&String::from_utf8_lossy(bytes)),
    }
}

fn any_text(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Number(number) => holds(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| any_text(item, holds)),
        Value::Object(members) => members.iter().any(|(name, value)| holds(name) || any_text(value, holds)),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Transactions of this database that are under way, besides this one: they may still see what was destroyed.
pub async fn onlookers(tx: &mut PgConnection) -> Result<BTreeSet<String>, Error> {
    let all: Vec<String> = sqlx::query_scalar(
        "/* erasures::onlookers */ SELECT virtualxid FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE locktype = 'virtualxid' AND datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("erasures::onlookers"))?;
    Ok(all.into_iter().collect())
}

/// Writes the files of keys and letters anew, without what was destroyed. Only what nobody can see any more is left out: wait
/// until the [`onlookers`] from before are gone.
pub async fn rewrite(tx: &mut PgConnection, by: &By<'_>) -> Result<(), Error> {
    sqlx::query("/* erasures::rewrite */ SELECT rewrite_keys()")
        .execute(&mut *tx)
        .await
        .map_err(Error::database("erasures::rewrite"))?;
    interventions::note(tx, "personal_keys", REWRITTEN, by, None).await
}

/// How many keys were destroyed, and whether the files were written anew since the last of them.
pub async fn standing(tx: &mut PgConnection) -> Result<(u64, bool), Error> {
    let row = sqlx::query(
        "/* erasures::standing */ SELECT (SELECT count(*) FROM personal_keys WHERE erased_at IS NOT NULL),
            coalesce((SELECT max(id) FROM interventions WHERE step = 'erased'), 0)
            <= coalesce((SELECT max(id) FROM interventions WHERE step = $1), 0)",
    )
    .bind(REWRITTEN)
    .fetch_one(tx)
    .await
    .map_err(Error::database("erasures::standing"))?;
    Ok((row.get::<i64, _>(0).cast_unsigned(), row.get(1)))
}

/// Every case that was erased, and when last: what must be erased again after an older backup was restored.
pub async fn list(tx: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<(String, Timestamp)>, Error> {
    let rows = sqlx::query(
        "/* erasures::list */ SELECT owner, erased_at FROM personal_keys
          WHERE erased_at IS NOT NULL AND owner > $1 ORDER BY owner LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("erasures::list"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<At, _>(1).0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_a_case_by_its_name_or_by_a_number_that_is_long_enough() {
        let names: HashSet<&str> = ["12345:20260001", "20260001", "12345:7"].into();
        for (bytes, expect) in [
            (r#"{"subject":"12345:20260001"}"#, true),
            (r#"{"subject":"12345:\u00320260001"}"#, true),
            (r#"[{"row":{"工单号":20260001}}]"#, true),
            (r#"{"20260001":"x"}"#, true),
            (r#"{"text":"工单20260001。"}"#, true),
            ("no JSON, but 20260001;张三", true),
            (r#"{"subject":"12345:7"}"#, true),
            (r#"{"subject":"12345:70"}"#, false),
            (r#"{"n":7}"#, false),
            (r#"{"subject":"12345:202600011"}"#, false),
        ] {
            assert_eq!(names_one(bytes.as_bytes(), &names), expect, "{bytes}");
        }
    }
}
