//! One TOML file, a section per concern, overridden by `HOTLINE__SECTION__KEY`.
//!
//! The loader knows no section: each is a type that implements [`Section`] and is registered in
//! [`Sections`]. Unknown sections and keys are faults, and loading checks every section, so a process
//! that starts has no fault anywhere. A secret that stands in the file itself is a fault too.

mod kafka;
pub(crate) mod own;
mod section;
mod source;
pub mod units;

use std::path::{Path, PathBuf};

pub use kafka::{KafkaConfig, Mechanism};
pub use own::{DataConfig, EmbeddedConfig, LogConfig, LogFormat, OpsConfig, PostgresConfig, RulebookConfig};
pub use section::{Section, Sections};
use source::Source;

use crate::{Error, Faults, Place};

/// The configuration of a process, free of faults.
#[derive(Debug)]
pub struct Config {
    source: Source,
    effective: Vec<Effective>,
}

/// A value in force and where it comes from; secrets are masked.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Dotted, beginning with the section.
    pub key: String,
    pub value: toml::Value,
    pub place: Place,
}

impl Config {
    /// Reads the file, lays the environment over it and checks every section; all faults are reported.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        sections: &Sections,
    ) -> Result<Self, Error> {
        let source = Source::read(file, environment)?;
        let effective = sections.check(&source).map_err(|faults| Error::ConfigInvalid(Faults(faults)))?;
        Ok(Self { source, effective })
    }

    /// The process's own environment, for [`Config::load`].
    pub fn environment() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }

    /// A section, with its defaults where nothing is said.
    pub fn section<T: Section>(&self) -> T {
        section::read(&self.source).expect("every section was read once when the configuration was loaded")
    }

    /// A section whose absence means something, such as `[postgres]`.
    pub fn optional<T: Section>(&self) -> Option<T> {
        self.source.has(T::NAME).then(|| self.section())
    }

    /// Every value in force, in the order of the registry.
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }

    pub fn file(&self) -> Option<&Path> {
        self.source.file()
    }

    /// The rulebook's directory: as configured, else `rulebook` or `deploy/rulebook` beside the file.
    pub fn rulebook_dir(&self) -> Option<PathBuf> {
        if let Some(dir) = self.section::<RulebookConfig>().dir {
            return Some(dir);
        }
        let beside = match self.file()?.parent()? {
            empty if empty.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        ["rulebook", "deploy/rulebook"].iter().map(|name| beside.join(name)).find(|dir| dir.is_dir())
    }
}

#[cfg(test)]
mod tests;
