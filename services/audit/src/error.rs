//! Why the role cannot begin, or ends.

use thiserror::Error as ThisError;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("the store cannot be used: {0}")]
    Store(#[from] hotline_postgres::Error),
}
