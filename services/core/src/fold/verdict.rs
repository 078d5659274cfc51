//! Fourth pass: who answers for each clock, what was ruled, what the caller said.

use jiff::Timestamp;

use super::clocks::Found;
use super::view::{Clock, Outcome, Rating, Round, Verdict, View};
use super::walk::Walked;
use crate::fact::{Body, Code, Rated, Received, Ruled, RulingEffect, Solved};
use crate::rulebook::{Charge, Rulebook};

pub(super) fn judge(walked: Walked<'_>, found: Found, rulebook: &Rulebook) -> View {
    let Walked { case, hotline, office, received, mut rounds, attributes, rulings, mut anomalies, proposal } =
        walked;
    let Found { class, mut clocks, anomalies: of_clocks, extended_last_day, .. } = found;
    for clock in &mut clocks {
        if clock.custody.is_none() {
            clock.department = charged(clock, &rounds[clock.round], office.as_ref(), rulebook);
        }
        rule_clock(clock, &rounds[clock.round], &rulings);
    }
    let receipt = received.map(|(_, received)| received);
    for round in &mut rounds {
        round.rating = round.closing.as_ref().map(|_| rate(round, receipt));
        let closer = round.closing.as_ref().and_then(|closing| closing.department.clone());
        let excluded = |family: &str, department: Option<&Code>| {
            last_ruling(&rulings, family, family, round.number, department)
                .is_some_and(|effect| effect == RulingEffect::Exclude)
        };
        round.rating_excluded = excluded("rating", closer.as_ref());
        round.reopening_excluded = excluded("reopening", closer.as_ref());
        let asked_late =
            extended_last_day.iter().filter(|key| round.steps.iter().any(|step| step.key == **key));
        round.extended_last_day = asked_late.copied().collect();
        let departments = round.custodies.iter().map(|custody| &custody.department);
        round.returns_excluded =
            departments.filter(|department| excluded("return", Some(department))).cloned().collect();
    }
    anomalies.extend(of_clocks);
    anomalies.sort_unstable();
    anomalies.dedup();
    View {
        case: case.into(),
        hotline,
        office,
        registered: received.is_some(),
        received_at: received.map(|(at, _)| at),
        number: receipt.and_then(|receipt| receipt.number.clone()),
        persons: receipt.map_or(0, |receipt| receipt.persons),
        disputed: receipt.map(|receipt| receipt.amounts.clone()).unwrap_or_default(),
        anonymous: receipt.is_some_and(|receipt| receipt.anonymous),
        reply_wanted: receipt.is_none_or(|receipt| receipt.reply_wanted),
        reporter_tag: receipt.and_then(|receipt| receipt.reporter_tag.clone()),
        attributes,
        class,
        rounds,
        clocks,
        anomalies,
        corrections: Vec::new(),
        proposal,
    }
}

/// Who answers for a case clock: in time, who closed; late, as the policy says; open, who leads now.
fn charged(clock: &Clock, round: &Round, office: Option<&Code>, rulebook: &Rulebook) -> Option<Code> {
    if clock.is_of_office() {
        return office.cloned();
    }
    let leads = || round.current_lead().map(|lead| lead.department.clone());
    let closer = || match &round.closing {
        Some(closing) => closing.department.clone(),
        None => leads(),
    };
    match clock.verdict {
        Verdict::Open | Verdict::NoneOpen => leads(),
        Verdict::Met | Verdict::Void | Verdict::NoneStopped => closer(),
        Verdict::Late | Verdict::LeftLate => {
            let policy = clock.policy.as_ref().and_then(|id| rulebook.policy(id));
            match policy.map_or(Charge::HolderAtDue, |policy| policy.charge) {
                Charge::HolderAtDue => round.lead_before(clock.due_at()?).map(|lead| lead.department.clone()),
                Charge::Closer => closer(),
                Charge::First => round.first_lead().map(|lead| lead.department.clone()),
                Charge::Office => office.cloned(),
            }
        }
    }
}

/// The last ruling in force on a family of the case, a round, a department.
fn last_ruling(
    rulings: &[(Timestamp, &Ruled)],
    family: &str,
    stage: &str,
    round: u32,
    department: Option<&Code>,
) -> Option<RulingEffect> {
    rulings
        .iter()
        .rev()
        .find(|(_, ruled)| {
            let indicator = ruled.indicator.as_str();
            (indicator == "all" || indicator == family || indicator == stage)
                && ruled.round.is_none_or(|number| number == round)
                && ruled.department.as_ref().is_none_or(|named| Some(named) == department)
        })
        .map(|(_, ruled)| ruled.effect)
        .filter(|effect| *effect != RulingEffect::Restore)
}

fn rule_clock(clock: &mut Clock, round: &Round, rulings: &[(Timestamp, &Ruled)]) {
    if rulings.is_empty() {
        return;
    }
    let department = clock.department.as_ref();
    let effect = last_ruling(rulings, &clock.family, &clock.stage, round.number, department);
    if let (Some(approved), Some(RulingEffect::Met | RulingEffect::Failed)) =
        (&mut clock.approved_in_time, effect)
    {
        *approved = effect == Some(RulingEffect::Met);
    }
    match effect {
        Some(RulingEffect::Exclude) => clock.excluded = true,
        Some(RulingEffect::Met) if matches!(clock.verdict, Verdict::Late | Verdict::LeftLate) => {
            (clock.verdict, clock.ruled) = (Verdict::Met, true);
        }
        Some(RulingEffect::Failed) if clock.verdict == Verdict::Met => {
            (clock.verdict, clock.ruled) = (Verdict::Late, true);
        }
        _ => {}
    }
}

/// What the caller said after a closing: the last answer counts, else the last attempt.
fn rate(round: &Round, receipt: Option<&Received>) -> Rating {
    let closed_at = round.closing.as_ref().map(|closing| closing.step);
    let ratings = || {
        round.steps.iter().enumerate().rev().filter_map(|(place, step)| match &step.body {
            Body::Rated(rated) if Some(place) > closed_at => Some((step.counted_at, &**rated)),
            _ => None,
        })
    };
    let counts = ratings().find(|(_, rated)| is_answer(rated)).or_else(|| ratings().next());
    let solved: Option<Solved> =
        ratings().filter(|(_, rated)| is_spoken(rated)).find_map(|(_, rated)| rated.solved);
    let wanted = receipt.is_none_or(|receipt| receipt.reply_wanted && !receipt.anonymous);
    let outcome = match counts {
        None if wanted => Outcome::NotAsked,
        None => Outcome::NotRequired,
        Some((_, rated)) if rated.method.as_deref() == Some("default") => Outcome::Default,
        Some((_, rated)) if !rated.reached => Outcome::Unreached,
        Some((_, rated)) => rated.satisfaction.map_or(Outcome::Unanswered, Outcome::Answered),
    };
    Rating { outcome, solved, at: counts.map(|(at, _)| at) }
}

/// A caller was reached; what the system filled in by itself is nobody's word.
fn is_spoken(rated: &Rated) -> bool {
    rated.reached && rated.method.as_deref() != Some("default")
}

fn is_answer(rated: &Rated) -> bool {
    is_spoken(rated) && rated.satisfaction.is_some()
}
