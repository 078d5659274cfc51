//! Options of every command: where the configuration is, and the language of what people read.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use hotline_audit::AuditConfig;
use hotline_casework::CaseworkConfig;
pub use hotline_events::Lang;
use hotline_gateway::GatewayConfig;
use hotline_rates::RatesConfig;
use hotline_rates::form::BulletinsConfig;
use hotline_relay::RelayConfig;
use hotline_runtime::config::{Config, KafkaConfig, Section as _, Sections};
use hotline_runtime::{Fault, Faults, Place};
use hotline_timekeeper::TimekeeperConfig;

use crate::command::retention::RetentionConfig;

/// Where a configuration file is looked for without `--config`.
const FILES: [&str; 2] = ["hotline.toml", "/etc/hotline/hotline.toml"];

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The configuration file; by default ./hotline.toml or /etc/hotline/hotline.toml if there is one.
    #[arg(long, global = true, value_name = "FILE", env = "HOTLINE_CONFIG")]
    config: Option<PathBuf>,
    /// The language of what people read; by default the locale's.
    #[arg(long, global = true, value_parser = PossibleValuesParser::new(Lang::NAMES).try_map(|name| lang(&name)))]
    lang: Option<Lang>,
}

impl Global {
    /// The configuration of this process, free of faults.
    pub fn load(&self) -> Result<Config, hotline_runtime::Error> {
        let found = FILES.iter().map(Path::new).find(|path| path.is_file());
        let config = Config::load(self.config.as_deref().or(found), Config::environment(), &sections())?;
        let faults = contradictions(&config);
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(hotline_runtime::Error::ConfigInvalid(Faults(faults)))
        }
    }

    pub fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(|| locale(Config::environment()))
    }
}

fn lang(name: &str) -> Result<Lang, &'static str> {
    Lang::parse(name).ok_or("zh or en")
}

/// What is wrong with two sections together.
fn contradictions(config: &Config) -> Vec<Fault> {
    let Some(kafka) = config.optional::<KafkaConfig>() else { return Vec::new() };
    let key = "kafka.delivery_wait";
    let place = config
        .effective()
        .iter()
        .find(|value| value.key == key)
        .map_or(Place::Default, |value| value.place.clone());
    let is_late = kafka.delivery_wait >= config.section::<GatewayConfig>().request_wait;
    is_late
        .then(|| Fault {
            place,
            section: KafkaConfig::NAME.to_owned(),
            message:
                "delivery_wait must be shorter than [gateway] request_wait: a sender would be told that the \
                      request took too long while its event is still under way"
                    .to_owned(),
        })
        .into_iter()
        .collect()
}

/// Every section that a configuration file may have: the shell's and each role's.
pub fn sections() -> Sections {
    Sections::default()
        .with::<GatewayConfig>()
        .with::<CaseworkConfig>()
        .with::<TimekeeperConfig>()
        .with::<RelayConfig>()
        .with::<RatesConfig>()
        .with::<AuditConfig>()
        .with::<BulletinsConfig>()
        .with::<RetentionConfig>()
}

/// The language of `LC_ALL`, `LC_MESSAGES` or `LANG`, the first that says something, as POSIX orders them.
fn locale(environment: impl Iterator<Item = (String, String)>) -> Lang {
    let order = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let said = environment
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((order.iter().position(|known| *known == name)?, value)))
        .min();
    if said.is_some_and(|(_, value)| value.starts_with("zh")) { Lang::Zh } else { Lang::En }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_locales() {
        let lang = |pairs: &[(&str, &str)]| {
            locale(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        assert_eq!(lang(&[]), Lang::En);
        assert_eq!(lang(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(lang(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")]), Lang::En);
        assert_eq!(lang(&[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW")]), Lang::Zh);
    }

    /// The settings of the sample, taken out of their comments: `#key = …`, while `# text` is prose.
    fn sample() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/hotline.sample.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .map(|line| {
                line.strip_prefix('#')
                    .filter(|rest| !rest.is_empty() && !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .collect();
        lines.join("\n")
    }

    fn load(text: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hotline.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), [], &sections()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn two_sections_that_do_not_fit_are_a_fault() {
        let faults = |text: &str| contradictions(&load(text)).len();
        assert_eq!(faults("[gateway]\nrequest_wait = '10 s'\n"), 0);
        assert_eq!(faults("[gateway]\nrequest_wait = '10 s'\n[kafka]\n"), 1);
        assert_eq!(faults("[gateway]\nrequest_wait = '10 s'\n[kafka]\ndelivery_wait = '9 s'\n"), 0);
    }

    #[test]
    fn the_sample_parses_and_shows_every_key_with_its_default() {
        let sample = load(&sample());
        let defaults = load("[postgres]\n");
        for default in defaults.effective() {
            let under = |key: &str| key == default.key || key.starts_with(&format!("{}.", default.key));
            let shown = sample.effective().iter().find(|value| under(&value.key));
            let shown = shown.filter(|value| value.place != hotline_runtime::Place::Default);
            let shown = shown.unwrap_or_else(|| panic!("{} is not in the sample", default.key));
            // The directory depends on who runs it; empty lists are shown with an example.
            let differs = ["audit.witnesses", "data.dir", "gateway.secrets", "relay.webhooks"]
                .contains(&default.key.as_str());
            assert!(
                differs || shown.value == default.value,
                "{}: {} is not the default",
                default.key,
                shown.value
            );
        }
    }
}
