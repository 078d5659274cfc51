//! `hotline audit verify`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use hotline_audit::copy::rulebooks::directory_of;
use hotline_audit::log::note::{Key, Kind};
use hotline_audit::verify::{self, Rulebooks, Trust};
use hotline_core::rulebook::Rulebook;
use serde_json::json;
use smol_str::SmolStr;

use super::{Format, told};
use crate::global::Global;
use crate::{files, progress};

/// Looks whether records are in the log and unaltered, and computes again what they say, without network and database: one
/// record with its proof, a bundle (`hotline audit export-bundle`), or a mirror of the whole log (`hotline audit mirror`).
/// Deadlines and verdicts are computed from the facts and the rulebook of each record, published rates from all records of a
/// mirror. Exit 0 if all is well, 1 if not.
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
    /// A rulebook, or a directory of several, beside those that bundles and mirrors bring along. Only one with the hash that a
    /// record names is taken for it.
    #[arg(long, value_name = "DIR")]
    rulebook: Vec<PathBuf>,
    /// Ends with 1 also where something could not be computed again: a rulebook is not at hand, another program wrote it.
    #[arg(long)]
    strict: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let witnesses =
        args.witness.iter().map(|text| key(text, Kind::Witness)).collect::<anyhow::Result<_>>()?;
    let trust = Trust { key: key(&args.key, Kind::Log)?, witnesses };
    if !args.what.exists() {
        bail!(
            "there is no {}: name a record (N.record, with its N.tlog-proof beside it), or the directory of a bundle or of a mirror",
            args.what.display()
        );
    }
    let bar = progress::count(0, "verifying");
    let mut rulebooks = Folders::new(&args.what, &args.rulebook);
    let verified = if args.what.is_dir() {
        verify::directory(&args.what, &trust, &mut rulebooks, |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })
    } else {
        let proof = args.proof.clone().unwrap_or_else(|| args.what.with_extension("tlog-proof"));
        if !proof.is_file() {
            bail!(
                "the proof of the record is missing: there is no file {}; it is downloaded beside the record, and may be named after it",
                proof.display()
            );
        }
        verify::record(&args.what, &proof, &trust, &mut rulebooks)
    };
    bar.finish_and_clear();
    let verified = verified?;
    let is_good = verified.is_sound() && (verified.remade.is_whole() || !args.strict);
    match args.format {
        Format::Json => println!("{}", json!({ "sound": verified.is_sound(), "verified": verified })),
        Format::Table => told::print(&verified, global.lang()),
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Where rulebooks are looked for.
struct Folders {
    named: Vec<PathBuf>,
    /// Rulebooks that were given, by their hash; read when one is asked for first.
    given: Option<BTreeMap<SmolStr, Arc<Rulebook>>>,
    copy: PathBuf,
}

impl Folders {
    fn new(what: &Path, folders: &[PathBuf]) -> Self {
        // Beside a record of a bundle, too.
        let above = what.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let copy = if what.is_dir() { what } else { above };
        Self { named: folders.to_vec(), given: None, copy: copy.to_owned() }
    }

    /// Each directory is a rulebook, or has some.
    fn read_given(&self) -> Result<BTreeMap<SmolStr, Arc<Rulebook>>, String> {
        let mut found = BTreeMap::new();
        for folder in &self.named {
            let within = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            let within = within.flatten().map(|entry| entry.path());
            let rulebooks =
                std::iter::once(folder.clone()).chain(within).filter(|path| path.join(MARK).is_file());
            for path in rulebooks {
                let rulebook = load(&path)?;
                found.insert(rulebook.hash.clone(), rulebook);
            }
        }
        Ok(found)
    }
}

/// The file by which a directory is known as a rulebook.
const MARK: &str = "rulebook.toml";

fn load(path: &Path) -> Result<Arc<Rulebook>, String> {
    files::rulebook(path).map(|loaded| Arc::new(loaded.rulebook)).map_err(|error| format!("{error:#}"))
}

impl Rulebooks for Folders {
    fn find(&mut self, hash: &str) -> Result<Option<Arc<Rulebook>>, String> {
        let given = match self.given.take() {
            Some(given) => given,
            None => self.read_given()?,
        };
        let given = self.given.insert(given);
        if let Some(found) = given.get(hash) {
            return Ok(Some(Arc::clone(found)));
        }
        let Some(path) = directory_of(&self.copy, hash).filter(|path| path.is_dir()) else { return Ok(None) };
        let found = load(&path)?;
        if found.hash == hash {
            Ok(Some(found))
        } else {
            Err(format!("{}: its files have the hash {}", path.display(), found.hash))
        }
    }
}

/// A key as it is, or from a file.
pub fn key(text: &str, kind: Kind) -> anyhow::Result<Key> {
    let whence = match kind {
        Kind::Log => {
            "`hotline audit key` prints the key of the log where the log is kept; have it given to you by another way than what \
             you look at"
        }
        Kind::Witness => "`hotline witness key` prints the key of a witness where the witness runs",
    };
    let path = Path::new(text);
    let key = if path.is_file() {
        let held = fs::read_to_string(path).with_context(|| format!("cannot read the key file {text}"))?;
        Key::parse(&held).ok().with_context(|| {
            format!("the file {text} holds no verifier key, one line such as name+1a2b3c4d+AAAA; {whence}")
        })?
    } else if text.contains('+') {
        Key::parse(text).map_err(|fault| anyhow!("{fault}; {whence}"))?
    } else {
        let looked = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        bail!(
            "the key is missing: there is no file {}, and {text:?} is no key itself; {whence}",
            looked.display()
        );
    };
    if key.kind() != kind {
        bail!(
            "{key} is a key of a {}; {whence}",
            if kind == Kind::Log { "witness, not of a log" } else { "log, not of a witness" }
        );
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_missing_is_told_with_where_it_was_looked_for() {
        let said = |text: &str, kind| format!("{:#}", key(text, kind).unwrap_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.vkey").to_string_lossy().into_owned();
        let missing = said(&path, Kind::Log);
        assert!(missing.contains(&path) && missing.contains("hotline audit key"), "{missing}");
        let missing = said("w1.vkey", Kind::Witness);
        assert!(missing.contains("/w1.vkey") && missing.contains("hotline witness key"), "{missing}");
        fs::write(&path, "no key\n").unwrap();
        let unfit = said(&path, Kind::Log);
        assert!(unfit.contains("holds no verifier key") && unfit.contains(&path), "{unfit}");
    }
}
