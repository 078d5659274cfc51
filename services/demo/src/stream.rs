//! The events of the year in the order in which they arrive.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use hotline_core::calendar::Day;
use hotline_core::rulebook::Rulebook;
use jiff::{SignedDuration, Timestamp};

use crate::calendar::{DAYS, Office, Season, new_year, time_of_day};
use crate::case::{Case, Sent};
use crate::dice::{Deck, Dice};
use crate::hotline12315::Market;
use crate::hotline12345::{Plan, Receipt, answered_at_once};
use crate::incident;
use crate::petition::{Way, petition};
use crate::world::{ANSWERED_AT_ONCE, LANES, MARKET_LANES, MarketLane, PETITION_LANES, PetitionLane};

/// Of ten thousand events so many are sent twice, and so many wait in some queue before they are sent.
const SENT_TWICE: u64 = 40;
const DELAYED: u64 = 60;

/// What a case that arrives will be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// On 12345, by place in [`LANES`].
    Hotline {
        lane: usize,
        case_type: &'static str,
    },
    AnsweredAtOnce,
    Outage,
    Caller,
    Market {
        lane: &'static MarketLane,
        case_type: &'static str,
    },
    Petition {
        lane: &'static PetitionLane,
        way: Way,
    },
}

impl Kind {
    fn hotline(self) -> &'static str {
        match self {
            Kind::Hotline { .. } | Kind::AnsweredAtOnce | Kind::Outage | Kind::Caller => "12345",
            Kind::Market { .. } => "12315",
            Kind::Petition { .. } => "petition",
        }
    }
}

/// A line that will arrive; equal instants keep the order of planning.
#[derive(Debug)]
struct Pending {
    sent: Sent,
    nth: u64,
}

impl Pending {
    fn place(&self) -> (Timestamp, u64) {
        (self.sent.arrives_at, self.nth)
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// The lines of the year, one CloudEvents event each.
#[derive(Debug)]
pub struct Year<'r> {
    office: Office<'r>,
    dice: Dice,
    /// Who is satisfied, by lane, complaints apart from all else.
    answers: Vec<[Deck; 2]>,
    /// The receipts to come, the next one last.
    receipts: Vec<(Timestamp, Kind)>,
    /// Cases so far, by hotline and day: the last digits of their numbers.
    numbers: BTreeMap<(&'static str, Day), u32>,
    pending: BinaryHeap<Reverse<Pending>>,
    planned: u64,
}

impl<'r> Year<'r> {
    /// The year of a seed. The rulebook is that of [`crate::rulebook_files`], loaded; only its calendar is asked.
    pub fn new(rulebook: &'r Rulebook, seed: u64) -> Self {
        let office = Office(&rulebook.calendar);
        let mut dice = Dice::new(seed);
        let mut receipts = receipts(office, &mut dice);
        // Stable, so that equal instants keep the order of the tables.
        receipts.sort_by_key(|(at, _)| Reverse(*at));
        Self {
            office,
            dice,
            answers: LANES
                .iter()
                .map(|lane| [Deck::new(lane.satisfied), Deck::new(lane.satisfied)])
                .collect(),
            receipts,
            numbers: BTreeMap::new(),
            pending: BinaryHeap::new(),
            planned: 0,
        }
    }

    /// How many lines there will be. It takes as long as making them.
    pub fn lines(rulebook: &Rulebook, seed: u64) -> u64 {
        Year::new(rulebook, seed).fold(0, |lines, _| lines + 1)
    }

    fn plan(&mut self, at: Timestamp, kind: Kind) {
        let number = match kind {
            Kind::Outage => incident::number(),
            _ => self.number(kind.hotline(), at),
        };
        let case = Case::new(self.office, kind.hotline(), number);
        let (office, dice) = (self.office, &mut self.dice);
        let case = match kind {
            Kind::Hotline { lane, case_type } => {
                let answers = &mut self.answers[lane][usize::from(case_type == "complaint")];
                Plan::new(case, office, dice, answers, &LANES[lane], Receipt { at, case_type }).live()
            }
            Kind::AnsweredAtOnce => answered_at_once(case, at, dice),
            Kind::Outage => incident::outage(case, office, dice),
            Kind::Caller => incident::caller(case, at, dice),
            Kind::Market { lane, case_type } => {
                let market = Market { case, office, dice, lane };
                match case_type {
                    "complaint" => market.complaint(at),
                    "report" => market.report(at),
                    _ => market.consultation(at),
                }
            }
            Kind::Petition { lane, way } => petition(case, office, lane, way, at, dice),
        };
        for sent in case.sent {
            self.send(sent);
        }
    }

    /// `411200`, the day, and which case of that day it is.
    fn number(&mut self, hotline: &'static str, at: Timestamp) -> String {
        let day = self.office.day(at);
        let nth = self.numbers.entry((hotline, day)).or_default();
        *nth += 1;
        let date = day.date();
        format!("411200{:04}{:02}{:02}{nth:04}", date.year(), date.month(), date.day())
    }

    /// Some lines wait on the way, some go out twice: neither may change a figure.
    fn send(&mut self, mut sent: Sent) {
        if self.dice.below(10_000) < DELAYED {
            sent.arrives_at = later(sent.arrives_at, self.dice.between(20, 360));
        }
        if self.dice.below(10_000) < SENT_TWICE {
            let arrives_at = later(sent.arrives_at, self.dice.between(1, 2880));
            self.push(Sent { arrives_at, line: sent.line.clone() });
        }
        self.push(sent);
    }

    fn push(&mut self, sent: Sent) {
        self.planned += 1;
        self.pending.push(Reverse(Pending { sent, nth: self.planned }));
    }
}

fn later(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_mins(minutes)).unwrap_or(at)
}

impl Iterator for Year<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        // Nothing of a case arrives before its receipt: what is planned up to the next receipt is complete.
        while let Some((at, kind)) = self.receipts.last().copied() {
            if self.pending.peek().is_some_and(|Reverse(pending)| pending.sent.arrives_at < at) {
                break;
            }
            self.receipts.pop();
            self.plan(at, kind);
        }
        self.pending.pop().map(|Reverse(pending)| pending.sent.line)
    }
}

