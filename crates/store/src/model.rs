//! The store's semantics as one plain state machine: the oracle of the tests. No locks, no async, no cleverness.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::StoreError;
use crate::kv::{KeyRange, KeyValue, LeaseId, RangeResult, Revision};
use crate::txn::{CommitOutcome, Compare, Invalid, Write, validate};
use crate::watch::{Change, RevisionChanges};

type Keys = BTreeMap<Bytes, Arc<KeyValue>>;

/// The whole store as values. Every method takes the time it is called at and first ends the leases that are due by then.
pub(crate) struct Model {
    current: Keys,
    revision: Revision,
    /// The state at the floor: from here `history` leads to `current`.
    base: Keys,
    floor: Revision,
    history: BTreeMap<Revision, RevisionChanges>,
    leases: BTreeMap<LeaseId, Lease>,
    last_lease: LeaseId,
    /// How many revisions are kept without being asked; `None` keeps all.
    keep_revisions: Option<u64>,
}

struct Lease {
    ttl: Duration,
    deadline: Duration,
}

/// Where a watcher stands after looking at the history.
pub(crate) enum Seen {
    /// The first revision from the asked one on that touched the range.
    Changes(Revision, RevisionChanges),
    /// Nothing touched the range up to the current revision, which is answered.
    Nothing(Revision),
    Compacted(Revision),
}

impl Model {
    pub(crate) fn new(keep_revisions: Option<u64>) -> Model {
        Model {
            current: Keys::new(),
            revision: Revision::INITIAL,
            base: Keys::new(),
            floor: Revision::INITIAL,
            history: BTreeMap::new(),
            leases: BTreeMap::new(),
            last_lease: LeaseId(0),
            keep_revisions,
        }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn floor(&self) -> Revision {
        self.floor
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.current.values().map(|kv| (kv.key.len() + kv.value.len()) as u64).sum()
    }

    pub(crate) fn range(
        &self,
        range: &KeyRange,
        limit: Option<usize>,
        at: Option<Revision>,
    ) -> Result<RangeResult, StoreError> {
        let revision = at.unwrap_or(self.revision);
        let keys = self.keys_at(revision)?;
        if range.is_empty() {
            return Ok(RangeResult { kvs: Vec::new(), more: false, count: 0, revision });
        }
        let found = || keys.range::<[u8], _>(range.bounds()).map(|(_, kv)| kv);
        let count = found().count();
        let limit = limit.unwrap_or(count);
        Ok(RangeResult { kvs: found().take(limit).cloned().collect(), more: count > limit, count, revision })
    }

    fn keys_at(&self, revision: Revision) -> Result<Cow<'_, Keys>, StoreError> {
        if revision < self.floor {
            return Err(StoreError::Compacted { requested: revision, floor: self.floor });
        }
        if revision > self.revision {
            return Err(StoreError::FutureRevision { requested: revision, current: self.revision });
        }
        if revision == self.revision {
            return Ok(Cow::Borrowed(&self.current));
        }
        let mut keys = self.base.clone();
        for changes in self.history.range(..=revision).map(|(_, changes)| changes) {
            replay(&mut keys, changes);
        }
        Ok(Cow::Owned(keys))
    }

    pub(crate) fn commit(
        &mut self,
        now: Duration,
        compares: &[Compare],
        writes: Vec<Write>,
    ) -> Result<CommitOutcome, StoreError> {
        validate(compares, &writes)?;
        self.expire(now);
        if !compares.iter().all(|compare| compare.expect.holds(self.current.get(&compare.key).map(|kv| &**kv))) {
            let current = compares.iter().map(|compare| self.current.get(&compare.key).cloned()).collect();
            return Ok(CommitOutcome::Conflict { current, revision: self.revision });
        }
        for write in &writes {
            if let Write::Put { lease: Some(lease), .. } = write
                && !self.leases.contains_key(lease)
            {
                return Err(StoreError::LeaseNotFound(*lease));
            }
        }
        Ok(CommitOutcome::Committed(self.apply(writes)))
    }

    fn apply(&mut self, writes: Vec<Write>) -> Revision {
        let revision = self.revision.next();
        let changes: Vec<Change> = writes.into_iter().filter_map(|write| self.change(write, revision)).collect();
        if !changes.is_empty() {
            replay(&mut self.current, &changes);
            self.history.insert(revision, changes.into());
            self.revision = revision;
            self.forget_old();
        }
        self.revision
    }

