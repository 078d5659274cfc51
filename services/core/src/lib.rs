//! The rules of Hotline: pure functions from facts and a rulebook to views, scores and rates.
//!
//! A case is its set of facts; everything else is computed from it:
//!
//! ```text
//! view  = fold(facts, rulebook)      custody, clocks, deadlines, verdicts, ratings, anomalies
//! score = score(view)                what the case adds to the tallies
//! ```
//!
//! Nothing in this crate reads a clock, a file, a socket or a random number. Time, where it matters, is an
//! argument. The words are those of DESIGN.md, section 5; the rules those of sections 7 to 9.

pub mod alarm;
pub mod anomaly;
pub mod bulletin;
pub mod calendar;
pub mod case;
pub mod compare;
pub mod deadline;
pub mod encoding;
pub mod fact;
pub mod findings;
pub mod fold;
pub mod measure;
pub mod rank;
pub mod rate;
pub mod routing;
pub mod rulebook;
pub mod score;
pub mod waiting;
