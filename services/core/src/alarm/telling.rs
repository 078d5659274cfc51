//! What is to be told of a case now: the difference between the alarms that are true of it and those that were told.
//!
//! Guarantees: a rung is raised once for a given deadline as long as it stays true; one that is true no longer is
//! withdrawn once, with its reason; what fell due more than [`LATE_MAX`] before its cause was known is noted and not
//! told, so that old events that come in late are quiet, and so is a warning of work that is done by then, unless the rung
//! was told before: who heard of it hears the rest. Telling twice in a row tells nothing the second time.

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::{Alarm, alarms};
use crate::case::CaseFacts;
use crate::fold::{Clock, View, fold};
use crate::rulebook::{Level, Rulebook};

/// How long after a rung fell due the facts that cause it may come in.
pub const LATE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What was done about a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    Raised,
    /// Noted and not told.
    Missed,
    Withdrawn(Withdrawal),
}

/// Why a rung that was raised is true no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// Its clock was stopped before the rung, as came out later.
    Stopped,
    /// The work was submitted before the rung and waits for review.
    Submitted,
    /// Its clock has another deadline.
    DeadlineMoved,
    /// Its clock is held without an end.
    Held,
    /// There is no such clock any more.
    ClockGone,
    /// The rung falls due later, or no more.
    RungMoved,
}

impl Telling {
    /// The word under which it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Telling::Raised => "raised",
            Telling::Missed => "missed",
            Telling::Withdrawn(_) => "withdrawn",
        }
    }
}

impl Withdrawal {
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Submitted, Self::DeadlineMoved, Self::Held, Self::ClockGone, Self::RungMoved];

    pub fn code(self) -> &'static str {
        match self {
            Withdrawal::Stopped => "stopped",
            Withdrawal::Submitted => "submitted",
            Withdrawal::DeadlineMoved => "deadline_moved",
            Withdrawal::Held => "held",
            Withdrawal::ClockGone => "clock_gone",
            Withdrawal::RungMoved => "rung_moved",
        }
    }
}

/// A rung that was told, or noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub alarm: Alarm,
    /// Counts what was told of this rung for this deadline: odd raised or missed, even withdrawn.
    pub n: u16,
    pub telling: Telling,
}

impl Told {
    /// The number of the rung's next telling that is odd: nobody is told that what was missed is withdrawn.
    fn next_true(&self) -> u16 {
        self.n + if self.telling == Telling::Missed { 2 } else { 1 }
    }
}

/// What is to be done about a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To be stored, and told unless missed; withdrawals first.
    pub tellings: Vec<Told>,
    /// When the next rung is to be told.
    pub next: Option<Timestamp>,
    /// Something that was raised stands, so that whatever changes the ladder must be looked at.
    pub stands: bool,
    /// The hash of the ladder that was looked at.
    pub ladder: i64,
}

/// When somebody looks, and from when on alarms are told at all.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub now: Timestamp,
    /// What could be told before is noted only.
    pub from: Timestamp,
}

