//! What is wrong with a rulebook, and where each of its entries is written, so that a fault can say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The rulebook is refused.
    Error,
    /// The rulebook works, but somebody probably meant something else.
    Warning,
}

/// One thing that is wrong with a rulebook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Path of the file within the rulebook; empty where no file is to blame.
    pub file: String,
    /// Counted from 1; None where the whole file is meant.
    pub line: Option<usize>,
    /// The member of the entry, `extension.unit` or `alarms[1].to`; empty where the whole entry is meant.
    pub field: String,
    pub severity: Severity,
    /// A stable word that programs may compare.
    pub code: &'static str,
    /// A sentence for the person who writes the rulebook.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            f.write_str("rulebook")?;
        } else {
            f.write_str(&self.file)?;
        }
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The kinds of entries that can be named by an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Rulebook,
    Calendar,
    Policy,
    Route,
    Rate,
    Score,
    Source,
    Hotline,
    Department,
    Class,
    GeneralHold,
    Period,
    Code,
}

impl Section {
    /// The word for an entry of this kind in a message.
    pub fn name(self) -> &'static str {
        match self {
            Section::Rulebook => "rulebook",
            Section::Calendar => "calendar",
            Section::Policy => "policy",
            Section::Route => "routing rule",
            Section::Rate => "rate",
            Section::Score => "score",
            Section::Source => "source",
            Section::Hotline => "hotline",
            Section::Department => "department",
            Section::Class => "class",
            Section::GeneralHold => "general hold",
            Section::Period => "period",
            Section::Code => "code",
        }
    }
}

/// Where an entry is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: Option<usize>,
    /// The lines of its members, by path.
    pub fields: BTreeMap<String, usize>,
}

impl Place {
    /// The line of a member, or of the nearest enclosing member that is written.
    pub fn line_of(&self, field: &str) -> Option<usize> {
        let mut path = field;
        while !path.is_empty() {
            if let Some(line) = self.fields.get(path) {
                return Some(*line);
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
        self.line
    }

    pub fn error(&self, field: &str, code: &'static str, message: impl Into<String>) -> Fault {
        self.fault(Severity::Error, field, code, message)
    }

    pub fn warning(&self, field: &str, code: &'static str, message: impl Into<String>) -> Fault {
        self.fault(Severity::Warning, field, code, message)
    }

    fn fault(
        &self,
        severity: Severity,
        field: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Fault {
        Fault {
            file: self.file.to_string(),
            line: self.line_of(field),
            field: field.to_owned(),
            severity,
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Where every entry of a rulebook is written, those that could not be read included: an id that stands in a
/// broken entry does not dangle.
#[derive(Clone, Debug, Default)]
pub struct Places {
    entries: BTreeMap<(Section, SmolStr), Arc<Place>>,
    unread: BTreeSet<Section>,
}

impl Places {
    /// Remembers an entry; Err holds the place of an earlier one of the same id.
    pub fn declare(&mut self, section: Section, id: &str, place: Arc<Place>) -> Result<(), Arc<Place>> {
        let key = (section, SmolStr::new(id));
        if let Some(earlier) = self.entries.get(&key) {
            return Err(Arc::clone(earlier));
        }
        self.entries.insert(key, place);
        Ok(())
    }

    /// Says that entries of this section may be missing because they could not be read. What is absent from
    /// it is then no fault of its own.
    pub fn set_unread(&mut self, section: Section) {
        self.unread.insert(section);
    }

    pub fn is_unread(&self, section: Section) -> bool {
        self.unread.contains(&section)
    }

    pub fn declares(&self, section: Section, id: &str) -> bool {
        self.entries.contains_key(&(section, SmolStr::new(id)))
    }

    /// Where an entry is written; nowhere for an entry that was not read from a file.
    pub fn of(&self, section: Section, id: &str) -> Arc<Place> {
        self.entries.get(&(section, SmolStr::new(id))).cloned().unwrap_or_default()
    }
}
