//! What is to be seen: the catalogue of all that the roles measure, and the files made from it: the catalogue for people,
//! boards for Grafana, rules for Prometheus.
//!
//! Guarantees: a board or an alert names a metric by the constant that the role counts with, so that neither can be
//! renamed alone; what is committed under deploy is what this makes (services/observe/src/tests.rs). It deliberately
//! measures nothing.

mod alerts;
mod boards;
mod catalogue;
#[cfg(test)]
mod tests;
mod text;
mod words;

use hotline_runtime::catalogue::Metric;

/// The lists of all roles.
pub const LISTS: &[&[Metric]] = &[
    hotline_runtime::metrics::CATALOGUE,
    hotline_gateway::metrics::CATALOGUE,
    hotline_casework::metrics::CATALOGUE,
    hotline_timekeeper::metrics::CATALOGUE,
    hotline_audit::metrics::CATALOGUE,
    hotline_relay::metrics::CATALOGUE,
    hotline_rates::metrics::CATALOGUE,
];

/// A file that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Under the project's root.
    pub path: String,
    pub text: String,
}

/// All files, in the order of their paths.
pub fn files() -> Vec<File> {
    let mut files = vec![File { path: "deploy/prometheus/metrics.md".to_owned(), text: catalogue::page() }];
    files.extend(alerts::files());
    files.extend(boards::files());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
