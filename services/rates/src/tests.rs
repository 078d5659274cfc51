//! The question, and how it is refused.

mod published;

use hotline_core::rate::By;

use crate::Ask;

#[test]
fn a_question_is_ids_dimensions_and_days() {
    let ask = Ask::parse("a, b,", "department,hotline", "2026-09-01..2026-10-01").expect("a sound question");
    assert_eq!(ask.ids, ["a", "b"]);
    assert_eq!(ask.by, By { hotline: true, case_type: false });
    assert_eq!(ask.from.to_string(), "2026-09-01");
}

#[test]
fn what_cannot_be_answered_is_refused_by_name() {
    let code =
        |rates: &str, by: &str, period: &str| Ask::parse(rates, by, period).expect_err("refused").code();
    let days = "2026-09-01..2026-10-01";
    let codes = [
        code("", "department", days),
        code("a", "region", days),
        code("a", "hotline", days),
        code("a", "department", "2026-09-01"),
        code("a", "department", "2026-09-01..2026-09-01"),
        code("a", "department", "2026-10-01..2026-09-01"),
    ];
    assert_eq!(codes.iter().filter(|code| **code == codes[3]).count(), 3, "{codes:?}");
    assert_eq!(codes[1], codes[2]);
    assert_ne!(codes[0], codes[1]);
}
