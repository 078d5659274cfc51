use chinese_holiday::{Ymd, chinese_holiday};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::samples::{all, boston, cn, cn_spec, windows};
use super::{Calendar, DAY, Day, DayKind, DayStatus, Micros, Season, Spec, Wall};
use crate::fact::Unit;

fn at(calendar: &Calendar, text: &str) -> Timestamp {
    calendar.timezone().to_timestamp(text.parse::<DateTime>().unwrap()).unwrap()
}

fn shown(calendar: &Calendar, at: Timestamp) -> String {
    calendar.timezone().to_datetime(at).to_string()
}

/// Hours and minutes.
fn time(hours: i64, minutes: i64) -> Micros {
    (hours * 60 + minutes) * 60_000_000
}

#[test]
fn a_day_is_its_date() {
    let mut day = Day::of(date(1899, 12, 25));
    let mut date = date(1899, 12, 25);
    while date < jiff::civil::date(2201, 1, 1) {
        assert_eq!((day.date(), Day::of(date), day.weekday()), (date, day, date.weekday()));
        (day, date) = (day + 1, date.tomorrow().unwrap());
    }
    assert_eq!(Day::LAST.date(), jiff::civil::date(2199, 12, 31));
    assert_eq!(Day(i32::MAX).date(), Date::MAX);
    assert_eq!(Day(i32::MIN).date(), Date::MIN);
}

#[test]
fn china_works_on_the_days_that_chinese_holiday_knows() {
    let calendar = cn();
    let mut day = Day::of(date(2023, 1, 1));
    while day <= Day::of(date(2026, 12, 25)) {
        let (date, kind) = (day.date(), calendar.status(day));
        let ymd =
            Ymd::new(date.year().unsigned_abs(), date.month().unsigned_abs(), date.day().unsigned_abs());
        assert_eq!(kind.is_working(), chinese_holiday(ymd).is_workday(), "{date}");
        assert_eq!(calendar.is_working(day), kind.is_working(), "{date}");
        day = day + 1;
    }
    let year = |year| Day::of(date(year, 1, 1));
    let counts: Vec<i64> = (2023..2027).map(|y| calendar.working_between(year(y), year(y + 1))).collect();
    assert_eq!(counts, [249, 251, 248, 248]);
}

#[test]
fn each_day_has_its_status_and_name() {
    let calendar = cn();
    let check = |date: Date, status, name| {
        let day = Day::of(date);
        assert_eq!((calendar.status(day), calendar.name(day)), (status, name), "{date}");
    };
    check(date(2026, 10, 1), DayStatus::Festival, Some("国庆节"));
    check(date(2026, 10, 4), DayStatus::Rest, Some("国庆节"));
    check(date(2026, 10, 10), DayStatus::MakeUp, Some("国庆节"));
    check(date(2026, 10, 11), DayStatus::RestDay, None);
    check(date(2026, 10, 12), DayStatus::Working, None);
    // Beyond the notices only the week is known.
    check(date(2027, 1, 1), DayStatus::Working, None);
    check(date(2022, 12, 31), DayStatus::RestDay, None);
    check(date(2300, 1, 6), DayStatus::RestDay, None);
}

#[test]
fn a_day_listed_outside_the_known_range_means_nothing_and_is_told() {
    let mut spec = cn_spec();
    spec.days.push((date(2027, 1, 1), DayKind::Festival, "元旦".to_owned()));
    let calendar = Calendar::new(spec);
    assert!(calendar.is_working(Day::of(date(2027, 1, 1))));
    assert_eq!(calendar.ignored_days(), [date(2027, 1, 1)]);
    assert!(cn().ignored_days().is_empty());
}

