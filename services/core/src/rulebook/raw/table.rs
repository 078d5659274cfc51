//! A TOML table that is asked for its members one by one and reports what is wrong with each.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values::{Read, Wrong, wrong_type};
use super::{Lines, Reading};
use crate::rulebook::fault::{Fault, Place};

/// A table, or a table within an entry: the members of both are named by their path from the entry.
pub(in crate::rulebook) struct Table<'a> {
    reading: &'a Reading<'a>,
    lines: &'a Lines,
    items: &'a DeTable<'a>,
    place: Arc<Place>,
    path: String,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn root(
        reading: &'a Reading<'a>,
        file: &str,
        lines: &'a Lines,
        items: &'a DeTable<'a>,
    ) -> Self {
        Self::entry(reading, file.into(), lines, items, Some(1))
    }

    fn entry(
        reading: &'a Reading<'a>,
        file: Arc<str>,
        lines: &'a Lines,
        items: &'a DeTable<'a>,
        line: Option<usize>,
    ) -> Self {
        let mut fields = BTreeMap::new();
        note_lines(lines, "", items, &mut fields);
        let place = Arc::new(Place { file, line, fields });
        Self { reading, lines, items, place, path: String::new(), asked: Vec::new() }
    }

    fn inner(&self, name: &str, items: &'a DeTable<'a>) -> Self {
        let path = self.path_of(name);
        Self { place: Arc::clone(&self.place), path, asked: Vec::new(), items, ..*self }
    }

    pub(in crate::rulebook) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(in crate::rulebook) fn path_of(&self, name: &str) -> String {
        match (self.path.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{name}", self.path),
        }
    }

    pub(in crate::rulebook) fn error(&self, name: &str, code: &'static str, message: impl Into<String>) {
        self.reading.add(self.place.error(&self.path_of(name), code, message));
    }

    pub(in crate::rulebook) fn warning(&self, name: &str, code: &'static str, message: impl Into<String>) {
        self.reading.add(self.place.warning(&self.path_of(name), code, message));
    }

    /// Adds a fault that stands elsewhere in this file.
    pub(in crate::rulebook) fn report(&self, fault: Fault) {
        self.reading.add(fault);
    }

    pub(in crate::rulebook) fn has(&self, name: &str) -> bool {
        self.items.contains_key(name)
    }

    /// The names of its members, for tables whose members are named freely.
    pub(in crate::rulebook) fn names(&self) -> Vec<&'a str> {
        self.items.keys().map(|key| key.get_ref().as_ref()).collect()
    }

    fn get(&mut self, name: &'static str) -> Option<&'a DeValue<'a>> {
        self.asked.push(name);
        self.items.get(name).map(Spanned::get_ref)
    }

    fn checked<T>(&self, name: &str, read: Read<T>) -> Option<T> {
        read.map_err(|Wrong { code, message }| self.error(name, code, message)).ok()
    }

    /// A member that may be absent.
    pub(in crate::rulebook) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        self.checked(name, read(value))
    }

    pub(in crate::rulebook) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        self.require(name).then(|| self.optional(name, read)).flatten()
    }

    /// Reports a member that is absent, and says whether it is there.
    pub(in crate::rulebook) fn require(&self, name: &str) -> bool {
        if !self.has(name) {
            self.error(name, "missing_field", "is required");
        }
        self.has(name)
    }

    /// A member whose name is not known beforehand.
    pub(in crate::rulebook) fn named<T>(
        &self,
        name: &str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        self.checked(name, read(self.items.get(name)?.get_ref()))
    }

    /// A value or a list of values; each is read, and reported, on its own.
    pub(in crate::rulebook) fn list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Vec<T> {
        match self.get(name) {
            None => Vec::new(),
            Some(DeValue::Array(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(n, item)| self.checked(&format!("{name}[{n}]"), read(item.get_ref())))
                .collect(),
            Some(value) => self.checked(name, read(value)).into_iter().collect(),
        }
    }

    /// A list of which every element must be read; None if it is absent, too.
    pub(in crate::rulebook) fn all<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<Vec<T>> {
        let list = self.list(name, read);
        let written = match self.items.get(name)?.get_ref() {
            DeValue::Array(items) => items.len(),
            _ => 1,
        };
        (list.len() == written).then_some(list)
    }

    /// A list that must name something.
    pub(in crate::rulebook) fn some<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) -> Option<Vec<T>> {
        if !self.require(name) {
            return None;
        }
        if matches!(self.items.get(name).map(Spanned::get_ref), Some(DeValue::Array(items)) if items.is_empty())
        {
            self.error(name, "invalid_value", "must name at least one");
        }
        let list = self.list(name, read);
        (!list.is_empty()).then_some(list)
    }

    /// A table within this one.
    pub(in crate::rulebook) fn table(&mut self, name: &'static str) -> Option<Table<'a>> {
        match self.get(name)? {
            DeValue::Table(items) => Some(self.inner(name, items)),
            other => self.checked(name, Err(wrong_type("a table", other))),
        }
    }

    /// A table within this one whose name is not known beforehand.
    pub(in crate::rulebook) fn named_table(&self, name: &str) -> Option<Table<'a>> {
        match self.items.get(name)?.get_ref() {
            DeValue::Table(items) => Some(self.inner(name, items)),
            other => self.checked(name, Err(wrong_type("a table", other))),
        }
    }

    /// The tables of a list; they stay part of this entry.
    pub(in crate::rulebook) fn tables(&mut self, name: &'static str) -> Vec<Table<'a>> {
        self.items_of(name, |table, n, _, items| table.inner(&format!("{name}[{n}]"), items))
    }

    /// The entries of a file, `[[name]]`: each is a place of its own.
    pub(in crate::rulebook) fn entries(&mut self, name: &'static str) -> Vec<Table<'a>> {
        self.items_of(name, |table, _, line, items| {
            Table::entry(table.reading, Arc::clone(&table.place.file), table.lines, items, Some(line))
        })
    }

    fn items_of(
        &mut self,
        name: &'static str,
        make: impl Fn(&Self, usize, usize, &'a DeTable<'a>) -> Table<'a>,
    ) -> Vec<Table<'a>> {
        let Some(value) = self.get(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value else {
            self.error(name, "wrong_type", format!("must be a list of tables, [[{name}]]"));
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(n, item)| match item.get_ref() {
                DeValue::Table(table) => Some(make(self, n, self.lines.at(item.span().start), table)),
                other => self.checked(&format!("{name}[{n}]"), Err(wrong_type("a table", other))),
            })
            .collect()
    }

    /// The elements of a list that mixes values and tables, each with its name.
    pub(in crate::rulebook) fn mixed(
        &mut self,
        name: &'static str,
    ) -> Vec<(String, Result<Table<'a>, &'a DeValue<'a>>)> {
        let element = |table: &Self, name: String, value: &'a DeValue<'a>| match value {
            DeValue::Table(items) => (name.clone(), Ok(table.inner(&name, items))),
            value => (name, Err(value)),
        };
        match self.get(name) {
            None => Vec::new(),
            Some(DeValue::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(n, item)| element(self, format!("{name}[{n}]"), item.get_ref()))
                .collect(),
            Some(value) => vec![element(self, name.to_owned(), value)],
        }
    }

    /// A member that is a table or a single value.
    pub(in crate::rulebook) fn table_or_value(
        &mut self,
        name: &'static str,
    ) -> Option<Result<Table<'a>, &'a DeValue<'a>>> {
        Some(match self.get(name)? {
            DeValue::Table(items) => Ok(self.inner(name, items)),
            value => Err(value),
        })
    }

    /// Reads a value that was handed out.
    pub(in crate::rulebook) fn element<T>(&self, name: &str, read: Read<T>) -> Option<T> {
        self.checked(name, read)
    }

    /// Reports the members that nobody asked for.
    pub(in crate::rulebook) fn finish(&self) {
        for name in self.names() {
            if !self.asked.contains(&name) {
                let known = self.asked.join(", ");
                self.error(name, "unknown_field", format!("is not known here; known are {known}"));
            }
        }
    }
}

/// Writes down the line of every member under its path from the entry.
fn note_lines(lines: &Lines, prefix: &str, items: &DeTable<'_>, fields: &mut BTreeMap<String, usize>) {
    for (key, value) in items {
        let path = format!("{prefix}{}", key.get_ref());
        fields.insert(path.clone(), lines.at(key.span().start));
        note_value(lines, &path, value.get_ref(), fields);
    }
}

fn note_value(lines: &Lines, path: &str, value: &DeValue<'_>, fields: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(items) => note_lines(lines, &format!("{path}."), items, fields),
        DeValue::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let path = format!("{path}[{n}]");
                fields.insert(path.clone(), lines.at(item.span().start));
                note_value(lines, &path, item.get_ref(), fields);
            }
        }
        _ => {}
    }
}
