//! Bytes under keys: transactions, revisions, watches and leases over SQLite or memory; knows no record type.
//!
//! The semantics are the part of etcd v3 that an orchestrator needs, written down on [`Store`] and held by one contract suite
//! that runs on every engine. A consumer takes an `Arc<dyn Store>` and never learns which engine answers.

pub mod clock;
mod error;
mod kv;
mod memory;
mod model;
mod sqlite;
mod txn;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use error::StoreError;
pub use kv::{KeyRange, KeyValue, LeaseId, RangeResult, Revision, Status};
pub use memory::{MemoryOptions, MemoryStore};
pub use sqlite::{FatalError, OnFatal, OpenError, Retention, SqliteOptions, SqliteStore};
pub use txn::{CommitOutcome, Compare, Expect, Invalid, MAX_COMMIT_BYTES, MAX_COMPARES, MAX_WRITES, Write};
pub use watch::{Change, RevisionChanges, Watch, WatchEvent, WatchSource};

/// What every call of a [`Store`] returns: a boxed future, so that the trait stays usable as `Arc<dyn Store>`.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One ordered key space with one revision counter.
///
/// Rules that hold on every engine:
/// - A commit makes at most one revision, shared by all keys it changes; a commit that changes nothing makes none.
/// - No revision is visible (in a range, a watch or a conflict) before it is durable.
/// - When `commit` has answered, every later call of any method sees its effect.
/// - An empty store is at revision 1; an absent key counts as create revision 0, mod revision 0, version 0.
pub trait Store: Send + Sync + 'static {
    /// Reads the keys of `range` in order, at most `limit` of them (`Some(0)` only counts), as they were at revision `at` or are now.
    ///
    /// Errors: [`StoreError::Compacted`] for `at` below the floor, [`StoreError::FutureRevision`] for `at` above the current revision.
    fn range(&self, range: KeyRange, limit: Option<usize>, at: Option<Revision>) -> Reply<'_, RangeResult>;

    /// Applies all `writes` in one revision if every compare holds, else answers the current state of each compared key.
    ///
    /// Without writes it is a pure check. Errors: [`StoreError::Invalid`], [`StoreError::LeaseNotFound`], [`StoreError::NoSpace`] (nothing was changed) and
    /// [`StoreError::Unknown`] (it may or may not have been applied: find out by reading, never repeat blindly).
    fn commit(&self, compares: Vec<Compare>, writes: Vec<Write>) -> Reply<'_, CommitOutcome>;

    /// Follows the changes to keys of `range` from revision `from` on, which is normally the revision of a range result plus one.
    ///
    /// Never fails itself: a `from` at or below the floor shows as [`WatchEvent::Compacted`], one above current + 1 as an error, on the first `next`.
    fn watch(&self, range: KeyRange, from: Revision) -> Watch;

    /// Makes a lease that lives for `ttl` after its last keepalive. Errors: [`StoreError::Invalid`] for a zero `ttl`.
    fn lease_grant(&self, ttl: Duration) -> Reply<'_, LeaseId>;

    /// Lets the lease live for its whole TTL from now, and answers that TTL. Errors: [`StoreError::LeaseNotFound`].
    fn lease_keepalive(&self, lease: LeaseId) -> Reply<'_, Duration>;

    /// Ends the lease and deletes its keys in one revision, which is answered. Errors: [`StoreError::LeaseNotFound`].
    fn lease_revoke(&self, lease: LeaseId) -> Reply<'_, Revision>;

    /// How long the lease still lives without a keepalive. Errors: [`StoreError::LeaseNotFound`].
    fn lease_remaining(&self, lease: LeaseId) -> Reply<'_, Duration>;

    /// Forgets the history before `at`, so that `at` becomes the floor; answers the floor in force. At or below the floor it does nothing.
    ///
    /// Errors: [`StoreError::FutureRevision`] for `at` above the current revision.
    fn compact(&self, at: Revision) -> Reply<'_, Revision>;

    /// The current revision, the floor, the epoch and the size.
    fn status(&self) -> Reply<'_, Status>;

    /// The current value of one key.
    fn get(&self, key: Bytes) -> Reply<'_, Option<Arc<KeyValue>>> {
        Box::pin(async move { Ok(self.range(KeyRange::key(key), None, None).await?.kvs.pop()) })
    }
}
