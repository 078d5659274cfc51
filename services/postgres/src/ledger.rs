//! The ledger: every accepted event, less its personal members, as it came. Append-only.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};
use smol_str::SmolStr;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use crate::copy::Rows;
use crate::error::Error;
use crate::pool::run_tx;
use crate::rulebooks;
use crate::sql_types::{At, On};
use crate::turns::Turn;

/// Under which origin our own decisions stand, which have no position.
pub const PIPELINE_ORIGIN: &str = "pipeline";

/// The SQLSTATE of a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Numbers that one call of the sequence gives.
const BLOCK: i64 = 64;

/// An event to append.
#[derive(Clone, Debug)]
pub struct Entry<'e> {
    pub seq: i64,
    /// None: a figure.
    pub case_id: Option<&'e str>,
    pub event_key: EventKey,
    pub source: &'e str,
    pub id: &'e str,
    pub event_type: &'e str,
    pub received_at: Timestamp,
    pub origin: &'e str,
    pub origin_offset: i64,
    pub event: &'e [u8],
}

/// An event as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub seq: i64,
    pub case_id: Option<SmolStr>,
    pub received_at: Timestamp,
    /// Where it came from; `pipeline` for our own decisions, which have no position.
    pub origin: SmolStr,
    pub origin_offset: i64,
    /// Canonical JSON.
    pub event: String,
}

/// `count` numbers of the ledger, ascending; numbers not used are left out for ever.
pub async fn numbers(tx: &mut PgConnection, count: usize) -> Result<Vec<i64>, Error> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let calls = i64::try_from(count).expect("a batch is bounded").div_euclid(BLOCK) + 1;
    let blocks: Vec<i64> = sqlx::query_scalar(
        "/* ledger::numbers */ SELECT nextval('ledger_blocks') FROM generate_series(1, $1)",
    )
    .bind(calls)
    .fetch_all(tx)
    .await
    .map_err(Error::database("ledger::numbers"))?;
    Ok(blocks.into_iter().flat_map(|block| block * BLOCK..(block + 1) * BLOCK).take(count).collect())
}

pub async fn append(tx: &mut PgConnection, entries: &[Entry<'_>]) -> Result<(), Error> {
    let mut rows = Rows::new(10);
    for entry in entries {
        rows.row()
            .integer(entry.seq)
            .optional_text(entry.case_id)
            .bytes(&entry.event_key.0)
            .text(entry.source)
            .text(entry.id)
            .text(entry.event_type)
            .at(entry.received_at)
            .text(entry.origin)
            .integer(entry.origin_offset)
            .bytes(entry.event);
    }
    let statement =
        "/* ledger::append */ COPY ledger (seq, case_id, event_key, source, id, type, received_at,
        origin, origin_offset, event) FROM STDIN (FORMAT binary)";
    rows.send(tx, "ledger::append", statement).await
}

