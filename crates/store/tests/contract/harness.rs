//! What a contract case gets: a fresh store of one engine, its clock, and short ways to say the usual things.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::clock::{Clock, ManualClock};
use store::{
    Change, CommitOutcome, Compare, KeyRange, KeyValue, LeaseId, MemoryOptions, MemoryStore, RangeResult, Revision,
    SqliteOptions, SqliteStore, Store, StoreError, Watch, WatchEvent, Write,
};
use tempfile::TempDir;

/// How long a case waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Harness {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    _folder: Option<TempDir>,
}

/// An engine that can make a fresh, empty store.
#[derive(Clone, Copy)]
pub(crate) enum Engine {
    Memory,
    Sqlite,
}

impl Engine {
    pub(crate) async fn start(self) -> Harness {
        let clock = Arc::new(ManualClock::new());
        match self {
            Engine::Memory => {
                let options = MemoryOptions { clock: clock.clone(), ..MemoryOptions::default() };
                Harness { store: Arc::new(MemoryStore::new(options)), clock, _folder: None }
            }
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let options =
                    SqliteOptions { clock: clock.clone(), ..SqliteOptions::new(folder.path().join("store.db")) };
                let store = SqliteStore::open(options).await.unwrap();
                Harness { store: Arc::new(store), clock, _folder: Some(folder) }
            }
        }
    }
}

impl Harness {
    pub(crate) async fn commit(&self, compares: Vec<Compare>, writes: Vec<Write>) -> CommitOutcome {
        self.store.commit(compares, writes).await.unwrap()
    }

    /// Commits without compares.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Revision {
        self.commit(vec![], writes).await.committed().unwrap()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) -> Revision {
        self.write(vec![put(key, value)]).await
    }

    pub(crate) async fn put_leased(&self, key: &str, lease: LeaseId) -> Revision {
        self.write(vec![Write::put_leased(bytes(key), "leased", lease)]).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Revision {
        self.write(vec![delete(key)]).await
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Arc<KeyValue>> {
        self.store.get(bytes(key)).await.unwrap()
    }

    pub(crate) async fn value(&self, key: &str) -> Option<String> {
        self.get(key).await.map(|kv| text(&kv.value))
    }

    pub(crate) async fn range(&self, range: KeyRange) -> RangeResult {
        self.store.range(range, None, None).await.unwrap()
    }

    pub(crate) async fn range_at(&self, range: KeyRange, at: Revision) -> RangeResult {
        self.store.range(range, None, Some(at)).await.unwrap()
    }

    pub(crate) async fn keys(&self, range: KeyRange) -> Vec<String> {
        keys(&self.range(range).await)
    }

    pub(crate) async fn revision(&self) -> Revision {
        self.store.status().await.unwrap().revision
    }

    pub(crate) async fn floor(&self) -> Revision {
        self.store.status().await.unwrap().floor
    }

    /// A watch of everything from the next revision on.
    pub(crate) async fn watch(&self) -> Watch {
        let next = self.revision().await.next();
        self.store.watch(KeyRange::all(), next)
    }

    pub(crate) async fn grant(&self, seconds: u64) -> LeaseId {
        self.store.lease_grant(Duration::from_secs(seconds)).await.unwrap()
    }

    /// Moves the time, and waits until leases that are due by then have ended: a commit never sees them.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.commit(vec![], vec![]).await;
    }

    pub(crate) async fn pass_secs(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn put(key: &str, value: &str) -> Write {
    Write::put(bytes(key), bytes(value))
}

pub(crate) fn delete(key: &str) -> Write {
    Write::delete(bytes(key))
}

pub(crate) fn keys(result: &RangeResult) -> Vec<String> {
    result.kvs.iter().map(|kv| text(&kv.key)).collect()
}

pub(crate) fn values(result: &RangeResult) -> Vec<String> {
    result.kvs.iter().map(|kv| text(&kv.value)).collect()
}

/// The next event, which must come within the patience.
pub(crate) async fn next(watch: &mut Watch) -> WatchEvent {
    try_next(watch).await.unwrap()
}

pub(crate) async fn try_next(watch: &mut Watch) -> Result<WatchEvent, StoreError> {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("an event should have come")
}

/// The next event, which must be a revision.
pub(crate) async fn next_revision(watch: &mut Watch) -> (Revision, Arc<[Change]>) {
    match next(watch).await {
        WatchEvent::Revision { revision, changes } => (revision, changes),
        other => panic!("expected a revision, got {other:?}"),
    }
}

/// Whether the watch has nothing to say; only meaningful after whatever could have made an event was answered.
pub(crate) async fn is_silent(watch: &mut Watch) -> bool {
    tokio::select! {
        biased;
        _ = watch.next() => false,
        () = tokio::task::yield_now() => true,
    }
}

/// The step of each key: `+k=v` made, `~k=v` overwritten, `-k` deleted.
pub(crate) fn steps(changes: &[Change]) -> Vec<String> {
    let step = |change: &Change| {
        let key = text(&change.key);
        match (&change.previous, &change.current) {
            (None, Some(now)) => format!("+{key}={}", text(&now.value)),
            (Some(_), Some(now)) => format!("~{key}={}", text(&now.value)),
            (Some(_), None) => format!("-{key}"),
            (None, None) => panic!("a change from nothing to nothing"),
        }
    };
    changes.iter().map(step).collect()
}
