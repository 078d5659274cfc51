//! Published bulletins: their frozen figures, from each to the cases that it counts, and from each department to searches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_core::bulletin::{Figure, Place, Sort, Span, Sums};
use hotline_postgres::bulletins::{self, Listed, Published};
use hotline_postgres::restatements::{self, Numbered};
use hotline_postgres::run_read_tx;
use hotline_runtime::problem::Problem;
use jiff::civil::Date;
use smol_str::SmolStr;

use super::figures::{self, percent, units};
use super::frame::{Frame, Reader, href, page};
use super::lists::{path, title};
use super::shown::{Shown, Table, Teller, closures_href};
use super::words;
use crate::api::problem;
use crate::desk::Desk;
use crate::log::recorded::{self, Recorded};
use crate::query::List;
use crate::token::{Caller, Right};

/// Changes after publication that are shown of a department.
const RESTATED_MAX: usize = 100;

#[derive(Debug, askama::Template)]
#[template(path = "pages/bulletins.html")]
struct Index {
    frame: Frame,
    table: Table,
}

/// `GET /audit/bulletins`.
pub(super) async fn index(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    let read =
        run_read_tx(&desk.parts.pool, "audit::bulletins", &mut (), |tx, ()| Box::pin(bulletins::list(tx)))
            .await;
    let (listed, rules) = match (read, desk.parts.rules.current().await) {
        (Ok(listed), Ok(rules)) => (listed, rules),
        (Err(error), _) | (_, Err(error)) => return problem::of_store(&error).into_response(),
    };
    let w = words::of(reader.lang);
    let teller = Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: false };
    let row = |one: &Listed| {
        vec![
            Shown::link(one.id.to_string(), format!("/audit/bulletins/{}", one.id)),
            Shown::code(format!("{} {}", one.form, one.form_version)),
            Shown::text(one.period.as_str()),
            Shown::text(one.days.map(|days| told_days(days, &teller)).unwrap_or_default()),
            Shown::text(teller.at(one.published_at)).with_class("time"),
            Shown::text(one.operator.as_str()),
            Shown::text(one.why.as_str()),
        ]
    };
    let table = Table::new(
        w.bulletins,
        [w.number, w.bulletin_of, w.period, w.day, w.published_at, w.published_by, w.why],
        listed.iter().rev().map(row),
    );
    page(StatusCode::OK, &Index { frame: Frame::new(&reader, w.bulletins), table })
}

/// The first and the last day.
pub(super) fn told_days((from, to): (Date, Date), teller: &Teller<'_>) -> String {
    let last = to.yesterday().unwrap_or(to);
    teller.lang.of(format!("{from} 至 {last}"), format!("{from} to {last}"))
}

/// A bulletin with what its record says of it, or why it is not shown.
pub(super) async fn found(desk: &Desk, id: &str) -> Result<(Published, Recorded), Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_bulletin", "There is no such bulletin");
    let mut id: i64 = id.parse().map_err(|_| none())?;
    let read = run_read_tx(&desk.parts.pool, "audit::bulletin", &mut id, |tx, id| {
        Box::pin(recorded::bulletin(tx, *id))
    });
    read.await.map_err(|error| problem::of_store(&error))?.ok_or_else(none)
}

/// Whether its figures are those of its record: how it looks, and in words.
pub(super) fn beside_record(recorded: Recorded, w: &'static words::Words) -> (&'static str, &'static str) {
    match recorded {
        Recorded::Same => ("good", w.recorded_same),
        Recorded::Differs => ("alert bad", w.recorded_differs),
        Recorded::Gone => ("alert bad", w.recorded_gone),
        Recorded::Never => ("about", w.recorded_never),
    }
}

#[derive(Debug, askama::Template)]
#[template(path = "pages/bulletin.html")]
struct Shows {
    frame: Frame,
    recorded: (&'static str, &'static str),
    summary: Vec<(&'static str, String)>,
    table: Table,
    annexes: Vec<Table>,
    stamp: Vec<(&'static str, String)>,
}

/// `GET /audit/bulletins/{id}`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    let (published, recorded, rules) = match (found(&desk, &id).await, desk.parts.rules.current().await) {
        (Ok((published, recorded)), Ok(rules)) => (published, recorded, rules),
        (Err(problem), _) => return problem.into_response(),
        (_, Err(error)) => return problem::of_store(&error).into_response(),
    };
    let w = words::of(reader.lang);
    let teller =
        Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: reader.may(Right::Case) };
    let shown = Shows {
        frame: Frame::new(&reader, format!("{} {}", w.bulletin, published.id)),
        recorded: beside_record(recorded, w),
        summary: summary(&published, &teller),
        table: figures_of(&published, &reader, &teller),
        annexes: annexes(&published, reader.caller.as_ref(), &teller),
        stamp: stamp(&published, w),
    };
    page(StatusCode::OK, &shown)
}

