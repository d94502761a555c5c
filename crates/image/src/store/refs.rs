//! The names of images: one small file each, replaced as a whole; a name's file is found by its hash, so no name is ever a path.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Lock, Store, StoreError, io_error, read_optional, sync_dir};
use crate::digest::Digest;
use crate::manifest::MANIFEST_MAX;
use crate::reference::Reference;

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefRecord {
    pub(crate) name: Reference,
    pub(crate) manifest: Digest,
    /// The multi-platform index that the manifest was chosen from; people pin images by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<Digest>,
    /// What it stood for before, the newest first: services whose tags were resolved then run those images, or go back to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<Digest>,
}

/// Images that a name keeps besides the one that it stands for.
const FORMER_MAX: usize = 3;

impl Store {
    /// Every name, in order.
    pub(crate) fn refs(&self) -> Result<Vec<RefRecord>, StoreError> {
        let dir = self.root.join("refs");
        let mut records = Vec::new();
        for entry in fs::read_dir(&dir).map_err(io_error(&dir))? {
            let path = entry.map_err(io_error(&dir))?.path();
            if let Some(record) = read_ref(path)? {
                records.push(record);
            }
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    pub(super) fn manifest_of(&self, reference: &Reference) -> Result<Option<Digest>, StoreError> {
        let Some(digest) = reference.digest() else {
            return Ok(read_ref(self.ref_path(reference))?.map(|record| record.manifest));
        };
        let of_repository = |record: &RefRecord| record.name.same_repository(reference);
        let found = self.refs()?.into_iter().filter(of_repository).find_map(|record| {
            let is_it = record.manifest == *digest || record.index == Some(*digest);
            let was_it = || record.former.contains(digest).then_some(*digest);
            if is_it { Some(record.manifest) } else { was_it() }
        });
        if found.is_some() {
            return Ok(found);
        }
        // Its tag is gone. What runs still can run once more: the tasks of one service revision are all of one image.
        Ok(self.held()?.contains(digest).then_some(*digest))
    }

    pub(super) fn name(&self, _: &Lock, record: &RefRecord) -> Result<(), StoreError> {
        let path = self.ref_path(&record.name);
        // One that cannot be read is about to be replaced by one that can.
        let before = read_ref(path.clone()).ok().flatten();
        let former = before.into_iter().flat_map(|before| [before.manifest].into_iter().chain(before.former));
        let former = former.filter(|digest| *digest != record.manifest).take(FORMER_MAX).collect();
        let record = RefRecord { former, ..record.clone() };
        let json = serde_json::to_vec(&record).expect("a name and digests are always JSON");
        self.replace(&path, &json)
    }

    pub(super) fn unname(&self, _: &Lock, name: &Reference) -> Result<bool, StoreError> {
        let path = self.ref_path(name);
        match fs::remove_file(&path) {
            // On disk before its content is deleted: after a power cut no name may stand for nothing.
            Ok(()) => sync_dir(&self.root.join("refs")).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    fn ref_path(&self, name: &Reference) -> PathBuf {
        let hash = Digest::of(name.without_digest().to_string().as_bytes()).hex();
        self.root.join("refs").join(format!("{}.json", &hash[..40]))
    }
}

fn read_ref(path: PathBuf) -> Result<Option<RefRecord>, StoreError> {
    let Some(bytes) = read_optional(&path, MANIFEST_MAX)? else { return Ok(None) };
    let damaged = |_| StoreError::Damaged { path: path.display().to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}