/// Compares the alarms that are true of a case with what was `told` last of each rung.
pub fn due(
    (case, facts): (&str, &CaseFacts),
    view: &View,
    rulebook: &Rulebook,
    told: &[Told],
    When { now, from }: When,
) -> Due {
    let ladder = alarms(view, rulebook);
    let last = |alarm: &Alarm| {
        let exactly = told.iter().find(|told| told.alarm.id() == alarm.id());
        exactly.or_else(|| told.iter().find(|told| alarm.is_called(&told.alarm.id())))
    };
    let mut due = Due { ladder: ladder_hash(&ladder), ..Due::default() };
    for before in told {
        if before.telling != Telling::Raised {
            continue;
        }
        let id = before.alarm.id();
        // Whose clock is a little behind the one by which it was told takes nothing back.
        let is_true =
            |alarm: &&Alarm| alarm.is_called(&id) && (alarm.at <= now || alarm.at == before.alarm.at);
        if ladder.iter().any(|alarm| is_true(&alarm)) {
            due.stands = true;
        } else {
            let why = Telling::Withdrawn(why_withdrawn(&before.alarm, view));
            due.tellings.push(Told { alarm: before.alarm.clone(), n: before.n + 1, telling: why });
        }
    }
    let mut known = Known { case, facts, rulebook, at: Vec::new() };
    let withdrawn_now: Vec<SmolStr> = due.tellings.iter().map(|told| told.alarm.id()).collect();
    for alarm in ladder {
        let before = last(&alarm);
        let is_told = before.is_some_and(|before| match before.telling {
            Telling::Raised => true,
            // It falls due anew.
            Telling::Missed => alarm.at <= before.alarm.at,
            Telling::Withdrawn(_) => false,
        });
        // One that is withdrawn just now, since it falls due later, is slept for like any other.
        if is_told && !withdrawn_now.iter().any(|id| alarm.is_called(id)) {
            continue;
        }
        if alarm.deliver_at > now {
            due.next = Some(due.next.map_or(alarm.deliver_at, |next| next.min(alarm.deliver_at)));
            continue;
        }
        // Who was told of the rung, and perhaps that it is withdrawn, must know that it is true.
        let was_heard =
            told.iter().any(|told| told.telling != Telling::Missed && told.alarm.is_rung_of(&alarm));
        let is_idle = alarm.is_over && matches!(alarm.level, Level::Notice | Level::Warning);
        let is_news = was_heard || (!is_idle && alarm.deliver_at >= from && known.in_time(&alarm, now));
        due.stands |= is_news;
        let telling = if is_news { Telling::Raised } else { Telling::Missed };
        // Under its new name it is counted anew.
        let before = before.filter(|before| before.alarm.id() == alarm.id());
        due.tellings.push(Told { n: before.map_or(1, Told::next_true), alarm, telling });
    }
    due
}

/// A hash of a ladder: while it stays the same, nothing has to be told at another time or not any more.
pub fn ladder_hash(ladder: &[Alarm]) -> i64 {
    use sha2::{Digest as _, Sha256};
    if ladder.is_empty() {
        return 0;
    }
    let mut hasher = Sha256::new();
    for alarm in ladder {
        hasher.update(alarm.id());
        hasher.update(alarm.deliver_at.as_microsecond().to_be_bytes());
    }
    let hash = hasher.finalize();
    i64::from_be_bytes(hash[..8].try_into().expect("eight bytes")) | 1
}

/// Which rungs were known in time: those that the facts received by then caused.
struct Known<'f> {
    case: &'f str,
    facts: &'f CaseFacts,
    rulebook: &'f Rulebook,
    /// The ids that were true by an instant, as far as anybody asked.
    at: Vec<(Timestamp, Vec<SmolStr>)>,
}

impl Known<'_> {
    fn in_time(&mut self, alarm: &Alarm, now: Timestamp) -> bool {
        let Ok(until) = alarm.at.checked_add(LATE_MAX) else { return true };
        let (first, last) = self.facts.receipts();
        if now <= until || last.is_none_or(|last| last <= until) {
            return true;
        }
        if first.is_some_and(|first| first > until) {
            return false;
        }
        if !self.at.iter().any(|(at, _)| *at == until) {
            let facts = self.facts.known_by(until);
            let ladder = alarms(&fold(self.case, &facts, self.rulebook), self.rulebook);
            self.at.push((until, ladder.iter().map(Alarm::id).collect()));
        }
        let id = alarm.id();
        self.at.iter().any(|(at, ids)| *at == until && ids.contains(&id))
    }
}