/// Every receipt of the year, in no order.
fn receipts(office: Office<'_>, dice: &mut Dice) -> Vec<(Timestamp, Kind)> {
    let days: Vec<(Season, Vec<u64>)> =
        Season::ALL.into_iter().map(|season| (season, season.days(office))).collect();
    let mut receipts = Vec::with_capacity(80_000);
    let mut receive =
        |season: Season, count: u32, dice: &mut Dice, kind: &mut dyn FnMut(&mut Dice) -> Kind| {
            let days = days.iter().find(|(of, _)| *of == season).map_or(&[][..], |(_, days)| days);
            for _ in 0..count {
                let at = time_of_day(office, random_day(days, dice), dice);
                receipts.push((at, kind(dice)));
            }
        };
    for (lane, of) in LANES.iter().enumerate() {
        receive(of.season, of.complaints, dice, &mut |_| Kind::Hotline { lane, case_type: "complaint" });
        receive(of.season, of.others, dice, &mut |dice| {
            let types = [("help", 58), ("consult", 27), ("suggestion", 12), ("report", 3)];
            Kind::Hotline { lane, case_type: dice.weighted(&types) }
        });
    }
    receive(Season::Even, ANSWERED_AT_ONCE, dice, &mut |_| Kind::AnsweredAtOnce);
    for lane in MARKET_LANES {
        for (case_type, count) in
            [("complaint", lane.complaints), ("report", lane.reports), ("consult", lane.consultations)]
        {
            receive(Season::Shopping, count, dice, &mut |_| Kind::Market { lane, case_type });
        }
    }
    for lane in PETITION_LANES {
        receive(Season::Even, lane.letters, dice, &mut |_| Kind::Petition { lane, way: Way::Letter });
        for persons in lane.visits {
            let way = Way::Visit { persons: *persons };
            receive(Season::Even, 1, dice, &mut |_| Kind::Petition { lane, way });
        }
    }
    receipts.push((incident::began_at(office), Kind::Outage));
    receipts.extend((1..=incident::CALLERS).map(|nth| (incident::calls_at(office, nth), Kind::Caller)));
    receipts
}

/// A day, as often as its weight says.
fn random_day(days: &[u64], dice: &mut Dice) -> Day {
    let drawn = dice.below(days.last().copied().unwrap_or_default());
    let nth = days.partition_point(|sum| *sum <= drawn);
    new_year() + i64::try_from(nth).unwrap_or(0).min(DAYS - 1)
}
