//! Rulebooks in a copy: whoever makes a record again needs the one that it names. `rulebooks/<hash>/…`, as they were activated.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_core::rulebook::Files;
use hotline_postgres::{Error as Store, PgConnection, PgPool, rulebooks, run_read_tx};
use serde_json::{Map, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{CopyFault, write};

/// The directory of a copy that they stand in.
pub const RULEBOOKS: &str = "rulebooks";

/// The hashes of all rulebooks that were ever active, in the order of their first activation.
pub(crate) async fn hashes(pool: &PgPool) -> Result<Vec<String>, Store> {
    let list = run_read_tx(pool, "audit::rulebooks", &mut (), |tx, ()| Box::pin(rulebooks::list(tx))).await?;
    let mut hashes = Vec::new();
    for activation in list {
        if !hashes.contains(&activation.hash) {
            hashes.push(activation.hash);
        }
    }
    Ok(hashes)
}

/// The files of a rulebook; None: none of this hash was ever active.
pub(crate) async fn files(pool: &PgPool, hash: &str) -> Result<Option<Files>, Store> {
    let mut hash = hash.to_owned();
    run_read_tx(pool, "audit::rulebook", &mut hash, |tx, hash| Box::pin(of_hash(tx, hash))).await
}

async fn of_hash(tx: &mut PgConnection, hash: &str) -> Result<Option<Files>, Store> {
    let list = rulebooks::list(tx).await?;
    match list.iter().find(|activation| activation.hash == hash) {
        Some(activation) => rulebooks::files(tx, activation.seq).await.map(Some),
        None => Ok(None),
    }
}

/// Files as they go over HTTP: JSON, base64 by path.
pub(crate) fn encode(files: &Files) -> Vec<u8> {
    let members: Map<String, Value> =
        files.iter().map(|(path, bytes)| (path.clone(), BASE64.encode(bytes).into())).collect();
    Value::Object(members).to_string().into_bytes()
}

/// None: it is not what [`encode`] writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<Files> {
    let members: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    members.into_iter().map(|(path, bytes)| Some((path, BASE64.decode(bytes.as_str()?).ok()?))).collect()
}

/// Files as one that every system opens, for people: a ZIP of `rulebooks/<hash>/…`, as in a copy. The same files make the same
/// bytes: they have no time of their own.
pub(crate) fn archive(hash: &str, files: &Files) -> Vec<u8> {
    const WRITTEN: &str = "files of different names are written to memory";
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(format!("{RULEBOOKS}/{hash}/{path}"), options).expect(WRITTEN);
        archive.write_all(bytes).expect(WRITTEN);
    }
    archive.finish().expect(WRITTEN).into_inner()
}

/// Hashes as they go over HTTP.
pub(crate) fn encode_hashes(hashes: &[String]) -> Vec<u8> {
    Value::from(hashes).to_string().into_bytes()
}

/// None: it is not what [`encode_hashes`] writes.
pub(crate) fn decode_hashes(bytes: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(bytes).ok()
}

/// Writes a rulebook into a copy. Its names come from somewhere else and may say anything.
pub(crate) fn store(directory: &Path, hash: &str, files: &Files) -> Result<(), CopyFault> {
    let under = directory_of(directory, hash).ok_or_else(|| odd(hash))?;
    // Whole or not at all: what is there is not fetched again.
    let draft = under.with_extension("draft");
    let fault = |source| CopyFault::File { path: draft.clone(), source };
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(fault)?;
    }
    for (path, bytes) in files {
        let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain {
            return Err(odd(path));
        }
        write(&draft.join(path), bytes)?;
    }
    if under.exists() {
        fs::remove_dir_all(&under).map_err(fault)?;
    }
    fs::rename(&draft, &under).map_err(fault)
}

/// Where the rulebook of this hash stands in a copy; None: it is no hash.
pub fn directory_of(directory: &Path, hash: &str) -> Option<PathBuf> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| directory.join(RULEBOOKS).join(hash))
}

fn odd(name: &str) -> CopyFault {
    CopyFault::Source(format!("a rulebook with the name {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_holds_the_files_where_a_copy_has_them() {
        let files: Files =
            [("policies/a.toml".to_owned(), vec![0, 255, 10]), ("empty.csv".to_owned(), Vec::new())].into();
        let hash = "ab".repeat(32);
        let bytes = archive(&hash, &files);
        assert_eq!(bytes, archive(&hash, &files));
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), files.len());
        for (path, content) in &files {
            let mut found = Vec::new();
            let mut file = archive.by_name(&format!("{RULEBOOKS}/{hash}/{path}")).unwrap();
            std::io::Read::read_to_end(&mut file, &mut found).unwrap();
            assert_eq!(found, *content, "{path}");
        }
    }

    #[test]
    fn files_go_over_http_as_they_are_and_stay_in_their_directory() {
        let files: Files =
            [("policies/a.toml".to_owned(), vec![0, 255, 10]), ("empty.csv".to_owned(), Vec::new())].into();
        assert_eq!(decode(&encode(&files)), Some(files.clone()));
        assert_eq!(decode(b"[]"), None);
        let directory = tempfile::tempdir().unwrap();
        let hash = "ab".repeat(32);
        store(directory.path(), &hash, &files).unwrap();
        let stored = directory.path().join(RULEBOOKS).join(&hash).join("policies/a.toml");
        assert_eq!(std::fs::read(stored).unwrap(), [0, 255, 10]);
        for path in ["../a.toml", "/a.toml", "a/../../b"] {
            let files: Files = [(path.to_owned(), Vec::new())].into();
            assert!(store(directory.path(), &hash, &files).is_err(), "{path}");
        }
        assert!(store(directory.path(), "..", &files).is_err());
    }
}
