//! `hotline config`: is the configuration sound, and what is in force?

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use hotline_core::fact::PIPELINE_SOURCE;
use hotline_gateway::GatewayConfig;
use hotline_relay::RelayConfig;
use hotline_runtime::config::Config;
use hotline_runtime::lifecycle::EXIT_CONFIG;
use hotline_runtime::webhook::Secret;
use hotline_runtime::{Error, Secret as Text};
use serde_json::json;

use crate::files;
use crate::global::{Global, Lang};

/// Check or show the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all faults with file and line, or environment variable; the rulebook and the files of secrets are read too.
    #[command(after_help = "Example:\n  hotline config check --config /etc/hotline/hotline.toml")]
    Check,
    /// Print what is in force and where each value comes from; secrets are masked.
    #[command(after_help = "Example:\n  HOTLINE__OPS__LISTEN=127.0.0.1:9191 hotline config show")]
    Show {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = match global.load() {
        Ok(config) => config,
        Err(Error::ConfigInvalid(faults)) => {
            eprintln!("{faults}");
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
        Err(error) => return Err(error.into()),
    };
    if matches!(args.action, Action::Check) {
        let faults = named_files(&config);
        if !faults.is_empty() {
            eprintln!("{}", faults.join("\n"));
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    }
    let mut out = std::io::stdout().lock();
    match args.action {
        Action::Check => writeln!(out, "{}", sound(global.lang()))?,
        Action::Show { format: Format::Table } => {
            for value in config.effective() {
                writeln!(out, "{} = {}  # {}", value.key, value.value, value.place)?;
            }
        }
        Action::Show { format: Format::Json } => {
            let rows: Vec<_> = config
                .effective()
                .iter()
                .map(|value| json!({ "key": value.key, "value": value.value, "from": value.place.to_string() }))
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the files that the configuration names, and with what it says of their content.
fn named_files(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let gateway = config.section::<GatewayConfig>();
    // Files of other machines, as of a container that is not here, are not looked for one by one.
    let is_here = |path: &Path| path.parent().is_none_or(Path::is_dir);
    for (source, files) in &gateway.secrets {
        for path in files.iter().filter(|path| is_here(path)) {
            let secret = Text::read(path).map(|text| Secret::parse(text.expose()).is_some());
            match secret {
                Ok(true) => {}
                Ok(false) => faults.push(format!(
                    "[gateway.secrets] \"{source}\": {} holds no secret of Standard Webhooks (whsec_…)",
                    path.display()
                )),
                Err(error) => faults.push(format!("[gateway.secrets] \"{source}\": {error}")),
            }
        }
    }
    let tokens = [("token_file", &gateway.token_file), ("operator_token_file", &gateway.operator_token_file)];
    for (name, path) in tokens {
        if let Some(Err(error)) = path.as_deref().filter(|path| is_here(path)).map(Text::read) {
            faults.push(format!("[gateway] {name}: {error}"));
        }
    }
    for webhook in config.section::<RelayConfig>().webhooks {
        let files = [webhook.secret_file.as_deref(), webhook.key_file.as_deref()];
        for file in files.into_iter().flatten().filter(|path| is_here(path)) {
            if let Err(error) = Text::read(file) {
                faults.push(format!("[relay] webhooks: {}: {error}", webhook.name));
            }
        }
    }
    let Some(dir) = config.rulebook_dir() else { return faults };
    if !dir.is_dir() {
        faults.push(format!("[rulebook] dir: {} is not a directory", dir.display()));
        return faults;
    }
    match files::rulebook(&dir) {
        Err(error) => faults.push(format!("[rulebook] dir: {error:#}")),
        Ok(loaded) => {
            let is_known = |source: &&String| {
                source.as_str() == PIPELINE_SOURCE || loaded.rulebook.sources.contains_key(source.as_str())
            };
            let unknown = gateway.secrets.keys().filter(|source| !is_known(source));
            faults.extend(unknown.map(|source| {
                format!("[gateway.secrets] \"{source}\" is no source of the rulebook {}", dir.display())
            }));
        }
    }
    faults
}

fn sound(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "配置无误",
        Lang::En => "the configuration is sound",
    }
}
