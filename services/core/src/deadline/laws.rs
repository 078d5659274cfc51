//! Laws of deadlines, over calendars with and without office hours, seasons and clocks that change.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::tests::{UNITS, rule};
use super::*;
use crate::calendar::Micros;
use crate::calendar::samples::all;

/// A clock and what happens to it, in numbers that a calendar turns into a limit.
#[derive(Clone, Debug)]
struct Clock {
    calendar: usize,
    limit: (u32, Unit),
    outside_hours: OutsideHours,
    ends_at: EndsAt,
    roll: Roll,
    start: Timestamp,
    holds: Vec<Hold>,
    extensions: Vec<Extension>,
}

impl Clock {
    fn limit(&self) -> Limit<'static> {
        let Self { outside_hours, ends_at, roll, .. } = *self;
        let rule = rule(&all()[self.calendar], self.limit.0, self.limit.1);
        let ends_at =
            if self.limit.1.is_day() || ends_at != EndsAt::EndOfDay { ends_at } else { EndsAt::SameTime };
        Limit::Rule(Rule { outside_hours, ends_at, roll, ..rule })
    }

    fn due(&self) -> Deadline {
        due(&self.limit(), self.start, &self.holds, &self.extensions)
    }

    /// When it is due; held without an end is later than all.
    fn due_at(&self) -> Timestamp {
        self.due().due_at.unwrap_or(Timestamp::MAX)
    }
}

const FIRST: i64 = 1_672_502_400; // 2022-12-31T16:00Z, the first day of the Chinese calendar
const LAST: i64 = 1_798_128_000;

