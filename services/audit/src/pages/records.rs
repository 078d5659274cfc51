//! Records of a case: their bytes, their proofs, and what the server itself finds of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hotline_runtime::problem::Problem;
use smol_str::SmolStr;

use super::frame::{Frame, Reader, page};
use super::shown::{Shown, Table, Teller, case_href};
use super::{codes, words};
use crate::api::closures::{is_case, leaf_of};
use crate::api::problem;
use crate::copy::bundle::{PROOF, RECORD, name_of};
use crate::copy::rulebooks::{self, RULEBOOKS};
use crate::desk::Desk;
use crate::error::Error;
use crate::log::{place_of, proof_of};
use crate::proven::{self, Looked, Proven, Remade, Sealed};

#[derive(Debug, askama::Template)]
#[template(path = "pages/verify.html")]
struct Page {
    frame: Frame,
    case: String,
    case_href: String,
    class: &'static str,
    finding: &'static str,
    is_cut: bool,
    table: Table,
    key: String,
    /// The rulebooks that records name: where their files are, and what that file is called.
    rulebooks: Vec<(String, String)>,
    /// The command for the newest record.
    command: String,
    /// The commands for a bundle of all of them.
    bundle: String,
}

/// `GET /audit/cases/{case}/verify`.
pub(super) async fn verify(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(case): Path<String>,
) -> Response {
    if !is_case(&case) {
        return problem::no_case().into_response();
    }
    let rules = match desk.parts.rules.current().await {
        Ok(rules) => rules,
        Err(error) => return problem::of_store(&error).into_response(),
    };
    match proven::of_case((&desk.parts, &desk.log), &desk.witnesses, &case).await {
        Ok(proven) => {
            let teller = Teller { lang: reader.lang, rulebook: &rules.rulebook, leads_to_cases: true };
            page(StatusCode::OK, &made(&reader, case, &proven, &teller))
        }
        Err(error) => of_log(&error).into_response(),
    }
}

fn made(reader: &Reader, case: String, proven: &Proven, teller: &Teller<'_>) -> Page {
    let w = words::of(reader.lang);
    let (class, finding) = match () {
        () if proven.records.is_empty() => ("", w.verify_none),
        () if proven.is_refused() => ("bad", w.verify_bad),
        () if proven.is_waiting() => ("", w.verify_waiting),
        () => ("good", w.verify_sound),
    };
    // The newest that is sealed: N stands for it while there is none.
    let newest = proven.records.iter().find_map(|looked| match looked.sealed {
        Sealed::Proven { index, .. } => Some(name_of(index)),
        Sealed::Waiting | Sealed::Refused(_) => None,
    });
    let newest = newest.unwrap_or_else(|| "N".to_owned());
    let headings = vec![
        w.number,
        w.kind,
        w.written_at,
        w.in_log,
        w.leaf,
        w.tree_size,
        w.witnesses,
        w.recomputed,
        w.take_record,
        w.take_proof,
    ];
    let given = if proven.rulebooks.is_empty() { String::new() } else { format!("--rulebook {RULEBOOKS} ") };
    let rulebook = |hash: &SmolStr| (format!("/audit/rulebooks/{hash}"), rulebook_file(hash));
    let rows: Vec<Vec<Shown>> = proven.records.iter().map(|looked| row(looked, &case, teller)).collect();
    Page {
        frame: Frame::new(reader, format!("{} {case}", w.verify_of)),
        case_href: case_href(&case),
        class,
        finding,
        is_cut: proven.is_cut,
        table: Table::new(w.records, headings, rows),
        key: proven.key.to_string(),
        rulebooks: proven.rulebooks.iter().map(rulebook).collect(),
        command: format!("hotline audit verify --key log.vkey {given}{newest}.{RECORD}"),
        bundle: format!(
            "hotline audit export-bundle --case {case} bundle/\nhotline audit verify --key log.vkey bundle/"
        ),
        case,
    }
}

