//! From a view to its score: what stands where, and who is charged (DESIGN.md, section 9).

mod signs;

use jiff::Timestamp;
use jiff::civil::Date;
use smol_str::format_smolstr;

use super::{Contribution, Days, NOBODY, OpenClock, Score};
use crate::fact::{Amounts, Body, Code, Kind, Role, Solved};
use crate::fold::{Clock, Outcome, Round, Step, Verdict, View};
use crate::measure::{Measure, RatingMeasure, State};
use crate::rulebook::{Basis, Rulebook};

/// What a case adds to the tallies. A case without a receipt adds nothing.
pub fn score(view: &View, rulebook: &Rulebook) -> Score {
    let mut score = Score { hotline: view.hotline.clone(), ..Score::default() };
    for place in 0..view.rounds.len() {
        RoundScore::new(view, rulebook, place).add(&mut score);
    }
    score.contributions.retain_mut(|(contribution, _)| rulebook.asked.prune(contribution));
    score.contributions.sort_unstable();
    score.contributions.dedup_by(|next, kept| {
        let equal = next.0 == kept.0;
        if equal {
            kept.1 += next.1;
        }
        equal
    });
    score.contributions.retain(|(_, value)| *value != 0);
    score
}

struct RoundScore<'a> {
    view: &'a View,
    rulebook: &'a Rulebook,
    place: usize,
    round: &'a Round,
    /// The days on which everything the round yields stands.
    days: Days,
    /// Who closed the round; while it is open, who leads.
    closer: Code,
}

fn nobody() -> Code {
    Code::new_static(NOBODY)
}

impl<'a> RoundScore<'a> {
    fn new(view: &'a View, rulebook: &'a Rulebook, place: usize) -> Self {
        let round = &view.rounds[place];
        let day = |at: Timestamp| rulebook.day(at);
        let mut days = [None; 6];
        days[Basis::Received as usize] = Some(day(round.opened_at));
        days[Basis::Dispatched as usize] = round.first_lead().map(|lead| day(lead.from_at));
        days[Basis::Closed as usize] = round.closing.as_ref().map(|closing| day(closing.at));
        days[Basis::Rated as usize] = round.rating.as_ref().and_then(|rating| rating.at).map(day);
        days[Basis::Due as usize] = closure_due_on(view, place);
        let closer = match &round.closing {
            Some(closing) => closing.department.clone(),
            None => round.current_lead().map(|lead| lead.department.clone()),
        };
        Self { view, rulebook, place, round, days, closer: closer.unwrap_or_else(nobody) }
    }

    fn add(&self, score: &mut Score) {
        for clock in self.view.clocks.iter().filter(|clock| clock.round == self.place) {
            self.add_clock(clock, score);
        }
        self.add_rating(score);
        self.add_follow_up(score);
        self.add_sums(score);
        if let Some(outcome) = self.round.closing.as_ref().and_then(|closing| closing.outcome.as_ref()) {
            self.count(score, format_smolstr!("outcome.{outcome}"), self.closer.clone(), None);
        }
        if self.place == 0 {
            let first = self.round.first_lead().map_or_else(nobody, |lead| lead.department.clone());
            self.count(score, "received".into(), first, Some(self.round.opened_at));
        }
        self.add_reopening(score);
        for step in &self.round.steps {
            self.add_step(step, score);
        }
    }

    fn contribution(&self, measure: Measure, department: Code, role: Role, days: Days) -> Contribution {
        Contribution {
            case_type: self.round.attributes.case_type.clone(),
            class: self.view.class.clone(),
            department,
            role,
            measure,
            later: self.place > 0,
            earlier: self.place + 1 < self.view.rounds.len(),
            excluded: false,
            settled: self.round.closing.is_some(),
            days,
        }
    }

