//! What departments are told, as CloudEvents: codes, instants and names of cases, never a person.

use hotline_core::alarm::telling::{Telling, Told};
use hotline_core::fact::{Dispatched, EventKey, Fact, PIPELINE_SOURCE};
use hotline_core::fold::View;
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// A rung of a deadline's ladder is reached.
    Raised,
    /// What was raised is true no longer.
    Withdrawn,
    /// The case was dispatched by our own rules.
    Dispatched,
    /// … and the hotline dispatched it itself, as came out later.
    DispatchWithdrawn,
}

impl NoticeKind {
    pub const ALL: [Self; 4] = [Self::Raised, Self::Withdrawn, Self::Dispatched, Self::DispatchWithdrawn];

    pub fn name(self) -> &'static str {
        match self {
            NoticeKind::Raised => "raised",
            NoticeKind::Withdrawn => "withdrawn",
            NoticeKind::Dispatched => "dispatched",
            NoticeKind::DispatchWithdrawn => "dispatch_withdrawn",
        }
    }

    /// The `CloudEvents` type, `hotline.notice.raised.v1`.
    pub fn event_type(self) -> String {
        format!("hotline.notice.{}.v1", self.name())
    }
}

/// Where nobody answers.
pub const NOBODY: &str = "-";

/// One notice.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The same notice has the same id, however often it is written.
    pub id: EventKey,
    pub kind: NoticeKind,
    pub case: SmolStr,
    /// Whom it concerns; [`NOBODY`] if nobody.
    pub department: SmolStr,
    pub event: Value,
}

impl Notice {
    /// The notice of an alarm that is told at an instant; None if it is only noted.
    pub fn of_alarm(case: &str, view: &View, told: &Told, at: Timestamp) -> Option<Self> {
        let (kind, why) = match told.telling {
            Telling::Missed => return None,
            Telling::Raised => (NoticeKind::Raised, None),
            Telling::Withdrawn(why) => (NoticeKind::Withdrawn, Some(why.code())),
        };
        let alarm = &told.alarm;
        let name = alarm.id();
        let mut data = json!({
            "department": alarm.to,
            "hotline": view.hotline,
            "case_type": view.attributes.case_type,
            "round": alarm.round,
            "stage": alarm.stage,
            "tier": alarm.tier.name(),
            "level": alarm.level.name(),
            "due_at": alarm.due_at.to_string(),
            "fell_due_at": alarm.at.to_string(),
            "alarm": name,
        });
        if let Some(why) = why {
            data["why"] = json!(why);
        }
        Some(Self::new(kind, case, alarm.to.as_ref(), &format!("{name}/{}", told.n), at, &data))
    }

    /// The notice of a dispatch decision of ours, taken at an instant.
    pub fn of_dispatch(case: &str, view: &View, pin: &Fact, dispatched: &Dispatched, at: Timestamp) -> Self {
        let data = json!({
            "department": dispatched.department,
            "hotline": view.hotline,
            "case_type": view.attributes.case_type,
            "rule": dispatched.pin.as_ref().map(|pin| &pin.rule),
            "dispatched_at": pin.claimed_at.to_string(),
        });
        let id = format!("{}/dispatched", pin.key);
        Self::new(NoticeKind::Dispatched, case, Some(&dispatched.department), &id, at, &data)
    }

    /// The notice that a decision of ours does not stand: the hotline dispatched the case itself.
    pub fn of_overruled(
        case: &str,
        view: &View,
        pin: &Fact,
        dispatched: &Dispatched,
        by: (EventKey, Timestamp),
    ) -> Self {
        let data = json!({
            "department": dispatched.department,
            "hotline": view.hotline,
            "case_type": view.attributes.case_type,
            "dispatched_at": pin.claimed_at.to_string(),
            "why": "dispatched_by_hotline",
        });
        let id = format!("{}/overruled/{}", pin.key, by.0);
        Self::new(NoticeKind::DispatchWithdrawn, case, Some(&dispatched.department), &id, by.1, &data)
    }

    fn new(
        kind: NoticeKind,
        case: &str,
        department: Option<&SmolStr>,
        name: &str,
        at: Timestamp,
        data: &Value,
    ) -> Self {
        let id = EventKey::of(case, name);
        let event = json!({
            "specversion": "1.0",
            "type": kind.event_type(),
            "source": PIPELINE_SOURCE,
            "id": id.to_string(),
            "subject": case,
            "time": at.to_string(),
            "datacontenttype": "application/json",
            "data": data,
        });
        let department = department.cloned().unwrap_or_else(|| NOBODY.into());
        Self { id, kind, case: case.into(), department, event }
    }
}
