//! Reading the members of an object one by one: each call says what a member must be, and finding it wrong or
//! missing is a fault that does not stop the reading of the others.
//!
//! What a reader asked for as public is marked so in the tree; what nobody asked for stays personal. With a
//! recorder the same calls describe the members instead: that is how [`crate::contract`] knows them.

use std::cell::{Cell, RefCell};

use jiff::tz::Offset;

use crate::contract::{MemberKind, MemberSpec};
use crate::error::code;
use crate::tree::{Faults, Mark, Member, Node, Path};

/// What a member must look like.
pub(crate) trait Shape: Copy {
    type Out;

    fn kind(&self) -> MemberKind;

    /// As [`MemberSpec::shape`] gives it.
    fn describe(&self) -> String;

    /// The value, or None after reporting the fault.
    fn read(&self, node: &Node<'_>, at: &Path<'_>, context: &Context<'_>) -> Option<Self::Out>;
}

/// What holds for a whole event.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) faults: &'c Faults,
    /// Whether the event comes from the pipeline itself.
    pub(crate) pipeline: bool,
    pub(crate) source: &'c str,
    /// The offset of the event's `time`, in which a mere date is read.
    pub(crate) offset: Offset,
    pub(crate) recorder: Option<&'c RefCell<Vec<MemberSpec>>>,
}

pub(crate) struct Reader<'r, 'a> {
    members: &'r [Member<'a>],
    at: Path<'r>,
    context: &'r Context<'r>,
    /// Members not yet found: at 0 the searches stop.
    left: Cell<usize>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(crate) fn new(members: &'r [Member<'a>], at: Path<'r>, context: &'r Context<'r>) -> Self {
        Self { members, at, context, left: Cell::new(members.len()) }
    }

    /// The same members, read under another context.
    pub(crate) fn within<'n>(&'n self, context: &'n Context<'n>) -> Reader<'n, 'a> {
        Reader::new(self.members, self.at, context)
    }

    pub(crate) fn context(&self) -> &'r Context<'r> {
        self.context
    }

    pub(crate) fn members(&self) -> &'r [Member<'a>] {
        self.members
    }

    pub(crate) fn fault(&self, code: &'static str) {
        self.context.faults.push(&self.at, code);
    }

    pub(crate) fn fault_at(&self, name: &str, code: &'static str) {
        self.context.faults.push(&Path::Name(&self.at, name), code);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Reports `name` if it is not there: for members that are required beside certain others.
    pub(crate) fn needs(&self, name: &str) {
        if !self.has(name) {
            self.fault_at(name, code::REQUIRED);
        }
    }

    pub(crate) fn required<S: Shape>(&self, name: &str, shape: S) -> Option<S::Out> {
        self.record(name, true, shape.kind(), || shape.describe());
        let Some(member) = self.find(name) else {
            self.fault_at(name, code::REQUIRED);
            return None;
        };
        self.value(member, &shape)
    }

    pub(crate) fn optional<S: Shape>(&self, name: &str, shape: S) -> Option<S::Out> {
        self.record(name, false, shape.kind(), || shape.describe());
        self.value(self.find(name)?, &shape)
    }

    fn value<S: Shape>(&self, member: &Member<'_>, shape: &S) -> Option<S::Out> {
        if shape.kind() != MemberKind::Personal {
            member.mark.set(Mark::Public);
        }
        shape.read(&member.value, &Path::Name(&self.at, &member.name), self.context)
    }

    /// An object with members of its own.
    pub(crate) fn object<T>(
        &self,
        name: &str,
        required: bool,
        read: impl Fn(&Reader<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        self.record(name, required, MemberKind::Value, || "object".to_owned());
        if self.context.recorder.is_some() {
            return read(&Reader::new(&[], Path::Name(&self.at, name), self.context));
        }
        if let Some(member) = self.find(name) {
            member.mark.set(Mark::Parts);
            let at = Path::Name(&self.at, name);
            return self.inside(&member.value, at, &read);
        }
        if required {
            self.fault_at(name, code::REQUIRED);
        }
        None
    }

    /// The data of an event, whose members depend on its type; absent data has no members.
    pub(crate) fn data<T>(&self, read: impl Fn(&Reader<'_, '_>) -> Option<T>) -> Option<T> {
        self.record("data", false, MemberKind::Value, || "data".to_owned());
        if self.context.recorder.is_some() {
            return None;
        }
        let at = Path::Name(&self.at, "data");
        let Some(member) = self.find("data") else {
            return read(&Reader::new(&[], at, self.context));
        };
        member.mark.set(Mark::Parts);
        self.inside(&member.value, at, &read)
    }

    fn inside<T>(
        &self,
        node: &Node<'_>,
        at: Path<'_>,
        read: &impl Fn(&Reader<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let Node::Object(members) = node else {
            self.context.faults.push(&at, code::TYPE);
            return None;
        };
        read(&Reader::new(members, at, self.context))
    }

    /// A required array of 1 to `max` objects. None if it is no such array; an object that cannot be read is left
    /// out, its faults reported.
    pub(crate) fn objects<T>(
        &self,
        name: &str,
        max: usize,
        read: impl Fn(&Reader<'_, '_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.record(name, true, MemberKind::Value, || format!("objects 1..{max}"));
        let here = Path::Name(&self.at, name);
        if self.context.recorder.is_some() {
            let item = Path::Name(&here, "*");
            return read(&Reader::new(&[], item, self.context)).map(|item| vec![item]);
        }
        let Some(member) = self.find(name) else {
            self.fault_at(name, code::REQUIRED);
            return None;
        };
        member.mark.set(Mark::Parts);
        let Node::Array(items) = &member.value else {
            self.fault_at(name, code::TYPE);
            return None;
        };
        if items.is_empty() || items.len() > max {
            self.fault_at(name, code::LENGTH);
            return None;
        }
        let read = |(n, item)| self.inside(item, Path::Index(&here, n), &read);
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    fn find(&self, name: &str) -> Option<&'r Member<'a>> {
        if self.left.get() == 0 {
            return None;
        }
        let member = self.members.iter().find(|member| member.name == name)?;
        self.left.set(self.left.get() - 1);
        Some(member)
    }

    fn record(&self, name: &str, required: bool, kind: MemberKind, shape: impl Fn() -> String) {
        if let Some(recorder) = self.context.recorder {
            let pointer = Path::Name(&self.at, name).full();
            recorder.borrow_mut().push(MemberSpec { pointer, required, kind, shape: shape() });
        }
    }
}
