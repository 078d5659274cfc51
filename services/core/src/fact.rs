//! What a case is made of: facts, each an event as it is kept with its case, without personal data.
//!
//! A fact holds only members that the schemas mark *code* or *value*. Nothing here decides anything; the
//! order in which facts are read is made in [`crate::fold`], the bytes they are stored as in [`crate::encoding`].

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

/// A short text from a closed or extendable list: 1–64 bytes without control characters.
pub type Code = SmolStr;

/// The source of events that the pipeline itself makes: the pins of its own dispatch decisions.
pub const PIPELINE_SOURCE: &str = "/hotline/pipeline";

/// Identifies an event within its case: the first 16 bytes of SHA-256(source, 0, id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(pub [u8; 16]);

impl EventKey {
    /// The key of the event that `source` calls `id`.
    pub fn of(source: &str, id: &str) -> Self {
        Self::hash(&[source.as_bytes(), id.as_bytes()])
    }

    /// The key of a fact inside a snapshot, which has no id of its own: SHA-256(source, 0, type, time, data).
    /// `time` is the RFC 3339 text in UTC, `data` the canonical JSON of its members less the personal ones.
    pub fn of_inner(source: &str, event_type: &str, time: &str, data: &[u8]) -> Self {
        Self::hash(&[source.as_bytes(), event_type.as_bytes(), time.as_bytes(), data])
    }

    fn hash(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                hasher.update([0]);
            }
            hasher.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize()[..16]);
        Self(key)
    }

    /// Reads the 32 hexadecimal digits that [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut key = [0; 16];
        for (n, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl std::fmt::Display for EventKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for EventKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// How exactly a source knows when a thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    #[default]
    Second,
    /// Only the day is known: the fact stands at the end of its day and is compared by date.
    Day,
}

/// One event of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub key: EventKey,
    /// The CloudEvents source.
    pub source: SmolStr,
    pub body: Body,
    /// When it happened, as the source says (`time`), to the microsecond.
    pub claimed_at: Timestamp,
    pub precision: Precision,
    /// When we first had it: broker append time, HTTP receipt; of an event read from a file its `recordedtime`.
    /// The earliest over all copies.
    pub received_at: Option<Timestamp>,
    /// When the source says it recorded it (`recordedtime`); the earliest over all copies. It stands for the
    /// receipt of facts claimed before the source's `trusted_before`.
    pub recorded_at: Option<Timestamp>,
    /// Breaks ties within one instant; 0 if the source gives none.
    pub sequence: u64,
    /// A keyed hash of the content, `recordedtime` apart, by which a second content under one id is noticed.
    pub tag: u64,
    /// The row of the ledger that holds the event; 0 where there is no ledger.
    pub ledger_seq: u64,
}

impl Fact {
    /// Whether it is a dispatch decision of ours: all that our own source may say.
    pub fn is_pin(&self) -> bool {
        self.source == PIPELINE_SOURCE
            && matches!(&self.body, Body::Dispatched(dispatched) if dispatched.pin.is_some())
    }
}

/// A fact inside a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerFact {
    pub key: EventKey,
    pub claimed_at: Timestamp,
    pub precision: Precision,
    pub body: Body,
}

