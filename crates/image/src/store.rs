//! The content-addressed image store of a node: names, blobs and unpacked layers on disk, shared by several processes; fetches nothing.
//!
//! ```text
//! lock                    taken for the moment of a change, never while unpacking
//! blobs/sha256/<hex>      manifests and configurations; packed layers are not kept, their trees are
//! layers/<short id>/      layer.json and fs/, the unpacked tree, filed by chain id since a tree depends on what is below it
//! refs/<hash>.json        one name each: which manifest it stands for
//! holds/<unit>.json       which manifests a unit runs from
//! tmp/<n>/                one import or removal in progress, locked by its process
//! ```
//! Everything becomes visible by a rename of something complete, names last. A process killed at any moment leaves only a `tmp` folder, which the
//! next [`Store::open`] removes, and content that nothing names, which the next [`collect`](Store::collect) removes.

mod collect;
mod hold;
mod refs;
mod staging;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigDocument, ImageConfig};
use crate::digest::Digest;
use crate::manifest::{CONFIG_MAX, MANIFEST_MAX, Manifest};
use crate::platform::Platform;
use crate::reference::Reference;
pub(crate) use refs::RefRecord;
pub(crate) use staging::{Staging, open_dir};

/// The layout above; a store of another version is refused.
const FORMAT: &str = "1\n";

/// An open image store. Cheap to share; every method may be called from several threads and processes at once.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// An image that can be run: found, complete, and its layers unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The name it was asked for by.
    pub reference: Reference,
    /// Digest of the manifest: ECS's imageDigest.
    pub digest: Digest,
    /// Digest of the configuration: Docker's image id.
    pub config_digest: Digest,
    pub config: ImageConfig,
    pub platform: Platform,
    /// The layers' trees, top first, as overlayfs's `lowerdir` wants them.
    pub layer_dirs: Vec<PathBuf>,
}

/// What `image ls` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageSummary {
    pub names: Vec<Reference>,
    /// Digest of the manifest; for archives that have none, of the one made for them (see [`crate::import`]).
    pub digest: Digest,
    pub config_digest: Digest,
    /// Bytes of file content, all layers unpacked.
    pub size_bytes: u64,
    pub layers: usize,
    /// RFC 3339, as its builder wrote it.
    pub created: Option<String>,
    pub platform: Platform,
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the image store at {root} has another format: this Bayplan reads version 1")]
    Format { root: String },
    #[error("the image store cannot use {path}")]
    Io { path: String, source: io::Error },
    #[error("{path} in the image store is damaged: remove the image and import it again")]
    Damaged { path: String },
    #[error("image {0} is not complete in the image store: import it again")]
    Incomplete(Digest),
    #[error("{0:?} is not a unit id: letters, digits, '-', '_' and '.', at most 128")]
    UnitId(String),
}

/// What stands beside a layer's tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayerRecord {
    pub(crate) chain_id: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// A manifest with its configuration, both checked against their digests.
pub(crate) struct Documents {
    pub(crate) digest: Digest,
    pub(crate) config_digest: Digest,
    pub(crate) config: ConfigDocument,
}

