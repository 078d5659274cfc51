use jiff::Timestamp;
use jiff::civil::DateTime;

use super::*;
use crate::calendar::samples::{all, boston, cn};

/// A rule of this limit with what the rulebook takes for granted: days end at 24:00, hours at their instant.
pub(super) fn rule(calendar: &Calendar, n: u32, unit: Unit) -> Rule<'_> {
    let (count_from, ends_at) = if unit.is_day() {
        (CountFrom::NextDay, EndsAt::EndOfDay)
    } else {
        (CountFrom::Instant, EndsAt::SameTime)
    };
    let (outside_hours, roll) = (OutsideHours::AsIs, Roll::None);
    Rule { calendar, limit: (n, unit), count_from, outside_hours, ends_at, roll }
}

/// The instant of a time in the zone of the calendar, `2026-10-01T08:30`.
pub(super) fn at(calendar: &Calendar, text: &str) -> Timestamp {
    calendar.timezone().to_timestamp(text.parse::<DateTime>().unwrap()).unwrap()
}

fn hold(calendar: &Calendar, from: &str, until: &str) -> Hold {
    let until = (until != "..").then(|| at(calendar, until));
    Hold { from: at(calendar, from), until, reason: Code::new("inspection") }
}

fn extension(calendar: &Calendar, from: ExtensionFrom, grant: Grant, granted_at: &str) -> Extension {
    Extension { from, grant, granted_at: at(calendar, granted_at) }
}

fn show(calendar: &Calendar, at: Timestamp) -> String {
    calendar.timezone().to_datetime(at).strftime("%m-%d %H:%M:%S%.f").to_string()
}

/// A deadline as `due_at (due_on)`, marked `24:00` where it is the end of that day.
fn told(calendar: &Calendar, deadline: &Deadline) -> String {
    let (Some(due_at), Some(due_on)) = (deadline.due_at, deadline.due_on) else {
        return "held".to_owned();
    };
    let at = if deadline.end_of_day { "24:00".to_owned() } else { show(calendar, due_at) };
    format!("{at} ({})", due_on.strftime("%m-%d"))
}

fn check(rule: Rule<'_>, start: &str, holds: &[(&str, &str)], extensions: &[Extension], expect: &str) {
    let calendar = rule.calendar;
    let holds: Vec<Hold> = holds.iter().map(|(from, until)| hold(calendar, from, until)).collect();
    let deadline = due(&Limit::Rule(rule), at(calendar, start), &holds, extensions);
    assert_eq!(told(calendar, &deadline), expect, "{start} {:?} {holds:?} {extensions:?}", rule.limit);
}

/// Start, limit, unit, roll, last day, provisional; counted by hand from the notices of 2025 and 2026.
const CHINA: &str = "
2026-02-13,7,working_day,none,2026-03-02,no
2026-02-14,5,working_day,none,2026-02-28,no
2026-09-19,7,working_day,none,2026-09-29,no
2026-09-30,5,working_day,none,2026-10-13,no
2026-04-30,15,working_day,none,2026-05-25,no
2025-12-31,7,working_day,none,2026-01-12,no
2025-09-26,7,working_day,none,2025-10-13,no
2026-11-20,5,working_day,none,2026-11-27,no
2026-11-21,5,working_day,none,2026-11-27,no
2026-11-22,5,working_day,none,2026-11-27,no
2026-01-05,45,working_day,none,2026-03-13,no
2026-01-05,60,calendar_day,none,2026-03-06,no
2026-08-02,60,calendar_day,none,2026-10-01,no
2026-08-02,60,calendar_day,festival,2026-10-04,no
2026-08-02,60,calendar_day,festival_or_rest,2026-10-08,no
2026-08-02,60,calendar_day,non_working,2026-10-08,no
2026-04-15,60,calendar_day,none,2026-06-14,no
2026-04-15,60,calendar_day,festival,2026-06-14,no
2026-04-15,60,calendar_day,festival_or_rest,2026-06-14,no
2026-04-15,60,calendar_day,non_working,2026-06-15,no
2026-12-21,7,working_day,none,2026-12-30,yes
2026-12-01,60,calendar_day,festival,2027-01-30,yes
";

