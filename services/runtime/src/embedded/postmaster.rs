//! The postmaster of a cluster as seen from outside: `postmaster.pid` and /proc.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) socket_dir: PathBuf,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Ready,
    Stopping,
}

impl Postmaster {
    pub(super) fn is_reachable(&self) -> bool {
        self.state == State::Ready && self.socket_dir.join(format!(".s.PGSQL.{}", self.port)).exists()
    }
}

/// The living postmaster of this cluster. A process that only has its number is not one: the command
/// line must name the directory.
pub(super) fn live(cluster: &Path) -> Option<Postmaster> {
    let postmaster = parse(&fs::read_to_string(pid_file(cluster)).ok()?)?;
    let arguments = fs::read(format!("/proc/{}/cmdline", postmaster.pid)).ok()?;
    let named =
        arguments.split(|byte| *byte == 0).any(|argument| argument == cluster.as_os_str().as_encoded_bytes());
    named.then_some(postmaster)
}

/// Whether sessions of a killed postmaster still end. Their titles carry the cluster's name; a new
/// postmaster must wait for them, as they share its memory.
pub(super) fn has_orphans(cluster_name: &str) -> bool {
    let title = format!("postgres: {cluster_name}: ");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|command_line| command_line.starts_with(title.as_bytes()))
}

/// Removes lock files whose number now belongs to some other process, or to a dead one that nobody has
/// reaped. PostgreSQL would take that one for a postmaster and refuse to start: after a restarted
/// container the numbers come again.
/// Only called when neither a postmaster nor sessions of this cluster live.
pub(super) fn clear_reused(cluster: &Path, socket_dir: &Path) -> Result<(), Error> {
    let mut locks = vec![pid_file(cluster)];
    let sockets = fs::read_dir(socket_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    locks.extend(sockets.filter(|path| path.extension().is_some_and(|extension| extension == "lock")));
    for path in locks {
        let holder =
            fs::read_to_string(&path).ok().and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
        if holder.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            fs::remove_file(&path).map_err(|source| Error::FileUnwritable { path, source })?;
        }
    }
    Ok(())
}

/// Whether the process still runs; a dead one that nobody has reaped does not.
pub(super) fn is_running(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command_line| !command_line.is_empty())
}

fn pid_file(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

/// Lines: pid, data directory, start, port, socket directory, listen address, shared memory, status.
/// Until it has its socket the postmaster writes fewer.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
    Some(Postmaster {
        pid: line(1).parse().ok()?,
        port: line(4).parse().unwrap_or_default(),
        socket_dir: PathBuf::from(line(5)),
        state: match line(8) {
            "ready" => State::Ready,
            "stopping" => State::Stopping,
            _ => State::Starting,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{State, live, parse};

    #[test]
    fn a_pid_file_is_read_as_far_as_it_is_written() {
        let whole = "4711\n/data/postgres\n1790000000\n5432\n/run/hotline-1\n\n  1234 0\nready   \n";
        let postmaster = parse(whole).unwrap();
        assert_eq!((postmaster.pid, postmaster.port, postmaster.state), (4711, 5432, State::Ready));
        assert_eq!(postmaster.socket_dir, Path::new("/run/hotline-1"));
        assert_eq!(parse("4711\n/data/postgres\n").unwrap().state, State::Starting);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_process_that_only_has_the_number_is_not_the_postmaster() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(live(dir.path()), None);
        super::clear_reused(dir.path(), dir.path()).unwrap();
        assert!(!dir.path().join("postmaster.pid").exists());
    }
}
