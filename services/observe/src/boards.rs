//! Boards: what supervisors and operators look at, as classic dashboards of Grafana, in both languages.
//!
//! Guarantees: every panel has a unit, a description and a link to its runbook or definition; what may stand in a document
//! is asked of the database by the views of record, what comes from Prometheus says that it is indicative. Nothing here is
//! drawn by hand: a board is a list of panels, laid out from left to right.

mod lists;
mod panel;

use serde_json::{Value, json};

use crate::File;
use crate::text::{Lang, Text};
use panel::Panel;

/// The data sources as they are provisioned.
pub(crate) const PROMETHEUS: &str = "hotline-prometheus";
pub(crate) const POSTGRES: &str = "hotline-postgres";
/// A dashboard is this many columns wide.
const COLUMNS: u32 = 24;

/// What is asked before a board is shown.
#[derive(Clone, Copy, Debug)]
struct Variable {
    name: &'static str,
    label: Text,
    /// The values to choose from.
    sql: &'static str,
}

/// A board.
#[derive(Clone, Debug)]
struct Board {
    id: &'static str,
    title: Text,
    says: Text,
    /// How far back it looks, and how often it is read again.
    from: &'static str,
    refresh: &'static str,
    variables: Vec<Variable>,
    panels: Vec<Panel>,
}

/// The files of all boards.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    for board in lists::boards() {
        for lang in Lang::ALL {
            let text = serde_json::to_string_pretty(&board.dashboard(lang)).expect("a value is written");
            let path = format!("deploy/grafana/dashboards/{}/{}.json", lang.code(), board.id);
            files.push(File { path, text: text + "\n" });
        }
    }
    files
}

impl Board {
    fn dashboard(&self, lang: Lang) -> Value {
        json!({
            "uid": format!("hotline-{}-{}", self.id, lang.code()),
            "title": self.title.of(lang),
            "description": self.says.of(lang),
            "tags": ["hotline", lang.code()],
            "schemaVersion": 41,
            "version": 1,
            "editable": false,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": { "from": self.from, "to": "now" },
            "refresh": self.refresh,
            "links": [],
            "annotations": { "list": [] },
            "templating": { "list": self.templating(lang) },
            "panels": self.panels(lang),
        })
    }

    /// The panels in their places.
    fn panels(&self, lang: Lang) -> Vec<Value> {
        let (mut x, mut y, mut tallest) = (0, 0, 0);
        let mut placed = Vec::with_capacity(self.panels.len());
        for (place, panel) in self.panels.iter().enumerate() {
            if x + panel.width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            placed.push(panel.model(lang, place + 1, (x, y)));
            x += panel.width;
            tallest = tallest.max(panel.height);
        }
        placed
    }

    fn templating(&self, lang: Lang) -> Vec<Value> {
        let docs = json!({
            "type": "textbox", "name": "docs", "hide": 2, "query": "/hotline", "label": "docs",
            "description": "Where the project's files are served, for the links of panels",
            "current": { "text": "/hotline", "value": "/hotline" },
        });
        let variable = |variable: &Variable| {
            json!({
                "type": "query",
                "name": variable.name,
                "label": variable.label.of(lang),
                "datasource": panel::datasource(POSTGRES),
                "query": variable.sql,
                "refresh": 1,
                "multi": false,
                "includeAll": false,
                "sort": 0,
            })
        };
        std::iter::once(docs).chain(self.variables.iter().map(variable)).collect()
    }
}