fn summary(published: &Published, teller: &Teller<'_>) -> Vec<(&'static str, String)> {
    let w = words::of(teller.lang);
    let stamp = &published.frozen.stamp;
    let days = stamp.spans.get(&Span::Period).map(|days| told_days(*days, teller)).unwrap_or_default();
    vec![
        (w.period, format!("{}　{days}", stamp.period)),
        (w.published_at, teller.at(published.published_at)),
        (w.published_by, published.operator.clone()),
        (w.why, published.why.clone()),
        (w.as_of, teller.at(stamp.as_of)),
    ]
}

fn stamp(published: &Published, w: &words::Words) -> Vec<(&'static str, String)> {
    let stamp = &published.frozen.stamp;
    let below = stamp.ledger_below.map_or_else(|| "–".to_owned(), |below| below.to_string());
    vec![
        (w.bulletin_of, format!("{} {} {}", stamp.form.id, stamp.form.version, stamp.form.hash)),
        (w.rulebook, format!("{} {}", stamp.rulebook_seq, stamp.rulebook_hash)),
        (w.origin, format!("ledger < {below}")),
    ]
}

/// The name of a rate or score; its id where the rulebook in force has it no longer.
pub(super) fn name(place: &Place, teller: &Teller<'_>) -> String {
    let rate = teller.rulebook.rates.get(&place.id).map(|rate| (&rate.name_zh, &rate.name_en));
    let score = || teller.rulebook.scores.get(&place.id).map(|score| (&score.name_zh, &score.name_en));
    let known = if place.sort == Sort::Score { score() } else { rate };
    known.map_or_else(|| place.id.to_string(), |(zh, en)| teller.lang.of(zh, en).clone())
}

/// The integers of a figure, and its value.
fn told(figure: &Figure) -> (String, String) {
    match (figure.sums, figure.value) {
        (Some(Sums { numerator, denominator, scale }), _) => (
            format!("{} / {}", units(numerator, scale), units(denominator, scale)),
            percent(numerator, denominator),
        ),
        (None, Some(value)) => (String::new(), format!("{value:.2}")),
        (None, None) => (String::new(), "–".to_owned()),
    }
}

/// Departments down, figures across: as many columns as fit on paper, each with its integers.
fn figures_of(published: &Published, reader: &Reader, teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let of_period: BTreeMap<&Place, &Figure> =
        published.frozen.figures.iter().filter(|(place, _)| place.span == Span::Period).collect();
    let columns: BTreeSet<(Sort, &SmolStr)> = of_period.keys().map(|place| (place.sort, &place.id)).collect();
    let departments: BTreeSet<&SmolStr> = of_period.keys().map(|place| &place.department).collect();
    let sees = |code: &str| reader.caller.as_ref().is_some_and(|caller| caller.sees(std::iter::once(code)));
    let row = |department: &&SmolStr| {
        let name = if department.as_str() == "*" {
            w.all_departments.to_owned()
        } else {
            teller.department(department)
        };
        let first = if sees(department) && department.as_str() != "*" {
            Shown::link(name, department_href(published.id, department))
        } else {
            Shown::text(name)
        };
        let cell = |(sort, id): &(Sort, &SmolStr)| {
            let place = Place {
                span: Span::Period,
                sort: *sort,
                id: (*id).clone(),
                department: (*department).clone(),
            };
            of_period.get(&place).map_or_else(
                || Shown::text("–").with_class("quiet"),
                |figure| {
                    let value = match figure.sums {
                        Some(sums) => {
                            figures::of((sums.numerator, sums.denominator, sums.scale), teller.lang)
                        }
                        None => told(figure).1,
                    };
                    let rank = figure.rank.map(|rank| format!("　#{rank}")).unwrap_or_default();
                    let href = (sees(department) && has_cases(&place, figure))
                        .then(|| counted_href(published.id, &place));
                    Shown { href, ..Shown::number(value + &rank) }
                },
            )
        };
        std::iter::once(first).chain(columns.iter().map(cell)).collect()
    };
    let headings = columns.iter().map(|(sort, id)| {
        let place =
            Place { span: Span::Period, sort: *sort, id: (*id).clone(), department: SmolStr::default() };
        name(&place, teller)
    });
    let headings = std::iter::once(w.department.to_owned()).chain(headings);
    Table::new(w.figures, headings, departments.iter().map(row))
}

