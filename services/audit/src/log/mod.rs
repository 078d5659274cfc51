//! The closure log: closure records in one sequence under a Merkle tree, and signed statements of its size and root.
//!
//! Guarantees: what was signed once is a beginning of everything that is signed later, or sealing stands still; nothing is
//! signed that is not committed; nobody is told of a checkpoint before it is in the file outside the database. It
//! deliberately does not know what a record says: leaves are bytes. Only the check reads some, to hold other tables beside them,
//! and looks at the lists that auditors search; and a bulletin that is shown is held beside its record.

#[cfg(test)]
mod alterations;
mod beside;
pub mod check;
pub mod checked;
pub mod key;
mod lists;
pub mod note;
pub mod outside;
pub mod path;
pub mod proof;
pub mod relog;
pub(crate) mod resource;
mod sealer;
pub mod standing;
mod state;
mod submit;
#[cfg(test)]
pub(crate) mod tests;
pub mod tree;

pub(crate) use beside::recorded;
pub use sealer::{Published, seal};
pub use state::{Prover, checkpoint, place_of, proof_of, prove, state_of};
pub use submit::submit;