macro_rules! kinds {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// The types of events, in life-cycle rank: the order of the table in DESIGN.md, section 6.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($variant),* }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$variant),*];

            /// The word between `hotline.case.` and `.v1`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),* }
            }

            pub fn parse(name: &str) -> Option<Kind> {
                match name { $($name => Some(Kind::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    Received "received", Amended "amended", Supplemented "supplemented", Linked "linked",
    Dispatched "dispatched", Signed "signed", Contacted "contacted", Replied "replied",
    Accepted "accepted", Refused "refused",
    ReturnRequested "return_requested", ReturnRefused "return_refused", Returned "returned",
    ExtensionRequested "extension_requested", ExtensionRefused "extension_refused", Extended "extended",
    Held "held", Released "released", Verified "verified", Notified "notified",
    Submitted "submitted", CloseRefused "close_refused", Closed "closed",
    Merged "merged", Split "split", Withdrawn "withdrawn", Rated "rated", Reopened "reopened",
    Urged "urged", Supervised "supervised", SupervisionAnswered "supervision_answered",
    Acknowledged "acknowledged", Appealed "appealed", Ruled "ruled", Milestone "milestone",
    Snapshot "snapshot", Corrected "corrected",
}

impl Kind {
    /// The CloudEvents type, `hotline.case.received.v1`.
    pub fn event_type(self) -> String {
        format!("hotline.case.{}.v1", self.name())
    }

    /// Reads a CloudEvents type.
    pub fn of_event_type(event_type: &str) -> Option<Kind> {
        Kind::parse(event_type.strip_prefix("hotline.case.")?.strip_suffix(".v1")?)
    }

    /// Whether the first fact of this kind in a round closes it.
    pub fn closes(self) -> bool {
        matches!(self, Kind::Closed | Kind::Refused | Kind::Merged | Kind::Split | Kind::Withdrawn)
    }
}

/// A unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Hour,
    WorkingHour,
    /// Working days of 24 hours each: "24 hours, rest days deferred".
    RoundClockHour,
    CalendarDay,
    WorkingDay,
}

impl Unit {
    pub fn is_day(self) -> bool {
        matches!(self, Unit::CalendarDay | Unit::WorkingDay)
    }

    pub fn name(self) -> &'static str {
        match self {
            Unit::Hour => "hour",
            Unit::WorkingHour => "working_hour",
            Unit::RoundClockHour => "round_clock_hour",
            Unit::CalendarDay => "calendar_day",
            Unit::WorkingDay => "working_day",
        }
    }

    pub fn parse(name: &str) -> Option<Unit> {
        [Unit::Hour, Unit::WorkingHour, Unit::RoundClockHour, Unit::CalendarDay, Unit::WorkingDay]
            .into_iter()
            .find(|unit| unit.name() == name)
    }
}

/// A limit sent with an event: `{limit, unit}` or `{due_at}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimit {
    Limit(u32, Unit),
    DueAt(Timestamp),
}

