//! A webhook: one HTTP request a notice, or a message of a robot for several.
//!
//! Guarantees: nothing is sent to an address of this machine or network unless the configuration allows it for this
//! webhook, whatever its name resolves to at that moment; redirections are not followed; an answer is read to a bound.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hotline_postgres::notices::Numbered;
use hotline_runtime::Secret as Text;
use hotline_runtime::webhook::{ID, SIGNATURE, Secret, TIMESTAMP};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::config::{Format, WebhookConfig};
use crate::error::Error;
use crate::message;
use crate::work::Outcome;

const CONNECT_WAIT: Duration = Duration::from_secs(5);
const REQUEST_WAIT: Duration = Duration::from_secs(15);
/// What is read of an answer, and how much of it is kept for whoever asks why.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
const WHY_CHARS_MAX: usize = 200;

#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    agent: Agent,
    config: Arc<WebhookConfig>,
    key: Key,
    /// The key of a robot, where it does not stand in the url.
    robot: Option<Text>,
    zone: TimeZone,
}

/// How a receiver can tell that it is us.
#[derive(Clone, Debug)]
enum Key {
    None,
    Standard(Box<Secret>),
    Dingtalk(Text),
}

impl Webhook {
    pub(crate) fn new(config: &WebhookConfig, zone: TimeZone) -> Result<Self, Error> {
        let secret = match &config.secret_file {
            Some(path) => Some((path, Text::read(path)?)),
            None => None,
        };
        let key = match (config.format, secret) {
            (Format::Event, Some((path, text))) => {
                let malformed = || Error::SecretMalformed { path: path.clone() };
                Key::Standard(Box::new(Secret::parse(text.expose()).ok_or_else(malformed)?))
            }
            (Format::Dingtalk, Some((_, text))) => Key::Dingtalk(text),
            _ => Key::None,
        };
        let robot = config.key_file.as_deref().map(Text::read).transpose()?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_WAIT))
            .timeout_global(Some(REQUEST_WAIT))
            .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let resolver = Guard { allows_private: config.allow_private, inner: DefaultResolver::default() };
        let agent = Agent::with_parts(agent, DefaultConnector::default(), resolver);
        Ok(Self { agent, config: Arc::new(config.clone()), key, robot, zone })
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn is_robot(&self) -> bool {
        self.config.format != Format::Event
    }

    /// Whether it wants to know.
    pub(crate) fn wants(&self, notice: &Numbered) -> bool {
        let departments = &self.config.departments;
        if !departments.is_empty() && !departments.iter().any(|wanted| *wanted == notice.department) {
            return false;
        }
        if self.config.levels.is_empty() {
            return true;
        }
        let event: Value = serde_json::from_str(&notice.event).unwrap_or_default();
        let level = event["data"]["level"].as_str();
        level.is_none_or(|level| self.config.levels.iter().any(|wanted| wanted == level))
    }

    /// Sends one notice.
    pub(crate) async fn send(&self, notice: Numbered, now: fn() -> Timestamp) -> Outcome {
        let webhook = self.clone();
        let body = notice.event.into_bytes();
        blocking(move || webhook.post(&notice.id.to_string(), &body, now())).await
    }

    /// Sends as many of these notices as fit into one message; how many, and what came of it.
    pub(crate) async fn send_together(
        &self,
        notices: &[&Numbered],
        now: fn() -> Timestamp,
    ) -> (usize, Outcome) {
        let template = self.config.template.as_deref();
        let lines: Vec<String> =
            notices.iter().map(|notice| message::line(notice, template, &self.zone)).collect();
        let count = message::fitting(&lines);
        let body = message::body(self.config.format, &lines[..count]);
        let (webhook, id) = (self.clone(), notices[0].id.to_string());
        (count, blocking(move || webhook.post(&id, &body, now())).await)
    }

    fn post(&self, id: &str, body: &[u8], now: Timestamp) -> Outcome {
        let mut url = self.config.url.clone();
        if let Some(robot) = &self.robot {
            let name = if self.config.format == Format::Wecom { "key" } else { "access_token" };
            url = format!("{url}?{name}={}", utf8_percent_encode(robot.expose(), NON_ALPHANUMERIC));
        }
        if let Key::Dingtalk(secret) = &self.key {
            let milliseconds = now.as_millisecond();
            let separator = if url.contains('?') { '&' } else { '?' };
            let sign = dingtalk_sign(secret, milliseconds);
            url = format!("{url}{separator}timestamp={milliseconds}&sign={sign}");
        }
        let mut request = self.agent.post(&url).content_type(if self.is_robot() {
            "application/json"
        } else {
            "application/cloudevents+json"
        });
        if let Key::Standard(secret) = &self.key {
            let seconds = now.as_second();
            request = request
                .header(SIGNATURE, secret.sign(id, seconds, body))
                .header(TIMESTAMP, seconds.to_string())
                .header(ID, id);
        }
        match request.send(body) {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
                let answer = limited.read_to_vec().unwrap_or_default();
                judged(status, &answer, self.is_robot())
            }
            // A robot's address is its key: the error does not carry it.
            Err(error) => Outcome::Later(short(&error.to_string())),
        }
    }
}