fn roll(name: &str) -> Roll {
    match name {
        "none" => Roll::None,
        "festival" => Roll::Festival,
        "festival_or_rest" => Roll::FestivalOrRest,
        "non_working" => Roll::NonWorking,
        _ => panic!("{name}"),
    }
}

#[test]
fn china_last_days_are_those_counted_by_hand() {
    let calendar = cn();
    for row in CHINA.trim().lines() {
        let [start_on, n, unit, kind, due_on, provisional] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let rule = rule(&calendar, n.parse().unwrap(), Unit::parse(unit).unwrap());
        let limit = Limit::Rule(Rule { roll: roll(kind), ..rule });
        let deadline = due(&limit, at(&calendar, &format!("{start_on}T10:00:00")), &[], &[]);
        let due_on = due_on.parse().unwrap();
        assert_eq!((deadline.due_on, deadline.provisional), (Some(due_on), provisional == "yes"), "{row}");
        assert!(deadline.end_of_day);
        assert_eq!(deadline.due_at, Some(calendar.instant(Day::of(due_on) + 1, 0)));
    }
}

/// When a case was opened, and the target that the city set. The last three are ours: at closing time the office
/// is still open, a second later it is not; and over the change to summer time.
const BOSTON: &str = "
2014-01-01T11:28:29 2014-01-03T08:30:00
2014-01-05T21:04:54 2014-01-07T08:30:00
2014-01-06T09:39:40 2014-01-07T09:39:40
2014-01-17T09:11:33 2014-01-21T09:11:33
2014-01-20T15:37:26 2014-01-22T08:30:00
2014-03-05T16:07:47 2014-03-06T16:07:47
2014-03-06T17:45:04 2014-03-10T08:30:00
2014-03-07T15:22:27 2014-03-10T15:22:27
2014-03-07T17:59:32 2014-03-11T08:30:00
2014-03-09T11:24:14 2014-03-11T08:30:00
2014-03-09T11:29:37 2014-03-11T08:30:00
2014-03-09T18:48:17 2014-03-11T08:30:00
2014-10-31T14:52:33 2014-11-03T14:52:32
2014-10-31T15:30:10 2014-11-03T15:30:10
2014-10-31T21:33:58 2014-11-04T08:30:00
2014-11-01T09:50:15 2014-11-04T08:30:00
2014-11-01T22:38:48 2014-11-04T08:30:00
2016-10-24T17:30:00 2016-10-26T08:30:00
2014-03-05T17:00:00 2014-03-06T17:00:00
2014-03-05T17:00:01 2014-03-07T08:30:00
2014-03-07T08:29:59 2014-03-10T08:30:00
";

#[test]
fn boston_targets_are_those_the_city_set() {
    let calendar = boston();
    let one_working_day = Limit::Rule(Rule {
        count_from: CountFrom::Instant,
        outside_hours: OutsideHours::NextOpening,
        ends_at: EndsAt::SameTime,
        ..rule(&calendar, 1, Unit::WorkingDay)
    });
    for row in BOSTON.trim().lines() {
        let (start, target) = row.split_once(' ').unwrap();
        let deadline = due(&one_working_day, at(&calendar, start), &[], &[]);
        // The city's own system is up to a second early.
        let off = deadline.due_at.unwrap().duration_since(at(&calendar, target));
        assert!((0..=1).contains(&off.as_secs()), "{start}: {target}, got {:?}", deadline.due_at);
        assert_eq!(deadline.due_on, Some(target.parse::<DateTime>().unwrap().date()));
    }
}

#[test]
fn hours_end_where_their_unit_says() {
    let calendar = cn();
    let check = |n, unit, start, expect| check(rule(&calendar, n, unit), start, &[], &[], expect);
    check(24, Unit::Hour, "2026-09-30T16:00", "10-01 16:00:00 (10-01)");
    check(24, Unit::Hour, "2026-09-30T00:00", "10-01 00:00:00 (10-01)");
    check(24, Unit::RoundClockHour, "2026-09-30T16:00", "10-08 16:00:00 (10-08)");
    check(24, Unit::RoundClockHour, "2026-10-03T16:00", "10-09 00:00:00 (10-08)");
    check(8, Unit::RoundClockHour, "2026-09-30T16:00", "10-01 00:00:00 (09-30)");
    check(24, Unit::RoundClockHour, "2026-10-09T00:00", "10-10 00:00:00 (10-09)");
    check(6, Unit::WorkingHour, "2026-10-09T09:00", "10-09 17:30:00 (10-09)");
    check(6, Unit::WorkingHour, "2026-10-09T09:00:00.000001", "10-10 08:30:00.000001 (10-10)");
    check(3, Unit::WorkingHour, "2026-10-09T09:00", "10-09 12:00:00 (10-09)");
    check(1, Unit::WorkingHour, "2026-10-10T20:00", "10-12 09:30:00 (10-12)");
    let open = Calendar::new(crate::calendar::Spec {
        office_hours: Vec::new(),
        ..crate::calendar::samples::cn_spec()
    });
    super::tests::check(
        rule(&open, 8, Unit::WorkingHour),
        "2026-09-30T16:00",
        &[],
        &[],
        "10-01 00:00:00 (09-30)",
    );
}