/// What an extension grants: `limit` + `unit`, or `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    Limit(u32, Unit),
    Until(Timestamp),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    #[default]
    Lead,
    Co,
    Sub,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Lead => "lead",
            Role::Co => "co",
            Role::Sub => "sub",
        }
    }

    pub fn parse(name: &str) -> Option<Role> {
        [Role::Lead, Role::Co, Role::Sub].into_iter().find(|role| role.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solved {
    Yes,
    Partly,
    No,
}

impl Solved {
    pub fn name(self) -> &'static str {
        match self {
            Solved::Yes => "yes",
            Solved::Partly => "partly",
            Solved::No => "no",
        }
    }

    pub fn parse(name: &str) -> Option<Solved> {
        [Solved::Yes, Solved::Partly, Solved::No].into_iter().find(|solved| solved.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulingEffect {
    Exclude,
    Met,
    Failed,
    Restore,
}

impl RulingEffect {
    pub fn name(self) -> &'static str {
        match self {
            RulingEffect::Exclude => "exclude",
            RulingEffect::Met => "met",
            RulingEffect::Failed => "failed",
            RulingEffect::Restore => "restore",
        }
    }

    pub fn parse(name: &str) -> Option<RulingEffect> {
        [RulingEffect::Exclude, RulingEffect::Met, RulingEffect::Failed, RulingEffect::Restore]
            .into_iter()
            .find(|effect| effect.name() == name)
    }
}

/// Sums of money by name (`disputed`, `recovered`, `penalty`), in fen (1/100 yuan), sorted by name.
pub type Amounts = Vec<(Code, i64)>;

/// The category from broad to narrow.
pub type Category = Vec<Code>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub case_type: Code,
    /// `["unclassified"]` where the event names none.
    pub category: Category,
    /// None: the source's default.
    pub region: Option<Code>,
    pub number: Option<Code>,
    pub channel: Option<Code>,
    pub origin_hotline: Option<Code>,
    pub origin_number: Option<Code>,
    pub contact: Option<Code>,
    pub persons: u32,
    pub urgency: Code,
    pub anonymous: bool,
    pub confidential: bool,
    pub reply_wanted: bool,
    pub tags: Vec<Code>,
    pub reporter_tag: Option<Code>,
    pub amounts: Amounts,
    pub own_limit: Option<OwnLimit>,
}

/// What is true from `time` on; None leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amended {
    pub case_type: Option<Code>,
    pub category: Option<Category>,
    pub region: Option<Code>,
    pub urgency: Option<Code>,
    pub tags: Option<Vec<Code>>,
    pub confidential: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    pub department: Code,
    /// None: the hotline's office.
    pub from: Option<Code>,
    pub role: Role,
    /// `first`, `redispatch`, `reorganisation`.
    pub reason: Option<Code>,
    pub basis: Option<Code>,
    pub own_limit: Option<OwnLimit>,
    /// Set when this is a pin: our own decision for a slot.
    pub pin: Option<Pin>,
}

/// Why the pipeline dispatched a case itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The fact that opened the slot: the round's opening, or the granted return.
    pub slot: EventKey,
    /// The routing rule that decided.
    pub rule: Code,
    /// The rulebook under which it decided, its hash in hexadecimal.
    pub rulebook: SmolStr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated {
    pub reached: bool,
    /// `call`, `sms`, `app`, `paper`, `default`.
    pub method: Option<Code>,
    /// 1–5; None where the caller did not say.
    pub satisfaction: Option<u8>,
    pub aspects: Vec<(Code, u8)>,
    pub solved: Option<Solved>,
    pub attempt: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// A family (a stage's, `rating`, `return`, `reopening`) or `all`.
    pub indicator: Code,
    pub effect: RulingEffect,
    pub reason: Code,
    pub document: Code,
    pub by: Option<Code>,
    /// Only this round; None: all of the case.
    pub round: Option<u32>,
    /// Only what this department is charged with; None: everybody.
    pub department: Option<Code>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    pub target: EventKey,
    /// The type that the correction says its target has.
    pub target_kind: Kind,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The target never happened.
    Void,
    /// The target's data, its time, or both, are these instead.
    Replace { body: Option<Box<Body>>, time: Option<Timestamp> },
}

/// What an event says, by type. Members are those that the schemas mark code or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Received(Box<Received>),
    Amended(Box<Amended>),
    Supplemented {
        new_facts: bool,
    },
    /// `case` is the subject of the other case.
    Linked {
        kind: Code,
        case: SmolStr,
    },
    Dispatched(Box<Dispatched>),
    Signed {
        department: Code,
        automatic: bool,
    },
    Contacted {
        department: Code,
        reached: Option<bool>,
    },
    Replied {
        department: Code,
        preliminary: bool,
    },
    Accepted {
        department: Option<Code>,
    },
    Refused {
        department: Option<Code>,
        ground: Code,
    },
    ReturnRequested {
        department: Code,
        reason: Option<Code>,
    },
    ReturnRefused {
        department: Code,
        reason: Option<Code>,
        is_final: bool,
    },
    Returned {
        department: Code,
        reason: Option<Code>,
    },
    ExtensionRequested {
        stage: Code,
        grant: Grant,
        by: Option<Code>,
    },
    ExtensionRefused {
        stage: Code,
        by: Option<Code>,
    },
    Extended {
        stage: Code,
        grant: Grant,
        by: Option<Code>,
    },
    /// `stages` empty: all.
    Held {
        reason: Code,
        stages: Vec<Code>,
        until: Option<Timestamp>,
    },
    Released {
        reason: Code,
    },
    Verified {
        result: Code,
        amounts: Amounts,
    },
    Notified {
        of: Code,
    },
    Submitted {
        department: Code,
        outcome: Option<Code>,
        amounts: Amounts,
    },
    CloseRefused {
        department: Code,
    },
    Closed {
        department: Code,
        by: Option<Code>,
        outcome: Option<Code>,
        amounts: Amounts,
    },
    /// `into` is the subject of the other case.
    Merged {
        into: SmolStr,
        reason: Option<Code>,
    },
    Split {
        into: Vec<SmolStr>,
    },
    Withdrawn {
        by: Option<Code>,
    },
    Rated(Box<Rated>),
    Reopened {
        reason: Code,
    },
    Urged {
        by: Option<Code>,
    },
    Supervised {
        kind: Option<Code>,
        by: Option<Code>,
        own_limit: Option<OwnLimit>,
    },
    SupervisionAnswered {
        kind: Option<Code>,
        by: Option<Code>,
    },
    Acknowledged {
        alarm: Code,
    },
    Appealed {
        indicator: Code,
    },
    Ruled(Box<Ruled>),
    Milestone {
        name: Code,
        result: Option<Code>,
    },
    /// Everything the source now says about the case. Never kept as a fact: see [`crate::case`].
    Snapshot(Vec<InnerFact>),
    Corrected(Box<Corrected>),
}

