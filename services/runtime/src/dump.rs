//! Copies of a whole database, made and taken back by PostgreSQL's own `pg_dump` and `pg_restore`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use url::Url;

use crate::Error;
use crate::database::{Connection, Host, Target};
use crate::embedded::programs::{client, run};

/// A province's database takes hours; whoever gives up earlier stops the command.
pub const COPY_WAIT: Duration = Duration::from_hours(48);

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
    // A restored database is not whole before the last step, which says so by filling this table.
    command.arg("--exclude-table-data=_sqlx_migrations");
    command.arg(format!("--snapshot={snapshot}")).arg(format!("--jobs={jobs}")).arg("--file").arg(dir);
    run(command, COPY_WAIT).await.map(drop)
}

/// Fills an empty database with what [`dump`] wrote: all of it or nothing. Extensions are the server's affair, not the
/// backup's.
pub async fn restore(connection: &Connection, server_major: u32, dir: &Path) -> Result<(), Error> {
    let mut command = client("pg_restore", server_major).await?;
    command.arg("--list").arg(dir);
    let listed = run(command, COPY_WAIT).await?;
    let list = Listed::write(listed.lines().filter(|line| !line.contains(" EXTENSION ")))?;
    let mut command = connected(client("pg_restore", server_major).await?, connection)?;
    let database = match &connection.target {
        Target::Url(_) => without_password(connection)?.0,
        Target::Server { database, .. } => database.clone(),
    };
    command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--dbname"]);
    command.arg(database).arg("--use-list").arg(&list.0).arg(dir);
    run(command, COPY_WAIT).await.map(drop)
}

/// What to restore, in a file that is gone with its value.
struct Listed(PathBuf);

impl Listed {
    fn write<'l>(lines: impl Iterator<Item = &'l str>) -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("hotline-restore-{}", crate::key::random_hex()?));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        std::fs::write(&path, text).map_err(|source| Error::FileUnwritable { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        // One that stays lies in the system's own folder for such.
        let _ = std::fs::remove_file(&self.0);
    }
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

/// The URL of a connection without its password, as libpq reads it, and the password.
fn without_password(connection: &Connection) -> Result<(String, Option<String>), Error> {
    let Target::Url(url) = &connection.target else { return Err(Error::UrlMalformed) };
    let mut url: Url = url.expose().parse().map_err(|_| Error::UrlMalformed)?;
    let mut password = url.password().map(decoded);
    let mut kept = Vec::new();
    // Taken apart as it stands: to write it anew would change what it says.
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match LIBPQ.iter().find(|(ours, _)| *ours == name) {
            _ if name == "password" => password = Some(decoded(value)),
            Some((_, "")) => {}
            Some((_, theirs)) => kept.push(format!("{theirs}={value}")),
            None => kept.push(pair.to_owned()),
        }
    }
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    let cleared = url.set_password(None);
    cleared.map_or(Err(Error::UrlMalformed), |()| Ok((url.into(), password)))
}

/// Names that hotline understands in a URL, and what libpq calls them; empty: nothing that concerns it.
const LIBPQ: [(&str, &str); 7] = [
    ("ssl-mode", "sslmode"),
    ("ssl-root-cert", "sslrootcert"),
    ("ssl-ca", "sslrootcert"),
    ("ssl-cert", "sslcert"),
    ("ssl-key", "sslkey"),
    ("statement-cache-capacity", ""),
    ("application_name", ""),
];

fn decoded(text: &str) -> String {
    let pair = format!("p={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
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
        let options = "postgres://db/events?options=-c%20statement_timeout%3D0&sslrootcert=ca.pem".to_owned();
        assert_eq!(
            of(
                "postgres://db/events?options=-c%20statement_timeout%3D0&statement-cache-capacity=9&ssl-ca=ca.pem"
            ),
            (options, None)
        );
    }
}
