//! When departments are to be told of a deadline: before it, at it, after it.
//!
//! [`alarms`] is a pure function of a view. It says what should have been told by when; what was told is kept by
//! whoever tells it, and rates never read it. A rung that is no longer listed, because its deadline moved or its
//! clock stopped before it, is to be withdrawn; a moved deadline gives the rung another key, so it is armed anew.

pub mod telling;

use jiff::{SignedDuration, Timestamp};
use smol_str::{SmolStr, format_smolstr};

use crate::calendar::{Calendar, Day};
use crate::deadline::share_reached;
use crate::fact::{Body, Code, EventKey, Unit};
use crate::fold::{Clock, Round, View};
use crate::rulebook::{Level, Policy, Rulebook, Rung, RungAt, Span, Tier};

/// One rung of the ladder of one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// 1 is the first.
    pub round: u32,
    pub stage: Code,
    pub tier: Tier,
    /// The fact that opened the custody, for a custody clock.
    pub custody: Option<EventKey>,
    /// The name of the rung within its ladder: see [`Rung::name`].
    pub rung: Code,
    /// Its place there, by which older programs knew it.
    pub place: usize,
    /// The deadline that it speaks of.
    pub due_at: Timestamp,
    /// When it falls due.
    pub at: Timestamp,
    /// When it may be told: later than `at` only where the rung waits for office hours, or for quiet hours to end.
    pub deliver_at: Timestamp,
    pub level: Level,
    /// The department that is told; None where nobody answers for the clock.
    pub to: Option<Code>,
    /// Its clock has ended since: who is warned of work that is done learns nothing.
    pub is_over: bool,
}

impl Alarm {
    /// Its name within the case, by which it is acknowledged: `1.close.statutory.9f0c21d84be77a35.b+0h.1760284800`.
    /// The fourth part is the first half of the key of the dispatch that opened the custody, `-` for a clock of the
    /// case; the last is `due_at` in seconds since 1970.
    pub fn id(&self) -> SmolStr {
        format_smolstr!("{}{}.{}", self.ladder(), self.rung, self.due_at.as_second())
    }

    /// Whether an id is that of this alarm; older programs named it by its place in the ladder.
    pub fn is_called(&self, id: &str) -> bool {
        self.id() == id || self.older_id() == id
    }

    /// Whether it is the same rung of the same clock, be it for another deadline.
    pub(crate) fn is_rung_of(&self, other: &Alarm) -> bool {
        let is_place = self.rung.parse() == Ok(other.place);
        self.ladder() == other.ladder() && (self.rung == other.rung || is_place)
    }

    fn older_id(&self) -> SmolStr {
        format_smolstr!("{}{}.{}", self.ladder(), self.place, self.due_at.as_second())
    }

    /// The part of the id that all rungs of a clock share.
    fn ladder(&self) -> SmolStr {
        let tier = self.tier.name();
        let custody = self.custody.map_or_else(|| "-".to_owned(), |key| key.to_string()[..16].to_owned());
        format_smolstr!("{}.{}.{tier}.{custody}.", self.round, self.stage)
    }
}

/// All rungs that are true of a case: those that could be told before the end of their clock, in the order in which
/// they fall due.
///
/// A clock that is held without an end, or was submitted in time and waits for review, has none from then on. An
/// acknowledgement ends the ladder of the alarm that it names: rungs that could be told only later are not raised.
pub fn alarms(view: &View, rulebook: &Rulebook) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for clock in &view.clocks {
        let policy = clock.policy.as_ref().and_then(|id| rulebook.policy(id));
        if let Some(policy) = policy.filter(|policy| !policy.alarms.is_empty()) {
            of_clock(view, clock, policy, rulebook, &mut alarms);
        }
    }
    end_acknowledged(view, &mut alarms);
    // Of a ladder those that fall due at once stay in its order.
    alarms.sort_by(|a, b| (a.at, a.round, &a.stage).cmp(&(b.at, b.round, &b.stage)));
    // Two clocks of one stage may have one deadline, as where the same supervision comes again: it is told once.
    let mut seen = std::collections::BTreeSet::new();
    alarms.retain(|alarm| seen.insert(alarm.id()));
    alarms
}

