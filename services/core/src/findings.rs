//! What auditors look cases up by: a closed case in one row, and what of any case they ask about first.
//!
//! Both are computed from the view alone, so they say what [`crate::fold`] says. Nothing here judges: a finding is a
//! thing that somebody should look at, not a fault.

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::{SmolStr, format_smolstr};

use crate::anomaly::AnomalyCode;
use crate::case::CaseFacts;
use crate::fact::{Body, Code, EventKey, Grant, Kind, RulingEffect};
use crate::fold::{Changed, Correction, Outcome, Round, Step, View};
use crate::rulebook::Rulebook;

/// Stands for nobody.
const NOBODY: &str = "-";
/// The term of every closed case.
pub const EVERY: &str = "*";

/// A case whose last round is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    pub closed_at: Timestamp,
    /// … in the rulebook's zone.
    pub day: Date,
    pub received_at: Option<Timestamp>,
    /// Whose work is judged; `-`: nobody's.
    pub department: Code,
    pub hotline: Code,
    pub case_type: Code,
    /// From broad to narrow.
    pub category: Vec<Code>,
    pub region: Code,
    pub class: Code,
    /// How it was closed: `closed`, `refused`, `merged`, `split`, `withdrawn`.
    pub kind: &'static str,
    pub outcome: Option<Code>,
    /// Of the clock that decides "on time"; None where there is none.
    pub verdict: Option<&'static str>,
    /// … and its deadline.
    pub due_at: Option<Timestamp>,
    /// A ruling took that clock out of what counts.
    pub excluded: bool,
    pub rounds: u32,
    /// `1` to `5`, or a word.
    pub rating: Option<&'static str>,
    /// The policies under which clocks of the case ran.
    pub policies: Vec<Code>,
    /// Codes, each once.
    pub anomalies: Vec<&'static str>,
}

impl Closure {
    /// None while the case is open, or its receipt is not known.
    pub fn of(view: &View, rulebook: &Rulebook) -> Option<Self> {
        let round = view.last_round().filter(|_| view.registered)?;
        let closing = round.closing.as_ref()?;
        let clock = view.closure_clock();
        let mut policies: Vec<Code> = view.clocks.iter().filter_map(|clock| clock.policy.clone()).collect();
        policies.sort_unstable();
        policies.dedup();
        let mut anomalies: Vec<_> = view.anomalies.iter().map(|anomaly| anomaly.code.code()).collect();
        anomalies.sort_unstable();
        anomalies.dedup();
        Some(Self {
            closed_at: closing.at,
            day: rulebook.day(closing.at),
            received_at: view.received_at,
            department: closing.department.clone().unwrap_or_else(|| NOBODY.into()),
            hotline: view.hotline.clone(),
            case_type: view.attributes.case_type.clone(),
            category: view.attributes.category.clone(),
            region: view.attributes.region.clone(),
            class: view.class.clone(),
            kind: closing.kind.name(),
            outcome: closing.outcome.clone(),
            verdict: clock.map(|clock| clock.verdict.name()),
            due_at: clock.and_then(crate::fold::Clock::due_at),
            excluded: clock.is_some_and(|clock| clock.excluded),
            rounds: u32::try_from(view.rounds.len()).unwrap_or(u32::MAX),
            rating: round.rating.as_ref().map(|rating| rating.outcome.name()),
            policies,
            anomalies,
        })
    }

    /// The keys of its terms, sorted.
    pub fn keys(&self) -> Vec<SmolStr> {
        self.terms().iter().map(|term| key(term, self.day)).collect()
    }

    /// What the case is found by, sorted: each a [`Term`] as text, and [`EVERY`].
    pub fn terms(&self) -> Vec<SmolStr> {
        let one = |term: Term, value: &str| term.of(value);
        let mut terms = vec![
            SmolStr::new_static(EVERY),
            one(Term::Department, &self.department),
            one(Term::Hotline, &self.hotline),
            one(Term::CaseType, &self.case_type),
            one(Term::Class, &self.class),
        ];
        let paths =
            (1..=self.category.len()).map(|depth| one(Term::Category, &path(&self.category[..depth])));
        terms.extend(paths);
        terms.extend(regions(&self.region).map(|region| one(Term::Region, region)));
        terms.extend(self.verdict.map(|verdict| one(Term::Verdict, verdict)));
        let judged = |verdict| judged(&self.department, verdict, self.excluded);
        terms.extend(self.verdict.map(judged));
        terms.extend(self.policies.iter().map(|policy| one(Term::Rule, policy)));
        terms.extend(self.anomalies.iter().map(|code| one(Term::Anomaly, code)));
        terms.sort_unstable();
        terms.dedup();
        terms
    }
}

