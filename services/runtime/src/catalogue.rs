//! What a metric is: its name, its kind, its labels, and what it says. Every role lists its own, once; from those lists
//! the recorder takes help texts and bounds, and boards and alerts take names.
//!
//! Names follow Prometheus: `hotline_<role>_<what>_<unit>`, base units, `_total` for counters. Labels are bounded: codes of
//! this program or of the rulebook, never a case, a text or a path.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Bounds for what a program does, in seconds: from a fold in memory to a batch that waits for a disk.
pub const SECONDS: &[f64] =
    &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Bounds for what people wait for, in seconds: from at once to an hour.
pub const WAITS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0];
/// Bounds for how old a claim is when it comes in, in seconds: a clock that is ahead, a push, a daily file, an old file.
pub const AGES: &[f64] = &[-60.0, -5.0, 0.0, 5.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0];
/// Bounds for how long a case was open, in seconds, on the limits of the law: 1 and 4 hours, 1, 2, 3, 5, 7, 15, 30, 60 and
/// 90 days.
pub const LIMITS: &[f64] = &[
    3_600.0,
    14_400.0,
    86_400.0,
    172_800.0,
    259_200.0,
    432_000.0,
    604_800.0,
    1_296_000.0,
    2_592_000.0,
    5_184_000.0,
    7_776_000.0,
];
/// Bounds for records: from one event to a full batch.
pub const RECORDS: &[f64] = &[1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0];
/// Bounds for bytes.
pub const BYTES: &[f64] = &[256.0, 1_024.0, 4_096.0, 16_384.0, 262_144.0, 1_048_576.0, 8_388_608.0];

/// What is done with a metric's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Metric {
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    pub const fn histogram(
        name: &'static str,
        bounds: &'static [f64],
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram(bounds), labels, help }
    }

    /// The word of the Prometheus text format.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// Tells the recorder what each is.
pub fn describe(metrics: &[Metric]) {
    for metric in metrics {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.help),
        }
    }
}

/// What must hold of a list: names are unique and follow the rules. For the tests of whoever has one.
pub fn faults(metrics: &[Metric]) -> Vec<String> {
    const UNITS: [&str; 4] = ["_seconds", "_bytes", "_records", "_info"];
    let mut faults = Vec::new();
    for (place, metric) in metrics.iter().enumerate() {
        let Metric { name, kind, labels, help } = metric;
        if metrics[..place].iter().any(|before| before.name == *name) {
            faults.push(format!("{name} is there twice"));
        }
        let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !is_plain || !(name.starts_with("hotline_") || name.starts_with("process_")) {
            faults.push(format!("{name} is no name of ours"));
        }
        if (*kind == Kind::Counter) != name.ends_with("_total") {
            faults.push(format!("{name}: counters, and only they, end in _total"));
        }
        if matches!(kind, Kind::Histogram(_)) && !UNITS.iter().any(|unit| name.ends_with(unit)) {
            faults.push(format!("{name} does not say its unit"));
        }
        if matches!(kind, Kind::Histogram(bounds) if !bounds.is_sorted()) {
            faults.push(format!("{name}: its bounds are out of order"));
        }
        if help.is_empty() || help.ends_with('.') || labels.contains(&"le") {
            faults.push(format!("{name}: its help or labels are not sound"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_list_are_found() {
        const SOUND: Metric = Metric::counter("hotline_gateway_events_total", &["source"], "Events");
        const UNITLESS: Metric = Metric::histogram("hotline_gateway_wait", SECONDS, &[], "Waits");
        const MISNAMED: Metric = Metric::gauge("hotline_gateway_lag_total", &[], "Lag");
        assert_eq!(faults(&[SOUND]), Vec::<String>::new());
        assert_eq!(faults(&[SOUND, SOUND]).len(), 1);
        assert_eq!(faults(&[UNITLESS, MISNAMED]).len(), 2);
    }
}
