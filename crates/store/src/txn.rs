//! Compares, writes and the limits of one commit; evaluating them against a state is the engines' work.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::StoreError;
use crate::kv::{KeyValue, LeaseId, Revision};

/// The most compares of one commit. etcd refuses more than 128 operations by default; this stays below.
pub const MAX_COMPARES: usize = 100;
/// The most writes of one commit.
pub const MAX_WRITES: usize = 100;
/// The most bytes of all keys and values of one commit. etcd refuses requests above 1.5 MiB by default.
pub const MAX_COMMIT_BYTES: usize = 1 << 20;

/// A condition on one key that must hold for a commit to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    pub key: Bytes,
    pub expect: Expect,
}

/// What a compare expects of its key. An absent key counts as create revision 0, mod revision 0 and version 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    ModRevision(Revision),
    CreateRevision(Revision),
    Version(u64),
    Absent,
    Exists,
}

impl Compare {
    pub fn mod_revision(key: impl Into<Bytes>, revision: Revision) -> Compare {
        Compare { key: key.into(), expect: Expect::ModRevision(revision) }
    }

    pub fn create_revision(key: impl Into<Bytes>, revision: Revision) -> Compare {
        Compare { key: key.into(), expect: Expect::CreateRevision(revision) }
    }

    pub fn version(key: impl Into<Bytes>, version: u64) -> Compare {
        Compare { key: key.into(), expect: Expect::Version(version) }
    }

    pub fn absent(key: impl Into<Bytes>) -> Compare {
        Compare { key: key.into(), expect: Expect::Absent }
    }

    pub fn exists(key: impl Into<Bytes>) -> Compare {
        Compare { key: key.into(), expect: Expect::Exists }
    }

    /// Expects the key exactly as the caller last saw it: at that version, or absent.
    pub fn unchanged(key: impl Into<Bytes>, seen: Option<&KeyValue>) -> Compare {
        Compare::mod_revision(key, seen.map_or(Revision::ABSENT, |kv| kv.mod_revision))
    }
}

impl Expect {
    /// Whether a key whose current version is `current` fulfils this.
    pub fn holds(&self, current: Option<&KeyValue>) -> bool {
        match *self {
            Expect::ModRevision(revision) => revision == current.map_or(Revision::ABSENT, |kv| kv.mod_revision),
            Expect::CreateRevision(revision) => revision == current.map_or(Revision::ABSENT, |kv| kv.create_revision),
            Expect::Version(version) => version == current.map_or(0, |kv| kv.version),
            Expect::Absent => current.is_none(),
            Expect::Exists => current.is_some(),
        }
    }
}

/// One change that a commit makes. The store keeps the bytes it is given: a small slice of a large buffer keeps all of that alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the value and the lease; `lease: None` takes the key off its former lease.
    Put { key: Bytes, value: Bytes, lease: Option<LeaseId> },
    /// Removes the key; nothing happens if it is absent.
    Delete { key: Bytes },
}

impl Write {
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Write {
        Write::Put { key: key.into(), value: value.into(), lease: None }
    }

    pub fn put_leased(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: LeaseId) -> Write {
        Write::Put { key: key.into(), value: value.into(), lease: Some(lease) }
    }

    pub fn delete(key: impl Into<Bytes>) -> Write {
        Write::Delete { key: key.into() }
    }

    pub fn key(&self) -> &Bytes {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }

    /// The bytes of key and value.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Write::Put { key, value, .. } => key.len() + value.len(),
            Write::Delete { key } => key.len(),
        }
    }
}

/// How a commit ended, when its end is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Every compare held. The revision that the writes made, or the current one if nothing had to change.
    Committed(Revision),
    /// Some compare did not hold, nothing was changed. `current[i]` is the key of the i-th compare as it was at `revision`.
    Conflict { current: Vec<Option<Arc<KeyValue>>>, revision: Revision },
}

impl CommitOutcome {
    /// The revision of a commit that was applied, `None` for a conflict.
    pub fn committed(&self) -> Option<Revision> {
        match self {
            CommitOutcome::Committed(revision) => Some(*revision),
            CommitOutcome::Conflict { .. } => None,
        }
    }
}

/// The limit that a call breaks. The caller's fault; never worth a retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("{count} compares in one commit, at most {MAX_COMPARES} are allowed")]
    TooManyCompares { count: usize },
    #[error("{count} writes in one commit, at most {MAX_WRITES} are allowed")]
    TooManyWrites { count: usize },
    #[error("{bytes} bytes of keys and values in one commit, at most {MAX_COMMIT_BYTES} are allowed")]
    TooLarge { bytes: usize },
    #[error("the key {} is compared twice in one commit", .0.escape_ascii())]
    ComparedTwice(Bytes),
    #[error("the key {} is written twice in one commit", .0.escape_ascii())]
    WrittenTwice(Bytes),
    #[error("a key is empty")]
    EmptyKey,
    #[error("the time to live of a lease is zero")]
    ZeroTtl,
}

/// Checks a commit against the limits that hold on every engine.
pub(crate) fn validate(compares: &[Compare], writes: &[Write]) -> Result<(), StoreError> {
    check(compares, writes).map_err(StoreError::Invalid)
}

fn check(compares: &[Compare], writes: &[Write]) -> Result<(), Invalid> {
    if compares.len() > MAX_COMPARES {
        return Err(Invalid::TooManyCompares { count: compares.len() });
    }
    if writes.len() > MAX_WRITES {
        return Err(Invalid::TooManyWrites { count: writes.len() });
    }
    let bytes = compares.iter().map(|compare| compare.key.len()).sum::<usize>()
        + writes.iter().map(Write::bytes).sum::<usize>();
    if bytes > MAX_COMMIT_BYTES {
        return Err(Invalid::TooLarge { bytes });
    }
    if compares.iter().any(|compare| compare.key.is_empty()) || writes.iter().any(|write| write.key().is_empty()) {
        return Err(Invalid::EmptyKey);
    }
    if let Some(key) = first_repeated(compares.iter().map(|compare| &compare.key)) {
        return Err(Invalid::ComparedTwice(key.clone()));
    }
    if let Some(key) = first_repeated(writes.iter().map(Write::key)) {
        return Err(Invalid::WrittenTwice(key.clone()));
    }
    Ok(())
}

fn first_repeated<'a>(keys: impl ExactSizeIterator<Item = &'a Bytes>) -> Option<&'a Bytes> {
    if keys.len() < 2 {
        return None;
    }
    let mut seen = HashSet::with_capacity(keys.len());
    let mut keys = keys;
    keys.find(|key| !seen.insert(*key))
}
