//! The life of a case on 12345: dispatched by the office, signed, handled, submitted, reviewed, closed, rated.

use jiff::Timestamp;
use jiff::civil::date;
use serde_json::{Value, json};

use hotline_core::calendar::Day;

use crate::calendar::{Office, minutes_after};
use crate::case::Case;
use crate::dice::{Deck, Dice};
use crate::world::{Lane, MARKET_BUREAU, MERGED};

const CHANNELS: [(&str, u64); 6] =
    [("phone", 78), ("wechat", 10), ("app", 6), ("web", 4), ("sms", 1), ("mailbox", 1)];

/// How a case came in, and how it was meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) at: Timestamp,
    pub(crate) case_type: &'static str,
}

/// Working days for closing, by case type; see deploy/rulebook/policies/12345-henan.toml.
fn limit(case_type: &str) -> i64 {
    match case_type {
        "consult" => 3,
        "complaint" | "report" => 10,
        _ => 5,
    }
}

/// On this day one department takes over what the other still holds.
pub(crate) fn merged_at(office: Office<'_>) -> Timestamp {
    office.at(Day::of(date(2023, 7, 1)), 9, 0)
}

/// A department has the case.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Its clocks run from here.
    dispatched_at: Timestamp,
    /// It begins here: after a return that was refused.
    from: Timestamp,
}

/// What a plan needs to know while it is made.
pub(crate) struct Plan<'r, 'd> {
    pub(crate) case: Case<'r>,
    pub(crate) office: Office<'r>,
    pub(crate) dice: &'d mut Dice,
    /// Who is satisfied, among the answers of this body.
    pub(crate) answers: &'d mut Deck,
    pub(crate) lane: &'static Lane,
    pub(crate) receipt: Receipt,
    /// Who holds the case.
    holder: &'static str,
    /// Whether anybody is to be asked afterwards.
    asked: bool,
}

impl<'r, 'd> Plan<'r, 'd> {
    pub(crate) fn new(
        case: Case<'r>,
        office: Office<'r>,
        dice: &'d mut Dice,
        answers: &'d mut Deck,
        lane: &'static Lane,
        receipt: Receipt,
    ) -> Self {
        Self { case, office, dice, answers, lane, receipt, holder: lane.department, asked: true }
    }

