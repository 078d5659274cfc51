//! Cases: one row each, its facts and what is computed from them.
//!
//! No row is locked when it is read; every write asks for the revision it read, and who finds another one rolls
//! back and begins again. New rows are asked for by their key in the same way.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use hotline_core::alarm::Alarm;
use hotline_core::alarm::telling::ladder_hash;
use hotline_core::case::CaseFacts;
use hotline_core::fold::{FOLD_VERSION, Verdict, View};
use hotline_core::rate::OpenAsked;
use hotline_core::score::{NOBODY, OpenClocks, Score};
use hotline_core::waiting::{Waits, backdated_at};
use hotline_events::closure::Commitments;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{Error, expect_rows};
use crate::sql_types::{At, On, ats};

/// Separates the parts of a list within one bound text; codes hold no control characters.
const SEPARATOR: &str = "\u{1f}";

/// A case as it is read before a fold.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub case_id: SmolStr,
    pub revision: i64,
    pub rulebook_seq: i64,
    pub fold_version: i32,
    pub facts: Vec<u8>,
    pub score: Vec<u8>,
    /// An alarm that was raised stands.
    pub told: bool,
    /// A fact of it was entered late.
    pub is_backdated: bool,
    pub recorded: Recorded,
}

/// What stands in closure records of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Its records, standing ones apart: the last has this number.
    pub records: i32,
    /// The fingerprint of what the last one says was decided.
    pub judged: Option<i64>,
    /// Some record holds all facts of the case.
    pub whole: bool,
    pub personal: Commitments,
}

/// Until when a case sleeps.
#[derive(Clone, Debug)]
pub struct Sleep {
    pub case_id: SmolStr,
    /// None: until an event comes.
    pub wake_at: Option<Timestamp>,
    /// An alarm that was raised stands: whatever changes the ladder wakes the case.
    pub told: bool,
    /// The ladder by which this was decided; None: the case was not looked at.
    pub ladder: Option<i64>,
    /// An open clock of its stored score may be past its deadline; if not, the case is woken before one is.
    pub overdue: bool,
}

/// A case as it is written after a fold.
#[derive(Clone, Debug)]
pub struct Folded {
    pub case_id: SmolStr,
    /// The revision that was read; None: there was no such case.
    pub revision: Option<i64>,
    pub facts: Vec<u8>,
    pub score: Vec<u8>,
    pub columns: Columns,
    pub recorded: Recorded,
}

/// What people query cases by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    pub hotline: SmolStr,
    pub registered: bool,
    pub case_type: SmolStr,
    pub category: Vec<SmolStr>,
    pub region: SmolStr,
    pub channel: Option<SmolStr>,
    pub class: SmolStr,
    pub department: Option<SmolStr>,
    pub received_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub due_on: Option<Date>,
    pub verdict: Option<&'static str>,
    pub rounds: i16,
    pub clocks_run: bool,
    /// When a dispatch decision of ours falls due.
    pub proposed_at: Option<Timestamp>,
    /// When anything falls due, if nothing of it was told.
    pub wake_at: Option<Timestamp>,
    /// The first deadline of its open clocks.
    pub falls_at: Option<Timestamp>,
    pub ladder: i64,
    pub anomalies: Vec<&'static str>,
    pub waits: Waits,
    pub backdated_at: Option<Timestamp>,
    pub reporter_tag: Option<SmolStr>,
}

