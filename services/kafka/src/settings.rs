//! How a cluster is reached.

use std::fmt;
use std::path::PathBuf;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// What every client of one cluster shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, several separated by commas. A few are enough: the others are learnt.
    pub brokers: String,
    /// What the brokers' logs and quotas call this client.
    pub client_id: String,
    /// None: what goes over the wire can be read by others.
    pub tls: Option<Tls>,
    /// None: the client does not say who it is, unless it has a certificate.
    pub scram: Option<Scram>,
}

/// An encrypted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM. None: the authorities that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// With which the client shows who it is.
    pub identity: Option<TlsIdentity>,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// A user and a password by RFC 5802.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scram {
    pub mechanism: ScramMechanism,
    pub user: String,
    pub password: Password,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramMechanism {
    Sha256,
    Sha512,
}

/// Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Settings {
    /// Without encryption and without a name: a broker on this machine.
    pub fn plaintext(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), client_id: "hotline".to_owned(), tls: None, scram: None }
    }

    /// Where librdkafka's own defaults would do, they are not repeated.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", &self.client_id);
        // After an outage of minutes the first broker that comes back should not wait for ten seconds.
        config.set("reconnect.backoff.max.ms", "2000");
        // A broker closes idle connections: that is no trouble.
        config.set("log.connection.close", "false");
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("security.protocol", self.protocol());
        if let Some(tls) = &self.tls {
            set_path(&mut config, "ssl.ca.location", tls.ca_file.as_ref());
            if let Some(identity) = &tls.identity {
                set_path(&mut config, "ssl.certificate.location", Some(&identity.cert_file));
                set_path(&mut config, "ssl.key.location", Some(&identity.key_file));
            }
        }
        if let Some(scram) = &self.scram {
            let mechanism = match scram.mechanism {
                ScramMechanism::Sha256 => "SCRAM-SHA-256",
                ScramMechanism::Sha512 => "SCRAM-SHA-512",
            };
            config.set("sasl.mechanism", mechanism);
            config.set("sasl.username", &scram.user);
            config.set("sasl.password", &scram.password.0);
        }
        config
    }

    fn protocol(&self) -> &'static str {
        match (&self.tls, &self.scram) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

fn set_path(config: &mut ClientConfig, key: &str, path: Option<&PathBuf>) {
    if let Some(path) = path {
        config.set(key, path.to_string_lossy());
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let mut settings = Settings::plaintext("127.0.0.1:1");
        let password = Password("secret words".to_owned());
        settings.scram = Some(Scram { mechanism: ScramMechanism::Sha512, user: "u".to_owned(), password });
        let printed = format!("{settings:?}");
        assert!(printed.contains("***") && !printed.contains("secret"), "{printed}");
    }

    #[test]
    fn librdkafka_was_built_with_tls_and_scram() {
        for tls in [None, Some(Tls::default())] {
            for mechanism in [ScramMechanism::Sha256, ScramMechanism::Sha512] {
                let password = Password("p".to_owned());
                let scram = Some(Scram { mechanism, user: "u".to_owned(), password });
                let settings = Settings { tls: tls.clone(), scram, ..Settings::plaintext("127.0.0.1:1") };
                settings.client_config().create::<BaseConsumer>().unwrap();
            }
        }
    }
}
