//! The shell around every role: configuration, logging, metrics, ops server, lifecycle, clock, keys
//! and the private PostgreSQL cluster.
//!
//! It is the one crate that reads the environment and the system clock. It knows no case, no event and
//! no SQL: a database is handed on as a [`database::Connection`], which `services/postgres` opens.

pub mod catalogue;
pub mod clock;
pub mod config;
pub mod database;
pub mod dump;
pub mod embedded;
mod error;
pub mod key;
pub mod lifecycle;
pub mod logging;
pub mod metrics;
pub mod ops;
pub mod problem;
mod secret;
pub mod serve;
pub mod webhook;

pub use error::{Error, Fault, Faults, Place};
pub use secret::Secret;
