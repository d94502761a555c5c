//! Deletes what nothing needs: content that no name, no unit and no import in progress reaches.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::{Lock, Staging, Store, StoreError, io_error, read_optional};
use crate::digest::Digest;
use crate::manifest::MANIFEST_MAX;

/// Content taken out of the store; deleted from disk when dropped, which is slow and needs no lock.
pub(super) struct Garbage(#[expect(dead_code, reason = "dropping it deletes it")] Option<Staging>);

impl Store {
    /// Deletes what nothing needs. Removing a name does this too; calling it is for callers that want to be sure.
    pub fn collect(&self) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let garbage = self.collect_locked(&lock)?;
        drop(lock);
        drop(garbage);
        Ok(())
    }

    /// Collects on the way out of a change that is already done: what stays behind costs space, not correctness.
    pub(super) fn sweep(&self, lock: &Lock) -> Option<Garbage> {
        let collected = self.collect_locked(lock);
        collected.inspect_err(|error| tracing::warn!(%error, "unneeded image content was not deleted")).ok()
    }

    /// Whether something is there only because a unit holds it.
    pub(super) fn is_kept_for_holds(&self) -> bool {
        self.kept_mark().exists()
    }

    /// Marks from names, holds and imports, then takes the rest out. An image that cannot be read stops it: then nothing is known about
    /// what is needed.
    fn collect_locked(&self, lock: &Lock) -> Result<Garbage, StoreError> {
        let mut live: HashSet<Digest> = HashSet::new();
        for record in self.refs()? {
            for digest in [record.manifest].iter().chain(&record.former) {
                self.mark(digest, &mut live)?;
            }
        }
        let named = live.len();
        for digest in self.held()? {
            self.mark(&digest, &mut live)?;
        }
        let kept = live.len() > named;
        live.extend(self.pinned()?);
        let dead = self.unmarked(&live)?;
        self.set_kept_mark(kept)?;
        if dead.is_empty() {
            return Ok(Garbage(None));
        }
        let trash = self.stage_locked(lock)?;
        for (number, from) in dead.iter().enumerate() {
            let to = trash.path().join(number.to_string());
            fs::rename(from, &to).map_err(io_error(from))?;
        }
        Ok(Garbage(Some(trash)))
    }

    fn mark(&self, digest: &Digest, live: &mut HashSet<Digest>) -> Result<(), StoreError> {
        if live.contains(digest) {
            return Ok(());
        }
        let documents = match self.documents(digest) {
            // Nobody can run it, and what it consists of is not known any more.
            Err(StoreError::Incomplete(_)) => return Ok(()),
            other => other?,
        };
        live.extend([documents.digest, documents.config_digest]);
        live.extend(documents.config.chain_ids());
        Ok(())
    }

    /// Blobs and layers that are not in `live`.
    fn unmarked(&self, live: &HashSet<Digest>) -> Result<Vec<PathBuf>, StoreError> {
        let mut dead = Vec::new();
        let blobs = self.root.join("blobs/sha256");
        for entry in fs::read_dir(&blobs).map_err(io_error(&blobs))? {
            let entry = entry.map_err(io_error(&blobs))?;
            let digest = format!("sha256:{}", entry.file_name().to_string_lossy()).parse::<Digest>();
            if !digest.is_ok_and(|digest| live.contains(&digest)) {
                dead.push(entry.path());
            }
        }
        let layers = self.root.join("layers");
        for entry in fs::read_dir(&layers).map_err(io_error(&layers))? {
            let path = entry.map_err(io_error(&layers))?.path();
            let record = read_optional(&path.join("layer.json"), MANIFEST_MAX)?;
            let record = record.and_then(|bytes| serde_json::from_slice::<super::LayerRecord>(&bytes).ok());
            if !record.is_some_and(|record| live.contains(&record.chain_id)) {
                dead.push(path);
            }
        }
        Ok(dead)
    }

    fn kept_mark(&self) -> PathBuf {
        self.root.join("kept-for-holds")
    }

    fn set_kept_mark(&self, kept: bool) -> Result<(), StoreError> {
        if kept == self.is_kept_for_holds() {
            return Ok(());
        }
        let path = self.kept_mark();
        if kept { self.replace_with(&path, b"", false) } else { fs::remove_file(&path).map_err(io_error(&path)) }
    }
}
