//! Copies of a whole database, made and taken back by PostgreSQL's own `pg_dump` and `pg_restore`.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use url::Url;

use crate::Error;
use crate::database::{Connection, Host, Target};
use crate::embedded::programs::{client, run};

/// A province's database takes hours; whoever gives up earlier stops the command.
const COPY_WAIT: Duration = Duration::from_hours(48);

/// Writes everything that a transaction's exported `snapshot` sees to a new directory.
pub async fn dump(
    connection: &Connection,
    server_major: u32,
    snapshot: &str,
    jobs: usize,
    dir: &Path,
) -> Result<(), Error> {
    let mut command = connected(client("pg_dump", server_major).await?, connection)?;
    command.args(["--format=directory", "--no-owner", "--no-privileges", "--compress=6"]);
    command.arg(format!("--snapshot={snapshot}")).arg(format!("--jobs={jobs}")).arg("--file").arg(dir);
    run(command, COPY_WAIT).await.map(drop)
}

/// Fills an empty database with what [`dump`] wrote: all of it or nothing.
pub async fn restore(connection: &Connection, server_major: u32, dir: &Path) -> Result<(), Error> {
    let mut command = connected(client("pg_restore", server_major).await?, connection)?;
    let database = match &connection.target {
        Target::Url(_) => without_password(connection)?.0,
        Target::Server { database, .. } => database.clone(),
    };
    command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--dbname"]);
    command.arg(database).arg(dir);
    run(command, COPY_WAIT).await.map(drop)
}

/// The program with the way to the database; the password is in the environment, where nobody else can read it.
fn connected(mut command: Command, connection: &Connection) -> Result<Command, Error> {
    let password = match &connection.target {
        Target::Url(_) => {
            let (url, password) = without_password(connection)?;
            // pg_restore is told where to restore to by itself.
            if command.as_std().get_program().to_string_lossy().ends_with("pg_dump") {
                command.arg("--dbname").arg(url);
            }
            password
        }
        Target::Server { host, port, user, password, database } => {
            let host: &OsStr = match host {
                Host::Network(name) => name.as_ref(),
                Host::SocketDir(dir) => dir.as_ref(),
            };
            command.env("PGHOST", host).env("PGPORT", port.to_string());
            command.env("PGUSER", user).env("PGDATABASE", database);
            password.as_ref().map(|password| password.expose().to_owned())
        }
    };
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command.arg("--no-password");
    Ok(command)
}

/// The URL of a connection without its password, and the password.
fn without_password(connection: &Connection) -> Result<(String, Option<String>), Error> {
    let Target::Url(url) = &connection.target else { return Err(Error::UrlMalformed) };
    let mut url: Url = url.expose().parse().map_err(|_| Error::UrlMalformed)?;
    let decoded = |text: &str| {
        let pair = format!("p={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    let mut password = url.password().and_then(decoded);
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    url.set_query(None);
    for (name, value) in kept {
        if name == "password" {
            password = Some(value);
        } else {
            url.query_pairs_mut().append_pair(&name, &value);
        }
    }
    let cleared = url.set_password(None);
    cleared.map_or(Err(Error::UrlMalformed), |()| Ok((url.into(), password)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn a_password_is_never_an_argument() {
        let of = |url: &str| {
            let connection = Connection { target: Target::Url(Secret::new(url)), pool_max: 1 };
            without_password(&connection).expect("it is a URL")
        };
        let plain = ("postgres://hotline@db:5433/events".to_owned(), Some("a b+c/d".to_owned()));
        assert_eq!(of("postgres://hotline:a%20b%2Bc%2Fd@db:5433/events"), plain);
        let asked = "postgres://hotline@db/events?sslmode=require".to_owned();
        assert_eq!(
            of("postgres://hotline@db/events?password=s&sslmode=require"),
            (asked, Some("s".to_owned()))
        );
        assert_eq!(of("postgres://db/events"), ("postgres://db/events".to_owned(), None));
    }
}
