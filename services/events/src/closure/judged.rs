//! What was decided of a case, as canonical JSON: a function of its view, so that whoever folds the facts again finds
//! the same bytes.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use hotline_core::anomaly::{Anomaly, AnomalyCode};
use hotline_core::deadline::{Extension, ExtensionFrom, Hold};
use hotline_core::fact::{Body, Code, EventKey, Grant, Precision, Rated, Role, Ruled, Solved};
use hotline_core::fold::{Clock, Custody, CustodyEnd, Outcome, Round, Step, View};
use hotline_core::rulebook::{Rulebook, Section};
use jiff::Timestamp;

use super::json::{Object, Out};

/// What was decided of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Canonical JSON: the member `judged`.
    pub bytes: Vec<u8>,
    /// Canonical JSON: the member `rules`, the hashes of the policies and calendars that `bytes` names.
    pub rules: Vec<u8>,
}

impl Judgement {
    /// What was decided of the rounds that were closed; none of them, if the closing was voided.
    pub fn of(view: &View, rulebook: &Rulebook) -> Self {
        let mut rules = Rules { rulebook, calendars: BTreeMap::new(), policies: BTreeMap::new() };
        let mut out = Out(Vec::with_capacity(1024));
        write(view, &mut rules, &mut out);
        Self { bytes: out.0, rules: rules.bytes() }
    }

    /// By this a judgement is known again. A change of rules that decides nothing otherwise does not change it.
    pub fn fingerprint(&self) -> i64 {
        let hash = digest::digest(&digest::SHA256, &self.bytes);
        let first = hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
        i64::from_be_bytes(*first)
    }
}

/// Whether a round of the case was closed, so that there is something to record.
pub fn is_judged(view: &View) -> bool {
    view.rounds.iter().any(|round| round.closing.is_some())
}

/// The rules that a judgement names.
struct Rules<'r> {
    rulebook: &'r Rulebook,
    calendars: BTreeMap<&'r Code, &'r str>,
    policies: BTreeMap<&'r Code, &'r str>,
}

impl<'r> Rules<'r> {
    /// The id of the calendar by which a policy counts in a region; both are noted.
    fn name(&mut self, policy: &str, region: &str) -> Option<&'r Code> {
        let rulebook = self.rulebook;
        let policy = rulebook.policy(policy)?;
        let hash = |section, id: &str| rulebook.file_hash_of(section, id).map_or("", |hash| hash.as_str());
        let calendar = rulebook.calendar_for(policy, region).id();
        self.policies.entry(&policy.id).or_insert_with(|| hash(Section::Policy, &policy.id));
        self.calendars.entry(calendar).or_insert_with(|| hash(Section::Calendar, calendar));
        Some(calendar)
    }

    fn bytes(&self) -> Vec<u8> {
        let map = |out: &mut Out, map: &BTreeMap<&Code, &str>| {
            out.raw(b"{");
            for (n, (id, hash)) in map.iter().enumerate() {
                if n > 0 {
                    out.raw(b",");
                }
                out.text(id);
                out.raw(b":");
                out.text(hash);
            }
            out.raw(b"}");
        };
        let mut out = Out::default();
        out.object(|o| {
            map(o.member("calendars"), &self.calendars);
            map(o.member("policies"), &self.policies);
        });
        out.0
    }
}

