//! The file and the environment as one table in which every value knows where it was written.
//!
//! A value of the environment carries a span past the end of the file's text, one for each variable,
//! so that serde's errors lead back to a line or to a variable in the same way.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::{Error, Fault, Faults, Place};

const PREFIX: &str = "HOTLINE__";
const SEPARATOR: &str = "__";

type Span = Range<usize>;

/// What was written. The table is parsed from it whenever it is needed: it borrows the text.
pub(super) struct Source {
    file: Option<PathBuf>,
    text: String,
    variables: Vec<(String, String)>,
}

impl std::fmt::Debug for Source {
    /// Without the text and the values: they may hold secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| Error::FileUnreadable { path: path.to_owned(), source })?,
            None => String::new(),
        };
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        let source = Self { file: file.map(Path::to_owned), text, variables };
        match source.parse() {
            (_, faults) if faults.is_empty() => Ok(source),
            (_, faults) => Err(Error::ConfigInvalid(Faults(faults))),
        }
    }

    fn parse(&self) -> (DeTable<'_>, Vec<Fault>) {
        let (parsed, errors) = DeTable::parse_recoverable(&self.text);
        let mut table = parsed.into_inner();
        let mut faults: Vec<Fault> = errors
            .into_iter()
            .map(|error| Fault {
                place: self.place(error.span()),
                section: String::new(),
                message: error.message().to_owned(),
            })
            .collect();
        for (index, (name, value)) in self.variables.iter().enumerate() {
            let path: Vec<String> =
                name[PREFIX.len()..].split(SEPARATOR).map(str::to_ascii_lowercase).collect();
            let span = self.span_of_variable(index);
            let well_formed = path.len() >= 2 && path.iter().all(|part| !part.is_empty());
            if !well_formed || !insert(&mut table, &path, parse_value(value, &span), &span) {
                faults.push(Fault {
                    place: Place::Environment { variable: name.clone() },
                    section: String::new(),
                    message: "names no key; the form is HOTLINE__SECTION__KEY".to_owned(),
                });
            }
        }
        (table, faults)
    }

    /// The table; `read` has seen that it has no faults.
    fn table(&self) -> DeTable<'_> {
        self.parse().0
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn has(&self, section: &str) -> bool {
        self.table().contains_key(section)
    }

    pub(super) fn unknown_sections(&self, known: &[&str]) -> Vec<Fault> {
        let table = self.table();
        let unknown = table.iter().filter(|(name, _)| !known.contains(&name.get_ref().as_ref()));
        unknown
            .map(|(name, _)| Fault {
                place: self.place(Some(name.span())),
                section: String::new(),
                message: format!("unknown section [{}]; known are {}", name.get_ref(), known.join(", ")),
            })
            .collect()
    }

    /// Where the span of an error or a value leads.
    pub(super) fn place(&self, span: Option<Span>) -> Place {
        let Some(span) = span else { return Place::Default };
        if let Some(variable) = self.variable_at(&span) {
            return Place::Environment { variable: self.variables[variable].0.clone() };
        }
        match &self.file {
            Some(path) => {
                let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
                Place::File { path: path.clone(), line: before.split(|byte| *byte == b'\n').count() }
            }
            None => Place::Default,
        }
    }

    /// Where the value of a key was written; the default if it was not.
    pub(super) fn place_of(&self, path: &[String]) -> Place {
        let root = self.table();
        let mut table = &root;
        for (depth, name) in path.iter().enumerate() {
            let Some((key, value)) = table.get_key_value(name.as_str()) else { return Place::Default };
            match value.get_ref() {
                DeValue::Table(inner) if depth + 1 < path.len() => table = inner,
                _ => return self.place(Some(key.span())),
            }
        }
        Place::Default
    }

    /// A copy of a section to read from; an absent one is empty.
    pub(super) fn attempt(&self, section: &str) -> Attempt<'_> {
        let value = match self.table().remove(section) {
            Some(value) => value,
            None => Spanned::new(0..0, DeValue::Table(DeTable::default())),
        };
        Attempt { source: self, value }
    }

    fn span_of_variable(&self, index: usize) -> Span {
        let start = self.text.len() + 1 + 2 * index;
        start..start + 1
    }

    fn variable_at(&self, span: &Span) -> Option<usize> {
        let index = span.start.checked_sub(self.text.len() + 1)? / 2;
        (index < self.variables.len()).then_some(index)
    }
}

