//! The cases that a figure of a published bulletin counts, with what has come in of each since.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_core::bulletin::{Place, Sort, Span, Sums};
use hotline_postgres::bulletins::Published;
use hotline_rates::Error as Rates;
use hotline_rates::counted::{self, Counted};
use hotline_runtime::problem::Problem;

use super::bulletins::{beside_record, department_href, found, name, told_days};
use super::figures::units;
use super::frame::{Frame, Reader, href, page};
use super::shown::{Shown, Table, Teller};
use super::words;
use crate::api::problem;
use crate::desk::Desk;
use crate::log::recorded::Recorded;
use crate::token::Right;

/// What an address may say of the sums so far: far more than there are cases, and nothing that overflows.
const SUM_MAX: i64 = 1_000_000_000_000;
const SCALE_MAX: i64 = 1_000_000;

#[derive(Debug, askama::Template)]
#[template(path = "pages/counted.html")]
struct Page {
    frame: Frame,
    back: String,
    bulletin: i64,
    department: String,
    recorded: (&'static str, &'static str),
    summary: Vec<(&'static str, String)>,
    /// Something else counted than this program with its rulebook.
    is_other: bool,
    table: Table,
    next: Option<String>,
    /// The sums so far are those that were published.
    is_same: bool,
    /// They were added up here; else the address says what the pages before came to, which anybody may write.
    is_whole: bool,
}

/// `GET /audit/bulletins/{id}/departments/{department}/{rate}`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path((id, department, rate)): Path<(String, String, String)>,
) -> Response {
    let is_seen =
        reader.caller.as_ref().is_some_and(|caller| caller.sees(std::iter::once(department.as_str())));
    if !is_seen {
        return problem::not_yours().into_response();
    }
    let (published, recorded) = match found(&desk, &id).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    let place = Place {
        span: Span::Period,
        sort: Sort::Rate,
        id: rate.as_str().into(),
        department: department.as_str().into(),
    };
    let figure = published.frozen.figures.get(&place);
    match figure.and_then(|figure| figure.sums) {
        Some(sums) => answer(&desk, &reader, (&published, recorded), (&place, sums)).await,
        None => Problem::new(StatusCode::NOT_FOUND, "no_figure", "The bulletin has no such figure")
            .into_response(),
    }
}

async fn answer(
    desk: &Desk,
    reader: &Reader,
    (published, recorded): (&Published, Recorded),
    (place, sums): (&Place, Sums),
) -> Response {
    let parameters = reader.parameters().unwrap_or_default();
    let of = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let rules = &desk.parts.rules;
    let in_force = match rules.current().await {
        Ok(in_force) => in_force,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    let stamp = &published.frozen.stamp;
    // A case's name has no other signs, and the database takes not all of them.
    let after = of("after").filter(|after| after.bytes().all(|byte| byte.is_ascii_graphic()));
    let after = after.unwrap_or_default();
    let (read, is_other) = match counted::page(&desk.parts.pool, rules, stamp, place, after).await {
        Ok(read) => (read, false),
        Err(Rates::Store(error)) => return problem::of_store(&error).into_response(),
        Err(error) => {
            tracing::warn!(bulletin = published.id, error.code = error.code(), %error, "the cases of a figure cannot be listed");
            (counted::Page::default(), true)
        }
    };
    let before = of("sums").and_then(sums_of).unwrap_or(Sums::NOTHING);
    let so_far = read.cases.iter().fold(before, |sums, case| sums.plus(case.then));
    let (w, lang) = (words::of(reader.lang), reader.lang);
    let teller = Teller { lang, rulebook: &in_force.rulebook, leads_to_cases: reader.may(Right::Case) };
    let days = stamp.spans.get(&place.span).map(|days| told_days(*days, &teller)).unwrap_or_default();
    let mut summary =
        vec![(w.period, format!("{}　{days}", stamp.period)), (w.counted_published, told(sums))];
    if !is_other {
        summary.push((w.counted_so_far, told(so_far)));
    }
    let next = read.next.as_deref().map(|next| {
        let sums = format!("{}.{}.{}", so_far.numerator, so_far.denominator, so_far.scale);
        href(reader.uri.path(), [("after", next), ("sums", sums.as_str())])
    });
    let shown = Page {
        frame: Frame::new(reader, name(place, &teller)),
        back: department_href(published.id, &place.department),
        bulletin: published.id,
        department: teller.department(&place.department),
        recorded: beside_record(recorded, w),
        summary,
        is_other,
        table: Table::new(
            w.counted,
            [w.case, w.numerator, w.denominator, w.since],
            read.cases.iter().map(|case| row(case, &teller)),
        ),
        next,
        is_same: so_far.equals(sums),
        is_whole: after.is_empty(),
    };
    page(StatusCode::OK, &shown)
}

fn row(counted: &Counted, teller: &Teller<'_>) -> Vec<Shown> {
    let (then, now) = (counted.then, counted.now);
    let since = match (counted.is_newer, then.equals(now)) {
        (false, _) => Shown::text("–").with_class("quiet"),
        (true, true) => {
            Shown::text(teller.lang.of("有新事实，计数不变", "more is known; it counts the same"))
        }
        (true, false) => {
            let now = told(now);
            Shown::text(teller.lang.of(format!("现为 {now}"), format!("now {now}"))).with_class("bad")
        }
    };
    vec![
        teller.case(&counted.case),
        Shown::number(units(then.numerator, then.scale)),
        Shown::number(units(then.denominator, then.scale)),
        since,
    ]
}

fn told(sums: Sums) -> String {
    format!("{} / {}", units(sums.numerator, sums.scale), units(sums.denominator, sums.scale))
}

/// The sums of the pages before, as the address of the next page says them.
fn sums_of(text: &str) -> Option<Sums> {
    let mut parts = text.splitn(3, '.').map(|part| part.parse::<i64>().ok());
    let sums = Sums { numerator: parts.next()??, denominator: parts.next()??, scale: parts.next()?? };
    let is_sum = |sum: i64| (-SUM_MAX..=SUM_MAX).contains(&sum);
    let is_sound =
        is_sum(sums.numerator) && is_sum(sums.denominator) && (1..=SCALE_MAX).contains(&sums.scale);
    is_sound.then_some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_from_an_address_and_nothing_that_overflows_does() {
        assert_eq!(sums_of("-3.4.2"), Some(Sums { numerator: -3, denominator: 4, scale: 2 }));
        for wrong in ["", "1.2", "1.2.0", "1.2.x", "1.2.3.4", "1.2.1000001", "9223372036854775807.1.1"] {
            assert_eq!(sums_of(wrong), None, "{wrong}");
        }
    }
}
