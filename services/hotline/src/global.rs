//! Options of every command: where the configuration is, and the language of what people read.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hotline_casework::CaseworkConfig;
use hotline_gateway::GatewayConfig;
use hotline_rates::RatesConfig;
use hotline_runtime::config::{Config, Sections};

/// Where a configuration file is looked for without `--config`.
const FILES: [&str; 2] = ["hotline.toml", "/etc/hotline/hotline.toml"];

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The configuration file; by default ./hotline.toml or /etc/hotline/hotline.toml if there is one.
    #[arg(long, global = true, value_name = "FILE", env = "HOTLINE_CONFIG")]
    config: Option<PathBuf>,
    /// The language of what people read; by default the locale's.
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    Zh,
    En,
}

impl Global {
    /// The configuration of this process, free of faults.
    pub fn load(&self) -> Result<Config, hotline_runtime::Error> {
        let found = FILES.iter().map(Path::new).find(|path| path.is_file());
        Config::load(self.config.as_deref().or(found), Config::environment(), &sections())
    }

    pub fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(|| locale(Config::environment()))
    }
}

/// Every section that a configuration file may have: the shell's and each role's.
pub fn sections() -> Sections {
    Sections::default().with::<GatewayConfig>().with::<CaseworkConfig>().with::<RatesConfig>()
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
    fn the_sample_parses_and_shows_every_key_with_its_default() {
        let sample = load(&sample());
        let defaults = load("[postgres]\n");
        for default in defaults.effective() {
            let under = |key: &str| key == default.key || key.starts_with(&format!("{}.", default.key));
            let shown = sample.effective().iter().find(|value| under(&value.key));
            let shown = shown.filter(|value| value.place != hotline_runtime::Place::Default);
            let shown = shown.unwrap_or_else(|| panic!("{} is not in the sample", default.key));
            // The directory depends on who runs it; empty lists are shown with an example.
            let differs = ["data.dir", "gateway.secrets"].contains(&default.key.as_str());
            assert!(
                differs || shown.value == default.value,
                "{}: {} is not the default",
                default.key,
                shown.value
            );
        }
    }
}
