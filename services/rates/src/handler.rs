//! `GET /v1/rates?rate=a,b&by=department,hotline&period=FROM..TO`, and `GET /duty`: the page of whoever is on duty.

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use hotline_postgres::Sort;
use hotline_runtime::problem::Problem;
use serde::Deserialize;

use crate::ask::Ask;
use crate::bulletin::bulletin;
use crate::error::Error;
use crate::{Parts, metrics};

/// When to come again while the store is away.
const RETRY_SECONDS: u64 = 5;

/// The questions that this role answers, for the listener of the gateway, which knows who may read.
pub fn router(parts: Parts) -> Router {
    Router::new().route("/v1/rates", get(rates)).route("/duty", get(crate::duty::page)).with_state(parts)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    rate: String,
    #[serde(default = "department")]
    by: String,
    period: String,
}

fn department() -> String {
    "department".to_owned()
}

async fn rates(State(parts): State<Parts>, uri: Uri) -> Response {
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(&uri) else {
        return Problem::new(StatusCode::BAD_REQUEST, "query", "The query takes rate, by and period")
            .into_response();
    };
    let answered = async {
        let ask = Ask::parse(&asked.rate, &asked.by, &asked.period)?;
        bulletin(&parts.pool, &parts.rules, ask, (parts.now)()).await
    };
    match metrics::timed(answered).await {
        Ok(bulletin) => Json(bulletin.to_json()).into_response(),
        Err(error) => problem(&error).into_response(),
    }
}

pub(crate) fn problem(error: &Error) -> Problem {
    let Error::Store(store) = error else {
        return Problem::new(StatusCode::BAD_REQUEST, error.code(), "The question cannot be answered")
            .with("detail", error.to_string().into());
    };
    match store {
        hotline_postgres::Error::NoRulebook => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_rulebook", "No rulebook is active yet")
                .retry_after(RETRY_SECONDS)
        }
        store if matches!(store.sort(), Sort::Environment | Sort::Race) => {
            tracing::warn!(error.code = store.code(), error = %store, "the store is away");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store is away")
                .retry_after(RETRY_SECONDS)
        }
        store => {
            tracing::error!(error.code = store.code(), error = %store, "a table of rates failed");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "The request failed by a fault of ours",
            )
        }
    }
}
