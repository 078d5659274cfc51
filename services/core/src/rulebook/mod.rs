//! The rulebook: calendars, policies, routing, rates, sources and directories, as one immutable value named by
//! its hash.
//!
//! [`load`] turns the files of a rulebook directory into a [`Rulebook`] or the list of all their [`Fault`]s;
//! it reads no file itself. The meaning of each member is DESIGN.md, section 8.

mod check;
pub mod codes;
mod fault;
mod index;
mod load;
mod measure;
mod raw;
mod select;
mod span;
#[cfg(test)]
mod tests;
mod wired;

pub use check::check;
pub use fault::{Fault, Place, Places, Section, Severity};
pub use index::{Index, Stage};
pub use load::{Loaded, load};
pub use raw::Files;
pub use span::Span;
pub use wired::wired;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use crate::calendar::Calendar;
pub use crate::deadline::ExtensionFrom;
use crate::deadline::{CountFrom, EndsAt, OutsideHours, Roll};
use crate::fact::{Category, Code, Unit};
use crate::score::Asked;

#[derive(Debug)]
pub struct Rulebook {
    /// SHA-256, in hexadecimal, of the lines `<sha256>  <path>` of all files sorted by path.
    pub hash: SmolStr,
    /// By path, the SHA-256 of each file's bytes, in hexadecimal.
    pub files: BTreeMap<SmolStr, SmolStr>,
    pub name: String,
    /// The zone of tally days.
    pub timezone: TimeZone,
    pub calendar: Arc<Calendar>,
    pub calendars: BTreeMap<Code, Arc<Calendar>>,
    /// By the id of a calendar, the regions where another stands in for it, longest prefix first. Read through
    /// [`Rulebook::calendar_for`].
    pub overlays: BTreeMap<Code, Vec<(Code, Arc<Calendar>)>>,
    pub policies: Vec<Policy>,
    pub routes: Vec<Route>,
    /// Both by hotline, in the order in which they win.
    pub index: Index,
    pub rates: BTreeMap<Code, Rate>,
    pub scores: BTreeMap<Code, Composite>,
    /// What the rates ask for: tallies hold nothing else.
    pub asked: Asked,
    pub sources: BTreeMap<SmolStr, Source>,
    pub hotlines: BTreeMap<Code, Hotline>,
    pub departments: BTreeMap<Code, Department>,
    pub classes: Vec<Class>,
    pub general_holds: Vec<GeneralHold>,
    pub periods: BTreeMap<Code, Period>,
    /// When only a statutory deadline that has just passed is told; None: never.
    pub quiet_hours: Option<QuietHours>,
    /// Codes by list name (`case_type`, `channel`, `outcome`, …) that extend the built-in ones.
    pub codes: BTreeMap<Code, Vec<ListedCode>>,
    /// Where each entry is written, for whoever reports something about it.
    pub places: Places,
}

/// The families of stages that have a meaning of their own: how own limits, charges and closure work.
pub const FAMILIES: [&str; 10] =
    ["sign", "contact", "reply", "accept", "verify", "close", "review", "dispatch", "follow_up", "supervise"];

/// The class of a case that no class of the rulebook matches.
pub const ORDINARY: &str = "ordinary";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelectBy {
    #[default]
    Received,
    Start,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    #[default]
    Statutory,
    Promise,
}

