//! How a role in the same process hands records to casework and waits for what became of them.

use hotline_events::intake::{Outcome, Record};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait; more must be refused by whoever sends, with 503.
pub const HANDOVERS_MAX: usize = 256;

/// Records of one request, at most [`Batch::RECORDS_MAX`](hotline_events::intake::Batch::RECORDS_MAX).
#[derive(Debug)]
pub struct Handover {
    pub records: Vec<Record>,
    pub reply: oneshot::Sender<Result<Reply, Refusal>>,
}

/// What became of the records of a request, which is committed.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Per record and per event, in order.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// Why nothing is acknowledged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The database is away, or casework is stopping: the same request may succeed later.
    #[error("the store is unavailable")]
    Unavailable,
    /// The same request would fail again: a bug of ours.
    #[error("internal error")]
    Internal,
}

impl Refusal {
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Unavailable => "unavailable",
            Refusal::Internal => "internal_error",
        }
    }
}

/// The channel between a role and casework.
pub fn channel() -> (mpsc::Sender<Handover>, mpsc::Receiver<Handover>) {
    mpsc::channel(HANDOVERS_MAX)
}
