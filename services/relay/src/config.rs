//! `[relay]`: who is told, and for how long notices are kept.

use std::path::PathBuf;
use std::time::Duration;

use hotline_runtime::config::{Section, units};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

/// Every member has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// How long it rests when nothing is new: notices are so late at most.
    #[serde(with = "units::duration")]
    pub look_every: Duration,
    /// How long notices are kept, for receivers that were away and for the feed.
    #[serde(with = "units::duration")]
    pub keep: Duration,
    /// After this a notice is given up for a receiver that does not take it.
    #[serde(with = "units::duration")]
    pub give_up_after: Duration,
    /// With `[kafka]` notices go into this topic too; empty: they do not.
    pub topic: String,
    /// The zone in which messages for people say the time.
    pub timezone: String,
    pub webhooks: Vec<WebhookConfig>,
}

/// What a webhook is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The `CloudEvent`, one a request, signed as Standard Webhooks have it.
    #[default]
    Event,
    /// A message of a robot of 企业微信; several notices share one.
    Wecom,
    /// A message of a robot of 钉钉; several notices share one.
    Dingtalk,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// By which its place among the notices is remembered.
    pub name: String,
    /// Of a robot of 企业微信 or 钉钉 it may hold the key in its query, which is never printed; see `key_file`.
    #[serde(serialize_with = "without_query")]
    pub url: String,
    #[serde(default)]
    pub format: Format,
    /// A file with the secret: `whsec_…` of Standard Webhooks, `SEC…` of a robot of 钉钉.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// A file with the key of a robot, which is then no part of `url`.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Only what concerns these departments; empty: everything.
    #[serde(default)]
    pub departments: Vec<String>,
    /// Of alarms only these levels; empty: all.
    #[serde(default)]
    pub levels: Vec<String>,
    /// How a robot's message tells one notice: `{department}`, `{case}`, `{level}`, `{stage}`, `{due_at}`, `{what}` and
    /// `{hotline}` are replaced.
    #[serde(default)]
    pub template: Option<String>,
    /// It may be at an address that only this network knows, and without TLS.
    #[serde(default)]
    pub allow_private: bool,
}

fn without_query<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match url.split_once('?') {
        Some((address, _)) => serializer.serialize_str(&format!("{address}?***")),
        None => serializer.serialize_str(url),
    }
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(500),
            keep: Duration::from_hours(24 * 30),
            give_up_after: Duration::from_hours(24),
            topic: "hotline.notices".to_owned(),
            timezone: "Asia/Shanghai".to_owned(),
            webhooks: Vec::new(),
        }
    }
}

/// Under this name the topic's place is remembered.
pub(crate) const KAFKA: &str = "kafka";
const LEVELS: [&str; 4] = ["notice", "warning", "breach", "escalation"];

impl Section for RelayConfig {
    const NAME: &'static str = "relay";

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.look_every.is_zero() || self.look_every > Duration::from_mins(1) {
            faults.push(
                "look_every must be longer than nothing and at most 1 min: notices wait for it".to_owned(),
            );
        }
        if self.keep < self.give_up_after || self.keep > Duration::from_hours(24 * 366) {
            faults.push("keep must be at least give_up_after and at most a year".to_owned());
        }
        if jiff::tz::TimeZone::get(&self.timezone).is_err() {
            faults.push("timezone is none, such as \"Asia/Shanghai\"".to_owned());
        }
        for (place, webhook) in self.webhooks.iter().enumerate() {
            let at = format!("webhooks[{place}]");
            faults.extend(webhook.faults().into_iter().map(|fault| format!("{at}.{fault}")));
            if self.webhooks[..place].iter().any(|other| other.name == webhook.name) {
                faults.push(format!("{at}.name is another's already"));
            }
        }
        faults
    }
}

impl WebhookConfig {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name == KAFKA || !self.name.chars().all(is_name) {
            faults.push("name must be of letters, digits, - and _, and not \"kafka\"".to_owned());
        }
        match Url::parse(&self.url).ok().filter(Url::has_host).map(|url| url.scheme().to_owned()).as_deref() {
            Some("https") => {}
            Some("http") if self.allow_private => {}
            Some("http") => faults.push("url must be https, unless allow_private".to_owned()),
            _ => faults.push("url is no address of a web server".to_owned()),
        }
        if let Some(level) = self.levels.iter().find(|level| !LEVELS.contains(&level.as_str())) {
            let known = LEVELS.join(", ");
            faults.push(format!("levels has \"{level}\", which is none of {known}"));
        }
        if self.format == Format::Event && self.secret_file.is_none() {
            faults.push(
                "secret_file is missing: who receives events must be able to tell that they are ours"
                    .to_owned(),
            );
        }
        if self.format == Format::Wecom && self.secret_file.is_some() {
            faults.push("secret_file is not for wecom: its key stands in the url".to_owned());
        }
        if self.key_file.is_some() && self.format == Format::Event {
            faults.push("key_file is for robots only".to_owned());
        } else if self.key_file.is_some() && self.url.contains('?') {
            faults.push("key_file and a key in the url do not go together".to_owned());
        }
        if self.format == Format::Event && self.template.is_some() {
            faults.push("template is for robots only".to_owned());
        }
        faults
    }
}
