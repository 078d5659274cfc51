//! Where a page ended, as an opaque text: what it says is nobody's business, and may change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hotline_postgres::{closures, findings};
use jiff::Timestamp;

use super::List;
use crate::error::Fault;

/// A case's name has at most 96 bytes.
const BYTES_MAX: usize = 300;

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
        let instant = |text: &str| Timestamp::from_microsecond(text.parse().ok()?).ok();
        let mut parts = rest.splitn(3, '|');
        Some(match list {
            List::Closures => Position::Closure(closures::Position {
                day: parts.next()?.parse().ok()?,
                closed_at: instant(parts.next()?)?,
                case_id: parts.next()?.into(),
            }),
            List::RuleChanges | List::Restatements => Position::Number(rest.parse().ok()?),
            _ => Position::Finding(findings::Position {
                at: instant(parts.next()?)?,
                place: parts.next()?.parse().ok()?,
                case_id: parts.next()?.into(),
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
