//! Events on the wire: CloudEvents 1.0 in and out of the facts of [`hotline_core`].
//!
//! [`decode`] turns the bytes of one event into a fact, its personal part and its public bytes, or into the list
//! of all its faults; [`encode`] turns a fact back. [`adapter`] maps the rows of foreign systems, read by
//! [`table`], to events. [`intake`] is what a role that receives hands to casework.
//!
//! Guarantees: the same content has the same tag whatever its spelling; what the schemas do not mark public never
//! reaches a fact; no error carries a value. Nothing here reads a clock, a file or a socket of its own accord,
//! and nothing judges a code: which codes exist is the rulebook's affair.

pub mod adapter;
mod binary;
mod body;
mod canonical;
pub mod closure;
pub mod contract;
mod decode;
mod details;
mod encode;
mod envelope;
mod error;
pub mod intake;
mod many;
pub mod notice;
mod reader;
mod shape;
pub mod show;
pub mod table;
mod tag;
pub mod tell;
mod time;
mod tree;
pub mod words;

pub use binary::{decode_binary, is_binary, structured};
pub use canonical::canonical;
pub use decode::{Decoded, EVENT_BYTES_MAX, Event, Figure, Keep, Personal, decode};
pub use encode::{Identity, encode, encode_data};
pub use envelope::FIGURE_TYPE;
pub use error::{AdapterError, DecodeError, Fault, TableError, code};
pub use many::{Framing, Item, decode_many, split};
pub use tag::Tagger;
pub use tree::{DEPTH_MAX, FAULTS_MAX};
pub use words::Lang;
