//! How far every origin has been read. The one authority: Kafka's committed offsets are advisory.
//!
//! Law, held by the table itself: `next_offset - start_offset = records + gaps`, and
//! `records = applied + duplicate + ignored + dead`.

use aws_lc_rs::digest;
use hotline_events::intake::Record;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::error::{Error, expect_rows};
use crate::interventions::{self, By};
use crate::pool::run_read_tx;
use crate::sql_types::At;

/// The right to move one origin's position, until somebody else takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub origin: String,
    pub epoch: i64,
    pub next_offset: i64,
}

/// What a batch did to its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub records: i64,
    pub applied: i64,
    pub duplicate: i64,
    pub ignored: i64,
    pub dead: i64,
    pub gaps: i64,
}

/// The last record of a batch, by which a log that was replaced is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    pub offset: i64,
    pub received_at: Timestamp,
    /// The first 8 bytes of its SHA-256.
    pub checksum: i64,
}

impl LastRecord {
    /// That of a log; None where the origin numbers nothing.
    pub fn of(record: &Record) -> Option<Self> {
        let checksum = Self::checksum_of(&record.raw);
        record.offset.map(|offset| Self { offset, received_at: record.received_at, checksum })
    }

    /// The checksum of a record's bytes.
    pub fn checksum_of(raw: &[u8]) -> i64 {
        let hash = digest::digest(&digest::SHA256, raw);
        i64::from_be_bytes(*hash.as_ref().first_chunk::<8>().expect("SHA-256 has 32 bytes"))
    }
}

/// A position as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub claim: Claim,
    pub start_offset: i64,
    pub counts: Counts,
    pub cluster_id: Option<String>,
    pub last: Option<LastRecord>,
}

/// How carefully an origin is read where batches were begun and never ended: a record there may end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Records of a batch.
    pub size: usize,
    /// Up to this offset.
    pub until: i64,
    /// The next record, alone, did not end, again and again: it is put aside.
    pub is_condemned: bool,
}

/// An origin in one's hands.
#[derive(Clone, Debug)]
pub struct Taken {
    pub claim: Claim,
    pub last: Option<LastRecord>,
    pub trial: Option<Trial>,
}

/// Records of the first trial: a whole batch. Two trials later it is one record.
const TRIAL_RECORDS: i32 = 5_000;
const TRIAL_SHRINKS: i32 = 71;
/// Deaths over one record alone. Others may kill a process too, and several times at the same place by chance: of five
/// hundred kills three met with one record while the database did not answer.
const TRIAL_DEATHS_MAX: i32 = 5;

/// Takes an origin: the next epoch. Whoever held it is fenced; a transaction of theirs under way is waited for.
/// An origin never seen starts at `start_offset`.
pub async fn claim(tx: &mut PgConnection, origin: &str, start_offset: i64) -> Result<Claim, Error> {
    let row = sqlx::query(
        "/* positions::claim */ INSERT INTO positions AS old (origin, epoch, start_offset, next_offset, claims)
         VALUES ($1, 1, $2, $2, 1)
         ON CONFLICT (origin) DO UPDATE SET epoch = old.epoch + 1, claims = old.claims + 1, reclaim = NULL,
            trial_deaths = old.trial_deaths + CASE WHEN old.trial_begun AND old.trial_size = 1 THEN 1 ELSE 0 END,
            trial_until = CASE WHEN old.trial_begun THEN old.next_offset + old.trial_size
                               WHEN old.trial_size IS NULL AND old.claims > 0 THEN old.next_offset + $3
                               ELSE old.trial_until END,
            trial_size = CASE WHEN old.trial_begun THEN greatest(1, old.trial_size / $4)
                              WHEN old.trial_size IS NULL AND old.claims > 0 THEN $3
                              ELSE old.trial_size END,
            trial_begun = false
         RETURNING epoch, next_offset",
    )
    .bind(origin)
    .bind(start_offset)
    .bind(TRIAL_RECORDS)
    .bind(TRIAL_SHRINKS)
    .fetch_one(tx)
    .await
    .map_err(Error::database("positions::claim"))?;
    Ok(Claim { origin: origin.to_owned(), epoch: row.get(0), next_offset: row.get(1) })
}

/// Takes an origin again from a claim of one's own, and from nobody else: [`Error::Fenced`] if another was there. A
/// transaction of the lost claim that is under way is waited for. Who does not learn whether it happened says the same
/// `number` again, and finds what it took.
pub async fn reclaim(tx: &mut PgConnection, lost: &Claim, number: i64) -> Result<Claim, Error> {
    let row = sqlx::query(
        "/* positions::reclaim */ UPDATE positions SET epoch = $2 + 1, reclaim = $3
          WHERE origin = $1 AND (epoch = $2 OR epoch = $2 + 1 AND reclaim = $3)
         RETURNING epoch, next_offset",
    )
    .bind(&lost.origin)
    .bind(lost.epoch)
    .bind(number)
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::database("positions::reclaim"))?;
    let Some(row) = row else {
        let epoch =
            sqlx::query_scalar("/* positions::reclaim */ SELECT epoch FROM positions WHERE origin = $1")
                .bind(&lost.origin)
                .fetch_one(tx)
                .await
                .map_err(Error::database("positions::reclaim"))?;
        return Err(Error::Fenced { origin: lost.origin.clone(), epoch });
    };
    Ok(Claim { origin: lost.origin.clone(), epoch: row.get(0), next_offset: row.get(1) })
}

