//! Why the role cannot begin, or ends.

use std::path::PathBuf;

use thiserror::Error as ThisError;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("the store cannot be used: {0}")]
    Store(#[from] hotline_postgres::Error),
    #[error(transparent)]
    File(#[from] hotline_runtime::Error),
    #[error("{} is not a secret of Standard Webhooks (whsec_ and 24 to 64 bytes in base64)", path.display())]
    SecretMalformed { path: PathBuf },
}
