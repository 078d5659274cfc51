//! `hotline config`: is the configuration sound, and what is in force?

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use hotline_runtime::Error;
use hotline_runtime::lifecycle::EXIT_CONFIG;
use serde_json::json;

use crate::global::{Global, Lang};

/// Check or show the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all faults with file and line, or environment variable.
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
    if let Some(dir) = config.rulebook_dir().filter(|dir| !dir.is_dir()) {
        eprintln!("[rulebook] dir: {} is not a directory", dir.display());
        return Ok(ExitCode::from(EXIT_CONFIG));
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

fn sound(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "配置无误",
        Lang::En => "the configuration is sound",
    }
}