impl Body {
    pub fn kind(&self) -> Kind {
        match self {
            Body::Received(_) => Kind::Received,
            Body::Amended(_) => Kind::Amended,
            Body::Supplemented { .. } => Kind::Supplemented,
            Body::Linked { .. } => Kind::Linked,
            Body::Dispatched(_) => Kind::Dispatched,
            Body::Signed { .. } => Kind::Signed,
            Body::Contacted { .. } => Kind::Contacted,
            Body::Replied { .. } => Kind::Replied,
            Body::Accepted { .. } => Kind::Accepted,
            Body::Refused { .. } => Kind::Refused,
            Body::ReturnRequested { .. } => Kind::ReturnRequested,
            Body::ReturnRefused { .. } => Kind::ReturnRefused,
            Body::Returned { .. } => Kind::Returned,
            Body::ExtensionRequested { .. } => Kind::ExtensionRequested,
            Body::ExtensionRefused { .. } => Kind::ExtensionRefused,
            Body::Extended { .. } => Kind::Extended,
            Body::Held { .. } => Kind::Held,
            Body::Released { .. } => Kind::Released,
            Body::Verified { .. } => Kind::Verified,
            Body::Notified { .. } => Kind::Notified,
            Body::Submitted { .. } => Kind::Submitted,
            Body::CloseRefused { .. } => Kind::CloseRefused,
            Body::Closed { .. } => Kind::Closed,
            Body::Merged { .. } => Kind::Merged,
            Body::Split { .. } => Kind::Split,
            Body::Withdrawn { .. } => Kind::Withdrawn,
            Body::Rated(_) => Kind::Rated,
            Body::Reopened { .. } => Kind::Reopened,
            Body::Urged { .. } => Kind::Urged,
            Body::Supervised { .. } => Kind::Supervised,
            Body::SupervisionAnswered { .. } => Kind::SupervisionAnswered,
            Body::Acknowledged { .. } => Kind::Acknowledged,
            Body::Appealed { .. } => Kind::Appealed,
            Body::Ruled(_) => Kind::Ruled,
            Body::Milestone { .. } => Kind::Milestone,
            Body::Snapshot(_) => Kind::Snapshot,
            Body::Corrected(_) => Kind::Corrected,
        }
    }

    /// The code that a rule may ask for behind the type, as in `verified:filed`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Body::Received(received) => Some(&received.case_type),
            Body::Supplemented { new_facts: true } => Some("new_facts"),
            Body::Linked { kind, .. } => Some(kind),
            Body::Dispatched(dispatched) => dispatched.reason.as_deref(),
            Body::Signed { automatic: true, .. } => Some("automatic"),
            Body::Contacted { reached: Some(true), .. } => Some("reached"),
            Body::Replied { preliminary: true, .. } => Some("preliminary"),
            Body::Replied { .. } => Some("final"),
            Body::Refused { ground, .. } => Some(ground),
            Body::ReturnRequested { reason, .. }
            | Body::ReturnRefused { reason, .. }
            | Body::Returned { reason, .. }
            | Body::Merged { reason, .. } => reason.as_deref(),
            Body::ExtensionRequested { stage, .. }
            | Body::ExtensionRefused { stage, .. }
            | Body::Extended { stage, .. } => Some(stage),
            Body::Held { reason, .. } | Body::Released { reason } | Body::Reopened { reason } => Some(reason),
            Body::Verified { result, .. } => Some(result),
            Body::Notified { of } => Some(of),
            Body::Submitted { outcome, .. } | Body::Closed { outcome, .. } => outcome.as_deref(),
            Body::Withdrawn { by } | Body::Urged { by } => by.as_deref(),
            Body::Rated(rated) if rated.reached => Some("reached"),
            Body::Supervised { kind, .. } | Body::SupervisionAnswered { kind, .. } => kind.as_deref(),
            Body::Appealed { indicator } => Some(indicator),
            Body::Ruled(ruled) => Some(ruled.effect.name()),
            Body::Milestone { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The department whose act or custody this is, where the event names one.
    pub fn department(&self) -> Option<&Code> {
        match self {
            Body::Dispatched(dispatched) => Some(&dispatched.department),
            Body::Signed { department, .. }
            | Body::Contacted { department, .. }
            | Body::Replied { department, .. }
            | Body::ReturnRequested { department, .. }
            | Body::ReturnRefused { department, .. }
            | Body::Returned { department, .. }
            | Body::Submitted { department, .. }
            | Body::CloseRefused { department }
            | Body::Closed { department, .. } => Some(department),
            Body::Accepted { department } | Body::Refused { department, .. } => department.as_ref(),
            Body::Ruled(ruled) => ruled.department.as_ref(),
            _ => None,
        }
    }
}
