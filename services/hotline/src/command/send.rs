//! `hotline send`: events from files to a gateway, or to a topic: see [`produce`].

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_lc_rs::rand;
use hotline_kafka::ClusterConfig;
use hotline_runtime::config::KafkaConfig;
use hotline_runtime::webhook::{self, Secret};
use hotline_runtime::{Secret as Text, clock};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use ureq::Agent;
use ureq::tls::{TlsConfig, TlsProvider};

use super::produce;
use crate::broker;
use crate::files;
use crate::global::Global;
use crate::progress;

/// Events of one request: the gateway commits them together.
const EVENTS_MAX: usize = 500;
/// Bytes of one request.
const BYTES_MAX: usize = 1 << 20;
/// A request is tried again for some minutes, then the command gives up.
const ATTEMPTS_MAX: u32 = 12;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(30);
const REQUEST_WAIT: Duration = Duration::from_mins(2);
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Answers name every event of a request.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Sends events to a gateway, or straight to a topic. What is refused goes to standard error as NDJSON, with its line; exit 2 if any is.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline send --to http://127.0.0.1:8080 --secret-file source.key events.ndjson\n  \
                        hotline send --to kafka://127.0.0.1:9092/hotline.events events.ndjson\n\n\
                        Sending a file again is safe: what is known already is counted as duplicate."
)]
pub struct Args {
    /// The gateway, `/v1/events` may be left out; or a topic, `kafka://host:port/topic`, where nothing is sealed.
    #[arg(long, value_name = "URL")]
    to: String,
    /// By what records of a topic are keyed.
    #[arg(long, value_enum)]
    key: Option<produce::Key>,
    /// A file with the source's secret `whsec_…`: events are signed with it.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Event NDJSON; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<ExitCode> {
    if let Some((brokers, topic)) = produce::target(&args.to)? {
        if args.secret_file.is_some() {
            bail!("a topic takes no signatures: who may write to it is the brokers' affair");
        }
        // How to reach the brokers, if they want to know who asks, stands in the configuration.
        let kafka = global.load()?.optional::<KafkaConfig>().unwrap_or_default();
        let cluster = ClusterConfig { brokers, ..broker::cluster(&kafka)? };
        let produce::Counts { acknowledged, refused } =
            produce::produce(&cluster, &topic, args.key.unwrap_or_default(), &args.files).await?;
        println!("{}", json!({ "acknowledged": acknowledged, "refused": refused }));
        return Ok(if refused > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS });
    }
    if args.key.is_some() {
        bail!("--key is for topics: a gateway keys what it sends by the case");
    }
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || send(&args, runtime)).await.context("sending was cut off")?
}

