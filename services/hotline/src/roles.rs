//! Running roles: the shell around them, from the configuration to the exit code.

use std::process::ExitCode;

use anyhow::Context as _;
use hotline_runtime::config::{Config, LogConfig, OpsConfig};
use hotline_runtime::database::Database;
use hotline_runtime::key::MasterKey;
use hotline_runtime::lifecycle::Lifecycle;
use hotline_runtime::ops::{OpsServer, Readiness};
use hotline_runtime::{logging, metrics};

use crate::cli::Global;

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

/// What roles are started with.
#[derive(Debug)]
struct Shell {
    config: Config,
    readiness: Readiness,
    database: Database,
    master_key: MasterKey,
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
        let ops = OpsServer::bind(&config.section::<OpsConfig>(), readiness.clone(), metrics, log).await?;
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        tracing::info!(
            process.version = env!("CARGO_PKG_VERSION"),
            process.roles = names.join(","),
            ops.address = %ops.address(),
            "starting"
        );
        lifecycle.spawn_support("ops", ops.serve(lifecycle.support_token()));

        // Before the database: a new key is made only while there is no data that an old one sealed.
        let master_key = MasterKey::of(&config)?;
        let Some(database) = lifecycle.unless_stopped(Database::start(&config)).await else {
            Database::abandon(&config).await?;
            return Ok(0);
        };
        let shell = Shell { database: database?, config, readiness, master_key };
        watch(&mut lifecycle, &shell.database);
        let started = start(roles, &shell, &mut lifecycle).await;
        let code = match &started {
            Ok(()) => {
                ready.set(true);
                lifecycle.run().await
            }
            Err(_) => hotline_runtime::lifecycle::EXIT_FAILED,
        };
        // Whatever happened, the cluster is stopped and waited for.
        let closed = shell.database.close().await;
        started?;
        closed?;
        anyhow::Ok(code)
    })?;
    // A blocking task that outlived the drain must not hold up the end.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}

/// An embedded database that ends is a failure like a role's.
fn watch(lifecycle: &mut Lifecycle, database: &Database) {
    let Some(cluster) = database.cluster() else { return };
    let (watch, stop) = (cluster.watch(), lifecycle.support_token());
    lifecycle.spawn_support("embedded database", async move {
        tokio::select! {
            ended = watch => Err(ended),
            () = stop.cancelled() => Ok(()),
        }
    });
}

/// Starts each role under supervision: `lifecycle.spawn(role.name(), hotline_<role>::run(…, lifecycle.token()))`.
#[expect(clippy::unused_async, reason = "roles connect to the database before they are spawned")]
async fn start(roles: &[Role], shell: &Shell, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let _ =
        (lifecycle.token(), &shell.config, &shell.readiness, &shell.master_key, shell.database.connection());
    for role in roles {
        match role {
            Role::Gateway | Role::Casework | Role::Rates => {}
        }
    }
    Ok(())
}
