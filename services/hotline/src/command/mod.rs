//! One module a command, each with `Args` and `run`.

pub mod config;
pub mod due;
pub mod import;
pub mod rates;
pub mod replay;
