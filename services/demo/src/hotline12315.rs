//! The life of a case on 12315: our routing dispatches it; a complaint is accepted and mediated, a report verified.
//!
//! Everything is done within its limit: the report says so of this bureau and year. What is close to a limit is
//! close to it on the safe side.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::Office;
use crate::case::Case;
use crate::dice::Dice;
use crate::world::{MARKET, MarketLane};

const CHANNELS: [(&str, u64); 6] =
    [("platform", 34), ("phone", 30), ("wechat", 16), ("alipay", 8), ("app", 8), ("counter", 4)];
/// What a case is about, by place in [`MARKET`] and how often.
const ABOUT: [(usize, u64); 7] = [(0, 26), (1, 14), (2, 24), (3, 18), (4, 13), (5, 2), (6, 3)];

pub(crate) struct Market<'r, 'd> {
    pub(crate) case: Case<'r>,
    pub(crate) office: Office<'r>,
    pub(crate) dice: &'d mut Dice,
    pub(crate) lane: &'static MarketLane,
}

impl<'r> Market<'r, '_> {
    fn department(&self) -> Value {
        json!({ "department": self.lane.department })
    }

    fn receive(&mut self, case_type: &str, at: Timestamp, tags: &[&str]) {
        // Special equipment and advertising are the city bureau's wherever they are.
        let local = self.lane.region != "411200";
        let place = self.dice.weighted(&ABOUT[..if local { 5 } else { 7 }]);
        let (broad, narrow) = MARKET[place];
        let mut data = json!({
            "case_type": case_type, "category": [broad, narrow], "region": self.lane.region,
            "number": self.case.number(), "channel": self.dice.weighted(&CHANNELS),
            "title": "示例诉求", "content": "示例内容：购买的商品与宣传不符，要求处理。",
            "reporter": { "name": "示例", "phone": "00000000000" }, "respondent": { "name": "示例商户" },
        });
        if !tags.is_empty() {
            data["tags"] = json!(tags);
        }
        if case_type == "complaint" {
            data["amounts"] = json!({ "disputed": self.dice.between(2, 400) * 10 });
        }
        self.case.tell("received", at, &data);
    }

    /// A question, answered within a day or two.
    pub(crate) fn consultation(mut self, at: Timestamp) -> Case<'r> {
        self.receive("consult", at, &[]);
        let days = self.dice.between(0, 2);
        let closed_at = self.office.working_day_after(at, days, self.dice);
        self.close("explained", closed_at);
        self.case
    }

    fn close(&mut self, outcome: &str, at: Timestamp) {
        let data = json!({ "department": self.lane.department, "outcome": outcome });
        self.case.tell("closed", at, &data);
    }

    /// Decided within seven working days, mediated within forty-five.
    pub(crate) fn complaint(mut self, at: Timestamp) -> Case<'r> {
        self.receive("complaint", at, &[]);
        let days = self.dice.between(1, 6);
        let decided_at = self.office.working_day_after(at, days, self.dice);
        if self.dice.in_thousand(50) {
            let ground = *self.dice.pick(&["out_of_scope", "not_consumer_dispute", "already_handled"]);
            let refused = json!({ "department": self.lane.department, "ground": ground });
            self.case.tell("refused", decided_at, &refused);
            return self.case;
        }
        let closed_at = self.mediate(decided_at, (3, 36));
        self.afterwards(closed_at);
        self.case
    }

    /// From the acceptance to the closing.
    fn mediate(&mut self, accepted_at: Timestamp, (first, last): (i64, i64)) -> Timestamp {
        let department = self.department();
        self.case.tell("accepted", accepted_at, &department);
        // Most are quick, a few take until near the limit.
        let longest = self.dice.between(first, last);
        let mut days = self.dice.between(first, longest);
        if self.dice.in_thousand(12) {
            days += self.inspect(accepted_at);
        }
        let closed_at = self.office.working_day_after(accepted_at, days, self.dice);
        let outcome =
            self.dice.weighted(&[("mediated", 56), ("settled", 9), ("terminated", 27), ("explained", 8)]);
        let mut data = json!({ "department": self.lane.department, "outcome": outcome });
        if outcome == "mediated" {
            data["amounts"] = json!({ "recovered": self.dice.between(1, 300) * 10 });
        }
        let closed_at = if self.dice.in_thousand(20) {
            let recorded_at = self.office.open_minutes_after(closed_at, (200, 400), self.dice);
            self.case.tell_late("closed", closed_at, recorded_at, &data);
            recorded_at
        } else {
            self.case.tell("closed", closed_at, &data);
            closed_at
        };
        if outcome == "terminated" {
            let told_at = self.office.working_day_after(closed_at, 1, self.dice);
            self.case.tell("notified", told_at, &json!({ "of": "termination" }));
        }
        closed_at
    }

    /// The goods are inspected: the clock stands still. Returns for how many working days.
    fn inspect(&mut self, accepted_at: Timestamp) -> i64 {
        let days = self.dice.between(4, 12);
        let held_at = self.office.working_day_after(accepted_at, 1, self.dice);
        let released_at = self.office.working_day_after(held_at, days, self.dice);
        let reason = json!({ "reason": "inspection" });
        self.case.tell("held", held_at, &reason);
        self.case.tell("released", released_at, &reason);
        // It is closed after the release, and the days held give the time back.
        days + 1
    }

    /// The caller is asked; now and then the case is opened again, and closed in time again.
    fn afterwards(&mut self, closed_at: Timestamp) {
        let closed_at = if self.dice.in_thousand(4) {
            let reopened_at = self.office.working_day_after(closed_at, 2, self.dice);
            self.case.tell("reopened", reopened_at, &json!({ "reason": "repeat" }));
            let accepted_at = self.office.working_day_after(reopened_at, 2, self.dice);
            self.mediate(accepted_at, (2, 8))
        } else {
            closed_at
        };
        if self.dice.in_thousand(150) {
            let rated_at = self.office.working_day_after(closed_at, 2, self.dice);
            let stars = self.dice.weighted(&[(5, 60), (4, 28), (3, 6), (2, 3), (1, 3)]);
            let data = json!({ "reached": true, "method": "sms", "satisfaction": stars });
            self.case.tell("rated", rated_at, &data);
        }
    }

    /// Verified within fifteen working days, fifteen more where that was granted; what is filed is decided in
    /// ninety days.
    pub(crate) fn report(mut self, at: Timestamp) -> Case<'r> {
        let real_name = self.dice.in_thousand(400);
        self.receive("report", at, if real_name { &["real_name"] } else { &[] });
        let extended = self.dice.in_thousand(35);
        if extended {
            let grant =
                json!({ "stage": "verify", "limit": 15, "unit": "working_day", "by": self.lane.department });
            let days = self.dice.between(8, 13);
            let asked_at = self.office.working_day_after(at, days, self.dice);
            self.case.tell("extension_requested", asked_at, &grant);
            let granted_at = self.office.open_minutes_after(asked_at, (30, 120), self.dice);
            self.case.tell("extended", granted_at, &grant);
        }
        let days = if extended { self.dice.between(16, 28) } else { self.dice.between(2, 14) };
        let verified_at = self.office.working_day_after(at, days, self.dice);
        // A case filed late in the year would not be decided before its books close.
        let filed = self.dice.in_thousand(120) && self.office.day(at).date().month() < 12;
        let result = if filed {
            "filed"
        } else {
            self.dice.weighted(&[("not_filed", 62), ("unfounded", 30), ("transferred", 8)])
        };
        self.case.tell("verified", verified_at, &json!({ "result": result }));
        if real_name {
            let days = self.dice.between(1, 4);
            let told_at = self.office.working_day_after(verified_at, days, self.dice);
            self.case.tell("notified", told_at, &json!({ "of": "decision" }));
        }
        let days = if filed { self.dice.between(8, 38) } else { 5 };
        let closed_at = self.office.working_day_after(verified_at, days, self.dice);
        self.close(if filed { "resolved" } else { "explained" }, closed_at);
        self.case
    }
}
