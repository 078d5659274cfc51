//! What the decoder knows of the wire: every member of every type, as the decoding functions themselves tell it.
//!
//! `schemas/` says the same for others to read; a test compares the two.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use hotline_core::fact::Kind;
use jiff::tz::Offset;

use crate::reader::{Context, Reader};
use crate::tree::{Faults, Path};
use crate::{body, envelope};

/// Whom a member may be shown to; `x-kind` in the schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A short text from a list.
    Code,
    /// A number, an instant, a flag, or an object of such.
    Value,
    /// Sealed; never part of a fact.
    Personal,
}

impl MemberKind {
    pub fn name(self) -> &'static str {
        match self {
            MemberKind::Code => "code",
            MemberKind::Value => "value",
            MemberKind::Personal => "personal",
        }
    }
}

/// A member as the decoder reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// From the object described; `*` stands for every item of an array.
    pub pointer: String,
    pub required: bool,
    pub kind: MemberKind,
    /// `code`, `codes 1..4`, `enum lead|co|sub`, `boolean`, `integer 1..5`, `instant`, …
    pub shape: String,
}

/// The attributes that every event of a case may have, `data` among them.
pub fn attributes() -> Vec<MemberSpec> {
    recorded(|reader| {
        envelope::read(reader);
        reader.data(|_| None::<()>);
    })
}

/// The members that `data` of this kind may have.
pub fn members(kind: Kind) -> Vec<MemberSpec> {
    recorded(|reader| {
        body::read(kind, reader);
    })
}

/// The members that `data` of a figure may have.
pub fn figure_members() -> Vec<MemberSpec> {
    recorded(|reader| {
        envelope::figure_data(reader);
    })
}

fn recorded(read: impl Fn(&Reader<'_, '_>)) -> Vec<MemberSpec> {
    let (faults, recorder) = (Faults::none(), RefCell::default());
    let context = Context {
        faults: &faults,
        pipeline: true,
        source: "",
        offset: Offset::UTC,
        recorder: Some(&recorder),
    };
    read(&Reader::new(&[], Path::Root, &context));
    recorder.into_inner()
}

/// Whether some schema has a member of this name, so that it may be shown.
pub(crate) fn is_known_name(name: &str) -> bool {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let kinds = Kind::ALL.iter().flat_map(|kind| members(*kind));
        let specs = attributes().into_iter().chain(kinds).chain(figure_members());
        specs.flat_map(|spec| spec.pointer.split('/').map(str::to_owned).collect::<Vec<_>>()).collect()
    });
    names.contains(name)
}
