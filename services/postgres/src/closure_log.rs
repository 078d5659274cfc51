//! The closure log as rows: which record is which leaf, the tiles of the tree, and what was signed.
//!
//! Hashes are computed by the caller; here they are bytes. One session seals at a time: it holds an advisory lock for as long
//! as it lives ([`Turn`]) and an epoch, which every statement that moves the log asks for.

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use crate::error::{Error, expect_rows};
use crate::sql_types::At;

/// A hash of the tree.
pub type Digest = [u8; 32];

/// The log in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// From 1; the next after each new beginning.
    pub log: i32,
    /// Its name in everything that is signed.
    pub origin: String,
    pub epoch: i64,
    /// Leaves.
    pub size: u64,
    pub root: Digest,
    /// Every record up to this id is in the log, and none can come any more.
    pub settled_to: i64,
}

/// Where a tile stands: its level, and its place in the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub level: u8,
    pub index: u64,
}

/// Hashes of a level that stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub place: Place,
    /// 32 bytes each, 1 to 256 of them.
    pub data: Vec<u8>,
}

/// A record and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    pub id: i64,
    pub leaf: Vec<u8>,
}

/// A step of the log: what comes after `before`.
#[derive(Clone, Debug)]
pub struct Growth {
    pub before: State,
    /// The records, in the order of their leaves.
    pub records: Vec<i64>,
    /// The tiles that are new or wider.
    pub tiles: Vec<Tile>,
    pub root: Digest,
    pub settled_to: i64,
}

/// A statement that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub log: i32,
    pub size: u64,
    pub signed_at: Timestamp,
    pub note: String,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    pub witness: String,
    pub size: u64,
    pub cosigned_at: Timestamp,
    pub line: String,
}

/// The right to seal, for as long as the session lives.
#[derive(Debug)]
pub struct Turn {
    session: PgConnection,
}

impl Turn {
    /// None: another session seals.
    pub async fn take(pool: &PgPool) -> Result<Option<Self>, Error> {
        let name = "closure_log::take";
        let mut session =
            PgConnection::connect_with(&pool.connect_options()).await.map_err(Error::database(name))?;
        let taken: bool = sqlx::query_scalar(
            "/* closure_log::take */ SELECT pg_try_advisory_lock(hashtextextended('hotline.closure_log', 0))",
        )
        .fetch_one(&mut session)
        .await
        .map_err(Error::database(name))?;
        Ok(taken.then_some(Self { session }))
    }

    /// Fails if the session, and with it the lock, is gone.
    pub async fn hold(&mut self) -> Result<(), Error> {
        self.session.ping().await.map_err(Error::database("closure_log::hold"))
    }

    /// Lets the next one have it, at once: the server ends a session some time after it was closed.
    pub async fn give_back(mut self) -> Result<(), Error> {
        let name = "closure_log::give_back";
        sqlx::query(
            "/* closure_log::give_back */ SELECT pg_advisory_unlock(hashtextextended('hotline.closure_log', 0))",
        )
        .execute(&mut self.session)
        .await
        .map_err(Error::database(name))?;
        self.session.close().await.map_err(Error::database(name))
    }
}

/// The log in force; None before the first.
pub async fn state(tx: &mut PgConnection) -> Result<Option<State>, Error> {
    let row = sqlx::query(
        "/* closure_log::state */ SELECT log, origin, epoch, size, root, settled_to FROM log_state",
    )
    .fetch_optional(tx)
    .await
    .map_err(Error::database("closure_log::state"))?;
    row.map(|row| {
        Ok(State {
            log: row.get(0),
            origin: row.get(1),
            epoch: row.get(2),
            size: size(row.get(3))?,
            root: digest(row.get(4))?,
            settled_to: row.get(5),
        })
    })
    .transpose()
}