fn write(view: &View, rules: &mut Rules<'_>, out: &mut Out) {
    let closed = || view.rounds.iter().enumerate().filter(|(_, round)| round.closing.is_some());
    // What happens in a round that is open is not decided yet.
    let open = view.rounds.iter().find(|round| round.closing.is_none());
    let closed_count = closed().count();
    let anomalies: Vec<&Anomaly> = view
        .anomalies
        .iter()
        .filter(|anomaly| closed_count > 0 && open.is_none_or(|open| anomaly.at < open.opened_at))
        .collect();
    let mut rulings: Vec<(&Step, &Ruled)> = view
        .rounds
        .iter()
        .flat_map(|round| &round.steps)
        .filter_map(|step| match &step.body {
            Body::Ruled(body) => Some((step, &**body)),
            _ => None,
        })
        .filter(|(_, ruled)| {
            closed_count > 0
                && ruled
                    .round
                    .is_none_or(|round| usize::try_from(round).is_ok_and(|round| round <= closed_count))
        })
        .collect();
    rulings.sort_by_key(|(step, _)| (step.counted_at, step.key));
    out.object(|o| {
        o.list("anomalies", &anomalies, |out, one| {
            out.object(|o| {
                o.at("at", one.at);
                o.text("code", one.code.code());
                if let Some(fact) = one.fact {
                    o.key("fact", fact);
                }
            });
        });
        o.text("class", &view.class);
        o.text("hotline", &view.hotline);
        o.member("rounds").array(closed(), |out, (place, round)| write_round(view, place, round, rules, out));
        o.list("rulings", &rulings, |out, (step, ruled)| write_ruling(step, ruled, out));
    });
}

fn write_round(view: &View, place: usize, round: &Round, rules: &mut Rules<'_>, out: &mut Out) {
    let attributes = &round.attributes;
    let clocks: Vec<&Clock> = view.clocks.iter().filter(|clock| clock.round == place).collect();
    out.object(|o| {
        o.text("case_type", &attributes.case_type);
        o.list("category", &attributes.category, |out, code| out.text(code));
        o.list("clocks", &clocks, |out, clock| write_clock(clock, rules, out));
        if let Some(closing) = &round.closing {
            let step = &round.steps[closing.step];
            o.member("closed").object(|o| {
                o.mark("backdated", is_backdated(view, step.key));
                o.at("claimed_at", step.claimed_at);
                o.at("counted_at", closing.at);
                o.optional("department", closing.department.as_deref());
                o.key("fact", step.key);
                o.text("kind", closing.kind.name());
                o.optional("outcome", closing.outcome.as_deref());
                o.optional("precision", day_only(closing.precision));
                o.optional_at("received_at", step.received_at);
            });
        }
        o.list("custodies", &round.custodies, write_custody);
        o.number("number", round.number);
        if let Some(step) = round.steps.first() {
            o.member("opened").object(|o| {
                o.mark("backdated", is_backdated(view, step.key));
                o.at("claimed_at", step.claimed_at);
                o.at("counted_at", round.opened_at);
                o.key("fact", step.key);
                o.text("kind", step.body.kind().name());
                o.optional("precision", day_only(step.precision));
                o.optional_at("received_at", step.received_at);
            });
        }
        write_rating(round, o);
        o.text("region", &attributes.region);
        if let Some((step, reason)) = view.rounds.get(place + 1).and_then(reopening) {
            o.member("reopened").object(|o| {
                o.at("at", step.counted_at);
                o.mark("excluded", round.reopening_excluded);
                o.key("fact", step.key);
                o.text("reason", reason);
            });
        }
        o.list("returns_excluded", &round.returns_excluded, |out, department| out.text(department));
    });
}

/// The step that opened a round after the first, and why.
fn reopening(round: &Round) -> Option<(&Step, &Code)> {
    let step = round.steps.first()?;
    match &step.body {
        Body::Reopened { reason } => Some((step, reason)),
        _ => None,
    }
}

fn is_backdated(view: &View, key: EventKey) -> bool {
    view.anomalies.iter().any(|anomaly| anomaly.code == AnomalyCode::Backdated && anomaly.fact == Some(key))
}

fn day_only(precision: Precision) -> Option<&'static str> {
    (precision == Precision::Day).then_some("day")
}

fn write_custody(out: &mut Out, custody: &Custody) {
    out.object(|o| {
        o.text("department", &custody.department);
        if let Some((at, end)) = custody.ended {
            o.member("ended").object(|o| {
                o.at("at", at);
                o.text("how", how(end));
            });
        }
        o.text("from", &custody.from);
        o.at("from_at", custody.from_at);
        if let Some(parent) = custody.parent {
            o.number("parent", parent);
        }
        o.text("role", custody.role.name());
        o.optional("rule", custody.rule.as_deref());
    });
}

