//! A store whose commits fail as a crash or a full disk makes them fail; reads and watches are those of the store below.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{
    CommitOutcome, Compare, KeyRange, LeaseId, RangeResult, Reply, Revision, Status, Store, StoreError, Watch,
    WatchEvent, WatchSource, Write,
};
use tokio::sync::watch;

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    /// Applied, and the answer is lost: the caller hears [`StoreError::Unknown`].
    Unanswered,
    /// Not applied, and the caller cannot tell: it hears [`StoreError::Unknown`] too.
    Lost,
    /// Not applied: there is no space.
    NoSpace,
}

type Decide = Box<dyn FnMut(&[Write]) -> Fault + Send>;

/// Any store, with a fault decided for each commit that writes, and watches that can be held.
pub struct FaultyStore {
    below: Arc<dyn Store>,
    decide: Mutex<Decide>,
    held: watch::Sender<bool>,
}

impl FaultyStore {
    /// Without faults until some are asked for.
    pub fn new(below: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { below, decide: Mutex::new(Box::new(|_| Fault::None)), held: watch::Sender::new(false) })
    }

    fn decide(&self) -> MutexGuard<'_, Decide> {
        self.decide.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `decide` says what becomes of each commit.
    pub fn on_commit(&self, decide: impl FnMut(&[Write]) -> Fault + Send + 'static) {
        *self.decide() = Box::new(decide);
    }

    /// While it is held no watcher hears anything.
    pub fn hold_watches(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The next `times` commits meet this fault.
    pub fn fail_next(&self, times: usize, fault: Fault) {
        let mut left = times;
        self.on_commit(move |_| {
            let due = left > 0;
            left = left.saturating_sub(1);
            if due { fault } else { Fault::None }
        });
    }
}

struct HeldWatch {
    below: Watch,
    held: watch::Receiver<bool>,
    /// Heard and not told yet.
    heard: Option<WatchEvent>,
}

impl WatchSource for HeldWatch {
    fn next(&mut self) -> Reply<'_, WatchEvent> {
        Box::pin(async move {
            let event = match self.heard.take() {
                Some(event) => event,
                None => self.below.next().await?,
            };
            self.heard = Some(event);
            self.held.wait_for(|held| !held).await.map_err(|_| StoreError::Closed)?;
            self.heard.take().ok_or(StoreError::Closed)
        })
    }
}

impl Store for FaultyStore {
    fn range(&self, range: KeyRange, limit: Option<usize>, at: Option<Revision>) -> Reply<'_, RangeResult> {
        self.below.range(range, limit, at)
    }

    fn commit(&self, compares: Vec<Compare>, writes: Vec<Write>) -> Reply<'_, CommitOutcome> {
        let fault = if writes.is_empty() { Fault::None } else { (self.decide())(&writes) };
        Box::pin(async move {
            match fault {
                Fault::None => self.below.commit(compares, writes).await,
                Fault::Unanswered => {
                    self.below.commit(compares, writes).await?;
                    Err(StoreError::Unknown)
                }
                Fault::Lost => Err(StoreError::Unknown),
                Fault::NoSpace => Err(StoreError::NoSpace { cause: "a test says so".into() }),
            }
        })
    }

    fn watch(&self, range: KeyRange, from: Revision) -> Watch {
        Watch::new(HeldWatch { below: self.below.watch(range, from), held: self.held.subscribe(), heard: None })
    }

    fn lease_grant(&self, ttl: Duration) -> Reply<'_, LeaseId> {
        self.below.lease_grant(ttl)
    }

    fn lease_keepalive(&self, lease: LeaseId) -> Reply<'_, Duration> {
        self.below.lease_keepalive(lease)
    }

    fn lease_revoke(&self, lease: LeaseId) -> Reply<'_, Revision> {
        self.below.lease_revoke(lease)
    }

    fn lease_remaining(&self, lease: LeaseId) -> Reply<'_, Duration> {
        self.below.lease_remaining(lease)
    }

    fn compact(&self, at: Revision) -> Reply<'_, Revision> {
        self.below.compact(at)
    }

    fn status(&self) -> Reply<'_, Status> {
        self.below.status()
    }
}