/// Begins the log of this number in a database that has none. False: there is one.
pub async fn begin(
    tx: &mut PgConnection,
    log: i32,
    origin: &str,
    empty_root: &Digest,
) -> Result<bool, Error> {
    sqlx::query(
        "/* closure_log::begin */ INSERT INTO log_state (log, origin, epoch, size, root, settled_to)
         VALUES ($1, $2, 0, 0, $3, 0) ON CONFLICT (one) DO NOTHING",
    )
    .bind(log)
    .bind(origin)
    .bind(empty_root.as_slice())
    .execute(tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(Error::database("closure_log::begin"))
}

/// Begins the log of this number after another, empty: every record is to be sealed in it.
pub async fn begin_next(
    tx: &mut PgConnection,
    before: &State,
    log: i32,
    origin: &str,
    empty_root: &Digest,
) -> Result<(), Error> {
    let name = "closure_log::begin_next";
    let done = sqlx::query(
        "/* closure_log::begin_next */ UPDATE log_state
            SET log = $3, origin = $4, epoch = epoch + 1, size = 0, root = $5, settled_to = 0
          WHERE log = $1 AND epoch = $2 AND log < $3",
    )
    .bind(before.log)
    .bind(before.epoch)
    .bind(log)
    .bind(origin)
    .bind(empty_root.as_slice())
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    expect_rows(name, 1, done.rows_affected())
}

/// Takes the log over: whoever sealed before seals no more.
pub async fn raise_epoch(tx: &mut PgConnection) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* closure_log::raise_epoch */ UPDATE log_state SET epoch = epoch + 1 RETURNING epoch",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("closure_log::raise_epoch"))
}

/// The sessions that may be writing records now. A record that is not to be seen yet and has a lower id than one that is
/// can only come from one of them: a session holds its lock on the table from before it takes an id until its rows are seen.
pub async fn writers(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "/* closure_log::writers */ SELECT DISTINCT virtualtransaction FROM pg_locks
          WHERE locktype = 'relation' AND relation = 'closure_records'::regclass AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::writers"))
}

/// Committed records that are not in the log, in the order of their ids, beginning after `settled_to`.
pub async fn unsealed(tx: &mut PgConnection, state: &State, limit: i64) -> Result<Vec<Unsealed>, Error> {
    let rows = sqlx::query(
        "/* closure_log::unsealed */ SELECT id, leaf FROM closure_records
          WHERE id > $2 AND NOT EXISTS (
                SELECT FROM closure_seals WHERE closure_seals.log = $1 AND closure_seals.record_id = id)
          ORDER BY id LIMIT $3",
    )
    .bind(state.log)
    .bind(state.settled_to)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::unsealed"))?;
    Ok(rows.iter().map(|row| Unsealed { id: row.get(0), leaf: row.get(1) }).collect())
}

/// How many records wait, counted up to `limit`.
pub async fn count_unsealed(tx: &mut PgConnection, limit: i64) -> Result<i64, Error> {
    sqlx::query_scalar(
        "/* closure_log::count_unsealed */ SELECT count(*) FROM (
             SELECT FROM closure_records WHERE id > coalesce((SELECT settled_to FROM log_state), 0) AND NOT EXISTS (
                 SELECT FROM closure_seals JOIN log_state USING (log) WHERE closure_seals.record_id = id)
             LIMIT $1) AS waiting",
    )
    .bind(limit)
    .fetch_one(tx)
    .await
    .map_err(Error::database("closure_log::count_unsealed"))
}