fn how(end: CustodyEnd) -> &'static str {
    match end {
        CustodyEnd::Returned => "returned",
        CustodyEnd::Redispatched => "redispatched",
        CustodyEnd::Reorganisation => "reorganisation",
        CustodyEnd::WithParent => "with_parent",
        CustodyEnd::Closed => "closed",
    }
}

fn write_clock(clock: &Clock, rules: &mut Rules<'_>, out: &mut Out) {
    let calendar = clock.policy.as_ref().and_then(|policy| rules.name(policy, &clock.region));
    out.object(|o| {
        if let Some(approved) = clock.approved_in_time {
            o.member("approved_in_time").raw(if approved { b"true" } else { b"false" });
        }
        o.optional("calendar", calendar.map(Code::as_str));
        o.mark("closure", clock.closure);
        if let Some(custody) = clock.custody {
            o.number("custody", custody);
        }
        o.optional("department", clock.department.as_deref());
        o.optional_at("due_at", clock.due_at());
        if let Some(due_on) = clock.due_on() {
            o.member("due_on").number(format_args!("\"{due_on}\""));
        }
        o.mark("end_of_day", clock.deadline.as_ref().is_some_and(|deadline| deadline.end_of_day));
        o.optional_at("ended_at", clock.ended_at);
        o.mark("excluded", clock.excluded);
        o.list("extensions", &clock.extensions, write_extension);
        o.list("holds", &clock.holds, write_hold);
        o.optional("policy", clock.policy.as_deref());
        o.mark("provisional", clock.deadline.as_ref().is_some_and(|deadline| deadline.provisional));
        if clock.role != Role::Lead {
            o.text("role", clock.role.name());
        }
        o.mark("ruled", clock.ruled);
        let end = clock.stop.map(|(at, _)| at).or(clock.ended_at);
        let spans = clock.start_at.map(|start| spans(start, end, &clock.holds)).unwrap_or_default();
        o.list("spans", &spans, |out, (from, until)| {
            out.array([Some(*from), *until], Out::at_or_null);
        });
        o.text("stage", &clock.stage);
        o.optional_at("start_at", clock.start_at);
        if let Some((at, precision)) = clock.stop {
            o.at("stop_at", at);
            o.optional("stop_precision", day_only(precision));
        }
        o.text("tier", clock.tier.name());
        o.text("verdict", clock.verdict.name());
    });
}

/// The spans in which a clock ran, from its start to its stop or end, less its holds; without an end while it runs.
fn spans(start: Timestamp, end: Option<Timestamp>, holds: &[Hold]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let mut holds: Vec<&Hold> = holds.iter().collect();
    holds.sort_by_key(|hold| (hold.from, hold.until));
    let (mut spans, mut at) = (Vec::new(), start);
    for hold in holds {
        if end.is_some_and(|end| hold.from >= end) {
            break;
        }
        if at < hold.from {
            spans.push((at, Some(hold.from)));
        }
        match hold.until {
            Some(until) => at = at.max(until),
            None => return spans,
        }
    }
    if end.is_none_or(|end| at < end) {
        spans.push((at, end));
    }
    spans
}

fn write_extension(out: &mut Out, extension: &Extension) {
    let from = match extension.from {
        ExtensionFrom::OldDue => "old_due",
        ExtensionFrom::Grant => "grant",
        ExtensionFrom::Start => "start",
    };
    out.object(|o| {
        o.text("from", from);
        o.at("granted_at", extension.granted_at);
        match extension.grant {
            Grant::Limit(limit, unit) => {
                o.number("limit", limit);
                o.text("unit", unit.name());
            }
            Grant::Until(until) => o.at("until", until),
        }
    });
}