fn instants() -> impl Strategy<Value = Timestamp> {
    let quarters = (FIRST / 900..LAST / 900).prop_map(|quarter| quarter * 900_000_000);
    let micros = FIRST * 1_000_000..LAST * 1_000_000;
    prop_oneof![quarters, micros].prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Holds near a start, most of them of whole quarters of hours, so that they meet each other and openings.
fn holds(start: Timestamp) -> impl Strategy<Value = Vec<Hold>> {
    let hold = (-100_i64..2000, option::weighted(0.9, 0_i64..600), select(vec!["inspection", "parked"]));
    let hold = hold.prop_map(move |(from, length, reason)| {
        let from = start + minutes(15 * from);
        let until = length.map(|length| from + minutes(15 * length));
        Hold { from, until, reason: Code::new(reason) }
    });
    vec(hold, 0..5)
}

/// An extension in days or in hours. Clocks have those of their own sort: days granted to an hour limit keep its
/// time of day, so that Saturday 20:00 and a working day is Monday 20:00, but Sunday 08:00 and one Monday 08:00;
/// that a longer limit may then be due earlier is what the rule says.
fn extension(start: Timestamp, days: bool) -> impl Strategy<Value = Extension> {
    let units: Vec<Unit> = UNITS.into_iter().filter(|unit| unit.is_day() == days).collect();
    let granted_at = (0_i64..3000).prop_map(move |quarters| start + minutes(15 * quarters));
    let grant = prop_oneof![
        4 => (1_u32..30, select(units)).prop_map(|(n, unit)| Grant::Limit(n, unit)),
        1 => (0_i64..4000).prop_map(move |quarters| Grant::Until(start + minutes(15 * quarters))),
    ];
    let from = select(vec![ExtensionFrom::OldDue, ExtensionFrom::Grant, ExtensionFrom::Start]);
    (from, grant, granted_at).prop_map(|(from, grant, granted_at)| Extension { from, grant, granted_at })
}

fn clocks() -> impl Strategy<Value = Clock> {
    let ends = select(vec![EndsAt::EndOfDay, EndsAt::SameTime, EndsAt::CloseOfOffice]);
    let rolls = select(vec![Roll::None, Roll::Festival, Roll::FestivalOrRest, Roll::NonWorking]);
    let outside = select(vec![OutsideHours::AsIs, OutsideHours::NextOpening]);
    let rule = (0..all().len(), 1_u32..40, select(UNITS.to_vec()), ends, rolls, outside);
    (rule, instants()).prop_flat_map(|(rule, start)| {
        let (calendar, n, unit, ends_at, roll, outside_hours) = rule;
        (holds(start), vec(extension(start, unit.is_day()), 0..3)).prop_map(move |(holds, extensions)| {
            Clock { calendar, limit: (n, unit), outside_hours, ends_at, roll, start, holds, extensions }
        })
    })
}

/// The amounts counted by an explanation.
fn counted(pieces: &[Piece]) -> (i64, Micros) {
    let mut sum = (0, 0);
    for piece in pieces {
        match piece {
            Piece::Counted { amount: Amount::Days(days), .. } => sum.0 += days,
            Piece::Counted { amount: Amount::Micros(micros), .. } => sum.1 += micros,
            _ => {}
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn law_a_longer_limit_is_never_due_earlier(clock in clocks(), more in 1_u32..20) {
        let longer = Clock { limit: (clock.limit.0 + more, clock.limit.1), ..clock.clone() };
        prop_assert!(clock.due_at() <= longer.due_at());
    }

    #[test]
    fn law_a_longer_hold_is_never_due_earlier(
        clock in clocks(), which in 0_usize..5, before in 0_i64..200, after in option::of(0_i64..200)
    ) {
        let mut longer = clock.clone();
        if let Some(hold) = longer.holds.get_mut(which) {
            hold.from -= minutes(15 * before);
            hold.until = hold.until.zip(after).map(|(until, after)| until + minutes(15 * after));
        }
        prop_assert!(clock.due_at() <= longer.due_at());
    }

    #[test]
    fn law_a_further_hold_is_never_due_earlier(clock in clocks()) {
        let mut fewer = clock.clone();
        fewer.holds.pop();
        prop_assert!(fewer.due_at() <= clock.due_at());
    }

    #[test]
    fn law_a_further_extension_is_never_due_earlier(
        (clock, more) in clocks().prop_flat_map(|clock| {
            let more = prop_oneof![extension(clock.start, true), extension(clock.start, false)];
            (Just(clock), more)
        })
    ) {
        let mut longer = clock.clone();
        longer.extensions.push(more);
        prop_assert!(clock.due_at() <= longer.due_at());
    }

    #[test]
    fn law_a_hold_split_in_two_changes_nothing(clock in clocks(), which in 0_usize..5, at in 0_i64..600) {
        let mut split = clock.clone();
        if let Some(hold) = split.holds.get_mut(which) {
            let at = hold.from + minutes(15 * at);
            if hold.until.is_none_or(|until| at < until) {
                let rest = Hold { from: at, ..hold.clone() };
                hold.until = Some(at);
                split.holds.push(rest);
            }
        }
        prop_assert_eq!(clock.due(), split.due());
    }

    #[test]
    fn law_the_order_of_holds_changes_nothing(clock in clocks()) {
        let mut reversed = clock.clone();
        reversed.holds.reverse();
        prop_assert_eq!(clock.due(), reversed.due());
    }

    #[test]
    fn law_nothing_is_due_before_its_start_nor_past_while_not_begun(clock in clocks()) {
        let deadline = clock.due();
        prop_assert!(clock.due_at() >= clock.start);
        prop_assert!(deadline.in_time(clock.start, Precision::Second, clock.limit().calendar()));
        prop_assert_eq!(deadline.due_at.is_none(), deadline.due_on.is_none());
    }

    #[test]
    fn law_what_an_explanation_counts_is_the_limit(mut clock in clocks()) {
        clock.calendar %= 4;
        clock.holds.retain(|hold| hold.until.is_some());
        clock.extensions.clear();
        let (days, micros) = counted(&explain(&clock.limit(), clock.start, &clock.holds, &[]));
        let n = i64::from(clock.limit.0);
        let expect = if clock.limit.1.is_day() { (n, 0) } else { (0, n * 3_600_000_000) };
        prop_assert_eq!((days, micros), expect);
    }

    #[test]
    fn law_what_an_explanation_counts_is_the_limit_and_what_was_added(mut clock in clocks(), more in 1_u32..30) {
        clock.calendar %= 4;
        clock.holds.retain(|hold| hold.until.is_some());
        clock.roll = Roll::None;
        let grant = Grant::Limit(more, clock.limit.1);
        clock.extensions = vec![Extension { from: ExtensionFrom::OldDue, grant, granted_at: clock.start }];
        let (days, micros) = counted(&explain(&clock.limit(), clock.start, &clock.holds, &clock.extensions));
        let n = i64::from(clock.limit.0 + more);
        let expect = if clock.limit.1.is_day() { (n, 0) } else { (0, n * 3_600_000_000) };
        prop_assert_eq!((days, micros), expect);
    }

    #[test]
    fn law_an_explanation_leaves_no_gap(clock in clocks()) {
        let mut at = None;
        for piece in explain(&clock.limit(), clock.start, &clock.holds, &[]) {
            let (from, to) = match piece {
                Piece::Counted { from, to, .. } | Piece::Omitted { from, to } => (from, Some(to)),
                Piece::Skipped { from, to, .. } => (from, to),
                _ => continue,
            };
            prop_assert!(to.is_none_or(|to| from < to));
            prop_assert!(at.is_none_or(|at| at == from) || to.is_none());
            at = to;
        }
    }

    #[test]
    fn law_a_last_day_is_that_of_counting_day_by_day(mut clock in clocks(), unit in select(vec![Unit::CalendarDay, Unit::WorkingDay])) {
        // Without rolling and with whole days the rule is as simple as it reads.
        clock.calendar %= 4;
        clock.limit.1 = unit;
        (clock.ends_at, clock.roll) = (EndsAt::EndOfDay, Roll::None);
        clock.extensions.clear();
        clock.holds.retain(|hold| hold.until.is_some());
        let (limit, calendar) = (clock.limit(), clock.limit().calendar());
        let moved = match clock.outside_hours {
            OutsideHours::NextOpening => calendar.next_opening(clock.start),
            OutsideHours::AsIs => clock.start,
        };
        let day = |at| calendar.local(at).0;
        // Holds that overlap or touch hold every day between them, as one from the first to the last.
        let held = |at: Day| clock.holds.iter().any(|hold| {
            day(hold.from) <= at && hold.until.is_some_and(|until| at < day(until))
        });
        let counts = |at: Day| !held(at) && (unit == Unit::CalendarDay || calendar.is_working(at));
        let mut last = day(moved);
        for _ in 0..clock.limit.0 {
            last = last + 1;
            while !counts(last) {
                last = last + 1;
            }
        }
        let deadline = due(&limit, clock.start, &clock.holds, &[]);
        prop_assert_eq!(deadline.due_on, Some(last.date()));
        prop_assert_eq!(deadline.due_at, Some(calendar.instant(last, crate::calendar::DAY)));
    }

    #[test]
    fn law_hours_end_where_counting_minute_by_minute_ends(mut clock in clocks(), unit in select(UNITS[..3].to_vec())) {
        clock.calendar %= 4;
        clock.limit = (clock.limit.0 % 10 + 1, unit);
        clock.ends_at = EndsAt::SameTime;
        clock.outside_hours = OutsideHours::AsIs;
        clock.extensions.clear();
        clock.holds.retain(|hold| hold.until.is_some());
        let calendar = clock.limit().calendar();
        let quarter = clock.start.as_second().div_euclid(900) * 900;
        let start = Timestamp::from_second(quarter).unwrap();
        let shift = clock.start.duration_since(start);
        clock.start = start;
        for hold in &mut clock.holds {
            hold.from -= shift;
            hold.until = hold.until.map(|until| until - shift);
        }
        let step = minutes(15);
        let runs = |at: Timestamp| {
            let (day, time) = calendar.local(at);
            let open = match unit {
                Unit::Hour => true,
                Unit::RoundClockHour => calendar.is_working(day),
                _ => calendar.windows(day).iter().any(|w| w.opens <= time && time < w.closes),
            };
            open && !clock.holds.iter().any(|hold| hold.from <= at && hold.until.is_some_and(|until| at < until))
        };
        let (mut at, mut left) = (start, 4 * clock.limit.0);
        while left > 0 {
            left -= u32::from(runs(at));
            at += step;
        }
        // Held from the very instant on which it is used up, it is due when the hold is over.
        let due_at = clock.due_at();
        if due_at != at {
            prop_assert!(clock.holds.iter().any(|hold| hold.from <= at && hold.until > Some(at)));
            prop_assert!(due_at > at);
            while at < due_at {
                prop_assert!(!runs(at));
                at += step;
            }
        }
    }
}
