//! Signatures of Standard Webhooks 1.0: `webhook-signature: v1,<base64 of HMAC-SHA256 over id.timestamp.body>`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hotline_runtime::Secret as Text;
use hotline_runtime::webhook::{ID, SIGNATURE, Secret, TIMESTAMP};
use jiff::Timestamp;

use crate::error::Error;

/// How far a timestamp may be from our clock, either way.
pub const TOLERANCE_SECONDS: u64 = 300;
/// A sender that changes its secret signs with two.
const SIGNATURES_MAX: usize = 8;

/// Whose events a request may bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// No secrets are configured.
    Anyone,
    /// The sources whose secret has signed.
    Sources(BTreeSet<String>),
}

impl Allowed {
    pub fn admits(&self, source: &str) -> bool {
        match self {
            Allowed::Anyone => true,
            Allowed::Sources(sources) => sources.contains(source),
        }
    }
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    Missing,
    Stale,
    Bad,
}

/// The secrets of all sources. A secret may be for several sources, a source have two.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Secret, BTreeSet<String>)>);

impl Keys {
    /// Reads the files.
    pub fn read(files: &BTreeMap<String, Vec<PathBuf>>) -> Result<Self, Error> {
        let mut by_file: BTreeMap<&PathBuf, BTreeSet<String>> = BTreeMap::new();
        for (source, files) in files {
            for file in files {
                by_file.entry(file).or_default().insert(source.clone());
            }
        }
        let mut keys = Vec::with_capacity(by_file.len());
        for (path, sources) in by_file {
            let secret = Secret::parse(Text::read(path)?.expose())
                .ok_or_else(|| Error::SecretMalformed { path: path.clone() })?;
            keys.push((secret, sources));
        }
        Ok(Self(keys))
    }

    #[cfg(test)]
    pub(crate) fn of(keys: &[(&str, &[&str])]) -> Self {
        let sources = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self(keys.iter().map(|(text, names)| (Secret::parse(text).unwrap(), sources(names))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What its head alone shows of a request that cannot be trusted: nothing of its body need be read.
    pub fn look_at(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Distrust> {
        if self.is_empty() { Ok(()) } else { fresh(headers, now).map(|_| ()) }
    }

    /// Whose signature a request bears. Every secret is tried, in time that does not depend on where they differ.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Allowed, Distrust> {
        if self.is_empty() {
            return Ok(Allowed::Anyone);
        }
        let (id, timestamp, given) = fresh(headers, now)?;
        let given: Vec<Vec<u8>> = given
            .split_ascii_whitespace()
            .take(SIGNATURES_MAX)
            .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
            .collect();
        let mut sources = BTreeSet::new();
        for (secret, names) in &self.0 {
            let tag = secret.tag(id, timestamp, body);
            if given.iter().any(|given| verify_slices_are_equal(given, tag.as_ref()).is_ok()) {
                sources.extend(names.iter().cloned());
            }
        }
        if sources.is_empty() { Err(Distrust::Bad) } else { Ok(Allowed::Sources(sources)) }
    }
}

/// Id, timestamp and signatures of a request, if it has them and its timestamp is near our clock.
fn fresh(headers: &HeaderMap, now: Timestamp) -> Result<(&str, &str, &str), Distrust> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(given)) = (text(ID), text(TIMESTAMP), text(SIGNATURE)) else {
        return Err(Distrust::Missing);
    };
    let signed_at: i64 = timestamp.parse().map_err(|_| Distrust::Bad)?;
    if signed_at.abs_diff(now.as_second()) > TOLERANCE_SECONDS {
        return Err(Distrust::Stale);
    }
    Ok((id, timestamp, given))
}
