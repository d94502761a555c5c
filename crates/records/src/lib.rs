//! Typed keys, codecs, field groups and the decoded snapshot over `store`; knows no API shape.
//!
//! [`Records`] is what every other room of a server holds: reads come from [`Records::snapshot`], writes are [`Draft`]s
//! committed as a whole, and the groups of a Unit's record are written only through the function of their one writer
//! ([`units`]).

mod codec;
mod draft;
mod keys;
mod touched;
pub mod units;
mod view;

pub use draft::{CommitError, Draft};
pub use keys::Record;
pub use touched::{Touched, TouchedReceiver, UnitChange, Wake};
pub use view::OpenError;

use model::{Snapshot, Timestamp};
use std::sync::Arc;
use store::{CommitOutcome, Store};
use tokio::sync::{broadcast, watch};

/// How new a snapshot has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Whatever is at hand.
    Any,
    /// At least this revision.
    AtLeast(u64),
    /// Everything that anybody was told is stored. With an engine that one process owns, what is at hand is that: a commit
    /// is published here before it is answered.
    Latest,
}

/// The wall clock of a server, injected once: whoever holds the records has the time.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The records of an installation.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    current: watch::Receiver<Arc<Snapshot>>,
    /// The view's: followers end when it does.
    touched: broadcast::WeakSender<Arc<Touched>>,
}

impl Records {
    /// Loads everything and begins to follow the store. The returned task keeps the snapshot; run it in the server's scope.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, impl Future<Output = OpenError> + Send + 'static), OpenError> {
        let (view, current, touched) = view::View::load(store.clone()).await?;
        Ok((Self { store, clock, current, touched }, view.follow()))
    }

    /// The wall clock's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The stored state as of now, decoded and shared. O(1).
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.borrow().clone()
    }

    pub async fn snapshot(&self, freshness: Freshness) -> Arc<Snapshot> {
        match freshness {
            Freshness::Any | Freshness::Latest => self.current(),
            Freshness::AtLeast(revision) => self.published(revision).await,
        }
    }

    /// Waits until `done` answers for some snapshot from the current one on; None when the server is shutting down.
    pub async fn wait_for<T>(&self, mut done: impl FnMut(&Snapshot) -> Option<T>) -> Option<T> {
        let mut current = self.current.clone();
        loop {
            if let Some(answer) = done(&current.borrow_and_update()) {
                return Some(answer);
            }
            current.changed().await.ok()?;
        }
    }

    /// What every revision touched, from now on.
    pub fn touched(&self) -> TouchedReceiver {
        let live = self.touched.upgrade().map(|touched| touched.subscribe());
        // Of a view that has ended, a receiver that ends at once.
        TouchedReceiver::new(live.unwrap_or_else(|| broadcast::channel(1).1), self.current.clone())
    }

    /// Applies a draft as a whole and returns the snapshot that shows it.
    pub async fn commit(&self, draft: Draft) -> Result<Arc<Snapshot>, CommitError> {
        if draft.is_empty() {
            return Ok(self.current());
        }
        match self.store.commit(draft.compares, draft.writes).await? {
            CommitOutcome::Committed(revision) => Ok(self.published(revision.0).await),
            CommitOutcome::Conflict { revision, .. } => {
                // What the compare failed on must be visible before the caller decides again.
                self.published(revision.0).await;
                Err(CommitError::Conflict)
            }
        }
    }

    pub async fn status(&self) -> Result<store::Status, store::StoreError> {
        self.store.status().await
    }

    async fn published(&self, revision: u64) -> Arc<Snapshot> {
        let mut current = self.current.clone();
        match current.wait_for(|s| s.revision >= revision).await {
            Ok(snapshot) => snapshot.clone(),
            // The view has ended, so the process is about to: answer with what is there.
            Err(_) => self.current(),
        }
    }
}
