//! A case told to people: what happened, who held it, and the arithmetic of every clock, in Chinese or English.
//!
//! It says what [`crate::show`] says, from the same view; nothing in it concerns a person. Times are those of the
//! rulebook's zone, the spans of a clock those of its calendar's.

pub mod parts;

use std::fmt::{self, Write as _};

use hotline_core::alarm::telling::Told;
use hotline_core::alarm::{self, Alarm, alarms};
use hotline_core::calendar::Calendar;
use hotline_core::deadline::{Amount, Deadline, Piece, Skip, explain};
use hotline_core::fact::{Grant, OwnLimit, Precision};
use hotline_core::fold::{Changed, Clock, Correction, Round, Step, Verdict, View};
use hotline_core::rulebook::{Policy, Rulebook, Tier};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::details;
use crate::words::{self, Count, Lang};

/// The view of a case as lines; `as_of` says what its open clocks are doing.
pub fn case(view: &View, rulebook: &Rulebook, as_of: Timestamp, lang: Lang) -> String {
    let mut telling = Telling { view, rulebook, as_of, lang, text: String::new() };
    // Writing to a string cannot fail.
    let _ = telling.whole();
    telling.text
}

/// What was told of its deadlines, and when, as lines.
pub fn tellings(told: &[(Timestamp, Told)], rulebook: &Rulebook, lang: Lang) -> String {
    let mut text = String::new();
    for (told_at, Told { alarm, telling, .. }) in told {
        let what = match telling {
            alarm::telling::Telling::Raised => lang.of("已提醒", "told").to_owned(),
            alarm::telling::Telling::Missed => lang.of("补记未发", "noted and not told").to_owned(),
            alarm::telling::Telling::Withdrawn(why) => {
                lang.of(format!("撤回（{}）", why.code()), format!("withdrawn ({})", why.code()))
            }
        };
        let to = alarm.to.as_deref().unwrap_or("-");
        let (at, due_at) = (local(*told_at, &rulebook.timezone), local(alarm.due_at, &rulebook.timezone));
        let (level, stage) = (words::level(alarm.level, lang), words::code(&alarm.stage, lang));
        let due = lang.of("期限", "due");
        let _ = writeln!(text, "{what}  {at}  {level}, {stage}, {to}, {due} {due_at}");
    }
    text
}

struct Telling<'a> {
    view: &'a View,
    rulebook: &'a Rulebook,
    as_of: Timestamp,
    lang: Lang,
    text: String,
}

/// An instant in a zone, to the minute where it has no seconds.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    let local = zone.to_datetime(at);
    let format = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    local.strftime(format).to_string()
}

/// Days from a midnight to before another.
fn days(from: Timestamp, to: Timestamp, zone: &TimeZone, lang: Lang) -> String {
    let date = |at: Timestamp| zone.to_datetime(at).date();
    let (first, last) = (date(from), date(to).yesterday().unwrap_or(Date::MIN));
    if last <= first {
        first.to_string()
    } else {
        lang.of(format!("{first} 至 {last}"), format!("{first} to {last}"))
    }
}

/// `7 h 05 min`; days where there are several.
fn length(micros: i64, lang: Lang) -> String {
    let minutes = micros.unsigned_abs() / 60_000_000;
    if minutes == 0 {
        let seconds = micros.unsigned_abs() / 1_000_000;
        return lang.of(format!("{seconds} 秒"), format!("{seconds} s"));
    }
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, lang) {
        (0, Lang::Zh) => format!("{hours} 小时 {minutes:02} 分"),
        (0, Lang::En) => format!("{hours} h {minutes:02} min"),
        (_, Lang::Zh) => format!("{days} 天 {hours} 小时 {minutes:02} 分"),
        (_, Lang::En) => format!("{days} d {hours} h {minutes:02} min"),
    }
}

fn is_misleading(c: char) -> bool {
    let is_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || is_direction
}

