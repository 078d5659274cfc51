//! Instants and days as people write them on the command line and read them in what is printed.

use hotline_postgres::{Error, Rules};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::store::Store;

/// An instant of the command line; whoever wrote another form is shown this one.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "an instant is a day, a time and their distance from UTC, such as 2026-10-01T00:00:00+08:00 or 2026-09-30T16:00:00Z".to_owned()
    })
}

/// A day of the command line.
pub fn parse_day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written such as 2026-10-01".to_owned())
}

/// Where people read their clocks: the zone of the rulebook in force, or UTC before there is one.
pub async fn zone(store: &Store) -> Result<TimeZone, Error> {
    match Rules::new(store.pool.clone()).current().await {
        Ok(in_force) => Ok(in_force.rulebook.timezone.clone()),
        Err(Error::NoRulebook) => Ok(TimeZone::UTC),
        Err(error) => Err(error),
    }
}

/// An instant to the second, as people there read a clock, with its distance from UTC.
pub fn told(at: Timestamp, zone: &TimeZone) -> String {
    let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
    second.display_with_offset(zone.to_offset(second)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_form_of_an_instant_or_a_day_is_answered_with_an_example() {
        assert!(parse("2026-10-01T00:00:00+08:00").is_ok());
        for text in ["yesterday", "2026-10-01", "2026-10-01T00:00:00", ""] {
            let said = parse(text).unwrap_err();
            assert!(said.contains("such as 2026-10-01T00:00:00+08:00"), "{text}: {said}");
        }
        assert!(parse_day("2026-10-01").is_ok());
        assert!(parse_day("yesterday").unwrap_err().contains("such as 2026-10-01"));
    }

    #[test]
    fn instants_are_told_to_the_second_where_people_are() {
        let at: Timestamp = "2026-09-30T16:00:00.123456Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(told(at, &zone), "2026-10-01T00:00:00+08:00");
        assert_eq!(told(at, &TimeZone::UTC), "2026-09-30T16:00:00+00:00");
    }
}
