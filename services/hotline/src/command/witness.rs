//! `hotline witness`: looks at the log of somebody else, and puts its name under what goes on from what it saw.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hotline_audit::log::note::Kind;
use hotline_audit::witness::{self, Follow, Witness};
use hotline_runtime::config::LogConfig;
use hotline_runtime::{clock, logging};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::audit::verify;

/// Runs a witness of a closure log: a small program without a database, for a machine of whoever does not want to take the log
/// at its word. It looks whether each checkpoint goes on from the last one that it saw, puts its name under it, and keeps it.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  hotline witness key --state /var/lib/witness --name audit-office.example/w1\n  \
                  hotline witness --state /var/lib/witness --log log.vkey --listen 0.0.0.0:8790\n  \
                  hotline witness --state /var/lib/witness --log log.vkey --follow https://hotline.example.gov.cn/log"
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Its directory: key, last checkpoints, every note it cosigned. Back it up; it must never go back.
    #[arg(long, value_name = "DIR", required = true)]
    state: Option<PathBuf>,
    /// The verifier key of a log, or a file with it.
    #[arg(long, value_name = "VKEY", required = true)]
    log: Vec<String>,
    /// Where logs show it their checkpoints (`POST /add-checkpoint`).
    #[arg(long, value_name = "ADDRESS", required_unless_present = "follow")]
    listen: Option<SocketAddr>,
    /// Looks by itself at what a log publishes under this URL, where the log cannot reach the witness.
    #[arg(long, value_name = "URL")]
    follow: Option<String>,
    /// How often.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    every: u64,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Prints the verifier key of the witness, which the log's configuration and whoever checks are given; makes it first.
    #[command(
        after_help = "Example:\n  hotline witness key --state /var/lib/witness --name audit-office.example/w1"
    )]
    Key {
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// What it is called, when it is made: a name without spaces and plus, such as a domain and path.
        #[arg(long)]
        name: Option<String>,
    },
}

pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(What::Key { state, name }) = &args.what {
        println!("{}", Witness::key(state, name.as_deref())?);
        return Ok(ExitCode::SUCCESS);
    }
    let RunArgs { state, log, listen, follow, every } = &args.run;
    let state = state.as_ref().context("--state DIR is missing")?;
    let keys = log.iter().map(|text| verify::key(text, Kind::Log)).collect::<anyhow::Result<Vec<_>>>()?;
    logging::install(&LogConfig::default())?;
    let witness = Arc::new(Witness::open(state, &keys)?);
    let stop = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(url) = follow {
        let follow = Follow { url: url.clone(), every: Duration::from_secs((*every).max(1)) };
        let (witness, stop) = (Arc::clone(&witness), stop.clone());
        tasks.spawn(async move {
            follow.run(witness, clock::now, stop).await;
            anyhow::Ok(())
        });
    }
    if let Some(listen) = listen {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        tracing::info!(witness.address = %listener.local_addr()?, "witnessing");
        let (router, stop) = (witness::router(Arc::clone(&witness), clock::now), stop.clone());
        tasks.spawn(async move {
            let serving = witness::serve(listener, router, stop).await;
            Ok(serving?)
        });
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let ended = tokio::select! {
        _ = tokio::signal::ctrl_c() => None,
        _ = terminate.recv() => None,
        ended = tasks.join_next() => ended,
    };
    stop.cancel();
    if let Some(ended) = ended {
        ended??;
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(ExitCode::SUCCESS)
}
