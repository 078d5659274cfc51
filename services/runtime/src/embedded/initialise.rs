//! Making the cluster: aside, then renamed, so that it is there whole or not at all.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::programs::{self, Programs};
use super::{DATABASE, Layout, USER, account, settings};
use crate::{Error, key};

/// initdb takes a second or two; a slow disk more.
const INITDB_WAIT: Duration = Duration::from_mins(5);

pub(super) async fn run(programs: &Programs, layout: &Layout) -> Result<(), Error> {
    let (draft, password) = (layout.draft(), layout.password());
    let unwritable = |source| Error::FileUnwritable { path: draft.clone(), source };
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&draft).map_err(unwritable)?;
    account::give(&draft, programs.account.as_ref())?;

    let secret = key::random_hex()?;
    key::write_private(&password, &secret)
        .map_err(|source| Error::FileUnwritable { path: password, source })?;
    // initdb reads the password as the account, which cannot read ours.
    let lent = layout.data_dir.join("initdb.password");
    key::write_private(&lent, &secret)
        .map_err(|source| Error::FileUnwritable { path: lent.clone(), source })?;
    account::give(&lent, programs.account.as_ref())?;

    let mut command = programs.command("initdb");
    command.args(["--no-locale", "--encoding", "UTF8", "--data-checksums", "--auth", "scram-sha-256"]);
    command.arg("--username").arg(USER).arg("--pwfile").arg(&lent).arg("--pgdata").arg(&draft);
    let made = programs::run(command, INITDB_WAIT).await;
    fs::remove_file(&lent).map_err(|source| Error::FileUnwritable { path: lent, source })?;
    made?;

    settings::include(&draft)?;
    create_database(programs, layout).await?;
    fs::rename(&draft, layout.cluster()).map_err(unwritable)?;
    fs::File::open(&layout.data_dir).and_then(|directory| directory.sync_all()).map_err(unwritable)?;
    tracing::info!(postgres.major = programs.major, "embedded database made");
    Ok(())
}

/// In single-user mode: no socket is open before the cluster is complete.
async fn create_database(programs: &Programs, layout: &Layout) -> Result<(), Error> {
    let mut command = programs.command("postgres");
    command.args(["--single", "-D"]).arg(layout.draft()).arg("postgres");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let program = programs.bin_dir.join("postgres");
    let failed = |source| Error::FileUnreadable { path: program.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("stdin was asked for as a pipe");
    stdin.write_all(format!("CREATE DATABASE {DATABASE}\n").as_bytes()).await.map_err(failed)?;
    drop(stdin);
    let output = match tokio::time::timeout(INITDB_WAIT, child.wait_with_output()).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => {
            return Err(Error::ProgramSlow { program: program.display().to_string(), limit: INITDB_WAIT });
        }
    };
    let messages = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !messages.contains("ERROR:") {
        return Ok(());
    }
    Err(Error::ProgramFailed {
        program: program.display().to_string(),
        status: output.status.to_string(),
        output: messages.trim().to_owned(),
    })
}