    fn add_clock(&self, clock: &Clock, score: &mut Score) {
        let stage = clock.measure_stage();
        let mut days = self.days;
        if let Some(custody) = clock.custody {
            let from_at = self.round.custodies[custody].from_at;
            days[Basis::Dispatched as usize] = Some(self.rulebook.day(from_at));
        }
        if clock.deadline.is_some() {
            days[Basis::Due as usize] = clock.due_on();
        }
        let department = clock.department.clone().unwrap_or_else(nobody);
        let mut states = vec![match clock.verdict {
            Verdict::Met => State::Met,
            Verdict::Late => State::Late,
            Verdict::Void => State::Void,
            Verdict::LeftLate => State::LeftLate,
            Verdict::Open => State::Open,
            Verdict::NoneStopped => State::NoneStopped,
            Verdict::NoneOpen => State::NoneOpen,
        }];
        if let Some(in_time) = clock.approved_in_time {
            states.push(if in_time { State::ApprovedMet } else { State::ApprovedLate });
        }
        states.extend(self.signs(clock));
        for state in states {
            let measure = Measure::Clock { stage: stage.clone(), state };
            let mut contribution = self.contribution(measure, department.clone(), clock.role, days);
            contribution.excluded = clock.excluded;
            if state == State::Open {
                score.open_clocks.push(open_clock(clock, contribution.clone()));
            }
            score.contributions.push((contribution, 1));
        }
    }

    fn add_rating(&self, score: &mut Score) {
        let Some(rating) = &self.round.rating else { return };
        let outcome = match rating.outcome {
            Outcome::Answered(1) => RatingMeasure::One,
            Outcome::Answered(2) => RatingMeasure::Two,
            Outcome::Answered(3) => RatingMeasure::Three,
            Outcome::Answered(4) => RatingMeasure::Four,
            Outcome::Answered(_) => RatingMeasure::Five,
            Outcome::Unanswered => RatingMeasure::Unanswered,
            Outcome::Unreached => RatingMeasure::Unreached,
            Outcome::Default => RatingMeasure::Default,
            Outcome::NotAsked => RatingMeasure::NotAsked,
            Outcome::NotRequired => RatingMeasure::NotRequired,
        };
        let solved = rating.solved.map(|solved| match solved {
            Solved::Yes => RatingMeasure::SolvedYes,
            Solved::Partly => RatingMeasure::SolvedPartly,
            Solved::No => RatingMeasure::SolvedNo,
        });
        for measure in [Some(outcome), solved].into_iter().flatten() {
            let measure = Measure::Rating(measure);
            let mut contribution = self.contribution(measure, self.closer.clone(), Role::Lead, self.days);
            contribution.excluded = self.round.rating_excluded;
            score.contributions.push((contribution, 1));
        }
    }

    fn add_sums(&self, score: &mut Score) {
        let mut sums: Vec<(Code, i64)> = Vec::new();
        if self.place == 0 {
            sums.push(("persons".into(), i64::from(self.view.persons)));
            sums.extend(named(&self.view.disputed));
        }
        for step in &self.round.steps {
            if let Body::Verified { amounts, .. } = &step.body {
                sums.extend(named(amounts));
            }
        }
        // What the closing says is final; a submission speaks only while nobody has closed.
        let closed =
            self.round.closing.as_ref().and_then(|closing| match &self.round.steps[closing.step].body {
                Body::Closed { amounts, .. } if !amounts.is_empty() => Some(amounts),
                _ => None,
            });
        let submitted =
            self.round.submissions.iter().rev().find(|submission| submission.refused_at.is_none());
        let recovered = closed.or_else(|| submitted.map(|submission| &submission.amounts));
        sums.extend(recovered.into_iter().flat_map(named));
        for (name, value) in sums {
            let contribution = self.contribution(
                Measure::Count(format_smolstr!("sum.{name}")),
                self.closer.clone(),
                Role::Lead,
                self.days,
            );
            score.contributions.push((contribution, value));
        }
    }

