//! What a watcher sees; how an engine finds it is the engine's own.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::Reply;
use crate::kv::{KeyRange, KeyValue, Revision};

/// One key's step from one revision to the next. At least one of both versions is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: Bytes,
    /// The version this revision made; `None` when it deleted the key.
    pub current: Option<Arc<KeyValue>>,
    /// The version before; `None` when the key was absent.
    pub previous: Option<Arc<KeyValue>>,
}

/// Everything one commit changed, shared by all who watch it; keys in the order of the commit's writes.
pub type RevisionChanges = Arc<[Change]>;

/// What [`Watch::next`] yields. The revision of each event is above that of the event before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// All changes of one revision that lie in the watched range.
    Revision { revision: Revision, changes: RevisionChanges },
    /// Everything up to and with this revision was seen; nothing since the last event lay in the watched range.
    Progress(Revision),
    /// The watcher is behind the floor: what it has missed is forgotten. The watch has ended; list again and watch anew.
    Compacted(Revision),
}

/// A subscription to the changes of a key range. It holds no queue: a slow watcher costs nothing and blocks nobody.
pub struct Watch(Box<dyn WatchSource>);

/// What an engine implements for [`Watch`].
pub trait WatchSource: Send {
    /// See [`Watch::next`].
    fn next(&mut self) -> Reply<'_, WatchEvent>;
}

impl Watch {
    pub fn new(source: impl WatchSource + 'static) -> Watch {
        Watch(Box::new(source))
    }

    /// Waits for the next event. Cancel-safe: an event is lost only if it was returned.
    ///
    /// Errors: [`FutureRevision`](crate::StoreError::FutureRevision) when the watch began above current + 1, [`Closed`](crate::StoreError::Closed) when the store ended.
    pub async fn next(&mut self) -> Result<WatchEvent, crate::StoreError> {
        self.0.next().await
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// The part of `changes` that lies in `range`: shared when that is all of it, `None` when it is nothing.
pub(crate) fn select(changes: &RevisionChanges, range: &KeyRange) -> Option<RevisionChanges> {
    if range.is_all() {
        return Some(changes.clone());
    }
    let wanted = changes.iter().filter(|change| range.contains(&change.key)).count();
    match wanted {
        0 => None,
        all if all == changes.len() => Some(changes.clone()),
        _ => Some(changes.iter().filter(|change| range.contains(&change.key)).cloned().collect()),
    }
}