#[test]
fn working_days_of_24_hours_have_24_hours_when_the_clock_changes() {
    let calendar = Calendar::new(crate::calendar::Spec {
        timezone: jiff::tz::TimeZone::get("America/New_York").unwrap(),
        rest_days: Vec::new(),
        ..crate::calendar::samples::cn_spec()
    });
    let check = |n, unit, start, expect| check(rule(&calendar, n, unit), start, &[], &[], expect);
    check(24, Unit::Hour, "2026-10-31T12:00", "11-01 11:00:00 (11-01)");
    check(24, Unit::RoundClockHour, "2026-10-31T12:00", "11-01 12:00:00 (11-01)");
    check(24, Unit::Hour, "2026-03-07T12:00", "03-08 13:00:00 (03-08)");
    check(24, Unit::RoundClockHour, "2026-03-07T12:00", "03-08 12:00:00 (03-08)");
    check(1, Unit::RoundClockHour, "2026-03-08T01:30", "03-08 03:30:00 (03-08)");
}

#[test]
fn a_last_day_ends_as_the_rule_says() {
    let calendar = cn();
    let check = |ends_at, outside_hours, start, expect| {
        let rule = Rule { outside_hours, ends_at, ..rule(&calendar, 2, Unit::WorkingDay) };
        super::tests::check(rule, start, &[], &[], expect);
    };
    let (as_is, opening) = (OutsideHours::AsIs, OutsideHours::NextOpening);
    check(EndsAt::EndOfDay, as_is, "2026-10-09T18:00", "24:00 (10-12)");
    check(EndsAt::EndOfDay, opening, "2026-10-09T18:00", "24:00 (10-13)");
    check(EndsAt::SameTime, as_is, "2026-10-09T18:00", "10-12 18:00:00 (10-12)");
    check(EndsAt::SameTime, opening, "2026-10-09T18:00", "10-13 08:30:00 (10-13)");
    check(EndsAt::CloseOfOffice, as_is, "2026-10-09T18:00", "10-12 17:30:00 (10-12)");
    check(EndsAt::CloseOfOffice, as_is, "2026-10-09T00:00", "10-12 17:30:00 (10-12)");
    let hours = |start, expect| {
        let rule = Rule { ends_at: EndsAt::CloseOfOffice, ..rule(&calendar, 24, Unit::Hour) };
        super::tests::check(rule, start, &[], &[], expect);
    };
    hours("2026-10-09T10:00", "10-10 17:30:00 (10-10)");
    hours("2026-10-09T18:00", "10-10 18:00:00 (10-10)");
}