    /// The whole life of the case.
    pub(crate) fn live(mut self) -> Case<'r> {
        let at = self.receipt.at;
        self.receive();
        let dispatched_at = minutes_after(at, (4, 75), self.dice);
        self.dispatch("first", dispatched_at);
        let taken = if self.lane.department != MARKET_BUREAU && self.dice.in_thousand(24) {
            self.give_back(dispatched_at)
        } else {
            Taken { dispatched_at, from: dispatched_at }
        };
        let closed_at = self.handle(taken);
        if self.dice.in_thousand(4) {
            self.oversee(taken.dispatched_at, closed_at);
        }
        self.ask(closed_at);
        self.case
    }

    fn receive(&mut self) {
        let Receipt { at, case_type } = self.receipt;
        let (broad, narrow) = *self.dice.pick(self.lane.categories);
        let category: Vec<&str> = [broad, narrow].into_iter().filter(|word| !word.is_empty()).collect();
        let anonymous = self.dice.in_thousand(30);
        let reply_wanted = !self.dice.in_thousand(20);
        self.asked = !anonymous && reply_wanted;
        let mut data = json!({
            "case_type": case_type, "category": category, "region": self.lane.region, "number": self.case.number(),
            "channel": self.dice.weighted(&CHANNELS),
            "title": "示例诉求", "content": "示例内容：希望尽快处理。", "address": "示例路1号",
        });
        if anonymous {
            data["anonymous"] = json!(true);
        } else {
            data["reporter"] = json!({ "name": "示例", "phone": "00000000000" });
        }
        if !reply_wanted {
            data["reply_wanted"] = json!(false);
        }
        if let Some(tag) = self.lane.tag {
            data["tags"] = json!([tag]);
        }
        if self.dice.in_thousand(25) {
            data["urgency"] = json!("urgent");
        }
        self.case.tell("received", at, &data);
    }

    fn dispatch(&mut self, reason: &str, at: Timestamp) {
        if self.holder == MERGED.0 && at >= merged_at(self.office) {
            self.holder = MERGED.1;
        }
        let data = json!({ "department": self.holder, "role": "lead", "reason": reason });
        self.case.tell("dispatched", at, &data);
    }

    /// The holder does something. What the merged department still held on the day goes to its successor first.
    fn act(&mut self, kind: &'static str, at: Timestamp, mut data: Value) {
        let merged_at = merged_at(self.office);
        if self.holder == MERGED.0 && at >= merged_at {
            self.holder = MERGED.1;
            let data = json!({ "department": self.holder, "role": "lead", "reason": "reorganisation" });
            self.case.tell("dispatched", merged_at, &data);
        }
        data["department"] = json!(self.holder);
        self.case.tell(kind, at, &data);
    }

    /// Says that it is not its duty. The office grants it and dispatches anew, or refuses.
    fn give_back(&mut self, dispatched_at: Timestamp) -> Taken {
        let asked_at = self.office.open_minutes_after(dispatched_at, (30, 200), self.dice);
        let reason = *self.dice.pick(&["not_ours", "wrong_region", "unclear"]);
        self.act("return_requested", asked_at, json!({ "reason": reason }));
        let answered_at = self.office.open_minutes_after(asked_at, (20, 120), self.dice);
        if self.dice.in_thousand(300) {
            self.act("return_refused", answered_at, json!({ "reason": "not_ours", "final": true }));
            return Taken { dispatched_at, from: answered_at };
        }
        self.act("returned", answered_at, json!({ "reason": reason }));
        self.holder = if self.holder == "HBQ" { "CGJ" } else { "HBQ" };
        let again_at = minutes_after(answered_at, (5, 40), self.dice);
        self.dispatch("redispatch", again_at);
        Taken { dispatched_at: again_at, from: again_at }
    }

    /// From the dispatch to the closing of a round; returns when it was closed.
    fn handle(&mut self, Taken { dispatched_at, from }: Taken) -> Timestamp {
        let signed_at = if self.dice.in_thousand(12) {
            self.office.working_day_after(from, 2, self.dice)
        } else {
            self.office.open_minutes_after(from, (5, 240), self.dice)
        };
        self.act("signed", signed_at, json!({}));
        let mut begun_at = signed_at;
        if self.holder == self.lane.department && !self.lane.streets.is_empty() && self.dice.in_thousand(600)
        {
            begun_at = self.hand_on(signed_at);
        }
        if self.dice.in_thousand(550) {
            let contacted_at = self.office.open_minutes_after(signed_at, (3, 90), self.dice);
            let reached = !self.dice.in_thousand(60);
            self.act("contacted", contacted_at, json!({ "reached": reached }));
            begun_at = begun_at.max(contacted_at);
        }
        let (days, given_at) = self.days(dispatched_at, signed_at);
        begun_at = begun_at.max(given_at);
        let submitted_at = self.office.working_day_after(dispatched_at, days, self.dice);
        let submitted_at = submitted_at.max(self.office.open_minutes_after(begun_at, (10, 60), self.dice));
        self.submit(submitted_at)
    }

    /// A district hands the case on to a street and stays answerable; returns when the street signed.
    fn hand_on(&mut self, signed_at: Timestamp) -> Timestamp {
        let street = *self.dice.pick(self.lane.streets);
        let at = self.office.open_minutes_after(signed_at, (5, 60), self.dice);
        let data = json!({ "department": street, "from": self.holder, "role": "sub" });
        self.case.tell("dispatched", at, &data);
        let at = self.office.open_minutes_after(at, (10, 200), self.dice);
        self.case.tell("signed", at, &json!({ "department": street }));
        at
    }

    /// On which working day after the dispatch it is submitted, and the end of an extension's or a hold's formalities
    /// that some cases see before.
    fn days(&mut self, dispatched_at: Timestamp, signed_at: Timestamp) -> (i64, Timestamp) {
        let limit = limit(self.receipt.case_type);
        if self.dice.in_thousand(self.lane.late) {
            return (limit + self.dice.between(1, 5), signed_at);
        }
        if limit > 3 && self.dice.in_thousand(35) {
            return self.extend(dispatched_at, limit);
        }
        if limit > 3 && self.dice.in_thousand(12) {
            let held_at = self.office.open_minutes_after(signed_at, (60, 200), self.dice);
            let days = self.dice.between(3, 15);
            let released_at = self.office.working_day_after(held_at, days, self.dice);
            self.case.tell("held", held_at, &json!({ "reason": "parked" }));
            self.case.tell("released", released_at, &json!({ "reason": "parked" }));
            return (days + self.dice.between(2, limit - 2), released_at);
        }
        let longest = self.dice.between(2, limit);
        (self.dice.between(1, longest), signed_at)
    }

    fn extend(&mut self, dispatched_at: Timestamp, limit: i64) -> (i64, Timestamp) {
        let asked_at = self.office.working_day_after(dispatched_at, limit - 1, self.dice);
        let answered_at = self.office.open_minutes_after(asked_at, (20, 100), self.dice);
        let grant = json!({ "stage": "close", "limit": limit, "unit": "working_day", "by": self.holder });
        self.case.tell("extension_requested", asked_at, &grant);
        if self.dice.in_thousand(150) {
            self.case.tell("extension_refused", answered_at, &json!({ "stage": "close", "by": "HL12345" }));
            return (limit, answered_at);
        }
        self.case.tell("extended", answered_at, &grant);
        (limit + self.dice.between(1, limit - 1), answered_at)
    }

    /// Submits, once more where the office refuses, until it closes.
    fn submit(&mut self, at: Timestamp) -> Timestamp {
        let outcome = self.dice.weighted(&[("resolved", 66), ("explained", 26), ("constrained", 8)]);
        let result = json!({ "outcome": outcome });
        self.act("submitted", at, result.clone());
        let mut reviewed_at = self.office.open_minutes_after(at, (20, 200), self.dice);
        if self.dice.in_thousand(35) {
            self.act("close_refused", reviewed_at, json!({}));
            let again_at = self.office.open_minutes_after(reviewed_at, (60, 200), self.dice);
            self.act("submitted", again_at, result.clone());
            reviewed_at = self.office.open_minutes_after(again_at, (20, 150), self.dice);
        }
        let mut closing = result;
        closing["by"] = json!("HL12345");
        // Some closings are entered days later. They count from when they were entered.
        if self.lane.department != MARKET_BUREAU && self.dice.in_thousand(8) {
            closing["department"] = json!(self.holder);
            let recorded_at = self.office.working_day_after(reviewed_at, 3, self.dice);
            self.case.tell_late("closed", reviewed_at, recorded_at, &closing);
            return recorded_at;
        }
        self.act("closed", reviewed_at, closing);
        reviewed_at
    }

    /// The caller urges, or a supervisor looks at the case; an appeal may leave it out of the rates.
    fn oversee(&mut self, dispatched_at: Timestamp, closed_at: Timestamp) {
        let at = self.office.working_day_after(dispatched_at, 1, self.dice);
        self.case.tell("urged", at, &json!({ "by": "caller" }));
        if self.lane.department != MARKET_BUREAU && self.dice.in_thousand(300) {
            let at = self.office.working_day_after(closed_at, 4, self.dice);
            self.case.tell("appealed", at, &json!({ "indicator": "close" }));
            let at = self.office.working_day_after(at, 3, self.dice);
            let ruling = json!({
                "indicator": "close", "effect": "exclude", "reason": "示例", "document": "示例〔2023〕1号",
                "by": "supervision-office",
            });
            self.case.tell("ruled", at, &ruling);
        }
    }

    /// Asks the caller; who is not satisfied may have the case opened again.
    fn ask(&mut self, closed_at: Timestamp) {
        if !self.asked {
            return;
        }
        let rated_at = self.office.working_day_after(closed_at, 1, self.dice);
        let Some(satisfied) = self.rate(rated_at) else { return };
        if satisfied || !self.dice.in_thousand(300) {
            return;
        }
        let reopened_at = self.office.working_day_after(rated_at, 1, self.dice);
        self.case.tell("reopened", reopened_at, &json!({ "reason": "dissatisfied" }));
        let dispatched_at = minutes_after(reopened_at, (5, 60), self.dice);
        self.dispatch("first", dispatched_at);
        let closed_at = self.handle(Taken { dispatched_at, from: dispatched_at });
        let rated_at = self.office.working_day_after(closed_at, 1, self.dice);
        self.rate(rated_at);
    }

    /// Whether the caller is satisfied; None without an answer.
    fn rate(&mut self, at: Timestamp) -> Option<bool> {
        let reached = !self.dice.in_thousand(90);
        if !reached {
            self.case.tell("rated", at, &json!({ "reached": false, "method": "call", "attempt": 1 }));
            if self.dice.in_thousand(500) {
                return None;
            }
        }
        let at = if reached { at } else { self.office.working_day_after(at, 1, self.dice) };
        let method = self.dice.weighted(&[("call", 70), ("sms", 22), ("app", 8)]);
        if self.dice.in_thousand(60) {
            let data = json!({ "reached": true, "method": method, "satisfaction": null });
            self.case.tell("rated", at, &data);
            return None;
        }
        let satisfied = self.answers.draw(self.dice);
        let answer = |dice: &mut Dice, satisfied: bool| {
            let (stars, solved) = if satisfied {
                dice.weighted(&[((5, "yes"), 64), ((4, "yes"), 26), ((4, "partly"), 10)])
            } else {
                dice.weighted(&[((3, "partly"), 45), ((2, "no"), 30), ((1, "no"), 25)])
            };
            json!({ "reached": true, "method": method, "satisfaction": stars, "solved": solved })
        };
        let said = answer(self.dice, satisfied);
        // Now and then the clerk ticks the wrong box and corrects it the same day.
        if self.dice.in_thousand(6) {
            let wrong = answer(self.dice, !satisfied);
            let told = self.case.tell("rated", at, &wrong);
            let corrected_at = minutes_after(at, (10, 120), self.dice);
            self.case.correct(&told, corrected_at, &said);
        } else {
            self.case.tell("rated", at, &said);
        }
        Some(satisfied)
    }
}

/// A question that the hotline's office answers during the call.
pub(crate) fn answered_at_once<'r>(mut case: Case<'r>, at: Timestamp, dice: &mut Dice) -> Case<'r> {
    let category = *dice.pick(&["government", "health", "labour", "transport"]);
    let data = json!({
        "case_type": "consult", "category": [category], "region": "411200", "number": case.number(),
        "channel": "phone", "reply_wanted": false, "title": "示例咨询", "content": "示例内容",
    });
    case.tell("received", at, &data);
    let closed_at = minutes_after(at, (2, 12), dice);
    let data = json!({ "department": "HL12345", "by": "HL12345", "outcome": "explained" });
    case.tell("closed", closed_at, &data);
    case
}
