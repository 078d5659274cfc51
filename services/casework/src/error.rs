//! Why the role ends.

use hotline_postgres::Error;
use thiserror::Error as ThisError;

#[derive(Debug, ThisError)]
pub enum RunError {
    #[error("the store cannot be used: {0}")]
    Store(#[source] Error),
    #[error("another process has taken over the events of this database's gateway")]
    Fenced,
    #[error("the broker cannot be used: {0}")]
    Broker(#[source] hotline_kafka::Error),
    #[error("a task of the role ended by a fault of ours")]
    Panicked,
}

impl RunError {
    pub fn code(&self) -> &'static str {
        match self {
            RunError::Store(error) => error.code(),
            RunError::Fenced => "fenced",
            RunError::Broker(error) => error.code(),
            RunError::Panicked => "panicked",
        }
    }
}
