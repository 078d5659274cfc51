//! `GET /audit/cases/{case}`: why it was in time or not, who held it when, what was changed afterwards and by whom.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_core::alarm::telling::Telling as What;
use hotline_core::findings::{authors, path};
use hotline_core::fold::{Changed, Clock, Correction};
use hotline_events::{Lang, words as common};
use serde_json::Value;

use super::frame::{Frame, Reader, page};
use super::lists::stamp;
use super::round::{RoundShown, Telling};
use super::shown::{Shown, Table, Teller, case_href};
use super::{codes, words};
use crate::api::closures::history;
use crate::api::people::{People, masked};
use crate::api::problem;
use crate::desk::Desk;
use crate::query::History;
use crate::token::Right;

#[derive(Debug, askama::Template)]
#[template(path = "pages/case.html")]
struct Page {
    frame: Frame,
    case: String,
    /// Of the clock that decides "on time": `good`, `bad`, or nothing.
    class: &'static str,
    verdict: String,
    summary: Vec<(&'static str, String)>,
    refold_pending: bool,
    rounds: Vec<RoundShown>,
    /// Tables that have rows.
    tables: Vec<Table>,
    records: Table,
    verify: Option<String>,
    people: PeopleShown,
    unmask: Option<String>,
    stamp: String,
    as_of: String,
}

/// The people of a case, on a page.
#[derive(Debug)]
pub(super) struct PeopleShown {
    pub(super) is_erased: bool,
    pub(super) table: Table,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(case): Path<String>,
) -> Response {
    let Some(caller) = reader.caller.as_ref() else { return problem::no_case().into_response() };
    let history = match history(&desk, caller, &case).await {
        Ok(Some(history)) => history,
        Ok(None) => return problem::no_case().into_response(),
        Err(error) => return problem::of(&error).into_response(),
    };
    match masked(&desk.parts.pool, &desk.parts.master, &case).await {
        Ok(people) => page(StatusCode::OK, &made(&desk, &reader, &history, &people)),
        Err(error) => problem::of_store(&error).into_response(),
    }
}

fn made(desk: &Desk, reader: &Reader, history: &History, people: &People) -> Page {
    let as_of = (desk.parts.now)();
    let (lang, w) = (reader.lang, words::of(reader.lang));
    let viewed = &history.viewed;
    let rulebook = &*viewed.in_force.rulebook;
    let teller = Teller { lang, rulebook, leads_to_cases: true };
    let case = viewed.view.case.to_string();
    let told = Told { history, teller, w };
    let clock = viewed.view.closure_clock();
    let class = match clock.map(|clock| clock.verdict) {
        Some(hotline_core::fold::Verdict::Met) => "good",
        Some(hotline_core::fold::Verdict::Late | hotline_core::fold::Verdict::LeftLate) => "bad",
        _ => "",
    };
    // Whoever was erased nobody can see.
    let may_unmask = reader.may(Right::Unmask) && matches!(people, People::Known(_));
    let tables = [told.alarms(), told.corrections(), told.findings(), told.anomalies(), told.restated()];
    Page {
        frame: Frame::new(reader, format!("{} {case}", w.case)),
        class,
        verdict: clock.map_or_else(|| "–".to_owned(), |clock| verdict(clock, lang)),
        summary: told.summary(),
        refold_pending: viewed.refold_pending,
        rounds: Telling { history, teller, as_of }.rounds(),
        tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
        records: told.records(reader.may(Right::Records)),
        verify: reader.may(Right::Records).then(|| format!("{}/verify", case_href(&case))),
        people: people_shown(people, reader, (w.people, w.value)),
        unmask: may_unmask.then(|| format!("{}/people", case_href(&case))),
        stamp: stamp(rulebook, lang),
        as_of: teller.at(as_of),
        case,
    }
}

/// … and whether it counts.
fn verdict(clock: &Clock, lang: Lang) -> String {
    let verdict = common::verdict(clock.verdict, lang);
    if clock.excluded {
        lang.of(format!("{verdict}，已由考核认定剔除"), format!("{verdict}, excluded by a ruling"))
    } else {
        verdict.to_owned()
    }
}

struct Told<'h> {
    history: &'h History,
    teller: Teller<'h>,
    w: &'static words::Words,
}