fn send(args: &Args, runtime: Handle) -> anyhow::Result<ExitCode> {
    let mut sender = Sender::new(&args.to, args.secret_file.as_deref(), runtime)?;
    let bar = progress::bytes(files::length(&args.files), "sending");
    for file in &args.files {
        let mut batch = Batch::of(file);
        files::lines(files::open(file)?, |number, line| {
            if batch.is_full(line.len()) {
                sender.send(&batch.take())?;
            }
            batch.push(number, line);
            bar.inc(line.len() as u64 + 1);
            Ok(())
        })
        .with_context(|| format!("sending {}", file.display()))?;
        sender.send(&batch.take()).with_context(|| format!("sending {}", file.display()))?;
    }
    bar.finish_and_clear();
    let Counts { applied, duplicate, accepted, parked, refused } = sender.counts;
    println!(
        "{}",
        json!({
            "acknowledged": applied + duplicate + accepted + parked, "duplicates": duplicate, "queued": accepted,
            "parked": parked, "refused": refused,
        })
    );
    Ok(if refused > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Lines of one file, each with its number.
#[derive(Clone, Debug)]
pub struct Batch {
    file: String,
    lines: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

impl Batch {
    pub fn of(file: &Path) -> Self {
        Self { file: file.display().to_string(), lines: Vec::new(), bytes: 0 }
    }

    /// Whether a line of so many bytes must wait for the next batch.
    pub fn is_full(&self, more: usize) -> bool {
        !self.lines.is_empty() && (self.lines.len() == EVENTS_MAX || self.bytes + more >= BYTES_MAX)
    }

    pub fn push(&mut self, number: u64, line: &[u8]) {
        self.bytes += line.len() + 1;
        self.lines.push((number, line.to_vec()));
    }

    /// How many lines.
    pub fn count(&self) -> u64 {
        self.lines.len() as u64
    }

    /// What was pushed; the batch is empty again.
    pub fn take(&mut self) -> Self {
        let empty = Self { file: self.file.clone(), lines: Vec::new(), bytes: 0 };
        std::mem::replace(self, empty)
    }

    fn halves(&self) -> [Self; 2] {
        let (first, second) = self.lines.split_at(self.lines.len() / 2);
        [first, second].map(|lines| Self { file: self.file.clone(), lines: lines.to_vec(), bytes: 0 })
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes + self.lines.len());
        for (_, line) in &self.lines {
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        body
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub applied: u64,
    pub duplicate: u64,
    /// In a topic, and not folded yet.
    pub accepted: u64,
    /// Kept until somebody resumes their source.
    pub parked: u64,
    pub refused: u64,
}

#[derive(Debug)]
pub struct Sender {
    agent: Agent,
    url: String,
    secret: Option<Secret>,
    runtime: Handle,
    counts: Counts,
}

/// What came back, whatever its status.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Value,
}

impl Sender {
    pub fn new(to: &str, secret_file: Option<&Path>, runtime: Handle) -> anyhow::Result<Self> {
        if !to.starts_with("http://") && !to.starts_with("https://") {
            bail!("--to is the address of a gateway, such as http://127.0.0.1:8080");
        }
        let url = to.trim_end_matches('/');
        let url = url.strip_suffix("/v1/events").or_else(|| url.strip_suffix("/v1")).unwrap_or(url);
        let url = format!("{url}/v1/events");
        let secret = match secret_file {
            Some(path) => Some(Secret::parse(Text::read(path)?.expose()).with_context(|| {
                format!("{} is not a secret of Standard Webhooks (whsec_…)", path.display())
            })?),
            None => None,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WAIT))
            .timeout_global(Some(REQUEST_WAIT))
            .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Ok(Self { agent: config.into(), url, secret, runtime, counts: Counts::default() })
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Sends a batch until it is answered. One refused whole is sent again in halves, until the event that spoils
    /// it stands alone.
    pub fn send(&mut self, batch: &Batch) -> anyhow::Result<()> {
        if batch.lines.is_empty() {
            return Ok(());
        }
        let answer = self.until_answered(&batch.body())?;
        let code = answer.body["code"].as_str().unwrap_or("unknown").to_owned();
        match answer.status {
            200 | 202 => self.settle(batch, &answer.body),
            401 if code.starts_with("signature")
                && batch.lines.len() == 1
                && self.counts.applied + self.counts.duplicate == 0 =>
            {
                bail!(
                    "the gateway does not believe the signature ({code}); check --secret-file and the clock"
                )
            }
            _ if batch.lines.len() > 1 => {
                let [first, second] = batch.halves();
                self.send(&first)?;
                self.send(&second)
            }
            _ => self.refuse(batch, 0, &json!({ "reason": code, "faults": answer.body["faults"] })),
        }
    }

    fn settle(&mut self, batch: &Batch, body: &Value) -> anyhow::Result<()> {
        let results = body["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        if results.len() != batch.lines.len() {
            bail!(
                "the answer is not that of a gateway: {} results for {} events",
                results.len(),
                batch.lines.len()
            );
        }
        for (place, result) in results.iter().enumerate() {
            match result["status"].as_str() {
                Some("applied" | "ignored") => self.counts.applied += 1,
                Some("accepted") => self.counts.accepted += 1,
                Some("parked") => self.counts.parked += 1,
                Some("duplicate") => self.counts.duplicate += 1,
                _ => self.refuse(batch, place, result)?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, batch: &Batch, place: usize, result: &Value) -> anyhow::Result<()> {
        self.counts.refused += 1;
        let mut refusal =
            json!({ "file": batch.file, "line": batch.lines[place].0, "code": result["reason"] });
        for name in ["id", "source", "subject", "faults"] {
            if !result[name].is_null() {
                refusal[name] = result[name].clone();
            }
        }
        writeln!(std::io::stderr().lock(), "{refusal}").context("cannot write to standard error")
    }

    /// Tries again while the gateway is away or busy, each time after a longer wait.
    fn until_answered(&self, body: &[u8]) -> anyhow::Result<Answer> {
        let mut wait = FIRST_WAIT;
        let mut last = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt == 1 {
                eprintln!("{} does not answer ({last}): trying again for up to four minutes", self.url);
            }
            let asked = match self.attempt(body) {
                Ok(answer) if !matches!(answer.status, 408 | 429 | 502 | 503 | 504) => return Ok(answer),
                Ok(answer) => {
                    last = format!(
                        "status {} {}",
                        answer.status,
                        answer.body["code"].as_str().unwrap_or_default()
                    );
                    answer.retry_after
                }
                Err(error) => {
                    last = error.to_string();
                    None
                }
            };
            let wait_for = asked.unwrap_or(wait).min(WAIT_MAX) + jitter(wait)?;
            self.runtime.block_on(tokio::time::sleep(wait_for));
            wait = (wait * 2).min(WAIT_MAX);
        }
        bail!(
            "{} does not take events: {last}; what was acknowledged is stored, send the file again later",
            self.url
        )
    }

    fn attempt(&self, body: &[u8]) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.post(&self.url).content_type("application/x-ndjson");
        if let Some(secret) = &self.secret {
            let (id, now) = (message_id(), clock::now().as_second());
            request = request
                .header(webhook::SIGNATURE, secret.sign(&id, now, body))
                .header(webhook::TIMESTAMP, now.to_string())
                .header(webhook::ID, id);
        }
        let mut response = request.send(body)?;
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            body: serde_json::from_slice(&text).unwrap_or_default(),
        })
    }
}

/// Up to half of the wait, so that many senders do not come back together.
fn jitter(wait: Duration) -> anyhow::Result<Duration> {
    let mut byte = [0_u8];
    rand::fill(&mut byte).map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;
    Ok(wait.mul_f64(f64::from(byte[0]) / 512.0))
}

/// A message is named anew each time it is sent.
fn message_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without random bytes the name is not unique, and the gateway does not ask that it be.
    let _ = rand::fill(&mut bytes);
    bytes.iter().fold("msg_".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}
