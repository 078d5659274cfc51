//! `hotline audit verify`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_audit::log::note::{Key, Kind};
use hotline_audit::verify::{self, Erased, Trust, Verified};
use serde_json::json;

use super::Format;
use crate::global::{Global, Lang};
use crate::progress;

/// Looks whether records are in the log and unaltered, without network and database: one record with its proof, a bundle
/// (`hotline audit export-bundle`), or a mirror of the whole log (`hotline audit mirror`). Exit 0 if all is well, 1 if not.
/// Cases whose person was erased are named: their records stay valid.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline audit verify --key log.vkey 000000042.record 000000042.tlog-proof\n  \
                  hotline audit verify --key log.vkey --witness 'court.example+1a2b3c4d+BA…' bundle/\n  \
                  hotline audit verify --key log.vkey mirror/ --format json"
)]
pub struct Args {
    /// A record, or the directory of a bundle or mirror.
    what: PathBuf,
    /// The proof of the record; by default the file beside it that ends in .tlog-proof.
    proof: Option<PathBuf>,
    /// The verifier key of the log, or a file with it. It must have come by another way than what is looked at.
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// The verifier key of a witness that must have cosigned, or a file with it.
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let witnesses =
        args.witness.iter().map(|text| key(text, Kind::Witness)).collect::<anyhow::Result<_>>()?;
    let trust = Trust { key: key(&args.key, Kind::Log)?, witnesses };
    let bar = progress::count(0, "hashing");
    let verified = if args.what.is_dir() {
        verify::directory(&args.what, &trust, |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })
    } else {
        let proof = args.proof.clone().unwrap_or_else(|| args.what.with_extension("tlog-proof"));
        verify::record(&args.what, &proof, &trust)
    };
    bar.finish_and_clear();
    let verified = verified?;
    match args.format {
        Format::Json => println!("{}", json!({ "sound": verified.is_sound(), "verified": verified })),
        Format::Table => print(&verified, global.lang()),
    }
    Ok(if verified.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A key as it is, or from a file.
pub fn key(text: &str, kind: Kind) -> anyhow::Result<Key> {
    let text = if Path::new(text).is_file() {
        fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?
    } else {
        text.to_owned()
    };
    let key = Key::parse(&text)?;
    if key.kind() != kind {
        bail!(
            "{key} is a key of a {}",
            if kind == Kind::Log { "witness, not of a log" } else { "log, not of a witness" }
        );
    }
    Ok(key)
}

/// Cases without a person that are listed for people; more are counted.
const ERASED_LISTED_MAX: usize = 100;

fn print(verified: &Verified, lang: Lang) {
    for finding in &verified.findings {
        println!("{finding}");
    }
    for Erased { case, at } in verified.erased.iter().take(ERASED_LISTED_MAX) {
        match lang {
            Lang::Zh => println!(
                "{case}：个人信息已删除（{at}）。此前的记录及证明仍然有效，其中的个人信息承诺无人再能打开"
            ),
            Lang::En => println!(
                "{case}: its person was erased ({at}). Records and proofs from before stay valid; what is personal of them nobody can \
                 show any more"
            ),
        }
    }
    let more = verified.erased.len().saturating_sub(ERASED_LISTED_MAX);
    match lang {
        _ if more == 0 => {}
        Lang::Zh => println!("另有 {more} 件工单的个人信息已删除（--format json 全部列出）"),
        Lang::En => println!("… and the persons of {more} more cases (--format json lists all)"),
    }
    let Verified { origin, size, records, tiles, found, .. } = verified;
    let cosigned: Vec<String> = verified.witnesses.iter().map(|(name, at)| format!("{name} {at}")).collect();
    let cosigned = cosigned.join("; ");
    match (verified.is_sound(), lang) {
        (true, Lang::Zh) => println!(
            "核验通过：{origin}，检查点记录数 {size}，已核验 {records} 条、瓦片 {tiles} 片{}",
            if cosigned.is_empty() { String::new() } else { format!("；见证：{cosigned}") }
        ),
        (true, Lang::En) => println!(
            "verified: {origin}, a checkpoint of {size} leaves; {records} records and {tiles} tiles looked at{}",
            if cosigned.is_empty() { String::new() } else { format!("; cosigned by {cosigned}") }
        ),
        (false, Lang::Zh) => println!("核验不通过：{found} 处不符"),
        (false, Lang::En) => println!("REFUSED: {found} things are wrong"),
    }
}
