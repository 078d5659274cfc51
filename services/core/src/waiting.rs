//! What a case waits for, and since when: what people look up every morning.
//!
//! A function of the view. It deliberately knows no "now": a hold that ends by itself is told with its end, and whoever
//! makes a list asks the clock. A closed case waits for nothing.

use jiff::Timestamp;

use crate::anomaly::AnomalyCode;
use crate::fact::{Body, Code, Role};
use crate::fold::{Clock, Round, Verdict, View};

/// What a case waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// A signature, of the department that must sign first.
    pub signature: Option<Signature>,
    /// The office's review of a submission, since the first that nobody has refused.
    pub review_since: Option<Timestamp>,
    /// The closure clock stands still meanwhile: it was submitted in time.
    pub submitted_in_time: bool,
    /// The answer to a department that asked to give the case back.
    pub return_asked_since: Option<Timestamp>,
    /// A lead: nobody has one.
    pub dispatch_since: Option<Timestamp>,
    /// … since a department gave it back.
    pub is_returned: bool,
    /// The answer to an extension that was asked for.
    pub extension: Option<Asked>,
    /// The end of a hold: of those that stand, the one that ends last.
    pub hold: Option<Held>,
}

/// A dispatch that nobody has signed for, by a policy of the family `sign`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub department: Option<Code>,
    pub since: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
}

/// An extension of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub stage: Code,
    pub since: Timestamp,
}

/// A hold that was not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub reason: Code,
    pub since: Timestamp,
    /// None: until it is released. It may be over.
    pub until: Option<Timestamp>,
}

impl Waits {
    pub fn of(view: &View) -> Self {
        let Some(round) = view.last_round().filter(|round| round.closing.is_none()) else {
            return Self::default();
        };
        let last = view.rounds.len() - 1;
        let open = || view.clocks.iter().filter(move |one| one.round == last && one.verdict == Verdict::Open);
        let dispatch_since = dispatch_since(round);
        Self {
            signature: open()
                .filter(|clock| clock.family == "sign")
                .min_by_key(|clock| first_due(clock))
                .map(signature),
            review_since: review_since(round),
            submitted_in_time: view.closure_clock().is_some_and(is_in_review),
            return_asked_since: return_asked_since(round),
            dispatch_since,
            is_returned: dispatch_since.is_some() && round.slots.len() > 1,
            extension: extension(round),
            hold: hold(round),
        }
    }