/// Makes the log longer. [`Error::Fenced`]: somebody else seals, or the log is not where it was.
pub async fn grow(tx: &mut PgConnection, growth: &Growth) -> Result<State, Error> {
    let Growth { before, records, tiles, root, settled_to } = growth;
    let name = "closure_log::grow";
    let size = before.size + records.len() as u64;
    // It takes the lock, and finds out before any work whether somebody else seals.
    let moved = sqlx::query(
        "/* closure_log::grow */ UPDATE log_state SET size = $4, root = $5, settled_to = $6
          WHERE log = $1 AND epoch = $2 AND size = $3",
    )
    .bind(before.log)
    .bind(before.epoch)
    .bind(place(before.size)?)
    .bind(place(size)?)
    .bind(root.as_slice())
    .bind(settled_to)
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    if moved.rows_affected() != 1 {
        return Err(Error::Fenced { origin: before.origin.clone(), epoch: before.epoch });
    }
    let sealed = sqlx::query(
        "/* closure_log::grow */ INSERT INTO closure_seals (log, leaf_index, record_id)
         SELECT $1, $2 + s.place - 1, s.id FROM unnest($3::bigint[]) WITH ORDINALITY AS s (id, place)",
    )
    .bind(before.log)
    .bind(place(before.size)?)
    .bind(records)
    .execute(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    expect_rows(name, records.len(), sealed.rows_affected())?;
    let written = sqlx::query(
        "/* closure_log::grow */ INSERT INTO log_tiles (log, level, tile_index, width, data)
         SELECT $1, t.level, t.tile_index, octet_length(t.data) / 32, t.data
           FROM unnest($2::smallint[], $3::bigint[], $4::bytea[]) AS t (level, tile_index, data)
         ON CONFLICT (log, level, tile_index) DO UPDATE SET width = excluded.width, data = excluded.data
          WHERE log_tiles.width < excluded.width",
    )
    .bind(before.log)
    .bind(tiles.iter().map(|tile| i16::from(tile.place.level)).collect::<Vec<_>>())
    .bind(tiles.iter().map(|tile| place(tile.place.index)).collect::<Result<Vec<_>, _>>()?)
    .bind(tiles.iter().map(|tile| tile.data.as_slice()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    expect_rows(name, tiles.len(), written.rows_affected())?;
    Ok(State { size, root: *root, settled_to: *settled_to, ..before.clone() })
}

/// Nothing was to be sealed, and more is settled. False: somebody else seals.
pub async fn settle(tx: &mut PgConnection, state: &State, settled_to: i64) -> Result<bool, Error> {
    sqlx::query(
        "/* closure_log::settle */ UPDATE log_state SET settled_to = $4
          WHERE log = $1 AND epoch = $2 AND size = $3 AND settled_to < $4",
    )
    .bind(state.log)
    .bind(state.epoch)
    .bind(place(state.size)?)
    .bind(settled_to)
    .execute(tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(Error::database("closure_log::settle"))
}

/// These tiles, as wide as they are; those that are missing are left out.
pub async fn tiles(tx: &mut PgConnection, log: i32, places: &[Place]) -> Result<Vec<Tile>, Error> {
    let rows = sqlx::query(
        "/* closure_log::tiles */ SELECT level, tile_index, data FROM log_tiles
           JOIN unnest($2::smallint[], $3::bigint[]) AS t (level, tile_index) USING (level, tile_index)
          WHERE log = $1",
    )
    .bind(log)
    .bind(places.iter().map(|place| i16::from(place.level)).collect::<Vec<_>>())
    .bind(places.iter().map(|tile| place(tile.index)).collect::<Result<Vec<_>, _>>()?)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::tiles"))?;
    rows.iter().map(tile).collect()
}

/// Tiles of a level from this index on, in order.
pub async fn tiles_from(
    tx: &mut PgConnection,
    log: i32,
    from: Place,
    limit: i64,
) -> Result<Vec<Tile>, Error> {
    let rows = sqlx::query(
        "/* closure_log::tiles_from */ SELECT level, tile_index, data FROM log_tiles
          WHERE log = $1 AND level = $2 AND tile_index >= $3 ORDER BY tile_index LIMIT $4",
    )
    .bind(log)
    .bind(i16::from(from.level))
    .bind(place(from.index)?)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::tiles_from"))?;
    rows.iter().map(tile).collect()
}

fn tile(row: &PgRow) -> Result<Tile, Error> {
    let level = u8::try_from(row.get::<i16, _>(0)).map_err(|_| Error::Malformed { what: "a tile" })?;
    Ok(Tile { place: Place { level, index: size(row.get(1))? }, data: row.get(2) })
}

/// How many tiles there are.
pub async fn count_tiles(tx: &mut PgConnection, log: i32) -> Result<u64, Error> {
    let found: i64 =
        sqlx::query_scalar("/* closure_log::count_tiles */ SELECT count(*) FROM log_tiles WHERE log = $1")
            .bind(log)
            .fetch_one(tx)
            .await
            .map_err(Error::database("closure_log::count_tiles"))?;
    size(found)
}

/// A leaf as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub index: u64,
    pub record: i64,
    pub case_id: Option<String>,
    /// Empty where the record is gone.
    pub kind: String,
    pub written_at: Option<Timestamp>,
    /// None: the record is gone.
    pub leaf: Option<Vec<u8>>,
}

/// Leaves from this one on, in order.
pub async fn sealed_from(
    tx: &mut PgConnection,
    log: i32,
    index: u64,
    limit: i64,
) -> Result<Vec<Sealed>, Error> {
    let rows = sqlx::query(
        "/* closure_log::sealed_from */ SELECT leaf_index, record_id, case_id, coalesce(kind, ''), leaf, written_at FROM closure_seals
           LEFT JOIN closure_records ON closure_records.id = record_id
          WHERE log = $1 AND leaf_index >= $2 ORDER BY leaf_index LIMIT $3",
    )
    .bind(log)
    .bind(place(index)?)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::sealed_from"))?;
    rows.iter()
        .map(|row| {
            Ok(Sealed {
                index: size(row.get(0))?,
                record: row.get(1),
                case_id: row.get(2),
                kind: row.get(3),
                leaf: row.get(4),
                written_at: row.get::<Option<At>, _>(5).map(|at| at.0),
            })
        })
        .collect()
}

/// Where a record stands in the log in force; None: it is not sealed yet, or there is none.
pub async fn leaf_of(tx: &mut PgConnection, log: i32, record: i64) -> Result<Option<u64>, Error> {
    let found: Option<i64> = sqlx::query_scalar(
        "/* closure_log::leaf_of */ SELECT leaf_index FROM closure_seals WHERE log = $1 AND record_id = $2",
    )
    .bind(log)
    .bind(record)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("closure_log::leaf_of"))?;
    found.map(size).transpose()
}

/// Records that should be in the log and are not: nothing can have come late among them.
pub async fn left_out(tx: &mut PgConnection, state: &State, limit: i64) -> Result<Vec<i64>, Error> {
    sqlx::query_scalar(
        "/* closure_log::left_out */ SELECT id FROM closure_records
          WHERE id <= $2 AND NOT EXISTS (
                SELECT FROM closure_seals WHERE closure_seals.log = $1 AND closure_seals.record_id = id)
          ORDER BY id LIMIT $3",
    )
    .bind(state.log)
    .bind(state.settled_to)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::left_out"))
}

/// Some records that should be in the log, in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The last of them.
    pub to: i64,
    /// The first that is not there.
    pub left_out: Option<i64>,
}

/// Looks at up to `limit` records after an id that should be in the log. None: there are no more.
pub async fn look(
    tx: &mut PgConnection,
    state: &State,
    after: i64,
    limit: i64,
) -> Result<Option<Looked>, Error> {
    let (to, left_out): (Option<i64>, Option<i64>) = sqlx::query_as(
        "/* closure_log::look */ WITH looked AS MATERIALIZED (
                SELECT id FROM closure_records WHERE id > $2 AND id <= $3 ORDER BY id LIMIT $4)
         SELECT max(id), min(id) FILTER (WHERE record_id IS NULL) FROM looked
           LEFT JOIN closure_seals ON closure_seals.log = $1 AND record_id = id
                AND record_id > $2 AND record_id <= (SELECT max(id) FROM looked)",
    )
    .bind(state.log)
    .bind(after)
    .bind(state.settled_to)
    .bind(limit)
    .fetch_one(tx)
    .await
    .map_err(Error::database("closure_log::look"))?;
    Ok(to.map(|to| Looked { to, left_out }))
}

