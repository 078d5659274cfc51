//! One module a command, each with `Args` and `run`.

pub mod alarms;
pub mod audit;
pub mod backup;
pub mod bulletin;
pub mod config;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod due;
pub mod explain;
pub mod export;
pub mod import;
pub mod migrate;
pub mod notices;
pub mod operator;
pub mod partitions;
pub mod produce;
pub mod rates;
pub mod replay;
pub mod restore;
pub mod rulebook;
pub mod send;
pub mod sources;
pub mod tallies;
pub mod token;
pub mod what_if;