fn why_withdrawn(alarm: &Alarm, view: &View) -> Withdrawal {
    let is_same = |clock: &&Clock| {
        let round = &view.rounds[clock.round];
        let custody = clock.custody.map(|place| round.steps[round.custodies[place].opening].key);
        round.number == alarm.round
            && clock.stage == alarm.stage
            && clock.tier == alarm.tier
            && custody == alarm.custody
            // What says that a policy gave no clock is none.
            && clock.start_at.is_some()
    };
    let clocks: Vec<&Clock> = view.clocks.iter().filter(is_same).collect();
    let same_deadline = |clock: &&&Clock| clock.due_at() == Some(alarm.due_at);
    let Some(clock) = clocks.iter().find(same_deadline).or(clocks.first()) else {
        return Withdrawal::ClockGone;
    };
    match clock.due_at() {
        None => Withdrawal::Held,
        Some(due_at) if due_at != alarm.due_at => Withdrawal::DeadlineMoved,
        Some(_) => {
            let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= alarm.deliver_at);
            if is_over(clock.stop.map(|(at, _)| at)) || is_over(clock.ended_at) {
                Withdrawal::Stopped
            } else if is_over(clock.in_review_since) {
                Withdrawal::Submitted
            } else {
                Withdrawal::RungMoved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::samples::{CASE, POLICIES, at, case, fact, local, rulebook, rulebook_with};

    const LADDER: &str = r#"basis = "sample"
alarms = [{ at = "50%", level = "notice" }, { before = "1 working_day", level = "warning" }, { after = "0 hour", level = "breach" }, { after = "5 working_day", level = "escalation", to = "HL", deliver = "office_hours" }]
"#;
    const DISPATCHED: &str = "09-21 09:00 received\n09-21 09:30 dispatched D1";
    const QUIET: &[(&str, &str)] = &[(
        "rulebook.toml",
        "name = \"q\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n[quiet_hours]\nfrom = \"22:00\"\nuntil = \"07:00\"\n",
    )];

    /// A source that may enter things late.
    const TRUSTING: &[(&str, &str)] = &[(
        "sources/s.toml",
        "[[source]]\nid = \"/hotline/12345/test\"\nhotline = \"12345\"\nname = \"t\"\ndispatch = \"hotline\"\nlate_stop = \"claimed\"\n",
    )];

    fn always(now: Timestamp) -> When {
        When { now, from: Timestamp::MIN }
    }

    fn ladder() -> Rulebook {
        rulebook(&POLICIES.replacen("basis = \"sample\"\n", LADDER, 1))
    }

    /// What is told of a case whose facts come in when they happen, or at `recorded=`: somebody looks at every receipt,
    /// whenever something is due, and once more at `until`.
    fn told(rulebook: &Rulebook, text: &str, until: &str) -> Vec<String> {
        let mut facts: Vec<_> = text.lines().map(fact).collect();
        for fact in &mut facts {
            fact.received_at = fact.received_at.or(Some(fact.claimed_at));
        }
        let mut looks: Vec<Timestamp> = facts.iter().filter_map(|fact| fact.received_at).collect();
        looks.push(at(until));
        let (mut stored, mut shown) = (Vec::<Told>::new(), Vec::new());
        while let Some(now) = looks.iter().min().copied() {
            looks.retain(|look| *look != now);
            if now > at(until) {
                break;
            }
            let known = facts.iter().filter(|fact| fact.received_at <= Some(now)).cloned();
            let case = case(known, rulebook);
            let view = fold(CASE, &case, rulebook);
            let due_now = due((CASE, &case), &view, rulebook, &stored, always(now));
            for told in due_now.tellings {
                let why = match told.telling {
                    Telling::Withdrawn(why) => format!(" {}", why.code()),
                    _ => String::new(),
                };
                let (level, what) = (told.alarm.level.name(), told.telling.name());
                shown.push(format!("{} {level} {what}{why} {}", local(now), told.n));
                stored.retain(|before| before.alarm.id() != told.alarm.id());
                stored.push(told);
            }
            let again = due((CASE, &case), &view, rulebook, &stored, always(now));
            assert_eq!(again.tellings, [], "the second time nothing is new");
            assert_eq!((again.next, again.stands), (due_now.next, due_now.stands));
            looks.extend(again.next);
        }
        shown
    }

    #[test]
    fn a_ladder_is_told_once_and_stops_with_its_clock() {
        let all = [
            "09-30 00:00 notice raised 1",
            "10-11 00:00 warning raised 1",
            "10-13 00:00 breach raised 1",
            "10-20 08:30 escalation raised 1",
        ];
        assert_eq!(told(&ladder(), DISPATCHED, "12-01 00:00"), all);
        let closed = format!("{DISPATCHED}\n10-14 09:00 closed D1");
        assert_eq!(told(&ladder(), &closed, "12-01 00:00"), all[..3]);
    }

    #[test]
    fn an_extension_withdraws_what_was_told_and_arms_the_new_deadline() {
        let text = format!(
            "{DISPATCHED}\n10-12 16:00 extension_requested 5-working_day\n10-12 16:30 extended 5-working_day"
        );
        let told = told(&ladder(), &text, "12-01 00:00");
        assert!(told.contains(&"10-12 16:30 warning withdrawn deadline_moved 2".to_owned()), "{told:#?}");
        assert!(told.iter().any(|line| line.ends_with("breach raised 1")), "{told:#?}");
        assert!(!told.iter().any(|line| line.starts_with("10-13")), "{told:#?}");
    }

    #[test]
    fn a_closing_that_comes_in_late_withdraws_the_breach() {
        let text = format!("{DISPATCHED}\n10-12 17:00 closed D1 recorded=10-13T09:00");
        let told = told(&ladder(), &text, "12-01 00:00");
        assert_eq!(told.last().map(String::as_str), Some("10-13 09:00 breach withdrawn stopped 2"));
    }

    #[test]
    fn a_hold_withdraws_and_its_release_arms_again() {
        let held = format!("{DISPATCHED}\n10-10 09:00 held inspection");
        let shown = told(&ladder(), &held, "12-01 00:00");
        assert_eq!(shown, ["09-30 00:00 notice raised 1", "10-10 09:00 notice withdrawn held 2"]);
        let released = format!("{held}\n10-10 10:00 released inspection");
        let shown = told(&ladder(), &released, "10-10 23:00");
        assert_eq!(
            shown.last().map(String::as_str),
            Some("10-10 10:00 notice raised 3"),
            "the same day: {shown:#?}"
        );
    }

    #[test]
    fn what_is_withdrawn_since_it_falls_due_later_is_told_then() {
        let ladder = r#"restart = ["supplemented"]
basis = "sample"
alarms = [{ at = "50%", level = "notice" }]
"#;
        let rulebook = rulebook(&POLICIES.replacen("basis = \"sample\"\n", ladder, 1));
        let text =
            "09-21 09:00 received\n09-21 09:30 dispatched D1 due=09-25T09:30\n09-23 10:00 supplemented";
        assert_eq!(
            told(&rulebook, text, "12-01 00:00"),
            [
                "09-23 09:30 notice raised 1",
                "09-23 10:00 notice withdrawn rung_moved 2",
                "09-24 09:45 notice raised 3",
            ]
        );
    }

    #[test]
    fn who_was_told_that_it_is_withdrawn_is_told_that_it_is_true_again_however_late() {
        let text = format!(
            "{DISPATCHED}\n10-12 17:00 closed D1 id=c recorded=10-13T09:00\n10-17 09:00 corrected closed target=c void=1"
        );
        let told = told(&ladder(), &text, "10-18 00:00");
        assert_eq!(
            told[2..],
            [
                "10-13 00:00 breach raised 1",
                "10-13 09:00 breach withdrawn stopped 2",
                "10-17 09:00 breach raised 3",
            ],
            "{told:#?}"
        );
    }

    #[test]
    fn a_deadline_that_moves_and_is_over_all_the_same_is_told_to_who_heard_of_the_old_one() {
        let text = format!(
            "{DISPATCHED}\n10-12 16:00 extension_requested 1-working_day\n10-17 09:00 extended 1-working_day"
        );
        let told = told(&ladder(), &text, "10-18 00:00");
        assert!(told.contains(&"10-17 09:00 breach withdrawn deadline_moved 2".to_owned()), "{told:#?}");
        assert!(told.contains(&"10-17 09:00 breach raised 1".to_owned()), "{told:#?}");
    }

    #[test]
    fn what_was_missed_and_falls_due_anew_is_told_then() {
        let ladder = "restart = [\"supplemented\"]\nbasis = \"sample\"\nalarms = [{ at = \"50%\", level = \"notice\" }]\n";
        let policies = POLICIES.replacen("basis = \"sample\"\n", ladder, 1);
        let rulebook = rulebook_with(&policies, TRUSTING);
        let text = "09-01 09:00 received recorded=09-22T08:00\n\
                    09-01 09:30 dispatched D1 due=09-25T09:30 recorded=09-22T08:00\n09-23 10:00 supplemented";
        assert_eq!(
            told(&rulebook, text, "12-01 00:00"),
            ["09-22 08:00 notice missed 1", "09-24 09:45 notice raised 3"]
        );
    }

    #[test]
    fn nobody_is_warned_of_work_that_is_done() {
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1);
        let rulebook = rulebook_with(&policies, TRUSTING);
        let closed = |at: &str, receipt: &str| {
            let text =
                format!("09-21 09:00 received\n09-21 09:30 dispatched D1\n{at} closed D1 recorded={receipt}");
            told(&rulebook, &text, "10-14 00:00")
        };
        let whole = |at: &str, receipt: &str| {
            let text = format!(
                "09-21 09:00 received recorded={receipt}\n09-21 09:30 dispatched D1 recorded={receipt}\n\
                 {at} closed D1 recorded={receipt}"
            );
            told(&rulebook, &text, "10-14 00:00")
        };
        let in_time = whole("10-11 11:00", "10-11T12:00");
        assert_eq!(in_time.last().map(String::as_str), Some("10-11 12:00 warning missed 1"), "{in_time:#?}");
        let late = whole("10-13 11:00", "10-13T12:00");
        assert_eq!(late.last().map(String::as_str), Some("10-13 12:00 breach raised 1"), "{late:#?}");
        let told_before = closed("10-11 11:00", "10-11T12:00");
        assert!(told_before.contains(&"10-11 00:00 warning raised 1".to_owned()), "{told_before:#?}");
    }

    #[test]
    fn an_activation_swallows_nothing_that_waits_for_office_hours() {
        let rulebook = ladder();
        let case = case(DISPATCHED.lines().map(fact), &rulebook);
        let view = fold(CASE, &case, &rulebook);
        let escalation = alarms(&view, &rulebook).pop().expect("the last rung");
        let tellings = |from: Timestamp| {
            let when = When { now: escalation.deliver_at, from };
            let due = due((CASE, &case), &view, &rulebook, &[], when);
            due.tellings.last().map(|told| told.telling)
        };
        let waits = escalation.deliver_at.duration_since(escalation.at);
        assert!(waits > SignedDuration::ZERO);
        assert_eq!(tellings(escalation.deliver_at), Some(Telling::Raised));
        assert_eq!(
            tellings(escalation.deliver_at + SignedDuration::from_secs(1)),
            Some(Telling::Missed),
            "it could be told before"
        );
    }

    #[test]
    fn an_acknowledgement_reaches_what_waits_for_office_hours() {
        let rulebook = ladder();
        let view = fold(CASE, &case(DISPATCHED.lines().map(fact), &rulebook), &rulebook);
        let all = alarms(&view, &rulebook);
        let [.., breach, escalation] = all.as_slice() else { unreachable!("a ladder of four") };
        let at = escalation.at + SignedDuration::from_secs(60);
        assert!(at < escalation.deliver_at);
        let mut facts: Vec<_> = DISPATCHED.lines().map(fact).collect();
        let mut acknowledged = fact("10-14 09:00 acknowledged x");
        acknowledged.claimed_at = at;
        acknowledged.body = crate::fact::Body::Acknowledged { alarm: breach.id() };
        facts.push(acknowledged);
        let view = fold(CASE, &case(facts, &rulebook), &rulebook);
        assert_eq!(alarms(&view, &rulebook).len(), all.len() - 1);
    }

    #[test]
    fn a_clock_that_never_began_is_gone_and_not_held() {
        const VERIFY: &str = r#"
[[policy]]
id = "verify"
calendar = "cn"
match = { hotline = "12345" }
stage = "verify"
start = "accepted"
stop = ["verified"]
limit = 1
unit = "working_day"
alarms = [{ after = "0 hour", level = "breach" }]
basis = "sample"
"#;
        let rulebook = rulebook(&format!("{POLICIES}{VERIFY}"));
        let text = format!(
            "{DISPATCHED}\n09-21 10:00 accepted D1 id=a\n09-23 09:00 corrected accepted target=a void=1"
        );
        assert_eq!(
            told(&rulebook, &text, "12-01 00:00"),
            ["09-23 00:00 breach raised 1", "09-23 09:00 breach withdrawn clock_gone 2"]
        );
    }

    #[test]
    fn what_comes_in_long_after_is_noted_and_not_told() {
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1);
        let rulebook = rulebook_with(&policies, TRUSTING);
        let late = |receipt: &str| {
            let text = format!(
                "09-21 09:00 received recorded={receipt}\n09-21 09:30 dispatched D1 recorded={receipt}"
            );
            told(&rulebook, &text, "12-31 00:00")
        };
        let all = late("12-01T09:00");
        assert_eq!(all.len(), 4);
        assert!(
            all.iter().all(|line| line.starts_with("12-01 09:00") && line.ends_with(" missed 1")),
            "{all:#?}"
        );
        // Within a day of the breach it is still news.
        let shown = late("10-13T23:00");
        assert_eq!(
            shown,
            [
                "10-13 23:00 notice missed 1",
                "10-13 23:00 warning missed 1",
                "10-13 23:00 breach raised 1",
                "10-20 08:30 escalation raised 1",
            ]
        );
    }

    #[test]
    fn who_tells_late_tells_all_the_same_where_the_cause_was_known() {
        let rulebook = ladder();
        let mut facts: Vec<_> = format!("{DISPATCHED}\n10-20 09:00 urged").lines().map(fact).collect();
        for fact in &mut facts {
            fact.received_at = Some(fact.claimed_at);
        }
        let case = case(facts, &rulebook);
        let view = fold(CASE, &case, &rulebook);
        let due = due((CASE, &case), &view, &rulebook, &[], always(at("10-19 12:00")));
        assert_eq!(due.tellings.len(), 3);
        assert!(due.tellings.iter().all(|told| told.telling == Telling::Raised), "{due:#?}");
        assert_eq!(due.next.map(local).as_deref(), Some("10-20 08:30"));
    }

    #[test]
    fn a_rung_put_before_others_by_another_rulebook_tells_itself_and_nothing_again() {
        let before = ladder();
        let more = LADDER.replacen(
            "{ before = \"1 working_day\"",
            "{ before = \"3 working_day\", level = \"warning\" }, { before = \"1 working_day\"",
            1,
        );
        let after = rulebook(&POLICIES.replacen("basis = \"sample\"\n", &more, 1));
        let facts = case(DISPATCHED.lines().map(fact), &before);
        let now = at("10-12 12:00");
        let told = due((CASE, &facts), &fold(CASE, &facts, &before), &before, &[], always(now)).tellings;
        assert_eq!(told.len(), 2, "a notice and a warning");
        let again = due((CASE, &facts), &fold(CASE, &facts, &after), &after, &told, always(now)).tellings;
        let names: Vec<_> =
            again.iter().map(|told| (told.alarm.rung.as_str(), told.telling.name())).collect();
        assert_eq!(names, [("w-3wd", "raised")]);
    }

    #[test]
    fn what_was_told_by_its_place_in_the_ladder_is_told_all_the_same() {
        let rulebook = ladder();
        let facts = case(DISPATCHED.lines().map(fact), &rulebook);
        let view = fold(CASE, &facts, &rulebook);
        let look = |view: &View, told: &[Told], now: &str| {
            due((CASE, &facts), view, &rulebook, told, always(at(now))).tellings
        };
        let mut told = look(&view, &[], "10-12 12:00");
        for one in &mut told {
            one.alarm.rung = one.alarm.place.to_string().into();
        }
        assert_eq!(look(&view, &told, "10-12 13:00"), [], "the notice and the warning were told");
        let names: Vec<_> =
            look(&view, &told, "10-13 00:00").into_iter().map(|told| told.alarm.rung).collect();
        assert_eq!(names, ["b+0h"], "the next is new");
        let id = told[1].alarm.id();
        let text = format!("{DISPATCHED}\n10-12 14:00 acknowledged {id}");
        let acknowledged = fold(CASE, &case(text.lines().map(fact), &rulebook), &rulebook);
        assert_eq!(
            look(&acknowledged, &told, "10-13 00:00"),
            [],
            "an acknowledgement by the older name holds"
        );
    }

    #[test]
    fn quiet_hours_hold_back_all_but_a_statutory_breach() {
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1);
        let told = told(&rulebook_with(&policies, QUIET), DISPATCHED, "12-01 00:00");
        assert_eq!(
            told,
            [
                "09-30 07:00 notice raised 1",
                "10-11 07:00 warning raised 1",
                "10-13 00:00 breach raised 1",
                "10-20 08:30 escalation raised 1",
            ]
        );
    }

    #[test]
    fn what_waits_for_quiet_hours_to_end_is_told_in_office_hours_all_the_same() {
        // The office opens at 08:30 and from 14:30.
        let ladder = r#"basis = "sample"
alarms = [{ after = "0 hour", level = "escalation", deliver = "office_hours" }]
"#;
        let policies = POLICIES.replacen("basis = \"sample\"\n", ladder, 1);
        let quiet = |from: &str, until: &str| {
            let text = format!(
                "name = \"q\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n[quiet_hours]\nfrom = \"{from}\"\nuntil = \"{until}\"\n"
            );
            told(&rulebook_with(&policies, &[("rulebook.toml", &text)]), DISPATCHED, "12-01 00:00")
        };
        assert_eq!(quiet("22:00", "07:00"), ["10-13 08:30 escalation raised 1"]);
        assert_eq!(quiet("08:00", "13:00"), ["10-13 14:30 escalation raised 1"]);
        assert_eq!(quiet("08:00", "18:00"), ["10-13 18:00 escalation raised 1"], "they never agree");
    }

    #[test]
    fn what_ends_while_it_is_held_back_is_never_told() {
        let policies = POLICIES.replacen("basis = \"sample\"\n", LADDER, 1);
        let text = format!("{DISPATCHED}\n09-30 00:30 withdrawn recorded=09-30T00:30");
        let told = told(&rulebook_with(&policies, QUIET), &text, "12-01 00:00");
        assert_eq!(told, [""; 0]);
    }

    #[test]
    fn a_clock_that_goes_back_takes_nothing_back() {
        let rulebook = ladder();
        let case = case(DISPATCHED.lines().map(fact), &rulebook);
        let view = fold(CASE, &case, &rulebook);
        let early = due((CASE, &case), &view, &rulebook, &[], always(at("09-30 00:00")));
        let again = due((CASE, &case), &view, &rulebook, &early.tellings, always(at("09-29 23:59")));
        assert_eq!((again.tellings.len(), again.stands), (0, true));
    }

    #[test]
    fn the_same_supervision_twice_is_one_deadline() {
        const SUPERVISE: &str = r#"
[[policy]]
id = "supervise"
calendar = "cn"
match = { hotline = "12345" }
stage = "supervise"
start = "supervised"
stop = ["supervision_answered"]
limit = 1
unit = "working_day"
alarms = [{ after = "0 hour", level = "breach" }]
basis = "sample"
"#;
        let rulebook = rulebook(&format!("{POLICIES}{SUPERVISE}"));
        let text = format!(
            "{DISPATCHED}\n09-21 10:00 supervised\n09-21 11:00 supervision_answered\n09-21 12:00 supervised id=again"
        );
        let case = case(text.lines().map(fact), &rulebook);
        let view = fold(CASE, &case, &rulebook);
        let clocks = view.clocks.iter().filter(|clock| clock.stage == "supervise");
        assert_eq!(clocks.filter_map(Clock::due_at).map(local).collect::<Vec<_>>(), ["09-23 00:00"; 2]);
        let due = due((CASE, &case), &view, &rulebook, &[], always(at("10-31 12:00")));
        assert_eq!(due.tellings.len(), 1);
    }

    #[test]
    fn what_fell_due_before_alarms_were_told_is_no_news() {
        let rulebook = ladder();
        let case = case(DISPATCHED.lines().map(fact), &rulebook);
        let view = fold(CASE, &case, &rulebook);
        let when = When { now: at("10-13 00:00"), from: at("10-12 00:00") };
        let tellings = due((CASE, &case), &view, &rulebook, &[], when).tellings;
        let tellings: Vec<&str> = tellings.iter().map(|told| told.telling.name()).collect();
        assert_eq!(tellings, ["missed", "missed", "raised"]);
    }

    #[test]
    fn a_ladder_has_one_hash() {
        let rulebook = ladder();
        let hash = |text: &str| {
            let view = fold(CASE, &case(text.lines().map(fact), &rulebook), &rulebook);
            ladder_hash(&alarms(&view, &rulebook))
        };
        assert_eq!(hash(DISPATCHED), hash(&format!("{DISPATCHED}\n09-22 10:00 contacted D1")));
        assert_ne!(hash(DISPATCHED), hash(&format!("{DISPATCHED}\n10-01 10:00 closed D1")));
        assert_eq!(hash("09-21 09:00 received"), 0);
    }
}
