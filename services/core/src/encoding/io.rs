//! Writing and reading the elements that facts are made of.

use std::collections::HashMap;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::EncodingError;
use crate::fact::EventKey;

#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    strings: Vec<SmolStr>,
    places: HashMap<SmolStr, u64>,
    last_second: i64,
    /// The tag of whoever reported stays out.
    pub(crate) nameless: bool,
}

impl Writer {
    /// The version, the strings, and everything written.
    pub(crate) fn finish(self, version: u8) -> Vec<u8> {
        let mut head = Writer { bytes: vec![version], ..Writer::default() };
        head.number(self.strings.len() as u64);
        for string in &self.strings {
            head.number(string.len() as u64);
            head.bytes.extend_from_slice(string.as_bytes());
        }
        head.bytes.extend_from_slice(&self.bytes);
        head.bytes
    }

    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(u8::try_from(value).expect("the loop left 7 bits"));
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(crate) fn fixed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn key(&mut self, key: EventKey) {
        self.fixed(&key.0);
    }

    pub(crate) fn string(&mut self, string: &SmolStr) {
        let place = if let Some(place) = self.places.get(string) {
            *place
        } else {
            let place = self.strings.len() as u64;
            self.strings.push(string.clone());
            self.places.insert(string.clone(), place);
            place
        };
        self.number(place);
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn strings(&mut self, strings: &[SmolStr]) {
        self.number(strings.len() as u64);
        for string in strings {
            self.string(string);
        }
    }

    /// An instant as its difference to the one before; a whole second needs no fraction.
    pub(crate) fn instant(&mut self, at: Timestamp) {
        let (second, micros) = parts(at);
        self.signed(((second - self.last_second) << 1) | i64::from(micros != 0));
        if micros != 0 {
            self.number(u64::from(micros));
        }
        self.last_second = second;
    }

    /// An instant that usually follows `base` closely; 0 where there is none.
    pub(crate) fn instant_after(&mut self, at: Option<Timestamp>, base: Timestamp) {
        let Some(at) = at else { return self.number(0) };
        let (second, micros) = parts(at);
        let difference = second - parts(base).0;
        let zigzag = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        self.number(1 + ((zigzag << 1) | u64::from(micros != 0)));
        if micros != 0 {
            self.number(u64::from(micros));
        }
    }
}

/// Whole seconds since 1970 and the microseconds after them.
fn parts(at: Timestamp) -> (i64, u32) {
    let micros = at.as_microsecond();
    (micros.div_euclid(1_000_000), u32::try_from(micros.rem_euclid(1_000_000)).expect("less than a million"))
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    strings: Vec<SmolStr>,
    last_second: i64,
}

impl<'a> Reader<'a> {
    /// Reads the strings behind the version byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader { bytes, at: 1, strings: Vec::new(), last_second: 0 };
        reader.strings = reader.list(|reader| {
            let len = reader.number()?;
            let text = reader.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            let text =
                std::str::from_utf8(text).map_err(|_| reader.malformed("a string that is not UTF-8"))?;
            Ok(SmolStr::new(text))
        })?;
        Ok(reader)
    }

    pub(crate) fn malformed(&self, what: &'static str) -> EncodingError {
        EncodingError::Malformed { what, at: self.at }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], EncodingError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(EncodingError::Truncated { at: self.bytes.len() })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn end(&self) -> Result<(), EncodingError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed("bytes behind the end")) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, EncodingError> {
        Ok(self.take(1)?[0])
    }

    /// 1 to 5; 0 for none.
    pub(crate) fn grade(&mut self) -> Result<u8, EncodingError> {
        let grade = self.byte()?;
        if grade > 5 { Err(self.malformed("a grade over 5")) } else { Ok(grade) }
    }

    pub(crate) fn number(&mut self) -> Result<u64, EncodingError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("a number over 64 bits"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, EncodingError> {
        u32::try_from(self.number()?).map_err(|_| self.malformed("a number over 32 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, EncodingError> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, EncodingError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("a flag that is neither 0 nor 1")),
        }
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], EncodingError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(crate) fn key(&mut self) -> Result<EventKey, EncodingError> {
        Ok(EventKey(self.fixed()?))
    }

    pub(crate) fn string(&mut self) -> Result<SmolStr, EncodingError> {
        let place = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.strings.get(place).cloned().ok_or_else(|| self.malformed("a place outside the strings"))
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, EncodingError>,
    ) -> Result<Option<T>, EncodingError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A counted list. The capacity follows what was read, not what a hostile count says.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, EncodingError>,
    ) -> Result<Vec<T>, EncodingError> {
        let count = self.number()?;
        let mut list = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(64));
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(crate) fn strings(&mut self) -> Result<Vec<SmolStr>, EncodingError> {
        self.list(Self::string)
    }

    pub(crate) fn instant(&mut self) -> Result<Timestamp, EncodingError> {
        let value = self.signed()?;
        let second = self.last_second.checked_add(value >> 1);
        let second = second.ok_or_else(|| self.malformed("an instant out of range"))?;
        let micros = if value & 1 == 1 { self.small()? } else { 0 };
        self.last_second = second;
        self.timestamp(second, micros)
    }

    pub(crate) fn instant_after(&mut self, base: Timestamp) -> Result<Option<Timestamp>, EncodingError> {
        let Some(value) = self.number()?.checked_sub(1) else { return Ok(None) };
        let zigzag = value >> 1;
        let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        let second = parts(base).0.checked_add(difference);
        let second = second.ok_or_else(|| self.malformed("an instant out of range"))?;
        let micros = if value & 1 == 1 { self.small()? } else { 0 };
        self.timestamp(second, micros).map(Some)
    }

    fn timestamp(&self, second: i64, micros: u32) -> Result<Timestamp, EncodingError> {
        let micros = second.checked_mul(1_000_000).and_then(|whole| whole.checked_add(i64::from(micros)));
        micros
            .and_then(|micros| Timestamp::from_microsecond(micros).ok())
            .ok_or_else(|| self.malformed("an instant out of range"))
    }
}
