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
}

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
        let matches = |record: &RefRecord| {
            record.name.same_repository(reference) && (record.manifest == *digest || record.index == Some(*digest))
        };
        if let Some(record) = self.refs()?.into_iter().find(matches) {
            return Ok(Some(record.manifest));
        }
        // Its tag has moved on. What runs still can run once more: the tasks of one service revision are all of one image.
        Ok(self.held()?.contains(digest).then_some(*digest))
    }

    pub(super) fn name(&self, _: &Lock, record: &RefRecord) -> Result<(), StoreError> {
        let json = serde_json::to_vec(record).expect("a name and two digests are always JSON");
        self.replace(&self.ref_path(&record.name), &json)
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
