//! The command line: a subcommand each for `command::<name>`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command;
use crate::global::Global;
use crate::roles::{self, Role};

/// Complaint events of public hotlines in, exact rates out.
#[derive(Debug, Parser)]
#[command(name = "hotline", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
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
    /// Run timekeeper: alarms of deadlines, and dispatch decisions that wait for their time.
    #[command(after_help = "Example:\n  hotline timekeeper --config /etc/hotline/hotline.toml")]
    Timekeeper,
    /// Run relay: notices to a topic and to webhooks.
    #[command(after_help = "Example:\n  hotline relay --config /etc/hotline/hotline.toml")]
    Relay,
    /// Run rates: merge tallies, serve gauges.
    #[command(after_help = "Example:\n  hotline rates --config /etc/hotline/hotline.toml")]
    Rates,
    Audit(command::audit::Args),
    Alarms(command::alarms::Args),
    Config(command::config::Args),
    Demo(command::demo::Args),
    Doctor(command::doctor::Args),
    Due(command::due::Args),
    Erase(command::erase::Args),
    Explain(command::explain::Args),
    Import(command::import::Args),
    Replay(command::replay::Args),
    Rulebook(command::rulebook::Args),
    Send(command::send::Args),
    Bulletin(command::bulletin::Args),
    Export(command::export::Args),
    Tallies(command::tallies::Args),
    Token(command::token::Args),
    WhatIf(command::what_if::Args),
    DeadLetters(command::dead_letters::Args),
    Sources(command::sources::Args),
    Partitions(command::partitions::Args),
    Notices(command::notices::Args),
    Migrate(command::migrate::Args),
    Backup(command::backup::Args),
    Restore(command::restore::Args),
    Retention(command::retention::Args),
    Witness(command::witness::Args),
}

impl Cli {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::All => roles::run(&self.global, Role::ALL),
            Command::Gateway => roles::run(&self.global, &[Role::Gateway]),
            Command::Casework => roles::run(&self.global, &[Role::Casework]),
            Command::Timekeeper => roles::run(&self.global, &[Role::Timekeeper]),
            Command::Relay => roles::run(&self.global, &[Role::Relay]),
            Command::Rates => roles::run(&self.global, &[Role::Rates]),
            Command::Audit(args) => command::audit::run(&self.global, args),
            Command::Alarms(args) => wait(command::alarms::run(&self.global, args)),
            Command::Config(args) => command::config::run(&self.global, args),
            Command::Demo(args) => command::demo::run(&self.global, args),
            Command::Doctor(args) => wait(command::doctor::run(&self.global, args)),
            Command::Due(args) => command::due::run(args),
            Command::Erase(args) => wait(command::erase::run(&self.global, args)),
            Command::Explain(args) => wait(command::explain::run(&self.global, args)),
            Command::Import(args) => command::import::run(args),
            Command::Replay(args) => command::replay::run(&self.global, args),
            Command::Rulebook(args) => wait(command::rulebook::run(&self.global, args)),
            Command::Send(args) => wait(command::send::run(&self.global, args.clone())),
            Command::Bulletin(args) => wait(command::bulletin::run(&self.global, args)),
            Command::Export(args) => wait(command::export::run(&self.global, args)),
            Command::WhatIf(args) => wait(command::what_if::run(&self.global, args)),
            Command::Tallies(args) => wait(command::tallies::run(&self.global, args)),
            Command::Token(args) => wait(command::token::run(&self.global, args)),
            Command::DeadLetters(args) => wait(command::dead_letters::run(&self.global, args)),
            Command::Sources(args) => wait(command::sources::run(&self.global, args)),
            Command::Partitions(args) => wait(command::partitions::run(&self.global, args)),
            Command::Notices(args) => wait(command::notices::run(&self.global, args)),
            Command::Migrate(args) => wait(command::migrate::run(&self.global, args)),
            Command::Backup(args) => wait(command::backup::run(&self.global, args)),
            Command::Restore(args) => wait(command::restore::run(&self.global, args)),
            Command::Retention(args) => wait(command::retention::run(&self.global, args)),
            Command::Witness(args) => wait(command::witness::run(args)),
        }
    }
}

/// Runs a command that waits for a database or a server.
pub fn wait(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
