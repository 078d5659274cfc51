//! Second pass: what happened, in order: rounds, custody, submissions, holds, and who was to dispatch.

mod expect;
mod slots;
mod take;

use jiff::{SignedDuration, Timestamp};

use super::admit::{Admission, Admitted, AdmittedPin};
use super::view::{Attributes, Proposal, Round};
use crate::anomaly::{Anomaly, AnomalyCode};
use crate::fact::{Body, Code, EventKey, Kind, Received, Ruled};
use crate::rulebook::codes::list_of;
use crate::rulebook::{Rulebook, Source};

/// How far ahead of the fact that makes it expected a fact may stand, where its source says nothing.
const ORDER_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What the walk found.
#[derive(Debug)]
pub(super) struct Walked<'a> {
    pub(super) case: &'a str,
    pub(super) hotline: Code,
    pub(super) office: Option<Code>,
    pub(super) received: Option<(Timestamp, &'a Received)>,
    pub(super) rounds: Vec<Round>,
    pub(super) attributes: Attributes,
    pub(super) rulings: Vec<(Timestamp, &'a Ruled)>,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) proposal: Option<Proposal>,
}

/// A slot that nobody has filled yet.
#[derive(Clone, Copy, Debug)]
struct OpenSlot {
    trigger: EventKey,
    /// When the decision is ours, unless the hotline dispatches before.
    decided_at: Option<Timestamp>,
}

/// A fact that was not expected when its turn came.
struct Waiting<'a> {
    fact: &'a Admitted<'a>,
    reason: AnomalyCode,
}

struct Walk<'a> {
    rulebook: &'a Rulebook,
    walked: Walked<'a>,
    /// The source of the case's receipt: it decides who dispatches.
    source: Option<&'a Source>,
    pins: &'a [AdmittedPin<'a>],
    slot: Option<OpenSlot>,
    waiting: Vec<Waiting<'a>>,
}

pub(super) fn walk<'a>(case: &'a str, admission: &'a Admission<'a>, rulebook: &'a Rulebook) -> Walked<'a> {
    let hotline = Code::new(case.split(':').next().unwrap_or(case));
    let office = rulebook.hotlines.get(&hotline).map(|hotline| hotline.office.clone());
    let mut walk = Walk {
        rulebook,
        walked: Walked {
            case,
            hotline,
            office,
            received: None,
            rounds: Vec::new(),
            attributes: Attributes::default(),
            rulings: Vec::new(),
            anomalies: admission.anomalies.clone(),
            proposal: None,
        },
        source: None,
        pins: &admission.pins,
        slot: None,
        waiting: Vec::new(),
    };
    walk.run(&admission.timeline);
    walk.walked
}

impl<'a> Walk<'a> {
    fn run(&mut self, timeline: &'a [Admitted<'a>]) {
        let Some(receipt) = timeline.iter().position(|fact| fact.body.kind() == Kind::Received) else {
            if let Some(first) = timeline.first() {
                self.flag(first.counted_at, AnomalyCode::Unregistered, None);
            }
            return;
        };
        self.flag_hotline(&timeline[receipt]);
        // The receipt opens the first round whatever its time: a call taken down late was still the beginning.
        self.take(&timeline[receipt]);
        let rest: Vec<&'a Admitted<'a>> = timeline
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != receipt)
            .map(|(_, fact)| fact)
            .collect();
        for group in rest.chunk_by(|a, b| (a.counted_at, a.sequence) == (b.counted_at, b.sequence)) {
            self.decide_before(group[0].counted_at);
            self.take_group(group);
        }
        self.decide_rest();
        for waiting in std::mem::take(&mut self.waiting) {
            self.flag(waiting.fact.counted_at, waiting.reason, Some(waiting.fact.key));
        }
    }

    /// Of facts of one instant the first expected one is taken, again and again.
    fn take_group(&mut self, group: &[&'a Admitted<'a>]) {
        let mut left = group.to_vec();
        while let Some(place) = left.iter().position(|fact| self.unexpected(fact).is_none()) {
            let fact = left.remove(place);
            self.take_and_revive(fact);
        }
        for fact in left {
            if let Some(reason) = self.unexpected(fact) {
                self.waiting.push(Waiting { fact, reason });
            }
        }
        self.give_up_barred();
    }

    fn take_and_revive(&mut self, fact: &'a Admitted<'a>) {
        self.take(fact);
        self.revive(fact.counted_at);
    }

    /// Takes facts that were a little early, right after the one that makes them expected.
    fn revive(&mut self, now: Timestamp) {
        while let Some(place) = self.waiting.iter().position(|waiting| {
            now.duration_since(waiting.fact.counted_at) <= self.tolerance(waiting.fact)
                && self.unexpected(waiting.fact).is_none()
        }) {
            let waiting = self.waiting.remove(place);
            self.take(waiting.fact);
            self.give_up_barred();
        }
    }

    /// A return that a department may not ask for any more does not wait until it has the case again.
    fn give_up_barred(&mut self) {
        let (barred, waiting): (Vec<Waiting<'a>>, _) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| self.unexpected(waiting.fact) == Some(AnomalyCode::ReturnBarred));
        self.waiting = waiting;
        for waiting in barred {
            self.flag(waiting.fact.counted_at, AnomalyCode::ReturnBarred, Some(waiting.fact.key));
        }
    }

    fn tolerance(&self, fact: &Admitted<'_>) -> SignedDuration {
        self.rulebook.sources.get(fact.source).map_or(ORDER_TOLERANCE, |source| source.order_tolerance)
    }

    fn flag(&mut self, at: Timestamp, code: AnomalyCode, fact: Option<EventKey>) {
        self.walked.anomalies.push(Anomaly { at, code, fact });
    }

    fn flag_hotline(&mut self, receipt: &'a Admitted<'a>) {
        if self.walked.office.is_none() {
            self.flag(receipt.counted_at, AnomalyCode::UnknownHotline, Some(receipt.key));
        }
    }

    fn round(&self) -> Option<&Round> {
        self.walked.rounds.last()
    }

    fn open_round(&self) -> Option<&Round> {
        self.round().filter(|round| round.closing.is_none())
    }

    /// The hotline's office, or `-` where the hotline is unknown.
    fn office(&self) -> Code {
        self.walked.office.clone().unwrap_or_else(|| Code::new_static("-"))
    }

    /// The latest opened custody of a department that is still open.
    fn open_custody(&self, department: &str) -> Option<usize> {
        let custodies = &self.open_round()?.custodies;
        custodies.iter().rposition(|custody| custody.ended.is_none() && custody.department == department)
    }

    /// Flags what the rulebook's directories do not know.
    fn flag_unknown(&mut self, fact: &Admitted<'_>) {
        if let Some(department) = fact.body.department()
            && !self.rulebook.departments.contains_key(department)
        {
            self.flag(fact.counted_at, AnomalyCode::UnknownDepartment, Some(fact.key));
        }
        if unknown_code(fact.body, self.rulebook) {
            self.flag(fact.counted_at, AnomalyCode::UnknownCode, Some(fact.key));
        }
    }

    fn take_ruling(&mut self, fact: &Admitted<'a>) {
        if let Body::Ruled(ruled) = fact.body {
            self.walked.rulings.push((fact.counted_at, ruled));
        }
    }
}

/// Whether the fact carries a code that stands neither in the built-in list nor in the rulebook's.
fn unknown_code(body: &Body, rulebook: &Rulebook) -> bool {
    let listed = list_of(body.kind()).zip(body.code());
    listed.is_some_and(|(list, code)| !rulebook.knows(list, code))
}
