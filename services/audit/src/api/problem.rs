//! What is answered where a question cannot be.

use axum::http::StatusCode;
use hotline_postgres::{Error as Store, Sort};
use hotline_runtime::problem::Problem;

use crate::error::{Error, Fault};

/// When to come again while the store is away.
const RETRY_SECONDS: u64 = 5;

pub(crate) fn of(error: &Error) -> Problem {
    match error {
        Error::Fault(fault) => fault_of(fault),
        Error::Store(store) => of_store(store),
        error => {
            tracing::error!(error.code = error.code(), %error, "a question of an auditor failed");
            internal()
        }
    }
}

pub(crate) fn fault_of(fault: &Fault) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, fault.code(), "The question cannot be answered")
        .with("detail", fault.to_string().into())
}

pub(crate) fn of_store(error: &Store) -> Problem {
    match error {
        Store::NoRulebook => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_rulebook", "No rulebook is active yet")
                .retry_after(RETRY_SECONDS)
        }
        error if matches!(error.sort(), Sort::Environment | Sort::Race) => {
            tracing::warn!(error.code = error.code(), %error, "the store is away");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store is away")
                .retry_after(RETRY_SECONDS)
        }
        error => {
            tracing::error!(error.code = error.code(), %error, "a question of an auditor failed");
            internal()
        }
    }
}

fn internal() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The request failed by a fault of ours")
}

pub(crate) fn no_case() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_case", "There is no such case")
}

pub(crate) fn not_yours() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_yours", "This token does not reach so far")
}

pub(crate) fn no_list() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_list", "There is no such list")
}
