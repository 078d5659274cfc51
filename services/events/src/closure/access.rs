//! Records of what left: a list that was taken away, people whose names somebody saw.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use smol_str::SmolStr;

use super::read::instant;
use super::{Hex, RecordKind, SUITE, VERSION, split};
use crate::canonical;

/// Who took something away or saw somebody, to be recorded. The reason stays in the access log: people write names into it,
/// and no record ever goes.
#[derive(Clone, Copy, Debug)]
pub struct NewAccess<'a> {
    /// Its number in the access log.
    pub access: i64,
    pub written_at: Timestamp,
    /// The name of the token.
    pub by: &'a str,
    pub role: &'a str,
}

/// A list or a sample that was taken away as a file, when it has ended.
#[derive(Clone, Copy, Debug)]
pub struct NewExport<'a> {
    pub list: &'a str,
    /// What was asked for, as the access log has it: [`recorded_filter`] of it is recorded.
    pub filter: &'a Value,
    pub format: &'a str,
    pub rows: i64,
    /// `done` or `broken`.
    pub state: &'a str,
}

impl NewAccess<'_> {
    /// The leaves that say that a list was taken away.
    pub fn exported(&self, export: &NewExport<'_>) -> Vec<Vec<u8>> {
        self.leaves(
            RecordKind::Exported,
            json!({
                "list": export.list,
                "filter": recorded_filter(export.filter),
                "format": export.format,
                "rows": export.rows,
                "state": export.state,
            }),
        )
    }

    /// The leaves that say that somebody saw who the people of a case are.
    pub fn unmasked(&self, case: &str) -> Vec<Vec<u8>> {
        self.leaves(RecordKind::Unmasked, json!({ "case": case }))
    }

    fn leaves(&self, kind: RecordKind, what: Value) -> Vec<Vec<u8>> {
        let mut record = what;
        record["v"] = json!(VERSION);
        record["suite"] = json!(SUITE);
        record["kind"] = json!(kind.name());
        record["written_at"] = json!(self.written_at.to_string());
        record["access"] = json!(self.access);
        record["by"] = json!(self.by);
        record["role"] = json!(self.role);
        split(canonical(&record), kind)
    }
}

/// What a record says of what was asked for: codes and days, and instead of the seed of a sample, which is a text of somebody's
/// own, its SHA-256. Whoever has the seed from the access log can show that it is this one.
pub fn recorded_filter(asked: &Value) -> Value {
    let mut filter = asked.clone();
    if let Some(members) = filter.as_object_mut()
        && let Some(seed) = members.remove("seed")
    {
        let hash = digest(&SHA256, seed.as_str().unwrap_or_default().as_bytes());
        members.insert("seed_sha256".to_owned(), Hex(hash.as_ref()).to_string().into());
    }
    filter
}

/// A list was taken away.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRecord {
    pub access: i64,
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    pub by: String,
    pub role: SmolStr,
    pub list: SmolStr,
    pub filter: Map<String, Value>,
    pub format: SmolStr,
    pub rows: i64,
    pub state: SmolStr,
    kind: SmolStr,
    v: u32,
    suite: String,
}

/// Somebody saw who the people of a case are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnmaskRecord {
    pub access: i64,
    #[serde(deserialize_with = "instant")]
    pub written_at: Timestamp,
    pub by: String,
    pub role: SmolStr,
    pub case: SmolStr,
    kind: SmolStr,
    v: u32,
    suite: String,
}