    fn change(&self, write: Write, revision: Revision) -> Option<Change> {
        let previous = self.current.get(write.key()).cloned();
        match write {
            Write::Put { key, value, lease } => {
                let create_revision = previous.as_ref().map_or(revision, |kv| kv.create_revision);
                let version = previous.as_ref().map_or(1, |kv| kv.version + 1);
                let kv = KeyValue { key: key.clone(), value, create_revision, mod_revision: revision, version, lease };
                Some(Change { key, current: Some(Arc::new(kv)), previous })
            }
            Write::Delete { key } => {
                let previous = Some(previous?);
                Some(Change { key, current: None, previous })
            }
        }
    }

    pub(crate) fn see(&self, range: &KeyRange, from: Revision) -> Result<Seen, StoreError> {
        if from <= self.floor {
            return Ok(Seen::Compacted(self.floor));
        }
        if from > self.revision.next() {
            return Err(StoreError::FutureRevision { requested: from, current: self.revision });
        }
        let touched = self
            .history
            .range(from..)
            .find_map(|(revision, changes)| Some((*revision, crate::watch::select(changes, range)?)));
        Ok(match touched {
            Some((revision, changes)) => Seen::Changes(revision, changes),
            None => Seen::Nothing(self.revision),
        })
    }

    pub(crate) fn compact(&mut self, at: Revision) -> Result<Revision, StoreError> {
        if at > self.revision {
            return Err(StoreError::FutureRevision { requested: at, current: self.revision });
        }
        while let Some(entry) = self.history.first_entry()
            && *entry.key() <= at
        {
            replay(&mut self.base, &entry.remove());
        }
        self.floor = self.floor.max(at);
        Ok(self.floor)
    }

    fn forget_old(&mut self) {
        if let Some(keep) = self.keep_revisions {
            let floor = Revision(self.revision.0.saturating_sub(keep));
            self.compact(floor).expect("a floor below the current revision is never in the future");
        }
    }

    pub(crate) fn lease_grant(&mut self, now: Duration, ttl: Duration) -> Result<LeaseId, StoreError> {
        if ttl.is_zero() {
            return Err(StoreError::Invalid(Invalid::ZeroTtl));
        }
        self.last_lease = LeaseId(self.last_lease.0 + 1);
        self.leases.insert(self.last_lease, Lease { ttl, deadline: now.saturating_add(ttl) });
        Ok(self.last_lease)
    }

    pub(crate) fn lease_keepalive(&mut self, now: Duration, id: LeaseId) -> Result<Duration, StoreError> {
        self.expire(now);
        let lease = self.leases.get_mut(&id).ok_or(StoreError::LeaseNotFound(id))?;
        lease.deadline = now.saturating_add(lease.ttl);
        Ok(lease.ttl)
    }

    pub(crate) fn lease_remaining(&mut self, now: Duration, id: LeaseId) -> Result<Duration, StoreError> {
        self.expire(now);
        let lease = self.leases.get(&id).ok_or(StoreError::LeaseNotFound(id))?;
        Ok(lease.deadline - now)
    }

    pub(crate) fn lease_revoke(&mut self, now: Duration, id: LeaseId) -> Result<Revision, StoreError> {
        self.expire(now);
        self.leases.remove(&id).ok_or(StoreError::LeaseNotFound(id))?;
        Ok(self.delete_attached(id))
    }

    /// Ends the leases whose deadline has come, the earliest first, each in a revision of its own.
    pub(crate) fn expire(&mut self, now: Duration) {
        while let Some((_, id)) = self.leases.iter().map(|(id, lease)| (lease.deadline, *id)).min()
            && self.leases[&id].deadline <= now
        {
            self.leases.remove(&id);
            self.delete_attached(id);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.leases.values().map(|lease| lease.deadline).min()
    }

    fn delete_attached(&mut self, id: LeaseId) -> Revision {
        let attached = self.current.values().filter(|kv| kv.lease == Some(id));
        let deletes = attached.map(|kv| Write::delete(kv.key.clone())).collect();
        self.apply(deletes)
    }
}

fn replay(keys: &mut Keys, changes: &[Change]) {
    for change in changes {
        match &change.current {
            Some(kv) => keys.insert(change.key.clone(), kv.clone()),
            None => keys.remove(&change.key),
        };
    }
}
