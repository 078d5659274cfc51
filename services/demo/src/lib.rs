//! A made-up year of Sanmenxia's hotlines, as their systems would have sent it.
//!
//! [`Year`] gives the events of 2023 as CloudEvents lines, in the order in which they arrive: a year of bureaus,
//! districts with streets, 12345, 12315 and petitions, with everything that makes such a year hard to count:
//! returns, extensions, holds, refused submissions, reopenings, late, duplicate and corrected events, a power cut
//! with 300 callers, a department merged into another in mid-year, a typhoon day.
//!
//! It guarantees: the same seed gives the same bytes, whatever the machine; how many cases arrive, whom they go to
//! and what share of callers is satisfied follow from the tables of the `world` module, whatever the seed. It does
//! no I/O and reads no clock; it holds the receipts of the year and the events of open cases, a few dozen
//! megabytes.
//!
//! It deliberately does not count anything: the figures of [`report`] are read from a bulletin.

mod calendar;
mod case;
mod dice;
mod hotline12315;
mod hotline12345;
mod incident;
mod petition;
pub mod report;
mod stream;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;

use hotline_core::rulebook::Files;

pub use incident::OUTAGE;
pub use stream::Year;

/// A case of [`SEED`] with a hold, an extension and a reopening, to look at.
pub const EXAMPLE: &str = "12345:411200202305250016";

/// The seed of the year that everybody sees.
pub const SEED: u64 = 2023;

const RULEBOOK: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/rulebook.rs"));

/// The rulebook by which the year is judged: deploy/rulebook with deploy/demo laid over it.
pub fn rulebook_files() -> Files {
    let files: BTreeMap<String, Vec<u8>> =
        RULEBOOK.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    files
}
