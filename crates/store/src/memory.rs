//! The memory engine: the model behind a lock. Nothing survives it; tests and the simulation run on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::error::StoreError;
use crate::kv::{KeyRange, LeaseId, RangeResult, Revision, Status};
use crate::model::{Model, Seen};
use crate::txn::{CommitOutcome, Compare, Write};
use crate::watch::{Watch, WatchEvent, WatchSource};
use crate::{Reply, Store};

/// How a memory store is made.
pub struct MemoryOptions {
    pub clock: Arc<dyn Clock>,
    /// What `status` answers as epoch.
    pub epoch: u64,
    /// How many revisions are kept for watchers and ranges in the past; `None` keeps all of them.
    pub keep_revisions: Option<u64>,
}

impl Default for MemoryOptions {
    fn default() -> MemoryOptions {
        MemoryOptions { clock: Arc::new(SystemClock::new()), epoch: 1, keep_revisions: None }
    }
}

/// A store in memory. Leases end when somebody calls or watches, so it needs no task of its own.
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Wakes the watchers; carries nothing, they look at the model. Its end ends them.
    changed: watch::Sender<()>,
}

struct Shared {
    model: Mutex<Model>,
    clock: Arc<dyn Clock>,
    epoch: u64,
}

impl MemoryStore {
    pub fn new(options: MemoryOptions) -> MemoryStore {
        MemoryStore {
            shared: Arc::new(Shared {
                model: Mutex::new(Model::new(options.keep_revisions)),
                clock: options.clock,
                epoch: options.epoch,
            }),
            changed: watch::Sender::new(()),
        }
    }

    fn reply<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&mut Model, Duration) -> Result<T, StoreError> + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            let (answer, moved) = self.shared.with_model(call);
            if moved {
                self.changed.send_replace(());
            }
            answer
        })
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new(MemoryOptions::default())
    }
}

impl Shared {
    /// Runs `call` on the model as it is now; also tells whether that moved what watchers wait for. Leases that end need no
    /// telling: each watcher waits for the next deadline by itself.
    fn with_model<T>(&self, call: impl FnOnce(&mut Model, Duration) -> T) -> (T, bool) {
        let mut model = self.lock();
        let now = self.clock.now();
        model.expire(now);
        let before = (model.revision(), model.floor(), model.next_deadline());
        let answer = call(&mut model, now);
        (answer, before != (model.revision(), model.floor(), model.next_deadline()))
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn range(&self, range: KeyRange, limit: Option<usize>, at: Option<Revision>) -> Reply<'_, RangeResult> {
        self.reply(move |model, _| model.range(&range, limit, at))
    }

    fn commit(&self, compares: Vec<Compare>, writes: Vec<Write>) -> Reply<'_, CommitOutcome> {
        self.reply(move |model, now| model.commit(now, &compares, writes))
    }

    fn watch(&self, range: KeyRange, from: Revision) -> Watch {
        let changed = self.changed.subscribe();
        Watch::new(MemoryWatch { shared: self.shared.clone(), changed, range, from })
    }

    fn lease_grant(&self, ttl: Duration) -> Reply<'_, LeaseId> {
        self.reply(move |model, now| model.lease_grant(now, ttl))
    }

    fn lease_keepalive(&self, lease: LeaseId) -> Reply<'_, Duration> {
        self.reply(move |model, now| model.lease_keepalive(now, lease))
    }

    fn lease_revoke(&self, lease: LeaseId) -> Reply<'_, Revision> {
        self.reply(move |model, now| model.lease_revoke(now, lease))
    }

    fn lease_remaining(&self, lease: LeaseId) -> Reply<'_, Duration> {
        self.reply(move |model, now| model.lease_remaining(now, lease))
    }

    fn compact(&self, at: Revision) -> Reply<'_, Revision> {
        self.reply(move |model, _| model.compact(at))
    }

    fn status(&self) -> Reply<'_, Status> {
        let epoch = self.shared.epoch;
        self.reply(move |model, _| {
            Ok(Status { revision: model.revision(), floor: model.floor(), epoch, bytes: model.bytes() })
        })
    }
}

struct MemoryWatch {
    shared: Arc<Shared>,
    changed: watch::Receiver<()>,
    range: KeyRange,
    from: Revision,
}

impl WatchSource for MemoryWatch {
    fn next(&mut self) -> Reply<'_, WatchEvent> {
        Box::pin(async move {
            loop {
                self.changed.mark_unchanged();
                let ((seen, deadline), _) =
                    self.shared.with_model(|model, _| (model.see(&self.range, self.from), model.next_deadline()));
                match seen? {
                    Seen::Changes(revision, changes) => {
                        self.from = revision.next();
                        return Ok(WatchEvent::Revision { revision, changes });
                    }
                    Seen::Compacted(floor) => return Ok(WatchEvent::Compacted(floor)),
                    Seen::Nothing(revision) if revision >= self.from => {
                        self.from = revision.next();
                        return Ok(WatchEvent::Progress(revision));
                    }
                    Seen::Nothing(_) => self.wait(deadline).await?,
                }
            }
        })
    }
}

impl MemoryWatch {
    /// Until the model may have moved: somebody changed it, or a lease is due.
    async fn wait(&mut self, deadline: Option<Duration>) -> Result<(), StoreError> {
        let lease_due = async {
            match deadline {
                Some(deadline) => self.shared.clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.changed.changed() => changed.map_err(|_| StoreError::Closed),
            () = lease_due => Ok(()),
        }
    }
}
