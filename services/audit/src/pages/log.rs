//! `GET /audit/log`: how the closure log stands, what was signed last, who looked at it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_postgres::closure_log::{self, Cosigned, Signed};
use hotline_postgres::{Error as Store, PgConnection, run_read_tx};

use super::frame::{Frame, Reader, page};
use super::records::{file, of_log};
use super::shown::{Shown, Table, Teller};
use super::{codes, words};
use crate::api::problem;
use crate::desk::Desk;
use crate::error::Error;
use crate::log::standing::standing;
use crate::log::{checkpoint, state_of};
use crate::proven;

/// Checkpoints that are listed.
const LISTED: i64 = 20;

#[derive(Debug, askama::Template)]
#[template(path = "pages/log.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    finding: String,
    summary: Vec<(&'static str, String)>,
    has_key: bool,
    note: Option<String>,
    checkpoints: Table,
    witnesses: Table,
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Response {
    match made(&desk, &reader).await {
        Ok(shown) => page(StatusCode::OK, &shown),
        Err(error) => problem::of(&error).into_response(),
    }
}

async fn made(desk: &Desk, reader: &Reader) -> Result<Page, Error> {
    let (lang, w) = (reader.lang, words::of(reader.lang));
    let rules = desk.parts.rules.current().await?;
    let teller = Teller { lang, rulebook: &rules.rulebook, leads_to_cases: false };
    let (class, finding, standing) = match standing(&desk.config, &desk.log).await {
        Ok(standing) => ("good", w.log_sound.to_owned(), Some(standing)),
        Err(Error::NoLog) => ("", w.log_none.to_owned(), None),
        Err(Error::Store(error)) => return Err(Error::Store(error)),
        Err(error) => {
            let why = codes::halt(error.code(), lang);
            ("bad", format!("{}: {why} ({})", w.log_halted, error.code()), None)
        }
    };
    let key = proven::key(&desk.log).await.ok();
    let mut summary = Vec::new();
    if let Some(standing) = &standing {
        summary.push((w.log_name, standing.origin.clone()));
        summary.push((w.log_size, standing.signed.to_string()));
        summary.push((w.log_signed_at, teller.maybe_at(standing.signed_at)));
        summary.push((w.log_waiting, standing.waiting.to_string()));
    }
    summary.extend(key.as_ref().map(|key| (w.log_key, key.to_string())));
    let note = checkpoint(&desk.parts.pool).await?.map(|(_, note)| note);
    let state = state_of(&desk.parts.pool).await?;
    let (signed, cosigned) = match state {
        Some(state) => {
            let mut log = state.log;
            run_read_tx(&desk.parts.pool, "audit::checkpoints", &mut log, |tx, log| {
                Box::pin(listed(tx, *log))
            })
            .await?
        }
        None => (Vec::new(), Vec::new()),
    };
    Ok(Page {
        frame: Frame::new(reader, w.log),
        class,
        finding,
        summary,
        has_key: key.is_some(),
        note,
        checkpoints: checkpoints(&signed, &teller),
        witnesses: witnesses(&cosigned, &teller),
    })
}

type Told = (Vec<(Signed, Vec<Cosigned>)>, Vec<Cosigned>);

/// The newest checkpoints with who cosigned each, and what each witness signed last.
async fn listed(tx: &mut PgConnection, log: i32) -> Result<Told, Store> {
    let mut signed = Vec::new();
    for one in closure_log::signed_before(tx, log, None, LISTED).await? {
        let cosigned = closure_log::cosigned(tx, log, one.size).await?;
        signed.push((one, cosigned));
    }
    Ok((signed, closure_log::last_cosigned(tx, log).await?))
}

fn checkpoints(signed: &[(Signed, Vec<Cosigned>)], teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let row = |(one, cosigned): &(Signed, Vec<Cosigned>)| {
        // Name, size, root: the third line of what was signed.
        let root = one.note.lines().nth(2).unwrap_or_default();
        let names: Vec<&str> = cosigned.iter().map(|one| one.witness.as_str()).collect();
        let names = if names.is_empty() { "–".to_owned() } else { names.join(teller.lang.of("、", ", ")) };
        vec![
            Shown::number(one.size),
            Shown::text(teller.at(one.signed_at)).with_class("time"),
            Shown::code(root),
            Shown::text(names),
        ]
    };
    Table::new(w.log_list, [w.tree_size, w.log_at, w.log_root, w.witnesses], signed.iter().map(row))
}

fn witnesses(cosigned: &[Cosigned], teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let row = |one: &Cosigned| {
        vec![
            Shown::text(one.witness.as_str()),
            Shown::number(one.size),
            Shown::text(teller.at(one.cosigned_at)).with_class("time"),
        ]
    };
    Table::new(w.log_witness, [w.witnesses, w.tree_size, w.log_at], cosigned.iter().map(row))
}

/// `GET /audit/log/key`: the verifier key, as `hotline audit key` prints it.
pub(super) async fn key(State(desk): State<Arc<Desk>>) -> Response {
    match proven::key(&desk.log).await {
        Ok(key) => file("text/plain; charset=utf-8", "log.vkey", format!("{key}\n").into_bytes()),
        Err(error) => of_log(&error).into_response(),
    }
}
