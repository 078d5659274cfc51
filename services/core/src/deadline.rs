//! Deadline arithmetic: from a start, a limit, holds and extensions to an instant, with every step it took.

/// Whether the first day counted is the day after the start. It says how the rule is worded; the last day of a
/// day limit is the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountFrom {
    NextDay,
    Instant,
}

/// What a start outside office hours means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutsideHours {
    #[default]
    AsIs,
    NextOpening,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsAt {
    /// 24:00 of the last day, written as 00:00 of the next.
    EndOfDay,
    /// The time of day of the start.
    SameTime,
    CloseOfOffice,
}

/// Which last days move to the first day after that is not of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roll {
    #[default]
    None,
    Festival,
    FestivalOrRest,
    NonWorking,
}