impl Telling<'_> {
    fn at(&self, at: Timestamp) -> String {
        local(at, &self.rulebook.timezone)
    }

    fn line(&mut self, indent: usize, text: fmt::Arguments<'_>) -> fmt::Result {
        // Codes come from outside: none of them makes a line of its own, or turns one round.
        let shown = |c: char| if is_misleading(c) { '\u{fffd}' } else { c };
        let text: String = text.to_string().chars().map(shown).collect();
        writeln!(self.text, "{:1$}{text}", "", 2 * indent)
    }

    /// The one of two lines that is in the language.
    fn said(&mut self, indent: usize, zh: fmt::Arguments<'_>, en: fmt::Arguments<'_>) -> fmt::Result {
        self.line(indent, self.lang.of(zh, en))
    }

    /// A department with its name.
    fn department(&self, code: &str) -> String {
        let name = self.rulebook.departments.get(code).map(|known| match self.lang {
            Lang::Zh => &known.name_zh,
            Lang::En => &known.name_en,
        });
        match name {
            Some(name) if !name.is_empty() => format!("{code} {name}"),
            _ => code.to_owned(),
        }
    }

    /// A type of event in the words of the case's hotline.
    fn kind(&self, kind: hotline_core::fact::Kind) -> String {
        let label = self
            .rulebook
            .hotlines
            .get(&self.view.hotline)
            .filter(|_| self.lang == Lang::Zh)
            .and_then(|hotline| hotline.labels.get(kind.name()));
        label.cloned().unwrap_or_else(|| words::kind(kind, self.lang).to_owned())
    }

    fn whole(&mut self) -> fmt::Result {
        let (view, lang) = (self.view, self.lang);
        let attributes = &view.attributes;
        let category: Vec<&str> = attributes.category.iter().map(|code| words::code(code, lang)).collect();
        let parts = [
            words::code(&attributes.case_type, lang).to_owned(),
            category.join(" / "),
            attributes.region.to_string(),
            words::code(&attributes.urgency, lang).to_owned(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.line(0, format_args!("{}  {}", view.case, parts.join(", ")))?;
        let zone = self.rulebook.timezone.iana_name().unwrap_or("UTC").to_owned();
        let as_of = self.at(self.as_of);
        let hash = &self.rulebook.hash;
        self.said(
            0,
            format_args!("截至 {as_of}（{zone}），规则库 {hash:.12}"),
            format_args!("as of {as_of} ({zone}), rulebook {hash:.12}"),
        )?;
        if !view.registered {
            let text = lang.of("尚未登记，不计入任何统计。", "It is not registered and counts nowhere.");
            self.line(0, format_args!("{text}"))?;
        }
        for (place, round) in view.rounds.iter().enumerate() {
            self.round(place, round)?;
        }
        for correction in &view.corrections {
            self.correction(correction)?;
        }
        for anomaly in &view.anomalies {
            let (at, meaning) = (self.at(anomaly.at), words::anomaly(anomaly.code, lang));
            let label = lang.of("异常", "anomaly");
            self.line(0, format_args!("{label}  {at}  {}: {meaning}", anomaly.code.code()))?;
        }
        for alarm in alarms(view, self.rulebook) {
            self.alarm(&alarm)?;
        }
        if let Some(proposal) = &view.proposal {
            let (at, to) = (self.at(proposal.at), self.department(&proposal.department));
            let rule = &proposal.rule;
            self.said(
                0,
                format_args!("待派单  {at}  派往 {to}，规则 {rule}"),
                format_args!("to be dispatched  {at}  to {to} by rule {rule}"),
            )?;
        }
        Ok(())
    }

    /// What replaced what: a fact that was corrected is shown above as it is now.
    fn correction(&mut self, correction: &Correction) -> fmt::Result {
        let (at, before) = (self.at(correction.at), self.at(correction.claimed_at));
        let (kind, source) = (self.kind(correction.kind), &correction.source);
        let (zh, en) = match correction.change {
            Changed::Voided => ("作废".to_owned(), "voided".to_owned()),
            Changed::Moved(now) => {
                let now = self.at(now);
                (format!("时间改为 {now}"), format!("its time is now {now}"))
            }
            Changed::Restated => (
                "内容已改，上面为现值".to_owned(),
                "its data were replaced; above they are as they are now".to_owned(),
            ),
        };
        self.said(
            0,
            format_args!("更正  {at}  {kind}（原 {before}）：{zh}，来源 {source}"),
            format_args!("corrected  {at}  {kind} of {before}: {en}, by {source}"),
        )
    }

    fn alarm(&mut self, alarm: &Alarm) -> fmt::Result {
        let lang = self.lang;
        let label = if alarm.at > self.as_of {
            lang.of("将发提醒", "alarm to come")
        } else {
            lang.of("应发提醒", "alarm")
        };
        let to = alarm.to.as_ref().map_or_else(|| "-".to_owned(), |to| self.department(to));
        let (at, level) = (self.at(alarm.deliver_at), words::level(alarm.level, lang));
        self.line(0, format_args!("{label}  {at}  {level}, {}, {to}", words::code(&alarm.stage, lang)))
    }

    fn round(&mut self, place: usize, round: &Round) -> fmt::Result {
        let (view, lang) = (self.view, self.lang);
        let opened = self.at(round.opened_at);
        let number = round.number;
        self.said(
            0,
            format_args!("\n第 {number} 轮，{opened} 起"),
            format_args!("\nround {number}, from {opened}"),
        )?;
        for step in &round.steps {
            self.step(step)?;
        }
        for custody in &round.custodies {
            let (who, role) = (self.department(&custody.department), words::role(custody.role, lang));
            let from = self.at(custody.from_at);
            let until = match custody.ended {
                Some((at, how)) => format!("{} ({})", self.at(at), words::ended(how, lang)),
                None => lang.of("至今", "now").to_owned(),
            };
            let label = lang.of("承办", "held by");
            self.line(1, format_args!("{label}  {who}, {role}, {from} – {until}"))?;
        }
        for clock in view.clocks.iter().filter(|clock| clock.round == place) {
            self.clock(clock)?;
        }
        if let Some(rating) = &round.rating {
            let label = lang.of("满意度评价", "rating");
            self.line(1, format_args!("{label}  {}", words::outcome(rating.outcome, lang)))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> fmt::Result {
        let lang = self.lang;
        let mut text = format!("{}  {}", self.at(step.counted_at), self.kind(step.body.kind()));
        if let Some(department) = step.body.department() {
            let _ = write!(text, "  {}", self.department(department));
        }
        if let Some(code) = step.body.code() {
            let _ = write!(text, "  {}", words::code(code, lang));
        }
        for detail in details::of(&step.body) {
            let _ = write!(text, "  {}", detail.told(self.rulebook, lang, |at| self.at(at)));
        }
        // Where all three times are one, one is enough.
        if step.claimed_at != step.counted_at {
            let _ = write!(text, "  {} {}", lang.of("所称", "claimed"), self.at(step.claimed_at));
        }
        // Of what a source knew before we listened to it our receipt says nothing.
        let source = self.rulebook.sources.get(&step.source);
        let is_past =
            source.and_then(|source| source.trusted_before).is_some_and(|before| step.claimed_at < before);
        let is_told = |at: &Timestamp| *at != step.counted_at && !is_past;
        if let Some(received_at) = step.received_at.filter(is_told) {
            let _ = write!(text, "  {} {}", lang.of("收到", "received"), self.at(received_at));
        }
        self.line(1, format_args!("{text}"))
    }

    fn clock(&mut self, clock: &Clock) -> fmt::Result {
        let lang = self.lang;
        let mut head = format!("{}  ", lang.of("时限", "clock"));
        let _ = write!(head, "{}", words::code(&clock.stage, lang));
        let marks: Vec<&str> = [
            (clock.tier == Tier::Promise, lang.of("承诺", "promise")),
            (clock.closure, lang.of("决定是否按时办结", "decides \"on time\"")),
        ]
        .into_iter()
        .filter_map(|(is, mark)| is.then_some(mark))
        .collect();
        if !marks.is_empty() {
            let _ = write!(head, " ({})", marks.join(", "));
        }
        // A policy that gave no clock has not begun.
        let is_idle =
            clock.policy.is_some() && matches!(clock.verdict, Verdict::NoneOpen | Verdict::NoneStopped);
        let verdict =
            if is_idle { lang.of("未起算", "not begun") } else { words::verdict(clock.verdict, lang) };
        let _ = write!(head, ": {verdict}");
        if clock.verdict == Verdict::Open {
            let _ = write!(head, ", {}", words::state(clock.state_at(self.as_of), lang));
        }
        if let Some(department) = &clock.department {
            let _ = write!(head, ", {}", self.department(department));
        }
        for (is, zh, en) in [
            (clock.ruled, "，经考核认定", ", by a ruling"),
            (clock.excluded, "，已剔除", ", excluded by a ruling"),
        ] {
            if is {
                let _ = write!(head, "{}", lang.of(zh, en));
            }
        }
        self.line(1, format_args!("{head}"))?;
        let policy = clock.policy.as_ref().and_then(|id| self.rulebook.policy(id));
        let Some(policy) = policy else { return Ok(()) };
        self.rule(clock, policy)?;
        self.arithmetic(clock, policy)?;
        self.ending(clock)
    }

    fn rule(&mut self, clock: &Clock, policy: &Policy) -> fmt::Result {
        let lang = self.lang;
        let limit = match (clock.own_limit, policy.limit) {
            (Some(OwnLimit::Limit(limit, unit)), _) => {
                let count = Count(limit.into(), unit, lang);
                lang.of(format!("来件自带 {count}"), format!("{count}, sent with the case"))
            }
            (Some(OwnLimit::DueAt(_)), _) => {
                lang.of("期限由来件给出", "the deadline was sent with the case").to_owned()
            }
            (None, Some((limit, unit))) => Count(limit.into(), unit, lang).to_string(),
            (None, None) => String::new(),
        };
        let label = lang.of("规则", "rule");
        self.line(2, format_args!("{label}  {}, {limit}", policy.id))?;
        let label = lang.of("依据", "basis");
        self.line(2, format_args!("{label}  {}", policy.basis))
    }

    fn arithmetic(&mut self, clock: &Clock, policy: &Policy) -> fmt::Result {
        let lang = self.lang;
        let calendar = self.rulebook.calendar_for(policy, &clock.region);
        let Some(start_at) = clock.start_at else { return Ok(()) };
        let label = lang.of("起算", "from");
        self.line(2, format_args!("{label}  {}", local(start_at, calendar.timezone())))?;
        if let Some(limit) = clock.limit(policy, calendar) {
            for piece in explain(&limit, start_at, &clock.holds, &clock.extensions) {
                self.line(3, format_args!("{}", told(&piece, calendar, lang)))?;
            }
        }
        let Some(deadline) = &clock.deadline else { return Ok(()) };
        let label = lang.of("到期", "due");
        let mut due = due(deadline, calendar, lang);
        if deadline.provisional {
            due.push_str(
                lang.of("（暂定：放假安排尚未公布）", " (provisional: no notice settles these days yet)"),
            );
        }
        self.line(2, format_args!("{label}  {due}"))
    }

    /// When it stopped, and how far from the deadline.
    fn ending(&mut self, clock: &Clock) -> fmt::Result {
        let lang = self.lang;
        let (label, at, precision) = match (clock.stop, clock.ended_at, clock.in_review_since) {
            (Some((at, precision)), _, _) => (lang.of("停止", "stopped"), at, precision),
            (None, Some(at), _) => (lang.of("结束", "ended"), at, Precision::Second),
            (None, None, Some(at)) => (lang.of("审核自", "under review since"), at, Precision::Second),
            (None, None, None) => return Ok(()),
        };
        let shown = self.at(at);
        let shown = if precision == Precision::Day { shown[..10].to_owned() } else { shown };
        let Some(due_at) = clock.due_at() else { return self.line(2, format_args!("{label}  {shown}")) };
        let rest = due_at.as_microsecond() - at.as_microsecond();
        let length = length(rest, lang);
        if rest >= 0 {
            self.said(
                2,
                format_args!("{label}  {shown}，距到期 {length}"),
                format_args!("{label}  {shown}, {length} before it was due"),
            )
        } else {
            self.said(
                2,
                format_args!("{label}  {shown}，超期 {length}"),
                format_args!("{label}  {shown}, {length} after it was due"),
            )
        }
    }
}

/// A deadline; 24:00 stays with its day.
fn due(deadline: &Deadline, calendar: &Calendar, lang: Lang) -> String {
    match (deadline.due_at, deadline.due_on) {
        (Some(_), Some(due_on)) if deadline.end_of_day => format!("{due_on} 24:00"),
        (Some(due_at), _) => local(due_at, calendar.timezone()),
        (None, _) => lang.of("暂停计时中，尚无期限", "none: held without an end").to_owned(),
    }
}

/// One step of the arithmetic.
fn told(piece: &Piece, calendar: &Calendar, lang: Lang) -> String {
    let zone = calendar.timezone();
    let at = |at: Timestamp| local(at, zone);
    match piece {
        Piece::AsSent { due_at } => {
            lang.of(format!("来件给出 {}", at(*due_at)), format!("sent with the case: {}", at(*due_at)))
        }
        Piece::Moved { from, to } => lang.of(
            format!("{} 在办公时间外，顺延至 {}", at(*from), at(*to)),
            format!("{} is outside office hours: moved to {}", at(*from), at(*to)),
        ),
        Piece::Counted { from, to, amount, unit, make_up } => {
            let mut text = match amount {
                Amount::Days(count) => {
                    let (count, span) = (Count(*count, *unit, lang), days(*from, *to, zone, lang));
                    lang.of(format!("计 {count}：{span}"), format!("counts {count}: {span}"))
                }
                Amount::Micros(micros) => {
                    let (length, from, to) = (length(*micros, lang), at(*from), at(*to));
                    lang.of(
                        format!("计 {length}：{from} 至 {to}"),
                        format!("counts {length}: {from} to {to}"),
                    )
                }
            };
            if let Some(name) = make_up {
                text.push_str(&lang.of(format!("（{name}调休上班）"), format!(" (made up for {name})")));
            }
            text
        }
        Piece::Skipped { from, to, reason } => {
            let span = match to {
                None => lang.of(format!("自 {}", at(*from)), format!("from {}", at(*from))),
                Some(to) if is_midnight(*from, zone) && is_midnight(*to, zone) => {
                    days(*from, *to, zone, lang)
                }
                Some(to) => {
                    lang.of(format!("{} 至 {}", at(*from), at(*to)), format!("{} to {}", at(*from), at(*to)))
                }
            };
            let why = why(reason, lang);
            lang.of(format!("不计 {span}（{why}）"), format!("skips {span} ({why})"))
        }
        Piece::Extended { from, grant, before, after } => {
            let by = match grant {
                Grant::Limit(limit, unit) => Count((*limit).into(), *unit, lang).to_string(),
                Grant::Until(until) => lang.of(format!("至 {}", at(*until)), format!("until {}", at(*until))),
            };
            let span = |due: &Option<Timestamp>| due.map_or_else(|| "-".to_owned(), at);
            let (from, before, after) = (words::extension_from(*from, lang), span(before), span(after));
            lang.of(
                format!("延期 {by}，{from}：{before} → {after}"),
                format!("extended by {by}, {from}: {before} → {after}"),
            )
        }
        Piece::Rolled { from, to } => lang.of(
            format!("期限末日 {from} 为节假日，顺延至 {to}"),
            format!("the last day {from} is off: rolls to {to}"),
        ),
        Piece::ToClose { from, to } => lang.of(
            format!("{} 延至当日下班 {}", at(*from), at(*to)),
            format!("{} lasts to the close of office: {}", at(*from), at(*to)),
        ),
        Piece::Omitted { from, to } => lang.of(
            format!("{} 至 {} 从略", at(*from), at(*to)),
            format!("{} to {} is left out here", at(*from), at(*to)),
        ),
    }
}

fn is_midnight(at: Timestamp, zone: &TimeZone) -> bool {
    zone.to_datetime(at).time() == jiff::civil::Time::midnight()
}

fn why(reason: &Skip, lang: Lang) -> String {
    match reason {
        Skip::StartDay => lang.of("起算当日不计", "the day of the start").to_owned(),
        Skip::RestDay => lang.of("休息日", "rest days").to_owned(),
        Skip::Festival(name) => lang.of(format!("{name}，法定节日"), format!("{name}, festival")),
        Skip::Rest(name) => lang.of(format!("{name}假期"), format!("{name}, days off")),
        Skip::Closed => lang.of("办公时间外", "outside office hours").to_owned(),
        Skip::Held(reasons) => {
            let reasons: Vec<&str> = reasons.iter().map(|reason| words::code(reason, lang)).collect();
            lang.of(format!("暂停计时：{}", reasons.join("、")), format!("held: {}", reasons.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests;
