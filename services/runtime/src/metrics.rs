//! The process's metrics, in the Prometheus text format.

use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Error;

/// Bounds for `*_seconds`: from a fold in memory to a batch that waits for a disk.
const SECONDS: [f64; 14] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Bounds for `*_records`: from one event to a full batch.
const RECORDS: [f64; 8] = [1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0];
/// Bounds for `*_bytes`.
const BYTES: [f64; 7] = [256.0, 1_024.0, 4_096.0, 16_384.0, 262_144.0, 1_048_576.0, 8_388_608.0];

/// Installs the recorder of the process: once. Names follow Prometheus: `hotline_<role>_<what>_<unit>`.
pub fn install(version: &'static str) -> Result<PrometheusHandle, Error> {
    let handle = builder().install_recorder().map_err(|_| Error::AlreadyInstalled)?;
    gauge!("hotline_build_info", "version" => version).set(1.0);
    Ok(handle)
}

fn builder() -> PrometheusBuilder {
    let suffixes = [("_seconds", &SECONDS[..]), ("_records", &RECORDS[..]), ("_bytes", &BYTES[..])];
    suffixes.into_iter().fold(
        PrometheusBuilder::new().with_recommended_naming(true),
        |builder, (suffix, bounds)| {
            builder
                .set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), bounds)
                .expect("the bounds are constants and not empty")
        },
    )
}

/// A recorder's handle of its own, without installing it: for tests.
#[doc(hidden)]
pub fn detached() -> PrometheusHandle {
    builder().build_recorder().handle()
}
