//! Why a table of rates cannot be given.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("the rulebook has no rate \"{id}\"; it has: {known}")]
    UnknownRate { id: String, known: String },
    #[error("no rate was asked for")]
    NoRate,
    #[error("{0}")]
    By(String),
    #[error("a period is FROM..TO, two days as in 2026-09-01..2026-10-01, TO not included")]
    Period,
    #[error(transparent)]
    Store(#[from] hotline_postgres::Error),
}

impl Error {
    /// A stable name, for problems and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownRate { .. } => "unknown_rate",
            Self::NoRate => "no_rate",
            Self::By(_) => "by",
            Self::Period => "period",
            Self::Store(error) => error.code(),
        }
    }
}
