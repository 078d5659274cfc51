//! `hotline send --to kafka://…`: events from files straight to a topic, as another system would produce them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_kafka::{ClusterConfig, Error, Outgoing, Producer, ProducerConfig, Sort, admin};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, channel};

use crate::files;
use crate::progress;

/// Events that are under way together.
const EVENTS_MAX: usize = 5_000;
/// How long the brokers may be away before the command gives up.
const ATTEMPTS_MAX: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long the brokers may take to show the topic.
const LOOK_FOR: Duration = Duration::from_secs(20);

/// What records are keyed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Key {
    /// The case: all its events reach one partition.
    #[default]
    Subject,
    /// The event: a case is spread over partitions, which costs speed and changes no figure.
    Id,
}

/// The brokers and the topic of `kafka://host:port[,host:port]/topic`.
pub fn target(url: &str) -> anyhow::Result<Option<(String, String)>> {
    let Some(rest) = url.strip_prefix("kafka://") else { return Ok(None) };
    match rest.split_once('/') {
        Some((brokers, topic)) if !brokers.is_empty() && !topic.is_empty() && !topic.contains('/') => {
            Ok(Some((brokers.to_owned(), topic.to_owned())))
        }
        _ => bail!("a topic is written kafka://host:port/topic"),
    }
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub acknowledged: u64,
    pub refused: u64,
}

struct Line {
    number: u64,
    key: String,
    event: Vec<u8>,
}

/// Sends every line; one that names no case, or is no JSON, is refused here, since no partition can be told.
pub async fn produce(
    cluster: &ClusterConfig,
    topic: &str,
    key: Key,
    files: &[PathBuf],
) -> anyhow::Result<Counts> {
    let brokers = &cluster.brokers;
    let there = admin::partitions(cluster, topic, LOOK_FOR).await;
    if there.with_context(|| format!("the brokers at {brokers} do not answer"))?.is_none() {
        bail!("the brokers at {brokers} have no topic {topic}: `hotline migrate` makes the one of [kafka]");
    }
    let producer = Producer::start(cluster, &ProducerConfig::default())?;
    let bar = progress::bytes(files::length(files), "sending");
    let (chunks, mut waiting) = channel(1);
    let (files, ticks) = (files.to_vec(), bar.clone());
    let reader = tokio::task::spawn_blocking(move || read(&files, key, &ticks, &chunks));
    let mut counts = Counts::default();
    while let Some((file, lines)) = waiting.recv().await {
        send(&producer, topic, &file, lines, &mut counts).await?;
    }
    counts.refused += reader.await.context("reading was cut off")??;
    bar.finish_and_clear();
    Ok(counts)
}

/// Reads the files in chunks; returns how many lines were refused.
fn read(
    files: &[PathBuf],
    key: Key,
    bar: &indicatif::ProgressBar,
    chunks: &mpsc::Sender<(PathBuf, Vec<Line>)>,
) -> anyhow::Result<u64> {
    let mut refused = 0;
    for file in files {
        let mut lines = Vec::new();
        let hand_on = |lines: Vec<Line>| {
            chunks.blocking_send((file.clone(), lines)).map_err(|_| anyhow::anyhow!("sending has ended"))
        };
        files::lines(files::open(file)?, |number, line| {
            bar.inc(line.len() as u64 + 1);
            if let Some(key) = key_of(line, key) {
                lines.push(Line { number, key, event: line.to_vec() });
            } else {
                refused += 1;
                refuse(file, number, "no_key");
            }
            if lines.len() == EVENTS_MAX { hand_on(std::mem::take(&mut lines)) } else { Ok(()) }
        })
        .with_context(|| format!("reading {}", file.display()))?;
        hand_on(lines)?;
    }
    Ok(refused)
}

fn key_of(event: &[u8], key: Key) -> Option<String> {
    let event: Value = serde_json::from_slice(event).ok()?;
    let of = |name: &str| event[name].as_str().map(str::to_owned);
    match key {
        // A figure is about no case.
        Key::Subject => of("subject").or_else(|| of("source")),
        Key::Id => of("id"),
    }
}

fn refuse(file: &Path, line: u64, code: &str) {
    eprintln!("{}", json!({ "file": file.display().to_string(), "line": line, "code": code }));
}

/// Sends lines until the brokers have them; one they do not take for what it is is refused.
async fn send(
    producer: &Producer,
    topic: &str,
    file: &Path,
    mut lines: Vec<Line>,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json")];
    let mut wait = FIRST_WAIT;
    for attempt in 0..ATTEMPTS_MAX {
        let outgoing: Vec<Outgoing<'_>> = lines
            .iter()
            .map(|line| Outgoing { topic, key: line.key.as_bytes(), payload: &line.event, headers: &headers })
            .collect();
        let sent = producer.send_all(&outgoing).await;
        let mut left = Vec::new();
        let mut last: Option<Error> = None;
        for (line, sent) in lines.into_iter().zip(sent) {
            match sent {
                Ok(_) => counts.acknowledged += 1,
                Err(error) if error.sort() == Sort::Environment => {
                    left.push(line);
                    last = Some(error);
                }
                Err(Error::RecordTooLarge { .. }) => {
                    counts.refused += 1;
                    refuse(file, line.number, "too_large");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(error) = last else { return Ok(()) };
        if attempt == 0 {
            eprintln!("the brokers do not take events ({error}): trying again for a while");
        }
        lines = left;
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    bail!("the brokers do not take events; what was acknowledged is in the topic, send the file again later")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_with_its_brokers() {
        let named = |url: &str| target(url).ok().flatten();
        let expect = |brokers: &str, topic: &str| Some((brokers.to_owned(), topic.to_owned()));
        assert_eq!(named("kafka://a:9092,b:9092/hotline.events"), expect("a:9092,b:9092", "hotline.events"));
        assert_eq!(named("http://127.0.0.1:8080"), None);
        assert!(target("kafka://a:9092").is_err() && target("kafka:///t").is_err());
    }

    #[test]
    fn an_event_is_keyed_by_its_case_and_a_figure_by_its_source() {
        let event = br#"{"id":"1","source":"/s","subject":"12345:1"}"#;
        assert_eq!(key_of(event, Key::Subject).as_deref(), Some("12345:1"));
        assert_eq!(key_of(event, Key::Id).as_deref(), Some("1"));
        assert_eq!(key_of(br#"{"id":"1","source":"/s"}"#, Key::Subject).as_deref(), Some("/s"));
        assert_eq!(key_of(b"{", Key::Subject), None);
    }
}
