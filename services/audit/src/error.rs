//! Why the role cannot begin, or ends; and what is wrong with a question.

use std::net::SocketAddr;

use thiserror::Error as ThisError;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("the store cannot be used: {0}")]
    Store(#[from] hotline_postgres::Error),
    #[error("cannot listen on {address}: {source}; [audit] listen says where")]
    ListenFailed { address: SocketAddr, source: std::io::Error },
    #[error("{0}")]
    Fault(#[from] Fault),
    /// An export cannot be written.
    #[error("an export cannot be written: {0}")]
    Export(String),
}

/// What is wrong with a question. It repeats names of parameters, never a value.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Fault {
    #[error("there is no parameter {0:?} here")]
    Parameter(String),
    #[error("{name} is not a value that it can have, or comes twice")]
    Value { name: &'static str },
    #[error("limit is a number from 1 to {most}")]
    Limit { most: usize },
    #[error("name one of your departments: {}", of.join(", "))]
    Department { of: Vec<String> },
    #[error("a sample is drawn from at most {most} closed cases: narrow the question")]
    TooMany { most: i64 },
    #[error("a sheet of XLSX holds {most} rows and a heading: narrow the question, or take CSV or NDJSON")]
    Rows { most: i64 },
}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Parameter(_) => "parameter",
            Fault::Value { .. } => "value",
            Fault::Limit { .. } => "limit",
            Fault::Department { .. } => "department",
            Fault::TooMany { .. } => "too_many",
            Fault::Rows { .. } => "rows",
        }
    }
}