/// What an answer means. Robots say in a body with status 200 that they refused.
fn judged(status: u16, answer: &[u8], is_robot: bool) -> Outcome {
    let body: Value = serde_json::from_slice(answer).unwrap_or_default();
    match status {
        200..=299 if is_robot => match body["errcode"].as_i64() {
            Some(0) => Outcome::Done,
            Some(code) => Outcome::Later(format!("the robot answered errcode {code}")),
            None => Outcome::Later("the robot's answer has no errcode".to_owned()),
        },
        200..=299 => Outcome::Done,
        300..=399 => Outcome::Never(format!("status {status}: redirections are not followed")),
        // What is wrong with the request now is wrong with it later.
        400 | 404..=407 | 410..=422 => Outcome::Never(format!("status {status}")),
        // It failed over this one; 502 to 504 say that it is away.
        500 | 501 | 505..=599 if !is_robot => Outcome::Refused(format!("status {status}")),
        _ => Outcome::Later(format!("status {status}")),
    }
}

async fn blocking(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Outcome::Later("a request ended by a fault of ours".to_owned()))
}

/// As the robots of 钉钉 have it: HMAC-SHA256 over the time in milliseconds, a line break and the secret.
fn dingtalk_sign(secret: &Text, milliseconds: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{milliseconds}\n{}", secret.expose()).as_bytes());
    utf8_percent_encode(&STANDARD.encode(tag.as_ref()), NON_ALPHANUMERIC).to_string()
}

fn short(text: &str) -> String {
    text.chars().take(WHY_CHARS_MAX).collect()
}

/// Looks names up and lets only public addresses pass.
#[derive(Debug)]
struct Guard {
    allows_private: bool,
    inner: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        if self.allows_private || found.iter().all(|address| is_public(address.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::Io(std::io::Error::other(
            "its name leads to an address of this machine or network: say allow_private if that is meant",
        )))
    }
}

/// Whether an address may belong to somebody else on the internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_special = a == 0 || a >= 240 || (a, b, c) == (192, 0, 0) || (a == 198 && (18..20).contains(&b));
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    match segments {
        // NAT64 and 6to4 carry an address of the other kind.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Only 2000::/3 is given out, documentation apart.
        [first, second, ..] => first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0x0db8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for address in ["1.1.1.1", "223.5.5.5", "2606:4700::1111", "2002:0101:0101::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_answer_says_whether_to_come_again() {
        assert_eq!(judged(204, b"", false), Outcome::Done);
        assert_eq!(judged(200, br#"{"errcode":0}"#, true), Outcome::Done);
        for (status, answer, is_robot) in [
            (200, &br#"{"errcode":45009}"#[..], true),
            (200, b"<html>", true),
            (429, b"", false),
            (503, b"", false),
            (401, b"", false),
            (403, b"", false),
            (408, b"", false),
        ] {
            assert!(matches!(judged(status, answer, is_robot), Outcome::Later(_)), "{status}");
        }
        for status in [301, 400, 404, 410, 422] {
            assert!(matches!(judged(status, b"", false), Outcome::Never(_)), "{status}");
        }
    }

    #[test]
    fn a_robot_of_dingtalk_is_signed_as_its_manual_says() {
        // Computed by: printf '1700000000000\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64
        let sign = dingtalk_sign(&Text::new("SECtest"), 1_700_000_000_000);
        assert_eq!(sign, DINGTALK_SIGN);
    }

    const DINGTALK_SIGN: &str = "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g%3D";
}
