//! What a browser sends, and what it gets.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::http::HeaderMap;
use hotline_core::bulletin::{Figure, Place, Sort, Span, Sums};
use hotline_postgres::bulletins::{self, FormStamp, Frozen, Stamp};
use hotline_postgres::interventions::By;
use hotline_postgres::run_tx;
use jiff::civil::date;
use serde_json::json;

use crate::api::tests::stage::{NOW, Stage};
use crate::token::{Caller, Role};

/// What every page may load and send to.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn is_html(&self) -> bool {
        self.headers.get("content-type").is_some_and(|kind| kind == "text/html; charset=utf-8")
    }

    pub(super) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    /// A page with a language and a heading, and nothing in it that the policy would refuse.
    pub(super) fn is_whole(&self) {
        let text = &self.text;
        assert!(self.is_html(), "{text}");
        assert_eq!(self.headers["content-security-policy"], POLICY);
        assert_eq!(self.headers["x-frame-options"], "DENY");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert!(text.starts_with("<!DOCTYPE html>") && text.trim_end().ends_with("</html>"), "{text}");
        for needed in ["<html lang=\"", "<h1>", "<main id=\"content\"", "class=\"skip\""] {
            assert_eq!(text.matches(needed).count(), 1, "{needed}: {text}");
        }
        for refused in
            [" style=", "<style", "<script", " onclick", "javascript:", "src=\"http", "href=\"http"]
        {
            assert!(!text.contains(refused), "{refused}: {text}");
        }
        assert_eq!(text.matches("<table").count(), text.matches("<caption>").count());
        assert_eq!(text.matches("<label ").count(), text.matches("<label for=").count());
    }

    /// Everything between two texts.
    pub(super) fn between(&self, before: &str, after: &str) -> Vec<String> {
        let parts = self.text.split(before).skip(1);
        parts
            .filter_map(|part| part.split_once(after))
            .map(|(found, _)| found.to_owned())
            .filter(|found| !found.contains('<'))
            .collect()
    }
}

pub(super) struct Browser<'s> {
    stage: &'s Stage,
    cookie: Option<String>,
    pub(super) caller: Caller,
}

impl<'s> Browser<'s> {
    /// Nobody is signed in.
    pub(super) fn new(stage: &'s Stage) -> Self {
        let caller =
            Caller { name: String::new(), role: Role::Operator, departments: None, may_unmask: false };
        Self { stage, cookie: None, caller }
    }

    pub(super) async fn of(
        stage: &'s Stage,
        role: Role,
        departments: Option<&[&str]>,
        may_unmask: bool,
    ) -> Self {
        let token = stage.token(role, departments, may_unmask).await;
        let departments = departments.map(|list| list.iter().map(|one| (*one).to_owned()).collect());
        let caller = Caller { name: String::new(), role, departments, may_unmask };
        Self { stage, cookie: Some(format!("hotline_token={token}")), caller }
    }

    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let own = self.cookie.as_deref().map(|cookie| ("cookie", cookie));
        let headers: Vec<(&str, &str)> = own.into_iter().chain(headers.iter().copied()).collect();
        let response = self.stage.browse((method, path), &headers, body).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Page { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], fields: &str) -> Page {
        self.send("POST", path, headers, fields).await
    }
}

/// Publishes a bulletin of March with one figure for each of two departments.
pub(super) async fn publish(stage: &Stage) {
    let place = |department: &str| Place {
        span: Span::Period,
        sort: Sort::Rate,
        id: "closing".into(),
        department: department.into(),
    };
    let figure = |numerator, denominator| Figure {
        version: 1,
        sums: Some(Sums { numerator, denominator, scale: 1 }),
        value: None,
        group: None,
        rank: Some(1),
    };
    let stamp = Stamp {
        form: FormStamp { id: "12345-monthly".into(), version: 1, hash: "0".repeat(64), text: String::new() },
        period: "2026-03".to_owned(),
        spans: BTreeMap::from([(Span::Period, (date(2026, 3, 1), date(2026, 4, 1)))]),
        rulebook_seq: 1,
        rulebook_hash: "0".repeat(64).into(),
        fold_version: 1,
        definitions: BTreeMap::new(),
        positions: BTreeMap::new(),
        ledger_below: Some(1),
        as_of: NOW.parse().unwrap(),
    };
    let annexes = json!([
        { "annex": "excluded", "rows": [
            ["12345:1", "2026-03-13", "close", "exclude", "x", "2026-7", "D1", "HL"],
            ["12345:2", "2026-03-14", "close", "exclude", "x", "2026-8", "D2", "HL"],
        ] },
        { "annex": "extended", "rows": [["12345:2", "2026-03-14", "close", "2 working_day", "1", "D2", "HL"]] },
        { "annex": "corrected", "rows": [["12345:2", "2026-03-14", "closed", "voided", "2026-03-12", "/hotline/12345"]] },
    ]);
    let figures = BTreeMap::from([(place("D1"), figure(597, 601)), (place("D2"), figure(1, 2))]);
    let frozen = Frozen { stamp, figures, annexes };
    let mut asked = &frozen;
    run_tx(stage.pool(), "test::publish", &mut asked, |tx, frozen| {
        Box::pin(async move {
            let by = By { operator: "tests", why: "the month is over", at: NOW.parse().unwrap() };
            bulletins::publish(tx, frozen, &by).await
        })
    })
    .await
    .unwrap();
}
