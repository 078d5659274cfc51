//! JSON parsed once, borrowing from its bytes, strictly: names are unique, no text holds U+0000, depth is bounded.
//!
//! The tree also carries what decoding finds out: the [`Mark`] of each member says whether it is personal.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::contract;
use crate::error::{Fault, code};

/// How deep objects and arrays may be nested, the event itself being the first.
pub const DEPTH_MAX: usize = 32;

/// How many faults of one event are reported.
pub const FAULTS_MAX: usize = 100;

/// Objects up to this size are searched for duplicate names pair by pair, larger ones with a set.
const PAIRWISE_MAX: usize = 16;

/// A JSON value. Texts and names are borrowed exactly if they stand in the JSON as they are, without an escape.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<Member<'a>>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) value: Node<'a>,
    pub(crate) mark: Cell<Mark>,
}

impl<'a> Member<'a> {
    pub(crate) fn new(name: Cow<'a, str>, value: Node<'a>) -> Self {
        Self { name, value, mark: Cell::new(Mark::Personal) }
    }
}

/// Whether a member may leave the vault. What no reader asked for stays personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Personal,
    /// Public with all it holds.
    Public,
    /// An object, or an array of objects, whose members have marks of their own.
    Parts,
}

/// Where in an event the reader is: a list on the stack, written out only when there is a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    Root,
    Name(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// The JSON pointer, cut before the first name that no schema has.
    pub(crate) fn pointer(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The pointer with every name in it, for what the code itself describes.
    pub(crate) fn full(&self) -> String {
        match self {
            Path::Root => String::new(),
            Path::Name(parent, name) => format!("{}/{name}", parent.full()),
            Path::Index(parent, index) => format!("{}/{index}", parent.full()),
        }
    }

    fn write(&self, out: &mut String) -> bool {
        use std::fmt::Write;
        match self {
            Path::Root => true,
            Path::Name(parent, name) => {
                let known = parent.write(out) && contract::is_known_name(name);
                if known {
                    out.push('/');
                    out.push_str(name);
                }
                known
            }
            Path::Index(parent, index) => {
                let known = parent.write(out);
                if known {
                    write!(out, "/{index}").expect("a String takes all that is written to it");
                }
                known
            }
        }
    }
}

/// The faults found so far.
#[derive(Debug)]
pub(crate) struct Faults {
    max: usize,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self { max: FAULTS_MAX, found: RefCell::default() }
    }

    /// Takes none: for describing members, where nothing is there to be right.
    pub(crate) fn none() -> Self {
        Self { max: 0, found: RefCell::default() }
    }

    pub(crate) fn push(&self, at: &Path<'_>, code: &'static str) {
        let mut faults = self.found.borrow_mut();
        if faults.len() < self.max {
            faults.push(Fault { pointer: at.pointer(), code });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Fault> {
        self.found.into_inner()
    }
}

/// Parses one JSON value; `at` is where in the event it stands.
pub(crate) fn parse<'a>(text: &'a str, at: Path<'_>, depth: usize, faults: &Faults) -> Option<Node<'a>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let node = Seed { faults, at, depth }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(node)
}

#[derive(Clone, Copy)]
struct Seed<'p> {
    faults: &'p Faults,
    at: Path<'p>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Node<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(Number::Signed(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(Number::Float(value)))
    }

    /// Text without escapes: it cannot hold U+0000, which JSON allows only escaped.
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        if value.contains('\0') {
            self.faults.push(&self.at, code::NUL);
        }
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        if self.depth > DEPTH_MAX {
            self.faults.push(&self.at, code::TOO_DEEP);
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Node::Null);
        }
        let mut items = Vec::new();
        loop {
            let at = Path::Index(&self.at, items.len());
            let seed = Seed { faults: self.faults, at, depth: self.depth + 1 };
            let Some(item) = seq.next_element_seed(seed)? else {
                break;
            };
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        if self.depth > DEPTH_MAX {
            self.faults.push(&self.at, code::TOO_DEEP);
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Node::Null);
        }
        let mut members: Vec<Member<'de>> = Vec::with_capacity(8);
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let at = Path::Name(&self.at, &name);
            if matches!(name, Cow::Owned(_)) && name.contains('\0') {
                self.faults.push(&at, code::NUL);
            }
            let value = map.next_value_seed(Seed { faults: self.faults, at, depth: self.depth + 1 })?;
            members.push(Member::new(name, value));
        }
        report_duplicates(&members, &self.at, self.faults);
        Ok(Node::Object(members))
    }
}

pub(crate) fn report_duplicates(members: &[Member<'_>], at: &Path<'_>, faults: &Faults) {
    if members.len() <= PAIRWISE_MAX {
        for (n, member) in members.iter().enumerate() {
            if members[..n].iter().any(|earlier| earlier.name == member.name) {
                faults.push(&Path::Name(at, &member.name), code::DUPLICATE_KEY);
            }
        }
        return;
    }
    let mut seen = HashSet::with_capacity(members.len());
    for member in members {
        if !seen.insert(&*member.name) {
            faults.push(&Path::Name(at, &member.name), code::DUPLICATE_KEY);
        }
    }
}

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
