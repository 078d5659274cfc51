//! What a fold says of a case.

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::SmolStr;

use crate::anomaly::Anomaly;
use crate::calendar::Calendar;
use crate::deadline::{Deadline, Extension, Hold, Limit};
use crate::fact::{Amounts, Body, Category, Code, EventKey, Kind, OwnLimit, Precision, Role, Solved};
use crate::rulebook::{Policy, StopAt, Tier};

/// What a rule may ask of a case, as it stands at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub case_type: Code,
    pub category: Category,
    pub region: Code,
    pub urgency: Code,
    pub tags: Vec<Code>,
    pub channel: Option<Code>,
    pub origin: Option<Code>,
    pub confidential: bool,
}

/// A fact that was expected, in the order in which the fold took it.
#[derive(Clone, Debug)]
pub struct Step {
    pub key: EventKey,
    pub source: SmolStr,
    pub body: Body,
    pub claimed_at: Timestamp,
    pub received_at: Option<Timestamp>,
    pub counted_at: Timestamp,
    pub precision: Precision,
    /// The custody of the department that the fact names.
    pub custody: Option<usize>,
    /// Who held the case as lead at that instant.
    pub lead: Option<usize>,
}

/// How a custody ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustodyEnd {
    Returned,
    Redispatched,
    Reorganisation,
    /// The custody it hung from ended.
    WithParent,
    Closed,
}

/// Who held the case, from when to when.
#[derive(Clone, Debug)]
pub struct Custody {
    pub department: Code,
    pub from: Code,
    pub role: Role,
    pub parent: Option<usize>,
    pub from_at: Timestamp,
    pub ended: Option<(Timestamp, CustodyEnd)>,
    /// The step that opened it.
    pub opening: usize,
    pub own_limit: Option<OwnLimit>,
    /// Returns asked for, and when each was decided.
    pub return_requests: Vec<(Timestamp, Option<Timestamp>)>,
    /// A return was refused for good.
    pub return_barred: bool,
    /// The rule, where the dispatch was our own.
    pub rule: Option<Code>,
}

impl Custody {
    /// Whether the department held the case just before this instant.
    pub fn held_before(&self, at: Timestamp) -> bool {
        self.from_at < at && self.ended.is_none_or(|(ended_at, _)| at <= ended_at)
    }
}

#[derive(Clone, Debug)]
pub struct Submission {
    pub custody: usize,
    pub at: Timestamp,
    pub precision: Precision,
    pub refused_at: Option<Timestamp>,
    pub amounts: Amounts,
}

/// A span in which clocks that heed its reason do not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSpan {
    pub reason: Code,
    /// Empty: all.
    pub stages: Vec<Code>,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Closing {
    /// The step that closed the round.
    pub step: usize,
    pub kind: Kind,
    pub at: Timestamp,
    pub precision: Precision,
    /// Whose work is judged: the department named, else the lead at that instant.
    pub department: Option<Code>,
    pub outcome: Option<Code>,
}

/// A place in a round where a dispatch is due.
#[derive(Clone, Debug)]
pub struct SlotView {
    /// The fact that opened it.
    pub trigger: EventKey,
    pub opened_at: Timestamp,
    /// What our rules would decide, whoever dispatches.
    pub would_route: Option<crate::routing::Decision>,
    /// What filled it.
    pub filled_by: Option<EventKey>,
}

/// A dispatch decision that is ours to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub slot: EventKey,
    pub at: Timestamp,
    pub department: Code,
    pub rule: Code,
}

/// What the caller said of a round: exactly one of these a closed round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(u8),
    Unanswered,
    Unreached,
    Default,
    NotAsked,
    NotRequired,
}