/// The term of the cases of a department with a verdict, those apart that a ruling took out of what counts: by its count
/// a rate is made with them and without.
pub fn judged(department: &str, verdict: &str, excluded: bool) -> SmolStr {
    let excluded = if excluded { "/excluded" } else { "" };
    format_smolstr!("judged={department}/{verdict}{excluded}")
}

/// A term among the closings of a month: what a closed case is looked up by, so that what is rare in all years and what is
/// rare in one month are found alike.
pub fn key(term: &str, day: Date) -> SmolStr {
    format_smolstr!("{term}{}", month(day))
}

/// What stands behind a term in the keys of a month: `@2026-11`.
pub fn month(day: Date) -> SmolStr {
    format_smolstr!("@{:04}-{:02}", day.year(), day.month())
}

/// A category as one text, from broad to narrow.
pub fn path(category: &[Code]) -> String {
    category.join("/")
}

/// A region and the regions that it lies in: of six digits and more, the province and the city.
fn regions(region: &str) -> impl Iterator<Item = &str> {
    let digits = region.bytes().take_while(u8::is_ascii_digit).count();
    let within = [2, 4, 6].into_iter().filter(move |length| digits >= 6 && *length < region.len());
    let whole = Some(region).filter(|region| !region.is_empty());
    within.map(move |length| &region[..length]).chain(whole)
}

/// By what a closed case is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    Department,
    Hotline,
    CaseType,
    /// A path from broad to narrow, of any length: `housing/heating`.
    Category,
    Region,
    Class,
    Verdict,
    /// A policy's id.
    Rule,
    Anomaly,
}

impl Term {
    pub const ALL: [Term; 9] = [
        Term::Department,
        Term::Hotline,
        Term::CaseType,
        Term::Category,
        Term::Region,
        Term::Class,
        Term::Verdict,
        Term::Rule,
        Term::Anomaly,
    ];

    /// As a question names it.
    pub fn name(self) -> &'static str {
        match self {
            Term::Department => "department",
            Term::Hotline => "hotline",
            Term::CaseType => "case_type",
            Term::Category => "category",
            Term::Region => "region",
            Term::Class => "class",
            Term::Verdict => "verdict",
            Term::Rule => "rule",
            Term::Anomaly => "anomaly",
        }
    }

    /// The term as it is stored.
    pub fn of(self, value: &str) -> SmolStr {
        format_smolstr!("{}={value}", self.name())
    }
}

/// What auditors ask about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A ruling that takes something out of what counts.
    Excluded,
    /// Any other ruling.
    Ruled,
    Extended,
    Held,
    /// A closing or a submission that was entered later than its source may.
    Backdated,
    /// A round that counts as rated though nobody answered.
    RatedByDefault,
    Corrected,
}

impl FindingKind {
    pub const ALL: [FindingKind; 7] = [
        FindingKind::Excluded,
        FindingKind::Ruled,
        FindingKind::Extended,
        FindingKind::Held,
        FindingKind::Backdated,
        FindingKind::RatedByDefault,
        FindingKind::Corrected,
    ];

    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Excluded => "excluded",
            FindingKind::Ruled => "ruled",
            FindingKind::Extended => "extended",
            FindingKind::Held => "held",
            FindingKind::Backdated => "backdated",
            FindingKind::RatedByDefault => "rated_by_default",
            FindingKind::Corrected => "corrected",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One thing to look at. What a member means depends on the kind; None: it does not apply, or nobody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// When it counts.
    pub at: Timestamp,
    /// The fact; of a default rating the case's round is what counts.
    pub fact: Option<EventKey>,
    pub round: u32,
    /// Who held the case, or had closed it; `-`: nobody.
    pub department: Code,
    /// Of a ruling the effect, of a hold the stages, of a closing or correction the type of the fact.
    pub code: Option<SmolStr>,
    /// Of a ruling the indicator, of an extension the stage.
    pub of: Option<Code>,
    pub reason: Option<Code>,
    pub document: Option<Code>,
    /// Who approved it, as the event says.
    pub by: Option<Code>,
    /// The source that sent it.
    pub source: SmolStr,
    pub claimed_at: Timestamp,
    pub received_at: Option<Timestamp>,
    /// Of a hold its end, of an extension the day granted, of a correction the new time.
    pub until: Option<Timestamp>,
    /// Of an extension what was granted, of a correction what it did.
    pub detail: Option<SmolStr>,
    /// Anomalies of this fact, and of corrections `other_author`, `judged_department`.
    pub marks: Vec<&'static str>,
}

