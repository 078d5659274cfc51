//! The sealed part of events, and the keys that open it. Destroying an owner's key erases the person.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
use hotline_events::closure::Commitments;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::Error;
use crate::seal::{DataKey, MasterKey, Personal};

/// A sealed part to append.
#[derive(Clone, Debug)]
pub struct Sealed<'e> {
    pub owner: &'e str,
    pub event_key: EventKey,
    pub sealed: Vec<u8>,
    /// Its place in the case's chain of commitments; None of what is about no case.
    pub place: Option<u32>,
}

/// An event's personal part, opened, with its place in the chain of commitments.
#[derive(Clone, Debug)]
pub struct Committed {
    pub event_key: EventKey,
    /// From 1 on.
    pub place: i32,
    pub members: Personal<Vec<u8>>,
}

/// The chain that the personal parts of a case come to under its key: equal to what its records say exactly if these are
/// the parts that came in. Err: where the first is missing.
pub fn chain(key: &DataKey, parts: &[Committed]) -> Result<Commitments, i32> {
    let mut sorted: Vec<&Committed> = parts.iter().collect();
    sorted.sort_by_key(|part| part.place);
    let commitments = key.commitment_key();
    let mut chain = Commitments::default();
    for (part, place) in sorted.into_iter().zip(1..) {
        if part.place != place {
            return Err(place);
        }
        chain.add(&part.event_key.0, &commitments.commitment(part.members.expose()));
    }
    Ok(chain)
}

/// The data keys of these owners; new ones are made and stored for those that have none. `owners` is sorted, so
/// that two writers meet at the same one first.
pub async fn keys(
    tx: &mut PgConnection,
    master: &MasterKey,
    owners: &[&str],
) -> Result<BTreeMap<String, DataKey>, Error> {
    if owners.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut keys = stored(tx, master, owners).await?;
    let missing: Vec<&str> = owners.iter().copied().filter(|owner| !keys.contains_key(*owner)).collect();
    let mut wrapped = Vec::with_capacity(missing.len());
    for owner in &missing {
        let key = DataKey::generate()?;
        wrapped.push(master.wrap(owner, &key));
        keys.insert((*owner).to_owned(), key);
    }
    if missing.is_empty() {
        return Ok(keys);
    }
    let name = "personal::keys";
    let done = sqlx::query(
        "/* personal::keys */ INSERT INTO personal_keys (owner, wrapped)
         SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT (owner) DO NOTHING",
    )
    .bind(&missing)
    .bind(&wrapped)
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    let (expected, found) = (missing.len() as u64, done.rows_affected());
    if expected == found { Ok(keys) } else { Err(Error::Raced { name, expected, found }) }
}

async fn stored(
    tx: &mut PgConnection,
    master: &MasterKey,
    owners: &[&str],
) -> Result<BTreeMap<String, DataKey>, Error> {
    let rows = sqlx::query(
        "/* personal::stored */ SELECT owner, wrapped FROM personal_keys WHERE owner = ANY($1) ORDER BY owner",
    )
    .bind(owners)
    .fetch_all(tx)
    .await
    .map_err(Error::database("personal::stored"))?;
    rows.iter()
        .map(|row| {
            let owner: String = row.get(0);
            let key = master.unwrap(&owner, row.get(1))?;
            Ok((owner, key))
        })
        .collect()
}

pub async fn append(tx: &mut PgConnection, parts: &[Sealed<'_>]) -> Result<(), Error> {
    let mut rows = Rows::new(4);
    for part in parts {
        rows.row().text(part.owner).bytes(&part.event_key.0).bytes(&part.sealed);
        match part.place {
            Some(place) => rows.small(place.cast_signed()),
            None => rows.null(),
        };
    }
    let statement =
        "/* personal::append */ COPY personal (owner, event_key, sealed, place) FROM STDIN (FORMAT binary)";
    rows.send(tx, "personal::append", statement).await
}

/// The personal members of every event of a case, as JSON, opened. Fails with [`Error::Erased`] where there are
/// some and no key.
pub async fn open(
    tx: &mut PgConnection,
    master: &MasterKey,
    case: &str,
) -> Result<Vec<(EventKey, Personal<Vec<u8>>)>, Error> {
    let key = stored(&mut *tx, master, &[case]).await?.remove(case);
    let rows = sqlx::query(
        "/* personal::open */ SELECT event_key, sealed FROM personal WHERE owner = $1 ORDER BY event_key",
    )
    .bind(case)
    .fetch_all(tx)
    .await
    .map_err(Error::database("personal::open"))?;
    rows.iter()
        .map(|row| {
            let key = key.as_ref().ok_or_else(|| Error::Erased { case: case.into() })?;
            let malformed = |_| Error::Malformed { what: "an event key" };
            let event_key: [u8; 16] = row.get::<&[u8], _>(0).try_into().map_err(malformed)?;
            Ok((EventKey(event_key), key.open(case, &event_key, row.get(1))?))
        })
        .collect()
}

/// The key of a case, and those of its personal parts that have a commitment, opened; for [`chain`]. Fails with
/// [`Error::Erased`] where there is no key.
pub async fn committed(
    tx: &mut PgConnection,
    master: &MasterKey,
    case: &str,
) -> Result<(DataKey, Vec<Committed>), Error> {
    let key = stored(&mut *tx, master, &[case]).await?.remove(case);
    let key = key.ok_or_else(|| Error::Erased { case: case.into() })?;
    let rows = sqlx::query(
        "/* personal::committed */ SELECT event_key, sealed, place FROM personal
          WHERE owner = $1 AND place IS NOT NULL ORDER BY place",
    )
    .bind(case)
    .fetch_all(tx)
    .await
    .map_err(Error::database("personal::committed"))?;
    let opened = rows.iter().map(|row| {
        let malformed = |_| Error::Malformed { what: "an event key" };
        let event_key: [u8; 16] = row.get::<&[u8], _>(0).try_into().map_err(malformed)?;
        let members = key.open(case, &event_key, row.get(1))?;
        Ok(Committed { event_key: EventKey(event_key), place: row.get(2), members })
    });
    let opened = opened.collect::<Result<_, Error>>()?;
    Ok((key, opened))
}

/// Destroys a case's key. Whether there was one.
pub async fn erase(tx: &mut PgConnection, case: &str) -> Result<bool, Error> {
    let done = sqlx::query("/* personal::erase */ DELETE FROM personal_keys WHERE owner = $1")
        .bind(case)
        .execute(tx)
        .await
        .map_err(Error::database("personal::erase"))?;
    Ok(done.rows_affected() == 1)
}
