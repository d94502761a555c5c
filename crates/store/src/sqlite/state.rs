//! The SQLite engine's state in memory: current keys, kept history, floor. Persistent maps, so that a copy costs nothing; no I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use crate::error::StoreError;
use crate::kv::{KeyRange, KeyValue, LeaseId, RangeResult, Revision};
use crate::txn::Write;
use crate::watch::{Change, RevisionChanges, WatchEvent, select};

/// What a version is reckoned to cost in memory and on disk beside its key and value, in bytes.
const VERSION_OVERHEAD: u64 = 256;

/// One consistent picture of the store. The writer makes the next one from a copy; readers keep the one they took.
#[derive(Clone)]
pub(super) struct State {
    keys: OrdMap<Bytes, Stored>,
    /// Every revision above the floor, without gaps.
    log: OrdMap<Revision, Logged>,
    log_bytes: u64,
    floor: Revision,
    revision: Revision,
    /// The row that the next change is stored in.
    next_row: i64,
}

/// A key's current version and the row of the log table that holds it.
#[derive(Clone)]
struct Stored {
    kv: Arc<KeyValue>,
    row: i64,
}

/// A revision that watchers can still ask for, and the rows that nobody needs once it is compacted.
#[derive(Clone)]
struct Logged {
    changes: RevisionChanges,
    dead_rows: Arc<[i64]>,
}

