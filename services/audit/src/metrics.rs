//! What audit counts.

use hotline_runtime::catalogue::Metric;

/// All of them.
pub const CATALOGUE: &[Metric] = &[];
