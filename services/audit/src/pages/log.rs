//! `GET /audit/log`: how the closure log stands, what was signed last, who looked at it, where it was begun anew.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_events::closure::{ReadRecord, read};
use hotline_postgres::closure_log::{self, Cosigned, Signed};
use hotline_postgres::closure_records::{self, Kept};
use hotline_postgres::{Error as Store, PgConnection, run_read_tx};
use jiff::{SignedDuration, Timestamp};

use super::frame::{Frame, Reader, page};
use super::records::{file, of_log};
use super::shown::{Shown, Table, Teller};
use super::{codes, words};
use crate::api::problem;
use crate::desk::Desk;
use crate::error::Error;
use crate::log::note::{Key, said};
use crate::log::standing::{Witnessed, standing, witnessed};
use crate::log::{checkpoint, state_of};
use crate::proven;
use crate::token::Right;

/// Checkpoints that are listed, and steps of operators.
const LISTED: i64 = 20;
/// A witness that answers has cosigned within this time: whoever is away or refuses is asked again every minute.
const COSIGNED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

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
    /// Whether one is configured.
    has_witness: bool,
    witnesses: Table,
    steps: Table,
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
        Ok(standing) if standing.is_behind((desk.parts.now)()) => {
            ("bad", w.log_behind.to_owned(), Some(standing))
        }
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
    let listed = match state {
        Some(state) => {
            let mut asked = (state.log, desk.witnesses.as_slice());
            run_read_tx(&desk.parts.pool, "audit::checkpoints", &mut asked, |tx, (log, witnesses)| {
                Box::pin(listed(tx, *log, witnesses))
            })
            .await?
        }
        None => Listed::default(),
    };
    Ok(Page {
        frame: Frame::new(reader, w.log),
        class,
        finding,
        summary,
        has_key: key.is_some(),
        note,
        checkpoints: checkpoints(&listed.signed, &teller),
        has_witness: !desk.witnesses.is_empty(),
        witnesses: witnesses(&listed.witnessed, (desk.parts.now)(), &teller),
        steps: steps(&listed.steps, reader.may(Right::Records), &teller),
    })
}

/// What is read of the log.
#[derive(Debug, Default)]
struct Listed {
    /// The newest checkpoints, with who cosigned each.
    signed: Vec<(Signed, Vec<Cosigned>)>,
    witnessed: Vec<Witnessed>,
    /// What operators did with this log and those before it, the newest first.
    steps: Vec<Kept>,
}

async fn listed(tx: &mut PgConnection, log: i32, configured: &[Key]) -> Result<Listed, Store> {
    let mut signed = Vec::new();
    for one in closure_log::signed_before(tx, log, None, LISTED).await? {
        let cosigned = closure_log::cosigned(tx, log, one.size).await?;
        signed.push((one, cosigned));
    }
    let witnessed = witnessed(tx, log, configured).await?;
    Ok(Listed { signed, witnessed, steps: closure_records::steps(tx, LISTED).await? })
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

fn witnesses(witnessed: &[Witnessed], now: Timestamp, teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let row = |one: &Witnessed| {
        let last = one.last.as_ref();
        vec![
            Shown::text(one.name.as_str()),
            last.map_or_else(|| Shown::text("–").with_class("quiet"), |last| Shown::number(last.size)),
            Shown::text(teller.maybe_at(last.map(|last| last.cosigned_at))).with_class("time"),
            how_far(one, now, teller),
        ]
    };
    Table::new(w.log_witness, [w.witnesses, w.tree_size, w.log_at, w.state], witnessed.iter().map(row))
}

/// Whether a witness has cosigned what was signed last, and if not, since when.
fn how_far(one: &Witnessed, now: Timestamp, teller: &Teller<'_>) -> Shown {
    let lang = teller.lang;
    let Some(since) = one.behind_since.filter(|_| one.is_configured) else {
        return Shown::text(match (one.is_configured, &one.last) {
            (false, _) => lang.of("已不在配置中，不再请其签名", "no longer configured, and asked no more"),
            (true, Some(_)) => lang.of("已签最近的检查点", "has signed the last checkpoint"),
            (true, None) => lang.of("还没有检查点", "there is no checkpoint yet"),
        });
    };
    let at = teller.at(since);
    let told = match one.last {
        Some(_) => lang.of(format!("自 {at} 起未签名"), format!("has not signed since {at}")),
        None => lang.of(
            format!("自 {at} 起从未签过本日志；须先把本日志的公钥交给它，否则它会拒绝"),
            format!(
                "has never signed this log, since {at}; it refuses until it is given the key of this log"
            ),
        ),
    };
    Shown::text(told).with_class(if now.duration_since(since) > COSIGNED_WITHIN { "bad" } else { "" })
}

fn steps(kept: &[Kept], may_read: bool, teller: &Teller<'_>) -> Table {
    let (lang, w) = (teller.lang, words::of(teller.lang));
    let row = |kept: &Kept| {
        let mut row = vec![
            Shown::text(teller.at(kept.written_at)).with_class("time"),
            Shown::text(codes::record(&kept.kind, lang)),
            Shown::text(codes::role("command", lang)),
        ];
        let Ok(ReadRecord::Log(record)) = read(&kept.leaf) else {
            let unread = lang.of("记录无法读取", "the record cannot be read");
            row.extend([Shown::text(unread).with_class("bad"), Shown::text("–"), Shown::text("–")]);
            return row;
        };
        let before = record.checkpoint.as_deref().and_then(|note| said(note).ok());
        let before = before.map(|(log, size)| {
            lang.of(format!("{log}，已签名 {size} 条"), format!("{log}, {size} leaves signed"))
        });
        row.extend([
            // People write names into reasons.
            Shown::text(if may_read { record.reason } else { "–".to_owned() }),
            Shown::text(record.log),
            Shown::text(before.unwrap_or_else(|| "–".to_owned())),
        ]);
        row
    };
    let headings = [w.when, w.what, w.who, w.why, w.log_name, w.log_before];
    Table::new(w.log_steps, headings, kept.iter().map(row))
}

/// `GET /audit/log/key`: the verifier key, as `hotline audit key` prints it.
pub(super) async fn key(State(desk): State<Arc<Desk>>) -> Response {
    match proven::key(&desk.log).await {
        Ok(key) => file("text/plain; charset=utf-8", "log.vkey", format!("{key}\n").into_bytes()),
        Err(error) => of_log(&error).into_response(),
    }
}