impl State {
    /// An empty store whose history begins at `floor`.
    pub(super) fn new(floor: Revision) -> State {
        State { keys: OrdMap::new(), log: OrdMap::new(), log_bytes: 0, floor, revision: floor, next_row: 1 }
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    pub(super) fn next_row(&self) -> i64 {
        self.next_row
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Arc<KeyValue>> {
        self.keys.get(key).map(|stored| &stored.kv)
    }

    /// The keys that a lease would delete, in key order.
    pub(super) fn leased(&self) -> impl Iterator<Item = (LeaseId, &Bytes)> {
        self.keys.iter().filter_map(|(key, stored)| Some((stored.kv.lease?, key)))
    }

    /// How many revisions the history holds, and about how many bytes.
    pub(super) fn history(&self) -> (usize, u64) {
        (self.log.len(), self.log_bytes)
    }

    /// Where the floor would be if at least so many of the oldest revisions and bytes were gone.
    pub(super) fn floor_without(&self, revisions: u64, bytes: u64) -> Revision {
        let mut floor = self.floor;
        let mut gone = 0;
        for (revision, logged) in &self.log {
            if gone >= bytes && floor.0 >= self.floor.0 + revisions {
                break;
            }
            floor = *revision;
            gone += weight(&logged.changes);
        }
        floor
    }

    /// The revisions made since `before`, oldest first.
    pub(super) fn revisions_since(&self, before: Revision) -> impl Iterator<Item = (Revision, &[Change])> {
        self.log.range(before.next()..).map(|(revision, logged)| (*revision, &logged.changes[..]))
    }

    /// Applies `writes` as one new revision, unless they change nothing. Answers the changes made.
    pub(super) fn apply<'a>(&mut self, writes: impl IntoIterator<Item = &'a Write>) -> RevisionChanges {
        let revision = self.revision.next();
        let mut changes = Vec::new();
        let mut dead_rows = Vec::new();
        for write in writes {
            let row = self.next_row;
            let change = match write {
                Write::Put { key, value, lease } => self.put(revision, row, key, value, *lease, &mut dead_rows),
                Write::Delete { key } => match self.delete(row, key, &mut dead_rows) {
                    Some(change) => change,
                    None => continue,
                },
            };
            changes.push(change);
            self.next_row += 1;
        }
        let changes: RevisionChanges = changes.into();
        if !changes.is_empty() {
            self.push(revision, changes.clone(), dead_rows);
        }
        changes
    }

    fn put(
        &mut self,
        revision: Revision,
        row: i64,
        key: &Bytes,
        value: &Bytes,
        lease: Option<LeaseId>,
        dead_rows: &mut Vec<i64>,
    ) -> Change {
        let before = self.keys.get(key);
        // A key's versions share one copy of its name.
        let key = before.map_or(key, |stored| &stored.kv.key).clone();
        let kv = Arc::new(KeyValue {
            key: key.clone(),
            value: value.clone(),
            create_revision: before.map_or(revision, |stored| stored.kv.create_revision),
            mod_revision: revision,
            version: before.map_or(1, |stored| stored.kv.version + 1),
            lease,
        });
        self.insert(kv, row, dead_rows)
    }

    fn insert(&mut self, kv: Arc<KeyValue>, row: i64, dead_rows: &mut Vec<i64>) -> Change {
        let key = kv.key.clone();
        let before = self.keys.insert(key.clone(), Stored { kv: kv.clone(), row });
        dead_rows.extend(before.as_ref().map(|stored| stored.row));
        Change { key, current: Some(kv), previous: before.map(|stored| stored.kv) }
    }

    fn delete(&mut self, row: i64, key: &Bytes, dead_rows: &mut Vec<i64>) -> Option<Change> {
        let before = self.keys.remove(key)?;
        dead_rows.extend([before.row, row]);
        Some(Change { key: before.kv.key.clone(), current: None, previous: Some(before.kv) })
    }

    fn push(&mut self, revision: Revision, changes: RevisionChanges, dead_rows: Vec<i64>) {
        self.log_bytes += weight(&changes);
        self.log.insert(revision, Logged { changes, dead_rows: dead_rows.into() });
        self.revision = revision;
    }

    /// Raises the floor to `floor` and answers the rows that this makes useless. Of all that are, the first by number may be
    /// deleted at any time: a deletion's own row comes after the rows it hides.
    pub(super) fn compact(&mut self, floor: Revision) -> Vec<i64> {
        let mut useless = Vec::new();
        while let Some((oldest, _)) = self.log.get_min()
            && *oldest <= floor
        {
            let oldest = *oldest;
            let logged = self.log.remove(&oldest).expect("the oldest entry was just seen");
            self.log_bytes -= weight(&logged.changes);
            useless.extend_from_slice(&logged.dead_rows);
        }
        self.floor = self.floor.max(floor);
        useless
    }

    /// Takes in one stored revision while opening; the versions in it are complete, `None` marks a deletion.
    ///
    /// Answers rows that are useless already, because the revision is not above the floor.
    pub(super) fn restore(&mut self, revision: Revision, rows: Vec<(i64, Bytes, Option<Arc<KeyValue>>)>) -> Vec<i64> {
        let mut dead_rows = Vec::new();
        let mut changes = Vec::new();
        for (row, key, kv) in rows {
            self.next_row = row + 1;
            match kv {
                Some(kv) => changes.push(self.insert(kv, row, &mut dead_rows)),
                None => match self.delete(row, &key, &mut dead_rows) {
                    Some(change) => changes.push(change),
                    // What it deleted was cleared away already; the mark alone is left.
                    None => dead_rows.push(row),
                },
            }
        }
        if revision <= self.floor {
            return dead_rows;
        }
        self.push(revision, changes.into(), dead_rows);
        Vec::new()
    }

    pub(super) fn range(
        &self,
        range: &KeyRange,
        limit: Option<usize>,
        at: Option<Revision>,
    ) -> Result<RangeResult, StoreError> {
        let revision = at.unwrap_or(self.revision);
        if revision < self.floor {
            return Err(StoreError::Compacted { requested: revision, floor: self.floor });
        }
        if revision > self.revision {
            return Err(StoreError::FutureRevision { requested: revision, current: self.revision });
        }
        let limit = limit.unwrap_or(usize::MAX);
        let (kvs, count) = if range.is_empty() {
            (Vec::new(), 0)
        } else if revision == self.revision {
            self.current(range, limit)
        } else {
            self.past(range, limit, revision)
        };
        Ok(RangeResult { more: count > kvs.len(), kvs, count, revision })
    }

    fn current(&self, range: &KeyRange, limit: usize) -> (Vec<Arc<KeyValue>>, usize) {
        let mut found = self.keys.range::<_, [u8]>(range.bounds()).map(|(_, stored)| &stored.kv);
        let kvs: Vec<_> = found.by_ref().take(limit).cloned().collect();
        let count = if range.is_all() { self.keys.len() } else { kvs.len() + found.count() };
        (kvs, count)
    }

    /// The current keys with every later change undone: for each key touched since, the state before its first touch counts.
    fn past(&self, range: &KeyRange, limit: usize, at: Revision) -> (Vec<Arc<KeyValue>>, usize) {
        let mut before: BTreeMap<&Bytes, Option<&Arc<KeyValue>>> = BTreeMap::new();
        for (_, changes) in self.revisions_since(at) {
            for change in changes.iter().filter(|change| range.contains(&change.key)) {
                before.entry(&change.key).or_insert(change.previous.as_ref());
            }
        }
        let untouched = self.keys.range::<_, [u8]>(range.bounds()).filter(|(key, _)| !before.contains_key(key));
        let mut kvs: Vec<&Arc<KeyValue>> = untouched.map(|(_, stored)| &stored.kv).collect();
        kvs.extend(before.values().flatten());
        kvs.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let count = kvs.len();
        (kvs.into_iter().take(limit).cloned().collect(), count)
    }

    /// The next event for a watcher of `range` that has seen everything before `from`; `None` when it has to wait.
    pub(super) fn see(&self, range: &KeyRange, from: Revision) -> Result<Option<WatchEvent>, StoreError> {
        if from <= self.floor {
            return Ok(Some(WatchEvent::Compacted(self.floor)));
        }
        if from > self.revision.next() {
            return Err(StoreError::FutureRevision { requested: from, current: self.revision });
        }
        for (revision, logged) in self.log.range(from..) {
            if let Some(changes) = select(&logged.changes, range) {
                return Ok(Some(WatchEvent::Revision { revision: *revision, changes }));
            }
        }
        Ok((from <= self.revision).then_some(WatchEvent::Progress(self.revision)))
    }
}

fn weight(changes: &[Change]) -> u64 {
    let value = |change: &Change| change.current.as_ref().map_or(0, |kv| kv.value.len());
    changes.iter().map(|change| VERSION_OVERHEAD + (change.key.len() + value(change)) as u64).sum()
}

#[cfg(test)]
mod tests;
