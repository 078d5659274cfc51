//! One case while its life is being planned: what its systems will say of it, in the order of telling.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::calendar::Office;

/// A line and when it arrives.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) arrives_at: Timestamp,
    pub(crate) line: String,
}

/// The attributes in the order in which people read them.
#[derive(Serialize)]
struct Attributes<'a> {
    specversion: &'static str,
    #[serde(rename = "type")]
    kind: String,
    source: &'a str,
    id: &'a str,
    subject: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recordedtime: Option<String>,
    data: &'a Value,
}

#[derive(Debug)]
pub(crate) struct Case<'r> {
    office: Office<'r>,
    source: String,
    subject: String,
    number: String,
    told: u32,
    pub(crate) sent: Vec<Sent>,
}

/// An event of the case, for corrections to name it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

impl<'r> Case<'r> {
    pub(crate) fn new(office: Office<'r>, hotline: &str, number: String) -> Self {
        Self {
            office,
            source: format!("/hotline/demo/{hotline}"),
            subject: format!("{hotline}:{number}"),
            number,
            told: 0,
            sent: Vec::with_capacity(12),
        }
    }

    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    /// Something happened, and the system says so at once.
    pub(crate) fn tell(&mut self, kind: &'static str, at: Timestamp, data: &Value) -> Told {
        self.say(kind, at, None, data)
    }

    /// Something happened and was recorded later.
    pub(crate) fn tell_late(
        &mut self,
        kind: &'static str,
        at: Timestamp,
        recorded_at: Timestamp,
        data: &Value,
    ) -> Told {
        self.say(kind, at, Some(recorded_at), data)
    }

    /// What was told of an event was wrong.
    pub(crate) fn correct(&mut self, told: &Told, at: Timestamp, data: &Value) {
        let corrects = serde_json::json!({
            "source": self.source, "id": told.id, "type": format!("hotline.case.{}.v1", told.kind),
        });
        self.tell("corrected", at, &serde_json::json!({ "corrects": corrects, "data": data }));
    }

    fn say(
        &mut self,
        kind: &'static str,
        at: Timestamp,
        recorded_at: Option<Timestamp>,
        data: &Value,
    ) -> Told {
        self.told += 1;
        let id = format!("{}-{:02}", self.number, self.told);
        let attributes = Attributes {
            specversion: "1.0",
            kind: format!("hotline.case.{kind}.v1"),
            source: &self.source,
            id: &id,
            subject: &self.subject,
            time: self.office.written(at),
            recordedtime: recorded_at.map(|at| self.office.written(at)),
            data,
        };
        let line = serde_json::to_string(&attributes).expect("text and numbers can be written as JSON");
        self.sent.push(Sent { arrives_at: recorded_at.unwrap_or(at), line });
        Told { kind, id }
    }
}