#[test]
fn a_deadline_is_provisional_outside_the_known_range() {
    let (calendar, day) = (cn(), |date| Day::of(date));
    let check = |start, due_on| calendar.is_provisional(day(start), due_on);
    assert!(!check(date(2023, 1, 1), Some(day(date(2026, 12, 25)))));
    assert!(check(date(2023, 1, 1), Some(day(date(2026, 12, 26)))));
    assert!(check(date(2022, 12, 31), Some(day(date(2023, 2, 1)))));
    assert!(!check(date(2023, 1, 1), None));
}

#[test]
fn an_opening_is_the_next_unless_it_is_open() {
    let check = |calendar: &Calendar, from, to| {
        assert_eq!(shown(calendar, calendar.next_opening(at(calendar, from))), to, "{from}");
    };
    let cn = cn();
    check(&cn, "2026-10-09T08:29:59", "2026-10-09T08:30:00");
    check(&cn, "2026-10-09T08:30:00", "2026-10-09T08:30:00");
    check(&cn, "2026-10-09T12:00:00", "2026-10-09T12:00:00");
    check(&cn, "2026-10-09T12:00:00.000001", "2026-10-09T14:30:00");
    check(&cn, "2026-10-09T17:30:00", "2026-10-09T17:30:00");
    check(&cn, "2026-10-09T17:30:01", "2026-10-10T08:30:00"); // a make-up Saturday
    check(&cn, "2026-10-10T18:00:00", "2026-10-12T08:30:00");
    check(&cn, "2026-09-30T20:00:00", "2026-10-08T08:30:00");
    let open = &all()[2];
    check(open, "2026-10-09T23:59:59", "2026-10-09T23:59:59");
    check(open, "2026-10-11T10:00:00", "2026-10-12T00:00:00");
}

#[test]
fn hours_follow_the_season_and_every_day_has_a_close_of_office() {
    let calendar = &all()[3];
    let close = |date| calendar.close_of_office(Day::of(date));
    assert_eq!(close(date(2026, 4, 30)), time(17, 0));
    assert_eq!(close(date(2026, 5, 1)), time(17, 30)); // not worked
    assert_eq!(close(date(2026, 9, 30)), time(17, 30));
    assert_eq!(close(date(2026, 12, 31)), time(17, 0));
    assert_eq!(close(date(2210, 12, 31)), time(17, 0));
    assert!(calendar.windows(Day::of(date(2026, 5, 1))).is_empty());
    assert_eq!(calendar.windows(Day::of(date(2026, 4, 30)))[0].opens, time(8, 0));
    assert!(calendar.has_office_hours() && !all()[2].has_office_hours());
    assert_eq!(all()[2].close_of_office(Day::of(date(2026, 4, 30))), DAY);
}

#[test]
fn windows_are_put_in_order_and_united() {
    let hours = windows(&[[(14, 0), (17, 0)], [(8, 0), (12, 0)], [(11, 0), (13, 0)], [(22, 0), (0, 0)]]);
    let season = Season { from: (6, 1), until: (6, 30), windows: windows(&[[(18, 0), (9, 0)]]) };
    let calendar = Calendar::new(Spec { office_hours: hours, seasons: vec![season], ..cn_spec() });
    let windows = |date| -> Vec<(Micros, Micros)> {
        calendar.windows(Day::of(date)).iter().map(|w| (w.opens, w.closes)).collect()
    };
    let united = [(time(8, 0), time(13, 0)), (time(14, 0), time(17, 0)), (time(22, 0), DAY)];
    assert_eq!(windows(date(2026, 10, 9)), united);
    assert_eq!(windows(date(2026, 6, 10)), [(0, DAY)]);
}

#[test]
fn the_clock_is_that_of_the_zone_through_the_year() {
    for zone in ["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Africa/Casablanca"] {
        let timezone = TimeZone::get(zone).unwrap();
        let calendar = Calendar::new(Spec { timezone: timezone.clone(), ..cn_spec() });
        let mut at = Timestamp::from_second(0).unwrap();
        while at < Timestamp::from_second(7_258_118_400).unwrap() {
            let (day, time) = calendar.local(at);
            let civil = timezone.to_datetime(at);
            let micros = civil.duration_since(civil.date().at(0, 0, 0, 0)).as_micros();
            assert_eq!((day.date(), i128::from(time)), (civil.date(), micros), "{zone} {at}");
            let back = timezone.to_timestamp(civil).unwrap();
            assert_eq!(calendar.instant(day, time), back, "{zone} {civil}");
            at += jiff::SignedDuration::from_mins(60 * 17 + 13);
        }
    }
}

