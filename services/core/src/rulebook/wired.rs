//! Drives every policy and every routing rule with a synthetic case made for it, to show that it is wired: that
//! such a case starts and stops its clock, and goes where the rule says.

use jiff::{SignedDuration, Timestamp};

use super::fault::{Fault, Section};
use super::{Class, Match, Policy, Route, Rulebook, Scope, Trigger};
use crate::case::CaseFacts;
use crate::fact::{
    Amended, Body, Change, Code, Corrected, Dispatched, EventKey, Fact, Grant, Kind, OwnLimit, Precision,
    Rated, Received, Role, Ruled, RulingEffect, Unit,
};
use crate::fold::{Attributes, Verdict, fold};
use crate::routing::route;

/// The types tried for a policy that names none.
const CASE_TYPES: [&str; 8] =
    ["complaint", "report", "help", "consult", "suggestion", "petition", "praise", "other"];

/// Warnings for policies that no case starts or stops, and for routing rules that no case reaches.
pub fn wired(rulebook: &Rulebook) -> Vec<Fault> {
    let policies = rulebook.policies.iter().filter_map(|policy| policy_fault(rulebook, policy));
    let routes = rulebook.routes.iter().filter_map(|rule| route_fault(rulebook, rule));
    policies.chain(routes).collect()
}

fn policy_fault(rulebook: &Rulebook, policy: &Policy) -> Option<Fault> {
    let place = rulebook.places.of(Section::Policy, &policy.id);
    let run_as = |case_type: &str, stops: bool| {
        let story = Story::of(rulebook, policy, case_type, stops);
        let mut case = CaseFacts::default();
        for fact in story.facts {
            case.pin(fact);
        }
        let view = fold(&format!("{}:wired", story.hotline), &case, rulebook);
        view.clocks
            .into_iter()
            .find(|clock| clock.policy.as_ref() == Some(&policy.id) && clock.start_at.is_some())
    };
    // A policy for all types may lose some of them to policies of their own.
    let run = |stops: bool| CASE_TYPES.iter().find_map(|case_type| run_as(case_type, stops));
    if run(false).is_none() {
        let message = "a case made for this policy starts no clock of it: another policy wins, or its start cannot come";
        return Some(place.warning("start", "not_wired", message));
    }
    let stopped = run(true).is_some_and(|clock| matches!(clock.verdict, Verdict::Met | Verdict::Late));
    if stopped {
        return None;
    }
    let message = "a case made for this policy starts its clock and nothing stops it";
    Some(place.warning("stop", "not_wired", message))
}

fn route_fault(rulebook: &Rulebook, rule: &Route) -> Option<Fault> {
    let case = Attributes {
        case_type: rule.case_type.clone().unwrap_or_else(|| "complaint".into()),
        category: rule.category.clone(),
        region: rule.region.clone().unwrap_or_default(),
        urgency: "normal".into(),
        tags: rule.keywords.first().cloned().into_iter().collect(),
        ..Attributes::default()
    };
    let on = rule.valid_from.or_else(|| rule.valid_until.and_then(|until| until.yesterday().ok()));
    let on = on.unwrap_or_else(|| rulebook.calendar.known_until());
    let decision = route(rulebook, &rule.hotline, &case, on, &[]);
    if decision.is_some_and(|decision| decision.rule == rule.rule) {
        return None;
    }
    let place = rulebook.places.of(Section::Route, &rule.rule);
    Some(place.warning("rule", "not_wired", "a case made for this rule goes by another one"))
}

/// A life made for one policy.
struct Story {
    hotline: Code,
    source: Code,
    now: Timestamp,
    facts: Vec<Fact>,
}

