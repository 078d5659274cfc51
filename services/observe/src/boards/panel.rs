//! A panel and its JSON.

use serde_json::{Value, json};

use super::{POSTGRES, PROMETHEUS};
use crate::alerts::runbook;
use crate::text::{Lang, Text, text};
use crate::words;

/// How numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One number.
    Stat,
    /// A curve for each series.
    Lines,
    /// A bar for each row: the first column names it.
    Bars,
    Table,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Of Prometheus, with the name of each series.
    Metrics(Vec<(String, &'static str)>),
    /// Of the views of record.
    Record(String),
}

/// What a panel's link leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum See {
    /// The runbook of an alert.
    Runbook(&'static str),
    /// The definition of a rate or list, in a document of the project.
    Definition(&'static str),
}

/// A panel.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) title: Text,
    pub(crate) says: Text,
    pub(crate) shape: Shape,
    /// In the words of Grafana: `short`, `s`, `percentunit`, …
    pub(crate) unit: &'static str,
    /// From which value on it is yellow, and red.
    pub(crate) limits: Option<(f64, f64)>,
    pub(crate) ask: Ask,
    pub(crate) see: See,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

pub(crate) fn datasource(uid: &str) -> Value {
    let kind = if uid == PROMETHEUS { "prometheus" } else { "grafana-postgresql-datasource" };
    json!({ "type": kind, "uid": uid })
}

impl Panel {
    pub(crate) fn model(&self, lang: Lang, id: usize, (x, y): (u32, u32)) -> Value {
        let (source, origin) = match self.ask {
            Ask::Metrics(_) => (PROMETHEUS, text!("【参考值】", "[indicative] ")),
            Ask::Record(_) => (POSTGRES, text!("【准确值】", "[of record] ")),
        };
        json!({
            "id": id,
            "type": self.kind(),
            "title": self.title.of(lang),
            "description": format!("{}{}", origin.of(lang), self.says.of(lang)),
            "datasource": datasource(source),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "targets": self.targets(source, lang),
            "fieldConfig": { "defaults": self.defaults(), "overrides": self.overrides(lang) },
            "options": self.options(),
            "links": [{
                "title": self.link_title(lang), "url": self.url(lang), "targetBlank": true, "type": "link", "icon": "doc",
                "tags": [], "tooltip": "", "asDropdown": false, "includeVars": false, "keepTime": false,
            }],
        })
    }

    fn kind(&self) -> &'static str {
        match self.shape {
            Shape::Stat => "stat",
            Shape::Lines => "timeseries",
            Shape::Bars => "barchart",
            Shape::Table => "table",
        }
    }

    fn targets(&self, source: &str, lang: Lang) -> Vec<Value> {
        match &self.ask {
            Ask::Metrics(queries) => {
                let target = |(place, (expr, legend)): (usize, &(String, &'static str))| {
                    json!({
                        "refId": ref_id(place),
                        "datasource": datasource(source),
                        "expr": expr,
                        "legendFormat": words::legend(legend, lang),
                        "range": self.shape == Shape::Lines,
                        "instant": self.shape != Shape::Lines,
                    })
                };
                queries.iter().enumerate().map(target).collect()
            }
            Ask::Record(sql) => vec![json!({
                "refId": ref_id(0),
                "datasource": datasource(source),
                "rawSql": words::sql(sql, lang),
                "rawQuery": true,
                "editorMode": "code",
                "format": if self.shape == Shape::Lines { "time_series" } else { "table" },
            })],
        }
    }

    fn defaults(&self) -> Value {
        let steps = match self.limits {
            None => json!([{ "color": "blue", "value": null }]),
            Some((yellow, red)) => json!([
                { "color": "green", "value": null },
                { "color": "yellow", "value": yellow },
                { "color": "red", "value": red },
            ]),
        };
        json!({
            "unit": self.unit,
            "color": { "mode": if self.shape == Shape::Lines { "palette-classic" } else { "thresholds" } },
            "thresholds": { "mode": "absolute", "steps": steps },
            "noValue": "-",
        })
    }

    /// Columns are called as people call them; in tables shares and hours are shown as such, and codes in words.
    fn overrides(&self, lang: Lang) -> Vec<Value> {
        let Ask::Record(sql) = &self.ask else { return Vec::new() };
        words::columns(&words::sql(sql, lang)).iter().map(|column| self.shown(column, lang)).collect()
    }

    fn shown(&self, column: &str, lang: Lang) -> Value {
        let mut properties = Vec::new();
        if let Some(heading) = words::heading(column) {
            properties.push(json!({ "id": "displayName", "value": heading.of(lang) }));
        }
        let unit = match column {
            "value" | "low" | "high" => Some("percentunit"),
            "p50" | "p90" => Some("h"),
            _ if column.starts_with("hours_") => Some("h"),
            _ => None,
        };
        if let Some(unit) = unit.filter(|_| self.shape == Shape::Table) {
            properties.push(json!({ "id": "unit", "value": unit }));
            properties.push(json!({ "id": "decimals", "value": 2 }));
        }
        let codes = words::codes(column, lang);
        if !codes.is_empty() {
            let text = |(code, text): &(&str, String)| ((*code).to_owned(), json!({ "text": text }));
            let options: serde_json::Map<String, Value> = codes.iter().map(text).collect();
            properties.push(json!({ "id": "mappings", "value": [{ "type": "value", "options": options }] }));
        }
        json!({ "matcher": { "id": "byName", "options": column }, "properties": properties })
    }

    fn options(&self) -> Value {
        match self.shape {
            Shape::Stat => json!({
                // Without a pattern only numbers are shown.
                "reduceOptions": {
                    "calcs": ["lastNotNull"], "fields": if self.unit == "string" { "/.*/" } else { "" }, "values": false,
                },
                "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
                "orientation": "auto", "wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard",
            }),
            Shape::Lines => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Shape::Bars => json!({
                "orientation": "horizontal", "showValue": "auto", "stacking": "none", "groupWidth": 0.7, "barWidth": 0.9,
                "xTickLabelRotation": 0, "fullHighlight": false,
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "single", "sort": "none" },
            }),
            Shape::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        }
    }

    fn link_title(&self, lang: Lang) -> &'static str {
        let title = match self.see {
            See::Runbook(_) => text!("处置手册", "Runbook"),
            See::Definition(_) => text!("统计口径", "Definition"),
        };
        title.of(lang)
    }

    fn url(&self, lang: Lang) -> String {
        match self.see {
            See::Runbook(alert) => format!("${{docs}}/{}", runbook(alert, lang)),
            See::Definition(path) => format!("${{docs}}/{path}"),
        }
    }
}

/// A, B, C, …
fn ref_id(place: usize) -> String {
    char::from(b'A' + u8::try_from(place).expect("a panel has few queries")).to_string()
}
