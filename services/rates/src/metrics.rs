//! What the role counts and shows. Departments are those of the rulebook, others together.

use std::collections::BTreeMap;

use hotline_core::rulebook::Rulebook;
use hotline_postgres::standing::Standing;
use jiff::Timestamp;
use metrics::{gauge, histogram};
use tokio::time::Instant;

/// Departments that the rulebook does not list.
const OTHER: &str = "other";
/// Nobody leads.
const NOBODY: &str = "-";

/// A table was asked for.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> T {
    let begun_at = Instant::now();
    let done = work.await;
    histogram!("hotline_rates_bulletin_seconds").record(begun_at.elapsed().as_secs_f64());
    done
}

/// The gauges, and which departments they have shown: one without open cases goes to 0 and not away.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    shown: BTreeMap<String, (i64, i64)>,
}

impl Gauges {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of cases and seconds of this century are below 2^53"
    )]
    pub(crate) fn show(&mut self, standings: &[Standing], rulebook: &Rulebook, as_of: Timestamp) {
        self.shown.values_mut().for_each(|counts| *counts = (0, 0));
        for standing in standings {
            let is_known =
                standing.department == NOBODY || rulebook.departments.contains_key(&standing.department);
            let department = if is_known { standing.department.as_str() } else { OTHER };
            let counts = self.shown.entry(department.to_owned()).or_default();
            counts.0 += standing.open;
            counts.1 += standing.overdue;
        }
        for (department, (open, overdue)) in &self.shown {
            gauge!("hotline_rates_open_cases", "department" => department.clone()).set(*open as f64);
            gauge!("hotline_rates_overdue_cases", "department" => department.clone()).set(*overdue as f64);
        }
        gauge!("hotline_rates_snapshot_timestamp_seconds").set(as_of.as_second() as f64);
    }
}