impl Tier {
    pub fn name(self) -> &'static str {
        match self {
            Tier::Statutory => "statutory",
            Tier::Promise => "promise",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Tier::Statutory, Tier::Promise].into_iter().find(|tier| tier.name() == name)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    Case,
    Custody,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopAt {
    #[default]
    Submission,
    Approval,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewTime {
    #[default]
    Credited,
    Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCustodyChange {
    Restart,
    Continue,
    Credit,
}

/// What a custody clock does when the case changes hands, by how the custody ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustodyChange {
    pub returned: OnCustodyChange,
    pub redispatched: OnCustodyChange,
    pub reorganisation: OnCustodyChange,
}

impl Default for CustodyChange {
    fn default() -> Self {
        Self {
            returned: OnCustodyChange::Restart,
            redispatched: OnCustodyChange::Continue,
            reorganisation: OnCustodyChange::Continue,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAmend {
    #[default]
    Recompute,
    Keep,
    Restart,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charge {
    #[default]
    HolderAtDue,
    Closer,
    First,
    Office,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnLimitUse {
    #[default]
    Prefer,
    Ignore,
    Only,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantedLate {
    #[default]
    Backdated,
    FromGrant,
    Void,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionRule {
    pub times_max: Option<u32>,
    pub each_max: Option<u32>,
    pub unit: Unit,
    pub from: ExtensionFrom,
    /// An extension must be asked this long before the deadline.
    pub ask_before: Span,
    /// … and by this time of the last day on which it may be asked.
    pub ask_by: Option<Time>,
    pub granted_late: GrantedLate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PendingReturn {
    #[default]
    Runs,
    Held,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnRule {
    pub ask_within: Option<Span>,
    pub times_max: Option<u32>,
    pub pending: PendingReturn,
}

/// When a rung of the ladder falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RungAt {
    /// At this share of the limit, in percent.
    Percent(u32),
    Before(Span),
    After(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Notice,
    Warning,
    Breach,
    Escalation,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Breach => "breach",
            Level::Escalation => "escalation",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        let all = [Level::Notice, Level::Warning, Level::Breach, Level::Escalation];
        all.into_iter().find(|level| level.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What it says, in short: `w-1wd` a warning one working day before, `n50` a notice at half of the limit, `b+0h` a
    /// breach. Unique in its ladder, and the same wherever it stands there.
    pub name: Code,
    pub at: RungAt,
    pub level: Level,
    /// The department that is told; None: who is charged.
    pub to: Option<Code>,
    /// Deliver only within office hours.
    pub office_hours: bool,
}

impl Rung {
    /// The name by level and time; of several such in a ladder the later ones get a number.
    pub(super) fn short(level: Level, at: RungAt) -> Code {
        let level = &level.name()[..1];
        match at {
            RungAt::Percent(percent) => smol_str::format_smolstr!("{level}{percent}"),
            RungAt::Before(span) => smol_str::format_smolstr!("{level}-{}", span.short()),
            RungAt::After(span) => smol_str::format_smolstr!("{level}+{}", span.short()),
        }
    }
}

/// A span of the day, in the rulebook's zone; over midnight where it begins later than it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    pub from: Time,
    /// Exclusive.
    pub until: Time,
}

impl QuietHours {
    /// The instant itself, or the end of the quiet hours that it lies in.
    pub fn next_end(&self, at: Timestamp, timezone: &TimeZone) -> Timestamp {
        let local = timezone.to_datetime(at);
        let (time, over_midnight) = (local.time(), self.until < self.from);
        let (is_quiet, ends_tomorrow) = if over_midnight {
            (time >= self.from || time < self.until, time >= self.from)
        } else {
            (self.from <= time && time < self.until, false)
        };
        if !is_quiet {
            return at;
        }
        let today = local.date();
        let day = if ends_tomorrow { today.tomorrow().unwrap_or(today) } else { today };
        timezone.to_ambiguous_timestamp(day.to_datetime(self.until)).compatible().unwrap_or(at)
    }
}

/// A fact type, or type and code, that starts or stops a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub kind: crate::fact::Kind,
    pub code: Option<Code>,
}

impl Trigger {
    /// Whether a fact with this body is what the rule asks for.
    pub fn matches(&self, body: &crate::fact::Body) -> bool {
        self.kind == body.kind() && self.code.as_deref().is_none_or(|code| body.code() == Some(code))
    }
}

/// What a rule applies to. An empty list, and an absent prefix, mean anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    pub hotline: Vec<Code>,
    pub case_type: Vec<Code>,
    /// One path from broad to narrow, a prefix of the case's.
    pub category: Category,
    /// A prefix of the case's region code.
    pub region: Option<Code>,
    pub urgency: Vec<Code>,
    pub channel: Vec<Code>,
    /// The hotline a case came from (`origin.hotline`).
    pub origin: Vec<Code>,
    /// One of these tags.
    pub tags: Vec<Code>,
    pub class: Vec<Code>,
    pub round: Vec<u32>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub id: Code,
    pub calendar: Arc<Calendar>,
    pub matches: Match,
    pub effective_from: Option<Date>,
    /// Exclusive.
    pub effective_until: Option<Date>,
    pub select_by: SelectBy,
    pub stage: Code,
    /// The stage's family: `sign`, `contact`, `reply`, `accept`, `verify`, `close`, `review`, `dispatch`,
    /// `follow_up`, `supervise`; the stage itself where none is given.
    pub family: Code,
    pub tier: Tier,
    pub scope: Scope,
    pub start: Trigger,
    pub stop: Vec<Trigger>,
    pub stop_at: StopAt,
    pub review_time: ReviewTime,
    /// None only with `own_limit = "only"`.
    pub limit: Option<(u32, Unit)>,
    pub count_from: CountFrom,
    pub outside_hours: OutsideHours,
    pub ends_at: EndsAt,
    pub roll: Roll,
    /// The reasons that stop the clock.
    pub holds: Vec<Code>,
    pub on_custody_change: CustodyChange,
    pub on_amend: OnAmend,
    pub restart: Vec<Trigger>,
    pub charge: Charge,
    /// None: as the family has it, `prefer` for close and supervise, else `ignore`.
    pub own_limit: Option<OwnLimitUse>,
    pub extension: Option<ExtensionRule>,
    pub returns: Option<ReturnRule>,
    pub closure: bool,
    pub alarms: Vec<Rung>,
    pub basis: String,
}

#[derive(Clone, Debug)]
pub struct Route {
    pub rule: Code,
    pub hotline: Code,
    /// Empty: any.
    pub case_type: Option<Code>,
    pub category: Category,
    pub region: Option<Code>,
    /// One of these among the tags or category names.
    pub keywords: Vec<Code>,
    pub department: Code,
    pub priority: i32,
    pub valid_from: Option<Date>,
    /// Exclusive.
    pub valid_until: Option<Date>,
}

/// The day by which a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Basis {
    Received,
    Dispatched,
    Closed,
    Rated,
    Due,
    Event,
}

impl Basis {
    pub const ALL: [Basis; 6] =
        [Basis::Received, Basis::Dispatched, Basis::Closed, Basis::Rated, Basis::Due, Basis::Event];

    pub fn name(self) -> &'static str {
        match self {
            Basis::Received => "received",
            Basis::Dispatched => "dispatched",
            Basis::Closed => "closed",
            Basis::Rated => "rated",
            Basis::Due => "due",
            Basis::Event => "event",
        }
    }

    pub fn parse(name: &str) -> Option<Basis> {
        Basis::ALL.into_iter().find(|basis| basis.name() == name)
    }
}

/// A term of a rate: a measure and its weight, the fraction `weight.0 / weight.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub measure: Code,
    pub weight: (u32, u32),
}

/// Which cases a rate counts; an empty list means anything. `*_not` excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Where {
    pub hotline: Vec<Code>,
    pub case_type: Vec<Code>,
    pub case_type_not: Vec<Code>,
    pub class: Vec<Code>,
    pub class_not: Vec<Code>,
    /// `lead` where the rulebook names none.
    pub role: crate::fact::Role,
}

#[derive(Clone, Debug)]
pub struct Rate {
    pub id: Code,
    pub version: u32,
    pub name_zh: String,
    pub name_en: String,
    pub basis: Basis,
    pub filter: Where,
    pub numerator: Vec<Term>,
    pub denominator: Vec<Term>,
    /// Smaller denominators are shown, not ranked; None: never ranked.
    pub rank_from: Option<u32>,
    pub best: Best,
}

impl Rate {
    /// Whether both count the same, whatever they are called and however they are ranked.
    pub fn counts_as(&self, other: &Self) -> bool {
        (self.basis, &self.filter, &self.numerator, &self.denominator)
            == (other.basis, &other.filter, &other.numerator, &other.denominator)
    }
}

/// Which value of a rate ranks first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Best {
    #[default]
    Highest,
    Lowest,
}

/// A score made of several rates (综合得分).
#[derive(Clone, Debug)]
pub struct Composite {
    pub id: Code,
    pub version: u32,
    pub name_zh: String,
    pub name_en: String,
    /// The groups of departments that it is made for; empty: all.
    pub groups: Vec<Code>,
    pub terms: Vec<Weighted>,
    /// A department is ranked only if every rate has at least this denominator.
    pub rank_from: u32,
}

impl Composite {
    /// Whether both come to the same points, whatever they are called.
    pub fn counts_as(&self, other: &Self) -> bool {
        (&self.groups, &self.terms) == (&other.groups, &other.terms)
    }
}

/// A rate within a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    pub rate: Code,
    pub weight: u32,
    /// In percent; a rate below it counts nothing.
    pub floor: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceMode {
    Events,
    Snapshots,
}

/// Who dispatches the cases of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// The platform does; our rules are only recorded.
    Hotline,
    /// We do, this long after the slot opened; zero: at once.
    Pipeline { after: SignedDuration },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LateStop {
    #[default]
    Received,
    Claimed,
}

#[derive(Clone, Debug)]
pub struct Source {
    pub id: SmolStr,
    pub hotline: Code,
    pub name: String,
    pub mode: SourceMode,
    pub dispatch: Dispatch,
    /// Path of the adapter's jq program within the rulebook or the adapters folder.
    pub adapter: Option<String>,
    pub timezone: TimeZone,
    /// The region of its cases where an event names none.
    pub default_region: Option<Code>,
    pub backdate_max: SignedDuration,
    pub late_stop: LateStop,
    pub trusted_before: Option<Timestamp>,
    pub order_tolerance: SignedDuration,
}

#[derive(Clone, Debug)]
pub struct Hotline {
    pub code: Code,
    pub name_zh: String,
    pub name_en: String,
    /// The department code of the hotline's office.
    pub office: Code,
    /// Words of this hotline for a term, by term: `accepted = "受理"`.
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub struct Department {
    pub code: Code,
    pub name_zh: String,
    pub name_en: String,
    pub parent: Option<Code>,
    pub group: Option<Code>,
    pub valid_from: Option<Date>,
    pub valid_until: Option<Date>,
    pub successor: Option<Code>,
}

/// A code of a list. Names that the list does not say are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedCode {
    pub code: Code,
    pub name_zh: String,
    pub name_en: String,
}

/// A class of cases: the first of which every condition holds is a case's.
#[derive(Clone, Debug)]
pub struct Class {
    pub id: Code,
    pub case_type: Vec<Code>,
    pub origin: Vec<Code>,
    pub channel: Vec<Code>,
    pub tags: Vec<Code>,
    pub outcome: Vec<Code>,
    /// Whether the case was dispatched to anybody but the office.
    pub dispatched: Option<bool>,
}

/// A hold of all cases that match: a typhoon, an outage of the platform.
#[derive(Clone, Debug)]
pub struct GeneralHold {
    pub reason: Code,
    pub from: Timestamp,
    pub until: Timestamp,
    pub matches: Match,
    /// Empty: all.
    pub stages: Vec<Code>,
    pub basis: String,
}

/// A named period, as bulletins use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// Months that start on this day of the month (26th to 25th).
    MonthFrom(i8),
    /// Weeks that start on this day, 1 = Monday.
    WeekFrom(i8),
}
