//! The user that PostgreSQL runs as: it refuses to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use crate::Error;
use crate::config::own;

/// In this order: a user made for this, one made for PostgreSQL, one that every machine has.
const NAMES: [&str; 3] = ["hotline", "postgres", "nobody"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The owner of an existing cluster, else the first of the names; `None` without root: our own user.
pub(super) fn choose(cluster: &Path) -> Result<Option<Account>, Error> {
    let owner = fs::metadata(cluster).ok().map(|metadata| (metadata.uid(), metadata.gid()));
    if !own::runs_as_root() {
        let ourselves = fs::metadata("/proc/self").map(|entry| entry.uid()).ok();
        return match owner {
            Some((uid, _)) if ourselves.is_some_and(|own| own != uid) => {
                Err(Error::ClusterOfAnother { cluster: cluster.to_owned(), owner: uid })
            }
            _ => Ok(None),
        };
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let accounts: Vec<Account> = users.lines().filter_map(parse).collect();
    match owner {
        Some((0, _)) => Err(Error::ClusterOfAnother { cluster: cluster.to_owned(), owner: 0 }),
        Some((uid, gid)) => {
            let name = accounts.iter().find(|account| account.uid == uid).map(|account| account.name.clone());
            Ok(Some(Account { name: name.unwrap_or_else(|| uid.to_string()), uid, gid }))
        }
        None => NAMES
            .iter()
            .find_map(|name| accounts.iter().find(|account| account.name == *name && account.uid != 0))
            .cloned()
            .map(Some)
            .ok_or(Error::AccountNotFound),
    }
}

/// A line of /etc/passwd: `name:x:uid:gid:…`.
fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Account { name, uid, gid })
}

impl Account {
    /// Refuses a path with a directory that this user cannot pass through, such as one below /root.
    pub(super) fn can_enter(&self, path: &Path) -> Result<(), Error> {
        for directory in path.ancestors() {
            let Ok(metadata) = fs::metadata(directory) else { continue };
            let bit = match () {
                () if metadata.uid() == self.uid => 0o100,
                () if metadata.gid() == self.gid => 0o010,
                () => 0o001,
            };
            if metadata.mode() & bit == 0 {
                return Err(Error::DirectoryClosed {
                    account: self.name.clone(),
                    directory: directory.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Makes the account the owner of a file or directory.
pub(super) fn give(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    match account {
        Some(account) => chown(path, Some(account.uid), Some(account.gid))
            .map_err(|source| Error::FileUnwritable { path: path.to_owned(), source }),
        None => Ok(()),
    }
}

/// Whether this is a directory, not a link, that only the account (or ourselves) can enter.
pub(super) fn is_private(path: &Path, account: Option<&Account>) -> bool {
    let ourselves = fs::metadata("/proc/self").map(|entry| entry.uid()).ok();
    let owner = account.map(|account| account.uid).or(ourselves);
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.mode() & 0o777 == 0o700
            && owner.is_none_or(|owner| owner == metadata.uid())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Account, parse};

    #[test]
    fn lines_of_passwd_are_read() {
        let account =
            parse("postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash").unwrap();
        assert_eq!(account, Account { name: "postgres".into(), uid: 101, gid: 104 });
        assert_eq!(parse("broken:x:a:b"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_closed_directory_on_the_way_is_named() {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        let stranger = Account { name: "stranger".into(), uid: 4_000_000, gid: 4_000_000 };
        assert_eq!(stranger.can_enter(&dir.path().join("data")).unwrap_err().code(), "directory_closed");
        stranger.can_enter(Path::new("/tmp")).unwrap();
    }
}