impl Outcome {
    /// The grade, or a word.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Answered(1) => "1",
            Outcome::Answered(2) => "2",
            Outcome::Answered(3) => "3",
            Outcome::Answered(4) => "4",
            Outcome::Answered(_) => "5",
            Outcome::Unanswered => "unanswered",
            Outcome::Unreached => "unreached",
            Outcome::Default => "default",
            Outcome::NotAsked => "not_asked",
            Outcome::NotRequired => "not_required",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Rating {
    pub outcome: Outcome,
    pub solved: Option<Solved>,
    /// When the rating that counts was given.
    pub at: Option<Timestamp>,
}

/// From receipt, or a reopening, to its closure.
#[derive(Clone, Debug)]
pub struct Round {
    /// 1 is the first.
    pub number: u32,
    pub opened_at: Timestamp,
    pub steps: Vec<Step>,
    pub custodies: Vec<Custody>,
    pub submissions: Vec<Submission>,
    pub holds: Vec<HoldSpan>,
    pub slots: Vec<SlotView>,
    pub closing: Option<Closing>,
    /// As at its closing, else the latest.
    pub attributes: Attributes,
    /// The attributes from each instant on, the first at its opening.
    pub changes: Vec<Change>,
    pub rating: Option<Rating>,
    /// Taken out of the ratings by a ruling.
    pub rating_excluded: bool,
    /// Departments whose returns in this round a ruling took out of what counts.
    pub returns_excluded: Vec<Code>,
    pub reopening_excluded: bool,
    /// Extensions that were asked for on what was then the last day of a clock that took them, by their fact.
    pub extended_last_day: Vec<EventKey>,
}

impl Round {
    /// The custody that held the case as lead just before an instant: of several, the last given.
    pub fn lead_before(&self, at: Timestamp) -> Option<&Custody> {
        self.custodies.iter().rev().find(|custody| custody.role == Role::Lead && custody.held_before(at))
    }

    /// Who leads now, if the round is open.
    pub fn current_lead(&self) -> Option<&Custody> {
        self.custodies.iter().rev().find(|custody| custody.role == Role::Lead && custody.ended.is_none())
    }

    pub fn first_lead(&self) -> Option<&Custody> {
        self.custodies.iter().find(|custody| custody.role == Role::Lead)
    }

    /// What was true of the case before a moment of the round.
    pub fn attributes_before(&self, moment: Moment) -> &Attributes {
        self.attributes_where(|change| change.is_before(moment))
    }

    /// What was true of the case when a step was taken.
    pub fn attributes_at_step(&self, step: usize) -> &Attributes {
        let at = self.steps[step].counted_at;
        self.attributes_where(|change| change.step <= step && change.at <= at)
    }

    /// What was true of the case at an instant.
    pub fn attributes_at(&self, at: Timestamp) -> &Attributes {
        self.attributes_where(|change| change.at <= at)
    }

    fn attributes_where(&self, holds: impl Fn(&Change) -> bool) -> &Attributes {
        let change = self.changes.iter().rev().find(|change| holds(change));
        &change.unwrap_or(&self.changes[0]).attributes
    }
}

/// The attributes of a case from an amendment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The step that brought them: of several at one instant the order counts.
    pub step: usize,
    pub at: Timestamp,
    pub attributes: Attributes,
}

impl Change {
    pub fn is_before(&self, moment: Moment) -> bool {
        self.at < moment.at || self.at == moment.at && moment.step.is_some_and(|step| self.step < step)
    }
}

/// An instant, and of several steps at it which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    pub step: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Met,
    Late,
    /// Its custody or round ended in time otherwise than by its stop.
    Void,
    /// … and after its deadline.
    LeftLate,
    Open,
    /// The matching policy gave no clock, and the round or custody has ended.
    NoneStopped,
    /// … and it has not.
    NoneOpen,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Late => "late",
            Verdict::Void => "void",
            Verdict::LeftLate => "left_late",
            Verdict::Open => "open",
            Verdict::NoneStopped => "none_stopped",
            Verdict::NoneOpen => "none_open",
        }
    }
}

/// What an open clock is doing at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockState {
    Running,
    Held,
    InReview,
    Overdue,
}

impl ClockState {
    pub fn name(self) -> &'static str {
        match self {
            ClockState::Running => "running",
            ClockState::Held => "held",
            ClockState::InReview => "in_review",
            ClockState::Overdue => "overdue",
        }
    }
}

/// One deadline of one stage.
#[derive(Clone, Debug)]
pub struct Clock {
    pub stage: Code,
    pub family: Code,
    pub tier: Tier,
    /// The policy's id; None for a close stage without a policy.
    pub policy: Option<Code>,
    /// Place of the round in the view.
    pub round: usize,
    /// Place of the custody in the round, for a custody clock.
    pub custody: Option<usize>,
    pub role: Role,
    /// Who answers for it; None where nobody does (`-`).
    pub department: Option<Code>,
    /// None: the policy gave no clock.
    pub start_at: Option<Timestamp>,
    /// The region by whose calendar it is counted: that of the case when the clock ended, else the latest.
    pub region: Code,
    pub deadline: Option<Deadline>,
    pub stop: Option<(Timestamp, Precision)>,
    /// The step that stopped it; where a submission did, the closing.
    pub stopped_by: Option<usize>,
    /// When its custody or round ended otherwise than by its stop.
    pub ended_at: Option<Timestamp>,
    /// The limit that came with the case, if the policy heeds it.
    pub own_limit: Option<OwnLimit>,
    /// A submission in time waits for review since then, or did so when the clock ended otherwise than by its stop.
    pub in_review_since: Option<Timestamp>,
    pub holds: Vec<Hold>,
    pub extensions: Vec<Extension>,
    pub stop_at: StopAt,
    /// Of a close clock judged at submission: whether its closing, too, was in time.
    pub approved_in_time: Option<bool>,
    /// This clock decides "on time".
    pub closure: bool,
    pub verdict: Verdict,
    /// Set by a ruling, which counts instead.
    pub ruled: bool,
    pub excluded: bool,
}

