//! Single values: what a member may hold and what is said of one that does not.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use toml::de::DeValue;

use crate::fact::{Code, Kind, Unit};
use crate::rulebook::{Span, Trigger};

/// The longest code, in bytes: the limit that events have too.
const CODE_BYTES_MAX: usize = 64;
/// The longest span, in its own unit; two years in minutes. It keeps sums with a date in range.
const SPAN_MAX: u32 = 1_000_000;

/// Why a value was not accepted.
pub(in crate::rulebook) struct Wrong {
    pub(in crate::rulebook) code: &'static str,
    pub(in crate::rulebook) message: String,
}

pub(in crate::rulebook) type Read<T> = Result<T, Wrong>;

pub(in crate::rulebook) fn wrong_type(wanted: &str, found: &DeValue<'_>) -> Wrong {
    Wrong { code: "wrong_type", message: format!("must be {wanted}, not {}", article(found.type_str())) }
}

fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

pub(in crate::rulebook) fn invalid(message: impl Into<String>) -> Wrong {
    Wrong { code: "invalid_value", message: message.into() }
}

/// The text of a string, by reference.
fn str_of<'v>(wanted: &str, value: &'v DeValue<'_>) -> Read<&'v str> {
    value.as_str().ok_or_else(|| wrong_type(wanted, value))
}

pub(in crate::rulebook) fn text(value: &DeValue<'_>) -> Read<String> {
    let text = str_of("a text", value)?;
    if text.trim().is_empty() {
        return Err(invalid("must not be empty"));
    }
    Ok(text.to_owned())
}

pub(in crate::rulebook) fn code(value: &DeValue<'_>) -> Read<Code> {
    code_text(str_of("a code in quotes", value)?)
}

pub(in crate::rulebook) fn code_text(text: &str) -> Read<Code> {
    if text.is_empty() || text.len() > CODE_BYTES_MAX {
        return Err(invalid(format!("must have 1 to {CODE_BYTES_MAX} bytes, not {}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid("must not hold control characters"));
    }
    Ok(Code::new(text))
}

/// Codes of a CSV cell, joined by `separator`.
pub(in crate::rulebook) fn codes_text(separator: char) -> impl Fn(&str) -> Read<Vec<Code>> {
    move |text| text.split(separator).map(|part| code_text(part.trim())).collect()
}

pub(in crate::rulebook) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| wrong_type("true or false", value))
}

/// A whole number between `min` and `max`, both included.
pub(in crate::rulebook) fn integer(min: u32, max: u32) -> impl Fn(&DeValue<'_>) -> Read<u32> {
    move |value| {
        let digits = value.as_integer().ok_or_else(|| wrong_type("a whole number", value))?;
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
        in_range(number, min, max)
    }
}

fn in_range(number: i128, min: u32, max: u32) -> Read<u32> {
    if number < i128::from(min) {
        return Err(invalid(format!("must be at least {min}")));
    }
    u32::try_from(number)
        .ok()
        .filter(|number| *number <= max)
        .ok_or_else(|| invalid(format!("must be at most {max}")))
}

pub(in crate::rulebook) fn integer_text(text: &str) -> Read<i32> {
    text.parse().map_err(|_| invalid(format!("\"{text}\" is not a whole number")))
}

/// One of a closed list of words.
pub(in crate::rulebook) fn word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| {
        let text = str_of("a word in quotes", value)?;
        words.iter().find(|(name, _)| *name == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            Wrong { code: "unknown_value", message: format!("\"{text}\" is none of {}", names.join(", ")) }
        })
    }
}

pub(in crate::rulebook) fn weekday(value: &DeValue<'_>) -> Read<Weekday> {
    word(&[
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ])(value)
}

/// A TOML date, or the same in quotes.
pub(in crate::rulebook) fn civil_date(value: &DeValue<'_>) -> Read<Date> {
    match value {
        DeValue::Datetime(datetime) if datetime.time.is_none() => date_text(&datetime.to_string()),
        DeValue::String(text) => date_text(text),
        other => Err(wrong_type("a date, 2026-01-31", other)),
    }
}

pub(in crate::rulebook) fn date_text(text: &str) -> Read<Date> {
    let digits =
        |at: std::ops::Range<usize>| text.get(at).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let parts = (digits(0..4), digits(5..7), digits(8..10));
    let (Some(year), Some(month), Some(day)) = parts else {
        return Err(invalid(format!("\"{text}\" is not a date, 2026-01-31")));
    };
    let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let date = match (year.parse(), month.parse(), day.parse()) {
        (Ok(year), Ok(month), Ok(day)) if shaped => Date::new(year, month, day).ok(),
        _ => None,
    };
    date.ok_or_else(|| invalid(format!("\"{text}\" is not a date, 2026-01-31")))
}