/// Notes a statement that was signed over a committed state. [`Error::Fenced`]: somebody else seals.
pub async fn note_signed(tx: &mut PgConnection, epoch: i64, signed: &Signed) -> Result<(), Error> {
    let name = "closure_log::note_signed";
    let held: Option<i32> = sqlx::query_scalar(
        "/* closure_log::note_signed */ SELECT log FROM log_state WHERE log = $1 AND epoch = $2 AND size >= $3 FOR SHARE",
    )
    .bind(signed.log)
    .bind(epoch)
    .bind(place(signed.size)?)
    .fetch_optional(&mut *tx)
    .await
    .map_err(Error::database(name))?;
    if held.is_none() {
        return Err(Error::Fenced { origin: format!("closure log {}", signed.log), epoch });
    }
    sqlx::query(
        "/* closure_log::note_signed */ INSERT INTO log_checkpoints (log, size, signed_at, note)
         VALUES ($1, $2, $3, $4) ON CONFLICT (log, size) DO NOTHING",
    )
    .bind(signed.log)
    .bind(place(signed.size)?)
    .bind(At(signed.signed_at))
    .bind(&signed.note)
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database(name))
}

/// The last statement of a log, of those that are not larger than `size_max` where one is given.
pub async fn last_signed(
    tx: &mut PgConnection,
    log: i32,
    size_max: Option<u64>,
) -> Result<Option<Signed>, Error> {
    let row = sqlx::query(
        "/* closure_log::last_signed */ SELECT log, size, signed_at, note FROM log_checkpoints
          WHERE log = $1 AND ($2::bigint IS NULL OR size <= $2) ORDER BY size DESC LIMIT 1",
    )
    .bind(log)
    .bind(size_max.map(place).transpose()?)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("closure_log::last_signed"))?;
    row.as_ref().map(signed).transpose()
}

