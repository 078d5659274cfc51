//! `hotline audit`: the role, and what is done with the closure log beside it.

mod bundle;
mod check;
mod log;
mod mirror;
pub mod verify;

use std::process::ExitCode;

use hotline_audit::{AuditConfig, Parts};
use hotline_runtime::clock;
use hotline_runtime::config::{Config, DataConfig};

use crate::global::Global;
use crate::roles::{self, Role};
use crate::store::Store;

/// Run audit: seal closure records, show checkpoints to witnesses. With a subcommand: the closure log, looked at from outside.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline audit --config /etc/hotline/hotline.toml\n  hotline audit key\n  hotline audit check"
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Key(log::KeyArgs),
    Relog(log::RelogArgs),
    Adopt(log::AdoptArgs),
    Check(check::Args),
    Verify(verify::Args),
    Mirror(mirror::Args),
    ExportBundle(bundle::Args),
}

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        None => roles::run(global, &[Role::Audit]),
        Some(What::Key(args)) => crate::cli::wait(log::key(global, args)),
        Some(What::Relog(args)) => crate::cli::wait(log::relog(global, args)),
        Some(What::Adopt(args)) => crate::cli::wait(log::adopt(global, args)),
        Some(What::Check(args)) => crate::cli::wait(check::run(global, args)),
        Some(What::Verify(args)) => verify::run(global, args),
        Some(What::Mirror(args)) => crate::cli::wait(mirror::run(global, args)),
        Some(What::ExportBundle(args)) => crate::cli::wait(bundle::run(global, args)),
    }
}

/// What the log is worked on with.
pub fn parts(config: &Config, store: &Store) -> (AuditConfig, Parts) {
    let audit = config.section::<AuditConfig>();
    let places = audit.places(&config.section::<DataConfig>());
    (audit, Parts { pool: store.pool.clone(), places, now: clock::now })
}