impl Columns {
    pub fn of(view: &View, score: &Score, ladder: &[Alarm]) -> Self {
        let round = view.last_round();
        let closing = round.and_then(|round| round.closing.as_ref());
        let lead = round.and_then(|round| round.current_lead()).map(|custody| custody.department.clone());
        let clock = view.closure_clock();
        let open = clock.filter(|clock| closing.is_none() && clock.verdict == Verdict::Open);
        let mut anomalies: Vec<_> = view.anomalies.iter().map(|anomaly| anomaly.code.code()).collect();
        anomalies.sort_unstable();
        anomalies.dedup();
        let proposed_at = view.proposal.as_ref().map(|proposal| proposal.at);
        Self {
            hotline: view.hotline.clone(),
            registered: view.registered,
            case_type: view.attributes.case_type.clone(),
            category: view.attributes.category.clone(),
            region: view.attributes.region.clone(),
            channel: view.attributes.channel.clone(),
            class: view.class.clone(),
            department: closing.map_or(lead, |closing| closing.department.clone()),
            received_at: view.received_at,
            closed_at: closing.map(|closing| closing.at),
            due_at: open.and_then(hotline_core::fold::Clock::due_at),
            due_on: open.and_then(hotline_core::fold::Clock::due_on),
            verdict: clock.map(|clock| clock.verdict.name()),
            rounds: small(view.rounds.len()),
            clocks_run: !score.open_clocks.is_empty(),
            proposed_at,
            wake_at: ladder.iter().map(|alarm| alarm.deliver_at).chain(proposed_at).min(),
            falls_at: score.falls_at(),
            ladder: ladder_hash(ladder),
            anomalies,
            waits: Waits::of(view),
            backdated_at: backdated_at(view),
            reporter_tag: view.reporter_tag.clone(),
        }
    }
}

/// A case has at most some thousand of anything.
fn small(count: usize) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

fn loaded(row: &PgRow) -> Loaded {
    Loaded {
        case_id: row.get::<&str, _>(0).into(),
        revision: row.get(1),
        rulebook_seq: row.get(2),
        fold_version: row.get(3),
        facts: row.get(4),
        score: row.get(5),
        told: row.get(6),
        is_backdated: row.get(12),
        recorded: Recorded {
            records: row.get(7),
            judged: row.get(8),
            whole: row.get(9),
            personal: Commitments {
                count: row.get::<i32, _>(10).unsigned_abs(),
                chain: row
                    .get::<Option<&[u8]>, _>(11)
                    .map_or([0; 32], |chain| chain.try_into().expect("the table checks its length")),
            },
        },
    }
}

/// The cases of these ids that exist, in key order.
pub async fn load(tx: &mut PgConnection, ids: &[&str]) -> Result<Vec<Loaded>, Error> {
    let rows = sqlx::query(
        "/* cases::load */ SELECT case_id, revision, rulebook_seq, fold_version, facts, score, told, records, judged,
                recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
           FROM cases WHERE case_id = ANY($1) ORDER BY case_id",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::load"))?;
    Ok(rows.iter().map(loaded).collect())
}

/// Cases in key order after a key, for walks over all of them. Start with `""`.
pub async fn page(tx: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<Loaded>, Error> {
    let rows = sqlx::query(
        "/* cases::page */ SELECT case_id, revision, rulebook_seq, fold_version, facts, score, told, records, judged,
                recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
           FROM cases WHERE case_id > $1 ORDER BY case_id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::page"))?;
    Ok(rows.iter().map(loaded).collect())
}

/// The next `limit` cases after a key: the last key among them, and those whose fold is of an older rulebook or
/// program. None at the end. The walk is by key so that every step is short, however few are stale.
pub async fn stale(
    tx: &mut PgConnection,
    rulebook_seq: i64,
    after: &str,
    limit: i64,
) -> Result<Option<(SmolStr, Vec<Loaded>)>, Error> {
    let rows = sqlx::query(
        "/* cases::stale */ SELECT case_id, revision, rulebook_seq, fold_version,
                CASE WHEN rulebook_seq < $2 OR fold_version < $3 THEN facts END,
                CASE WHEN rulebook_seq < $2 OR fold_version < $3 THEN score END, told,
                records, judged, recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
           FROM cases WHERE case_id > $1 ORDER BY case_id LIMIT $4",
    )
    .bind(after)
    .bind(rulebook_seq)
    .bind(fold_version())
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::stale"))?;
    let Some(last) = rows.last() else { return Ok(None) };
    let is_stale = |row: &&PgRow| row.get::<Option<&[u8]>, _>(4).is_some();
    Ok(Some((last.get::<&str, _>(0).into(), rows.iter().filter(is_stale).map(loaded).collect())))
}

/// Which cases [`reaching`] finds.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'r> {
    /// Open, or closed for the last time at this instant or later.
    pub since: Timestamp,
    /// Received before; of a case whose receipt is void nobody knows.
    pub until: Timestamp,
    /// It stands in a fact; others may name it as a part of something else. None: whatever stands there.
    pub named: Option<&'r str>,
}

/// The next `limit` cases after a key: the last key among them, and those that reach. None at the end. As in [`stale`] every step
/// is short, however few they are.
pub async fn reaching(
    tx: &mut PgConnection,
    reach: Reach<'_>,
    after: &str,
    limit: i64,
) -> Result<Option<(SmolStr, Vec<Loaded>)>, Error> {
    let rows = sqlx::query(
        "/* cases::reaching */ SELECT case_id, revision, rulebook_seq, fold_version, CASE WHEN reaches THEN facts END,
                CASE WHEN reaches THEN score END, told, records, judged, recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
           FROM (SELECT *, (NOT registered OR received_at < $2 AND (closed_at IS NULL OR closed_at >= $3))
                           AND ($5::text IS NULL OR position(convert_to($5, 'UTF8') IN facts) > 0) AS reaches
                   FROM cases WHERE case_id > $1 ORDER BY case_id LIMIT $4) AS page
          ORDER BY case_id",
    )
    .bind(after)
    .bind(At(reach.until))
    .bind(At(reach.since))
    .bind(limit)
    .bind(reach.named)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::reaching"))?;
    let Some(last) = rows.last() else { return Ok(None) };
    let reaches = |row: &&PgRow| row.get::<Option<&[u8]>, _>(4).is_some();
    Ok(Some((last.get::<&str, _>(0).into(), rows.iter().filter(reaches).map(loaded).collect())))
}

/// Which of the cases that are due come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// What has waited longest: nothing is forgotten.
    Oldest,
    /// What fell due just now: it is told in time, whatever else waits.
    Newest,
}

