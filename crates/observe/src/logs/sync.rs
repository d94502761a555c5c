//! What is acknowledged but perhaps not on the disk yet, and the pushing of it; when to read or write is not decided here.

use super::error::{IoContext, LogError};
use super::group::{Group, Stream, sync_dir};
use super::segment::{self, Index};
use super::store::LogStore;
use super::stream::Unsynced;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// How long an acknowledged event may be in the page cache only.
pub const SYNC_AFTER: Duration = Duration::from_secs(5);
/// A stream with so much unsynced is synced at once, not when its time has come.
pub const SYNC_BYTES: u64 = 1 << 20;
/// With more files than this, one sync of the whole file system costs less than one for each.
const FILES_APART: usize = 8;

/// The queue of what waits for a sync.
#[derive(Default)]
pub(crate) struct Waiting {
    queue: Mutex<Queue>,
    /// Something waits.
    begun: Notify,
    /// So much waits that it should not wait for its time.
    pressed: Notify,
}

#[derive(Default)]
struct Queue {
    segments: Vec<(Arc<Stream>, u64)>,
    journals: Vec<Arc<Group>>,
}

impl Waiting {
    pub(crate) fn journal(&self, group: &Arc<Group>) {
        let mut queue = self.queue();
        if !queue.journals.iter().any(|known| Arc::ptr_eq(known, group)) {
            queue.journals.push(group.clone());
            self.begun.notify_one();
        }
    }

    /// `known`: the segment is in the queue already.
    pub(crate) fn segment(&self, stream: &Arc<Stream>, unsynced: Unsynced, known: bool) {
        if !known {
            self.queue().segments.push((stream.clone(), unsynced.segment));
            self.begun.notify_one();
        }
        if unsynced.bytes > SYNC_BYTES {
            self.pressed.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl LogStore {
    /// Pushes everything appended so far to the disk.
    pub fn sync(&self) -> Result<(), LogError> {
        let Queue { segments, journals } = std::mem::take(&mut *self.waiting.queue());
        // Taken before the sync: an index never vouches for what came later.
        let segments: Vec<_> =
            segments.into_iter().map(|(stream, segment)| (take(&stream, segment), stream, segment)).collect();
        let together = segments.len() + journals.len() > FILES_APART;
        if together {
            let folder = File::open(&self.dir).at("open", &self.dir)?;
            nix::unistd::syncfs(folder).map_err(io::Error::from).at("sync", &self.dir)?;
        } else {
            journals.iter().try_for_each(|group| group.sync())?;
        }
        for (index, stream, segment) in segments {
            if !together {
                sync_segment(&stream, segment)?;
            }
            if let Some(index) = index
                && let Some(segments) = &mut stream.state().segments
                && segments.mark_synced(&index)
            {
                segment::write_index(&stream.dir, &index)?;
            }
        }
        Ok(())
    }

    /// Syncs whenever something has waited [`SYNC_AFTER`] or a stream has more than [`SYNC_BYTES`] waiting; never ends.
    pub async fn keep_synced(self: Arc<Self>) {
        loop {
            self.waiting.begun.notified().await;
            tokio::select! {
                () = tokio::time::sleep(SYNC_AFTER) => {}
                () = self.waiting.pressed.notified() => {}
            }
            let store = self.clone();
            match tokio::task::spawn_blocking(move || store.sync()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "what was logged last may not survive a power cut");
                }
                Err(_) => return,
            }
        }
    }
}

/// Takes a segment off the queue, with what its index may say once it is synced. None: it is full and has its index.
fn take(stream: &Stream, segment: u64) -> Option<Index> {
    let mut state = stream.state();
    if state.queued == Some(segment) {
        state.queued = None;
    }
    state.segments.as_ref().and_then(|s| s.active_index(segment))
}

fn sync_segment(stream: &Stream, segment: u64) -> Result<(), LogError> {
    let path = segment::log_path(&stream.dir, segment);
    let file = match File::open(&path) {
        Ok(file) => file,
        // Dropped by retention or with its stream.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LogError::Io { action: "open", path, source }),
    };
    file.sync_data().at("sync", &path)?;
    if segment::index_path(&stream.dir, segment).exists() {
        return Ok(());
    }
    sync_dir(&stream.dir)?;
    stream.dir.parent().map_or(Ok(()), sync_dir)
}
