//! What can go wrong when a store is used; opening one has its own errors beside the engine.

use crate::kv::{LeaseId, Revision};
use crate::txn::Invalid;

/// Why a store did not do what was asked. Unless a variant says otherwise, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The caller's fault; the same call will always fail.
    #[error("the commit breaks a limit of the store")]
    Invalid(#[source] Invalid),

    /// The caller's picture is too old: list again and go on from there.
    #[error("revision {requested} is compacted away, the oldest kept is {floor}; list again")]
    Compacted { requested: Revision, floor: Revision },

    /// The caller asks about a revision that does not exist yet; a sign of another or a restored store.
    #[error("revision {requested} is in the future, the store is at {current}; list again")]
    FutureRevision { requested: Revision, current: Revision },

    /// The lease ended, or never was: its holder has lost what it protected.
    #[error("lease {0} does not exist or has ended")]
    LeaseNotFound(LeaseId),

    /// The disk or the store's quota is full. Reads go on; writes work again when there is space.
    #[error("no space left to store this ({cause}); free some disk space, then try again")]
    NoSpace { cause: String },

    /// The commit may or may not have been applied. Read to find out; never repeat it blindly.
    #[error("the store ended before it answered: the outcome of this write is not known")]
    Unknown,

    /// The store was closed before the call; the call did nothing.
    #[error("the store is closed")]
    Closed,
}
