//! Running roles: the shell around them, from the configuration to the exit code.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_casework::{CaseworkConfig, Intake, Told};
use hotline_core::rulebook::{Files, load};
use hotline_events::Tagger;
use hotline_gateway::{GatewayConfig, Server, Sink};
use hotline_kafka::admin;
use hotline_postgres::{CaseWriter, Error, Rules, Sort, grants, handover, schema};
use hotline_rates::RatesConfig;
use hotline_relay::RelayConfig;
use hotline_runtime::config::{Config, KafkaConfig, LogConfig, OpsConfig, PostgresConfig};
use hotline_runtime::database::Database;
use hotline_runtime::lifecycle::{EXIT_FAILED, EXIT_OK, Lifecycle};
use hotline_runtime::ops::{Condition, OpsServer, Readiness};
use hotline_runtime::{clock, logging, metrics};
use hotline_timekeeper::TimekeeperConfig;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::broker;
use crate::command;
use crate::files;
use crate::global::Global;
use crate::store::Store;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Casework,
    Timekeeper,
    Relay,
    Rates,
    Audit,
}

impl Role {
    pub const ALL: &[Self] =
        &[Self::Gateway, Self::Casework, Self::Timekeeper, Self::Relay, Self::Rates, Self::Audit];

    /// Whether it reads from a broker, or writes to one.
    fn meets_broker(self) -> bool {
        matches!(self, Self::Gateway | Self::Casework | Self::Relay)
    }

    /// Whose login it has in the database.
    const fn in_database(self) -> grants::Role {
        match self {
            Self::Gateway => grants::Role::Gateway,
            Self::Casework => grants::Role::Casework,
            Self::Timekeeper => grants::Role::Timekeeper,
            Self::Relay => grants::Role::Relay,
            Self::Rates => grants::Role::Rates,
            Self::Audit => grants::Role::Audit,
        }
    }

    const fn name(self) -> &'static str {
        self.in_database().name()
    }
}

/// Where the roles of this process listen.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// None where the gateway is not among them.
    pub gateway: Option<SocketAddr>,
    /// … or audit.
    pub audit: Option<SocketAddr>,
    pub ops: SocketAddr,
}

/// Runs the roles until a signal or a failure.
pub fn run(global: &Global, roles: &[Role]) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let forever = async |_: &Store, _| std::future::pending::<()>().await;
    Ok(run_around(&config, roles, None, forever)?.0)
}

/// Runs the roles around some work, until a signal or a failure, or until the work is done; then there is its result.
/// With `rulebook` that one is in force: a database with another is refused.
pub fn run_around<T>(
    config: &Config,
    roles: &[Role],
    rulebook: Option<&Files>,
    work: impl AsyncFnOnce(&Store, Addresses) -> T,
) -> anyhow::Result<(ExitCode, Option<T>)> {
    let log = logging::install(&config.section::<LogConfig>())?;
    let ops = config.section::<OpsConfig>();
    let install = || metrics::install(env!("CARGO_PKG_VERSION"), hotline_observe::LISTS);
    let metrics = ops.metrics.then(install).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the process")?;
    let ended = runtime.block_on(async {
        let readiness = Readiness::default();
        let ready = readiness.condition("started");
        let mut lifecycle = Lifecycle::new(&readiness)?;
        let ops = OpsServer::bind(&ops, readiness.clone(), metrics, log).await?;
        let ops_address = ops.address();
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        tracing::info!(
            process.version = env!("CARGO_PKG_VERSION"),
            process.roles = names.join(","),
            ops.address = %ops_address,
            "starting"
        );
        lifecycle.spawn_support("ops", ops.serve(lifecycle.support_token()));

        let takes_in = roles.contains(&Role::Gateway);
        let listener = if takes_in { Some(Server::listen(&config.section()).await?) } else { None };
        let answers = roles.contains(&Role::Audit);
        let auditors =
            if answers { Some(hotline_audit::Server::listen(&config.section()).await?) } else { None };
        let listeners = Listeners { gateway: listener, auditors };
        let Some(store) = lifecycle.unless_stopped(Box::pin(Store::start(config))).await else {
            Database::abandon(config).await?;
            return Ok((EXIT_OK, None));
        };
        let store = store?;
        watch_cluster(&mut lifecycle, &store);
        let ground = Ground::of(&store);
        let begun = match together(config, roles) {
            Ok(()) => {
                let beginning = Beginning { config, store: &store, ground: &ground, roles, rulebook };
                lifecycle.unless_stopped(Box::pin(beginning.make())).await
            }
            Err(error) => Some(Err(error)),
        };
        let Some(begun) = begun else {
            store.close().await?;
            return Ok((EXIT_OK, None));
        };
        let kafka = config.optional::<KafkaConfig>();
        // Before a broker a gateway goes on without the database.
        if kafka.is_none() || roles != [Role::Gateway] {
            let writes =
                [Role::Casework, Role::Timekeeper, Role::Relay].iter().any(|role| roles.contains(role));
            watch_database(&mut lifecycle, &store, writes, readiness.condition("database"));
        }
        if let Some(kafka) = kafka.filter(|_| roles.iter().any(|role| role.meets_broker())) {
            watch_broker(&mut lifecycle, kafka, readiness.condition("broker"))?;
        }
        // Where a gateway is in the process too, it goes on: a halted partition must not cost it its callers.
        let halting = roles == [Role::Casework] && config.optional::<KafkaConfig>().is_some();
        let sound = halting.then(|| readiness.condition("partitions"));
        let started = match begun {
            Ok(()) => start(roles, config, listeners, sound, &store, ground, &mut lifecycle),
            Err(error) => Err(error),
        };
        let mut done = None;
        let code = match &started {
            Ok((gateway, audit)) => {
                ready.set(true);
                let addresses = Addresses { gateway: *gateway, audit: *audit, ops: ops_address };
                lifecycle.run_until(async { done = Some(work(&store, addresses).await) }).await
            }
            Err(_) => EXIT_FAILED,
        };
        // Whatever happened, the cluster is stopped and waited for.
        let closed = store.close().await;
        started?;
        closed?;
        anyhow::Ok((code, done))
    });
    // A blocking task that outlived the drain must not hold up the end.
    runtime.shutdown_background();
    let (code, done) = ended?;
    Ok((ExitCode::from(code), done))
}

