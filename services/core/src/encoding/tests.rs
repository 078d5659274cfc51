//! Bytes that some landed version wrote must mean the same for ever.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{EncodingError, VERSION};
use crate::case::CaseFacts;
use crate::fold::samples::{POLICIES, at, case, life, rulebook, snapshot};

/// Every type of fact, as version 1 wrote it.
const KEPT: &str = include_str!("samples/v1.hex");

const LIFE: &str = "\
09-21 09:00 received complaint own=3-working_day seq=2 recorded=09-21T09:05
09-21 09:10 amended case_type=help category=housing/water
09-21 09:11 supplemented new_facts=1
09-21 09:12 linked repeat
09-21 09:30 dispatched D1 reason=first own=24-hour
09-21 09:31 dispatched D2 role=co from=D1
09-21 09:40 signed D1
09-21 09:41 contacted D1
09-21 09:42 replied D1
09-21 09:43 accepted D1
09-21 09:44 return_requested D1
09-21 09:45 return_refused D1 final=1
09-21 09:46 extension_requested 5-calendar_day
09-21 09:47 extension_refused
09-21 09:48 extended until=10-30T00:00
09-21 09:49 held inspection until=09-25T00:00
09-21 09:50 released inspection
09-21 09:51 verified filed
09-21 09:52 notified decision
09-21 09:53 submitted D1
09-21 09:54 close_refused D1
09-21 09:55 closed D1 outcome=resolved day=1 id=c
09-21 09:56 rated 5 solved=partly
09-21 09:57 reopened dissatisfied
09-21 09:58 urged by=caller
09-21 09:59 supervised kind=listed own=2-round_clock_hour
09-21 10:00 supervision_answered
09-21 10:01 acknowledged a
09-21 10:02 appealed close
09-21 10:03 ruled close exclude round=1 department=D1
09-21 10:04 milestone published
09-21 10:05 returned D1
09-21 10:06 merged
09-21 10:07 split
09-21 10:08 withdrawn
09-21 10:09 refused ground
09-21 10:10 corrected closed target=c void=1
09-21 10:11 corrected closed target=c department=D2 time=09-22T10:00";

fn told() -> CaseFacts {
    let rulebook = rulebook(POLICIES);
    let facts = life(LIFE);
    let sheet = snapshot("/hotline/12345/sheet", at("09-30 10:00"), "s", &facts[4..7]);
    case(facts.into_iter().chain([sheet]), &rulebook)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    digits.chunks(2).map(pair).collect()
}

#[test]
fn what_version_1_wrote_is_still_read_and_written() {
    let told = told();
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    let hex: String = told.encode().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    assert_eq!(CaseFacts::decode(&bytes(KEPT)).as_ref(), Ok(&told), "written now:\n{hex}");
    assert_eq!(bytes(KEPT), told.encode());
}

#[test]
fn a_fact_takes_about_48_bytes() {
    let told = told();
    let each = told.encode().len() / told.count();
    assert!(each <= 60, "{each} bytes a fact");
}

#[test]
fn bytes_of_a_newer_program_are_refused_by_name() {
    let mut newer = told().encode();
    newer[0] = VERSION + 1;
    assert_eq!(CaseFacts::decode(&newer), Err(EncodingError::Newer { found: VERSION + 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_are_refused_or_mean_something_that_can_be_written(
        changes in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..5),
    ) {
        let mut bytes = told().encode();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1));
            match how {
                0 | 1 if at < bytes.len() => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        if let Ok(facts) = CaseFacts::decode(&bytes) {
            let again = facts.encode();
            let decoded = CaseFacts::decode(&again);
            prop_assert!(decoded.is_ok_and(|again| again == facts));
        }
    }

    #[test]
    fn random_bytes_are_never_facts_that_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = CaseFacts::decode(&[&[VERSION], &bytes[..]].concat());
    }
}
