//! Canonical JSON by hand: whoever writes names the members in their order, and tests hold that they did.

use std::io::Write as _;

use jiff::Timestamp;

/// Canonical JSON in the making.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    /// Bytes that are canonical JSON already.
    pub(super) fn raw(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    pub(super) fn text(&mut self, text: &str) {
        let is_plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        if is_plain {
            self.0.push(b'"');
            self.raw(text.as_bytes());
            self.0.push(b'"');
        } else {
            serde_json::to_writer(&mut self.0, text).expect("a Vec takes all that is written to it");
        }
    }

    /// RFC 3339 in UTC, with as many digits of a second as it has.
    pub(super) fn at(&mut self, at: Timestamp) {
        write!(self.0, "\"{at}\"").expect("a Vec takes all that is written to it");
    }

    pub(super) fn at_or_null(&mut self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.at(at),
            None => self.raw(b"null"),
        }
    }

    /// Bytes as hexadecimal digits.
    pub(super) fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.0.push(b'"');
        for byte in bytes {
            self.0.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        self.0.push(b'"');
    }

    pub(super) fn number(&mut self, number: impl std::fmt::Display) {
        write!(self.0, "{number}").expect("a Vec takes all that is written to it");
    }

    pub(super) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.0.push(b'[');
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                self.0.push(b',');
            }
            write(self, item);
        }
        self.0.push(b']');
    }

    pub(super) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        self.0.push(b'{');
        write(&mut Object { out: self, last: "" });
        self.0.push(b'}');
    }
}

/// An object in the making; members come in the order of their names.
pub(super) struct Object<'o> {
    out: &'o mut Out,
    last: &'static str,
}

impl Object<'_> {
    /// Begins a member; its value is written next.
    pub(super) fn member(&mut self, name: &'static str) -> &mut Out {
        debug_assert!(self.last < name, "{name} comes before {}", self.last);
        if !self.last.is_empty() {
            self.out.0.push(b',');
        }
        self.last = name;
        self.out.0.push(b'"');
        self.out.raw(name.as_bytes());
        self.out.raw(b"\":");
        self.out
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        self.member(name).text(text);
    }

    /// Left out where there is none.
    pub(super) fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(super) fn at(&mut self, name: &'static str, at: Timestamp) {
        self.member(name).at(at);
    }

    /// Left out where there is none.
    pub(super) fn optional_at(&mut self, name: &'static str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.at(name, at);
        }
    }

    pub(super) fn number(&mut self, name: &'static str, number: impl std::fmt::Display) {
        self.member(name).number(number);
    }

    /// Left out where it does not hold.
    pub(super) fn mark(&mut self, name: &'static str, holds: bool) {
        if holds {
            self.member(name).raw(b"true");
        }
    }

    pub(super) fn key(&mut self, name: &'static str, key: hotline_core::fact::EventKey) {
        self.member(name).hex(&key.0);
    }

    /// Left out where it is empty.
    pub(super) fn list<'t, T>(
        &mut self,
        name: &'static str,
        items: &'t [T],
        write: impl FnMut(&mut Out, &'t T),
    ) {
        if !items.is_empty() {
            self.member(name).array(items, write);
        }
    }
}