fn write_hold(out: &mut Out, hold: &Hold) {
    out.object(|o| {
        o.at("from", hold.from);
        o.text("reason", &hold.reason);
        o.optional_at("until", hold.until);
    });
}

fn write_rating(round: &Round, o: &mut Object<'_>) {
    let Some(rating) = &round.rating else { return };
    let given: Vec<(&Step, &Rated)> = round
        .steps
        .iter()
        .filter_map(|step| match &step.body {
            Body::Rated(rated) => Some((step, &**rated)),
            _ => None,
        })
        .collect();
    let (outcome, satisfaction) = match rating.outcome {
        Outcome::Answered(satisfaction) => ("answered", Some(satisfaction)),
        Outcome::Unanswered => ("unanswered", None),
        Outcome::Unreached => ("unreached", None),
        Outcome::Default => ("default", None),
        Outcome::NotAsked => ("not_asked", None),
        Outcome::NotRequired => ("not_required", None),
    };
    o.member("rating").object(|o| {
        o.mark("excluded", round.rating_excluded);
        o.list("given", &given, |out, (step, rated)| write_rated(step, rated, out));
        o.text("outcome", outcome);
        if let Some(satisfaction) = satisfaction {
            o.number("satisfaction", satisfaction);
        }
        o.optional("solved", rating.solved.map(Solved::name));
    });
}

fn write_rated(step: &Step, rated: &Rated, out: &mut Out) {
    out.object(|o| {
        o.list("aspects", &rated.aspects, |out, (aspect, grade)| {
            out.array([0, 1], |out, place| if place == 0 { out.text(aspect) } else { out.number(*grade) });
        });
        o.at("at", step.counted_at);
        o.number("attempt", rated.attempt);
        o.key("fact", step.key);
        o.optional("method", rated.method.as_deref());
        o.mark("reached", rated.reached);
        if let Some(satisfaction) = rated.satisfaction {
            o.number("satisfaction", satisfaction);
        }
        o.optional("solved", rated.solved.map(Solved::name));
    });
}

fn write_ruling(step: &Step, ruled: &Ruled, out: &mut Out) {
    out.object(|o| {
        o.at("at", step.counted_at);
        o.optional("by", ruled.by.as_deref());
        o.optional("department", ruled.department.as_deref());
        o.text("document", &ruled.document);
        o.text("effect", ruled.effect.name());
        o.key("fact", step.key);
        o.text("indicator", &ruled.indicator);
        o.text("reason", &ruled.reason);
        if let Some(round) = ruled.round {
            o.number("round", round);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(end: Option<i64>, holds: &[(i64, Option<i64>)], expect: &[(i64, Option<i64>)]) {
        let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
        let hold = |(from, until): &(i64, Option<i64>)| Hold {
            from: at(*from),
            until: until.map(at),
            reason: "parked".into(),
        };
        let holds: Vec<Hold> = holds.iter().map(hold).collect();
        let expect: Vec<_> = expect.iter().map(|(from, until)| (at(*from), until.map(at))).collect();
        assert_eq!(spans(at(10), end.map(at), &holds), expect, "{end:?} {holds:?}");
    }

    #[test]
    fn a_clock_runs_from_its_start_to_its_end_less_its_holds() {
        check(Some(20), &[], &[(10, Some(20))]);
        check(None, &[], &[(10, None)]);
        check(Some(20), &[(12, Some(14))], &[(10, Some(12)), (14, Some(20))]);
        check(Some(20), &[(15, Some(17)), (12, Some(16))], &[(10, Some(12)), (17, Some(20))]);
        check(Some(20), &[(8, Some(11)), (19, Some(25))], &[(11, Some(19))]);
        check(Some(20), &[(12, None)], &[(10, Some(12))]);
        check(None, &[(12, None)], &[(10, Some(12))]);
        check(Some(20), &[(20, Some(22)), (30, None)], &[(10, Some(20))]);
        check(Some(10), &[], &[]);
    }
}
