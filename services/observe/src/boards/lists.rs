//! The boards, panel by panel.

mod audit;
mod bulletin;
mod pipeline;
mod today;

use hotline_runtime::catalogue::Metric;

use super::Board;
use super::panel::{Ask, Panel, See, Shape};
use crate::text::Text;

/// Where rates and lists are defined for people.
const MEASURES: &str = "services/README.md#measures";
const RULEBOOK: &str = "deploy/rulebook/README.md";

pub(super) fn boards() -> Vec<Board> {
    vec![today::today(), bulletin::bulletin(), pipeline::pipeline(), audit::audit()]
}

fn record(sql: &str) -> Ask {
    Ask::Record(sql.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn metrics(queries: &[(String, &'static str)]) -> Ask {
    Ask::Metrics(queries.to_vec())
}

fn stat(title: Text, says: Text, unit: &'static str, ask: Ask, see: See) -> Panel {
    Panel { title, says, shape: Shape::Stat, unit, limits: None, ask, see, width: 4, height: 4 }
}

fn lines(title: Text, says: Text, unit: &'static str, ask: Ask, see: See) -> Panel {
    Panel { title, says, shape: Shape::Lines, unit, limits: None, ask, see, width: 12, height: 8 }
}

fn table(title: Text, says: Text, ask: Ask, see: See) -> Panel {
    Panel { title, says, shape: Shape::Table, unit: "short", limits: None, ask, see, width: 12, height: 9 }
}

impl Panel {
    fn wide(self, width: u32) -> Self {
        Self { width, ..self }
    }

    fn limits(self, yellow: f64, red: f64) -> Self {
        Self { limits: Some((yellow, red)), ..self }
    }
}

/// How much of a counter comes a second.
fn rate(metric: Metric, by: &str) -> String {
    format!("sum by ({by}) (rate({}[$__rate_interval]))", metric.name)
}

/// A quantile of a histogram.
fn quantile(share: &str, metric: Metric, by: &str) -> String {
    let by = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
    format!("histogram_quantile({share}, sum by ({by}) (rate({}_bucket[$__rate_interval])))", metric.name)
}

/// A count of the open cases.
fn count(title: Text, says: Text, column: &str) -> Panel {
    let sql = format!("SELECT coalesce(sum({column}), 0)::bigint AS cases FROM worklist_counts");
    stat(title, says, "short", record(&sql), See::Definition(MEASURES))
}

/// A list of open cases, the most urgent first.
fn list(title: Text, says: Text, columns: &str, from: &str, order: &str) -> Panel {
    let sql = format!(
        "SELECT case_id, {{department}} AS department, category, {columns} FROM {from} ORDER BY {order} LIMIT 500"
    );
    table(title, says, record(&sql), See::Definition(MEASURES))
}