/// Events in the order of the ledger after a number; run it in a snapshot. Start with 0.
pub async fn page(tx: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<Exported>, Error> {
    let rows = sqlx::query(
        "/* ledger::page */ SELECT seq, case_id, received_at, event, origin, origin_offset FROM ledger
          WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("ledger::page"))?;
    let exported = |row: &sqlx::postgres::PgRow| Exported {
        seq: row.get(0),
        case_id: row.get::<Option<&str>, _>(1).map(SmolStr::from),
        received_at: row.get::<At, _>(2).0,
        event: row.get(3),
        origin: row.get::<&str, _>(4).into(),
        origin_offset: row.get(5),
    };
    Ok(rows.iter().map(exported).collect())
}

/// Fixes the snapshot of a transaction that has read nothing yet, at an instant at which no batch is under way: the rows
/// below the number that it returns are in the snapshot, and all that come later are not below it. Batches wait for that
/// instant only.
pub async fn cut(pool: &PgPool, snapshot: &mut PgConnection) -> Result<i64, Error> {
    let mut snapshot = snapshot;
    run_tx(pool, "ledger::cut", &mut snapshot, |lock, snapshot| {
        Box::pin(async move {
            rulebooks::hold_alone(lock).await?;
            let next: i64 = sqlx::query_scalar(
                "/* ledger::cut */ SELECT last_value + is_called::integer FROM ledger_blocks",
            )
            .fetch_one(&mut **snapshot)
            .await
            .map_err(Error::database("ledger::cut"))?;
            Ok(next * BLOCK)
        })
    })
    .await
}

/// The cases of which events of these types came in since an instant, in their order.
pub async fn cases_with(
    tx: &mut PgConnection,
    types: &[&str],
    since: Timestamp,
) -> Result<Vec<SmolStr>, Error> {
    let cases: Vec<String> = sqlx::query_scalar(
        "/* ledger::cases_with */ SELECT DISTINCT case_id FROM ledger
          WHERE type = ANY($1) AND received_at >= $2 AND case_id IS NOT NULL
            AND type IN ('hotline.case.ruled.v1', 'hotline.case.extended.v1', 'hotline.case.corrected.v1',
                         'hotline.case.snapshot.v1')
          ORDER BY case_id",
    )
    .bind(types)
    .bind(At(since))
    .fetch_all(tx)
    .await
    .map_err(Error::database("ledger::cases_with"))?;
    Ok(cases.into_iter().map(SmolStr::from).collect())
}

/// Where an event came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameFrom {
    /// `pipeline` for our own decisions, which have no position.
    pub origin: SmolStr,
    pub offset: i64,
    pub received_at: Timestamp,
}

/// Where the events with these numbers came from.
pub async fn origins(tx: &mut PgConnection, seqs: &[i64]) -> Result<BTreeMap<i64, CameFrom>, Error> {
    let rows = sqlx::query(
        "/* ledger::origins */ SELECT seq, origin, origin_offset, received_at FROM ledger WHERE seq = ANY($1)",
    )
    .bind(seqs)
    .fetch_all(tx)
    .await
    .map_err(Error::database("ledger::origins"))?;
    let came_from = |row: &sqlx::postgres::PgRow| {
        let origin = row.get::<&str, _>(1).into();
        (row.get(0), CameFrom { origin, offset: row.get(2), received_at: row.get::<At, _>(3).0 })
    };
    Ok(rows.iter().map(came_from).collect())
}

/// Makes the partitions of the month of `now` (UTC) and of the `ahead` months after it, where they are missing.
/// Returns how many were made. A month that already has rows in the default partition stays there.
pub async fn create_partitions(tx: &mut PgConnection, now: Timestamp, ahead: i32) -> Result<usize, Error> {
    Turn::LedgerPartitions.wait(tx).await?;
    let first = Offset::UTC.to_datetime(now).date().first_of_month();
    let mut made = 0;
    for n in 0..=ahead {
        if let Some(is_new) = make_partition(tx, first.saturating_add(n.months())).await? {
            made += usize::from(is_new);
        } else {
            tracing::info!(
                "somebody reads the whole ledger, as a backup does: its next months are made later"
            );
            break;
        }
    }
    Ok(made)
}

/// Makes a month where it is missing, unless it would have to wait (None): everybody who writes would wait behind it.
async fn make_partition(tx: &mut PgConnection, month: Date) -> Result<Option<bool>, Error> {
    let name = "ledger::create_partitions";
    let mut inner = tx.begin().await.map_err(Error::database(name))?;
    sqlx::query("/* ledger::create_partitions */ SET LOCAL lock_timeout = '300ms'")
        .execute(&mut *inner)
        .await
        .map_err(Error::database(name))?;
    let made = sqlx::query_scalar("/* ledger::create_partitions */ SELECT make_ledger_partition($1)")
        .bind(On(month))
        .fetch_one(&mut *inner)
        .await;
    match made {
        Ok(is_new) => {
            inner.commit().await.map_err(Error::database(name))?;
            Ok(Some(is_new))
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            inner.rollback().await.map_err(Error::database(name))?;
            Ok(None)
        }
        Err(error) => Err(Error::database(name)(error)),
    }
}
