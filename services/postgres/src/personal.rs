//! The sealed part of events, and the keys that open it. Destroying an owner's key erases the person.

use std::collections::BTreeMap;

use hotline_core::fact::EventKey;
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
    let mut rows = Rows::new(3);
    for part in parts {
        rows.row().text(part.owner).bytes(&part.event_key.0).bytes(&part.sealed);
    }
    let statement =
        "/* personal::append */ COPY personal (owner, event_key, sealed) FROM STDIN (FORMAT binary)";
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

/// Destroys a case's key. Whether there was one.
pub async fn erase(tx: &mut PgConnection, case: &str) -> Result<bool, Error> {
    let done = sqlx::query("/* personal::erase */ DELETE FROM personal_keys WHERE owner = $1")
        .bind(case)
        .execute(tx)
        .await
        .map_err(Error::database("personal::erase"))?;
    Ok(done.rows_affected() == 1)
}
