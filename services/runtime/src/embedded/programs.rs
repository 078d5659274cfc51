//! PostgreSQL's programs: where they are, which version, and how they are run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::account::Account;
use crate::Error;

/// The oldest major version with what is used here (`wal_compression = lz4`).
const MAJOR_MIN: u32 = 15;
const NEEDED: [&str; 3] = ["postgres", "initdb", "pg_ctl"];
/// Directories that hold a `bin` per major version: Debian, and the PostgreSQL project's RPMs.
const VERSIONED: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];
/// Asking a program for its version or a setting takes milliseconds.
const ASK_WAIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Programs {
    pub(super) bin_dir: PathBuf,
    pub(super) major: u32,
    pub(super) account: Option<Account>,
}

impl Programs {
    /// The programs of the cluster's own major version, or the first new enough ones for a new cluster.
    pub(super) async fn find(cluster: &Path, account: Option<Account>) -> Result<Self, Error> {
        let wanted: Option<u32> =
            fs::read_to_string(cluster.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        for bin_dir in candidates(&NEEDED).await {
            let Some(major) = version_of(&bin_dir.join("postgres")).await else { continue };
            if wanted.map_or(major >= MAJOR_MIN, |wanted| wanted == major) {
                return Ok(Self { bin_dir, major, account });
            }
        }
        Err(match wanted {
            Some(major) => Error::PostgresMajorNotFound { cluster: cluster.to_owned(), major },
            None => Error::PostgresNotFound,
        })
    }

    /// A program as the account, in an environment of its own and out of reach of the terminal's Ctrl-C.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = bare(&self.bin_dir.join(name));
        command.process_group(0);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Whether the server would start with `setting=value`.
    pub(super) async fn accepts(&self, cluster: &Path, setting: &str, value: &str) -> bool {
        let mut command = self.command("postgres");
        command.arg("-D").arg(cluster).args(["-C", setting, "-c"]).arg(format!("{setting}={value}"));
        run(command, ASK_WAIT).await.is_ok()
    }
}

/// Nothing of the caller's environment: PGDATA, PGHOST or a locale would change what the programs do.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// … for one that talks to a server: by the caller's settings of TLS, and with paths as the caller means them.
fn talking(program: &Path) -> Command {
    let mut command = bare(program);
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PGSSL")));
    command.current_dir(".");
    command
}

/// Runs a program to its end and returns what it printed.
pub(crate) async fn run(mut command: Command, limit: Duration) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    match tokio::time::timeout(limit, command.output()).await {
        Err(_) => Err(Error::ProgramSlow { program, limit }),
        Ok(Err(source)) => Err(Error::FileUnreadable { path: PathBuf::from(program), source }),
        Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Ok(output)) => Err(Error::ProgramFailed {
            program,
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

/// A program that talks to a server: of the server's own major version, else the first newer one.
pub(crate) async fn client(name: &'static str, server_major: u32) -> Result<Command, Error> {
    let mut newer = None;
    for bin_dir in candidates(&[name]).await {
        let program = bin_dir.join(name);
        match version_of(&program).await {
            Some(major) if major == server_major => return Ok(talking(&program)),
            Some(major) if major > server_major => newer = newer.or(Some(program)),
            _ => {}
        }
    }
    newer.map(|program| talking(&program)).ok_or(Error::ClientNotFound { name, server_major })
}

/// PATH, `pg_config --bindir`, then the versioned directories from the newest down; those that hold all that is needed.
async fn candidates(needed: &[&str]) -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the shell looks for programs where the user's shell does")]
    let path = std::env::var("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    let pg_config = found.iter().map(|dir| dir.join("pg_config")).find(|program| program.is_file());
    if let Some(program) = pg_config {
        let mut command = bare(&program);
        command.arg("--bindir");
        found.extend(run(command, ASK_WAIT).await.ok().map(|text| PathBuf::from(text.trim())));
    }
    found.extend(versioned());
    found.retain(|dir| needed.iter().all(|name| dir.join(name).is_file()));
    found.iter().map(|dir| home_of(dir, needed[0])).collect()
}

/// Where a directory's links lead: PATH may hold links to a few programs, their home holds all.
fn home_of(dir: &Path, name: &str) -> PathBuf {
    let home = fs::canonicalize(dir.join(name)).ok().and_then(|program| program.parent().map(Path::to_owned));
    home.unwrap_or_else(|| dir.to_owned())
}

fn versioned() -> impl Iterator<Item = PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = VERSIONED
        .iter()
        .flat_map(|(base, prefix)| {
            let entries = fs::read_dir(base).into_iter().flatten().flatten();
            entries.filter_map(move |entry| {
                let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, dir)| dir)
}

/// The major version of a program.
async fn version_of(program: &Path) -> Option<u32> {
    let mut command = bare(program);
    command.arg("--version");
    parse_version(&run(command, ASK_WAIT).await.ok()?)
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `pg_dump (PostgreSQL) 18beta1`.
fn parse_version(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read() {
        for (text, major) in [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres", None),
        ] {
            assert_eq!(super::parse_version(text), major, "{text}");
        }
    }
}