/// A section while it is being read: faulty entries can be taken out.
pub(super) struct Attempt<'a> {
    source: &'a Source,
    value: Spanned<DeValue<'a>>,
}

impl<'a> Attempt<'a> {
    pub(super) fn deserializer(&self) -> ValueDeserializer<'a> {
        self.value.clone().into()
    }

    /// A variable's value that is not wanted as a number or a truth value is text: a password of digits.
    pub(super) fn reread_as_text(&mut self, span: Option<Span>) -> bool {
        let Some(span) = span else { return false };
        let Some(index) = self.source.variable_at(&span) else { return false };
        let text = &self.source.variables[index].1;
        visit(self.value.get_mut(), &span, &mut |table, name| {
            let Some(value) = table.get_mut(name) else { return false };
            if value.get_ref().is_str() {
                return false;
            }
            *value.get_mut() = DeValue::String(text.as_str().into());
            true
        })
    }

    pub(super) fn take_out(&mut self, span: Option<Span>) -> bool {
        let Some(span) = span else { return false };
        visit(self.value.get_mut(), &span, &mut |table, name| table.remove(name).is_some())
    }
}

type Act<'f, 'a> = dyn FnMut(&mut DeTable<'a>, &str) -> bool + 'f;

/// Finds the entry whose key or plain value has the span, and acts on it in its table.
fn visit<'a>(value: &mut DeValue<'a>, span: &Span, act: &mut Act<'_, 'a>) -> bool {
    match value {
        DeValue::Table(table) => {
            let found = table.iter().find_map(|(key, value)| {
                let holds = value.span().start <= span.start && span.end <= value.span().end;
                let is_plain = !holds_tables(value.get_ref());
                (key.span() == *span || (is_plain && holds)).then(|| key.get_ref().to_string())
            });
            match found {
                Some(name) => act(table, &name),
                None => table.iter_mut().any(|(_, value)| visit(value.get_mut(), span, act)),
            }
        }
        DeValue::Array(items) => items.iter_mut().any(|item| visit(item.get_mut(), span, act)),
        _ => false,
    }
}

fn holds_tables(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    }
}

/// Puts a variable's value at its path; false if the path goes through a value that is not a table.
fn insert<'a>(table: &mut DeTable<'a>, path: &[String], value: DeValue<'a>, span: &Span) -> bool {
    let key = Spanned::new(span.clone(), path[0].clone().into());
    if path.len() == 1 {
        // The old entry goes with its key: the new key carries the variable's span.
        table.remove(path[0].as_str());
        table.insert(key, Spanned::new(span.clone(), value));
        return true;
    }
    if !table.contains_key(path[0].as_str()) {
        table.insert(key, Spanned::new(span.clone(), DeValue::Table(DeTable::default())));
    }
    match table.get_mut(path[0].as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => insert(inner, &path[1..], value, span),
        _ => false,
    }
}

/// A variable's value as TOML reads it, else as text.
fn parse_value<'a>(text: &'a str, span: &Span) -> DeValue<'a> {
    match DeValue::parse(text) {
        Ok(value) if !value.get_ref().is_table() => respan(value.into_inner(), span),
        _ => DeValue::String(text.into()),
    }
}

fn respan<'a>(value: DeValue<'a>, span: &Span) -> DeValue<'a> {
    match value {
        DeValue::Array(items) => DeValue::Array(
            items
                .into_iter()
                .map(|item| Spanned::new(span.clone(), respan(item.into_inner(), span)))
                .collect(),
        ),
        other => other,
    }
}
