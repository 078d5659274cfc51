//! The process's metrics, in the Prometheus text format.

use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Error;
use crate::catalogue::{Kind, Metric, describe};

/// The program.
pub const BUILD: Metric =
    Metric::gauge("hotline_build_info", &["version"], "1, with the version of the program");

pub const CPU: Metric =
    Metric::counter("process_cpu_seconds_total", &[], "Seconds of processor time, of user and system");
pub const MEMORY: Metric =
    Metric::gauge("process_resident_memory_bytes", &[], "Bytes of memory that the process holds");
pub const VIRTUAL: Metric =
    Metric::gauge("process_virtual_memory_bytes", &[], "Bytes of addresses that the process has asked for");
pub const VIRTUAL_MAX: Metric =
    Metric::gauge("process_virtual_memory_max_bytes", &[], "Bytes of addresses that the process may ask for");
pub const FILES: Metric = Metric::gauge("process_open_fds", &[], "Open files and sockets");
pub const FILES_MAX: Metric = Metric::gauge("process_max_fds", &[], "Files and sockets that may be open");
pub const THREADS: Metric = Metric::gauge("process_threads", &[], "Threads of the process");
pub const STARTED: Metric =
    Metric::gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970");

/// What every process measures.
pub const CATALOGUE: &[Metric] =
    &[BUILD, CPU, MEMORY, VIRTUAL, VIRTUAL_MAX, FILES, FILES_MAX, THREADS, STARTED];

/// Installs the recorder of the process: once. It knows the metrics of these lists.
pub fn install(version: &'static str, lists: &[&[Metric]]) -> Result<PrometheusHandle, Error> {
    let handle = builder(lists).install_recorder().map_err(|_| Error::AlreadyInstalled)?;
    describe(CATALOGUE);
    for list in lists {
        describe(list);
    }
    gauge!(BUILD.name, "version" => version).set(1.0);
    Ok(handle)
}

fn builder(lists: &[&[Metric]]) -> PrometheusBuilder {
    let mut builder = PrometheusBuilder::new();
    for metric in lists.iter().copied().flatten() {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                .expect("bounds are constants and not empty");
        }
    }
    builder
}

/// A recorder's handle of its own, without installing it: for tests.
#[doc(hidden)]
pub fn detached() -> PrometheusHandle {
    builder(&[]).build_recorder().handle()
}
