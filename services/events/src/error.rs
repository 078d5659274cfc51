//! What can be wrong with input. Nothing here carries a value that came with it.

use thiserror::Error;

/// One thing wrong with an event: where, and what. Never the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// A JSON pointer into the event. Of members that no schema names it gives the nearest named one above,
    /// because such a name may itself be personal.
    pub pointer: String,
    /// One of the constants of [`code`].
    pub code: &'static str,
}

/// The codes of faults.
pub mod code {
    /// A member or attribute is missing.
    pub const REQUIRED: &str = "required";
    /// Another JSON type is asked for.
    pub const TYPE: &str = "type";
    /// Not one of a closed list.
    pub const ENUM: &str = "enum";
    /// Not written as such a value is: an instant, a day, a subject, an event type.
    pub const FORMAT: &str = "format";
    /// A number or an instant outside its bounds, or finer than is kept.
    pub const RANGE: &str = "range";
    /// Too short, too long, too few or too many.
    pub const LENGTH: &str = "length";
    /// Characters that are not allowed here.
    pub const PATTERN: &str = "pattern";
    /// No such event type.
    pub const UNKNOWN_TYPE: &str = "unknown_type";
    /// A member that this sender or this place may not have.
    pub const FORBIDDEN: &str = "forbidden";
    /// Two members that exclude each other.
    pub const CONFLICT: &str = "conflict";
    /// One name twice in an object.
    pub const DUPLICATE_KEY: &str = "duplicate_key";
    /// U+0000 in a string or a name.
    pub const NUL: &str = "nul";
    /// Nested deeper than [`DEPTH_MAX`](crate::DEPTH_MAX).
    pub const TOO_DEEP: &str = "too_deep";
}

/// Why bytes are not an event.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not even an object of JSON: `utf8`, `json`, `not_object`, `too_large`, `headers`, `encoding`.
    #[error("undecodable: {code}")]
    Undecodable { code: &'static str },
    /// JSON, but no valid event. At least one fault, at most [`FAULTS_MAX`](crate::FAULTS_MAX).
    #[error("invalid: {} faults", .0.len())]
    Invalid(Vec<Fault>),
}

impl DecodeError {
    pub fn code(&self) -> &'static str {
        match self {
            DecodeError::Undecodable { .. } => "undecodable",
            DecodeError::Invalid(_) => "invalid",
        }
    }

    /// The faults to answer with; what is undecodable has one, at the root.
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            DecodeError::Undecodable { code } => vec![Fault { pointer: String::new(), code }],
            DecodeError::Invalid(faults) => faults.clone(),
        }
    }
}

/// Why an adapter cannot be used, or a row not be mapped. A program's own text may be shown, a row's never.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AdapterError {
    #[error("adapter {name}: line {line}: not a jq program")]
    Syntax { name: String, line: usize },
    #[error(
        "adapter {name}: line {line}: `{symbol}` is not defined (adapters have no clock, environment or input)"
    )]
    Undefined { name: String, line: usize, symbol: String },
    /// The program ended with an error. `reason` is its text if that stands in the program as a literal.
    #[error("the adapter refused the row: {}", .reason.as_deref().unwrap_or("failed"))]
    Failed { reason: Option<String> },
    #[error("the adapter made more than {max} events of one row")]
    TooManyOutputs { max: usize },
    #[error("the adapter made something that is not JSON")]
    NotJson,
}

impl AdapterError {
    pub fn code(&self) -> &'static str {
        match self {
            AdapterError::Syntax { .. } => "adapter_syntax",
            AdapterError::Undefined { .. } => "adapter_undefined",
            AdapterError::Failed { .. } => "adapter_failed",
            AdapterError::TooManyOutputs { .. } => "too_many_outputs",
            AdapterError::NotJson => "adapter_not_json",
        }
    }
}

/// Why a line of a table is not a row.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    #[error("cannot be read")]
    Io(std::io::ErrorKind),
    #[error("not UTF-8")]
    Utf8,
    #[error("{found} fields where the header has {expected}")]
    Fields { expected: u64, found: u64 },
    #[error("the header names a column twice")]
    DuplicateColumn,
    #[error("not JSON")]
    Json,
    #[error("longer than {max} bytes")]
    TooLong { max: usize },
}

impl TableError {
    pub fn code(&self) -> &'static str {
        match self {
            TableError::Io(_) => "io",
            TableError::Utf8 => "utf8",
            TableError::Fields { .. } => "fields",
            TableError::DuplicateColumn => "duplicate_column",
            TableError::Json => "json",
            TableError::TooLong { .. } => "too_large",
        }
    }
}
