//! A round of a case: its clocks drawn and told, who held it, what happened.

use hotline_core::deadline::explain;
use hotline_core::fold::{Clock, Custody, Round, Step, Verdict};
use hotline_core::rulebook::Policy;
use hotline_events::tell::parts;
use hotline_events::words as common;
use jiff::Timestamp;

use super::drawing::{Drawing, Span, bars, draw};
use super::shown::{Shown, Table, Teller, lasted};
use super::{codes, words};
use crate::query::History;

#[derive(Debug)]
pub(super) struct RoundShown {
    pub(super) heading: String,
    pub(super) drawing: Drawing,
    pub(super) clocks: Vec<ClockShown>,
    pub(super) custody: Table,
    pub(super) facts: Table,
    pub(super) routing: Table,
}

#[derive(Debug)]
pub(super) struct ClockShown {
    pub(super) heading: String,
    /// How it looks: `good`, `bad`, or nothing.
    pub(super) class: &'static str,
    /// With how deep each line stands: 0, 1.
    pub(super) lines: Vec<(usize, String)>,
}

/// What a round is told by.
pub(super) struct Telling<'h> {
    pub(super) history: &'h History,
    pub(super) teller: Teller<'h>,
    pub(super) as_of: Timestamp,
}

impl Telling<'_> {
    pub(super) fn rounds(&self) -> Vec<RoundShown> {
        self.history
            .viewed
            .view
            .rounds
            .iter()
            .enumerate()
            .map(|(place, round)| self.round(place, round))
            .collect()
    }

    fn clocks(&self, place: usize) -> impl Iterator<Item = &Clock> {
        self.history.viewed.view.clocks.iter().filter(move |clock| clock.round == place)
    }

    fn round(&self, place: usize, round: &Round) -> RoundShown {
        let lang = self.teller.lang;
        let (number, from) = (round.number, self.teller.at(round.opened_at));
        let until = round.closing.as_ref().map(|closing| self.teller.at(closing.at));
        let heading = match until {
            Some(until) => lang.of(
                format!("第 {number} 轮：{from} 至 {until}"),
                format!("Round {number}: {from} to {until}"),
            ),
            None => lang
                .of(format!("第 {number} 轮：{from} 起，在办"), format!("Round {number}: from {from}, open")),
        };
        RoundShown {
            drawing: self.drawing(place, round),
            clocks: self.clocks(place).map(|clock| self.clock(clock)).collect(),
            custody: self.custody(round),
            facts: self.facts(round),
            routing: self.routing(round),
            heading,
        }
    }

    fn clock(&self, clock: &Clock) -> ClockShown {
        let view = &self.history.viewed.view;
        let mut lines = parts::clock(view, self.teller.rulebook, clock, self.as_of, self.teller.lang);
        let heading = if lines.is_empty() { String::new() } else { lines.remove(0).1 };
        let class = match clock.verdict {
            Verdict::Met => "good",
            Verdict::Late | Verdict::LeftLate => "bad",
            _ => "",
        };
        let lines = lines.into_iter().map(|(depth, line)| (depth.saturating_sub(1), line)).collect();
        ClockShown { heading, class, lines }
    }

    fn drawing(&self, place: usize, round: &Round) -> Drawing {
        let lang = self.teller.lang;
        let mut spans: Vec<Span> = round.custodies.iter().map(|custody| self.held(round, custody)).collect();
        spans.extend(
            self.clocks(place).filter(|clock| clock.start_at.is_some()).map(|clock| self.ran(round, clock)),
        );
        let facts: Vec<Timestamp> = round.steps.iter().map(|step| step.counted_at).collect();
        let of_clocks = self.clocks(place).flat_map(|clock| {
            [clock.start_at, clock.due_at(), clock.stop.map(|(at, _)| at), clock.ended_at]
                .into_iter()
                .flatten()
        });
        let instants = facts.iter().copied().chain(of_clocks).chain([round.opened_at, self.end(round)]);
        let (from, to) =
            instants.fold((round.opened_at, round.opened_at), |(from, to), at| (from.min(at), to.max(at)));
        let title = lang.of(
            format!("第 {} 轮的承办责任段与时限", round.number),
            format!("Who held the case in round {} and its clocks", round.number),
        );
        draw(
            format!("round-{}", round.number),
            title,
            (from, to),
            &self.teller.rulebook.timezone,
            &facts,
            spans,
        )
    }

    /// When a round that is open is looked at, it has come so far.
    fn end(&self, round: &Round) -> Timestamp {
        round.closing.as_ref().map_or(self.as_of.max(round.opened_at), |closing| closing.at)
    }

    fn held(&self, round: &Round, custody: &Custody) -> Span {
        let lang = self.teller.lang;
        let until = custody.ended.map_or_else(|| self.end(round), |(at, _)| at);
        let name = self.teller.department_name(&custody.department).unwrap_or(&custody.department);
        let role = common::role(custody.role, lang);
        let words = format!("{name} {role} {} – {}", self.teller.at(custody.from_at), self.teller.at(until));
        Span {
            label: lang.of(format!("{role}　{name}"), format!("{role}: {name}")),
            bars: vec![("custody", custody.from_at, until, words)],
            due: None,
            stop: None,
        }
    }

    fn ran(&self, round: &Round, clock: &Clock) -> Span {
        let lang = self.teller.lang;
        let stage = common::code(&clock.stage, lang);
        let verdict = common::verdict(clock.verdict, lang);
        let start_at = clock.start_at.unwrap_or(round.opened_at);
        let ended_at = clock.stop.map(|(at, _)| at).or(clock.ended_at);
        let policy = clock.policy.as_ref().and_then(|id| self.teller.rulebook.policy(id));
        let late = clock.due_at().map(|due_at| ended_at.unwrap_or(self.as_of).duration_since(due_at));
        let over = late.filter(jiff::SignedDuration::is_positive).map(|late| lasted(late, lang));
        let over = over.map(|over| lang.of(format!("超期 {over}"), format!("{over} past the deadline")));
        let span = (start_at, clock.due_at(), ended_at, self.as_of);
        let drawn =
            policy.map(|policy| self.pieces(clock, policy, start_at, span, over.as_deref().unwrap_or("")));
        let due = self.teller.due(clock).map(|due| lang.of(format!("期限 {due}"), format!("due {due}")));
        let due = clock.due_at().zip(due).map(|(due_at, due)| {
            let late = over.map(|over| lang.of(format!("，{over}"), format!(", {over}"))).unwrap_or_default();
            (due_at, due + &late)
        });
        let stopped = |at| format!("{} {}", words::of(lang).legend_stop, self.teller.at(at));
        Span {
            label: lang.of(format!("{stage}时限　{verdict}"), format!("{stage}: {verdict}")),
            bars: drawn.unwrap_or_default(),
            due,
            stop: ended_at.map(|at| (at, stopped(at))),
        }
    }

    fn pieces(
        &self,
        clock: &Clock,
        policy: &Policy,
        start_at: Timestamp,
        span: (Timestamp, Option<Timestamp>, Option<Timestamp>, Timestamp),
        over: &str,
    ) -> Vec<(&'static str, Timestamp, Timestamp, String)> {
        let calendar = self.teller.rulebook.calendar_for(policy, &clock.region);
        let Some(limit) = clock.limit(policy, calendar) else { return Vec::new() };
        let pieces = explain(&limit, start_at, &clock.holds, &clock.extensions);
        bars(&pieces, span, |piece| parts::piece(piece, calendar, self.teller.lang), over)
    }

    fn custody(&self, round: &Round) -> Table {
        let (lang, w) = (self.teller.lang, words::of(self.teller.lang));
        let row = |custody: &Custody| {
            vec![
                Shown::text(self.teller.department(&custody.department)),
                Shown::text(common::role(custody.role, lang)),
                Shown::text(self.teller.at(custody.from_at)).with_class("time"),
                Shown::text(self.teller.maybe_at(custody.ended.map(|(at, _)| at))).with_class("time"),
                Shown::text(custody.ended.map_or("–", |(_, how)| common::ended(how, lang))),
                custody.rule.as_ref().map_or_else(|| Shown::text("–"), |rule| Shown::code(rule.as_str())),
            ]
        };
        Table::new(
            w.held_by,
            [w.department, w.role, w.span_from, w.span_until, w.ended, w.by_rule],
            round.custodies.iter().map(row),
        )
    }

    fn facts(&self, round: &Round) -> Table {
        let w = words::of(self.teller.lang);
        let row = |(nth, step): (usize, &Step)| self.fact(nth, step);
        Table::new(
            w.facts,
            [
                w.number,
                w.at,
                w.what,
                w.department,
                w.details,
                w.claimed,
                w.received_at,
                w.source,
                w.origin,
                w.mark,
            ],
            round.steps.iter().enumerate().map(row),
        )
    }

    fn fact(&self, nth: usize, step: &Step) -> Vec<Shown> {
        let (lang, view) = (self.teller.lang, &self.history.viewed.view);
        let other = |at: Timestamp| {
            if at == step.counted_at {
                Shown::text("〃").with_class("quiet")
            } else {
                Shown::text(self.teller.at(at))
            }
        };
        let origin = self.history.origins.get(&step.key);
        let marks = view.anomalies.iter().filter(|anomaly| anomaly.fact == Some(step.key));
        let marks: Vec<String> = marks.map(|anomaly| codes::mark(anomaly.code.code(), lang)).collect();
        vec![
            Shown::number(nth + 1),
            Shown::text(self.teller.at(step.counted_at)).with_class("time"),
            Shown::text(parts::kind(view, self.teller.rulebook, step.body.kind(), lang)),
            Shown::text(step.body.department().map(|code| self.teller.department(code)).unwrap_or_default()),
            Shown::text(parts::details(step, self.teller.rulebook, lang)),
            other(step.claimed_at),
            step.received_at.map_or_else(|| Shown::text("–"), other),
            Shown::code(step.source.as_str()),
            origin.map_or_else(
                || Shown::text("–"),
                |origin| Shown::code(format!("{} {}", origin.origin, origin.offset)),
            ),
            Shown::text(marks.join(lang.of("、", ", "))),
        ]
    }

    fn routing(&self, round: &Round) -> Table {
        let w = words::of(self.teller.lang);
        let filled = |slot: &hotline_core::fold::SlotView| {
            let step = round.steps.iter().find(|step| Some(step.key) == slot.filled_by);
            step.and_then(|step| step.body.department())
                .map_or_else(|| "–".to_owned(), |code| self.teller.department(code))
        };
        let row =
            |slot: &hotline_core::fold::SlotView| {
                let decision = slot.would_route.as_ref();
                vec![
                    Shown::text(self.teller.at(slot.opened_at)).with_class("time"),
                    decision.map_or_else(|| Shown::text("–"), |decision| Shown::code(decision.rule.as_str())),
                    Shown::text(decision.map_or_else(
                        || "–".to_owned(),
                        |decision| self.teller.department(&decision.department),
                    )),
                    Shown::text(filled(slot)),
                ]
            };
        Table::new(w.routing, [w.at, w.by_rule, w.decided, w.filled], round.slots.iter().map(row))
    }
}
