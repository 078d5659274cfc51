//! `[audit]`: where auditors are answered, and how records are sealed.

use hotline_runtime::config::Section;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {}

impl Section for AuditConfig {
    const NAME: &'static str = "audit";
}
