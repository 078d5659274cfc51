//! Which sources send too much that is refused: they are diverted, so that everybody else goes on. Pure.

use std::collections::{HashMap, VecDeque};

use hotline_events::Event;
use hotline_events::intake::{Outcome, Reason, RecordContent};
use smol_str::SmolStr;

/// Events of a source that are looked back at.
const WINDOW: usize = 1_000;
/// Refused among them: more than 5 %.
const REFUSED_MAX: usize = WINDOW / 20;
/// Refused one after another.
const IN_A_ROW_MAX: u32 = 100;

/// What a process has seen of each source since it started.
#[derive(Debug, Default)]
pub(crate) struct Watch(HashMap<SmolStr, Window>);

#[derive(Debug, Default)]
struct Window {
    was_refused: VecDeque<bool>,
    refused: usize,
    in_a_row: u32,
}

/// Why a source is diverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    Share,
    InARow,
}

impl Excess {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Excess::Share => "more than 50 of its last 1,000 events were refused",
            Excess::InARow => "100 of its events in a row were refused",
        }
    }
}

impl Watch {
    /// Takes what became of a source's event. Some: just now it is too much, and the source is watched anew.
    pub(crate) fn saw(&mut self, source: &SmolStr, outcome: &Outcome) -> Option<Excess> {
        let is_refused = match outcome {
            Outcome::Applied | Outcome::Duplicate | Outcome::Ignored => false,
            Outcome::Dead { reason, .. } if is_of_its_making(*reason) => true,
            Outcome::Dead { .. } => return None,
        };
        let window = match self.0.get_mut(source) {
            Some(window) => window,
            None => self.0.entry(source.clone()).or_default(),
        };
        let excess = window.push(is_refused)?;
        self.0.remove(source);
        Some(excess)
    }
}

impl Window {
    fn push(&mut self, is_refused: bool) -> Option<Excess> {
        if self.was_refused.len() == WINDOW && self.was_refused.pop_front() == Some(true) {
            self.refused -= 1;
        }
        self.was_refused.push_back(is_refused);
        self.refused += usize::from(is_refused);
        self.in_a_row = if is_refused { self.in_a_row + 1 } else { 0 };
        match () {
            () if self.in_a_row >= IN_A_ROW_MAX => Some(Excess::InARow),
            () if self.was_refused.len() == WINDOW && self.refused > REFUSED_MAX => Some(Excess::Share),
            () => None,
        }
    }
}

/// What a source is to blame for: neither a bug of ours nor that it is stopped or unlisted already.
fn is_of_its_making(reason: Reason) -> bool {
    match reason {
        Reason::Invalid | Reason::IdConflict | Reason::FutureDated | Reason::CaseTooLong => true,
        Reason::Undecodable | Reason::UnknownSource | Reason::SourceStopped | Reason::InternalError => false,
    }
}

/// The sources that a record is of, one for each outcome; none where it cannot be told.
pub(crate) fn sources(content: &RecordContent) -> Vec<SmolStr> {
    let source = |event: &Event| match event {
        Event::Case(case) => case.fact.source.clone(),
        Event::Figure(figure) => figure.source.clone(),
    };
    match content {
        RecordContent::Events(events) => events.iter().map(source).collect(),
        RecordContent::Fault { source, .. } => source.iter().cloned().collect(),
        RecordContent::Refused(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(reason: Reason) -> Outcome {
        Outcome::Dead { reason, faults: Vec::new() }
    }

    /// The place of the event at which the source is diverted.
    fn diverted(outcomes: impl IntoIterator<Item = Outcome>) -> Option<(usize, Excess)> {
        let mut watch = Watch::default();
        let mut outcomes = outcomes.into_iter().enumerate();
        outcomes.find_map(|(at, outcome)| {
            watch.saw(&"/hotline/12345".into(), &outcome).map(|excess| (at + 1, excess))
        })
    }

    #[test]
    fn a_hundred_in_a_row_are_too_much_and_ninety_nine_are_not() {
        let bad = |n: usize| std::iter::repeat_n(dead(Reason::IdConflict), n);
        assert_eq!(diverted(bad(100)), Some((100, Excess::InARow)));
        let broken = bad(99).chain([Outcome::Duplicate]).chain(bad(99));
        assert_eq!(diverted(broken), None, "of fewer than a thousand no share is taken");
    }

    #[test]
    fn fifty_of_a_thousand_pass_and_fifty_one_do_not() {
        let outcome = |bad: bool| if bad { dead(Reason::Invalid) } else { Outcome::Applied };
        assert_eq!(diverted((0..100_000).map(|n| outcome(n % 20 == 0))), None, "5 % for ever");
        assert!(diverted((0..2_000).map(|n| outcome(n % 19 == 0))).is_some());
    }

    #[test]
    fn what_is_not_its_making_does_not_count() {
        for reason in
            [Reason::InternalError, Reason::SourceStopped, Reason::UnknownSource, Reason::Undecodable]
        {
            assert_eq!(diverted((0..5_000).map(|_| dead(reason))), None);
        }
    }
}