#[test]
fn a_clock_that_changes_skips_or_repeats_an_hour() {
    let calendar = boston();
    let (spring, autumn) = (Day::of(date(2014, 3, 9)), Day::of(date(2014, 11, 2)));
    let check = |day, hours, minutes, utc: &str| {
        assert_eq!(calendar.instant(day, time(hours, minutes)), utc.parse::<Timestamp>().unwrap());
    };
    check(spring, 2, 30, "2014-03-09T07:30:00Z"); // does not exist: 03:30
    check(spring, 3, 30, "2014-03-09T07:30:00Z");
    check(autumn, 1, 30, "2014-11-02T05:30:00Z"); // the first of two
    check(autumn, 2, 0, "2014-11-02T07:00:00Z");
    // While the hour is shown again the wall clock of counting stands still.
    let wall = |utc: &str| calendar.wall(utc.parse().unwrap());
    assert_eq!(wall("2014-11-02T05:59:00Z"), Wall::of(autumn, time(1, 59)));
    assert_eq!(wall("2014-11-02T06:30:00Z"), Wall::of(autumn, time(2, 0)));
    assert_eq!(wall("2014-11-02T07:01:00Z"), Wall::of(autumn, time(2, 1)));
}

#[test]
fn counting_stands_still_at_the_ends_of_the_table() {
    for calendar in all() {
        let (far, late) = (Day(i32::MAX), Timestamp::MAX);
        assert!(calendar.nth_working_after(Day(0), i64::MAX) == Day::LAST);
        assert_eq!(calendar.nth_working_after(far, 7), far);
        assert_eq!(calendar.working_between(far, Day(i32::MAX - 9)), 0);
        assert_eq!(calendar.next_opening(late), late);
        let first = calendar.nth_working_after(Day(i32::MIN), 1);
        assert_eq!(first, calendar.working_day_from(Day::FIRST));
        assert!(calendar.next_opening(Timestamp::MIN) <= calendar.table_end());
        assert_eq!(calendar.office_reached(Micros::MAX, Wall(0)), (Day::LAST, DAY));
        assert_eq!(calendar.round_clock_reached(Micros::MAX), (Day::LAST, DAY));
    }
}

fn days() -> impl Strategy<Value = Day> {
    (Day::of(date(2022, 6, 1)).0..Day::of(date(2027, 6, 1)).0).prop_map(Day)
}

