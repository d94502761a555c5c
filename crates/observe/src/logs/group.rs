//! The streams of one group: their names in a journal, their segments in a folder each.

use super::error::{IoContext, LogError};
use super::frame::{self, Frames};
use super::stream::Segments;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

const JOURNAL: &str = "streams";
/// A journal with more records of streams that are gone than this, and than half its length, is rewritten at load.
const GONE_RECORDS: usize = 1_000;
const UNKNOWN: u64 = u64::MAX;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Create {
        id: u64,
        name: String,
        at_ms: i64,
    },
    Delete(u64),
    /// Ids below were used.
    Next(u64),
}

/// A stream's fixed properties, and its segments while they are loaded.
pub(crate) struct Stream {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) created_ms: i64,
    pub(crate) dir: PathBuf,
    /// When it was last used, in the store's count of uses.
    pub(crate) used: AtomicU64,
    /// What its events are charged, as of the last look; [`UNKNOWN`] before the first.
    charged: AtomicU64,
    state: Mutex<StreamState>,
}

#[derive(Default)]
pub(crate) struct StreamState {
    pub(crate) segments: Option<Segments>,
    /// The segment that waits for the next sync.
    pub(crate) queued: Option<u64>,
    followers: Option<watch::Sender<u64>>,
    deleted: bool,
}

impl Stream {
    pub(crate) fn state(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What its events are charged, if that is known without reading its folder.
    pub(crate) fn charged(&self) -> Option<u64> {
        Some(self.charged.load(Ordering::Relaxed)).filter(|charged| *charged != UNKNOWN)
    }

    /// Notes what its events are charged; the caller holds its state.
    pub(crate) fn note_charged(&self, segments: &Segments) {
        self.charged.store(segments.summaries().map(|s| s.charged).sum(), Ordering::Relaxed);
    }

    pub(crate) fn try_state(&self) -> Option<MutexGuard<'_, StreamState>> {
        self.state.try_lock().ok()
    }
}

impl StreamState {
    /// The stream's segments, and whether they had to be loaded.
    pub(crate) fn loaded(&mut self, stream: &Stream, segment_bytes: u64) -> Result<(&mut Segments, bool), LogError> {
        if self.deleted {
            return Err(LogError::NoSuchStream(stream.name.to_string()));
        }
        let fresh = self.segments.is_none();
        if fresh {
            let segments = Segments::load(&stream.dir, segment_bytes)?;
            stream.note_charged(&segments);
            self.segments = Some(segments);
        }
        Ok((self.segments.as_mut().expect("loaded just above"), fresh))
    }

    pub(crate) fn announce(&self, next_seq: u64) {
        if let Some(followers) = &self.followers {
            followers.send_replace(next_seq);
        }
    }

    pub(crate) fn follow(&mut self, next_seq: u64) -> watch::Receiver<u64> {
        self.followers.get_or_insert_with(|| watch::Sender::new(next_seq)).subscribe()
    }

    fn delete(&mut self) {
        *self = StreamState { deleted: true, ..StreamState::default() };
    }
}

pub(crate) struct Group {
    dir: PathBuf,
    /// Events before it are no longer shown.
    pub(crate) floor_ms: AtomicI64,
    state: Mutex<GroupState>,
}

struct GroupState {
    journal: File,
    journal_bytes: u64,
    next_id: u64,
    deleted: bool,
    streams: BTreeMap<Arc<str>, Arc<Stream>>,
}

