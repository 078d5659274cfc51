//! Calendars for tests: China 2023–2026 from the State Council's notices, Boston 2014–2016.

use std::sync::OnceLock;

use jiff::civil::{Date, Time, Weekday, date};
use jiff::tz::TimeZone;

use super::{Calendar, Day, DayKind, Spec};
use crate::fact::Code;

/// A holiday: its name, its days off, those of them that are statutory, and the days worked instead; (month, day).
type Holiday = (&'static str, &'static [(i8, i8)], &'static [(i8, i8)], &'static [(i8, i8)]);

/// By year; days off are given as (first, last).
const NOTICES: &[(i16, &[Holiday])] = &[
    (
        2023,
        &[
            ("元旦", &[(1, 1), (1, 2)], &[(1, 1)], &[]),
            ("春节", &[(1, 21), (1, 27)], &[(1, 22), (1, 23), (1, 24)], &[(1, 28), (1, 29)]),
            ("清明节", &[(4, 5), (4, 5)], &[(4, 5)], &[]),
            ("劳动节", &[(4, 29), (5, 3)], &[(5, 1)], &[(4, 23), (5, 6)]),
            ("端午节", &[(6, 22), (6, 24)], &[(6, 22)], &[(6, 25)]),
            ("国庆节", &[(9, 29), (10, 6)], &[(9, 29), (10, 1), (10, 2), (10, 3)], &[(10, 7), (10, 8)]),
        ],
    ),
    (
        2024,
        &[
            ("元旦", &[(1, 1), (1, 1)], &[(1, 1)], &[]),
            ("春节", &[(2, 10), (2, 17)], &[(2, 10), (2, 11), (2, 12)], &[(2, 4), (2, 18)]),
            ("清明节", &[(4, 4), (4, 6)], &[(4, 4)], &[(4, 7)]),
            ("劳动节", &[(5, 1), (5, 5)], &[(5, 1)], &[(4, 28), (5, 11)]),
            ("端午节", &[(6, 8), (6, 10)], &[(6, 10)], &[]),
            ("中秋节", &[(9, 15), (9, 17)], &[(9, 17)], &[(9, 14)]),
            ("国庆节", &[(10, 1), (10, 7)], &[(10, 1), (10, 2), (10, 3)], &[(9, 29), (10, 12)]),
        ],
    ),
    (
        2025,
        &[
            ("元旦", &[(1, 1), (1, 1)], &[(1, 1)], &[]),
            ("春节", &[(1, 28), (2, 4)], &[(1, 28), (1, 29), (1, 30), (1, 31)], &[(1, 26), (2, 8)]),
            ("清明节", &[(4, 4), (4, 6)], &[(4, 4)], &[]),
            ("劳动节", &[(5, 1), (5, 5)], &[(5, 1), (5, 2)], &[(4, 27)]),
            ("端午节", &[(5, 31), (6, 2)], &[(5, 31)], &[]),
            ("国庆节", &[(10, 1), (10, 8)], &[(10, 1), (10, 2), (10, 3), (10, 6)], &[(9, 28), (10, 11)]),
        ],
    ),
    (
        2026,
        &[
            ("元旦", &[(1, 1), (1, 3)], &[(1, 1)], &[(1, 4)]),
            ("春节", &[(2, 15), (2, 23)], &[(2, 16), (2, 17), (2, 18), (2, 19)], &[(2, 14), (2, 28)]),
            ("清明节", &[(4, 4), (4, 6)], &[(4, 5)], &[]),
            ("劳动节", &[(5, 1), (5, 5)], &[(5, 1), (5, 2)], &[(5, 9)]),
            ("端午节", &[(6, 19), (6, 21)], &[(6, 19)], &[]),
            ("中秋节", &[(9, 25), (9, 27)], &[(9, 25)], &[]),
            ("国庆节", &[(10, 1), (10, 7)], &[(10, 1), (10, 2), (10, 3)], &[(9, 20), (10, 10)]),
        ],
    ),
];

/// Holidays of Massachusetts.
const BOSTON: &[Date] = &[
    date(2014, 1, 1),
    date(2014, 1, 20),
    date(2014, 2, 17),
    date(2014, 4, 21),
    date(2014, 5, 26),
    date(2014, 7, 4),
    date(2014, 9, 1),
    date(2014, 10, 13),
    date(2014, 11, 11),
    date(2014, 11, 27),
    date(2014, 12, 25),
    date(2016, 10, 10),
    date(2016, 11, 11),
];

pub(crate) fn windows(hours: &[[(i8, i8); 2]]) -> Vec<(Time, Time)> {
    let time = |(hour, minute)| Time::constant(hour, minute, 0, 0);
    hours.iter().map(|[opens, closes]| (time(*opens), time(*closes))).collect()
}

pub(crate) fn cn_spec() -> Spec {
    let mut days = Vec::new();
    for (year, holidays) in NOTICES {
        for (name, off, statutory, worked) in *holidays {
            let day = |(month, day): (i8, i8)| date(*year, month, day);
            let (mut first, last) = (Day::of(day(off[0])), Day::of(day(off[1])));
            while first <= last {
                let festival = statutory.iter().any(|at| Day::of(day(*at)) == first);
                let kind = if festival { DayKind::Festival } else { DayKind::Rest };
                days.push((first.date(), kind, (*name).to_owned()));
                first = first + 1;
            }
            days.extend(worked.iter().map(|at| (day(*at), DayKind::Work, (*name).to_owned())));
        }
    }
    Spec {
        id: Code::new("cn"),
        timezone: TimeZone::get("Asia/Shanghai").unwrap(),
        rest_days: vec![Weekday::Saturday, Weekday::Sunday],
        office_hours: windows(&[[(8, 30), (12, 0)], [(14, 30), (17, 30)]]),
        seasons: Vec::new(),
        known_from: date(2023, 1, 1),
        known_until: date(2026, 12, 25),
        days,
    }
}

pub(crate) fn cn() -> Calendar {
    Calendar::new(cn_spec())
}

pub(crate) fn boston() -> Calendar {
    Calendar::new(Spec {
        id: Code::new("boston"),
        timezone: TimeZone::get("America/New_York").unwrap(),
        rest_days: vec![Weekday::Saturday, Weekday::Sunday],
        office_hours: windows(&[[(8, 30), (17, 0)]]),
        seasons: Vec::new(),
        known_from: date(2013, 1, 1),
        known_until: date(2020, 12, 31),
        days: BOSTON.iter().map(|day| (*day, DayKind::Festival, "holiday".to_owned())).collect(),
    })
}

/// The calendars in which laws must hold: China's, New York's with its changing clock, one open round the clock,
/// one with summer and winter hours, and one without a working day.
pub(crate) fn all() -> &'static [Calendar] {
    static CALENDARS: OnceLock<Vec<Calendar>> = OnceLock::new();
    CALENDARS.get_or_init(make_all)
}

fn make_all() -> Vec<Calendar> {
    let open = Spec { office_hours: Vec::new(), ..cn_spec() };
    let seasons = Spec {
        seasons: vec![super::Season {
            from: (10, 1),
            until: (4, 30),
            windows: windows(&[[(8, 0), (12, 0)], [(14, 0), (17, 0)]]),
        }],
        ..cn_spec()
    };
    let weekdays = |day: i8| Weekday::from_monday_one_offset(day).unwrap();
    let never = Spec { rest_days: (1..=7).map(weekdays).collect(), days: Vec::new(), ..cn_spec() };
    vec![cn(), boston(), Calendar::new(open), Calendar::new(seasons), Calendar::new(never)]
}
