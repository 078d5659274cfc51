//! The files of a rulebook as they are written: TOML and CSV with the line of every member.
//!
//! Entries are read member by member rather than through serde, which gives up at the first error: one bad
//! member hides neither the other members nor the other entries. Nothing here knows what a member means.

mod rows;
mod table;
mod values;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeTable;

use super::fault::{Fault, Place, Places, Section};

pub(super) use rows::{Columns, Row};
pub(super) use table::Table;
pub(super) use values::{
    Wrong, boolean, civil_date, civil_time, code, code_text, codes_text, date_text, exact_span, instant,
    integer, integer_text, invalid, span, text, trigger, weekday, weight, word, zone,
};

/// Path relative to the directory, with `/`, and the bytes of the file.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All that is collected while the files are read.
pub(super) struct Reading<'a> {
    pub(super) files: &'a Files,
    faults: RefCell<Vec<Fault>>,
    places: RefCell<Places>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(files: &'a Files) -> Self {
        Self { files, faults: RefCell::default(), places: RefCell::default() }
    }

    pub(super) fn add(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Remembers an entry by its id and reports a second one of the same id.
    pub(super) fn declare(&self, section: Section, id: &str, field: &str, place: &Arc<Place>) {
        let declared = self.places.borrow_mut().declare(section, id, Arc::clone(place));
        if let Err(earlier) = declared {
            let message = format!("there is a {} \"{id}\" already, at {earlier}", section.name());
            self.add(place.error(field, "duplicate_id", message));
        }
    }

    /// Notes that an entry of this section was dropped if it is None, and hands it on.
    pub(super) fn kept<T>(&self, section: Section, entry: Option<T>) -> Option<T> {
        if entry.is_none() {
            self.places.borrow_mut().set_unread(section);
        }
        entry
    }

    /// Whether an id exists, or may exist in an entry that could not be read.
    pub(super) fn may_exist(&self, section: Section, id: &str) -> bool {
        let places = self.places.borrow();
        places.is_unread(section) || places.declares(section, id)
    }

    pub(super) fn into_parts(self) -> (Vec<Fault>, Places) {
        (self.faults.into_inner(), self.places.into_inner())
    }

    fn set_unread(&self, sections: &[Section]) {
        for section in sections {
            self.places.borrow_mut().set_unread(*section);
        }
    }

    /// The paths of the files in a folder that end so.
    pub(super) fn folder(&self, folder: &str, ending: &str) -> Vec<&'a str> {
        let paths = self.files.keys().map(String::as_str);
        paths.filter(|path| path.starts_with(folder) && path.ends_with(ending)).collect()
    }

    /// Hands the root table of a TOML file to `read`. A file that is not TOML is reported with all its syntax
    /// errors and not handed on, since what a parser recovers from it is a guess.
    pub(super) fn toml(&self, path: &str, sections: &[Section], read: impl FnOnce(Table<'_>)) {
        let Some(text) = self.utf8(path, sections) else {
            return;
        };
        let lines = Lines::of(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            read(Table::root(self, path, &lines, root.get_ref()));
            return;
        }
        self.set_unread(sections);
        let place = Place { file: path.into(), ..Place::default() };
        for error in errors {
            let line = error.span().map(|span| lines.at(span.start));
            self.add(Fault { line, ..place.error("", "syntax", error.message()) });
        }
    }

    /// The text of a file; a fault if there is none of the name or if it is not UTF-8.
    fn utf8(&self, path: &str, sections: &[Section]) -> Option<&'a str> {
        let place = Place { file: path.into(), ..Place::default() };
        let fault = match self.files.get(path) {
            None => place.error("", "missing_file", format!("a rulebook has a file {path}")),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => return Some(text),
                Err(error) => {
                    let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
                    let message = "not UTF-8; spreadsheets often save GBK: save it as UTF-8";
                    Fault { line: Some(line), ..place.error("", "not_utf8", message) }
                }
            },
        };
        self.set_unread(sections);
        self.add(fault);
        None
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line of a byte, counted from 1.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte)
    }
}