    /// A reopening is counted with the round that it reopened, and with whoever closed that.
    fn add_reopening(&self, score: &mut Score) {
        let Some(next) = self.view.rounds.get(self.place + 1) else { return };
        let reason = next.steps.first().and_then(|step| step.body.code()).map(Code::new);
        let names = ["reopened".into()].into_iter().chain(self.reopened_soon(next));
        let names = names.chain(reason.map(|reason| format_smolstr!("reopened.{reason}")));
        for name in names {
            let contribution = self.counted(name, self.closer.clone(), Role::Lead, Some(next.opened_at));
            let excluded = self.round.reopening_excluded;
            score.contributions.push((Contribution { excluded, ..contribution }, 1));
        }
    }

    fn add_step(&self, step: &Step, score: &mut Score) {
        let kind = step.body.kind();
        if matches!(kind, Kind::Received | Kind::Reopened) {
            return;
        }
        let named = step.body.department();
        let lead = || step.lead.map(|lead| self.round.custodies[lead].department.clone());
        // Nobody leads any more when the caller rates: the rating is of whoever closed.
        let closer = (kind == Kind::Rated).then(|| self.closer.clone());
        let department = closer.or_else(|| named.cloned()).or_else(lead).unwrap_or_else(nobody);
        let custody = step.custody.filter(|_| named.is_some()).map(|custody| &self.round.custodies[custody]);
        let role = custody.map_or(Role::Lead, |custody| custody.role);
        let is_return = matches!(kind, Kind::Returned | Kind::ReturnRequested);
        let excluded = is_return && self.round.returns_excluded.contains(&department);
        let code = step.body.code().filter(|_| counts_by_code(kind));
        let measures = [
            Some(Code::new_static(kind.name())),
            code.map(|code| format_smolstr!("{}.{code}", kind.name())),
            self.sign_of(step).map(Code::new_static),
        ];
        for name in measures.into_iter().flatten() {
            let contribution = self.counted(name, department.clone(), role, Some(step.counted_at));
            score.contributions.push((Contribution { excluded, ..contribution }, 1));
        }
        self.add_ruling(step, score);
    }

    fn counted(&self, name: Code, department: Code, role: Role, at: Option<Timestamp>) -> Contribution {
        let mut days = self.days;
        days[Basis::Event as usize] = at.map(|at| self.rulebook.day(at));
        self.contribution(Measure::Count(name), department, role, days)
    }

    fn count(&self, score: &mut Score, name: Code, department: Code, at: Option<Timestamp>) {
        let at = at.or_else(|| self.round.closing.as_ref().map(|closing| closing.at));
        score.contributions.push((self.counted(name, department, Role::Lead, at), 1));
    }
}

/// The last day in time of the round's closure clock; of several custodies' the last lead's.
fn closure_due_on(view: &View, place: usize) -> Option<Date> {
    let closure = view.clocks.iter().filter(|clock| clock.round == place && clock.closure);
    closure.filter(|clock| clock.role == Role::Lead).filter_map(Clock::due_on).next_back()
}

/// The kinds whose code is counted too: `linked.repeat`, `verified.filed`.
fn counts_by_code(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Linked
            | Kind::Signed
            | Kind::Contacted
            | Kind::Replied
            | Kind::Refused
            | Kind::Verified
            | Kind::Notified
            | Kind::Merged
            | Kind::Urged
            | Kind::Supervised
            | Kind::Ruled
            | Kind::Milestone
            | Kind::Held
            | Kind::Rated
            | Kind::Supplemented
    )
}

fn named(amounts: &Amounts) -> impl Iterator<Item = (Code, i64)> {
    amounts.iter().map(|(name, fen)| (format_smolstr!("amount_{name}"), *fen))
}

fn open_clock(clock: &Clock, contribution: Contribution) -> OpenClock {
    let deadline = clock.deadline.as_ref();
    OpenClock {
        contribution,
        due_at: clock.due_at(),
        end_of_day: deadline.is_some_and(|deadline| deadline.end_of_day),
        in_review: clock.in_review_since.is_some(),
        holds: clock.holds.iter().map(|hold| (hold.from, hold.until)).collect(),
    }
}