impl Story {
    fn of(rulebook: &Rulebook, policy: &Policy, case_type: &str, stops: bool) -> Self {
        let first = rulebook.hotlines.keys().next().cloned().unwrap_or_else(|| "hotline".into());
        let hotline = policy.matches.hotline.first().cloned().unwrap_or(first);
        let source = rulebook.sources.values().find(|source| source.hotline == hotline);
        let mut story = Story {
            source: source.map_or_else(|| "/wired".into(), |source| source.id.clone()),
            hotline,
            now: begin(rulebook, policy),
            facts: Vec::new(),
        };
        let office = rulebook.hotlines.get(&story.hotline).map(|hotline| hotline.office.clone());
        let department = rulebook.departments.keys().find(|code| Some(*code) != office.as_ref()).cloned();
        let department = department.unwrap_or_else(|| "department".into());
        let class = rulebook.classes.iter().find(|class| policy.matches.class.contains(&class.id));
        story.tell(Body::Received(Box::new(received(&policy.matches, case_type, class))));
        let round = policy.matches.round.first().copied().unwrap_or(1);
        for _ in 1..round.min(10) {
            story.tell(closed(&department, class));
            story.tell(Body::Reopened { reason: "review".into() });
        }
        let undispatched = class.is_some_and(|class| class.dispatched == Some(false));
        if !undispatched {
            story.tell(dispatched(&department, None));
        }
        story.trigger(&policy.start, &department, class);
        if stops && let Some(stop) = policy.stop.first() {
            story.trigger(stop, &department, class);
            // A case clock judged at submission stops when the round closes.
            if stop.kind == Kind::Submitted && policy.scope == Scope::Case {
                story.tell(closed(&department, class));
            }
        }
        story
    }

    /// Tells what a trigger asks for, and before it what must have happened for that to be expected.
    fn trigger(&mut self, trigger: &Trigger, department: &Code, class: Option<&Class>) {
        let happened = |kind: Kind| self.facts.iter().any(|fact| fact.body.kind() == kind);
        let told = |kind: Kind| matches!(kind, Kind::Received | Kind::Dispatched) && happened(kind);
        if told(trigger.kind) && trigger.code.is_none() {
            return;
        }
        let needs = match trigger.kind {
            Kind::CloseRefused => Some(Kind::Submitted),
            Kind::Released => Some(Kind::Held),
            Kind::Rated | Kind::Reopened => Some(Kind::Closed),
            _ => None,
        };
        if let Some(kind) = needs.filter(|kind| !happened(*kind)) {
            self.tell(body(kind, None, department, class));
        }
        if trigger.kind != Kind::Received {
            self.tell(body(trigger.kind, trigger.code.as_ref(), department, class));
        }
    }

    fn tell(&mut self, body: Body) {
        self.now = self.now.checked_add(SignedDuration::from_mins(1)).unwrap_or(self.now);
        let id = self.facts.len().to_string();
        self.facts.push(Fact {
            key: EventKey::of(&self.source, &id),
            source: self.source.clone(),
            body,
            claimed_at: self.now,
            precision: Precision::Second,
            received_at: None,
            recorded_at: None,
            sequence: 0,
            tag: 0,
            ledger_seq: 0,
        });
    }
}

