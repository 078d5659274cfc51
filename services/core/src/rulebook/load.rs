//! From the files of a rulebook to the typed [`Rulebook`].
//!
//! Guarantees: every fault that can be told apart is listed, not only the first; a rulebook with an error is
//! never handed out; the same files give the same hash and the same rulebook. What can be judged on one entry is
//! judged here, what needs several in [`super::check`]. Bulletins are not read yet: their files only count for
//! the hash.

mod calendars;
mod directories;
mod head;
mod holds;
mod matches;
mod policies;
mod rates;
mod sources;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::Rulebook;
use super::check::check;
use super::fault::{Fault, Place, Section, Severity};
use super::index::Index;
use super::raw::{Files, Reading};
use crate::score::Asked;

/// A rulebook that may be used.
#[derive(Debug)]
pub struct Loaded {
    pub rulebook: Rulebook,
    /// What somebody probably did not mean, none of it an error.
    pub warnings: Vec<Fault>,
}

/// Reads a rulebook; Err lists all faults, warnings included, by file and line.
pub fn load(files: &Files) -> Result<Loaded, Vec<Fault>> {
    let reading = Reading::new(files);
    names(&reading);
    let head = head::read(&reading);
    let departments = directories::departments(&reading);
    let hotlines = directories::hotlines(&reading);
    let codes = directories::codes(&reading);
    let routes = directories::routes(&reading);
    let calendars = calendars::read(&reading);
    let policies = policies::read(&reading, &calendars);
    let general_holds = holds::read(&reading);
    let (rates, scores) = rates::read(&reading);
    let sources = sources::read(&reading, &head.timezone);
    let calendar = calendars.default(&reading, &head);
    let (mut faults, places) = reading.into_parts();
    let rulebook = Rulebook {
        hash: hash(files),
        files: file_hashes(files),
        name: head.name,
        timezone: head.timezone,
        calendar,
        calendars: calendars.built,
        overlays: calendars.overlays,
        index: Index::of(&policies, &routes),
        policies,
        routes,
        asked: Asked::of(rates.values()),
        rates,
        scores,
        sources,
        hotlines,
        departments,
        classes: head.classes,
        general_holds,
        periods: head.periods,
        quiet_hours: head.quiet_hours,
        codes,
        places,
    };
    faults.extend(check(&rulebook));
    faults.sort();
    faults.dedup();
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(faults);
    }
    Ok(Loaded { rulebook, warnings: faults })
}

/// By path, the SHA-256 of each file, in hexadecimal.
pub(super) fn file_hashes(files: &Files) -> BTreeMap<SmolStr, SmolStr> {
    files.iter().map(|(path, bytes)| (path.into(), hex(&Sha256::digest(bytes)).into())).collect()
}

/// SHA-256 over the lines `<sha256>  <path>`, sorted by path, in hexadecimal.
pub(super) fn hash(files: &Files) -> SmolStr {
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        hasher.update(format!("{}  {path}\n", hex(&Sha256::digest(bytes))));
    }
    hex(&hasher.finalize()).into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A folder of a rulebook.
struct Folder {
    path: &'static str,
    ending: &'static str,
    /// What is missing if it holds no file, and how bad that is.
    wanted: Option<(Section, Severity)>,
}

const fn folder(path: &'static str, ending: &'static str, wanted: Option<(Section, Severity)>) -> Folder {
    Folder { path, ending, wanted }
}

const FOLDERS: [Folder; 7] = [
    folder("calendars/", ".toml", Some((Section::Calendar, Severity::Error))),
    folder("policies/", ".toml", Some((Section::Policy, Severity::Warning))),
    folder("routing/", ".csv", Some((Section::Route, Severity::Warning))),
    folder("rates/", ".toml", Some((Section::Rate, Severity::Warning))),
    folder("sources/", ".toml", Some((Section::Source, Severity::Warning))),
    folder("codes/", ".csv", None),
    folder("bulletins/", ".toml", None),
];

/// The files that stand beside the folders.
const SINGLE: [&str; 4] = ["rulebook.toml", "hotlines.toml", "departments.csv", "holds.toml"];

/// Adapters may stand anywhere.
const ADAPTER_ENDING: &str = ".jq";

/// Reports files that nothing reads, whose author would otherwise believe that they work, and folders without any.
fn names(reading: &Reading<'_>) {
    for path in reading.files.keys() {
        let folder = FOLDERS.iter().find(|folder| path.starts_with(folder.path));
        if SINGLE.contains(&path.as_str())
            || path.ends_with(ADAPTER_ENDING)
            || folder.is_some_and(|folder| path.ends_with(folder.ending))
        {
            continue;
        }
        let hint = if let Some(folder) = folder {
            format!("files in {} end in {}", folder.path, folder.ending)
        } else {
            let folders = FOLDERS.map(|folder| folder.path).join(", ");
            format!(
                "a rulebook holds {}, the folders {folders} and adapters ending in {ADAPTER_ENDING}",
                SINGLE.join(", ")
            )
        };
        let place = Place { file: path.as_str().into(), ..Place::default() };
        reading.add(place.error("", "unknown_file", format!("is read by nothing: {hint}")));
    }
    for folder in FOLDERS {
        let Some((section, severity)) = folder.wanted else {
            continue;
        };
        if reading.folder(folder.path, folder.ending).is_empty() {
            let message = format!("has no {}", section.name());
            let place = Place { file: folder.path.into(), ..Place::default() };
            reading.add(Fault { severity, ..place.error("", "missing_file", message) });
        }
    }
}

/// The TOML files of a folder, each handed to `read`.
fn each_toml(
    reading: &Reading<'_>,
    folder: &str,
    sections: &[Section],
    mut read: impl FnMut(super::raw::Table<'_>),
) {
    for path in reading.folder(folder, ".toml") {
        reading.toml(path, sections, &mut read);
    }
}