fn of_clock(view: &View, clock: &Clock, policy: &Policy, rulebook: &Rulebook, alarms: &mut Vec<Alarm>) {
    let round = &view.rounds[clock.round];
    let calendar = rulebook.calendar_for(policy, &clock.region);
    let (Some(start_at), Some(due_at)) = (clock.start_at, clock.due_at()) else { return };
    let end =
        [clock.stop.map(|(at, _)| at), clock.ended_at, clock.in_review_since].into_iter().flatten().min();
    for (place, rung) in policy.alarms.iter().enumerate() {
        let Some(at) = falls_due(rung, clock, policy, calendar) else { continue };
        // What would be told before the clock has started is told at its start.
        let at = at.max(start_at);
        let deliver_at = deliverable(rung, clock.tier, at, calendar, rulebook);
        // What is over when it could be told is no news any more.
        if end.is_some_and(|end| end <= deliver_at) {
            continue;
        }
        alarms.push(Alarm {
            round: round.number,
            stage: clock.stage.clone(),
            tier: clock.tier,
            custody: clock.custody.map(|place| round.steps[round.custodies[place].opening].key),
            rung: rung.name.clone(),
            place,
            due_at,
            at,
            deliver_at,
            level: rung.level,
            to: rung.to.clone().or_else(|| answers(clock, round, at)).or_else(|| view.office.clone()),
            is_over: end.is_some(),
        });
    }
}

/// How often office hours and quiet hours are asked in turn. Where the office is open in quiet hours only, they never
/// agree: then it is told when these end first.
const TURNS_MAX: usize = 16;

/// Quiet hours hold back everything but that a statutory deadline has passed; what is for office hours is told in these, also
/// where it waited for quiet hours to end.
fn deliverable(
    rung: &Rung,
    tier: Tier,
    at: Timestamp,
    calendar: &Calendar,
    rulebook: &Rulebook,
) -> Timestamp {
    let opens = |at| if rung.office_hours { calendar.next_opening(at) } else { at };
    let is_critical = rung.level == Level::Breach && tier == Tier::Statutory;
    let Some(quiet) = rulebook.quiet_hours.as_ref().filter(|_| !is_critical) else { return opens(at) };
    let later = |at: &Timestamp| Some(quiet.next_end(opens(*at), &rulebook.timezone));
    let turns = || std::iter::successors(Some(at), later).skip(1).take(TURNS_MAX);
    turns().find(|at| later(at) == Some(*at)).or_else(|| turns().next()).unwrap_or(at)
}

/// Who answers for a clock at the instant of a rung: for a clock of the case whoever leads then.
fn answers(clock: &Clock, round: &Round, at: Timestamp) -> Option<Code> {
    let leads_then = || round.lead_before(at).map(|lead| lead.department.clone());
    let moves = clock.custody.is_none() && !clock.is_of_office();
    if moves { leads_then().or_else(|| clock.department.clone()) } else { clock.department.clone() }
}

/// Spans are counted from the last instant in time, so that five working days after a Friday's end are the end of
/// the next Friday; hours used up at 24:00, too, end on that day.
fn falls_due(rung: &Rung, clock: &Clock, policy: &Policy, calendar: &Calendar) -> Option<Timestamp> {
    let deadline = clock.deadline.as_ref()?;
    let due_at = deadline.due_at?;
    let is_day_end = deadline.due_on.is_some_and(|due_on| Day::of(due_on) < calendar.local(due_at).0);
    // 24:00 is a day's end, not the last instant before it.
    let rest = SignedDuration::from_micros(i64::from(is_day_end));
    let last_moment = due_at.checked_sub(rest).ok()?;
    // Hours of a calendar are as many before 24:00 as before that instant, and end when they end.
    let of_calendar = |span| matches!(span, Span::Counted(_, Unit::WorkingHour | Unit::RoundClockHour));
    match rung.at {
        RungAt::Before(span) if of_calendar(span) => Some(span.before(due_at, calendar)),
        RungAt::After(span) if of_calendar(span) => Some(span.after(due_at, calendar)),
        RungAt::Percent(percent) => {
            let limit = clock.limit(policy, calendar)?;
            share_reached(&limit, clock.start_at?, &clock.holds, &clock.extensions, percent)
        }
        RungAt::Before(span) => {
            span.before(last_working(span, last_moment, calendar), calendar).checked_add(rest).ok()
        }
        RungAt::After(span) => span.after(last_moment, calendar).checked_add(rest).ok(),
    }
}

/// Working days are counted back from the last working day: one working day before the end of a Sunday begins the
/// Friday, not the Saturday.
fn last_working(span: Span, last_moment: Timestamp, calendar: &Calendar) -> Timestamp {
    let day = calendar.local(last_moment).0;
    match span {
        Span::Counted(_, unit @ Unit::WorkingDay) if !calendar.is_working(day) => {
            calendar.before(last_moment, 1, unit)
        }
        _ => last_moment,
    }
}

