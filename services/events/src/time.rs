//! RFC 3339 instants, strictly: an offset is required, and years are 1970 to 2199.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use crate::error::code;

/// The first instant that is kept, 1970-01-01T00:00:00Z.
const FIRST: i64 = 0;
/// The first instant past the last, 2200-01-01T00:00:00Z.
const END: i64 = 7_258_118_400;

/// Reads `2023-11-22T08:30:00.123456+08:00`; what is finer than a microsecond is cut off.
pub(crate) fn instant(text: &str) -> Result<(Timestamp, Offset), &'static str> {
    let (local, offset) = split(text.as_bytes()).ok_or(code::FORMAT)?;
    let at = offset.to_timestamp(local).map_err(|_| code::RANGE)?;
    bounded(at).map(|at| (at, offset))
}

/// Reads `2026-10-19`.
pub(crate) fn day(text: &str) -> Result<Date, &'static str> {
    let date = <&[u8; 10]>::try_from(text.as_bytes()).ok().and_then(date).ok_or(code::FORMAT)?;
    if (1970..2200).contains(&date.year()) { Ok(date) } else { Err(code::RANGE) }
}

/// 24:00 of a day, in the zone of `offset`.
pub(crate) fn end_of(day: Date, offset: Offset) -> Result<Timestamp, &'static str> {
    let next = day.tomorrow().map_err(|_| code::RANGE)?;
    bounded(offset.to_timestamp(next.at(0, 0, 0, 0)).map_err(|_| code::RANGE)?)
}

fn bounded(at: Timestamp) -> Result<Timestamp, &'static str> {
    if (FIRST..END).contains(&at.as_second()) { Ok(at) } else { Err(code::RANGE) }
}

fn split(text: &[u8]) -> Option<(jiff::civil::DateTime, Offset)> {
    let (day, rest) = text.split_first_chunk::<10>()?;
    let (clock, rest) = rest.split_first_chunk::<9>()?;
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else {
        return None;
    };
    let (nanosecond, rest) = fraction(rest)?;
    let time = Time::new(two(h1, h2)?, two(m1, m2)?, two(s1, s2)?, nanosecond).ok()?;
    Some((date(day)?.to_datetime(time), offset(rest)?))
}

fn date(text: &[u8; 10]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    Date::new(year, two(m1, m2)?, two(d1, d2)?).ok()
}

fn two(tens: u8, ones: u8) -> Option<i8> {
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()
}

/// `.123456789…` as nanoseconds, cut to the microsecond; nothing is 0.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let mut micros = 0;
    for n in 0..6 {
        micros = micros * 10 + rest[..digits].get(n).map_or(0, |digit| i32::from(digit - b'0'));
    }
    Some((micros * 1000, &rest[digits..]))
}

fn offset(text: &[u8]) -> Option<Offset> {
    match *text {
        [b'Z' | b'z'] => Some(Offset::UTC),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (i32::from(two(h1, h2)?), i32::from(two(m1, m2)?));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        let got = instant(text).map(|(at, offset)| format!("{at} {offset}"));
        assert_eq!(got.as_deref().map_err(|code| *code), expect, "{text}");
    }

    #[test]
    fn instants_are_rfc_3339_with_an_offset() {
        check("2023-11-22T08:30:00+08:00", Ok("2023-11-22T00:30:00Z +08"));
        check("2023-11-22T08:30:00.1234567Z", Ok("2023-11-22T08:30:00.123456Z +00"));
        check("2024-02-29T23:59:59-03:30", Ok("2024-03-01T03:29:59Z -03:30"));
        for bad in [
            "",
            "2023-11-22",
            "2023-11-22T08:30:00",
            "2023-11-22 08:30:00Z",
            "2023-02-29T00:00:00Z",
            "2023-11-22T24:00:00Z",
            "2023-11-22T08:30:00.Z",
            "2023-11-22T08:30:00+08",
            "2023-11-22T08:30:00+0800",
            "2023-11-22T08:30:00+24:00",
            "２023-11-22T08:30:00Z",
        ] {
            check(bad, Err("format"));
        }
    }

    #[test]
    fn years_are_1970_to_2199_in_utc() {
        check("1970-01-01T00:00:00Z", Ok("1970-01-01T00:00:00Z +00"));
        check("1970-01-01T00:00:00+08:00", Err("range"));
        check("2199-12-31T23:59:59Z", Ok("2199-12-31T23:59:59Z +00"));
        check("2200-01-01T00:00:00Z", Err("range"));
        assert_eq!(day("2200-01-01"), Err("range"));
    }

    #[test]
    fn a_day_ends_at_the_next_midnight_of_its_zone() {
        let (_, offset) = instant("2026-10-01T00:00:00+08:00").unwrap();
        assert_eq!(end_of(day("2026-10-19").unwrap(), offset).unwrap().to_string(), "2026-10-19T16:00:00Z");
    }
}