/// Takes cases for which something falls due by an instant. Nobody else can take or write them until the end of the
/// transaction; those that somebody is at work on are left out. Among those due at the same instant the order is the
/// index's own: deadlines bunch, and to sort them all would cost as much as they are.
pub async fn claim_waking(
    tx: &mut PgConnection,
    by: Timestamp,
    first: First,
    limit: i64,
) -> Result<Vec<Loaded>, Error> {
    let sql = match first {
        First::Oldest => {
            "/* cases::claim_waking */ SELECT case_id, revision, rulebook_seq, fold_version, facts, score, told, records,
                    judged, recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
               FROM cases WHERE wake_at <= $1 ORDER BY wake_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
        }
        First::Newest => {
            "/* cases::claim_waking */ SELECT case_id, revision, rulebook_seq, fold_version, facts, score, told, records,
                    judged, recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
               FROM cases WHERE wake_at <= $1 ORDER BY wake_at DESC LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
        }
    };
    let rows = sqlx::query(sql)
        .bind(At(by))
        .bind(limit)
        .fetch_all(tx)
        .await
        .map_err(Error::database("cases::claim_waking"))?;
    Ok(rows.iter().map(loaded).collect())
}

/// Until when these cases sleep; those that sleep until an event comes are left out.
pub async fn wakes(tx: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<SmolStr, Timestamp>, Error> {
    let rows = sqlx::query(
        "/* cases::wakes */ SELECT case_id, wake_at FROM cases WHERE case_id = ANY($1) AND wake_at IS NOT NULL",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::wakes"))?;
    Ok(rows.iter().map(|row| (row.get::<&str, _>(0).into(), row.get::<At, _>(1).0)).collect())
}

/// Lets a case sleep that cannot be looked at; one that was written since it was read may be sound by now. Nobody knows when
/// its clocks fall due.
pub async fn set_aside(
    tx: &mut PgConnection,
    (case, revision): (&str, i64),
    until: Option<Timestamp>,
) -> Result<(), Error> {
    let sql = "/* cases::set_aside */ UPDATE cases SET wake_at = $3, overdue = clocks_run
        WHERE case_id = $1 AND revision = $2";
    sqlx::query(sql)
        .bind(case)
        .bind(revision)
        .bind(until.map(At))
        .execute(tx)
        .await
        .map_err(Error::database("cases::set_aside"))?;
    Ok(())
}

/// Cases in key order after a key of which no record holds all facts. Start with `""`.
pub async fn not_whole(tx: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<Loaded>, Error> {
    let rows = sqlx::query(
        "/* cases::not_whole */ SELECT case_id, revision, rulebook_seq, fold_version, facts, score, told, records,
                judged, recorded_whole, personal_count, personal_chain, backdated_at IS NOT NULL
           FROM cases WHERE case_id > $1 AND NOT recorded_whole ORDER BY case_id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::not_whole"))?;
    Ok(rows.iter().map(loaded).collect())
}

/// Says of cases that all their facts stand in a record, unless they were written since they were read.
pub async fn note_whole(tx: &mut PgConnection, read: &[(SmolStr, i64)]) -> Result<(), Error> {
    sqlx::query(
        "/* cases::note_whole */ UPDATE cases SET recorded_whole = true
           FROM unnest($1::text[], $2::bigint[]) AS n (case_id, revision)
          WHERE cases.case_id = n.case_id AND cases.revision = n.revision",
    )
    .bind(read.iter().map(|(case, _)| case.as_str()).collect::<Vec<_>>())
    .bind(read.iter().map(|(_, revision)| *revision).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::database("cases::note_whole"))
    .map(drop)
}

/// How many cases should have been looked at by an instant, and since when the first of them waits.
pub async fn overslept(tx: &mut PgConnection, by: Timestamp) -> Result<(i64, Option<Timestamp>), Error> {
    let row =
        sqlx::query("/* cases::overslept */ SELECT count(*), min(wake_at) FROM cases WHERE wake_at <= $1")
            .bind(At(by))
            .fetch_one(tx)
            .await
            .map_err(Error::database("cases::overslept"))?;
    Ok((row.get(0), row.get::<Option<At>, _>(1).map(|at| at.0)))
}

/// How many of them were there by that instant as they are now: nothing has come in about them since. It reads what came in
/// since, and is for people who ask.
pub async fn overslept_long(tx: &mut PgConnection, by: Timestamp) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* cases::overslept_long */ SELECT count(*) FROM cases
          WHERE wake_at <= $1
            AND NOT EXISTS (SELECT FROM ledger WHERE ledger.case_id = cases.case_id AND received_at > $1)",
    )
    .bind(At(by))
    .fetch_one(tx)
    .await
    .map_err(Error::database("cases::overslept_long"))
}

/// Lets claimed cases sleep. Their revision stays: nothing that casework reads of them changes.
pub async fn sleep(tx: &mut PgConnection, sleeps: &[Sleep]) -> Result<(), Error> {
    let done = sqlx::query(
        "/* cases::sleep */ UPDATE cases SET wake_at = n.wake_at, told = n.told,
                ladder = coalesce(n.ladder, cases.ladder), overdue = n.overdue
           FROM unnest($1::text[], $2::timestamptz[], $3::bool[], $4::bigint[], $5::bool[])
                AS n (case_id, wake_at, told, ladder, overdue)
          WHERE cases.case_id = n.case_id",
    )
    .bind(sleeps.iter().map(|sleep| sleep.case_id.as_str()).collect::<Vec<_>>())
    .bind(ats(sleeps.iter().map(|sleep| sleep.wake_at)))
    .bind(sleeps.iter().map(|sleep| sleep.told).collect::<Vec<_>>())
    .bind(sleeps.iter().map(|sleep| sleep.ladder).collect::<Vec<_>>())
    .bind(sleeps.iter().map(|sleep| sleep.overdue).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::database("cases::sleep"))?;
    expect_rows("cases::sleep", sleeps.len(), done.rows_affected())
}

/// The stored scores after a key, in key order.
pub async fn scores(
    tx: &mut PgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<(SmolStr, Vec<u8>)>, Error> {
    let rows = sqlx::query(
        "/* cases::scores */ SELECT case_id, score FROM cases WHERE case_id > $1 ORDER BY case_id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::scores"))?;
    Ok(rows.iter().map(|row| (row.get::<&str, _>(0).into(), row.get(1))).collect())
}

/// Calls `each` with the open clocks of stored scores: of `Overdue` those of every case that may have one past its deadline
/// at an instant, few of all that are open; of `All` those of every case. In no order.
///
/// A case that has such a clock is marked, or is to be woken by then, whether or not anybody woke it: see `overdue` in
/// [migration 24](../migrations/0024_months.sql).
pub async fn open_clocks(
    tx: &mut PgConnection,
    asked: OpenAsked,
    as_of: Timestamp,
    mut each: impl FnMut(&OpenClocks),
) -> Result<(), Error> {
    let name = "cases::open_clocks";
    let sql = match asked {
        OpenAsked::None => return Ok(()),
        OpenAsked::Overdue => {
            "/* cases::open_clocks */ SELECT case_id, score FROM cases WHERE overdue
             UNION ALL SELECT case_id, score FROM cases WHERE wake_at <= $1 AND clocks_run AND NOT overdue"
        }
        OpenAsked::All => {
            "/* cases::open_clocks */ SELECT case_id, score FROM cases WHERE clocks_run AND $1::timestamptz IS NOT NULL"
        }
    };
    let mut rows = sqlx::query(sql).bind(At(as_of)).fetch(tx);
    while let Some(row) = rows.try_next().await.map_err(Error::database(name))? {
        let clocks = OpenClocks::decode(row.get(1))
            .map_err(|_| Error::Score { case: row.get::<&str, _>(0).into() })?;
        each(&clocks);
    }
    Ok(())
}

pub(crate) async fn walk_scores(
    tx: &mut PgConnection,
    mut each: impl FnMut(&str, Score),
) -> Result<(), Error> {
    /// Scores read at a time: some megabytes.
    const PAGE: i64 = 10_000;
    let mut after = SmolStr::default();
    loop {
        let page = scores(tx, &after, PAGE).await?;
        for (case, bytes) in &page {
            each(case, Score::decode(bytes).map_err(|_| Error::Score { case: case.clone() })?);
        }
        match page.into_iter().last() {
            Some((case, _)) => after = case,
            None => return Ok(()),
        }
    }
}

/// Calls `each` with the facts of every case, in key order; run it in a snapshot.
pub async fn walk_facts(tx: &mut PgConnection, mut each: impl FnMut(&str, CaseFacts)) -> Result<(), Error> {
    /// Cases read at a time: some megabytes.
    const PAGE: i64 = 5_000;
    let mut after = SmolStr::default();
    loop {
        let rows = sqlx::query(
            "/* cases::walk_facts */ SELECT case_id, facts FROM cases WHERE case_id > $1 ORDER BY case_id LIMIT $2",
        )
        .bind(after.as_str())
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("cases::walk_facts"))?;
        let Some(last) = rows.last() else { return Ok(()) };
        for row in &rows {
            let case: &str = row.get(0);
            let facts =
                CaseFacts::decode(row.get(1)).map_err(|source| Error::Facts { case: case.into(), source })?;
            each(case, facts);
        }
        after = last.get::<&str, _>(0).into();
    }
}

/// How many cases have each of these anomalies, and one of them; anomalies that none has are left out.
pub async fn with_anomalies(
    tx: &mut PgConnection,
    codes: &[&str],
) -> Result<Vec<(String, i64, String)>, Error> {
    sqlx::query_as(
        "/* cases::with_anomalies */ SELECT code, count(*), max(case_id) FROM cases, unnest(anomalies) AS code
          WHERE code = ANY($1) GROUP BY code ORDER BY code",
    )
    .bind(codes)
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::with_anomalies"))
}

/// How many cases there are by (`rulebook_seq`, `fold_version`).
pub async fn progress(tx: &mut PgConnection) -> Result<Vec<(i64, i32, i64)>, Error> {
    sqlx::query_as(
        "/* cases::progress */ SELECT rulebook_seq, fold_version, cases FROM fold_progress ORDER BY 1, 2",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("cases::progress"))
}

/// The columns of `n`, in the order in which [`Arrays::bind`] binds them.
macro_rules! rows {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::bool[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
                $14::timestamptz[], $15::timestamptz[], $16::date[], $17::text[], $18::smallint[],
                $19::bool[], $20::timestamptz[], $21::text[], $22::timestamptz[], $23::bigint[], $24::text[],
                $25::timestamptz[], $26::text[], $27::timestamptz[], $28::integer[], $29::bigint[], $30::bool[],
                $31::integer[], $32::bytea[])
              AS n (case_id, revision, facts, score, hotline, registered, case_type, category, region, channel,
                class, department, received_at, closed_at, due_at, due_on, verdict, rounds, clocks_run, wake_at,
                anomalies, proposed_at, ladder, waits, backdated_at, reporter_tag, falls_at,
                records, judged, recorded_whole, personal_count, personal_chain) ",
            $after
        )
    };
}