/// Where a department of a bulletin is shown.
pub(super) fn department_href(id: i64, department: &str) -> String {
    format!("/audit/bulletins/{id}/departments/{}", segment(department))
}

/// … and the cases that a figure of it counts.
fn counted_href(id: i64, place: &Place) -> String {
    format!("{}/{}", department_href(id, &place.department), segment(&place.id))
}

/// A code, which may have any sign, as a part of an address.
fn segment(code: &str) -> String {
    let code: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
    code.replace('+', "%20")
}

/// Whether a figure is a sum over cases: points and what is reported are none.
fn has_cases(place: &Place, figure: &Figure) -> bool {
    place.sort == Sort::Rate && figure.sums.is_some()
}

/// What was published with the figures, case by case: of the departments that the reader sees. Corrections name none, so that
/// whoever does not see all departments finds those of its own in the list of corrections.
fn annexes(published: &Published, caller: Option<&Caller>, teller: &Teller<'_>) -> Vec<Table> {
    let w = words::of(teller.lang);
    let sees = |department: Option<&str>| caller.is_some_and(|caller| caller.sees(department.into_iter()));
    let sees_all = sees(None);
    let annexes = published.frozen.annexes.as_array().into_iter().flatten();
    let one = |annex: &serde_json::Value| {
        // What stands in each column, as in the lists of the same.
        let (list, columns, headings): (_, &[&str], Vec<&str>) = match annex["annex"].as_str()? {
            "excluded" => (
                List::Exclusions,
                &["case", "day", "indicator", "effect", "reason", "document", "department", "approved_by"],
                vec![w.case, w.day, w.figures, w.verdict, w.why, w.document, w.department, w.who],
            ),
            "extended" => (
                List::Extensions,
                &["case", "day", "stage", "granted", "round", "department", "approved_by"],
                vec![w.case, w.day, w.stage, w.details, w.rounds, w.department, w.who],
            ),
            _ => (
                List::Corrections,
                &["case", "day", "type", "detail", "day", "source"],
                vec![w.case, w.day, w.what, w.change, w.before, w.source],
            ),
        };
        let department = columns.iter().position(|column| *column == "department");
        if department.is_none() && !sees_all {
            return None;
        }
        let is_seen =
            |row: &&serde_json::Value| sees_all || sees(department.and_then(|place| row[place].as_str()));
        let row = |row: &serde_json::Value| -> Vec<Shown> {
            let cells = row.as_array().into_iter().flatten().zip(columns);
            cells.map(|(cell, column)| teller.text(column, cell.as_str().unwrap_or_default())).collect()
        };
        let rows = annex["rows"].as_array().into_iter().flatten().filter(is_seen).map(row);
        let of = if sees_all { "" } else { teller.lang.of("（本单位）", " of your departments") };
        Some(Table::new(format!("{}{of}", title(list, teller.lang)), headings, rows))
    };
    annexes.filter_map(one).collect()
}

#[derive(Debug, askama::Template)]
#[template(path = "pages/department.html")]
struct Department {
    frame: Frame,
    back: String,
    bulletin: i64,
    days: String,
    recorded: (&'static str, &'static str),
    table: Table,
    /// Where its cases are listed.
    links: Vec<(String, String)>,
    restated: Table,
}

