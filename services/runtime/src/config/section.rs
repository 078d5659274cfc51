//! What a section is, and the registry that checks all of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::source::Source;
use super::{
    DataConfig, Effective, EmbeddedConfig, KafkaConfig, LogConfig, OpsConfig, PostgresConfig, RulebookConfig,
};
use crate::secret::MASK;
use crate::{Fault, Place};

/// A section of the configuration file. Types carry `#[serde(default, deny_unknown_fields)]`.
pub trait Section: Serialize + DeserializeOwned {
    const NAME: &'static str;
    /// Whether the section may be absent with a meaning of its own: then it is not shown when absent.
    const OPTIONAL: bool = false;

    /// What is wrong although every value has its type.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

type Check = fn(&Source) -> Result<toml::Table, Vec<Fault>>;

/// The sections that a configuration file may have.
#[derive(Debug, Clone)]
pub struct Sections(Vec<Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    name: &'static str,
    optional: bool,
    check: Check,
}

impl Default for Sections {
    /// The sections that this crate reads itself.
    fn default() -> Self {
        Self(Vec::new())
            .with::<DataConfig>()
            .with::<RulebookConfig>()
            .with::<PostgresConfig>()
            .with::<EmbeddedConfig>()
            .with::<KafkaConfig>()
            .with::<OpsConfig>()
            .with::<LogConfig>()
    }
}

impl Sections {
    /// Adds a role's section.
    #[must_use]
    pub fn with<T: Section>(mut self) -> Self {
        self.0.push(Entry { name: T::NAME, optional: T::OPTIONAL, check: check::<T> });
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|entry| entry.name)
    }

    pub(super) fn check(&self, source: &Source) -> Result<Vec<Effective>, Vec<Fault>> {
        let mut faults = source.unknown_sections(&self.names().collect::<Vec<_>>());
        let mut effective = Vec::new();
        for entry in &self.0 {
            match (entry.check)(source) {
                Ok(_) if entry.optional && !source.has(entry.name) => {}
                Ok(table) => flatten(source, &mut vec![entry.name.to_owned()], table, &mut effective),
                Err(found) => faults.extend(found),
            }
        }
        faults.extend(effective.iter().filter(|value| is_exposed(value)).map(|value| Fault {
            place: value.place.clone(),
            section: String::new(),
            message: format!(
                "{} is a secret and must not stand in this file; use the environment or a file of its own",
                value.key
            ),
        }));
        if faults.is_empty() { Ok(effective) } else { Err(faults) }
    }
}

fn is_exposed(value: &Effective) -> bool {
    let masked = match &value.value {
        toml::Value::String(text) => text == MASK,
        toml::Value::Array(items) => items.iter().any(|item| item.as_str() == Some(MASK)),
        _ => false,
    };
    masked && matches!(value.place, Place::File { .. })
}

fn flatten(source: &Source, path: &mut Vec<String>, table: toml::Table, out: &mut Vec<Effective>) {
    for (name, value) in table {
        path.push(name);
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => flatten(source, path, inner, out),
            value => out.push(Effective { key: path.join("."), value, place: source.place_of(path) }),
        }
        path.pop();
    }
}

fn check<T: Section>(source: &Source) -> Result<toml::Table, Vec<Fault>> {
    let section: T = read(source)?;
    let faults: Vec<Fault> = section
        .faults()
        .into_iter()
        .map(|message| Fault {
            place: source.place_of(&[T::NAME.to_owned()]),
            section: T::NAME.to_owned(),
            message,
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(toml::Table::try_from(&section).expect("a section is a table of texts, numbers, lists and tables"))
}

/// Reads a section. After a fault its entry is taken out and reading goes on, so that all are found.
pub(super) fn read<T: Section>(source: &Source) -> Result<T, Vec<Fault>> {
    /// More faults than this in one section are the same mistake made often.
    const FAULTS_MAX: usize = 50;

    let mut attempt = source.attempt(T::NAME);
    let mut faults = Vec::new();
    while faults.len() < FAULTS_MAX {
        let error = match T::deserialize(attempt.deserializer()) {
            Ok(section) if faults.is_empty() => return Ok(section),
            Ok(_) => break,
            Err(error) => error,
        };
        if attempt.reread_as_text(error.span()) {
            continue;
        }
        // An entry that was taken out is not missing.
        if !faults.is_empty() && error.message().starts_with("missing field") {
            break;
        }
        faults.push(Fault {
            place: source.place(error.span()),
            section: T::NAME.to_owned(),
            message: error.message().to_owned(),
        });
        if !attempt.take_out(error.span()) {
            break;
        }
    }
    Err(faults)
}