/// The smallest statement that covers a leaf and that a witness has cosigned.
pub async fn first_cosigned(tx: &mut PgConnection, log: i32, leaf: u64) -> Result<Option<Signed>, Error> {
    let row = sqlx::query(
        "/* closure_log::first_cosigned */ SELECT log, size, signed_at, note FROM log_checkpoints
          WHERE log = $1 AND size > $2 AND EXISTS (
                SELECT FROM log_cosignatures c WHERE c.log = log_checkpoints.log AND c.size = log_checkpoints.size)
          ORDER BY size LIMIT 1",
    )
    .bind(log)
    .bind(place(leaf)?)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("closure_log::first_cosigned"))?;
    row.as_ref().map(signed).transpose()
}

/// Statements of all logs, in order, after the given one.
pub async fn signed_after(
    tx: &mut PgConnection,
    after: (i32, u64),
    limit: i64,
) -> Result<Vec<Signed>, Error> {
    let rows = sqlx::query(
        "/* closure_log::signed_after */ SELECT log, size, signed_at, note FROM log_checkpoints
          WHERE (log, size) > ($1, $2) ORDER BY log, size LIMIT $3",
    )
    .bind(after.0)
    .bind(place(after.1)?)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::signed_after"))?;
    rows.iter().map(signed).collect()
}

/// Statements of a log below a size, the newest first.
pub async fn signed_before(
    tx: &mut PgConnection,
    log: i32,
    below: Option<u64>,
    limit: i64,
) -> Result<Vec<Signed>, Error> {
    let rows = sqlx::query(
        "/* closure_log::signed_before */ SELECT log, size, signed_at, note FROM log_checkpoints
          WHERE log = $1 AND ($2::bigint IS NULL OR size < $2) ORDER BY size DESC LIMIT $3",
    )
    .bind(log)
    .bind(below.map(place).transpose()?)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::signed_before"))?;
    rows.iter().map(signed).collect()
}

fn signed(row: &PgRow) -> Result<Signed, Error> {
    Ok(Signed {
        log: row.get(0),
        size: size(row.get(1))?,
        signed_at: row.get::<At, _>(2).0,
        note: row.get(3),
    })
}

/// What witnesses answered to the statement of this size, by their names.
pub async fn cosigned(tx: &mut PgConnection, log: i32, size: u64) -> Result<Vec<Cosigned>, Error> {
    let rows = sqlx::query(
        "/* closure_log::cosigned */ SELECT witness, size, cosigned_at, line FROM log_cosignatures
          WHERE log = $1 AND size = $2 ORDER BY witness",
    )
    .bind(log)
    .bind(place(size)?)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::cosigned"))?;
    rows.iter().map(cosignature).collect()
}

/// The last answer of each witness to a log.
pub async fn last_cosigned(tx: &mut PgConnection, log: i32) -> Result<Vec<Cosigned>, Error> {
    let rows = sqlx::query(
        "/* closure_log::last_cosigned */ SELECT DISTINCT ON (witness) witness, size, cosigned_at, line
           FROM log_cosignatures WHERE log = $1 ORDER BY witness, size DESC",
    )
    .bind(log)
    .fetch_all(tx)
    .await
    .map_err(Error::database("closure_log::last_cosigned"))?;
    rows.iter().map(cosignature).collect()
}

fn cosignature(row: &PgRow) -> Result<Cosigned, Error> {
    Ok(Cosigned {
        witness: row.get(0),
        size: size(row.get(1))?,
        cosigned_at: row.get::<At, _>(2).0,
        line: row.get(3),
    })
}

/// Notes what a witness answered.
pub async fn note_cosigned(tx: &mut PgConnection, log: i32, cosigned: &Cosigned) -> Result<(), Error> {
    sqlx::query(
        "/* closure_log::note_cosigned */ INSERT INTO log_cosignatures (log, size, witness, cosigned_at, line)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (log, size, witness) DO NOTHING",
    )
    .bind(log)
    .bind(place(cosigned.size)?)
    .bind(&cosigned.witness)
    .bind(At(cosigned.cosigned_at))
    .bind(&cosigned.line)
    .execute(tx)
    .await
    .map(drop)
    .map_err(Error::database("closure_log::note_cosigned"))
}

fn size(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Malformed { what: "a size of the closure log" })
}

fn place(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::Malformed { what: "a place in the closure log" })
}

fn digest(bytes: &[u8]) -> Result<Digest, Error> {
    bytes.try_into().map_err(|_| Error::Malformed { what: "a hash of the closure log" })
}