/// A moment at which the policy is in force, within the known calendar where there is one.
fn begin(rulebook: &Rulebook, policy: &Policy) -> Timestamp {
    let known = policy.calendar.known_from();
    let day = match (policy.effective_from, policy.effective_until) {
        (Some(from), _) => from.max(known),
        (None, Some(until)) => until.yesterday().unwrap_or(until),
        (None, None) => known,
    };
    let ten = day.at(10, 0, 0, 0);
    rulebook.timezone.to_ambiguous_timestamp(ten).compatible().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn received(wanted: &Match, case_type: &str, class: Option<&Class>) -> Received {
    let first = |list: &[Code]| list.first().cloned();
    let of_class = |list: fn(&Class) -> &Vec<Code>| class.and_then(|class| list(class).first().cloned());
    let mut tags: Vec<Code> = first(&wanted.tags).into_iter().collect();
    tags.extend(of_class(|class| &class.tags));
    Received {
        case_type: first(&wanted.case_type)
            .or_else(|| of_class(|class| &class.case_type))
            .unwrap_or_else(|| case_type.into()),
        category: if wanted.category.is_empty() {
            vec!["unclassified".into()]
        } else {
            wanted.category.clone()
        },
        region: wanted.region.clone(),
        number: None,
        channel: first(&wanted.channel).or_else(|| of_class(|class| &class.channel)),
        origin_hotline: first(&wanted.origin).or_else(|| of_class(|class| &class.origin)),
        origin_number: None,
        contact: None,
        persons: 1,
        urgency: first(&wanted.urgency).unwrap_or_else(|| "normal".into()),
        anonymous: false,
        confidential: false,
        reply_wanted: true,
        tags,
        reporter_tag: None,
        amounts: Vec::new(),
        own_limit: Some(OwnLimit::Limit(1, Unit::WorkingDay)),
    }
}

fn dispatched(department: &Code, reason: Option<Code>) -> Body {
    Body::Dispatched(Box::new(Dispatched {
        department: department.clone(),
        from: None,
        role: Role::Lead,
        reason,
        basis: None,
        own_limit: None,
        pin: None,
    }))
}

fn closed(department: &Code, class: Option<&Class>) -> Body {
    let outcome = class.and_then(|class| class.outcome.first().cloned());
    Body::Closed { department: department.clone(), by: None, outcome, amounts: Vec::new() }
}

/// A fact of a kind, with the code that a trigger asks for.
fn body(kind: Kind, code: Option<&Code>, department: &Code, class: Option<&Class>) -> Body {
    let department = department.clone();
    let word = || code.cloned().unwrap_or_else(|| "wired".into());
    let some = code.cloned();
    let grant = Grant::Limit(1, Unit::WorkingDay);
    match kind {
        Kind::Received => Body::Received(Box::new(received(&Match::default(), CASE_TYPES[0], class))),
        Kind::Amended => Body::Amended(Box::<Amended>::default()),
        Kind::Supplemented => Body::Supplemented { new_facts: true },
        Kind::Linked => Body::Linked { kind: word(), case: "wired:2".into() },
        Kind::Dispatched => dispatched(&department, some),
        Kind::Signed => Body::Signed { department, automatic: code.is_some() },
        Kind::Contacted => Body::Contacted { department, reached: Some(true) },
        Kind::Replied => {
            Body::Replied { department, preliminary: code.is_some_and(|code| code == "preliminary") }
        }
        Kind::Accepted => Body::Accepted { department: Some(department) },
        Kind::Refused => Body::Refused { department: Some(department), ground: word() },
        Kind::ReturnRequested => Body::ReturnRequested { department, reason: some },
        Kind::ReturnRefused => Body::ReturnRefused { department, reason: some, is_final: false },
        Kind::Returned => Body::Returned { department, reason: some },
        Kind::ExtensionRequested => Body::ExtensionRequested { stage: word(), grant, by: None },
        Kind::ExtensionRefused => Body::ExtensionRefused { stage: word(), by: None },
        Kind::Extended => Body::Extended { stage: word(), grant, by: None },
        Kind::Held => Body::Held { reason: word(), stages: Vec::new(), until: None },
        Kind::Released => Body::Released { reason: word() },
        Kind::Verified => Body::Verified { result: word(), amounts: Vec::new() },
        Kind::Notified => Body::Notified { of: word() },
        Kind::Submitted => Body::Submitted { department, outcome: some, amounts: Vec::new() },
        Kind::CloseRefused => Body::CloseRefused { department },
        Kind::Closed => match some {
            outcome @ Some(_) => Body::Closed { department, by: None, outcome, amounts: Vec::new() },
            None => closed(&department, class),
        },
        Kind::Merged => Body::Merged { into: "wired:2".into(), reason: some },
        Kind::Split => Body::Split { into: vec!["wired:2".into(), "wired:3".into()] },
        Kind::Withdrawn => Body::Withdrawn { by: some },
        Kind::Rated => Body::Rated(Box::new(rated())),
        Kind::Reopened => Body::Reopened { reason: word() },
        Kind::Urged => Body::Urged { by: some },
        Kind::Supervised => Body::Supervised { kind: some, by: None, own_limit: None },
        Kind::SupervisionAnswered => Body::SupervisionAnswered { kind: some, by: None },
        Kind::Acknowledged => Body::Acknowledged { alarm: word() },
        Kind::Appealed => Body::Appealed { indicator: word() },
        Kind::Ruled => Body::Ruled(Box::new(ruled(&word()))),
        Kind::Milestone => Body::Milestone { name: word(), result: None },
        Kind::Snapshot => Body::Snapshot(Vec::new()),
        Kind::Corrected => Body::Corrected(Box::new(Corrected {
            target: EventKey::of("wired", "wired"),
            target_kind: Kind::Closed,
            change: Change::Void,
        })),
    }
}

fn rated() -> Rated {
    Rated {
        reached: true,
        method: None,
        satisfaction: Some(5),
        aspects: Vec::new(),
        solved: None,
        attempt: 1,
    }
}

fn ruled(effect: &Code) -> Ruled {
    Ruled {
        indicator: "all".into(),
        effect: RulingEffect::parse(effect).unwrap_or(RulingEffect::Restore),
        reason: "wired".into(),
        document: "wired".into(),
        by: None,
        round: None,
        department: None,
    }
}