/// The store-wide lock; freed when dropped, and by the kernel when the process dies.
pub(crate) struct Lock(#[expect(dead_code, reason = "holding the descriptor is holding the lock")] File);

impl Store {
    /// Opens the store in `root`, made if missing, and removes what killed processes left in it.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let store = Store { root: root.to_owned() };
        make_dirs(root)?;
        for dir in ["blobs/sha256", "layers", "refs", "holds", "tmp"] {
            make_dirs(&root.join(dir))?;
        }
        let lock = store.lock()?;
        let version = root.join("version");
        match fs::read_to_string(&version) {
            Ok(format) if format == FORMAT => {}
            Ok(_) => return Err(StoreError::Format { root: root.display().to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => store.replace(&version, FORMAT.as_bytes())?,
            Err(error) => return Err(io_error(&version)(error)),
        }
        let dead = store.dead_stagings(&lock)?;
        let garbage = if dead.is_empty() { None } else { store.sweep(&lock) };
        drop(lock);
        drop((dead, garbage));
        Ok(store)
    }

    /// The image of a name, or `None` if no image has it. A digest in the name decides, whatever tag stands beside it.
    ///
    /// For looking only: whoever runs from it asks [`Store::resolve_and_hold`], since another process may remove it at any time.
    pub fn resolve(&self, reference: &Reference) -> Result<Option<StoredImage>, StoreError> {
        let Some(digest) = self.manifest_of(reference)? else { return Ok(None) };
        self.stored(reference, &digest).map(Some)
    }

    /// All images that have a name, by their first name.
    pub fn list(&self) -> Result<Vec<ImageSummary>, StoreError> {
        let mut summaries: Vec<ImageSummary> = Vec::new();
        for record in self.refs()? {
            match summaries.iter_mut().find(|summary| summary.digest == record.manifest) {
                Some(summary) => summary.names.push(record.name),
                None => match self.summary(&record.manifest, vec![record.name]) {
                    Ok(summary) => summaries.push(summary),
                    // Another process removed it since the names were read.
                    Err(StoreError::Incomplete(_)) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(summaries)
    }

    /// Takes a name away, and everything that no name and no running unit needs with it. Returns whether there was such a name.
    pub fn remove(&self, name: &Reference) -> Result<bool, StoreError> {
        let lock = self.lock()?;
        let removed = self.unname(&lock, name)?;
        let garbage = if removed { self.sweep(&lock) } else { None };
        drop(lock);
        drop(garbage);
        Ok(removed)
    }

    pub(crate) fn summary(&self, digest: &Digest, names: Vec<Reference>) -> Result<ImageSummary, StoreError> {
        let documents = self.documents(digest)?;
        let chain_ids = documents.config.chain_ids();
        let mut size_bytes = 0;
        for chain_id in &chain_ids {
            let (_, record) = self.layer(chain_id)?.ok_or(StoreError::Incomplete(*digest))?;
            size_bytes += record.bytes;
        }
        Ok(ImageSummary {
            names,
            digest: *digest,
            config_digest: documents.config_digest,
            size_bytes,
            layers: chain_ids.len(),
            platform: documents.config.platform(),
            created: documents.config.created,
        })
    }

    fn stored(&self, reference: &Reference, digest: &Digest) -> Result<StoredImage, StoreError> {
        let documents = self.documents(digest)?;
        let mut layer_dirs = Vec::new();
        for chain_id in documents.config.chain_ids().iter().rev() {
            let (dir, _) = self.layer(chain_id)?.ok_or(StoreError::Incomplete(*digest))?;
            layer_dirs.push(dir.join("fs"));
        }
        Ok(StoredImage {
            reference: reference.clone(),
            digest: *digest,
            config_digest: documents.config_digest,
            platform: documents.config.platform(),
            config: documents.config.config,
            layer_dirs,
        })
    }

    pub(crate) fn documents(&self, digest: &Digest) -> Result<Documents, StoreError> {
        let manifest: Manifest = self.blob_json(digest, MANIFEST_MAX)?.ok_or(StoreError::Incomplete(*digest))?;
        let config_digest = manifest.config.digest;
        let config = self.blob_json(&config_digest, CONFIG_MAX)?.ok_or(StoreError::Incomplete(*digest))?;
        Ok(Documents { digest: *digest, config_digest, config })
    }

    fn blob_json<T: DeserializeOwned>(&self, digest: &Digest, limit: u64) -> Result<Option<T>, StoreError> {
        let path = self.blob(digest);
        let Some(bytes) = read_optional(&path, limit)? else { return Ok(None) };
        let damaged = || StoreError::Damaged { path: path.display().to_string() };
        if Digest::of(&bytes) != *digest {
            return Err(damaged());
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged())
    }

    /// A layer's folder and record. Folder names are the start of the chain id, as long as it takes to be the only one.
    pub(crate) fn layer(&self, chain_id: &Digest) -> Result<Option<(PathBuf, LayerRecord)>, StoreError> {
        for dir in self.layer_candidates(chain_id) {
            let path = dir.join("layer.json");
            let Some(bytes) = read_optional(&path, MANIFEST_MAX)? else { continue };
            let record: LayerRecord =
                serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged { path: path.display().to_string() })?;
            if record.chain_id == *chain_id {
                return Ok(Some((dir, record)));
            }
        }
        Ok(None)
    }

    /// Short names keep overlayfs's mount options short; longer ones are for ids made to collide.
    fn layer_candidates(&self, chain_id: &Digest) -> impl Iterator<Item = PathBuf> + use<> {
        let hex = chain_id.hex();
        let layers = self.root.join("layers");
        [12, 24, 64].into_iter().map(move |length| layers.join(&hex[..length]))
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub(crate) fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error(&path))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(io_error(&path)(errno.into())),
            }
        }
    }

    /// Writes a small file so that a reader sees the old content or the new, also after a power cut.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.replace_with(path, bytes, true)
    }

    fn replace_with(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
        let temporary = self.root.join("tmp").join(format!("file-{}", unique()));
        write_new(&temporary, bytes, durable)?;
        fs::rename(&temporary, path).map_err(io_error(path))?;
        if durable { sync_dir(path.parent().unwrap_or(&self.root)) } else { Ok(()) }
    }
}

/// A name that no other call of any living process uses.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn write_new(path: &Path, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(io_error(path))?;
    file.write_all(bytes).map_err(io_error(path))?;
    if durable { file.sync_all().map_err(io_error(path)) } else { Ok(()) }
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(io_error(path))
}

fn make_dirs(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error(path))
}

fn read_optional(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io_error(path)(error)),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes).map_err(io_error(path))?;
    Ok(Some(bytes))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { path, source }
}
