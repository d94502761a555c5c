//! Which units run from which images, on disk, so that no image is deleted under a container, whatever restarts in between.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Lock, Store, StoreError, StoredImage, io_error, read_optional};
use crate::digest::Digest;
use crate::manifest::MANIFEST_MAX;
use crate::reference::Reference;

#[derive(Debug, Default, Serialize, Deserialize)]
struct HoldRecord {
    manifests: Vec<Digest>,
}

impl Store {
    /// Finds an image and holds it for `unit` in one step: between the two nobody can remove it.
    pub fn resolve_and_hold(&self, unit: &str, reference: &Reference) -> Result<Option<StoredImage>, StoreError> {
        let lock = self.lock()?;
        let Some(image) = self.resolve(reference)? else { return Ok(None) };
        self.hold_locked(&lock, unit, &image.digest)?;
        Ok(Some(image))
    }

    /// Keeps an image's content until [`Store::release`], even if its name is taken away. Holding twice is holding once.
    pub fn hold(&self, unit: &str, image: &StoredImage) -> Result<(), StoreError> {
        let lock = self.lock()?;
        self.stored(&image.reference, &image.digest)?;
        self.hold_locked(&lock, unit, &image.digest)
    }

    /// Ends every hold of a unit. Content that only it kept is deleted.
    pub fn release(&self, unit: &str) -> Result<(), StoreError> {
        let path = self.hold_path(unit)?;
        let lock = self.lock()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(io_error(&path))?,
        }
        // Only a removal that met a hold leaves work; the common end of a task costs one unlink.
        let garbage = if self.is_kept_for_holds() { self.sweep(&lock) } else { None };
        drop(lock);
        drop(garbage);
        Ok(())
    }

    /// The units that hold images: after a restart, whoever is not known any more is to be released.
    pub fn holders(&self) -> Result<Vec<String>, StoreError> {
        let dir = self.root.join("holds");
        let mut units = Vec::new();
        for entry in fs::read_dir(&dir).map_err(io_error(&dir))? {
            let name = entry.map_err(io_error(&dir))?.file_name();
            units.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        units.sort();
        Ok(units)
    }

    fn hold_locked(&self, _: &Lock, unit: &str, digest: &Digest) -> Result<(), StoreError> {
        let path = self.hold_path(unit)?;
        let mut record = read_hold(&path)?;
        if record.manifests.contains(digest) {
            return Ok(());
        }
        record.manifests.push(*digest);
        let json = serde_json::to_vec(&record).expect("a list of digests is always JSON");
        // Not synced: a hold matters as long as the unit's containers run, and they do not outlive the kernel.
        self.replace_with(&path, &json, false)
    }

    /// The manifests that units hold.
    pub(super) fn held(&self) -> Result<Vec<Digest>, StoreError> {
        let mut held = Vec::new();
        for unit in self.holders()? {
            held.extend(read_hold(&self.hold_path(&unit)?)?.manifests);
        }
        Ok(held)
    }

    fn hold_path(&self, unit: &str) -> Result<PathBuf, StoreError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if unit.is_empty() || unit.len() > 128 || unit.starts_with('.') || !unit.bytes().all(plain) {
            return Err(StoreError::UnitId(unit.to_owned()));
        }
        Ok(self.root.join("holds").join(format!("{unit}.json")))
    }
}

/// An empty file is what a power cut may leave of an unsynced write; no container survived it.
fn read_hold(path: &std::path::Path) -> Result<HoldRecord, StoreError> {
    match read_optional(path, MANIFEST_MAX)? {
        None => Ok(HoldRecord::default()),
        Some(bytes) if bytes.is_empty() => Ok(HoldRecord::default()),
        Some(bytes) => {
            serde_json::from_slice(&bytes).map_err(|_| StoreError::Damaged { path: path.display().to_string() })
        }
    }
}