fn instants() -> impl Strategy<Value = Timestamp> {
    // Whole minutes meet openings and closings, the rest does not.
    let minutes = (1_640_995_200_i64 / 60..1_800_000_000 / 60).prop_map(|minute| minute * 60_000_000);
    let micros = 1_640_995_200_000_000..1_800_000_000_000_000_i64;
    prop_oneof![minutes, micros].prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

proptest! {
    #[test]
    fn law_prefix_sums_count_as_counting_day_by_day(from in days(), length in 0_i32..400, n in 1_i64..200) {
        for calendar in &all()[..4] {
            let to = Day(from.0 + length);
            let worked = |day: &i32| calendar.status(Day(*day)).is_working();
            let naive = (from.0..to.0).filter(worked).count();
            prop_assert_eq!(calendar.working_between(from, to), i64::try_from(naive).unwrap());
            prop_assert_eq!(calendar.working_between(to, from), -i64::try_from(naive).unwrap());
            let nth = (from.0 + 1..).filter(worked).nth(usize::try_from(n - 1).unwrap()).unwrap();
            prop_assert_eq!(calendar.nth_working_after(from, n), Day(nth));
        }
    }

    #[test]
    fn law_n_then_m_working_days_are_n_plus_m(day in days(), n in 0_i64..300, m in 0_i64..300) {
        for calendar in all() {
            let then = calendar.nth_working_after(calendar.nth_working_after(day, n), m);
            prop_assert_eq!(then, calendar.nth_working_after(day, n + m));
        }
    }

    #[test]
    fn law_next_opening_is_open_idempotent_and_not_before(at in instants()) {
        for calendar in all() {
            let opening = calendar.next_opening(at);
            prop_assert!(opening >= at);
            prop_assert_eq!(calendar.next_opening(opening), opening);
            let (day, time) = calendar.local(opening);
            let open = calendar.windows(day).iter().any(|w| w.opens <= time && time <= w.closes);
            prop_assert!(open || opening == calendar.table_end());
            if opening != at && opening != calendar.table_end() {
                // No office time was passed over.
                let passed = calendar.office_until(calendar.wall(opening)) - calendar.office_until(calendar.wall(at));
                prop_assert_eq!(passed, 0);
            }
        }
    }

    #[test]
    fn law_office_time_counts_as_counting_minute_by_minute(day in days(), from in 0_i64..1440, length in 0_i64..6000) {
        for calendar in &all()[..4] {
            let minute = |n: i64| Wall(i64::from(day.0) * DAY + n * 60_000_000);
            let naive = (from..from + length).filter(|n| {
                let wall = minute(*n);
                calendar.windows(wall.day()).iter().any(|w| w.opens <= wall.time() && wall.time() < w.closes)
            });
            let naive = i64::try_from(naive.count()).unwrap() * 60_000_000;
            let (begun, ended) = (calendar.office_until(minute(from)), calendar.office_until(minute(from + length)));
            prop_assert_eq!(ended - begun, naive);
        }
    }

    #[test]
    fn law_an_amount_is_reached_at_the_first_instant_before_which_it_is(
        day in days(), near in days(), left in 1_i64..(40 * 24 * 60)
    ) {
        let (from, near) = (Wall::of(day, 0), Wall::of(near, 0));
        for calendar in &all()[..4] {
            let amount = calendar.office_until(from) + left * 60_000_000;
            let (day, time) = calendar.office_reached(amount, near);
            let reached = Wall::of(day, time);
            prop_assert_eq!(calendar.office_until(reached), amount);
            prop_assert!(calendar.office_until(Wall(reached.0 - 1)) < amount);
            let amount = calendar.round_clock_until(from) + left * 60_000_000;
            let (day, time) = calendar.round_clock_reached(amount);
            let reached = Wall::of(day, time);
            prop_assert_eq!(calendar.round_clock_until(reached), amount);
            prop_assert!(calendar.round_clock_until(Wall(reached.0 - 1)) < amount);
        }
    }
}

#[test]
fn counting_back_passes_over_what_is_not_worked() {
    let calendar = cn();
    let before =
        |text: &str, count, unit| shown(&calendar, calendar.before(at(&calendar, text), count, unit));
    // 1 to 7 October 2026 are off; 10 October is a Saturday that is worked.
    assert_eq!(before("2026-10-12T16:00:00", 1, Unit::WorkingDay), "2026-10-10T16:00:00");
    assert_eq!(before("2026-10-12T16:00:00", 4, Unit::WorkingDay), "2026-09-30T16:00:00");
    assert_eq!(before("2026-10-12T16:00:00", 0, Unit::WorkingDay), "2026-10-12T16:00:00");
    assert_eq!(before("2026-10-12T16:00:00", 2, Unit::CalendarDay), "2026-10-10T16:00:00");
    assert_eq!(before("2026-10-12T16:00:00", 24, Unit::Hour), "2026-10-11T16:00:00");
    assert_eq!(before("2026-10-12T06:00:00", 24, Unit::RoundClockHour), "2026-10-10T06:00:00");
}