#[test]
fn holds_stop_day_clocks_by_the_day_and_hour_clocks_exactly() {
    let calendar = cn();
    let days = |holds: &[_], expect| {
        check(rule(&calendar, 10, Unit::WorkingDay), "2026-05-11T09:30", holds, &[], expect);
    };
    days(&[], "24:00 (05-25)");
    days(&[("2026-05-14T10:00", "2026-05-18T10:00")], "24:00 (05-27)");
    days(&[("2026-05-14T10:00", "2026-05-14T16:00")], "24:00 (05-25)");
    days(&[("2026-05-16T10:00", "2026-05-18T10:00")], "24:00 (05-25)"); // a weekend
    days(
        &[("2026-05-15T10:00", "2026-05-18T10:00"), ("2026-05-14T10:00", "2026-05-15T10:00")],
        "24:00 (05-27)",
    );
    days(
        &[("2026-05-14T10:00", "2026-05-16T10:00"), ("2026-05-15T10:00", "2026-05-18T10:00")],
        "24:00 (05-27)",
    );
    days(&[("2026-05-01T10:00", "2026-05-08T10:00")], "24:00 (05-25)"); // before the start
    days(&[("2026-05-25T23:59", "2026-05-26T00:00")], "24:00 (05-26)");
    days(&[("2026-05-26T00:00", "2026-06-26T00:00")], "24:00 (05-25)"); // begun after it was due
    days(&[("2026-05-14T10:00", "..")], "held");
    days(&[("2026-05-01T10:00", "..")], "held");
    days(&[("2026-05-25T23:59", "..")], "held");
    days(&[("2026-05-26T00:00", "..")], "24:00 (05-25)");
    days(&[("2026-05-14T10:00", "2026-05-18T10:00"), ("2026-05-27T10:00", "..")], "held");
    let hours = |holds: &[_], expect| {
        check(rule(&calendar, 24, Unit::Hour), "2026-05-11T09:30", holds, &[], expect);
    };
    hours(&[("2026-05-11T10:00", "2026-05-11T10:45")], "05-12 10:15:00 (05-12)");
    hours(&[("2026-05-11T08:00", "2026-05-11T10:45")], "05-12 10:45:00 (05-12)");
    hours(&[("2026-05-12T09:30", "2026-05-12T10:00")], "05-12 10:00:00 (05-12)");
    hours(&[("2026-05-12T09:31", "2026-05-12T10:00")], "05-12 09:30:00 (05-12)");
    hours(&[("2026-05-12T09:30", "..")], "held");
    let office = |holds: &[_], expect| {
        check(rule(&calendar, 6, Unit::WorkingHour), "2026-05-11T09:00", holds, &[], expect);
    };
    office(&[("2026-05-11T11:30", "2026-05-11T14:45")], "05-12 09:15:00 (05-12)");
    office(&[("2026-05-11T12:00", "2026-05-11T14:30")], "05-11 17:30:00 (05-11)");
}

#[test]
fn a_release_never_finds_a_rolled_deadline_passed() {
    let calendar = cn();
    let limit = Rule { roll: Roll::NonWorking, ..rule(&calendar, 60, Unit::CalendarDay) };
    // Sunday, 14 June, rolls to Monday; held on Sunday it would roll onto a held Monday.
    check(limit, "2026-04-15T10:00", &[("2026-06-14T10:00", "2026-06-14T18:00")], &[], "24:00 (06-15)");
    check(limit, "2026-04-15T10:00", &[("2026-06-15T10:00", "2026-06-17T10:00")], &[], "24:00 (06-17)");
    check(limit, "2026-04-15T10:00", &[("2026-06-15T10:00", "..")], &[], "held");
    check(limit, "2026-04-15T10:00", &[("2026-06-16T00:00", "..")], &[], "24:00 (06-15)");
    // An hour limit used up at 15:00 lasts to the close of office; held before that, to that of the release.
    let limit = Rule { ends_at: EndsAt::CloseOfOffice, ..rule(&calendar, 2, Unit::Hour) };
    let held = |until, expect| check(limit, "2026-05-11T13:00", &[("2026-05-11T16:00", until)], &[], expect);
    held("2026-05-11T17:00", "05-11 17:30:00 (05-11)");
    held("2026-05-12T10:00", "05-12 17:30:00 (05-12)");
}

