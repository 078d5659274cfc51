//! Asking a witness, and reading what a log publishes.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{TlsConfig, TlsProvider};
use url::Url;

use super::asked::Asked;

const CONNECT_WAIT: Duration = Duration::from_secs(5);
const REQUEST_WAIT: Duration = Duration::from_secs(20);
/// Signature lines of a witness.
const ANSWER_BYTES_MAX: u64 = 65_536;
/// A bundle of 256 leaves of 65,535 bytes.
pub const RESOURCE_BYTES_MAX: u64 = 17 * 1024 * 1024;

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Signature lines.
    Lines(String),
    /// It has seen so many leaves.
    Seen(u64),
    Refused(String),
    Away(String),
}

/// Over HTTP and HTTPS.
#[derive(Clone, Debug)]
pub struct Client(Agent);

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    pub fn new() -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WAIT))
            .timeout_global(Some(REQUEST_WAIT))
            .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self(Agent::new_with_config(config))
    }

    /// Shows a checkpoint to a witness.
    pub async fn add_checkpoint(&self, url: &Url, asked: &Asked) -> Answer {
        let (agent, url, body) = (self.0.clone(), url.to_string(), asked.to_string());
        let asking = tokio::task::spawn_blocking(move || add_checkpoint(&agent, &url, body));
        asking.await.unwrap_or_else(|error| Answer::Away(error.to_string()))
    }

    /// What stands at an address; None: nothing does.
    pub fn get(&self, url: &str, bearer: Option<&str>) -> Result<Option<Vec<u8>>, String> {
        let mut asking = self.0.get(url);
        if let Some(token) = bearer {
            asking = asking.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = asking.call().map_err(|error| format!("{url}: {}", told(&error)))?;
        match answer.status().as_u16() {
            200 => {
                let body = answer.body_mut().with_config().limit(RESOURCE_BYTES_MAX).read_to_vec();
                body.map(Some).map_err(|error| format!("{url}: {}", told(&error)))
            }
            404 => Ok(None),
            401 if bearer.is_none() => Err(format!(
                "{url}: answered 401: records are given to auditors only, and no token was sent; `hotline token create --name NAME \
                 --role auditor` prints one where the database is: put it into a file and name that with --token-file FILE"
            )),
            status @ (401 | 403) if bearer.is_some() => Err(format!(
                "{url}: answered {status}: the token that was sent is unknown, has expired, was revoked or is not an auditor's; `hotline token \
                 list` says which there are, `hotline token create --name NAME --role auditor` prints a new one"
            )),
            status => Err(format!("{url}: answered {status}")),
        }
    }
}

/// Why there is no answer, without the library's word for where it happened.
fn told(error: &ureq::Error) -> String {
    if let ureq::Error::Io(error) = error { error.to_string() } else { error.to_string() }
}

fn add_checkpoint(agent: &Agent, url: &str, body: String) -> Answer {
    let mut answer = match agent.post(url).content_type("text/plain; charset=utf-8").send(body) {
        Ok(answer) => answer,
        Err(error) => return Answer::Away(told(&error)),
    };
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let text = match text {
        Ok(text) => text,
        Err(error) => return Answer::Away(told(&error)),
    };
    match status {
        200 => Answer::Lines(text),
        409 => match text.trim_end().parse() {
            Ok(size) => Answer::Seen(size),
            Err(_) => Answer::Away("it answered 409 without a size".to_owned()),
        },
        403 => Answer::Refused("it knows another key of this log: give it the one that signs".to_owned()),
        404 => Answer::Refused("it does not know this log: give it the key that signs".to_owned()),
        422 => Answer::Refused("the tree does not begin with the one that it has seen".to_owned()),
        status => Answer::Away(format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_told_in_the_words_of_the_system() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(told(&ureq::Error::Io(refused)), "connection refused");
    }
}