    /// Whether it waits for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// When a fact of the case was last counted at its receipt because its source may not enter facts so late.
pub fn backdated_at(view: &View) -> Option<Timestamp> {
    let backdated = view.anomalies.iter().filter(|anomaly| anomaly.code == AnomalyCode::Backdated);
    backdated.map(|anomaly| anomaly.at).max()
}

fn is_in_review(clock: &Clock) -> bool {
    clock.verdict == Verdict::Open && clock.in_review_since.is_some()
}

fn first_due(clock: &Clock) -> (Timestamp, Option<Timestamp>, Option<Code>) {
    (clock.due_at().unwrap_or(Timestamp::MAX), clock.start_at, clock.department.clone())
}

fn signature(clock: &Clock) -> Signature {
    Signature { department: clock.department.clone(), since: clock.start_at, due_at: clock.due_at() }
}

fn review_since(round: &Round) -> Option<Timestamp> {
    let stands = |custody: usize| round.custodies[custody].ended.is_none();
    let submissions = round.submissions.iter().filter(|one| one.refused_at.is_none() && stands(one.custody));
    submissions.map(|one| one.at).min()
}

fn return_asked_since(round: &Round) -> Option<Timestamp> {
    let open = round.custodies.iter().filter(|custody| custody.ended.is_none());
    let asked = open.flat_map(|custody| &custody.return_requests);
    asked.filter(|(_, decided_at)| decided_at.is_none()).map(|(asked_at, _)| *asked_at).min()
}

/// The last place in the round where a dispatch was due, if nobody leads.
fn dispatch_since(round: &Round) -> Option<Timestamp> {
    if round.current_lead().is_some() {
        return None;
    }
    Some(round.slots.last().map_or(round.opened_at, |slot| slot.opened_at))
}

/// The first that was asked for since its stage was last answered, by the lead of today: who takes over asks anew.
fn extension(round: &Round) -> Option<Asked> {
    let lead = round.custodies.iter().rposition(|one| one.role == Role::Lead && one.ended.is_none());
    let mut asked: Vec<Asked> = Vec::new();
    for step in &round.steps {
        match &step.body {
            Body::ExtensionRequested { stage, .. }
                if step.lead == lead && asked.iter().all(|one| one.stage != *stage) =>
            {
                asked.push(Asked { stage: stage.clone(), since: step.counted_at });
            }
            Body::ExtensionRefused { stage, .. } | Body::Extended { stage, .. } => {
                asked.retain(|one| one.stage != *stage);
            }
            _ => {}
        }
    }
    asked.into_iter().next()
}

fn hold(round: &Round) -> Option<Held> {
    let lasting = round.holds.iter().filter(|hold| hold.until.is_none_or(|until| hold.from < until));
    let hold =
        lasting.max_by_key(|hold| (hold.until.unwrap_or(Timestamp::MAX), std::cmp::Reverse(hold.from)))?;
    Some(Held { reason: hold.reason.clone(), since: hold.from, until: hold.until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::fold::samples::{CASE, POLICIES, at, case, life, rulebook};

    #[track_caller]
    fn waits(text: &str) -> Waits {
        let rulebook = rulebook(POLICIES);
        Waits::of(&fold(CASE, &case(life(text), &rulebook), &rulebook))
    }

    const RECEIVED: &str = "09-21 09:00 received\n";
    const SIGNED: &str = "09-21 09:00 received\n09-21 09:30 dispatched D1\n09-21 10:00 signed D1\n";

    #[test]
    fn a_case_waits_for_a_lead_until_somebody_has_one() {
        let received = waits(RECEIVED);
        assert_eq!((received.dispatch_since, received.is_returned), (Some(at("09-21 09:00")), false));
        assert_eq!(waits(SIGNED), Waits::default());
        let asked = format!("{SIGNED}09-22 09:00 return_requested D1\n");
        assert_eq!(waits(&asked), Waits { return_asked_since: Some(at("09-22 09:00")), ..Waits::default() });
        assert_eq!(waits(&format!("{asked}09-22 10:00 return_refused D1")), Waits::default());
        let returned = waits(&format!("{asked}09-22 11:00 returned D1\n"));
        assert_eq!((returned.dispatch_since, returned.is_returned), (Some(at("09-22 11:00")), true));
        assert!(
            waits(&format!(
                "{asked}09-22 11:00 returned D1\n09-22 12:00 dispatched D2\n09-22 13:00 signed D2"
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_dispatch_waits_for_its_signature() {
        let signature =
            waits("09-21 09:00 received\n09-21 09:30 dispatched D1\n").signature.expect("it waits");
        assert_eq!((signature.department.as_deref(), signature.since), (Some("D1"), Some(at("09-21 09:30"))));
        assert!(signature.due_at.is_some_and(|due_at| due_at > at("09-21 09:30")));
    }

    #[test]
    fn a_submission_waits_for_its_review() {
        let submitted = format!("{SIGNED}10-12 20:00 submitted D1\n");
        let waiting =
            Waits { review_since: Some(at("10-12 20:00")), submitted_in_time: true, ..Waits::default() };
        assert_eq!(waits(&submitted), waiting);
        let late = Waits { review_since: Some(at("10-13 09:00")), ..Waits::default() };
        assert_eq!(waits(&format!("{SIGNED}10-13 09:00 submitted D1\n")), late);
        assert!(waits(&format!("{submitted}10-13 09:00 close_refused D1")).is_empty());
        assert!(waits(&format!("{submitted}10-13 09:00 closed D1")).is_empty());
    }

    #[test]
    fn what_the_lead_submitted_in_time_is_in_time_whatever_a_department_below_it_does() {
        let below = "09-22 09:00 dispatched D2 from=D1 role=sub\n09-22 10:00 signed D2\n";
        assert!(waits(&format!("{SIGNED}{below}10-12 20:00 submitted D1\n")).submitted_in_time);
        assert!(!waits(&format!("{SIGNED}{below}10-12 20:00 submitted D2\n")).submitted_in_time);
    }

    #[test]
    fn an_extension_waits_for_the_first_answer_and_not_beyond_its_lead() {
        let asked = format!(
            "{SIGNED}09-22 09:00 extension_requested 5-working_day\n09-23 09:00 extension_requested 5-working_day\n"
        );
        let waiting = Asked { stage: "close".into(), since: at("09-22 09:00") };
        assert_eq!(waits(&asked).extension, Some(waiting));
        assert!(waits(&format!("{asked}09-24 09:00 extension_refused")).is_empty());
        assert!(waits(&format!("{asked}09-24 09:00 extended 5-working_day")).is_empty());
        assert!(waits(&format!("{asked}09-24 09:00 dispatched D2\n09-24 10:00 signed D2")).is_empty());
    }

    #[test]
    fn a_hold_waits_for_its_end() {
        let held = format!("{SIGNED}09-22 09:00 held inspection\n");
        assert_eq!(
            waits(&held).hold,
            Some(Held { reason: "inspection".into(), since: at("09-22 09:00"), until: None })
        );
        let until = waits(&format!("{SIGNED}09-22 09:00 held inspection until=09-25T09:00\n"))
            .hold
            .expect("it waits");
        assert_eq!(until.until, Some(at("09-25 09:00")));
        let released =
            waits(&format!("{held}09-24 09:00 released inspection")).hold.expect("it is told with its end");
        assert_eq!(released.until, Some(at("09-24 09:00")));
    }
}