#[test]
fn extensions_count_on_from_where_the_rule_says() {
    use ExtensionFrom::{Grant as Granted, OldDue, Start};
    let calendar = cn();
    let grant = |from, n, unit| extension(&calendar, from, Grant::Limit(n, unit), "2026-10-14T10:00");
    let days = |extensions: &[_], expect| {
        check(rule(&calendar, 10, Unit::WorkingDay), "2026-09-21T09:30", &[], extensions, expect);
    };
    days(&[], "24:00 (10-12)");
    days(&[grant(OldDue, 5, Unit::WorkingDay)], "24:00 (10-19)");
    days(&[grant(OldDue, 5, Unit::WorkingDay), grant(OldDue, 1, Unit::WorkingDay)], "24:00 (10-20)");
    days(&[grant(Granted, 5, Unit::WorkingDay)], "24:00 (10-21)");
    days(&[grant(Start, 12, Unit::WorkingDay)], "24:00 (10-14)");
    days(&[grant(Start, 9, Unit::WorkingDay)], "24:00 (10-12)"); // never before the old one
    days(&[grant(OldDue, 12, Unit::Hour)], "10-13 12:00:00 (10-13)");
    days(&[grant(OldDue, 2, Unit::WorkingHour)], "10-13 10:30:00 (10-13)");
    let until = |text| extension(&calendar, OldDue, Grant::Until(at(&calendar, text)), "2026-10-10T10:00");
    days(&[until("2026-10-17T12:00")], "10-17 12:00:00 (10-17)");
    days(&[until("2026-10-18T00:00")], "24:00 (10-17)");
    days(&[until("2026-10-11T00:00")], "24:00 (10-12)");
    days(&[until("2026-10-17T12:00"), grant(OldDue, 1, Unit::WorkingDay)], "24:00 (10-19)");
    let hours = |extensions: &[_], expect| {
        check(rule(&calendar, 24, Unit::RoundClockHour), "2026-10-09T16:00", &[], extensions, expect);
    };
    hours(&[], "10-10 16:00:00 (10-10)");
    hours(&[grant(OldDue, 1, Unit::WorkingDay)], "10-12 16:00:00 (10-12)");
    hours(&[grant(OldDue, 24, Unit::RoundClockHour)], "10-12 16:00:00 (10-12)");
    hours(&[grant(Granted, 24, Unit::RoundClockHour)], "10-15 10:00:00 (10-15)");
    hours(&[grant(Granted, 1, Unit::CalendarDay)], "10-15 16:00:00 (10-15)");
    hours(&[grant(Start, 48, Unit::RoundClockHour)], "10-12 16:00:00 (10-12)");
}

#[test]
fn an_extension_is_added_before_rolling_and_with_the_same_holds() {
    let calendar = cn();
    let limit = Rule { roll: Roll::FestivalOrRest, ..rule(&calendar, 60, Unit::CalendarDay) };
    let more = |n| {
        let grant = Grant::Limit(n, Unit::CalendarDay);
        extension(&calendar, ExtensionFrom::OldDue, grant, "2026-09-01T10:00")
    };
    check(limit, "2026-08-02T10:00", &[], &[], "24:00 (10-08)");
    check(limit, "2026-08-02T10:00", &[], &[more(3)], "24:00 (10-08)");
    check(limit, "2026-08-02T10:00", &[], &[more(8)], "24:00 (10-09)");
    // Found by a law: a day named between the last day, a Saturday, and the Monday it rolls to changes nothing, but
    // a further extension counts on from it, or a shorter limit would be due later than a longer one.
    let limit = Rule { roll: Roll::NonWorking, ..limit };
    let sunday = Grant::Until(at(&calendar, "2026-06-14T12:00"));
    let sunday = extension(&calendar, ExtensionFrom::OldDue, sunday, "2026-06-01T10:00");
    check(limit, "2026-04-14T10:00", &[], &[sunday], "24:00 (06-15)");
    check(limit, "2026-04-14T10:00", &[], &[more(2)], "24:00 (06-15)");
    check(limit, "2026-04-14T10:00", &[], &[sunday, more(2)], "24:00 (06-16)");
    let total =
        extension(&calendar, ExtensionFrom::Start, Grant::Limit(60, Unit::CalendarDay), "2026-06-01T10:00");
    check(limit, "2026-04-15T10:00", &[], &[more(1), total, more(2)], "24:00 (06-17)");
    let longer = Rule { limit: (61, Unit::CalendarDay), ..limit };
    check(longer, "2026-04-14T10:00", &[], &[total, more(2)], "24:00 (06-16)");
    let ten = rule(&calendar, 10, Unit::WorkingDay);
    let held = [("2026-10-14T10:00", "2026-10-16T10:00")];
    let grant = Grant::Limit(5, Unit::WorkingDay);
    let five = extension(&calendar, ExtensionFrom::OldDue, grant, "2026-10-10T10:00");
    check(ten, "2026-09-21T09:30", &held, &[five], "24:00 (10-21)");
    check(ten, "2026-09-21T09:30", &held, &[], "24:00 (10-12)");
    check(ten, "2026-09-21T09:30", &[("2026-10-14T10:00", "..")], &[five], "held");
    check(ten, "2026-09-21T09:30", &[("2026-10-12T10:00", "..")], &[five], "held");
    // A deadline that somebody named stands, but not for a case that was held before it was due.
    let named = extension(
        &calendar,
        ExtensionFrom::OldDue,
        Grant::Until(at(&calendar, "2026-10-20T12:00")),
        "2026-10-10T10:00",
    );
    check(ten, "2026-09-21T09:30", &[("2026-10-14T10:00", "..")], &[named], "10-20 12:00:00 (10-20)");
    check(ten, "2026-09-21T09:30", &[("2026-10-12T10:00", "..")], &[named], "held");
}