fn row(looked: &Looked, case: &str, teller: &Teller<'_>) -> Vec<Shown> {
    let (lang, w) = (teller.lang, words::of(teller.lang));
    let at = format!("{}/records/{}", case_href(case), looked.record.id);
    let (in_log, index, size, witnesses) = match &looked.sealed {
        Sealed::Proven { index, size, witnesses } => {
            let told = |(name, at): &(String, jiff::Timestamp)| format!("{name} {}", teller.at(*at));
            let witnesses: Vec<String> = witnesses.iter().map(told).collect();
            let yes = Shown::text(lang.of("是", "yes")).with_class("good");
            (yes, Shown::number(index), Shown::number(size), witnesses.join(lang.of("；", "; ")))
        }
        Sealed::Waiting => {
            (Shown::text(lang.of("等待封存", "waiting")), Shown::text("–"), Shown::text("–"), String::new())
        }
        Sealed::Refused(why) => {
            let no = Shown::text(lang.of(format!("否：{why}"), format!("NO: {why}"))).with_class("bad");
            (no, Shown::text("–"), Shown::text("–"), String::new())
        }
    };
    let remade = match &looked.remade {
        Remade::Same => Shown::text(lang.of("一致", "the same")).with_class("good"),
        Remade::NothingToRemake => Shown::text(lang.of("无需重算", "nothing to fold")).with_class("quiet"),
        Remade::Differs(pointers) => {
            let pointers = pointers.join(" ");
            Shown::text(lang.of(format!("不一致：{pointers}"), format!("DIFFERS: {pointers}")))
                .with_class("bad")
        }
        Remade::Cannot(why) => {
            Shown::text(lang.of(format!("无法重算：{why}"), format!("it could not be: {why}")))
                .with_class("bad")
        }
    };
    vec![
        Shown::number(looked.record.id),
        Shown::text(codes::record(&looked.record.kind, lang)),
        Shown::text(teller.at(looked.record.written_at)).with_class("time"),
        in_log,
        index,
        size,
        Shown::text(if witnesses.is_empty() { "–".to_owned() } else { witnesses }),
        remade,
        Shown::link(w.take_record, at.clone()),
        Shown::link(w.take_proof, format!("{at}/proof")),
    ]
}

/// What of the log cannot be read.
pub(super) fn of_log(error: &Error) -> Problem {
    match error {
        Error::NotSealed { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "not_sealed", "The record is not sealed yet")
        }
        Error::NoLog => Problem::new(StatusCode::NOT_FOUND, "no_log", "There is no closure log yet"),
        Error::Halted(_) | Error::Note(_) | Error::KeyFile(_) => {
            tracing::error!(error.code = error.code(), %error, "the closure log could not be read");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "log", "The closure log does not hold together")
        }
        error => problem::of(error),
    }
}

/// `GET /audit/cases/{case}/records/{id}`: exactly the bytes that the log hashes.
pub(super) async fn record(
    State(desk): State<Arc<Desk>>,
    Path((case, id)): Path<(String, String)>,
) -> Response {
    let (id, bytes) = match leaf_of(&desk, &case, &id).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    match place_of(&desk.parts.pool, id).await {
        Ok(place) => {
            // What has no place in the log yet is named by its number, so that nobody takes it for a leaf.
            let name = place.map_or_else(|| format!("unsealed-{id}"), name_of);
            file("application/octet-stream", &format!("{name}.{RECORD}"), bytes)
        }
        Err(error) => problem::of_store(&error).into_response(),
    }
}

/// `GET /audit/cases/{case}/records/{id}/proof`.
pub(super) async fn proof(
    State(desk): State<Arc<Desk>>,
    Path((case, id)): Path<(String, String)>,
) -> Response {
    let id = match leaf_of(&desk, &case, &id).await {
        Ok((id, _)) => id,
        Err(problem) => return problem.into_response(),
    };
    match proof_of(&desk.parts.pool, id).await {
        Ok(proof) => {
            let name = format!("{}.{PROOF}", name_of(proof.index));
            file("text/plain; charset=utf-8", &name, proof.to_string().into_bytes())
        }
        Err(error) => of_log(&error).into_response(),
    }
}

/// `GET /audit/rulebooks/{hash}`: the files of a rulebook, to be unpacked beside the records that name it.
pub(super) async fn rulebook(State(desk): State<Arc<Desk>>, Path(hash): Path<String>) -> Response {
    match rulebooks::files(&desk.parts.pool, &hash).await {
        Ok(Some(files)) => file("application/zip", &rulebook_file(&hash), rulebooks::archive(&hash, &files)),
        Ok(None) => {
            let title = "No rulebook of this hash was ever active";
            Problem::new(StatusCode::NOT_FOUND, "unknown_rulebook", title).into_response()
        }
        Err(error) => problem::of_store(&error).into_response(),
    }
}

fn rulebook_file(hash: &str) -> String {
    format!("rulebook-{hash:.12}.zip")
}

/// Something to be kept under a name of ours.
pub(super) fn file(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let named = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let named = named.expect("a name of letters, digits, dots and dashes");
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, named)], bytes).into_response()
}