/// A correction by another source than the one whose fact it corrects.
pub const OTHER_AUTHOR: &str = "other_author";
/// A correction by the source of a department that is judged by a clock of the case: the last part of the source's
/// path is the department's code.
pub const JUDGED_DEPARTMENT: &str = "judged_department";

/// Whether a case with these facts may have a closure or findings, or had some, but for what was submitted late: facts never go,
/// so that what was once looked at is looked at again.
pub fn may_have(facts: &CaseFacts) -> bool {
    let concerns = |kind: Kind| {
        kind.closes() || matches!(kind, Kind::Ruled | Kind::Extended | Kind::Held | Kind::Corrected)
    };
    !facts.snapshots().is_empty() || facts.facts().iter().any(|fact| concerns(fact.body.kind()))
}

/// The findings of a case, in order.
pub fn findings(view: &View, facts: &CaseFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    if !view.registered {
        return found;
    }
    for round in &view.rounds {
        found.extend(round.steps.iter().filter_map(|step| of_step(view, round, step)));
        found.extend(default_rating(round));
    }
    found.extend(view.corrections.iter().map(|correction| of_correction(view, facts, correction)));
    found.sort_by_key(|finding| (finding.at, finding.kind, finding.fact));
    found
}

fn plain(kind: FindingKind, view: &View, round: &Round, step: &Step) -> Finding {
    let of_fact = view.anomalies.iter().filter(|anomaly| anomaly.fact == Some(step.key));
    Finding {
        kind,
        at: step.counted_at,
        fact: Some(step.key),
        round: round.number,
        department: responsible(round, step),
        code: None,
        of: None,
        reason: None,
        document: None,
        by: None,
        source: step.source.clone(),
        claimed_at: step.claimed_at,
        received_at: step.received_at,
        until: None,
        detail: None,
        marks: of_fact.map(|anomaly| anomaly.code.code()).collect(),
    }
}

/// Who led the case at a step, or had closed it by then.
fn responsible(round: &Round, step: &Step) -> Code {
    let lead = step.lead.map(|lead| &round.custodies[lead].department);
    let closer = || round.closing.as_ref().and_then(|closing| closing.department.as_ref());
    lead.or_else(closer).cloned().unwrap_or_else(|| NOBODY.into())
}

fn of_step(view: &View, round: &Round, step: &Step) -> Option<Finding> {
    let plain = |kind| plain(kind, view, round, step);
    Some(match &step.body {
        Body::Ruled(ruled) => {
            let excludes = ruled.effect == RulingEffect::Exclude;
            let kind = if excludes { FindingKind::Excluded } else { FindingKind::Ruled };
            let mut finding = plain(kind);
            finding.code = Some(SmolStr::new_static(ruled.effect.name()));
            finding.of = Some(ruled.indicator.clone());
            finding.reason = Some(ruled.reason.clone());
            finding.document = Some(ruled.document.clone());
            finding.by.clone_from(&ruled.by);
            finding.round = ruled.round.unwrap_or(finding.round);
            if let Some(department) = &ruled.department {
                finding.department = department.clone();
            }
            finding
        }
        Body::Extended { stage, grant, by } => {
            let mut finding = plain(FindingKind::Extended);
            finding.of = Some(stage.clone());
            finding.by.clone_from(by);
            match grant {
                Grant::Limit(limit, unit) => {
                    finding.detail = Some(format_smolstr!("{limit} {}", unit.name()));
                }
                Grant::Until(until) => finding.until = Some(*until),
            }
            finding
        }
        Body::Held { reason, stages, until } => {
            let mut finding = plain(FindingKind::Held);
            finding.reason = Some(reason.clone());
            finding.code = (!stages.is_empty()).then(|| stages.join(",").into());
            finding.until = released(round, reason, step).or(*until);
            finding
        }
        body if body.kind().closes() || body.kind() == Kind::Submitted => {
            let finding = plain(FindingKind::Backdated);
            if !finding.marks.contains(&AnomalyCode::Backdated.code()) {
                return None;
            }
            Finding { code: Some(SmolStr::new_static(body.kind().name())), ..finding }
        }
        _ => return None,
    })
}

