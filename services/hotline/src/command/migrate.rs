//! `hotline migrate`: the schema of the database, the logins of the roles, the role that boards read with, and the topic
//! where there is a broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_kafka::admin;
use hotline_postgres::grants::{self, Role};
use hotline_postgres::readers::{self, Name, Verifier};
use hotline_postgres::{Error, run_tx, schema};
use hotline_relay::RelayConfig;
use hotline_runtime::Secret;
use hotline_runtime::config::{Config, KafkaConfig, PostgresConfig};

use crate::broker;
use crate::global::Global;
use crate::store::Store;

/// How long the brokers may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// What a directory of passwords is.
const PASSWORDS: &str = "make a directory with a file for each login, named like it (hotline_gateway, and so on), that holds its \
                         password, such as `openssl rand -hex 24` gives; nothing was changed";

/// Brings the database's schema up to this program. With [kafka] it also makes the topics of events and of notices
/// where they are missing; one that is there is left as it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline migrate --config /etc/hotline/hotline.toml --partitions 12 --replicas 3 --reader grafana_ro\n  \
                  hotline migrate --config /etc/hotline/migrate.toml --roles --password-files /etc/hotline/passwords"
)]
pub struct Args {
    /// Partitions of a topic that is made: at most so many processes share casework.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1000))]
    partitions: i32,
    /// Copies of each partition: 3 where there are three brokers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=9))]
    replicas: i32,
    /// Makes or mends a login for each role of the program, `hotline_gateway` and so on, and `hotline_operator` for commands, each
    /// with the rights that it needs; what the program made then belongs to `hotline_owner`, as which nobody logs in. Without
    /// this the logins that are there get their rights on what is new.
    #[arg(long)]
    roles: bool,
    /// The passwords of these logins: a file each, named like the login. A login without one keeps its password.
    #[arg(long, value_name = "DIR", requires = "roles")]
    password_files: Option<PathBuf>,
    /// A role of the database that Grafana reads with; it is made or brought up to date. It sees the views of the schema
    /// `board` and nothing else.
    #[arg(long, value_name = "ROLE")]
    reader: Option<String>,
    /// The password of that role; by default [postgres] `reader_password_file`. Without one its
    /// password stays as it is.
    #[arg(long, value_name = "FILE", requires = "reader")]
    reader_password_file: Option<PathBuf>,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let reader = args.reader.as_deref().map(|name| reader(&config, name, args)).transpose()?;
    if args.roles && config.optional::<PostgresConfig>().is_none() {
        bail!(
            "the private database of this process has one user, as whoever runs the process can read its files anyway: --roles is \
             for a server of one's own, in [postgres]"
        );
    }
    let verifiers = args.password_files.as_deref().map(verifiers).transpose()?.unwrap_or_default();
    let store = Store::open_unchecked(&config).await?;
    let migrated = migrate(&store, args.roles.then_some(verifiers), reader).await;
    store.close().await?;
    migrated?;
    if let Some(kafka) = config.optional::<KafkaConfig>() {
        make_topic(&kafka, &kafka.topic, args).await?;
        let notices = config.section::<RelayConfig>().topic;
        if !notices.is_empty() {
            make_topic(&kafka, &notices, args).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The role asked for, and its password where one is given.
fn reader(config: &Config, name: &str, args: &Args) -> anyhow::Result<(Name, Option<Verifier>)> {
    let configured = || config.optional::<PostgresConfig>()?.reader_password_file;
    let verifier = match args.reader_password_file.clone().or_else(configured) {
        Some(file) => Some(Verifier::of(Secret::read(&file)?.expose())?),
        None => None,
    };
    Ok((Name::parse(name)?, verifier))
}

/// The passwords that are there, as the server keeps them.
fn verifiers(dir: &Path) -> anyhow::Result<BTreeMap<Role, Verifier>> {
    if !dir.is_dir() {
        bail!("--password-files names {}, and there is no such directory: {PASSWORDS}", dir.display());
    }
    let mut verifiers = BTreeMap::new();
    for role in Role::ALL {
        let file = dir.join(role.login());
        if file.try_exists()? {
            verifiers.insert(role, Verifier::of(Secret::read(&file)?.expose())?);
        }
    }
    if verifiers.is_empty() {
        bail!("there is no password of a login in {}: {PASSWORDS}", dir.display());
    }
    Ok(verifiers)
}

async fn migrate(
    store: &Store,
    roles: Option<BTreeMap<Role, Verifier>>,
    reader: Option<(Name, Option<Verifier>)>,
) -> anyhow::Result<()> {
    schema::migrate(&store.pool).await?;
    println!("the database has the schema of this program");
    if let Some(verifiers) = roles {
        make_logins(store, verifiers).await?;
    } else if run_tx(&store.pool, "grants::mend", &mut (), |tx, ()| Box::pin(grants::mend_if_made(tx)))
        .await?
    {
        println!(
            "the logins of the roles were there already, and have their rights on what is new; their passwords are as they were"
        );
    }
    if let Some(mut reader) = reader {
        run_tx(&store.pool, "readers::make", &mut reader, |tx, (name, verifier)| {
            Box::pin(readers::make(tx, name, verifier.as_ref()))
        })
        .await?;
        println!("the reader sees the views of the schema board and nothing else");
    }
    Ok(())
}

async fn make_logins(store: &Store, mut verifiers: BTreeMap<Role, Verifier>) -> anyhow::Result<()> {
    let made = run_tx(&store.pool, "grants::make", &mut verifiers, |tx, verifiers| {
        Box::pin(async move {
            let known = grants::survey(tx).await?;
            grants::make(tx, verifiers).await?;
            Ok(known.into_iter().map(|(role, _)| role).collect::<Vec<Role>>())
        })
    });
    let known = match made.await {
        Ok(known) => known,
        Err(error @ Error::RolesDenied) => {
            let mut here = ();
            let (user, database) =
                run_tx(&store.pool, "grants::here", &mut here, |tx, ()| Box::pin(grants::here(tx))).await?;
            let statements = grants::statements(&user, &database);
            return Err(error).with_context(|| {
                format!(
                    "no login was made or changed: let an administrator of the database run those of these statements whose \
                     role or right is not there yet, each login with a password of its own, then run this command again:\n{statements}"
                )
            });
        }
        Err(error) => return Err(error.into()),
    };
    let renewed: Vec<Role> = verifiers.keys().copied().collect();
    for line in told(&known, &renewed) {
        println!("{line}");
    }
    Ok(())
}

/// What was made of the logins, what was left as it was, and what is to be done next. `known` were there before, `renewed`
/// have a password from a file.
fn told(known: &[Role], renewed: &[Role]) -> Vec<String> {
    let logins = |is_meant: &dyn Fn(&Role) -> bool| -> Vec<String> {
        Role::ALL.iter().filter(|role| is_meant(role)).map(|role| role.login()).collect()
    };
    let without = logins(&|role| !known.contains(role) && !renewed.contains(role));
    let mut lines: Vec<String> = [
        ("logins made", logins(&|role| !known.contains(role))),
        ("logins that were there already and were kept", logins(&|role| known.contains(role))),
        ("passwords set from their files", logins(&|role| renewed.contains(role))),
        (
            "passwords left as they were, as there is no file",
            logins(&|role| known.contains(role) && !renewed.contains(role)),
        ),
    ]
    .into_iter()
    .filter(|(_, logins)| !logins.is_empty())
    .map(|(what, logins)| format!("{what}: {}", logins.join(", ")))
    .collect();
    if !without.is_empty() {
        lines.push(format!(
            "made WITHOUT a password: {}; nobody can log in with one until it is set: put each into a file named like the login, \
             and run this command again with --password-files DIR",
            without.join(", ")
        ));
    }
    lines.push(format!(
        "{} owns the tables, and nobody logs in as it; each login has the rights of its role and no more",
        grants::OWNER
    ));
    lines.push(format!(
        "next: in the configuration of each process, [postgres] user = its login and password_file = the file of its password \
         (commands take {}), then start the processes again; `hotline doctor` says whether all is in order",
        Role::Operator.login()
    ));
    lines
}

async fn make_topic(kafka: &KafkaConfig, name: &str, args: &Args) -> anyhow::Result<()> {
    let cluster = broker::cluster(kafka)?;
    let made = admin::create_topic(&cluster, name, args.partitions, args.replicas, ANSWER_WAIT)
        .await
        .with_context(|| format!("the topic {name} cannot be made"))?;
    let topic = admin::topic(&cluster, name, ANSWER_WAIT).await?;
    let topic = topic.with_context(|| format!("the topic {name} was made and is not there"))?;
    if !topic.append_time && name == kafka.topic {
        bail!(
            "the topic {name} keeps the producers' clocks: set message.timestamp.type=LogAppendTime, \
             else receipts are when casework reads"
        );
    }
    let count = topic.partitions;
    println!("the topic {name} {} with {count} partitions", if made { "was made" } else { "is there" });
    if !made && usize::try_from(args.partitions).is_ok_and(|asked| asked != count) {
        eprintln!(
            "a topic that is there is left as it is: with more partitions records of one case would come to lie in \
             two, which is right but slower; kafka-topics --alter makes them"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_logins_is_told_what_was_made_what_was_kept_and_what_is_next() {
        let made = told(&[], &Role::ALL);
        assert_eq!(made.len(), 4, "{made:#?}");
        assert!(made[0].starts_with("logins made: hotline_gateway, hotline_casework"), "{made:#?}");
        assert!(made[1].starts_with("passwords set from their files: hotline_gateway"), "{made:#?}");
        assert!(made[3].starts_with("next: "), "{made:#?}");

        let again = told(&Role::ALL, &[]);
        assert!(again[0].starts_with("logins that were there already and were kept: "), "{again:#?}");
        assert!(again[1].starts_with("passwords left as they were"), "{again:#?}");

        let mixed = told(&[Role::Gateway], &[Role::Casework]).join("\n");
        assert!(
            mixed.contains("passwords left as they were, as there is no file: hotline_gateway\n"),
            "{mixed}"
        );
        assert!(mixed.contains("WITHOUT a password: hotline_timekeeper, "), "{mixed}");
    }
}
