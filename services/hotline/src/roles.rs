//! Running roles: the shell around them, from the configuration to the exit code.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use hotline_casework::CaseworkConfig;
use hotline_core::rulebook::load;
use hotline_events::Tagger;
use hotline_gateway::{GatewayConfig, Server};
use hotline_postgres::{CaseWriter, Error, Rules, handover, schema};
use hotline_rates::RatesConfig;
use hotline_runtime::config::{Config, LogConfig, OpsConfig, PostgresConfig};
use hotline_runtime::database::Database;
use hotline_runtime::lifecycle::{EXIT_FAILED, Lifecycle};
use hotline_runtime::ops::{OpsServer, Readiness};
use hotline_runtime::{clock, logging, metrics};

use crate::files;
use crate::global::Global;
use crate::store::Store;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Casework,
    Rates,
}

impl Role {
    pub const ALL: &[Self] = &[Self::Gateway, Self::Casework, Self::Rates];

    const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Casework => "casework",
            Self::Rates => "rates",
        }
    }
}

/// Runs the roles until a signal or a failure.
pub fn run(global: &Global, roles: &[Role]) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let log = logging::install(&config.section::<LogConfig>())?;
    let metrics = metrics::install(env!("CARGO_PKG_VERSION"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the process")?;
    let code = runtime.block_on(async {
        let readiness = Readiness::default();
        let ready = readiness.condition("started");
        let mut lifecycle = Lifecycle::new(&readiness)?;
        let ops = OpsServer::bind(&config.section::<OpsConfig>(), readiness, metrics, log).await?;
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        tracing::info!(
            process.version = env!("CARGO_PKG_VERSION"),
            process.roles = names.join(","),
            ops.address = %ops.address(),
            "starting"
        );
        lifecycle.spawn_support("ops", ops.serve(lifecycle.support_token()));

        let Some(store) = lifecycle.unless_stopped(Store::start(&config)).await else {
            Database::abandon(&config).await?;
            return Ok(0);
        };
        let store = store?;
        watch(&mut lifecycle, &store);
        let started = start(roles, &config, &store, &mut lifecycle).await;
        let code = match &started {
            Ok(()) => {
                ready.set(true);
                lifecycle.run().await
            }
            Err(_) => EXIT_FAILED,
        };
        // Whatever happened, the cluster is stopped and waited for.
        let closed = store.close().await;
        started?;
        closed?;
        anyhow::Ok(code)
    })?;
    // A blocking task that outlived the drain must not hold up the end.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}

/// An embedded database that ends is a failure like a role's.
fn watch(lifecycle: &mut Lifecycle, store: &Store) {
    let Some(cluster) = store.database().cluster() else { return };
    let (watch, stop) = (cluster.watch(), lifecycle.support_token());
    lifecycle.spawn_support("embedded database", async move {
        tokio::select! {
            ended = watch => Err(ended),
            () = stop.cancelled() => Ok(()),
        }
    });
}

/// Starts each role under supervision. Without a broker the gateway hands batches to casework in this process, so
/// the two come together.
async fn start(
    roles: &[Role],
    config: &Config,
    store: &Store,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<()> {
    if roles.contains(&Role::Gateway) != roles.contains(&Role::Casework) {
        bail!("gateway and casework meet in one process until they meet in a broker: run `hotline all`");
    }
    if config.optional::<PostgresConfig>().is_none() {
        // A private cluster belongs to this program; a server of one's own is migrated by `hotline migrate`.
        schema::migrate(&store.pool).await?;
    }
    schema::check(&store.pool).await?;
    let in_force = Arc::new(Rules::new(store.pool.clone()));
    let rates =
        hotline_rates::Parts { pool: store.pool.clone(), rules: Arc::clone(&in_force), now: clock::now };
    if roles.contains(&Role::Casework) {
        let writer = Arc::new(CaseWriter::new(store.pool.clone(), store.master.clone()));
        writer.prepare(clock::now()).await?;
        first_rulebook(config, &writer, &in_force).await?;
        let (handovers, requests) = handover::channel();
        let gateway = hotline_gateway::Parts {
            pool: store.pool.clone(),
            rules: in_force,
            tagger: Tagger::keyed(&store.master.tag_key()),
            handovers,
            now: clock::now,
        };
        let server = Server::bind(config.section::<GatewayConfig>(), gateway).await?;
        let reads = hotline_rates::router(rates.clone());
        let casework = config.section::<CaseworkConfig>();
        let casework =
            hotline_casework::run(writer, casework, Arc::new(clock::now), requests, lifecycle.token());
        lifecycle.spawn(Role::Casework.name(), casework);
        lifecycle.spawn(Role::Gateway.name(), server.run(reads, lifecycle.token()));
    }
    if roles.contains(&Role::Rates) {
        let run = hotline_rates::run(config.section::<RatesConfig>(), rates, lifecycle.token());
        lifecycle.spawn(Role::Rates.name(), run);
    }
    Ok(())
}

/// A new installation takes the rulebook beside its configuration; later ones are activated by command.
async fn first_rulebook(config: &Config, writer: &CaseWriter, rules: &Rules) -> anyhow::Result<()> {
    match rules.current().await {
        Err(Error::NoRulebook) => {}
        Err(error) => return Err(error.into()),
        Ok(active) => {
            let dir = config.rulebook_dir().and_then(|dir| load(&files::rulebook_files(&dir).ok()?).ok());
            if dir.is_some_and(|loaded| loaded.rulebook.hash != active.rulebook.hash) {
                tracing::warn!(
                    rulebook.seq = active.seq,
                    rulebook.hash = %active.rulebook.hash,
                    "the rulebook directory differs from the active rulebook: run `hotline rulebook activate`"
                );
            }
            return Ok(());
        }
    }
    let Some(dir) = config.rulebook_dir() else {
        bail!("no rulebook is active yet: set [rulebook] dir, or run `hotline rulebook activate DIR` once");
    };
    let loaded = files::rulebook(&dir)?;
    let files = files::rulebook_files(&dir)?;
    writer
        .activate(&files, &loaded.rulebook, false, clock::now())
        .await
        .with_context(|| format!("the rulebook {} cannot be activated", dir.display()))?;
    Ok(())
}