/// When a hold was released.
fn released(round: &Round, reason: &Code, held: &Step) -> Option<Timestamp> {
    let spans = round.holds.iter().filter(|hold| hold.reason == *reason && hold.from == held.counted_at);
    spans.filter_map(|hold| hold.until).min()
}

fn default_rating(round: &Round) -> Option<Finding> {
    let rating = round.rating.as_ref().filter(|rating| rating.outcome == Outcome::Default)?;
    let at = rating.at?;
    let of_rating = |step: &&Step| step.body.kind() == Kind::Rated && step.counted_at == at;
    let step = round.steps.iter().rev().find(of_rating);
    let closer = round.closing.as_ref().and_then(|closing| closing.department.clone());
    Some(Finding {
        kind: FindingKind::RatedByDefault,
        at,
        fact: step.map(|step| step.key),
        round: round.number,
        department: closer.unwrap_or_else(|| NOBODY.into()),
        code: Some(SmolStr::new_static(Outcome::Default.name())),
        of: None,
        reason: None,
        document: None,
        by: None,
        source: step.map_or_else(SmolStr::default, |step| step.source.clone()),
        claimed_at: step.map_or(at, |step| step.claimed_at),
        received_at: step.and_then(|step| step.received_at),
        until: None,
        detail: None,
        marks: Vec::new(),
    })
}

fn of_correction(view: &View, facts: &CaseFacts, correction: &Correction) -> Finding {
    let (detail, until) = match correction.change {
        Changed::Voided => ("voided", None),
        Changed::Moved(now) => ("moved", Some(now)),
        Changed::Restated => ("restated", None),
    };
    let found = view.rounds.iter().find_map(|round| {
        let step = round.steps.iter().find(|step| step.key == correction.target)?;
        Some((round, step))
    });
    let round = found.map(|(round, _)| round).or_else(|| {
        view.rounds
            .iter()
            .rev()
            .find(|round| round.opened_at <= correction.claimed_at)
            .or(view.rounds.first())
    });
    let closer = round.and_then(|round| round.closing.as_ref()?.department.clone());
    let department = found.map(|(round, step)| responsible(round, step)).or(closer);
    Finding {
        kind: FindingKind::Corrected,
        at: correction.at,
        fact: Some(correction.target),
        round: round.map_or(1, |round| round.number),
        department: department.unwrap_or_else(|| NOBODY.into()),
        code: Some(SmolStr::new_static(correction.kind.name())),
        of: None,
        reason: None,
        document: None,
        by: None,
        source: correction.source.clone(),
        claimed_at: correction.claimed_at,
        received_at: correction.received_at,
        until,
        detail: Some(SmolStr::new_static(detail)),
        marks: authors(view, facts, correction),
    }
}

/// What is to be said of who made a correction.
pub fn authors(view: &View, facts: &CaseFacts, correction: &Correction) -> Vec<&'static str> {
    let own = facts.facts().iter().find(|fact| fact.key == correction.target).map(|fact| &fact.source);
    let other = own.is_some_and(|own| *own != correction.source);
    let author = correction.source.rsplit('/').next().unwrap_or_default();
    let closers = view.rounds.iter().filter_map(|round| round.closing.as_ref()?.department.as_ref());
    let mut judged = view.clocks.iter().filter_map(|clock| clock.department.as_ref()).chain(closers);
    let judged = judged.any(|department| department == author);
    let marks = [other.then_some(OTHER_AUTHOR), judged.then_some(JUDGED_DEPARTMENT)];
    marks.into_iter().flatten().collect()
}
