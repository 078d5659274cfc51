//! The laws of the fold over generated lives of cases.
//!
//! A life is a set of facts of every type at random instants of one month, from four sources, with corrections
//! of facts of the same life and snapshots. Nothing makes it plausible: a law holds for nonsense too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::samples::{CASE, POLICIES, at, fact, rulebook, snapshot};
use super::{fold, settle};
use crate::case::CaseFacts;
use crate::fact::{Fact, Kind};
use crate::measure::Measure;
use crate::rate::{By, Query, Table};
use crate::rulebook::{Basis, Rulebook};
use crate::score::{OpenClocks, Score, TallyKey, add_deltas, score};

/// What may happen, in the words of the samples.
const HAPPENINGS: &[&str] = &[
    "received",
    "received consult",
    "amended case_type=consult",
    "supplemented new_facts=1",
    "linked repeat",
    "dispatched D1",
    "dispatched D2",
    "dispatched D2 reason=reorganisation",
    "dispatched D3 role=co",
    "dispatched S1 from=D1 role=sub",
    "signed D1",
    "signed D2",
    "contacted D1",
    "accepted",
    "return_requested D1",
    "return_refused D1",
    "return_refused D1 final=1",
    "returned D1",
    "returned D2",
    "extension_requested 3-working_day",
    "extension_refused",
    "extended 3-working_day",
    "extended 20-calendar_day",
    "held inspection",
    "held parked until=09-20T10:00",
    "released inspection",
    "released parked",
    "submitted D1",
    "submitted D2",
    "close_refused D1",
    "closed D1 outcome=resolved",
    "closed D2 outcome=mediated",
    "merged",
    "withdrawn",
    "rated 5",
    "rated 1",
    "rated unreached=1",
    "rated 5 method=default",
    "reopened dissatisfied",
    "urged by=caller",
    "supervised kind=listed",
    "supervision_answered",
    "ruled close exclude",
    "ruled rating exclude",
    "ruled all restore",
    "milestone published",
];

#[derive(Clone, Debug)]
struct Happening {
    minute: i64,
    words: &'static str,
    source: &'static str,
    sequence: u64,
    late_by: Option<i64>,
    day: bool,
}

fn happening() -> impl Strategy<Value = Happening> {
    (
        // Few distinct instants, so that many facts share one.
        prop_oneof![0_i64..43_200, (0_i64..60).prop_map(|n| n * 720)],
        select(HAPPENINGS),
        select(&["test", "plain", "later"][..]),
        0_u64..3,
        prop_oneof![3 => Just(None), 1 => (0_i64..5_000).prop_map(Some)],
        prop::bool::weighted(0.05),
    )
        .prop_map(|(minute, words, source, sequence, late_by, day)| Happening {
            minute,
            words,
            source,
            sequence,
            late_by,
            day,
        })
}

/// A life: mostly with a receipt near its beginning.
fn life() -> impl Strategy<Value = Vec<Fact>> {
    let corrections = prop::collection::vec((any::<Index>(), 0_i64..43_200, any::<bool>()), 0..3);
    let snapshots = prop::collection::vec((0_i64..43_200, any::<Index>()), 0..3);
    (prop::collection::vec(happening(), 1..28), corrections, snapshots).prop_map(
        |(happenings, corrections, snapshots)| {
            let mut facts: Vec<Fact> = vec![fact("09-01 08:00 received id=first")];
            facts.extend(happenings.iter().enumerate().map(|(nth, one)| happened(nth, one)));
            for (nth, (target, minute, void)) in corrections.iter().enumerate() {
                let target = &facts[target.index(facts.len())];
                let line =
                    format!("09-01 00:00 corrected {} target=x void=1 id=k{nth}", target.body.kind().name());
                let mut correction = fact(&line);
                correction.claimed_at = minutes(*minute);
                if let crate::fact::Body::Corrected(corrected) = &mut correction.body {
                    corrected.target = target.key;
                    if !void {
                        let time = Some(minutes(*minute));
                        corrected.change = crate::fact::Change::Replace { body: None, time };
                    }
                }
                facts.push(correction);
            }
            let told: Vec<Fact> = facts
                .iter()
                .filter(|fact| !matches!(fact.body.kind(), Kind::Corrected | Kind::Received))
                .cloned()
                .collect();
            for (nth, (minute, from)) in snapshots.iter().enumerate() {
                let from = from.index(told.len().max(1)).min(told.len());
                let taken_at = minutes(*minute) + SignedDuration::from_hours(24 * 40);
                facts.push(snapshot("/hotline/12345/sheet", taken_at, &format!("s{nth}"), &told[from..]));
            }
            facts
        },
    )
}

fn minutes(minute: i64) -> Timestamp {
    at("09-01 00:00") + SignedDuration::from_mins(minute)
}

