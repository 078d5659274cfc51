//! The adapters of the active rulebook, compiled once each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use hotline_core::rulebook::Source;
use hotline_events::adapter::Adapter;
use hotline_postgres::InForce;
use hotline_runtime::problem::Problem;

/// Compiled programs by path, and the activation that they came with.
#[derive(Debug, Default)]
pub(crate) struct Adapters(Mutex<(i64, BTreeMap<String, Arc<Adapter>>)>);

impl Adapters {
    /// The adapter that the rulebook names for a source.
    pub(crate) fn of(&self, source: &Source, rules: &InForce) -> Result<Arc<Adapter>, Problem> {
        let none = || {
            Problem::new(StatusCode::BAD_REQUEST, "no_adapter", "The rulebook has no adapter for this source")
        };
        let path = source.adapter.as_ref().ok_or_else(none)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != rules.seq {
            *known = (rules.seq, BTreeMap::new());
        }
        if let Some(adapter) = known.1.get(path) {
            return Ok(Arc::clone(adapter));
        }
        let code =
            rules.adapters.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(none)?;
        let adapter = Adapter::compile(path, code).map_err(|error| {
            tracing::error!(error.code = error.code(), %error, "an adapter of the rulebook cannot be used");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "adapter",
                "The adapter of this source cannot be used",
            )
        })?;
        Ok(Arc::clone(known.1.entry(path.clone()).or_insert(Arc::new(adapter))))
    }
}
