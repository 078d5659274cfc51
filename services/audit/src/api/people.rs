//! The people of a case: masked in its history; as they are for whoever may see them and says why, which is recorded.

use hotline_events::closure::{NewAccess, RecordKind};
use hotline_postgres::access::{self, Actor, Entry};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::{Error as Store, MasterKey, PgConnection, PgPool, personal, run_snapshot_tx, run_tx};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::mask;
use crate::token::Caller;

/// What is known of the people of a case.
#[derive(Debug)]
pub(crate) enum People {
    /// By the key of each event that holds any.
    Known(Vec<(String, Value)>),
    /// The case's key was destroyed: nobody can read them any more.
    Erased,
}

impl People {
    pub(super) fn to_json(&self) -> Value {
        match self {
            People::Known(events) => {
                let event = |(fact, members): &(String, Value)| json!({ "fact": fact, "members": members });
                json!({ "erased": false, "events": events.iter().map(event).collect::<Vec<_>>() })
            }
            People::Erased => json!({ "erased": true, "events": [] }),
        }
    }
}

/// The people of a case behind masks.
pub(crate) async fn masked(pool: &PgPool, master: &MasterKey, case: &str) -> Result<People, Store> {
    let mut asked = (master, case);
    run_snapshot_tx(pool, "audit::masked", &mut asked, |tx, (master, case)| {
        Box::pin(async move {
            Ok(match opened(tx, master, case).await? {
                People::Known(events) => {
                    let masked = events.into_iter().map(|(fact, members)| (fact, mask::members(&members)));
                    People::Known(masked.collect())
                }
                People::Erased => People::Erased,
            })
        })
    })
    .await
}

/// The people of a case as they are. It is recorded in the same transaction: nothing is shown that was not.
pub(crate) async fn unmasked(
    pool: &PgPool,
    master: &MasterKey,
    case: &str,
    by: (&Caller, &str),
    now: Timestamp,
) -> Result<People, Store> {
    let mut asked = (master, case, by, now);
    run_tx(pool, "audit::unmasked", &mut asked, |tx, (master, case, (caller, why), now)| {
        Box::pin(async move {
            let entry = Entry {
                at: *now,
                actor: Actor { name: &caller.name, role: caller.role.name() },
                step: "unmasked",
                subject: case,
                filter: json!({}),
                why: Some(why),
            };
            let id = access::append(tx, &entry).await?;
            // The reason stays in the access log: people write names into it, and no record ever goes.
            let record =
                NewAccess { access: id, written_at: *now, by: &caller.name, role: caller.role.name() };
            let kind = RecordKind::Unmasked.name();
            let leaf = |bytes| Leaf { case_id: Some((*case).into()), kind, bytes };
            let leaves: Vec<Leaf> = record.unmasked(case).into_iter().map(leaf).collect();
            closure_records::append(tx, &leaves, *now).await?;
            opened(tx, master, case).await
        })
    })
    .await
}

async fn opened(tx: &mut PgConnection, master: &MasterKey, case: &str) -> Result<People, Store> {
    let parts = match personal::open(tx, master, case).await {
        Ok(parts) => parts,
        Err(Store::Erased { .. }) => return Ok(People::Erased),
        Err(error) => return Err(error),
    };
    let read = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map_err(|_| Store::Malformed { what: "personal data" })
    };
    let parts = parts.iter().map(|(key, members)| Ok((key.to_string(), read(members.expose())?)));
    Ok(People::Known(parts.collect::<Result<_, Store>>()?))
}
