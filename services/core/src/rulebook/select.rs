//! Which of several rules is the more specific, whether two can meet in one case, and which calendar a case gets.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use smol_str::SmolStr;

use super::{Match, Policy, Route, Rulebook, Section};
use crate::calendar::Calendar;
use crate::fact::Code;

impl Match {
    /// How many keys are set: the more, the more specific the rule.
    pub fn keys(&self) -> usize {
        let set = [
            !self.hotline.is_empty(),
            !self.case_type.is_empty(),
            !self.category.is_empty(),
            self.region.is_some(),
            !self.urgency.is_empty(),
            !self.channel.is_empty(),
            !self.origin.is_empty(),
            !self.tags.is_empty(),
            !self.class.is_empty(),
            !self.round.is_empty(),
        ];
        set.into_iter().filter(|set| *set).count()
    }

    /// Whether a case can exist that both match. Tags never keep two rules apart: a case may carry several.
    pub fn overlaps(&self, other: &Match) -> bool {
        meet(&self.hotline, &other.hotline)
            && meet(&self.case_type, &other.case_type)
            && (self.category.starts_with(&other.category) || other.category.starts_with(&self.category))
            && prefixes(self.region.as_ref(), other.region.as_ref())
            && meet(&self.urgency, &other.urgency)
            && meet(&self.channel, &other.channel)
            && meet(&self.origin, &other.origin)
            && meet(&self.class, &other.class)
            && meet(&self.round, &other.round)
    }
}

/// Whether two lists of alternatives share one; an empty list means anything.
fn meet<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|one| b.contains(one))
}

/// Whether one of two prefixes is a prefix of the other; none is a prefix of all.
fn prefixes(a: Option<&Code>, b: Option<&Code>) -> bool {
    let (a, b) = (a.map_or("", Code::as_str), b.map_or("", Code::as_str));
    a.starts_with(b) || b.starts_with(a)
}

impl Policy {
    /// Of the policies of one stage and tier that match, the one with the greatest rank applies.
    pub fn rank(&self) -> (usize, usize, usize) {
        let region = self.matches.region.as_ref().map_or(0, Code::len);
        (self.matches.keys(), self.matches.category.len(), region)
    }

    /// Whether both can apply to one case. Two policies that select by different days can, whatever their dates.
    pub fn meets(&self, other: &Policy) -> bool {
        let apart = self.select_by == other.select_by
            && (ends_before(self.effective_until, other.effective_from)
                || ends_before(other.effective_until, self.effective_from));
        !apart && self.matches.overlaps(&other.matches)
    }
}

/// Whether a span of days is over when another begins; the end is exclusive.
fn ends_before(until: Option<Date>, from: Option<Date>) -> bool {
    matches!((until, from), (Some(until), Some(from)) if until <= from)
}

impl Route {
    /// Of the rules that match, the one with the greatest rank fires, of several the first: filled columns, then
    /// the longer category, then the longer region, then priority.
    pub fn rank(&self) -> (usize, usize, usize, i32) {
        let filled = [
            self.case_type.is_some(),
            !self.category.is_empty(),
            self.region.is_some(),
            !self.keywords.is_empty(),
        ];
        let filled = filled.into_iter().filter(|filled| *filled).count();
        let region = self.region.as_ref().map_or(0, Code::len);
        (filled, self.category.len(), region, self.priority)
    }

    /// Whether it takes whatever comes from its hotline.
    pub fn is_fallback(&self) -> bool {
        self.rank().0 == 0
    }

    /// Whether every case that `other` matches is matched by this rule too.
    pub fn covers(&self, other: &Route) -> bool {
        let region = self.region.as_ref().map_or("", Code::as_str);
        let keywords = self.keywords.is_empty()
            || (!other.keywords.is_empty() && other.keywords.iter().all(|word| self.keywords.contains(word)));
        self.hotline == other.hotline
            && (self.case_type.is_none() || self.case_type == other.case_type)
            && other.category.starts_with(&self.category)
            && other.region.as_ref().map_or("", Code::as_str).starts_with(region)
            && keywords
            && self.valid_from.is_none_or(|from| other.valid_from.is_some_and(|other| from <= other))
            && self.valid_until.is_none_or(|until| other.valid_until.is_some_and(|other| other <= until))
    }
}

impl Rulebook {
    /// A policy by its id.
    pub fn policy(&self, id: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.id == id)
    }

    /// The SHA-256 of the file that holds an entry, in hexadecimal; None: no file does.
    pub fn file_hash_of(&self, section: Section, id: &str) -> Option<&SmolStr> {
        self.files.get(&*self.places.of(section, id).file)
    }

    /// The tally day of an instant.
    pub fn day(&self, at: Timestamp) -> Date {
        self.timezone.to_datetime(at).date()
    }

    /// The calendar by which a policy counts a case of this region: that of the longest region prefix among the
    /// calendars that extend the policy's, else the policy's own.
    pub fn calendar_for<'a>(&'a self, policy: &'a Policy, region: &str) -> &'a Arc<Calendar> {
        self.overlays
            .get(policy.calendar.id())
            .and_then(|overlays| overlays.iter().find(|(prefix, _)| region.starts_with(prefix.as_str())))
            .map_or(&policy.calendar, |(_, calendar)| calendar)
    }

    /// Brings overlays into the order in which [`Rulebook::calendar_for`] searches them.
    pub(super) fn sort_overlays(overlays: &mut [(Code, Arc<Calendar>)]) {
        overlays.sort_by_key(|(prefix, _)| (Reverse(prefix.len()), prefix.clone()));
    }
}
