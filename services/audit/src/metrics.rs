//! What audit counts. Witnesses are those of the configuration.

use hotline_runtime::catalogue::Metric;
use jiff::Timestamp;
use metrics::{counter, gauge};

use crate::error::Halt;

pub const LOG_SIZE: Metric =
    Metric::gauge("hotline_audit_log_size", &[], "Leaves of the closure log that were signed");
pub const CHECKPOINT: Metric = Metric::gauge(
    "hotline_audit_checkpoint_timestamp_seconds",
    &[],
    "When the closure log was signed last, in Unix time",
);
pub const SEALED: Metric =
    Metric::counter("hotline_audit_sealed_records_total", &[], "Closure records taken into the log");
pub const WAITING: Metric = Metric::gauge(
    "hotline_audit_unsealed_records",
    &[],
    "Closure records that are not in the log yet, counted up to 100,000",
);
pub const HALTED: Metric = Metric::gauge(
    "hotline_audit_log_halted",
    &["reason"],
    "1 where the closure log stands still until somebody has looked, by reason: log_rollback, log_damaged, log_file_missing, \
     log_file_unfit, log_key_missing",
);
pub const COSIGNED: Metric = Metric::gauge(
    "hotline_audit_witness_cosigned_timestamp_seconds",
    &["witness"],
    "When a witness put its name under a checkpoint last, in Unix time",
);
pub const BEHIND: Metric = Metric::gauge(
    "hotline_audit_witness_behind_records",
    &["witness"],
    "Leaves that were signed and that a witness has not cosigned",
);
pub const REFUSED: Metric = Metric::gauge(
    "hotline_audit_witness_refuses",
    &["witness"],
    "1 where a witness has seen another log than the one that is published",
);

/// All of them.
pub const CATALOGUE: &[Metric] = &[LOG_SIZE, CHECKPOINT, SEALED, WAITING, HALTED, COSIGNED, BEHIND, REFUSED];

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn float(count: u64) -> f64 {
    count as f64
}

pub(crate) fn published(size: u64, at: Timestamp) {
    gauge!(LOG_SIZE.name).set(float(size));
    gauge!(CHECKPOINT.name).set(float(at.as_second().max(0).unsigned_abs()));
}

pub(crate) fn sealed(count: usize) {
    counter!(SEALED.name).increment(count as u64);
}

pub(crate) fn waiting(count: i64) {
    gauge!(WAITING.name).set(float(count.unsigned_abs()));
}

pub(crate) fn halted(reason: Option<&'static str>) {
    for code in Halt::CODES {
        gauge!(HALTED.name, "reason" => code).set(if reason == Some(code) { 1.0 } else { 0.0 });
    }
}

pub(crate) fn cosigned(witness: &str, at: Timestamp) {
    gauge!(COSIGNED.name, "witness" => witness.to_owned()).set(float(at.as_second().max(0).unsigned_abs()));
}

pub(crate) fn behind(witness: &str, leaves: u64) {
    gauge!(BEHIND.name, "witness" => witness.to_owned()).set(float(leaves));
}

pub(crate) fn refuses(witness: &str, does: bool) {
    gauge!(REFUSED.name, "witness" => witness.to_owned()).set(if does { 1.0 } else { 0.0 });
}