impl Group {
    /// Reads the journal, cuts a torn record off and removes the folders of streams that are gone. `create`: make the group.
    pub(crate) fn load(dir: &Path, create: bool) -> Result<Option<Self>, LogError> {
        if create {
            fs::create_dir_all(dir).at("create", dir)?;
        }
        let path = dir.join(JOURNAL);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => Vec::new(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogError::Io { action: "read", path, source }),
        };
        let mut frames = Frames::new(&bytes);
        let (mut next_id, mut records, mut by_id) = (1, 0, BTreeMap::new());
        for payload in frames.by_ref() {
            records += 1;
            match serde_json::from_slice(payload) {
                Ok(Record::Create { id, name, at_ms }) => {
                    next_id = next_id.max(id + 1);
                    by_id.insert(id, (name, at_ms));
                }
                Ok(Record::Delete(id)) => {
                    by_id.remove(&id);
                }
                Ok(Record::Next(id)) => next_id = next_id.max(id),
                Err(error) => tracing::warn!(journal = %path.display(), %error, "skipped a record of another version"),
            }
        }
        let mut journal_bytes = frames.at as u64;
        if records > GONE_RECORDS && records > 2 * by_id.len() {
            journal_bytes = rewrite(&path, next_id, &by_id)?;
        }
        let journal = File::options().create(true).truncate(false).write(true).open(&path).at("open", &path)?;
        journal.set_len(journal_bytes).at("cut the torn end of", &path)?;
        sweep(dir, &by_id.keys().copied().collect())?;
        let streams = by_id
            .into_iter()
            .map(|(id, (name, at_ms))| stream(dir, id, name.into(), at_ms))
            .map(|s| (s.name.clone(), s))
            .collect();
        let state = GroupState { journal, journal_bytes, next_id, deleted: false, streams };
        Ok(Some(Group { dir: dir.to_owned(), floor_ms: AtomicI64::new(0), state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn create(&self, name: &str, at_ms: i64) -> Result<(), LogError> {
        let mut state = self.state();
        if state.deleted {
            return Err(LogError::GroupDeleted);
        }
        if state.streams.contains_key(name) {
            return Err(LogError::StreamExists(name.to_owned()));
        }
        let id = state.next_id;
        state.write(&self.dir, &Record::Create { id, name: name.to_owned(), at_ms })?;
        state.next_id += 1;
        let made = stream(&self.dir, id, name.into(), at_ms);
        state.streams.insert(made.name.clone(), made);
        Ok(())
    }

    pub(crate) fn delete(&self, name: &str) -> Result<Arc<Stream>, LogError> {
        let gone = {
            let mut state = self.state();
            let id = state.streams.get(name).ok_or_else(|| LogError::NoSuchStream(name.to_owned()))?.id;
            state.write(&self.dir, &Record::Delete(id))?;
            state.streams.remove(name).expect("found above, under the same lock")
        };
        gone.state().delete();
        remove_dir(&gone.dir)?;
        Ok(gone)
    }

    /// Moves the group's folder to `grave`, from where it is removed; no stream can be made any more.
    pub(crate) fn bury(&self, grave: &Path) -> Result<(), LogError> {
        let streams = {
            let mut state = self.state();
            state.deleted = true;
            fs::rename(&self.dir, grave).at("delete", &self.dir)?;
            std::mem::take(&mut state.streams)
        };
        for stream in streams.values() {
            stream.state().delete();
        }
        remove_dir(grave)
    }

    pub(crate) fn stream(&self, name: &str) -> Result<Arc<Stream>, LogError> {
        self.state().streams.get(name).cloned().ok_or_else(|| LogError::NoSuchStream(name.to_owned()))
    }

    /// Streams in the order of their names: those that start with `prefix`, after the name `after`.
    pub(crate) fn streams(&self, prefix: &str, after: Option<&str>, most: usize) -> Vec<Arc<Stream>> {
        let state = self.state();
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = state.streams.range::<str, _>((from, Bound::Unbounded));
        range.map(|(_, stream)| stream).take_while(|s| s.name.starts_with(prefix)).take(most).cloned().collect()
    }

    /// Makes the names of streams last.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        let journal = self.state().journal.try_clone().at("sync", &self.dir)?;
        journal.sync_all().at("sync", &self.dir)?;
        sync_dir(&self.dir)
    }
}

impl GroupState {
    fn write(&mut self, dir: &Path, record: &Record) -> Result<(), LogError> {
        let mut bytes = Vec::new();
        frame::push(&mut bytes, &serde_json::to_vec(record).expect("plain fields serialise"));
        // What a failed write leaves is overwritten by the next, or cut off at load: its record is not whole.
        self.journal.write_all_at(&bytes, self.journal_bytes).at("write the names of streams in", dir)?;
        self.journal_bytes += bytes.len() as u64;
        Ok(())
    }
}

fn stream(dir: &Path, id: u64, name: Arc<str>, created_ms: i64) -> Arc<Stream> {
    let dir = dir.join(format!("{id:016x}"));
    let (used, state) = Default::default();
    Arc::new(Stream { id, name, created_ms, dir, used, charged: AtomicU64::new(UNKNOWN), state })
}

fn rewrite(path: &Path, next_id: u64, by_id: &BTreeMap<u64, (String, i64)>) -> Result<u64, LogError> {
    let creates = by_id.iter().map(|(&id, (name, at_ms))| Record::Create { id, name: name.clone(), at_ms: *at_ms });
    let mut bytes = Vec::new();
    for record in std::iter::once(Record::Next(next_id)).chain(creates) {
        frame::push(&mut bytes, &serde_json::to_vec(&record).expect("plain fields serialise"));
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, &bytes).and_then(|()| File::open(&fresh)?.sync_all()).at("write", &fresh)?;
    fs::rename(&fresh, path).at("replace", path)?;
    Ok(bytes.len() as u64)
}

/// Removes folders of streams that the journal does not know: a deletion was cut short.
fn sweep(dir: &Path, known: &HashSet<u64>) -> Result<(), LogError> {
    for entry in fs::read_dir(dir).at("list", dir)? {
        let entry = entry.at("list", dir)?;
        let name = entry.file_name();
        let id = name.to_str().filter(|n| n.len() == 16).and_then(|n| u64::from_str_radix(n, 16).ok());
        if id.is_some_and(|id| !known.contains(&id)) {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

pub(crate) fn remove_dir(dir: &Path) -> Result<(), LogError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("delete", dir),
        _ => Ok(()),
    }
}

/// Makes the names in a folder last.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).at("sync", dir)
}
