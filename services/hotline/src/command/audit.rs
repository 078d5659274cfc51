//! `hotline audit`: the role.

use std::process::ExitCode;

use crate::global::Global;
use crate::roles::{self, Role};

/// Run audit: seal closure records, answer auditors.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline audit --config /etc/hotline/hotline.toml")]
pub struct Args {}

pub fn run(global: &Global, _args: &Args) -> anyhow::Result<ExitCode> {
    roles::run(global, &[Role::Audit])
}