/// Takes a partition as [`claim`] does and says which record was read last. The first claim keeps the name of the
/// cluster; [`Error::OtherCluster`] if the offsets belong to another.
pub async fn claim_partition(tx: &mut PgConnection, origin: &str, cluster_id: &str) -> Result<Taken, Error> {
    let claim = claim(tx, origin, 0).await?;
    let row = sqlx::query(
        "/* positions::claim_partition */ UPDATE positions SET cluster_id = coalesce(cluster_id, $2)
          WHERE origin = $1 RETURNING cluster_id, last_offset, last_received_at, last_checksum, trial_size, trial_until,
            trial_deaths",
    )
    .bind(origin)
    .bind(cluster_id)
    .fetch_one(tx)
    .await
    .map_err(Error::database("positions::claim_partition"))?;
    let known: String = row.get(0);
    if known != cluster_id {
        return Err(Error::OtherCluster { origin: origin.to_owned(), known, found: cluster_id.to_owned() });
    }
    let trial = row.get::<Option<i32>, _>(4).map(|size| Trial {
        size: usize::try_from(size).unwrap_or(1).max(1),
        until: row.get(5),
        is_condemned: row.get::<i32, _>(6) >= TRIAL_DEATHS_MAX,
    });
    Ok(Taken { claim, last: last_record(&row, 1), trial })
}

/// Notes that a batch of a trial begins: if it never ends, the next is smaller.
pub async fn begin_trial(tx: &mut PgConnection, claim: &Claim) -> Result<(), Error> {
    let done = sqlx::query(
        "/* positions::begin_trial */ UPDATE positions SET trial_begun = true
          WHERE origin = $1 AND epoch = $2 AND next_offset = $3",
    )
    .bind(&claim.origin)
    .bind(claim.epoch)
    .bind(claim.next_offset)
    .execute(&mut *tx)
    .await
    .map_err(Error::database("positions::begin_trial"))?;
    // Whose it is, or where it stands, is found out as by any batch.
    if done.rows_affected() == 1 { Ok(()) } else { hold(tx, claim).await }
}

/// Takes back what [`begin_trial`] noted: the batch did not end, and the process did not die of it.
pub async fn end_trial(tx: &mut PgConnection, claim: &Claim) -> Result<(), Error> {
    sqlx::query(
        "/* positions::end_trial */ UPDATE positions SET trial_begun = false
          WHERE origin = $1 AND epoch = $2 AND next_offset = $3",
    )
    .bind(&claim.origin)
    .bind(claim.epoch)
    .bind(claim.next_offset)
    .execute(tx)
    .await
    .map_err(Error::database("positions::end_trial"))?;
    Ok(())
}

/// What [`set`] did to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// So many records were given up; they count as gaps.
    Moved { given_up: i64 },
    /// It counts anew from there: what was read before comes again and is a duplicate.
    BegunAnew,
}

/// Sets a position by hand, where its log is not the one that was read before: forwards, records are given up and
/// counted as gaps; backwards, or where it stands, it begins anew. Whoever held it is fenced. What it was is noted.
pub async fn set(tx: &mut PgConnection, origin: &str, at: i64, by: &By<'_>) -> Result<Set, Error> {
    let name = "positions::set";
    let before = sqlx::query(
        "/* positions::set */ SELECT next_offset, to_jsonb(positions)::text FROM positions WHERE origin = $1 FOR UPDATE",
    )
    .bind(origin)
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::database(name))?
    .ok_or_else(|| Error::NoPosition { origin: origin.to_owned() })?;
    let next_offset: i64 = before.get(0);
    let (statement, set) = if at > next_offset {
        (
            "/* positions::set */ UPDATE positions SET epoch = epoch + 1, gaps = gaps + $2 - next_offset, next_offset = $2,
                cluster_id = NULL, last_offset = NULL, last_received_at = NULL, last_checksum = NULL, claims = 0, trial_size = NULL,
                trial_until = NULL, trial_begun = false, trial_deaths = 0
              WHERE origin = $1",
            Set::Moved { given_up: at - next_offset },
        )
    } else {
        (
            "/* positions::set */ UPDATE positions SET epoch = epoch + 1, start_offset = $2, next_offset = $2, records = 0,
                applied = 0, duplicate = 0, ignored = 0, dead = 0, gaps = 0, cluster_id = NULL, last_offset = NULL,
                last_received_at = NULL, last_checksum = NULL, claims = 0, trial_size = NULL, trial_until = NULL,
                trial_begun = false, trial_deaths = 0
              WHERE origin = $1",
            Set::BegunAnew,
        )
    };
    sqlx::query(statement).bind(origin).bind(at).execute(&mut *tx).await.map_err(Error::database(name))?;
    let step = if set == Set::BegunAnew { "begun_anew" } else { "moved" };
    let before = serde_json::from_str(before.get(1)).map_err(|_| Error::Malformed { what: "a position" })?;
    interventions::note(tx, origin, step, by, Some(before)).await?;
    Ok(set)
}