fn happened(nth: usize, one: &Happening) -> Fact {
    let day = if one.day { " day=1" } else { "" };
    let mut made =
        fact(&format!("09-01 00:00 {} src={} seq={} id=e{nth}{day}", one.words, one.source, one.sequence));
    made.claimed_at = minutes(one.minute);
    made.received_at = one.late_by.map(|late| made.claimed_at + SignedDuration::from_mins(late));
    made
}

fn now() -> Timestamp {
    at("12-01 00:00")
}

fn add_all<'a>(case: &mut CaseFacts, facts: impl IntoIterator<Item = &'a Fact>, rulebook: &Rulebook) {
    for fact in facts {
        case.add(fact.clone(), rulebook);
    }
}

/// Everything that the law speaks of: view, score and anomalies, as text that shows where two differ.
fn everything(case: &CaseFacts, rulebook: &Rulebook) -> String {
    let view = fold(CASE, case, rulebook);
    format!("{view:#?}\n{:#?}", score(&view, rulebook))
}

thread_local! {
    static RULEBOOK: Rulebook = rulebook(&(POLICIES.to_owned() + EVERY_STAGE));
}

/// The knobs that the usual sample policies leave alone.
const EVERY_STAGE: &str = r#"
[[policy]]
id = "promise"
calendar = "cn"
match = { hotline = "12345", case_type = "complaint" }
stage = "close"
tier = "promise"
start = "received"
stop = ["closed"]
limit = 72
unit = "working_hour"
outside_hours = "next_opening"
holds = ["inspection"]
charge = "first"
on_amend = "restart"
restart = ["supplemented:new_facts"]
basis = "sample"

[[policy]]
id = "contact"
calendar = "cn"
match = { hotline = "12345" }
stage = "contact"
scope = "custody"
start = "dispatched"
stop = ["contacted"]
limit = 3
unit = "working_day"
on_custody_change = { redispatched = "credit", returned = "continue" }
extension = { unit = "working_day", from = "grant", granted_late = "from_grant" }
return = { pending = "held" }
basis = "sample"