#[test]
fn an_own_deadline_stands_as_it_was_sent() {
    let calendar = cn();
    let sent = |due_at, extensions: &[_], expect: &str| {
        let limit = Limit::DueAt { calendar: &calendar, due_at: at(&calendar, due_at) };
        let holds = [hold(&calendar, "2026-09-22T10:00", "..")];
        let deadline = due(&limit, at(&calendar, "2026-09-21T09:30"), &holds, extensions);
        assert_eq!(told(&calendar, &deadline), expect);
    };
    let grant = |from, grant| extension(&calendar, from, grant, "2026-10-10T10:00");
    sent("2026-10-03T10:00", &[], "10-03 10:00:00 (10-03)");
    sent("2026-10-03T00:00", &[], "10-03 00:00:00 (10-03)");
    let days = Grant::Limit(2, Unit::WorkingDay);
    sent("2026-10-03T10:00", &[grant(ExtensionFrom::OldDue, days)], "10-09 10:00:00 (10-09)");
    sent("2026-10-03T10:00", &[grant(ExtensionFrom::Grant, days)], "10-13 10:00:00 (10-13)");
    sent("2026-10-03T10:00", &[grant(ExtensionFrom::Start, days)], "10-03 10:00:00 (10-03)");
    let hours = Grant::Limit(2, Unit::Hour);
    sent("2026-10-03T10:00", &[grant(ExtensionFrom::OldDue, hours)], "10-03 12:00:00 (10-03)");
    let until = Grant::Until(at(&calendar, "2026-10-05T00:00"));
    sent("2026-10-03T10:00", &[grant(ExtensionFrom::OldDue, until)], "24:00 (10-04)");
}

#[test]
fn the_last_moment_is_in_time_and_24_00_is_not() {
    let calendar = cn();
    let second =
        |deadline: &Deadline, stop| deadline.in_time(at(&calendar, stop), Precision::Second, &calendar);
    let day = |deadline: &Deadline, stop| deadline.in_time(at(&calendar, stop), Precision::Day, &calendar);
    let due =
        |rule, holds: &[_]| super::due(&Limit::Rule(rule), at(&calendar, "2026-10-09T10:00"), holds, &[]);
    let days = due(rule(&calendar, 1, Unit::WorkingDay), &[]);
    assert!(second(&days, "2026-10-10T23:59:59.999999") && !second(&days, "2026-10-11T00:00"));
    assert!(day(&days, "2026-10-10T23:59:59.999999") && !day(&days, "2026-10-11T00:00"));
    assert!(days.is_past(at(&calendar, "2026-10-11T00:00")));
    let hours = due(rule(&calendar, 24, Unit::Hour), &[]);
    assert!(second(&hours, "2026-10-10T10:00") && !second(&hours, "2026-10-10T10:00:00.000001"));
    assert!(day(&hours, "2026-10-10T23:59") && !hours.is_past(at(&calendar, "2026-10-10T10:00")));
    let held = due(rule(&calendar, 24, Unit::Hour), &[hold(&calendar, "2026-10-09T11:00", "..")]);
    assert!(second(&held, "2030-10-10T10:00") && day(&held, "2030-10-10T10:00"));
    assert!(!held.is_past(at(&calendar, "2030-10-10T10:00")));
}

