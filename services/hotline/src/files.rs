//! Files that commands read: rulebook directories, event files, standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hotline_core::rulebook::{Fault, Files, Loaded, Severity, load};

/// A rulebook directory is small; a path given by mistake may not be.
const RULEBOOK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads the files of a rulebook directory: TOML, CSV and jq programs, by their path within it.
pub fn rulebook_files(dir: &Path) -> anyhow::Result<Files> {
    if !dir.is_dir() {
        bail!("{} is not a directory: a rulebook is a directory with a rulebook.toml", dir.display());
    }
    let mut files = BTreeMap::new();
    let mut left = RULEBOOK_BYTES_MAX;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let at = dir.join(&folder);
        for entry in std::fs::read_dir(&at).with_context(|| format!("cannot list {}", at.display()))? {
            let entry = entry.with_context(|| format!("cannot list {}", at.display()))?;
            let path = folder.join(entry.file_name());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_some_and(|extension| extension == "md") {
                continue;
            }
            let mut bytes = Vec::new();
            let file = File::open(entry.path())
                .with_context(|| format!("cannot open {}", entry.path().display()))?;
            file.take(left + 1)
                .read_to_end(&mut bytes)
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            left = left.checked_sub(bytes.len() as u64).with_context(|| {
                format!("{} holds more than {RULEBOOK_BYTES_MAX} bytes: is it a rulebook?", dir.display())
            })?;
            files.insert(path.to_string_lossy().replace('\\', "/"), bytes);
        }
    }
    Ok(files)
}

/// The rulebook of a directory; all its faults are the error. Warnings go to standard error.
pub fn rulebook(dir: &Path) -> anyhow::Result<Loaded> {
    let files = rulebook_files(dir)?;
    let loaded = load(&files).map_err(|faults| {
        anyhow::anyhow!("the rulebook {} has faults:\n{}", dir.display(), listed(&faults))
    })?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    Ok(loaded)
}

/// Faults as lines, errors before warnings.
pub fn listed(faults: &[Fault]) -> String {
    let of = |severity: Severity| faults.iter().filter(move |fault| fault.severity == severity);
    let lines: Vec<String> =
        of(Severity::Error).chain(of(Severity::Warning)).map(ToString::to_string).collect();
    lines.join("\n")
}

/// Opens a file for reading by lines; `-` is standard input.
pub fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
}

/// The length of the files together, where all of them have one.
pub fn length(paths: &[PathBuf]) -> Option<u64> {
    paths
        .iter()
        .map(|path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len()))
        .sum()
}

/// Calls `take` with every line that is not blank, with its number; a line longer than an event may be is cut.
pub fn lines(
    mut input: Box<dyn BufRead>,
    mut take: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::with_capacity(4096);
    let mut number = 0;
    loop {
        line.clear();
        let max = hotline_events::EVENT_BYTES_MAX as u64 + 2;
        let read = input.by_ref().take(max).read_until(b'\n', &mut line).context("cannot read the input")?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read as u64 == max && line.last() != Some(&b'\n') {
            let skipped = input.skip_until(b'\n').context("cannot read the input")?;
            tracing::debug!(skipped, "a line was longer than an event may be");
        }
        if !line.trim_ascii().is_empty() {
            take(number, line.trim_ascii())?;
        }
    }
}