const INSERT: &str = rows!(
    "/* cases::insert */ INSERT INTO cases (case_id, revision, rulebook_seq, fold_version, facts, score, hotline,
        registered, case_type, category, region, channel, class, department, received_at, closed_at, due_at,
        due_on, verdict, rounds, clocks_run, wake_at, anomalies, ladder, waits, backdated_at, reporter_tag, overdue,
        records, judged, recorded_whole, personal_count, personal_chain)
     SELECT n.case_id, 1, $33, $34, n.facts, n.score, n.hotline, n.registered, n.case_type,
        string_to_array(n.category, E'\\x1f'), n.region, n.channel, n.class, n.department, n.received_at,
        n.closed_at, n.due_at, n.due_on, n.verdict, n.rounds, n.clocks_run,
        least(n.wake_at, CASE WHEN n.falls_at > $35 THEN n.falls_at END),
        string_to_array(n.anomalies, E'\\x1f'), n.ladder, n.waits::jsonb, n.backdated_at, n.reporter_tag,
        coalesce(n.falls_at <= $35, false),
        n.records, n.judged, n.recorded_whole, n.personal_count, n.personal_chain",
    "ON CONFLICT (case_id) DO NOTHING"
);

/// The revision at its end is what keeps two writers of one case apart. `wake_at` only moves earlier: who is woken too
/// soon moves it on. While the ladder is the same, who told it last knows when to wake; of one that changed under
/// something that was told, that may have to be withdrawn at once. A case whose clocks have not fallen due is woken when
/// the first of them does, so that it is marked.
pub(crate) const UPDATE: &str = rows!(
    "/* cases::update */ UPDATE cases SET revision = cases.revision + 1, rulebook_seq = $33, fold_version = $34,
        facts = n.facts, score = n.score, hotline = n.hotline, registered = n.registered,
        case_type = n.case_type, category = string_to_array(n.category, E'\\x1f'), region = n.region,
        channel = n.channel, class = n.class, department = n.department, received_at = n.received_at,
        closed_at = n.closed_at, due_at = n.due_at, due_on = n.due_on, verdict = n.verdict, rounds = n.rounds,
        clocks_run = n.clocks_run, anomalies = string_to_array(n.anomalies, E'\\x1f'), ladder = n.ladder,
        waits = n.waits::jsonb, backdated_at = n.backdated_at, reporter_tag = n.reporter_tag,
        overdue = coalesce(n.falls_at <= $35, false),
        records = n.records, judged = n.judged, recorded_whole = n.recorded_whole,
        personal_count = n.personal_count, personal_chain = n.personal_chain,
        wake_at = least(CASE WHEN n.falls_at > $35 THEN n.falls_at END,
                        CASE WHEN n.ladder = cases.ladder THEN least(cases.wake_at, n.proposed_at)
                             WHEN cases.told THEN least(cases.wake_at, $35)
                             ELSE least(cases.wake_at, n.wake_at) END)",
    "WHERE cases.case_id = n.case_id AND cases.revision = n.revision"
);