/// `GET /audit/bulletins/{id}/departments/{department}`.
pub(super) async fn department(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path((id, department)): Path<(String, String)>,
) -> Response {
    let is_seen =
        reader.caller.as_ref().is_some_and(|caller| caller.sees(std::iter::once(department.as_str())));
    if !is_seen {
        return problem::not_yours().into_response();
    }
    let (published, recorded, rules) = match (found(&desk, &id).await, desk.parts.rules.current().await) {
        (Ok((published, recorded)), Ok(rules)) => (published, recorded, rules),
        (Err(problem), _) => return problem.into_response(),
        (_, Err(error)) => return problem::of_store(&error).into_response(),
    };
    let days = published.frozen.stamp.spans.get(&Span::Period).copied();
    let mut filter = restatements::Filter {
        department: Some(department.as_str().into()),
        published: true,
        from: days.map(|(from, _)| from),
        to: days.map(|(_, to)| to),
        ..restatements::Filter::default()
    };
    let read = run_read_tx(&desk.parts.pool, "audit::restated", &mut filter, |tx, filter| {
        Box::pin(restatements::page(tx, filter, None, RESTATED_MAX))
    });
    let restated = match read.await {
        Ok(restated) => restated,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    let w = words::of(reader.lang);
    let teller =
        Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: reader.may(Right::Case) };
    let shown = Department {
        frame: Frame::new(
            &reader,
            format!("{} {} · {}", w.bulletin, published.id, teller.department(&department)),
        ),
        back: format!("/audit/bulletins/{}", published.id),
        bulletin: published.id,
        days: days.map(|days| told_days(days, &teller)).unwrap_or_default(),
        recorded: beside_record(recorded, w),
        table: of_department(&published, &department, &teller),
        links: links(&department, days, &teller),
        restated: restated_table(&restated, published.id, &teller),
    };
    page(StatusCode::OK, &shown)
}

fn of_department(published: &Published, department: &str, teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let figures = published.frozen.figures.iter();
    let own = figures.filter(|(place, _)| place.span == Span::Period && place.department == department);
    let row = |(place, figure): (&Place, &Figure)| {
        let (integers, value) = told(figure);
        let rank = figure.rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string());
        let href = has_cases(place, figure).then(|| counted_href(published.id, place));
        vec![
            Shown { href, ..Shown::text(name(place, teller)) },
            Shown::number(integers),
            Shown::number(value),
            Shown::number(rank),
        ]
    };
    let headings = [w.figures, teller.lang.of("分子 / 分母", "of"), teller.lang.of("数值", "value"), w.rank];
    Table::new(w.figures, headings, own.map(row))
}

/// Searches and lists over the days of the bulletin, by the rules in force.
fn links(department: &str, days: Option<(Date, Date)>, teller: &Teller<'_>) -> Vec<(String, String)> {
    let w = words::of(teller.lang);
    let (from, to) = days.map(|(from, to)| (from.to_string(), to.to_string())).unwrap_or_default();
    let of = |more: &[(&'static str, &'static str)]| {
        let days =
            [("from", from.as_str()), ("to", to.as_str())].into_iter().filter(|(_, day)| !day.is_empty());
        let pairs: Vec<(&str, &str)> =
            [("department", department)].into_iter().chain(days).chain(more.iter().copied()).collect();
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let closed = |words: &'static str, more: &[(&'static str, &'static str)]| {
        let pairs = of(more);
        (words.to_owned(), closures_href(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
    };
    let list = |list: List| {
        let pairs = of(&[]);
        let at = href(&path(list), pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        (title(list, teller.lang).to_owned(), at)
    };
    // Rules are of no department.
    let lists = List::ALL.into_iter().filter(|list| !matches!(list, List::Closures | List::RuleChanges));
    let searches = [
        closed(w.drill_closed, &[]),
        closed(w.drill_met, &[("verdict", "met")]),
        closed(w.drill_late, &[("verdict", "late")]),
        closed(w.drill_left, &[("verdict", "left_late")]),
    ];
    searches.into_iter().chain(lists.map(list)).collect()
}

fn restated_table(restated: &[Numbered], bulletin: i64, teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let of_it = restated.iter().filter(|row| row.published_in.contains(&bulletin));
    let row = |row: &Numbered| {
        vec![
            teller.case(&row.listed.case_id),
            Shown::text(teller.at(row.listed.restated_at)).with_class("time"),
            Shown::text(row.listed.day.to_string()),
            Shown::code(row.listed.series.measure.as_str()),
            Shown::number(row.listed.old_value),
            Shown::number(row.listed.new_value),
        ]
    };
    Table::new(w.restated, [w.case, w.at, w.day, w.measure, w.before, w.now], of_it.map(row))
}
