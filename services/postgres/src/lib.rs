//! The store: all SQL of Hotline, one module per aggregate, and the one writer of cases.
//!
//! Functions take the caller's transaction; [`pool::run_tx`] is the only place that opens one. Every statement
//! begins with a comment that names its function. Time is bound, never read, so that a test or a simulation can
//! set it. What concerns a person is sealed before it comes here ([`seal`]); no error and no log carries it.

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub mod access;
pub mod alarms;
pub mod backups;
pub mod batch;
pub mod boards;
pub mod bulletins;
pub mod cases;
pub mod closure_log;
pub mod closure_records;
pub mod closures;
mod copy;
pub mod dead_letters;
pub mod deliveries;
pub mod erasures;
pub mod error;
pub mod figures;
pub mod findings;
pub mod grants;
pub mod handover;
pub mod health;
pub mod installation;
pub mod interventions;
pub mod leaves;
pub mod ledger;
pub mod notices;
pub mod personal;
pub mod pool;
pub mod positions;
pub mod readers;
pub mod refolds;
pub mod restatements;
pub mod retention;
pub mod rulebooks;
pub mod rules;
pub mod schema;
pub mod seal;
pub mod sources;
mod sql_types;
pub mod standing;
pub mod tallies;
pub mod tokens;
mod turns;

pub use batch::{Applied, CaseWriter, Commit, DryRun};
pub use error::{Error, Sort};
pub use pool::{PoolConfig, answers, pool, run_read_tx, run_snapshot_tx, run_tx, writes};
pub use rules::{InForce, Rules, Viewed};
pub use seal::{MasterKey, Personal, TransitKey};

/// What callers pass around, so that only this crate names the driver.
pub use sqlx::postgres::PgConnectOptions;
pub use sqlx::{PgConnection, PgPool};