/// Takes away the rungs that an acknowledgement came before.
fn end_acknowledged(view: &View, alarms: &mut Vec<Alarm>) {
    let acknowledged =
        view.rounds.iter().flat_map(|round| &round.steps).filter_map(|step| match &step.body {
            Body::Acknowledged { alarm } => Some((step.counted_at, alarm)),
            _ => None,
        });
    let ends: Vec<(Timestamp, Timestamp, SmolStr)> = acknowledged
        .filter_map(|(at, id)| {
            let named = alarms.iter().find(|alarm| alarm.is_called(id) && alarm.at <= at)?;
            Some((at, named.due_at, named.ladder()))
        })
        .collect();
    if !ends.is_empty() {
        // A clock of the same stage that began later, or a deadline that moved, has a ladder of its own.
        alarms.retain(|alarm| {
            let is_ended = |(at, due_at, ladder): &(Timestamp, Timestamp, SmolStr)| {
                *at < alarm.deliver_at && *due_at == alarm.due_at && *ladder == alarm.ladder()
            };
            !ends.iter().any(is_ended)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::fold::samples::{CASE, PLATFORM, POLICIES, case, life, local, rulebook};

    const LADDER: &str = r#"basis = "sample"
alarms = [{ at = "50%", level = "notice" }, { before = "1 working_day", level = "warning" }, { after = "0 hour", level = "breach" }, { after = "5 working_day", level = "escalation", to = "HL", deliver = "office_hours" }]
"#;

    fn shown(policies: &str, text: &str) -> Vec<String> {
        let rulebook = rulebook(policies);
        let view = fold(CASE, &case(life(text), &rulebook), &rulebook);
        alarms(&view, &rulebook)
            .iter()
            .map(|alarm| {
                let (at, to) = (local(alarm.at), alarm.to.as_deref().unwrap_or("-"));
                let waits = if alarm.deliver_at > alarm.at {
                    format!(", told {}", local(alarm.deliver_at))
                } else {
                    String::new()
                };
                format!("{} {at} to {to}{waits}", alarm.level.name())
            })
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        check_under(&POLICIES.replacen("basis = \"sample\"\n", LADDER, 1), text, expect);
    }

    #[track_caller]
    fn check_under(policies: &str, text: &str, expect: &[&str]) {
        assert_eq!(shown(policies, text), expect);
    }

    const DISPATCHED: &str = "09-21 09:00 received\n09-21 09:30 dispatched D1\n";

    #[test]
    fn a_ladder_climbs_on_working_days() {
        // Ten working days from 21 September end with 12 October; half of them with 29 September.
        check(
            DISPATCHED,
            &[
                "notice 09-30 00:00 to D1",
                "warning 10-11 00:00 to D1",
                "breach 10-13 00:00 to D1",
                "escalation 10-20 00:00 to HL, told 10-20 08:30",
            ],
        );
    }

    #[test]
    fn before_a_rest_day_a_working_day_is_counted_from_the_last_working_day() {
        // Five days after Monday 21 September end with Saturday 26, and Friday 25 is a festival.
        let policies = POLICIES
            .replacen("limit = 10\nunit = \"working_day\"", "limit = 5\nunit = \"calendar_day\"", 1)
            .replacen(
                "basis = \"sample\"\n",
                "alarms = [{ before = \"1 working_day\", level = \"warning\" }]\nbasis = \"sample\"\n",
                1,
            );
        check_under(&policies, DISPATCHED, &["warning 09-24 00:00 to D1"]);
    }

    #[test]
    fn office_hours_are_counted_back_and_on_from_the_end_of_the_day() {
        let policies = POLICIES.replacen(
            "basis = \"sample\"\n",
            "alarms = [{ before = \"2 working_hour\", level = \"warning\" }, { after = \"2 working_hour\", level = \"escalation\" }]\nbasis = \"sample\"\n",
            1,
        );
        check_under(&policies, DISPATCHED, &["warning 10-12 15:30 to D1", "escalation 10-13 10:30 to D1"]);
        let rulebook = rulebook(&policies);
        let view = fold(CASE, &case(life(DISPATCHED), &rulebook), &rulebook);
        let whole = |alarm: &Alarm| alarm.at.as_microsecond() % 1_000_000 == 0;
        assert!(alarms(&view, &rulebook).iter().all(whole), "to the second");
    }

    #[test]
    fn hours_used_up_at_the_end_of_a_day_end_on_that_day() {
        // 24 working hours of the day from 00:00 of a Monday are used up at its 24:00.
        let sign = "alarms = [{ before = \"1 working_day\", level = \"warning\" }, { after = \"1 working_day\", level = \"escalation\" }]\nbasis = \"sample\"\n";
        let policies = POLICIES.replace(
            "unit = \"round_clock_hour\"\nbasis = \"sample\"\n",
            &format!("unit = \"round_clock_hour\"\n{sign}"),
        );
        check_under(
            &policies,
            "09-21 00:00 received\n09-21 00:00 dispatched D1\n",
            &["warning 09-21 00:00 to D1", "escalation 09-23 00:00 to D1"],
        );
    }

    #[test]
    fn what_stops_the_clock_stops_the_ladder() {
        check(&format!("{DISPATCHED}09-30 10:00 closed D1"), &["notice 09-30 00:00 to D1"]);
        check(&format!("{DISPATCHED}09-28 10:00 closed D1"), &[]);
    }

    #[test]
    fn under_review_nothing_is_told_until_the_closing_is_refused() {
        check(&format!("{DISPATCHED}09-30 10:00 submitted D1"), &["notice 09-30 00:00 to D1"]);
        let refused = format!("{DISPATCHED}09-30 10:00 submitted D1\n10-08 10:00 close_refused D1");
        assert_eq!(shown(&POLICIES.replacen("basis = \"sample\"\n", LADDER, 1), &refused).len(), 4);
    }

    #[test]
    fn what_ends_under_review_was_not_due_meanwhile() {
        for end in ["withdrawn", "merged", "returned D1"] {
            check(
                &format!("{DISPATCHED}09-30 10:00 submitted D1\n10-20 10:00 {end}"),
                &["notice 09-30 00:00 to D1"],
            );
        }
    }

    #[test]
    fn a_percentage_is_of_all_that_is_counted_with_an_extension() {
        let rule = "extension = { times_max = 1, each_max = 10, unit = \"working_day\", ask_by = \"17:00\" }";
        let check = |extension: &str, text: &str, notice: &str| {
            let ladder = "alarms = [{ at = \"50%\", level = \"notice\" }]\nbasis = \"sample\"\n";
            let policies = POLICIES.replacen(rule, extension, 1).replacen("basis = \"sample\"\n", ladder, 1);
            let text = format!("{DISPATCHED}{text}");
            assert_eq!(shown(&policies, &text), [format!("notice {notice} to D1")], "{extension}");
        };
        // Twenty working days; sixteen from the start; eight up to the grant and eight from there on.
        check("extension = {}", "10-09 16:00 extended 10-working_day", "10-13 00:00");
        check("extension = { from = \"start\" }", "10-09 16:00 extended 16-working_day", "10-10 00:00");
        check("extension = { from = \"grant\" }", "10-09 16:00 extended 8-working_day", "10-10 00:00");
    }

    #[test]
    fn a_hold_without_an_end_has_no_ladder_and_a_released_one_moves_it() {
        check(&format!("{DISPATCHED}09-22 10:00 held inspection"), &[]);
        check(
            &format!("{DISPATCHED}09-22 10:00 held inspection\n09-24 10:00 released inspection"),
            &[
                "notice 10-09 00:00 to D1",
                "warning 10-14 00:00 to D1",
                "breach 10-15 00:00 to D1",
                "escalation 10-22 00:00 to HL, told 10-22 08:30",
            ],
        );
    }

    #[test]
    fn an_acknowledgement_ends_the_ladder_it_names() {
        let due_at = crate::fold::samples::at("10-13 00:00").as_second();
        let text = |custody: &str| {
            format!("{DISPATCHED}10-14 09:00 acknowledged 1.close.statutory.{custody}.b+0h.{due_at}")
        };
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1);
        let custody = &dispatch_key("09-21 09:30 dispatched D1")[..16];
        assert_eq!(shown(&policies, &text(custody)).len(), 3, "no escalation after it");
        assert_eq!(shown(&policies, &text("0123456789abcdef")).len(), 4, "another custody's ladder goes on");
        // A dispatch that comes in late, from before, leaves the names as they are; its clock passes on.
        let late = "09-21 09:10 dispatched D2";
        assert_eq!(shown(&policies, &format!("{late}\n{}", text(custody))).len(), 3);
    }

    fn dispatch_key(line: &str) -> String {
        EventKey::of(PLATFORM, line).to_string()
    }

    #[test]
    fn each_rung_of_a_case_clock_tells_whoever_leads_by_then() {
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1).replacen(
            "scope = \"custody\"\n",
            "scope = \"case\"\n",
            1,
        );
        check_under(
            &policies,
            &format!("{DISPATCHED}10-09 10:00 dispatched D2"),
            &[
                "notice 09-30 00:00 to D1",
                "warning 10-11 00:00 to D2",
                "breach 10-13 00:00 to D2",
                "escalation 10-20 00:00 to HL, told 10-20 08:30",
            ],
        );
    }

    #[test]
    fn a_percentage_of_hours_is_time_and_of_an_odd_number_of_days_half_a_day() {
        let sign = "alarms = [{ at = \"50%\", level = \"notice\" }]\nbasis = \"sample\"\n";
        let policies = POLICIES.replace(
            "unit = \"round_clock_hour\"\nbasis = \"sample\"\n",
            &format!("unit = \"round_clock_hour\"\n{sign}"),
        );
        check_under(&policies, DISPATCHED, &["notice 09-21 21:30 to D1"]);
        let policies =
            POLICIES.replacen("limit = 10\n", "limit = 3\n", 1).replacen("basis = \"sample\"\n", sign, 1);
        check_under(&policies, DISPATCHED, &["notice 09-23 12:00 to D1"]);
    }
}
