//! The sealed part of events, and the keys that open it. Destroying an owner's key erases the person
//! ([`erasures`](crate::erasures)).

use std::collections::{BTreeMap, BTreeSet};

use hotline_core::fact::EventKey;
use hotline_events::closure::Commitments;
use jiff::Timestamp;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::Error;
use crate::interventions::{self, By, CASEWORK};
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

/// Keys as they are stored.
#[derive(Default)]
struct Stored {
    keys: BTreeMap<String, DataKey>,
    /// Owners whose key was destroyed.
    erased: BTreeSet<String>,
}

/// The data keys of these owners; new ones are made and stored for those that have none. `owners` is sorted, so
/// that two writers meet at the same one first. An owner whose key was destroyed gets another, and that is noted: somebody
/// sends more of a person who was erased.
pub async fn keys(
    tx: &mut PgConnection,
    master: &MasterKey,
    owners: &[&str],
    now: Timestamp,
) -> Result<BTreeMap<String, DataKey>, Error> {
    if owners.is_empty() {
        return Ok(BTreeMap::new());
    }
    let Stored { mut keys, erased } = stored(tx, master, owners).await?;
    let missing: Vec<&str> = owners.iter().copied().filter(|owner| !keys.contains_key(*owner)).collect();
    if missing.is_empty() {
        return Ok(keys);
    }
    for owner in &missing {
        keys.insert((*owner).to_owned(), DataKey::generate()?);
    }
    let (renewed, new): (Vec<&str>, Vec<&str>) = missing.iter().partition(|owner| erased.contains(**owner));
    let wrap = |owners: &[&str]| owners.iter().map(|owner| master.wrap(owner, &keys[*owner])).collect();
    insert(tx, &new, wrap(&new)).await?;
    renew(tx, &renewed, wrap(&renewed), now).await?;
    Ok(keys)
}

async fn insert(tx: &mut PgConnection, owners: &[&str], wrapped: Vec<Vec<u8>>) -> Result<(), Error> {
    let name = "personal::keys";
    if owners.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(
        "/* personal::keys */ INSERT INTO personal_keys (owner, wrapped)
         SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT (owner) DO NOTHING",
    )
    .bind(owners)
    .bind(wrapped)
    .execute(tx)
    .await
    .map_err(Error::database(name))?;
    let (expected, found) = (owners.len() as u64, done.rows_affected());
    if expected == found { Ok(()) } else { Err(Error::Raced { name, expected, found }) }
}

/// Another key for owners whose key was destroyed, and a note of it for each.
async fn renew(
    tx: &mut PgConnection,
    owners: &[&str],
    wrapped: Vec<Vec<u8>>,
    now: Timestamp,
) -> Result<(), Error> {
    let name = "personal::renew";
    if owners.is_empty() {
        return Ok(());
    }
    let renewed: i64 = sqlx::query_scalar("/* personal::renew */ SELECT renew_personal_keys($1, $2)")
        .bind(owners)
        .bind(wrapped)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::database(name))?;
    let (expected, found) = (owners.len() as u64, renewed.cast_unsigned());
    if expected != found {
        return Err(Error::Raced { name, expected, found });
    }
    let why = "an event with personal data came in after the person of the case was erased";
    for owner in owners {
        let by = By { operator: CASEWORK, why, at: now };
        interventions::note(tx, owner, "sealed_after_erasure", &by, None).await?;
    }
    Ok(())
}

async fn stored(tx: &mut PgConnection, master: &MasterKey, owners: &[&str]) -> Result<Stored, Error> {
    let rows = sqlx::query(
        "/* personal::stored */ SELECT owner, wrapped FROM personal_keys WHERE owner = ANY($1) ORDER BY owner",
    )
    .bind(owners)
    .fetch_all(tx)
    .await
    .map_err(Error::database("personal::stored"))?;
    let mut stored = Stored::default();
    for row in &rows {
        let (owner, wrapped): (String, &[u8]) = (row.get(0), row.get(1));
        if wrapped.is_empty() {
            stored.erased.insert(owner);
        } else {
            let key = master.unwrap(&owner, wrapped)?;
            stored.keys.insert(owner, key);
        }
    }
    Ok(stored)
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

/// The personal members of every event of a case, as JSON, opened. Fails with [`Error::Erased`] where the case's key was
/// destroyed, or where there are some and no key.
pub async fn open(
    tx: &mut PgConnection,
    master: &MasterKey,
    case: &str,
) -> Result<Vec<(EventKey, Personal<Vec<u8>>)>, Error> {
    let Stored { mut keys, erased } = stored(&mut *tx, master, &[case]).await?;
    let key = keys.remove(case);
    let rows = sqlx::query(
        "/* personal::open */ SELECT event_key, sealed FROM personal WHERE owner = $1 ORDER BY event_key",
    )
    .bind(case)
    .fetch_all(tx)
    .await
    .map_err(Error::database("personal::open"))?;
    if erased.contains(case) {
        return Err(Error::Erased { case: case.into() });
    }
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
    let key = stored(&mut *tx, master, &[case]).await?.keys.remove(case);
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
