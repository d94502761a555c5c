//! Removing everything that an instance made on the host, and saying what is left.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use nix::errno::Errno;

use super::{Host, forwarding};
use crate::error::{NetworkError, NetworkResult};
use crate::namespace;
use crate::nftables::Transaction;

impl Host {
    /// Removes the instance's links, kept namespaces and packet rules, and restores the host's settings if no other
    /// instance needs them. It needs no Network object, works after a crash half-way and when things are gone already,
    /// and may be repeated.
    pub fn remove(&self) -> NetworkResult<()> {
        namespace::within(self.namespace(), || forwarding::restore(self.instance, &self.traces()?))?;
        self.remove_table()?;
        for name in self.own_links()? {
            self.route().delete_link(&name)?;
        }
        for path in self.kept()? {
            namespace::release(&path)?;
        }
        match fs::remove_dir(&self.folder) {
            Err(source) if !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                return Err(NetworkError::File { doing: "remove", path: self.folder.clone(), source });
            }
            _ => (),
        }
        // An instance that came up just now may have trusted in a setting that is restored since.
        namespace::within(self.namespace(), || {
            if self.traces()?.has_others_than(self.instance) { forwarding::switch_on() } else { Ok(()) }
        })
    }

    /// What still exists with this instance's id, in words; empty after `remove`.
    pub fn leftovers(&self) -> NetworkResult<Vec<String>> {
        let links = self.own_links()?.into_iter().map(|name| format!("interface {name}"));
        let own = self.instance.table();
        let tables = self.netfilter().tables()?;
        let tables =
            tables.iter().filter(|table| table.name == own).map(|table| format!("nftables table {}", table.name));
        let kept = self.kept()?.into_iter().map(|path| format!("network namespace {}", path.display()));
        Ok(links.chain(tables).chain(kept).collect())
    }

    fn remove_table(&self) -> NetworkResult<()> {
        let own = self.instance.table();
        let mut transaction = Transaction::new(&own);
        transaction.delete_table();
        match transaction.commit(&self.netfilter()) {
            Err(refusal) if refusal.errno == Errno::ENOENT => Ok(()),
            result => Ok(result?),
        }
    }

    /// The places of kept namespaces, those included that hold none any more. Both are files without a byte; whatever
    /// else lies in the folder is not ours.
    fn kept(&self) -> NetworkResult<Vec<PathBuf>> {
        let failed = |source| NetworkError::File { doing: "list", path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(failed)?,
        };
        let paths =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let is_empty =
            |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0);
        let mut kept: Vec<_> = paths.into_iter().filter(is_empty).collect();
        kept.sort_unstable();
        Ok(kept)
    }
}
