//! The cluster's settings: `hotline.conf`, written anew at every start and included by postgresql.conf.
//!
//! What an operator sets with `ALTER SYSTEM` is read later and wins.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::programs::Programs;
use super::{Layout, account};
use crate::config::{EmbeddedConfig, units};
use crate::{Error, key};

const FILE: &str = "hotline.conf";
const MIB: u64 = 1 << 20;
const PORT: u16 = 5432;

/// The cluster's name: the first half of a hash of its directory. It names the socket directory and
/// stands in the titles of its processes.
pub(super) fn cluster_name(layout: &Layout) -> String {
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, layout.data_dir.as_os_str().as_bytes());
    format!("hotline-{}", key::encode(&digest.as_ref()[..8]))
}

/// Lets a new cluster's postgresql.conf include our file.
pub(super) fn include(cluster: &Path) -> Result<(), Error> {
    let path = cluster.join("postgresql.conf");
    let mut file = fs::File::options()
        .append(true)
        .open(&path)
        .map_err(|source| Error::FileUnwritable { path: path.clone(), source })?;
    writeln!(file, "\ninclude_if_exists = '{FILE}'").map_err(|source| Error::FileUnwritable { path, source })
}

/// Writes the settings for this start.
pub(super) async fn write(
    config: &EmbeddedConfig,
    programs: &Programs,
    layout: &Layout,
    socket_dir: &Path,
) -> Result<(), Error> {
    let cluster = layout.cluster();
    // Before ours is written, so that a fault in it cannot colour the answer.
    let path = cluster.join(FILE);
    let unwritable = |source| Error::FileUnwritable { path: path.clone(), source };
    fs::write(&path, "").map_err(unwritable)?;
    account::give(&path, programs.account.as_ref())?;
    let lz4 = programs.accepts(&cluster, "wal_compression", "lz4").await;
    let machine = Machine { memory_bytes: memory_bytes(), free_bytes: free_bytes(&cluster).await };
    let text = render(config, &machine, lz4, &cluster_name(layout), socket_dir);
    fs::write(&path, text).map_err(unwritable)
}

struct Machine {
    memory_bytes: u64,
    free_bytes: Option<u64>,
}

fn render(
    config: &EmbeddedConfig,
    machine: &Machine,
    lz4: bool,
    cluster_name: &str,
    socket_dir: &Path,
) -> String {
    let shared_mib = match config.shared_buffers.as_deref().and_then(units::bytes::parse) {
        Some(bytes) => (bytes / MIB).max(1),
        None => (machine.memory_bytes / 8 / MIB).clamp(128, 4096),
    };
    // An eighth of the free disk, so that the log alone never fills it.
    let wal_mib = machine.free_bytes.map_or(1024, |free| (free / 8 / MIB).clamp(256, 8192));
    let (addresses, port) = match config.listen_port {
        Some(port) => ("127.0.0.1", port),
        None => ("", PORT),
    };
    let socket_dir = socket_dir.display();
    let settings: &[(&str, String)] = &[
        ("listen_addresses", addresses.to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", socket_dir.to_string()),
        ("cluster_name", cluster_name.to_owned()),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("shared_buffers", format!("{shared_mib}MB")),
        ("effective_cache_size", format!("{}MB", (machine.memory_bytes / 2 / MIB).max(256))),
        ("synchronous_commit", "on".to_owned()),
        ("wal_compression", if lz4 { "lz4" } else { "on" }.to_owned()),
        ("max_wal_size", format!("{wal_mib}MB")),
        ("checkpoint_timeout", "15min".to_owned()),
        // The log holds no statement and no value: personal data must not reach it. Errors of
        // statements go to the client alone (`log` is above `error` in this list), details nowhere.
        ("log_min_messages", "log".to_owned()),
        ("log_min_error_statement", "panic".to_owned()),
        ("log_error_verbosity", "terse".to_owned()),
        ("log_statement", "none".to_owned()),
        ("log_min_duration_statement", "-1".to_owned()),
        ("log_min_duration_sample", "-1".to_owned()),
        ("log_parameter_max_length", "0".to_owned()),
        ("log_parameter_max_length_on_error", "0".to_owned()),
        // One file a weekday, so that the log of a week is kept and no more.
        ("logging_collector", "on".to_owned()),
        ("log_filename", "postgresql-%a.log".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
        ("log_rotation_age", "1d".to_owned()),
        ("log_rotation_size", "0".to_owned()),
    ];
    let mut text =
        "# Written by hotline at every start; use ALTER SYSTEM to set something else.\n".to_owned();
    for (name, value) in settings {
        writeln!(text, "{name} = '{}'", value.replace('\'', "''")).expect("writing to a String cannot fail");
    }
    text
}

/// The machine's memory, or the container's share of it.
fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = machine.lines().find_map(|line| {
        let kib: u64 = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    });
    let share =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    total.into_iter().chain(share).min().unwrap_or(1024 * MIB)
}

/// The free space of a directory's file system, as `df` says.
pub async fn free_bytes(directory: &Path) -> Option<u64> {
    let mut command = Command::new("df");
    command
        .args(["-P", "-k", "--"])
        .arg(directory)
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .kill_on_drop(true);
    let text = super::programs::run(command, std::time::Duration::from_secs(10)).await.ok()?;
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{EmbeddedConfig, MIB, Machine, render};

    fn rendered(memory_mib: u64, free_mib: u64, config: &EmbeddedConfig) -> String {
        let machine = Machine { memory_bytes: memory_mib * MIB, free_bytes: Some(free_mib * MIB) };
        render(config, &machine, true, "hotline-1", Path::new("/run/hotline-1"))
    }

    #[test]
    fn memory_and_log_follow_the_machine() {
        let default = EmbeddedConfig::default();
        for (memory, free, shared, wal) in [
            (512, 1_000, "128MB", "256MB"),
            (8_192, 16_384, "1024MB", "2048MB"),
            (262_144, 1_000_000, "4096MB", "8192MB"),
        ] {
            let text = rendered(memory, free, &default);
            assert!(text.contains(&format!("shared_buffers = '{shared}'\n")), "{text}");
            assert!(text.contains(&format!("max_wal_size = '{wal}'\n")), "{text}");
        }
        let chosen = EmbeddedConfig { shared_buffers: Some("2 GiB".into()), ..default };
        assert!(rendered(512, 1_000, &chosen).contains("shared_buffers = '2048MB'\n"));
    }

    #[test]
    fn there_is_no_tcp_unless_asked_for() {
        let default = EmbeddedConfig::default();
        assert!(rendered(512, 1_000, &default).contains("listen_addresses = ''\n"));
        let asked = EmbeddedConfig { listen_port: Some(6543), ..default };
        let text = rendered(512, 1_000, &asked);
        assert!(text.contains("listen_addresses = '127.0.0.1'\nport = '6543'\n"), "{text}");
    }
}