/// How often database and broker are asked whether they answer, and how long they may take.
const ASKED_EVERY: Duration = Duration::from_secs(5);
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// How long a beginning may wait for a database that has answered once, and how soon it is tried again.
const BEGINNING_WAIT: Duration = Duration::from_mins(1);
const BEGUN_AGAIN_AFTER: Duration = Duration::from_millis(250);
const BEGUN_AGAIN_MAX: Duration = Duration::from_secs(5);

/// Whether the database answers is a condition of being ready; for whoever writes, that it keeps what is written.
fn watch_database(lifecycle: &mut Lifecycle, store: &Store, writes: bool, answers: Condition) {
    let (pool, stop) = (store.pool.clone(), lifecycle.support_token());
    lifecycle.spawn_support("database", async move {
        while !stop.is_cancelled() {
            let asked = async {
                if writes {
                    hotline_postgres::writes(&pool).await
                } else {
                    hotline_postgres::answers(&pool).await
                }
            };
            answers.set(matches!(timeout(ANSWER_WAIT, asked).await, Ok(Ok(()))));
            tokio::select! {
                () = sleep(ASKED_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok::<(), Error>(())
    });
}

/// Whether the broker answers and has the topic is a condition of being ready. Each new trouble is told.
fn watch_broker(lifecycle: &mut Lifecycle, kafka: KafkaConfig, answers: Condition) -> anyhow::Result<()> {
    let (cluster, stop) = (broker::cluster(&kafka)?, lifecycle.support_token());
    lifecycle.spawn_support("broker", async move {
        let mut told = None;
        while !stop.is_cancelled() {
            let missing = match admin::partitions(&cluster, &kafka.topic, ANSWER_WAIT).await {
                Ok(Some(_)) => None,
                Ok(None) => Some("it has no such topic: `hotline migrate` makes it".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            answers.set(missing.is_none());
            if missing.is_some() && missing != told {
                let (brokers, topic) = (kafka.brokers.as_str(), kafka.topic.as_str());
                tracing::warn!(
                    kafka.brokers = brokers,
                    kafka.topic = topic,
                    reason = missing,
                    "not ready: the broker"
                );
            }
            told = missing;
            tokio::select! {
                () = sleep(ASKED_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok::<(), Error>(())
    });
    Ok(())
}

/// An embedded database that ends is a failure like a role's.
fn watch_cluster(lifecycle: &mut Lifecycle, store: &Store) {
    let Some(cluster) = store.database().cluster() else { return };
    let (watch, stop) = (cluster.watch(), lifecycle.support_token());
    lifecycle.spawn_support("embedded database", async move {
        tokio::select! {
            ended = watch => Err(ended),
            () = stop.cancelled() => Ok(()),
        }
    });
}

/// Without a broker the gateway hands batches to casework in this process, so the two come together.
fn together(config: &Config, roles: &[Role]) -> anyhow::Result<()> {
    let (takes_in, folds) = (roles.contains(&Role::Gateway), roles.contains(&Role::Casework));
    if config.optional::<KafkaConfig>().is_none() && takes_in != folds {
        bail!(
            "without [kafka] gateway and casework meet in one process: run `hotline all`, or name a broker in [kafka]"
        );
    }
    Ok(())
}

/// What the roles of a process share.
struct Ground {
    writer: Arc<CaseWriter>,
    in_force: Arc<Rules>,
}

impl Ground {
    fn of(store: &Store) -> Self {
        Self {
            writer: Arc::new(CaseWriter::new(store.pool.clone(), store.master.clone())),
            in_force: Arc::new(Rules::new(store.pool.clone())),
        }
    }
}

/// The addresses that were taken before anything else was begun.
struct Listeners {
    gateway: Option<TcpListener>,
    auditors: Option<TcpListener>,
}

/// Starts each role under supervision; returns where the gateway and where audit listens, if they are among them.
fn start(
    roles: &[Role],
    config: &Config,
    listeners: Listeners,
    sound: Option<Condition>,
    store: &Store,
    ground: Ground,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<(Option<SocketAddr>, Option<SocketAddr>)> {
    let kafka = config.optional::<KafkaConfig>();
    let Ground { writer, in_force } = ground;
    let rates =
        hotline_rates::Parts { pool: store.pool.clone(), rules: Arc::clone(&in_force), now: clock::now };
    let mut listens = None;
    let (handovers, requests) = handover::channel();
    if let Some(listener) = listeners.gateway {
        let sink = match &kafka {
            Some(kafka) => Sink::Topic(broker::sink(kafka, &store.master)?),
            None => Sink::Casework(handovers),
        };
        let gateway = hotline_gateway::Parts {
            pool: store.pool.clone(),
            rules: Arc::clone(&in_force),
            tagger: Tagger::keyed(&store.master.tag_key()),
            writer: Arc::clone(&writer),
            sink,
            now: clock::now,
        };
        let server = Server::new(listener, config.section::<GatewayConfig>(), gateway)?;
        listens = Some(server.address());
        let reads = hotline_rates::router(rates.clone()).merge(hotline_relay::router(store.pool.clone()));
        lifecycle.spawn(Role::Gateway.name(), server.run(reads, lifecycle.token()));
    }
    let keeps_time = roles.contains(&Role::Timekeeper).then(|| Arc::clone(&writer));
    if roles.contains(&Role::Casework) {
        let casework = config.section::<CaseworkConfig>();
        let intake = match &kafka {
            Some(kafka) => {
                let halted = Told(Arc::new(move |halted| {
                    if let Some(sound) = &sound {
                        sound.set(halted == 0);
                    }
                }));
                (halted.0)(0);
                Intake::Topic(Box::new(broker::source(kafka, &casework, &store.master, halted)?))
            }
            None => Intake::Handovers(requests),
        };
        let run = hotline_casework::run(writer, casework, Arc::new(clock::now), intake, lifecycle.token());
        lifecycle.spawn(Role::Casework.name(), run);
    }
    if let Some(writer) = keeps_time {
        let run = hotline_timekeeper::run(
            writer,
            config.section::<TimekeeperConfig>(),
            clock::now,
            lifecycle.token(),
        );
        lifecycle.spawn(Role::Timekeeper.name(), run);
    }
    if roles.contains(&Role::Relay) {
        let relay = config.section::<RelayConfig>();
        let topic = match kafka.as_ref().filter(|_| !relay.topic.is_empty()) {
            Some(kafka) => Some(broker::notices(kafka, &relay.topic)?),
            None => None,
        };
        let parts = hotline_relay::Parts { pool: store.pool.clone(), topic, now: clock::now };
        lifecycle.spawn(Role::Relay.name(), hotline_relay::run(relay, parts, lifecycle.token()));
    }
    if roles.contains(&Role::Rates) {
        let run = hotline_rates::run(config.section::<RatesConfig>(), rates, lifecycle.token());
        lifecycle.spawn(Role::Rates.name(), run);
    }
    let mut answers = None;
    if let Some(listener) = listeners.auditors {
        let parts = hotline_audit::Parts {
            pool: store.pool.clone(),
            rules: in_force,
            master: store.master.clone(),
            now: clock::now,
        };
        let (audit, log) = command::audit::parts(config, store);
        let server = hotline_audit::Server::new(listener, audit, parts, log);
        answers = Some(server.address());
        lifecycle.spawn(Role::Audit.name(), server.run(lifecycle.token()));
    }
    Ok((listens, answers))
}

/// What must be true of the database before a role begins.
struct Beginning<'b> {
    config: &'b Config,
    store: &'b Store,
    ground: &'b Ground,
    roles: &'b [Role],
    rulebook: Option<&'b Files>,
}

impl Beginning<'_> {
    /// A database that goes away in the meantime is waited for; everything here may be done twice.
    async fn make(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + BEGINNING_WAIT;
        let mut pause = BEGUN_AGAIN_AFTER;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.attempt().await {
                Err(error) if is_environment(&error) && !left.is_zero() => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the database is away or ill: beginning again"
                    );
                    sleep(pause.min(left)).await;
                    pause = pause.saturating_mul(2).min(BEGUN_AGAIN_MAX);
                }
                made => return made,
            }
        }
    }

    async fn attempt(&self) -> anyhow::Result<()> {
        if self.config.optional::<PostgresConfig>().is_none() {
            // A private cluster belongs to this program; a server of one's own is migrated by `hotline migrate`.
            schema::migrate(&self.store.pool).await?;
        }
        let logins: Vec<grants::Role> = self.roles.iter().map(|role| role.in_database()).collect();
        let checked = schema::check(&self.store.pool).await;
        // A login that may not even ask for the schema is told what it lacks; one that may is told of the schema first.
        if checked.as_ref().err().is_none_or(Error::is_denied) {
            grants::check(&self.store.pool, &logins).await?;
        }
        checked?;
        let Ground { writer, in_force } = self.ground;
        let folds = self.roles.contains(&Role::Casework);
        let opens = self.roles.iter().any(|role| !matches!(role, Role::Rates | Role::Relay | Role::Audit));
        if opens || self.rulebook.is_some() {
            // Sealed with another master key than the database's, nothing could ever be read again.
            if folds || self.rulebook.is_some() {
                writer.prepare(clock::now()).await?;
            } else {
                writer.belongs(clock::now()).await?;
            }
        }
        match self.rulebook {
            Some(files) => only_rulebook(files, writer, in_force).await,
            None if folds => first_rulebook(self.config, writer, in_force).await,
            None => Ok(()),
        }
    }
}

fn is_environment(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| matches!(error.sort(), Sort::Environment | Sort::Race))
}

/// A new installation takes this rulebook; one that has another is somebody else's.
async fn only_rulebook(files: &Files, writer: &CaseWriter, rules: &Rules) -> anyhow::Result<()> {
    let loaded = load(files)
        .map_err(|faults| anyhow::anyhow!("the rulebook has faults:\n{}", files::listed(&faults)))?;
    match rules.current().await {
        Ok(active) if active.rulebook.hash == loaded.rulebook.hash => Ok(()),
        Ok(_) => bail!("this database has another rulebook: it is not this one's; choose another directory"),
        Err(Error::NoRulebook) => {
            writer.activate(files, &loaded.rulebook, false, clock::now()).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// A new installation takes the rulebook beside its configuration; later ones are activated by command.
async fn first_rulebook(config: &Config, writer: &CaseWriter, rules: &Rules) -> anyhow::Result<()> {
    match rules.current().await {
        Err(Error::NoRulebook) => {}
        Err(error) => return Err(error.into()),
        Ok(active) => {
            match config.rulebook_dir().map(|dir| files::rulebook(&dir)) {
                Some(Ok(loaded)) if loaded.rulebook.hash != active.rulebook.hash => tracing::warn!(
                    rulebook.seq = active.seq,
                    rulebook.hash = %active.rulebook.hash,
                    "the rulebook directory differs from the active rulebook: run `hotline rulebook activate DIR`"
                ),
                Some(Err(error)) => tracing::warn!(
                    rulebook.seq = active.seq,
                    error = format!("{error:#}"),
                    "the rulebook directory has faults; the active rulebook goes on: run `hotline rulebook check DIR`"
                ),
                _ => {}
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
