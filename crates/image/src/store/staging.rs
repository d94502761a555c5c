//! A private folder in which one import assembles its content, and the one step that makes it visible; gone when dropped.

use std::fs::{self, DirBuilder, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat, syncfs};

use super::{LayerRecord, Lock, RefRecord, Store, StoreError, io_error, sync_dir, unique, write_new};
use crate::digest::Digest;

/// A folder below `tmp`, locked as long as its process lives.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    dir: File,
    /// Content of the store that this import builds on, so that nobody removes it meanwhile.
    pins: Vec<Digest>,
}

impl Store {
    pub(crate) fn stage(&self) -> Result<Staging, StoreError> {
        let lock = self.lock()?;
        let staging = self.stage_locked(&lock)?;
        for dir in ["blobs", "layers"] {
            let path = staging.path.join(dir);
            DirBuilder::new().mode(0o700).create(&path).map_err(io_error(&path))?;
        }
        Ok(staging)
    }

    pub(super) fn stage_locked(&self, _: &Lock) -> Result<Staging, StoreError> {
        let path = loop {
            let path = self.root.join("tmp").join(unique());
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                // A dead process had the same id.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(&path)(error)),
            }
        };
        let dir = File::open(&path).map_err(io_error(&path))?;
        flock(&dir, FlockOperation::NonBlockingLockExclusive).map_err(|errno| io_error(&path)(errno.into()))?;
        Ok(Staging { path, dir, pins: Vec::new() })
    }

    /// The folders of processes that are gone. They are made and taken over only under the store's lock, so an unlocked one has no owner.
    pub(super) fn dead_stagings(&self, _: &Lock) -> Result<Vec<Staging>, StoreError> {
        let tmp = self.root.join("tmp");
        let mut dead = Vec::new();
        for entry in fs::read_dir(&tmp).map_err(io_error(&tmp))? {
            let path = entry.map_err(io_error(&tmp))?.path();
            if !path.is_dir() {
                // Half of a small file. Its writer held the lock that is held here.
                fs::remove_file(&path).map_err(io_error(&path))?;
                continue;
            }
            // Its owner may be deleting it right now.
            let Ok(dir) = File::open(&path) else { continue };
            if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
                dead.push(Staging { path, dir, pins: Vec::new() });
            }
        }
        Ok(dead)
    }

    /// What the imports in progress build on.
    pub(super) fn pinned(&self) -> Result<Vec<Digest>, StoreError> {
        let tmp = self.root.join("tmp");
        let mut pinned = Vec::new();
        for entry in fs::read_dir(&tmp).map_err(io_error(&tmp))? {
            let path = entry.map_err(io_error(&tmp))?.path().join("pins");
            if let Ok(text) = fs::read_to_string(path) {
                pinned.extend(text.lines().filter_map(|line| line.parse::<Digest>().ok()));
            }
        }
        Ok(pinned)
    }

    /// Makes everything staged visible and gives it its names, in an order that is safe to be interrupted in.
    pub(crate) fn commit(&self, staging: &Staging, records: &[RefRecord]) -> Result<(), StoreError> {
        // One sync for all files; a layer's folder must never become visible before its content is on disk.
        syncfs(&staging.dir).map_err(|errno| io_error(&staging.path)(errno.into()))?;
        let lock = self.lock()?;
        for (name, from) in staging.content("blobs")? {
            let to = self.root.join("blobs/sha256").join(name);
            fs::rename(&from, &to).map_err(io_error(&to))?;
        }
        for (name, from) in staging.content("layers")? {
            let Ok(chain_id) = format!("sha256:{name}").parse() else { continue };
            if self.layer(&chain_id)?.is_some() {
                continue;
            }
            let to = self.layer_candidates(&chain_id).find(|dir| !dir.exists());
            let to = to.unwrap_or_else(|| self.root.join("layers").join(&name));
            fs::rename(&from, &to).map_err(io_error(&to))?;
        }
        sync_dir(&self.root.join("blobs/sha256"))?;
        sync_dir(&self.root.join("layers"))?;
        for record in records {
            // Nothing gets a name before it can be used.
            self.stored(&record.name, &record.manifest)?;
            self.name(&lock, record)?;
        }
        let garbage = self.sweep(&lock);
        drop(lock);
        drop(garbage);
        Ok(())
    }
}

impl Staging {
    /// Keeps `digests` (blobs and chain ids) of the store from being collected while this lives. Must be called under the store's lock.
    pub(crate) fn pin(&mut self, _: &Lock, digests: &[Digest]) -> Result<(), StoreError> {
        self.pins.extend_from_slice(digests);
        let text: String = self.pins.iter().map(|digest| format!("{digest}\n")).collect();
        write_new(&self.path.join("pins"), text.as_bytes(), false)
    }

    pub(crate) fn blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        write_new(&self.path.join("blobs").join(digest.hex()), bytes, false)
    }

    /// A file for whatever must be on disk during the import.
    pub(crate) fn spool(&self) -> std::io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(self.path.join("spool"))
    }

    /// An empty directory for a layer's tree; nothing if another image of this import has made it.
    pub(crate) fn layer_tree(&self, chain_id: &Digest) -> Result<Option<OwnedFd>, StoreError> {
        let layer = self.path.join("layers").join(chain_id.hex());
        if layer.exists() {
            return Ok(None);
        }
        let tree = layer.join("fs");
        DirBuilder::new().recursive(true).mode(0o700).create(&tree).map_err(io_error(&tree))?;
        open_dir(&tree).map(Some)
    }

    pub(crate) fn finish_layer(&self, record: &LayerRecord) -> Result<(), StoreError> {
        let json = serde_json::to_vec(record).expect("two digests and two numbers are always JSON");
        write_new(&self.layer_dir(&record.chain_id).join("layer.json"), &json, false)
    }

    pub(crate) fn layer_dir(&self, chain_id: &Digest) -> PathBuf {
        self.path.join("layers").join(chain_id.hex())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn content(&self, kind: &str) -> Result<Vec<(String, PathBuf)>, StoreError> {
        let dir = self.path.join(kind);
        let mut content = Vec::new();
        for entry in fs::read_dir(&dir).map_err(io_error(&dir))? {
            let entry = entry.map_err(io_error(&dir))?;
            content.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        Ok(content)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary folder stays until the image store is opened again");
        }
    }
}

/// A directory by path, its last part not followed if it is a link.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(rustix::fs::CWD, path, flags, Mode::empty()).map_err(|errno| io_error(path)(errno.into()))
}
