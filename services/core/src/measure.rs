//! What is counted: the names under which tallies stand, and which rounds a population takes.
//!
//! Tallies hold each round once and, where there are several, the rounds after the first (`later`) and before
//! the last (`earlier`) once more: `first` is `each` less `later`, `final` is `each` less `earlier`.

use smol_str::{SmolStr, format_smolstr};

use crate::fact::Code;

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}

names! {
    /// What a stage clock came to. The four `open_…` are `open` as of an instant; tallies never hold them. The last
    /// three stand beside `met`, or beside `late` or `left_late`, of the same clock.
    State {
        Met "met", Late "late", Void "void", LeftLate "left_late", Open "open",
        NoneStopped "none_stopped", NoneOpen "none_open",
        ApprovedMet "approved_met", ApprovedLate "approved_late",
        OpenOverdue "open_overdue", OpenRunning "open_running", OpenHeld "open_held",
        OpenInReview "open_in_review",
        MetLastHour "met_last_hour", MetAutomatic "met_automatic",
        LateReopenedAfterMonthEnd "late_reopened_after_month_end",
    }
}

names! {
    /// What the caller said: one `rated_…` a closed round, and what more is known of it.
    RatingMeasure {
        One "rated_1", Two "rated_2", Three "rated_3", Four "rated_4", Five "rated_5",
        Unanswered "rated_unanswered", Unreached "rated_unreached", Default "rated_default",
        NotAsked "rated_not_asked", NotRequired "rated_not_required",
        SolvedYes "solved_yes", SolvedPartly "solved_partly", SolvedNo "solved_no",
        TroubledFollowedUp "troubled_followed_up", TroubledNotFollowedUp "troubled_not_followed_up",
        UntroubledFollowedUp "untroubled_followed_up", UntroubledNotFollowedUp "untroubled_not_followed_up",
    }
}

names! {
    /// The rounds that a measure of rounds is asked for.
    Population { Each "each", First "first", Final "final" }
}

names! {
    /// The rounds that a tally stands for.
    Part { Each "each", Later "later", Earlier "earlier" }
}

impl Population {
    /// How often a tally of this part counts for the population.
    pub fn sign(self, part: Part) -> i64 {
        match (self, part) {
            (_, Part::Each) => 1,
            (Population::First, Part::Later) | (Population::Final, Part::Earlier) => -1,
            _ => 0,
        }
    }
}

/// What is counted, without the rounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The stage, with `_promise` behind it for the tier promise.
    Clock {
        stage: Code,
        state: State,
    },
    Rating(RatingMeasure),
    /// `returned`, `linked.repeat`, `outcome.mediated`, `sum.persons`.
    Count(Code),
}

impl Measure {
    /// Whether it is counted by round, so that populations apply.
    pub fn is_of_rounds(&self) -> bool {
        !matches!(self, Measure::Count(_))
    }

    /// The name without a population.
    pub fn stem(&self) -> SmolStr {
        match self {
            Measure::Clock { stage, state } => format_smolstr!("{stage}.{}", state.name()),
            Measure::Rating(rating) => SmolStr::new_static(rating.name()),
            Measure::Count(name) => name.clone(),
        }
    }

    fn parse_stem(stem: &str) -> Measure {
        if let Some(rating) = RatingMeasure::parse(stem) {
            return Measure::Rating(rating);
        }
        match stem.rsplit_once('.').map(|(stage, name)| (stage, State::parse(name))) {
            Some((of, Some(state))) => Measure::Clock { stage: of.into(), state },
            _ => Measure::Count(stem.into()),
        }
    }
}

/// The name of a tally: `each.close.met`, `later.rated_5`, `returned`, `excluded.each.close.late`.
pub fn tally_name(measure: &Measure, part: Part, excluded: bool) -> SmolStr {
    let prefix = if excluded { "excluded." } else { "" };
    if measure.is_of_rounds() {
        format_smolstr!("{prefix}{}.{}", part.name(), measure.stem())
    } else {
        format_smolstr!("{prefix}{}", measure.stem())
    }
}

/// Reads the name of a tally.
pub fn parse_tally_name(name: &str) -> (Measure, Part, bool) {
    let (excluded, rest) = strip(name);
    match rest.split_once('.').map(|(part, stem)| (Part::parse(part), stem)) {
        Some((Some(part), stem)) => (Measure::parse_stem(stem), part, excluded),
        // Clocks and ratings are always written with a part: what has none is a count, whatever its code is.
        _ => (Measure::Count(rest.into()), Part::Each, excluded),
    }
}

/// A term of a rate, as the rulebook has it: with a population, or a count.
pub fn parse_term(name: &str) -> (Measure, Population, bool) {
    let (excluded, rest) = strip(name);
    match rest.split_once('.').map(|(population, stem)| (Population::parse(population), stem)) {
        Some((Some(population), stem)) => (Measure::parse_stem(stem), population, excluded),
        _ => (Measure::Count(rest.into()), Population::Each, excluded),
    }
}

fn strip(name: &str) -> (bool, &str) {
    name.strip_prefix("excluded.").map_or((false, name), |rest| (true, rest))
}