/// The last record read, whose three columns begin at `column`; None before the first.
fn last_record(row: &PgRow, column: usize) -> Option<LastRecord> {
    row.get::<Option<i64>, _>(column).map(|offset| LastRecord {
        offset,
        received_at: row.get::<At, _>(column + 1).0,
        checksum: row.get(column + 2),
    })
}

/// Compares `(epoch, next_offset)` and takes the lock on the position: the first thing a batch does, so that a
/// fenced owner does no work.
pub async fn hold(tx: &mut PgConnection, claim: &Claim) -> Result<(), Error> {
    let row = sqlx::query(
        "/* positions::hold */ SELECT epoch, next_offset FROM positions WHERE origin = $1 FOR UPDATE",
    )
    .bind(&claim.origin)
    .fetch_one(tx)
    .await
    .map_err(Error::database("positions::hold"))?;
    let (epoch, next_offset): (i64, i64) = (row.get(0), row.get(1));
    if epoch != claim.epoch {
        return Err(Error::Fenced { origin: claim.origin.clone(), epoch });
    }
    if next_offset != claim.next_offset {
        let (origin, expected) = (claim.origin.clone(), claim.next_offset);
        return Err(Error::PositionMoved { origin, expected, found: next_offset });
    }
    Ok(())
}

/// Moves a position that [`hold`] has locked.
pub async fn advance(
    tx: &mut PgConnection,
    claim: &Claim,
    counts: &Counts,
    last: LastRecord,
) -> Result<i64, Error> {
    let next_offset = claim.next_offset + counts.records + counts.gaps;
    let done = sqlx::query(
        "/* positions::advance */ UPDATE positions SET next_offset = $4, records = records + $5,
                applied = applied + $6, duplicate = duplicate + $7, ignored = ignored + $8,
                dead = dead + $9, gaps = gaps + $10,
                last_offset = $11, last_received_at = $12, last_checksum = $13, claims = 0, trial_begun = false,
                trial_deaths = 0, trial_size = CASE WHEN $4 < trial_until THEN trial_size END,
                trial_until = CASE WHEN $4 < trial_until THEN trial_until END
          WHERE origin = $1 AND epoch = $2 AND next_offset = $3",
    )
    .bind(&claim.origin)
    .bind(claim.epoch)
    .bind(claim.next_offset)
    .bind(next_offset)
    .bind(counts.records)
    .bind(counts.applied)
    .bind(counts.duplicate)
    .bind(counts.ignored)
    .bind(counts.dead)
    .bind(counts.gaps)
    .bind(last.offset)
    .bind(At(last.received_at))
    .bind(last.checksum)
    .execute(tx)
    .await
    .map_err(Error::database("positions::advance"))?;
    expect_rows("positions::advance", 1, done.rows_affected())?;
    Ok(next_offset)
}

/// Whether anybody but this transaction is at a batch just now: it holds its position from beginning to end.
pub async fn batches_are_under_way(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* positions::batches_are_under_way */ SELECT EXISTS (SELECT FROM pg_locks
            WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND relation = 'positions'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')
              AND pid <> pg_backend_pid())",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("positions::batches_are_under_way"))
}

/// As [`batches_are_under_way`], for who rests beside them: they are, where nobody knows.
pub async fn are_batches_under_way(pool: &PgPool) -> bool {
    run_read_tx(pool, "positions::batches", &mut (), |tx, ()| Box::pin(batches_are_under_way(tx)))
        .await
        .unwrap_or(true)
}

/// All positions, by origin.
pub async fn list(tx: &mut PgConnection) -> Result<Vec<Position>, Error> {
    let rows = sqlx::query(
        "/* positions::list */ SELECT origin, epoch, next_offset, start_offset, records, applied, duplicate,
                ignored, dead, gaps, cluster_id, last_offset, last_received_at, last_checksum
           FROM positions ORDER BY origin",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("positions::list"))?;
    let position = |row: &PgRow| Position {
        claim: Claim { origin: row.get(0), epoch: row.get(1), next_offset: row.get(2) },
        start_offset: row.get(3),
        counts: Counts {
            records: row.get(4),
            applied: row.get(5),
            duplicate: row.get(6),
            ignored: row.get(7),
            dead: row.get(8),
            gaps: row.get(9),
        },
        cluster_id: row.get(10),
        last: last_record(row, 11),
    };
    Ok(rows.iter().map(position).collect())
}
