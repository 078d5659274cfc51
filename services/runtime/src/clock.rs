//! The system clock: the only place that reads it.

use jiff::{Timestamp, Unit};

/// Now, truncated to microseconds, the precision of PostgreSQL: a time survives being stored.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    let now = Timestamp::now();
    now.round(jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc))
        .expect("the present is far from the end of the range of Timestamp")
}

#[cfg(test)]
mod tests {
    #[test]
    fn now_has_whole_microseconds() {
        assert_eq!(super::now().subsec_nanosecond() % 1_000, 0);
    }
}
