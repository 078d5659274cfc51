//! Alerts: their rules for Prometheus, and what to do about each: the runbooks, from the same list.
//!
//! Guarantees: every alert has a runbook in both languages, under the name that its annotation links to. Ratios here are
//! estimates: what may stand in a document comes from the database.

mod closure_log;
mod list;

use std::fmt::Write as _;

use crate::File;
use crate::text::{Lang, Text};
pub(crate) use list::recordings;

/// Who must act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Somebody is called.
    Page,
    /// Somebody looks within a working day.
    Ticket,
    /// Nobody: its absence is the alert.
    None,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
            Severity::None => "none",
        }
    }
}

/// An alert.
#[derive(Clone, Debug)]
pub(crate) struct AlertingRule {
    pub(crate) name: &'static str,
    pub(crate) expr: String,
    /// How long it must hold, in the words of Prometheus.
    pub(crate) lasts: &'static str,
    pub(crate) severity: Severity,
    /// One line, for whoever is called.
    pub(crate) says: Text,
    /// What is wrong, then, and for whom.
    pub(crate) means: Text,
    /// What to look at and to do, in order.
    pub(crate) steps: &'static [Text],
}

/// All alerts.
pub(crate) fn alerts() -> Vec<AlertingRule> {
    let mut alerts = list::alerts();
    alerts.extend(closure_log::alerts());
    alerts
}

/// A series that several alerts use.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) expr: String,
}

/// The rules and the runbooks.
pub(crate) fn files() -> Vec<File> {
    let runbook = |lang: Lang| File { path: format!("deploy/runbooks/{}.md", lang.code()), text: page(lang) };
    let mut files = vec![File { path: "deploy/prometheus/rules/hotline.yml".to_owned(), text: rules() }];
    files.extend(Lang::ALL.map(runbook));
    files
}

fn rules() -> String {
    let mut out =
        "# Made by `cargo run -p hotline-observe`.\ngroups:\n  - name: hotline-recordings\n    rules:\n"
            .to_owned();
    for Recording { name, expr } in recordings() {
        line(&mut out, &format!("      - record: {name}"));
        line(&mut out, &format!("        expr: {}", quoted(&expr)));
    }
    line(&mut out, "  - name: hotline-alerts");
    line(&mut out, "    rules:");
    for alert in alerts() {
        line(&mut out, &format!("      - alert: {}", alert.name));
        line(&mut out, &format!("        expr: {}", quoted(&alert.expr)));
        if alert.lasts != "0m" {
            line(&mut out, &format!("        for: {}", alert.lasts));
        }
        line(&mut out, &format!("        labels: {{ severity: {} }}", alert.severity.name()));
        line(&mut out, "        annotations:");
        line(&mut out, &format!("          summary: {}", quoted(alert.says.en)));
        line(&mut out, &format!("          summary_zh: {}", quoted(alert.says.zh)));
        line(&mut out, &format!("          runbook_url: {}", quoted(&runbook(alert.name, Lang::En))));
        line(&mut out, &format!("          runbook_url_zh: {}", quoted(&runbook(alert.name, Lang::Zh))));
    }
    out
}

/// Where the runbook of an alert stands, under the project's root.
pub(crate) fn runbook(alert: &str, lang: Lang) -> String {
    format!("deploy/runbooks/{}.md#{}", lang.code(), alert.to_lowercase())
}

fn page(lang: Lang) -> String {
    let (title, made, means, steps, rule) = match lang {
        Lang::Zh => (
            "# 处置手册",
            "由 `cargo run -p hotline-observe` 生成；每条告警一节。",
            "**含义**",
            "**处置**",
            "**规则**",
        ),
        Lang::En => (
            "# Runbooks",
            "Made by `cargo run -p hotline-observe`; a section for each alert.",
            "**Means**",
            "**Do**",
            "**Rule**",
        ),
    };
    let mut out = format!("{title}\n\n{made}\n");
    for alert in alerts() {
        let lasts = if alert.lasts == "0m" { String::new() } else { format!(" · for {}", alert.lasts) };
        line(&mut out, &format!("\n## {}\n", alert.name));
        line(&mut out, &format!("{} ({})\n", alert.says.of(lang), alert.severity.name()));
        line(&mut out, &format!("{means}: {}\n", alert.means.of(lang)));
        line(&mut out, &format!("{steps}:\n"));
        for (place, step) in alert.steps.iter().enumerate() {
            line(&mut out, &format!("{}. {}", place + 1, step.of(lang)));
        }
        line(&mut out, &format!("\n{rule}: `{}`{lasts}", alert.expr));
    }
    out
}

/// A string that YAML reads as it stands.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes everything");
}