#[test]
fn the_longest_limit_ends_with_the_table() {
    for calendar in all() {
        for unit in UNITS {
            for start in [Timestamp::MIN, at(calendar, "2026-10-09T10:00"), Timestamp::MAX] {
                let limit = Limit::Rule(Rule { roll: Roll::NonWorking, ..rule(calendar, u32::MAX, unit) });
                let deadline = due(&limit, start, &[], &[]);
                let due_at = deadline.due_at.unwrap();
                assert!(deadline.provisional && due_at >= start);
                assert!(start == Timestamp::MAX || due_at == calendar.table_end());
            }
            let start = at(calendar, "2026-10-09T10:00");
            assert!(explain(&Limit::Rule(rule(calendar, u32::MAX, unit)), start, &[], &[]).len() <= 2_000);
        }
    }
}

pub(super) const UNITS: [Unit; 5] =
    [Unit::Hour, Unit::WorkingHour, Unit::RoundClockHour, Unit::CalendarDay, Unit::WorkingDay];

/// One line a piece.
fn tell(calendar: &Calendar, pieces: &[Piece]) -> String {
    let show = |at| show(calendar, at);
    let ends = |at: Option<Timestamp>| at.map_or_else(|| "..".to_owned(), show);
    let lines = pieces.iter().map(|piece| match piece {
        Piece::AsSent { due_at } => format!("as sent {}", show(*due_at)),
        Piece::Moved { from, to } => format!("{} moved to {}", show(*from), show(*to)),
        Piece::Counted { from, to, amount, unit, make_up } => {
            let amount = match amount {
                Amount::Days(days) => format!("{days} {}", unit.name()),
                Amount::Micros(micros) => format!("{} min", micros / 60_000_000),
            };
            let make_up = make_up.as_ref().map(|name| format!(", make-up {name}")).unwrap_or_default();
            format!("{} – {} counted {amount}{make_up}", show(*from), show(*to))
        }
        Piece::Skipped { from, to, reason } => format!("{} – {} {reason:?}", show(*from), ends(*to)),
        Piece::Extended { from, grant: _, before, after } => {
            format!("extended from {from:?}: {} to {}", ends(*before), ends(*after))
        }
        Piece::Rolled { from, to } => format!("{from} rolled to {to}"),
        Piece::ToClose { from, to } => format!("{} to the close of office {}", show(*from), show(*to)),
        Piece::Omitted { from, to } => format!("{} – {} left out", show(*from), show(*to)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_explanation_names_every_run_of_days() {
    let calendar = cn();
    let limit = Rule { outside_hours: OutsideHours::NextOpening, ..rule(&calendar, 8, Unit::WorkingDay) };
    let holds = [
        hold(&calendar, "2026-10-13T10:00", "2026-10-14T12:00"),
        Hold { reason: Code::new("parked"), ..hold(&calendar, "2026-10-14T10:00", "2026-10-15T12:00") },
    ];
    let grant = Grant::Limit(1, Unit::WorkingDay);
    let more = [extension(&calendar, ExtensionFrom::OldDue, grant, "2026-10-10T10:00")];
    let pieces = explain(&Limit::Rule(limit), at(&calendar, "2026-09-23T18:00"), &holds, &more);
    insta::assert_snapshot!(tell(&calendar, &pieces), @r##"
    09-23 18:00:00 moved to 09-24 08:30:00
    09-24 08:30:00 – 09-25 00:00:00 StartDay
    09-25 00:00:00 – 09-26 00:00:00 Festival("中秋节")
    09-26 00:00:00 – 09-28 00:00:00 Rest("中秋节")
    09-28 00:00:00 – 10-01 00:00:00 counted 3 working_day
    10-01 00:00:00 – 10-04 00:00:00 Festival("国庆节")
    10-04 00:00:00 – 10-08 00:00:00 Rest("国庆节")
    10-08 00:00:00 – 10-10 00:00:00 counted 2 working_day
    10-10 00:00:00 – 10-11 00:00:00 counted 1 working_day, make-up 国庆节
    10-11 00:00:00 – 10-12 00:00:00 RestDay
    10-12 00:00:00 – 10-13 00:00:00 counted 1 working_day
    10-13 00:00:00 – 10-15 00:00:00 Held(["inspection", "parked"])
    10-15 00:00:00 – 10-16 00:00:00 counted 1 working_day
    extended from OldDue: 10-16 00:00:00 to 10-17 00:00:00
    10-16 00:00:00 – 10-17 00:00:00 counted 1 working_day
    "##);
    let pieces = due(&Limit::Rule(limit), at(&calendar, "2026-09-23T18:00"), &holds, &more).pieces;
    insta::assert_snapshot!(tell(&calendar, &pieces), @"
    09-23 18:00:00 moved to 09-24 08:30:00
    extended from OldDue: 10-16 00:00:00 to 10-17 00:00:00
    ");
}

#[test]
fn an_explanation_names_every_span_of_hours() {
    let calendar = cn();
    let limit = Rule { ends_at: EndsAt::CloseOfOffice, ..rule(&calendar, 8, Unit::WorkingHour) };
    let holds = [hold(&calendar, "2026-09-30T16:00", "2026-10-08T09:00")];
    let pieces = explain(&Limit::Rule(limit), at(&calendar, "2026-09-30T11:00"), &holds, &[]);
    insta::assert_snapshot!(tell(&calendar, &pieces), @r##"
    09-30 11:00:00 – 09-30 12:00:00 counted 60 min
    09-30 12:00:00 – 09-30 14:30:00 Closed
    09-30 14:30:00 – 09-30 16:00:00 counted 90 min
    09-30 16:00:00 – 10-08 09:00:00 Held(["inspection"])
    10-08 09:00:00 – 10-08 12:00:00 counted 180 min
    10-08 12:00:00 – 10-08 14:30:00 Closed
    10-08 14:30:00 – 10-08 17:00:00 counted 150 min
    10-08 17:00:00 to the close of office 10-08 17:30:00
    "##);
    let limit = Limit::Rule(rule(&calendar, 24, Unit::RoundClockHour));
    let pieces = explain(&limit, at(&calendar, "2026-10-10T16:00"), &[], &[]);
    insta::assert_snapshot!(tell(&calendar, &pieces), @"
    10-10 16:00:00 – 10-11 00:00:00 counted 480 min, make-up 国庆节
    10-11 00:00:00 – 10-12 00:00:00 RestDay
    10-12 00:00:00 – 10-12 16:00:00 counted 960 min
    ");
    let pieces =
        explain(&limit, at(&calendar, "2026-10-10T16:00"), &[hold(&calendar, "2026-10-12T08:00", "..")], &[]);
    insta::assert_snapshot!(tell(&calendar, &pieces), @r##"
    10-10 16:00:00 – 10-11 00:00:00 counted 480 min, make-up 国庆节
    10-11 00:00:00 – 10-12 00:00:00 RestDay
    10-12 00:00:00 – 10-12 08:00:00 counted 480 min
    10-12 08:00:00 – .. Held(["inspection"])
    "##);
}

#[test]
fn an_explanation_shows_rolling_and_what_was_sent() {
    let calendar = cn();
    let limit = Rule { roll: Roll::Festival, ..rule(&calendar, 60, Unit::CalendarDay) };
    let pieces = explain(&Limit::Rule(limit), at(&calendar, "2026-08-02T10:00"), &[], &[]);
    insta::assert_snapshot!(tell(&calendar, &pieces), @"
    08-02 10:00:00 – 08-03 00:00:00 StartDay
    08-03 00:00:00 – 10-02 00:00:00 counted 60 calendar_day
    2026-10-01 rolled to 2026-10-04
    ");
    let limit = Limit::DueAt { calendar: &calendar, due_at: at(&calendar, "2026-10-03T10:00") };
    let more = [
        extension(&calendar, ExtensionFrom::Start, Grant::Limit(1, Unit::Hour), "2026-10-01T10:00"),
        extension(&calendar, ExtensionFrom::Grant, Grant::Limit(3, Unit::WorkingDay), "2026-10-01T10:00"),
    ];
    let pieces = explain(&limit, at(&calendar, "2026-09-30T10:00"), &[], &more);
    insta::assert_snapshot!(tell(&calendar, &pieces), @r##"
    as sent 10-03 10:00:00
    extended from Start: 10-03 10:00:00 to 10-03 10:00:00
    extended from Grant: 10-03 10:00:00 to 10-10 10:00:00
    10-01 10:00:00 – 10-02 00:00:00 StartDay
    10-02 00:00:00 – 10-04 00:00:00 Festival("国庆节")
    10-04 00:00:00 – 10-08 00:00:00 Rest("国庆节")
    10-08 00:00:00 – 10-10 00:00:00 counted 2 working_day
    10-10 00:00:00 – 10-11 00:00:00 counted 1 working_day, make-up 国庆节
    "##);
}