[[policy]]
id = "supervise"
calendar = "cn"
match = { hotline = "12345" }
stage = "supervise"
start = "supervised"
stop = ["supervision_answered"]
limit = 24
unit = "hour"
basis = "sample"
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The Law: order of arrival and repetition change nothing.
    #[test]
    fn a_view_is_a_function_of_the_set_of_facts(
        facts in life(),
        shuffle in prop::collection::vec(any::<Index>(), 40),
        repeat in any::<Index>(),
    ) {
        RULEBOOK.with(|rulebook| {
            let mut told = CaseFacts::default();
            add_all(&mut told, &facts, rulebook);
            let mut order: Vec<&Fact> = facts.iter().collect();
            for (place, other) in shuffle.iter().enumerate().take(order.len()) {
                let other = other.index(order.len());
                order.swap(place, other);
            }
            let mut shuffled = CaseFacts::default();
            add_all(&mut shuffled, order.iter().copied(), rulebook);
            add_all(&mut shuffled, [order[repeat.index(order.len())]], rulebook);
            prop_assert_eq!(everything(&told, rulebook), everything(&shuffled, rulebook));
            prop_assert_eq!(told.encode(), shuffled.encode());
            Ok(())
        })?;
    }

    /// Differences of scores over any split into batches add up to the score of the whole.
    #[test]
    fn score_differences_add_up(facts in life(), cuts in prop::collection::vec(any::<Index>(), 0..5)) {
        RULEBOOK.with(|rulebook| {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(facts.len())).collect();
            cuts.extend([0, facts.len()]);
            cuts.sort_unstable();
            let mut case = CaseFacts::default();
            let mut stored = Score::default();
            let mut tallies: BTreeMap<TallyKey, i64> = BTreeMap::new();
            for cut in cuts.windows(2) {
                add_all(&mut case, &facts[cut[0]..cut[1]], rulebook);
                let (view, _) = settle(CASE, &mut case, rulebook, now());
                let new = score(&view, rulebook);
                add_deltas(&mut tallies, &stored, &new);
                stored = Score::decode(&new.encode()).expect("its own bytes");
                prop_assert_eq!(&stored, &new);
            }
            tallies.retain(|_, value| *value != 0);
            prop_assert_eq!(tallies, stored.tallies());
            Ok(())
        })?;
    }

    /// Facts read back from their bytes are the same facts.
    #[test]
    fn facts_survive_their_encoding(facts in life()) {
        RULEBOOK.with(|rulebook| {
            let mut case = CaseFacts::default();
            add_all(&mut case, &facts, rulebook);
            prop_assert_eq!(CaseFacts::decode(&case.encode()).expect("its own bytes"), case);
            Ok(())
        })?;
    }

    /// Bytes that are no facts are refused, never a panic.
    #[test]
    fn damaged_facts_are_refused(facts in life(), place in any::<Index>(), byte in any::<u8>()) {
        RULEBOOK.with(|rulebook| {
            let mut case = CaseFacts::default();
            add_all(&mut case, &facts, rulebook);
            let mut bytes = case.encode();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(read) = CaseFacts::decode(&bytes) {
                drop(fold(CASE, &read, rulebook));
            }
            prop_assert!(CaseFacts::decode(&bytes[..place]).is_err() || place == 0);
            Ok(())
        })?;
    }

    /// A snapshot that says what the last one said changes nothing but its time.
    #[test]
    fn a_snapshot_equal_to_the_last_changes_nothing(facts in life(), hours in 0_i64..500) {
        RULEBOOK.with(|rulebook| {
            let told: Vec<Fact> = facts.iter().filter(|fact| !matches!(fact.body.kind(), Kind::Corrected | Kind::Snapshot)).cloned().collect();
            let taken_at = at("10-20 00:00");
            let mut case = CaseFacts::default();
            add_all(&mut case, [&snapshot("/hotline/12345/sheet", taken_at, "a", &told)], rulebook);
            let before = everything(&case, rulebook);
            let again = snapshot("/hotline/12345/sheet", taken_at + SignedDuration::from_hours(hours), "b", &told);
            let added = case.add(again, rulebook);
            let duplicate = matches!(added, crate::case::Added::Duplicate { .. });
            prop_assert!(duplicate, "{:?}", added);
            prop_assert_eq!(before, everything(&case, rulebook));
            Ok(())
        })?;
    }

    /// What closed rounds were judged to be stays where it was when the case is reopened later.
    #[test]
    fn each_of_a_past_period_is_unchanged_by_a_later_reopening(facts in life()) {
        RULEBOOK.with(|rulebook| {
            let mut case = CaseFacts::default();
            add_all(&mut case, &facts, rulebook);
            let (view, _) = settle(CASE, &mut case, rulebook, now());
            let before = settled_each(&score(&view, rulebook));
            add_all(&mut case, &[fact("11-25 10:00 reopened dissatisfied"), fact("11-25 11:00 dispatched D2"), fact("11-26 11:00 closed D2")], rulebook);
            let (view, _) = settle(CASE, &mut case, rulebook, now());
            let after = settled_each(&score(&view, rulebook));
            for (key, value) in &before {
                prop_assert!(after.get(key).is_some_and(|more| more >= value), "{:?} {} {:?}", key, value, after.get(key));
            }
            Ok(())
        })?;
    }

    /// The sum over departments of a lead measure is the total.
    #[test]
    fn departments_add_up_to_the_total(lives in prop::collection::vec(life(), 1..4)) {
        RULEBOOK.with(|rulebook| {
            let rate = &rulebook.rates["close.due"];
            let day = |text: &str| text.parse().expect("a date");
            let query = Query { rates: vec![rate], scores: Vec::new(), by: By::default(), from: day("2026-01-01"), to: day("2027-01-01") };
            let (mut from_scores, mut from_tallies) = (Table::new(&query, rulebook), Table::new(&query, rulebook));
            for facts in &lives {
                let mut case = CaseFacts::default();
                add_all(&mut case, facts, rulebook);
                let (view, _) = settle(CASE, &mut case, rulebook, now());
                let one = score(&view, rulebook);
                from_scores.add_score(&one, now());
                for (key, value) in one.tallies() {
                    if (query.from..query.to).contains(&key.day) {
                        from_tallies.add_sum(&key.series, value);
                    }
                }
                let open = OpenClocks::decode(&one.encode()).expect("it was just encoded");
                prop_assert_eq!(&open.clocks, &one.open_clocks);
                from_tallies.add_open(&open, now());
            }
            let rows = from_scores.rows();
            prop_assert_eq!(&rows, &from_tallies.rows());
            let total = rows.iter().find(|row| row.department == "*").expect("a total");
            let sum: i64 = rows.iter().filter(|row| row.department != "*").map(|row| row.denominator).sum();
            prop_assert_eq!(sum, total.denominator);
            Ok(())
        })?;
    }
}

/// The `each` measures of rounds that are closed, clocks that still run left out.
fn settled_each(score: &Score) -> BTreeMap<TallyKey, i64> {
    let settled: Vec<_> = score
        .settled()
        .filter(|(contribution, _)| match &contribution.measure {
            Measure::Clock { state, .. } => *state != crate::measure::State::Open,
            Measure::Rating(_) => true,
            Measure::Count(_) => false,
        })
        .cloned()
        .collect();
    let score = Score { contributions: settled, open_clocks: Vec::new(), ..score.clone() };
    let each = |key: &TallyKey| key.series.measure.contains("each.") && key.series.basis != Basis::Event;
    score.tallies().into_iter().filter(|(key, _)| each(key)).collect()
}