/// Writes folded cases, which are in key order so that two writers meet at the same case first. Fails with
/// [`Error::Raced`] unless every one of them was written.
pub async fn write(
    tx: &mut PgConnection,
    folded: &[Folded],
    rulebook_seq: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let (known, new): (Vec<&Folded>, Vec<&Folded>) = folded.iter().partition(|case| case.revision.is_some());
    write_with(tx, "cases::insert", INSERT, &new, rulebook_seq, now).await?;
    write_with(tx, "cases::update", UPDATE, &known, rulebook_seq, now).await
}

pub(crate) async fn write_with(
    tx: &mut PgConnection,
    name: &'static str,
    sql: &'static str,
    folded: &[&Folded],
    rulebook_seq: i64,
    now: Timestamp,
) -> Result<(), Error> {
    if folded.is_empty() {
        return Ok(());
    }
    let columns = || folded.iter().map(|case| &case.columns);
    let recorded = || folded.iter().map(|case| &case.recorded);
    let query = sqlx::query(sql)
        .bind(folded.iter().map(|case| case.case_id.as_str()).collect::<Vec<_>>())
        .bind(folded.iter().map(|case| case.revision.unwrap_or_default()).collect::<Vec<_>>())
        .bind(folded.iter().map(|case| case.facts.as_slice()).collect::<Vec<_>>())
        .bind(folded.iter().map(|case| case.score.as_slice()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.hotline.as_str()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.registered).collect::<Vec<_>>())
        .bind(columns().map(|row| row.case_type.as_str()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.category.join(SEPARATOR)).collect::<Vec<_>>())
        .bind(columns().map(|row| row.region.as_str()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.channel.as_deref()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.class.as_str()).collect::<Vec<_>>())
        .bind(columns().map(|row| row.department.as_deref()).collect::<Vec<_>>())
        .bind(ats(columns().map(|row| row.received_at)))
        .bind(ats(columns().map(|row| row.closed_at)))
        .bind(ats(columns().map(|row| row.due_at)))
        .bind(columns().map(|row| row.due_on.map(On)).collect::<Vec<_>>())
        .bind(columns().map(|row| row.verdict).collect::<Vec<_>>())
        .bind(columns().map(|row| row.rounds).collect::<Vec<_>>())
        .bind(columns().map(|row| row.clocks_run).collect::<Vec<_>>())
        .bind(ats(columns().map(|row| row.wake_at)))
        .bind(columns().map(|row| row.anomalies.join(SEPARATOR)).collect::<Vec<_>>())
        .bind(ats(columns().map(|row| row.proposed_at)))
        .bind(columns().map(|row| row.ladder).collect::<Vec<_>>())
        .bind(columns().map(|row| waits(&row.waits)).collect::<Vec<_>>())
        .bind(ats(columns().map(|row| row.backdated_at)))
        .bind(columns().map(|row| row.reporter_tag.as_deref()).collect::<Vec<_>>())
        .bind(ats(columns().map(|row| row.falls_at)))
        .bind(recorded().map(|row| row.records).collect::<Vec<_>>())
        .bind(recorded().map(|row| row.judged).collect::<Vec<_>>())
        .bind(recorded().map(|row| row.whole).collect::<Vec<_>>())
        .bind(recorded().map(|row| row.personal.count.cast_signed()).collect::<Vec<_>>())
        .bind(recorded().map(|row| chain(&row.personal)).collect::<Vec<_>>())
        .bind(rulebook_seq)
        .bind(fold_version())
        .bind(At(now));
    let done = query.execute(tx).await.map_err(Error::database(name))?;
    let (expected, found) = (folded.len() as u64, done.rows_affected());
    if expected == found { Ok(()) } else { Err(Error::Raced { name, expected, found }) }
}

