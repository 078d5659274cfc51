//! What records say of other tables, and these tables beside it: the figures of published bulletins, and who took a list away or
//! saw somebody.
//!
//! What it cannot see: a bulletin that was published before there were records, annexes, and the reason of an access, which no
//! record has.

pub(crate) mod recorded;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hotline_events::closure::{BulletinRecord, ReadRecord, RecordKind, recorded_filter};
use hotline_postgres::access::{self, Listed};
use hotline_postgres::bulletins;
use hotline_postgres::closure_records::{self, Kept, Which};
use hotline_postgres::{Error as Store, PgConnection};
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::checked::Checked;
use recorded::{Parts, difference};

/// Records read at once: those of bulletins are long.
const PAGE_ROWS: i64 = 256;

/// Compares what records of these kinds say with the tables that they are about.
pub(super) async fn check(tx: &mut PgConnection, checked: &mut Checked) -> Result<(), Store> {
    let kinds = [RecordKind::Bulletin, RecordKind::Exported, RecordKind::Unmasked];
    let kinds = kinds.map(|kind| kind.name().to_owned()).to_vec();
    let which = Which { kinds, ..Which::default() };
    let mut run = Beside {
        checked,
        parts: Parts::default(),
        bulletins: Vec::new(),
        taken: Vec::new(),
        altered: BTreeSet::new(),
    };
    let mut after = i64::MIN;
    loop {
        let page = closure_records::page(tx, &which, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for kept in &page {
            run.take(kept);
        }
        run.bulletins(tx).await?;
        run.accesses(tx).await?;
    }
    for record in std::mem::take(&mut run.parts).left() {
        let what = format!("record {record} is a part of one whose other parts are gone");
        run.checked.add("record_unread", what);
    }
    Ok(())
}

struct Beside<'c> {
    checked: &'c mut Checked,
    parts: Parts,
    bulletins: Vec<(i64, Box<BulletinRecord>)>,
    taken: Vec<Taken>,
    /// Entries of the access log that were told of: an export has a record of its beginning and one of its end.
    altered: BTreeSet<i64>,
}

/// What a record says of the access log.
struct Taken {
    record: i64,
    access: i64,
    step: RecordKind,
    by: String,
    role: SmolStr,
    /// The list, or the case.
    subject: SmolStr,
    /// Of an export.
    filter: Option<Map<String, Value>>,
}

impl Taken {
    fn is_said_by(&self, entry: &Listed) -> bool {
        (entry.actor.as_str(), entry.role.as_str(), entry.step.as_str(), entry.subject.as_str())
            == (self.by.as_str(), self.role.as_str(), self.step.name(), self.subject.as_str())
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| recorded_filter(&entry.filter).as_object() == Some(filter))
    }
}

impl Beside<'_> {
    fn take(&mut self, kept: &Kept) {
        let record = kept.id;
        match self.parts.whole(kept) {
            Ok(Some(ReadRecord::Bulletin(bulletin))) => self.bulletins.push((record, bulletin)),
            Ok(Some(ReadRecord::Export(export))) => {
                let export = *export;
                self.taken.push(Taken {
                    record,
                    access: export.access,
                    step: RecordKind::Exported,
                    by: export.by,
                    role: export.role,
                    subject: export.list,
                    filter: Some(export.filter),
                });
            }
            Ok(Some(ReadRecord::Unmask(unmask))) => {
                let unmask = *unmask;
                self.taken.push(Taken {
                    record,
                    access: unmask.access,
                    step: RecordKind::Unmasked,
                    by: unmask.by,
                    role: unmask.role,
                    subject: unmask.case,
                    filter: None,
                });
            }
            // Others have another kind in their bytes than in their columns, which is found where these are compared.
            Ok(_) => {}
            Err(error) => {
                self.checked.add("record_unread", format!("record {record} cannot be read: {error}"));
            }
        }
    }

    async fn bulletins(&mut self, tx: &mut PgConnection) -> Result<(), Store> {
        for (record, said) in std::mem::take(&mut self.bulletins) {
            let found = match bulletins::by_id(tx, said.id).await {
                Err(Store::Malformed { .. }) => Err("cannot be read"),
                found => found?.ok_or("is gone"),
            };
            let wrong = match found {
                Err(wrong) => Some(wrong),
                Ok(found) => difference(&said, &found.frozen),
            };
            if let Some(wrong) = wrong {
                let end = if wrong.ends_with("than") { "its record" } else { "and there is its record" };
                self.checked.add("bulletin_altered", format!("bulletin {} {wrong} {end} {record}", said.id));
            }
        }
        Ok(())
    }

    async fn accesses(&mut self, tx: &mut PgConnection) -> Result<(), Store> {
        let taken = std::mem::take(&mut self.taken);
        let ids: Vec<i64> = taken.iter().map(|one| one.access).collect();
        let found = access::by_ids(tx, &ids).await?;
        let found: BTreeMap<i64, Listed> = found.into_iter().map(|entry| (entry.id, entry)).collect();
        for one in &taken {
            let (access, record) = (one.access, one.record);
            let what = match found.get(&access) {
                None => format!("entry {access} of the access log is gone, and there is its record {record}"),
                Some(entry) if !one.is_said_by(entry) => {
                    format!(
                        "entry {access} of the access log says another step, person or subject than its record {record}"
                    )
                }
                Some(_) => continue,
            };
            if self.altered.insert(access) {
                self.checked.add("access_altered", what);
            }
        }
        Ok(())
    }
}
