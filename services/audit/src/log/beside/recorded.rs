//! A published bulletin beside its record: for the check of the log, and for whoever is shown its figures.

use std::collections::HashMap;

use hotline_events::closure::{
    BulletinRecord, Part, ReadError, ReadRecord, counted_hash, join, read, reported_hash,
};
use hotline_postgres::bulletins::{self, Frozen, Published, Stamp};
use hotline_postgres::closure_records::{self, Kept};
use hotline_postgres::{Error as Store, PgConnection};
use smol_str::SmolStr;

use super::PAGE_ROWS;

/// Records that came in parts, put together.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// By what they are parts of: the record of the first, and all.
    known: HashMap<SmolStr, (i64, Vec<Part>)>,
}

impl Parts {
    /// None: it is a part, and others are still to come.
    pub(super) fn whole(&mut self, kept: &Kept) -> Result<Option<ReadRecord>, ReadError> {
        let part = match read(&kept.leaf)? {
            ReadRecord::Part(part) => part,
            whole => return Ok(Some(whole)),
        };
        let (of, count) = (part.of.clone(), usize::try_from(part.parts).unwrap_or(usize::MAX));
        let (_, known) = self.known.entry(of.clone()).or_insert_with(|| (kept.id, Vec::new()));
        known.push(part);
        if known.len() < count {
            return Ok(None);
        }
        let (_, known) = self.known.remove(&of).unwrap_or_default();
        read(&join(&known)?).map(Some)
    }

    /// The first records of those whose other parts are gone.
    pub(super) fn left(self) -> impl Iterator<Item = i64> {
        self.known.into_values().map(|(record, _)| record)
    }
}

/// What a bulletin says otherwise than its record, to be followed by "its record"; None: nothing.
pub(super) fn difference(said: &BulletinRecord, found: &Frozen) -> Option<&'static str> {
    if !is_stamped(said, &found.stamp) {
        return Some("says another form, period, rules or state of knowledge than");
    }
    let is_same = counted_hash(&found.figures) == said.figures.sha256
        && reported_hash(&found.figures) == said.reported.sha256;
    (!is_same).then_some("has other figures than")
}

fn is_stamped(said: &BulletinRecord, stamp: &Stamp) -> bool {
    let (form, kept) = (&said.form, &stamp.form);
    (&form.id, form.version, &form.hash, &form.text) == (&kept.id, kept.version, &kept.hash, &kept.text)
        && (&said.period, &said.spans) == (&stamp.period, &stamp.spans)
        && (said.rulebook.seq, &said.rulebook.hash) == (stamp.rulebook_seq, &stamp.rulebook_hash)
        && (said.fold, &said.definitions) == (stamp.fold_version, &stamp.definitions)
        && said.positions == stamp.positions
        && stamp.ledger_below.and_then(|below| u64::try_from(below).ok()) == Some(said.ledger_below)
        // The database keeps microseconds.
        && said.as_of.as_microsecond() == stamp.as_of.as_microsecond()
}

/// What the records say of a bulletin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its figures, and what they were made of, are those of its record.
    Same,
    /// It says something else than its record.
    Differs,
    /// It should have a record, and none can be read that is its own.
    Gone,
    /// It was published before there were records.
    Never,
}

/// A bulletin with what its record says of it; None: there is none of this number.
///
/// Whether the record itself is the one that was sealed is not asked: that takes the whole log.
pub(crate) async fn bulletin(tx: &mut PgConnection, id: i64) -> Result<Option<(Published, Recorded)>, Store> {
    let Some(published) = bulletins::by_id(tx, id).await? else { return Ok(None) };
    let (mut parts, mut after) = (Parts::default(), i64::MIN);
    // Whether any record of its own says otherwise.
    let mut own: Option<bool> = None;
    // One of an older bulletin, or one that cannot be read: then this one had a record, too.
    let mut is_expected = false;
    loop {
        let page = closure_records::bulletins(tx, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for kept in &page {
            match parts.whole(kept) {
                Ok(Some(ReadRecord::Bulletin(said))) if said.id == id => {
                    let differs = difference(&said, &published.frozen).is_some();
                    own = Some(own.unwrap_or_default() || differs);
                }
                Ok(Some(ReadRecord::Bulletin(said))) => is_expected |= said.id < id,
                Ok(_) => {}
                Err(_) => is_expected = true,
            }
        }
    }
    is_expected |= parts.left().next().is_some();
    let recorded = match own {
        Some(true) => Recorded::Differs,
        Some(false) => Recorded::Same,
        None if is_expected => Recorded::Gone,
        None => Recorded::Never,
    };
    Ok(Some((published, recorded)))
}