impl Told<'_> {
    fn summary(&self) -> Vec<(&'static str, String)> {
        let (w, teller, lang) = (self.w, &self.teller, self.teller.lang);
        let view = &self.history.viewed.view;
        let attributes = &view.attributes;
        let code = |code: &str| common::code(code, lang).to_owned();
        let round = view.last_round();
        let closing = round.and_then(|round| round.closing.as_ref());
        let judged = closing.and_then(|closing| closing.department.as_deref());
        let due = view.closure_clock().and_then(|clock| teller.due(clock));
        let rating = round.and_then(|round| round.rating.as_ref());
        let state = if view.is_open() { w.open } else { w.done };
        vec![
            (w.hotline, teller.hotline(&view.hotline)),
            (w.case_type, code(&attributes.case_type)),
            (w.category, teller.category(&path(&attributes.category))),
            (w.region, attributes.region.to_string()),
            (w.class, code(&view.class)),
            (w.state, state.to_owned()),
            (w.received, teller.maybe_at(view.received_at)),
            (w.closed, teller.maybe_at(closing.map(|closing| closing.at))),
            (w.department, judged.map_or_else(|| "–".to_owned(), |judged| teller.department(judged))),
            (w.due, due.unwrap_or_else(|| "–".to_owned())),
            (w.rounds, view.rounds.len().to_string()),
            (w.rating, rating.map_or_else(|| "–".to_owned(), |rating| common::outcome(rating.outcome, lang))),
        ]
    }

    fn at(&self, at: jiff::Timestamp) -> Shown {
        Shown::text(self.teller.at(at)).with_class("time")
    }

    fn alarms(&self) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let rows = self.history.viewed.tellings.iter().map(|(told_at, told)| {
            let how = match told.telling {
                What::Raised => lang.of("已发出", "told").to_owned(),
                What::Missed => lang.of("补记未发", "noted and not told").to_owned(),
                What::Withdrawn(why) => {
                    lang.of(format!("撤回（{}）", why.code()), format!("withdrawn ({})", why.code()))
                }
            };
            vec![
                self.at(*told_at),
                Shown::text(common::level(told.alarm.level, lang)),
                Shown::text(common::code(&told.alarm.stage, lang)),
                Shown::text(
                    told.alarm.to.as_ref().map_or_else(|| "–".to_owned(), |to| self.teller.department(to)),
                ),
                Shown::text(self.teller.due_at(told.alarm.due_at)).with_class("time"),
                Shown::text(how),
            ]
        });
        Table::new(w.alarms, [w.told_at, w.level, w.stage, w.to_whom, w.due, w.how], rows)
    }

    fn corrections(&self) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let viewed = &self.history.viewed;
        let row = |correction: &Correction| {
            let (change, now) = match correction.change {
                Changed::Voided => ("voided", None),
                Changed::Moved(now) => ("moved", Some(now)),
                Changed::Restated => ("restated", None),
            };
            let marks = authors(&viewed.view, &viewed.facts, correction);
            let marks: Vec<String> = marks.iter().map(|mark| codes::mark(mark, lang)).collect();
            vec![
                self.at(correction.at),
                Shown::text(common::kind(correction.kind, lang)),
                Shown::text(codes::changed(change, lang)),
                self.at(correction.claimed_at),
                Shown::text(self.teller.maybe_at(now)),
                Shown::code(correction.source.as_str()),
                Shown::text(self.teller.maybe_at(correction.received_at)),
                Shown::text(marks.join(lang.of("、", ", "))).with_class("bad"),
            ]
        };
        let headings = vec![w.at, w.what, w.change, w.before, w.now, w.source, w.received_at, w.mark];
        Table::new(w.corrections, headings, viewed.view.corrections.iter().map(row))
    }

    fn findings(&self) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let rows = self.history.findings.iter().map(|finding| {
            let marks: Vec<String> = finding.marks.iter().map(|mark| codes::mark(mark, lang)).collect();
            let said = [&finding.reason, &finding.document].into_iter().flatten();
            let said: Vec<&str> = said.map(|code| common::code(code, lang)).collect();
            vec![
                self.at(finding.at),
                Shown::text(codes::finding(finding.kind.name(), lang)),
                Shown::text(self.teller.department(&finding.department)),
                Shown::text(said.join(lang.of("，", ", "))),
                Shown::text(finding.by.as_deref().map(|by| self.teller.department(by)).unwrap_or_default()),
                Shown::number(finding.round),
                Shown::text(marks.join(lang.of("、", ", "))),
            ]
        });
        let headings = vec![w.at, w.what, w.department, w.details, w.who, w.rounds, w.mark];
        Table::new(w.findings, headings, rows)
    }

    fn anomalies(&self) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let rows = self.history.viewed.view.anomalies.iter().map(|anomaly| {
            vec![
                self.at(anomaly.at),
                Shown::text(codes::mark(anomaly.code.code(), lang)),
                Shown::text(common::anomaly(anomaly.code, lang)),
            ]
        });
        Table::new(w.anomalies, [w.at, w.anomaly, w.meaning], rows)
    }

    fn restated(&self) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let rows = self.history.restatements.iter().map(|row| {
            let bulletins: Vec<String> = row.published_in.iter().map(ToString::to_string).collect();
            vec![
                self.at(row.listed.restated_at),
                Shown::text(row.listed.day.to_string()),
                Shown::text(self.teller.department(&row.listed.series.cell.department)),
                Shown::code(row.listed.series.measure.as_str()),
                Shown::number(row.listed.old_value),
                Shown::number(row.listed.new_value),
                Shown::text(bulletins.join(lang.of("、", ", "))),
            ]
        });
        let headings = vec![w.at, w.day, w.department, w.measure, w.before, w.now, w.bulletin_numbers];
        Table::new(w.restated, headings, rows)
    }

    fn records(&self, is_shown: bool) -> Table {
        let (w, lang) = (self.w, self.teller.lang);
        let at = format!("{}/records", case_href(&self.history.viewed.view.case));
        let row = |record: &hotline_postgres::leaves::Written| {
            let mut row = vec![
                Shown::number(record.id),
                Shown::text(codes::record(&record.kind, lang)),
                self.at(record.written_at),
                Shown::code(hotline_postgres::seal::hex(&record.sha256)),
            ];
            if is_shown {
                row.push(Shown::link(w.take_record, format!("{at}/{}", record.id)));
                row.push(Shown::link(w.take_proof, format!("{at}/{}/proof", record.id)));
            }
            row
        };
        let mut headings = vec![w.number, w.kind, w.written_at, "SHA-256"];
        if is_shown {
            headings.extend([w.take_record, w.take_proof]);
        }
        Table::new(w.records, headings, self.history.records.iter().map(row))
    }
}

/// Members of what is personal, flattened: `reporter.phone`.
pub(super) fn people_shown(
    people: &People,
    reader: &Reader,
    (caption, value): (&'static str, &'static str),
) -> PeopleShown {
    let w = words::of(reader.lang);
    let mut table = Table::new(caption, [w.member, value, w.event], []);
    let People::Known(events) = people else { return PeopleShown { is_erased: true, table } };
    for (event, members) in events {
        let mut flat = Vec::new();
        flatten(String::new(), members, &mut flat);
        let row = |(member, value): (String, String)| {
            vec![Shown::text(member), Shown::text(value), Shown::code(event.as_str())]
        };
        table.rows.extend(flat.into_iter().map(row));
    }
    PeopleShown { is_erased: false, table }
}

fn flatten(name: String, value: &Value, flat: &mut Vec<(String, String)>) {
    let within = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => {
            for (part, value) in members {
                flatten(within(part), value, flat);
            }
        }
        Value::Array(values) => {
            for (nth, value) in values.iter().enumerate() {
                flatten(within(&(nth + 1).to_string()), value, flat);
            }
        }
        Value::String(text) => flat.push((name, text.clone())),
        other => flat.push((name, other.to_string())),
    }
}
