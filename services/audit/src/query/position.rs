//! Where a page ended, as an opaque text: what it says is nobody's business, and may change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hotline_postgres::{closures, findings};
use jiff::Timestamp;
use jiff::civil::Date;

use super::List;
use crate::error::Fault;

/// A case's name has at most 96 bytes.
const BYTES_MAX: usize = 300;
/// The first instant of the year 1. PostgreSQL ends before jiff does, and no place that was handed out is older.
const EARLIEST: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// A place in one of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Closure(closures::Position),
    Finding(findings::Position),
    Number(i64),
}

impl Position {
    /// As it is handed out. It is good for the list that it is of.
    pub(super) fn written(&self, list: List) -> String {
        let text = match self {
            Position::Closure(at) => {
                format!("{}|{}|{}|{}", list.name(), at.day, at.closed_at.as_microsecond(), at.case_id)
            }
            Position::Finding(at) => {
                format!("{}|{}|{}|{}", list.name(), at.at.as_microsecond(), at.place, at.case_id)
            }
            Position::Number(number) => format!("{}|{number}", list.name()),
        };
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads what was handed out for this list.
    pub(super) fn read(list: List, text: &str) -> Result<Self, Fault> {
        Self::parse(list, text).ok_or(Fault::Value { name: "after" })
    }

    fn parse(list: List, text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (of, rest) = text.split_once('|')?;
        if of != list.name() {
            return None;
        }
        let instant = |text: &str| {
            Timestamp::from_microsecond(text.parse().ok()?).ok().filter(|instant| *instant >= EARLIEST)
        };
        let day = |text: &str| text.parse::<Date>().ok().filter(|day| day.year() >= 1);
        // Empty before all cases of a day.
        let case = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.into());
        let mut parts = rest.splitn(3, '|');
        Some(match list {
            List::Closures => Position::Closure(closures::Position {
                day: day(parts.next()?)?,
                closed_at: instant(parts.next()?)?,
                case_id: case(parts.next()?)?,
            }),
            List::RuleChanges | List::Restatements => Position::Number(rest.parse().ok()?),
            _ => Position::Finding(findings::Position {
                at: instant(parts.next()?)?,
                place: parts.next()?.parse().ok()?,
                case_id: case(parts.next()?)?,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_position_is_good_for_its_own_list_only() {
        let begins = Position::Closure(closures::Position::before(jiff::civil::date(2026, 10, 1)));
        let written = begins.written(List::Closures);
        assert_eq!(Position::read(List::Closures, &written), Ok(begins));
        for list in List::ALL.into_iter().filter(|list| *list != List::Closures) {
            assert!(Position::read(list, &written).is_err(), "{}", list.name());
        }
    }

    #[test]
    fn what_the_database_cannot_hold_is_no_position() {
        let read = |list: List, rest: &str| {
            Position::read(list, &URL_SAFE_NO_PAD.encode(format!("{}|{rest}", list.name())))
        };
        assert!(read(List::Closures, "2026-02-28|0|12345:1").is_ok());
        for rest in [
            "2026-02-28|-377705023201000000|12345:1",
            "2026-02-28|-62135596800000001|12345:1",
            "2026-02-28|9223372036854775807|12345:1",
            "-009999-01-01|0|12345:1",
            "2026-02-28|0|12345:\0",
            "2026-02-28|0|12345: 1",
        ] {
            assert_eq!(read(List::Closures, rest), Err(Fault::Value { name: "after" }), "{rest}");
        }
        assert!(read(List::Holds, "0|1|12345:1").is_ok());
        for rest in ["-377705023201000000|1|12345:1", "0|1|12345:\0", "0|99999999999999999999|12345:1"] {
            assert!(read(List::Holds, rest).is_err(), "{rest}");
        }
    }

    proptest! {
        #[test]
        fn what_is_handed_out_is_read_back(micros in -1_000_000_000_000_i64..253_000_000_000_000_000, place in 0..1_000, case in "[a-zA-Z0-9._:-]{1,96}") {
            let at = Timestamp::from_microsecond(micros).unwrap();
            let finding = Position::Finding(findings::Position { at, place, case_id: case.as_str().into() });
            prop_assert_eq!(Position::read(List::Holds, &finding.written(List::Holds)), Ok(finding));
            let day = jiff::civil::date(2026, 2, 28);
            let closure = Position::Closure(closures::Position { day, closed_at: at, case_id: case.into() });
            prop_assert_eq!(Position::read(List::Closures, &closure.written(List::Closures)), Ok(closure));
            let number = Position::Number(micros);
            prop_assert_eq!(Position::read(List::Restatements, &number.written(List::Restatements)), Ok(number));
        }

        #[test]
        fn anything_else_is_a_fault_and_no_panic(text in "\\PC{0,60}") {
            for list in List::ALL {
                prop_assert!(Position::read(list, &text).is_err());
            }
        }
    }
}