/// The chain as it is stored; None: nothing of the case is personal.
fn chain(personal: &Commitments) -> Option<&[u8]> {
    (personal.count > 0).then_some(personal.chain.as_slice())
}

/// What a case waits for as it is stored; None: nothing. The views of migration 16 read these members.
fn waits(waits: &Waits) -> Option<String> {
    if waits.is_empty() {
        return None;
    }
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    };
    let at = |at: Option<Timestamp>| at.map_or(Value::Null, |at| at.to_string().into());
    let mark = |holds: bool| if holds { Value::Bool(true) } else { Value::Null };
    if let Some(signature) = &waits.signature {
        put("signature_of", signature.department.as_deref().unwrap_or(NOBODY).into());
        put("signature_since", at(signature.since));
        put("signature_due_at", at(signature.due_at));
    }
    put("review_since", at(waits.review_since));
    put("submitted_in_time", mark(waits.submitted_in_time));
    put("return_asked_since", at(waits.return_asked_since));
    put("dispatch_since", at(waits.dispatch_since));
    put("is_returned", mark(waits.is_returned));
    if let Some(asked) = &waits.extension {
        put("extension_of", asked.stage.as_str().into());
        put("extension_since", at(Some(asked.since)));
    }
    if let Some(held) = &waits.hold {
        put("hold_reason", held.reason.as_str().into());
        put("hold_since", at(Some(held.since)));
        put("hold_until", at(held.until));
    }
    Some(Value::Object(members).to_string())
}

pub(crate) fn fold_version() -> i32 {
    i32::try_from(FOLD_VERSION).expect("fold versions are counted by people")
}
