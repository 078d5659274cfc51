//! CSV files: rows whose cells are asked for by column.

use std::collections::BTreeMap;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};

use super::values::{Read, Wrong};
use super::{Lines, Reading};
use crate::rulebook::fault::{Place, Section};

/// The columns that a file must have and those it may have.
pub(in crate::rulebook) struct Columns {
    pub(in crate::rulebook) required: &'static [&'static str],
    pub(in crate::rulebook) optional: &'static [&'static str],
    /// Whether columns that we do not know are left alone.
    pub(in crate::rulebook) open: bool,
}

/// One row of a CSV file.
pub(in crate::rulebook) struct Row<'a> {
    reading: &'a Reading<'a>,
    place: Arc<Place>,
    columns: &'a BTreeMap<String, usize>,
    cells: &'a StringRecord,
}

impl Row<'_> {
    pub(in crate::rulebook) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(in crate::rulebook) fn error(&self, name: &str, code: &'static str, message: impl Into<String>) {
        self.reading.add(self.place.error(name, code, message));
    }

    /// A cell, None if it is empty.
    pub(in crate::rulebook) fn optional<T>(&self, name: &str, read: impl Fn(&str) -> Read<T>) -> Option<T> {
        let cell = self.cells.get(*self.columns.get(name)?)?.trim();
        if cell.is_empty() {
            return None;
        }
        read(cell).map_err(|Wrong { code, message }| self.error(name, code, message)).ok()
    }

    pub(in crate::rulebook) fn required<T>(&self, name: &str, read: impl Fn(&str) -> Read<T>) -> Option<T> {
        let index = *self.columns.get(name)?;
        if self.cells.get(index).is_none_or(|cell| cell.trim().is_empty()) {
            self.error(name, "missing_field", "is required");
            return None;
        }
        self.optional(name, read)
    }
}

impl Reading<'_> {
    /// Hands each row of a CSV file to `read`, after its header has been checked.
    pub(in crate::rulebook) fn csv(
        &self,
        path: &str,
        section: Section,
        columns: &Columns,
        mut read: impl FnMut(&Row<'_>),
    ) {
        let Some(text) = self.utf8(path, &[section]) else {
            return;
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = Lines::of(text);
        let mut records = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
            .into_records();
        let file: Arc<str> = path.into();
        let Some(Ok(header)) = records.next() else {
            let place = Place { file, ..Place::default() };
            self.add(place.error("", "missing_field", header_hint(columns)));
            self.places.borrow_mut().set_unread(section);
            return;
        };
        let place =
            Place { file: Arc::clone(&file), line: Some(line_of(&header, text, &lines)), ..Place::default() };
        let indexes = self.header(&place, &header, columns, section);
        for record in records {
            // Reading text from memory into rows of any length cannot fail.
            let Ok(cells) = record else { break };
            let line = Some(line_of(&cells, text, &lines));
            let place = Arc::new(Place { file: Arc::clone(&file), line, ..Place::default() });
            if cells.len() != header.len() {
                let message = format!("has {} cells, the header {}", cells.len(), header.len());
                self.add(place.error("", "wrong_width", message));
                self.places.borrow_mut().set_unread(section);
                continue;
            }
            read(&Row { reading: self, place, columns: &indexes, cells: &cells });
        }
    }

    fn header(
        &self,
        place: &Place,
        header: &StringRecord,
        columns: &Columns,
        section: Section,
    ) -> BTreeMap<String, usize> {
        let mut indexes = BTreeMap::new();
        for (index, name) in header.iter().map(str::trim).enumerate() {
            let known = columns.required.contains(&name) || columns.optional.contains(&name);
            if !known && !columns.open {
                self.add(place.error(name, "unknown_field", header_hint(columns)));
            }
            if indexes.insert(name.to_owned(), index).is_some() && known {
                self.add(place.error(name, "duplicate_id", "this column stands twice"));
            }
        }
        for name in columns.required.iter().filter(|name| !indexes.contains_key(**name)) {
            self.add(place.error(name, "missing_field", header_hint(columns)));
            self.places.borrow_mut().set_unread(section);
        }
        indexes
    }
}

fn header_hint(columns: &Columns) -> String {
    let names: Vec<_> = columns.required.iter().chain(columns.optional).copied().collect();
    format!("the columns are {}", names.join(","))
}

/// The line of a record. The reader's own position is that of the blank lines before it, if there are any.
fn line_of(record: &StringRecord, text: &str, lines: &Lines) -> usize {
    let before = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
    let blank =
        text.as_bytes()[before.min(text.len())..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    lines.at(before + blank.count())
}