/// A time of day to the minute or second, `"17:30"`, or the same without quotes.
pub(in crate::rulebook) fn civil_time(value: &DeValue<'_>) -> Read<Time> {
    let text = match value {
        DeValue::Datetime(datetime) if datetime.date.is_none() => datetime.to_string(),
        DeValue::String(text) => text.to_string(),
        other => return Err(wrong_type("a time of day, \"17:30\"", other)),
    };
    let wrong = || invalid(format!("\"{text}\" is not a time of day, \"17:30\""));
    let parts: Vec<i8> = text
        .split(':')
        .map(|part| part.parse().ok().filter(|_| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    match parts[..] {
        [hour, minute] => Time::new(hour, minute, 0, 0),
        [hour, minute, second] => Time::new(hour, minute, second, 0),
        _ => return Err(wrong()),
    }
    .map_err(|_| wrong())
}

/// An instant with its offset: a TOML date-time, or RFC 3339 in quotes.
pub(in crate::rulebook) fn instant(value: &DeValue<'_>) -> Read<Timestamp> {
    let text = match value {
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::String(text) => text.to_string(),
        other => return Err(wrong_type("a date and time, 2026-01-31T08:00:00+08:00", other)),
    };
    text.parse().map_err(|_| {
        invalid(format!("\"{text}\" is not a date and time with an offset, 2026-01-31T08:00:00+08:00"))
    })
}

pub(in crate::rulebook) fn zone(value: &DeValue<'_>) -> Read<TimeZone> {
    let name = str_of("the name of a time zone", value)?;
    TimeZone::get(name).map_err(|_| invalid(format!("\"{name}\" is not a time zone of the IANA database")))
}

/// `"24 hour"`, `"1 working_day"`, `"30 minutes"`.
pub(in crate::rulebook) fn span(value: &DeValue<'_>) -> Read<Span> {
    const EXPECTED: &str = "a span: a number and minute, hour, working_hour, round_clock_hour, \
                            calendar_day or working_day, \"24 hour\"";
    let text = str_of(EXPECTED, value)?;
    let wrong = || invalid(format!("\"{text}\" is not {EXPECTED}"));
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number = in_range(number.parse().unwrap_or(i128::MAX), 0, SPAN_MAX)?;
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    Ok(match Unit::parse(unit) {
        Some(Unit::Hour) => Span::Exact(SignedDuration::from_hours(number.into())),
        Some(unit) => Span::Counted(number, unit),
        None if unit == "minute" => Span::Exact(SignedDuration::from_mins(number.into())),
        None => return Err(wrong()),
    })
}

/// A span that needs no calendar: minutes and hours.
pub(in crate::rulebook) fn exact_span(value: &DeValue<'_>) -> Read<SignedDuration> {
    match span(value)? {
        Span::Exact(duration) => Ok(duration),
        Span::Counted(..) => Err(invalid("must be in minutes or hours: there is no calendar here")),
    }
}

/// A fact type, or type and code: `accepted`, `milestone:on_site`.
pub(in crate::rulebook) fn trigger(value: &DeValue<'_>) -> Read<Trigger> {
    let text = str_of("a fact type, \"accepted\" or \"milestone:on_site\"", value)?;
    let (name, code) = match text.split_once(':') {
        Some((name, code)) => (name, Some(code_text(code)?)),
        None => (text, None),
    };
    // A snapshot and a correction say what other facts are; they are never met on the way through a case.
    match Kind::parse(name) {
        Some(kind) if !matches!(kind, Kind::Snapshot | Kind::Corrected) => Ok(Trigger { kind, code }),
        _ => Err(Wrong { code: "unknown_fact", message: format!("\"{name}\" is not a type of fact") }),
    }
}

/// A weight as an exact fraction in lowest terms: `2`, `"1/2"`, `"0.25"`.
pub(in crate::rulebook) fn weight(value: &DeValue<'_>) -> Read<(u32, u32)> {
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
        DeValue::Float(digits) => digits.as_str(),
        other => return Err(wrong_type("a weight: 2, \"1/2\" or \"0.25\"", other)),
    };
    fraction(text).ok_or_else(|| {
        invalid(format!("\"{text}\" is not a weight above 0 and of few digits: 2, \"1/2\" or \"0.25\""))
    })
}

fn fraction(text: &str) -> Option<(u32, u32)> {
    let digits = |part: &str| -> Option<u32> {
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    let (above, below) = if let Some((above, below)) = text.split_once('/') {
        (digits(above)?, digits(below)?)
    } else if let Some((whole, part)) = text.split_once('.') {
        let below = 10_u32.checked_pow(u32::try_from(part.len()).ok()?)?;
        (digits(whole)?.checked_mul(below)?.checked_add(digits(part)?)?, below)
    } else {
        (digits(text)?, 1)
    };
    let divisor = gcd(above, below);
    (above > 0 && below > 0).then(|| (above / divisor, below / divisor))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