impl Clock {
    pub fn due_on(&self) -> Option<Date> {
        self.deadline.as_ref().and_then(|deadline| deadline.due_on)
    }

    pub fn due_at(&self) -> Option<Timestamp> {
        self.deadline.as_ref().and_then(|deadline| deadline.due_at)
    }

    /// What an open clock is doing at an instant.
    pub fn state_at(&self, at: Timestamp) -> ClockState {
        let is_held = |hold: &Hold| hold.from <= at && hold.until.is_none_or(|until| at < until);
        if self.in_review_since.is_some() {
            ClockState::InReview
        } else if self.deadline.as_ref().is_some_and(|deadline| deadline.is_past(at)) {
            ClockState::Overdue
        } else if self.holds.iter().any(is_held) {
            ClockState::Held
        } else {
            ClockState::Running
        }
    }

    /// Whether the work is the hotline office's own, whoever leads the case.
    pub fn is_of_office(&self) -> bool {
        self.custody.is_none() && ["dispatch", "review", "follow_up"].contains(&self.family.as_str())
    }

    /// What the clock counted, for whoever explains it.
    pub fn limit<'a>(&self, policy: &Policy, calendar: &'a Calendar) -> Option<Limit<'a>> {
        super::clocks::limit_of(policy, self.own_limit, calendar)
    }

    /// The word under which its measures stand: the stage, and `_promise` for the tier promise.
    pub fn measure_stage(&self) -> Code {
        match self.tier {
            Tier::Statutory => self.stage.clone(),
            Tier::Promise => smol_str::format_smolstr!("{}_promise", self.stage),
        }
    }
}

/// Everything that follows from the facts of a case.
#[derive(Clone, Debug)]
pub struct View {
    /// `<hotline>:<number>`.
    pub case: SmolStr,
    pub hotline: Code,
    /// The office's department code; None where the hotline is unknown.
    pub office: Option<Code>,
    pub registered: bool,
    pub received_at: Option<Timestamp>,
    pub number: Option<Code>,
    pub persons: u32,
    pub disputed: Amounts,
    pub anonymous: bool,
    pub reply_wanted: bool,
    /// A keyed hash of the caller, where the source sends one.
    pub reporter_tag: Option<Code>,
    /// The latest.
    pub attributes: Attributes,
    pub class: Code,
    pub rounds: Vec<Round>,
    pub clocks: Vec<Clock>,
    pub anomalies: Vec<Anomaly>,
    /// Corrections that act, in the order in which they count.
    pub corrections: Vec<Correction>,
    /// The dispatch decision that is ours to take next.
    pub proposal: Option<Proposal>,
}

/// What a correction did to a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// When it counts.
    pub at: Timestamp,
    pub received_at: Option<Timestamp>,
    pub source: SmolStr,
    /// The fact that was corrected, and when it claimed to have happened before.
    pub target: EventKey,
    pub kind: Kind,
    pub claimed_at: Timestamp,
    pub change: Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It never happened.
    Voided,
    /// It happened then; its data, too, may be other.
    Moved(Timestamp),
    /// Its data are other.
    Restated,
}

impl View {
    /// The newest round.
    pub fn last_round(&self) -> Option<&Round> {
        self.rounds.last()
    }

    /// The clock that decides "on time" of the newest round: the lead's, one that is open before one that has ended, of several
    /// the custody's given last. Clocks stand in the order in which they were found, which is not that of custodies.
    pub fn closure_clock(&self) -> Option<&Clock> {
        let last = self.rounds.len().checked_sub(1);
        let of_lead = |clock: &&Clock| clock.closure && clock.role == Role::Lead && Some(clock.round) == last;
        self.clocks.iter().filter(of_lead).max_by_key(|clock| (clock.verdict == Verdict::Open, clock.custody))
    }

    pub fn is_open(&self) -> bool {
        self.last_round().is_some_and(|round| round.closing.is_none())
    }
}
