//! The command line: global options, and a subcommand each for `command::<name>`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use hotline_casework::CaseworkConfig;
use hotline_gateway::GatewayConfig;
use hotline_rates::RatesConfig;
use hotline_runtime::config::{Config, Sections};

use crate::command;
use crate::roles::{self, Role};

/// Where a configuration file is looked for without `--config`.
const FILES: [&str; 2] = ["hotline.toml", "/etc/hotline/hotline.toml"];

/// Complaint events of public hotlines in, exact rates out.
#[derive(Debug, Parser)]
#[command(name = "hotline", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

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

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every role in one process.
    #[command(after_help = "Example:\n  hotline all --config /etc/hotline/hotline.toml")]
    All,
    /// Run the gateway: events in over HTTP, views and rates out.
    #[command(after_help = "Example:\n  hotline gateway --config /etc/hotline/hotline.toml")]
    Gateway,
    /// Run casework: fold batches of events into cases and tallies.
    #[command(after_help = "Example:\n  hotline casework --config /etc/hotline/hotline.toml")]
    Casework,
    /// Run rates: merge tallies, serve gauges.
    #[command(after_help = "Example:\n  hotline rates --config /etc/hotline/hotline.toml")]
    Rates,
    Config(command::config::Args),
    Due(command::due::Args),
    Import(command::import::Args),
    Replay(command::replay::Args),
    Rulebook(command::rulebook::Args),
    Send(command::send::Args),
    Bulletin(command::bulletin::Args),
    Export(command::export::Args),
    Tallies(command::tallies::Args),
    DeadLetters(command::dead_letters::Args),
    Migrate(command::migrate::Args),
}

impl Cli {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::All => roles::run(&self.global, Role::ALL),
            Command::Gateway => roles::run(&self.global, &[Role::Gateway]),
            Command::Casework => roles::run(&self.global, &[Role::Casework]),
            Command::Rates => roles::run(&self.global, &[Role::Rates]),
            Command::Config(args) => command::config::run(&self.global, args),
            Command::Due(args) => command::due::run(args),
            Command::Import(args) => command::import::run(args),
            Command::Replay(args) => command::replay::run(args),
            Command::Rulebook(args) => wait(command::rulebook::run(&self.global, args)),
            Command::Send(args) => wait(command::send::run(args.clone())),
            Command::Bulletin(args) => wait(command::bulletin::run(&self.global, args)),
            Command::Export(args) => wait(command::export::run(&self.global, args)),
            Command::Tallies(args) => wait(command::tallies::run(&self.global, args)),
            Command::DeadLetters(args) => wait(command::dead_letters::run(&self.global, args)),
            Command::Migrate(args) => wait(command::migrate::run(&self.global, args)),
        }
    }
}

/// Runs a command that waits for a database or a server.
fn wait(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command)
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
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

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
