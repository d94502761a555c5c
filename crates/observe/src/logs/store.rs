//! All groups of a folder: the operations that callers use, and the bounds on what stays in memory.

use super::error::{IoContext, LogError};
use super::files::OpenFiles;
use super::group::{Group, Stream, remove_dir};
use super::page::{self, Source, Way};
use super::read::{Filter, Get, MAX_FILTER_READ, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, ReadEvent};
use super::segment;
use super::stream::{AppendOutcome, Batch, EVENT_OVERHEAD, Segments};
use super::sync::Waiting;
use super::token::Key;
use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// A full segment is followed by a new one.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Segments being written that are kept open.
const OPEN_FILES: usize = 128;
/// Streams whose segments and index are kept in memory; others are read again when used.
const LOADED_STREAMS: usize = 1_024;
const GRAVE: &str = ".deleted.";

/// The log streams of a folder. One process at a time.
pub struct LogStore {
    pub(super) dir: PathBuf,
    segment_bytes: u64,
    files: OpenFiles,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    uses: AtomicU64,
    loaded: AtomicUsize,
    pub(super) waiting: Waiting,
    lock: File,
}

/// A page of one stream, its events by time. Tokens are never absent: at an end the same token comes back.
#[derive(Clone, PartialEq, Debug)]
pub struct GetPage {
    pub events: Vec<ReadEvent>,
    pub next_forward: String,
    pub next_backward: String,
}

/// A page of several streams, its events by time, up or down. It may be empty and still have a next one.
#[derive(Clone, PartialEq, Debug)]
pub struct FilterPage {
    pub events: Vec<ReadEvent>,
    pub next: Option<String>,
}

/// Events in the order of their arrival.
#[derive(Clone, PartialEq, Debug)]
pub struct ArrivalPage {
    pub events: Vec<ReadEvent>,
    /// Where to go on.
    pub next_seq: u64,
}

/// The streams that `filter` looks at.
#[derive(Clone, Copy, Debug)]
pub enum StreamSelection<'a> {
    All,
    Prefix(&'a str),
    Names(&'a [&'a str]),
}

impl LogStore {
    /// Opens or makes the folder. Streams are read when they are first used, so this takes no longer with many.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        Self::open_with(dir, SEGMENT_BYTES)
    }

    pub(crate) fn open_with(dir: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        fs::create_dir_all(dir).at("create", dir)?;
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).at("open", &path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(LogError::Io { action: "lock", path, source }),
        }
        for entry in fs::read_dir(dir).at("list", dir)? {
            let entry = entry.at("list", dir)?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(GRAVE)) {
                remove_dir(&entry.path())?;
            }
        }
        Ok(LogStore {
            dir: dir.to_owned(),
            segment_bytes,
            files: OpenFiles::new(OPEN_FILES),
            groups: Mutex::default(),
            uses: AtomicU64::default(),
            loaded: AtomicUsize::default(),
            waiting: Waiting::default(),
            lock,
        })
    }

    /// Makes a stream, and its group where this is the first one.
    pub fn create_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), LogError> {
        let group = self.group(group, true)?.ok_or(LogError::GroupDeleted)?;
        group.create(stream, now_ms)?;
        self.waiting.journal(&group);
        Ok(())
    }

    /// Makes a stream unless it is there.
    pub fn ensure_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), LogError> {
        if let Some(known) = self.group(group, false)?
            && known.stream(stream).is_ok()
        {
            return Ok(());
        }
        match self.create_stream(group, stream, now_ms) {
            Err(LogError::StreamExists(_)) => Ok(()),
            other => other,
        }
    }

    pub fn delete_stream(&self, group: &str, stream: &str) -> Result<(), LogError> {
        let missing = || LogError::NoSuchStream(stream.to_owned());
        let group = self.group(group, false)?.ok_or_else(missing)?;
        let gone = group.delete(stream)?;
        self.files.close_under(&gone.dir);
        self.waiting.journal(&group);
        Ok(())
    }

    /// Deletes every stream of a group. A group that never had one is fine.
    pub fn delete_group(&self, group: &str) -> Result<(), LogError> {
        let Some(found) = self.group(group, false)? else { return Ok(()) };
        found.bury(&self.dir.join(format!("{GRAVE}{group}")))?;
        self.groups().remove(group);
        self.files.close_under(&self.dir.join(group));
        Ok(())
    }

    /// Appends a batch, whole or not at all; it survives `kill -9` from when this returns.
    pub fn append(&self, group: &str, stream: &str, batch: &Batch<'_>) -> Result<AppendOutcome, LogError> {
        let stream = self.stream(group, stream)?;
        let mut state = stream.state();
        let (segments, fresh) = state.loaded(&stream, self.segment_bytes)?;
        self.count_loaded(fresh);
        let outcome = segments.append(&self.files, batch)?;
        stream.note_charged(segments);
        let unsynced = segments.unsynced();
        if let AppendOutcome::Appended { next_seq } = outcome {
            state.announce(next_seq);
        }
        if let Some(unsynced) = unsynced {
            let known = state.queued.replace(unsynced.segment) == Some(unsynced.segment);
            self.waiting.segment(&stream, unsynced, known);
        }
        drop(state);
        self.trim();
        Ok(outcome)
    }

    /// A page of one stream by time.
    pub fn get(&self, group: &str, stream: &str, get: &Get<'_>) -> Result<GetPage, LogError> {
        let missing = || LogError::NoSuchStream(stream.to_owned());
        let group = self.group(group, false)?.ok_or_else(missing)?;
        let stream = group.stream(stream)?;
        let (query, gap) = get.query(stream.id, group.floor_ms.load(Ordering::Relaxed))?;
        let mut found = page::collect(&query, vec![self.source(&stream)?])?;
        if query.way == Way::Backward {
            found.events.reverse();
        }
        let (next_forward, next_backward) = Get::tokens(&found.events, gap, query.lower, stream.id);
        Ok(GetPage { events: found.events, next_forward, next_backward })
    }

    /// A page of several streams by time. Names of streams that do not exist select nothing.
    pub fn filter(
        &self,
        group: &str,
        streams: StreamSelection<'_>,
        filter: &Filter<'_>,
    ) -> Result<FilterPage, LogError> {
        self.filter_reading(group, streams, filter, MAX_FILTER_READ)
    }

    pub(super) fn filter_reading(
        &self,
        group: &str,
        streams: StreamSelection<'_>,
        filter: &Filter<'_>,
        most_read: u64,
    ) -> Result<FilterPage, LogError> {
        let Some(group) = self.group(group, false)? else {
            return Ok(FilterPage { events: Vec::new(), next: None });
        };
        let selected = match streams {
            StreamSelection::All => group.streams("", None, usize::MAX),
            StreamSelection::Prefix(prefix) => group.streams(prefix, None, usize::MAX),
            StreamSelection::Names(names) => {
                let mut found: Vec<_> = names.iter().filter_map(|name| group.stream(name).ok()).collect();
                found.sort_unstable_by_key(|s| s.id);
                found.dedup_by_key(|s| s.id);
                found
            }
        };
        let query = filter.query(group.floor_ms.load(Ordering::Relaxed), most_read)?;
        let mut sources = Vec::with_capacity(selected.len());
        for stream in selected {
            match self.source(&stream) {
                Ok(source) => sources.push(source),
                Err(LogError::NoSuchStream(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let found = page::collect(&query, sources)?;
        Ok(FilterPage { events: found.events, next: found.next.map(|token| token.to_string()) })
    }

    /// Events in the order of their arrival, for tails: from the event of number `from_seq`.
    pub fn arrivals(&self, group: &str, stream: &str, from_seq: u64, limit: usize) -> Result<ArrivalPage, LogError> {
        let stream = self.stream(group, stream)?;
        let source = self.source(&stream)?;
        let most = limit.clamp(1, MAX_PAGE_EVENTS);
        let (mut events, mut charged): (Vec<ReadEvent>, usize) = (Vec::new(), 0);
        let mut next_seq = from_seq;
        let mut full = false;
        for view in source.segments {
            if view.summary.first_seq + view.summary.events <= from_seq {
                continue;
            }
            let path = view.path();
            let blocks = view.blocks()?;
            let first = blocks.partition_point(|b| b.first_seq <= from_seq).saturating_sub(1);
            for block in &blocks[first.min(blocks.len())..] {
                segment::read_block(&path, block, |event, ingestion_ms| {
                    if event.seq < from_seq || full {
                        return;
                    }
                    charged += event.message.len() + EVENT_OVERHEAD as usize;
                    full = events.len() >= most || (charged > MAX_PAGE_BYTES && !events.is_empty());
                    if !full {
                        let key = Key { timestamp_ms: event.timestamp_ms, stream: stream.id, seq: event.seq };
                        let (message, name) = (event.message.to_owned(), stream.name.clone());
                        events.push(ReadEvent { key, ingestion_ms, message, stream: name });
                        next_seq = event.seq + 1;
                    }
                })?;
                if full {
                    return Ok(ArrivalPage { events, next_seq });
                }
            }
        }
        Ok(ArrivalPage { events, next_seq })
    }

    /// Changes whenever something is appended: the number that the stream's next event will have. Closed with the stream.
    pub fn follow(&self, group: &str, stream: &str) -> Result<watch::Receiver<u64>, LogError> {
        let stream = self.stream(group, stream)?;
        let mut state = stream.state();
        let (segments, fresh) = state.loaded(&stream, self.segment_bytes)?;
        self.count_loaded(fresh);
        let next_seq = segments.carry().map_or(0, |c| c.next_seq);
        Ok(state.follow(next_seq))
    }

    /// The groups that have something on the disk.
    pub fn groups_on_disk(&self) -> Result<Vec<String>, LogError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).at("list", &self.dir)? {
            let entry = entry.at("list", &self.dir)?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if is_uid(&name) && entry.path().is_dir() {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Ends the life of events before a time: they are no longer shown, and segments that hold nothing else are deleted.
    /// Of a restarted store the time must be told again. 0 shows again what is still there.
    pub fn retain(&self, group: &str, from_ms: i64) -> Result<(), LogError> {
        let Some(group) = self.group(group, false)? else { return Ok(()) };
        group.floor_ms.store(from_ms, Ordering::Relaxed);
        if from_ms <= 0 {
            return Ok(());
        }
        for stream in group.streams("", None, usize::MAX) {
            let mut state = stream.state();
            match state.loaded(&stream, self.segment_bytes) {
                Ok((segments, fresh)) => {
                    segments.drop_older(&self.files, from_ms)?;
                    stream.note_charged(segments);
                    self.count_loaded(fresh);
                }
                Err(LogError::NoSuchStream(_)) => {}
                Err(error) => return Err(error),
            }
            drop(state);
            self.trim();
        }
        Ok(())
    }

    fn source(&self, stream: &Arc<Stream>) -> Result<Source, LogError> {
        let segments = self.with(stream, |segments| segments.views())?;
        self.trim();
        Ok(Source { id: stream.id, name: stream.name.clone(), segments })
    }

    pub(super) fn with<T>(&self, stream: &Arc<Stream>, ask: impl FnOnce(&mut Segments) -> T) -> Result<T, LogError> {
        stream.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let mut state = stream.state();
        let (segments, fresh) = state.loaded(stream, self.segment_bytes)?;
        self.count_loaded(fresh);
        Ok(ask(segments))
    }

    pub(super) fn stream(&self, group: &str, stream: &str) -> Result<Arc<Stream>, LogError> {
        let missing = || LogError::NoSuchStream(stream.to_owned());
        let found = self.group(group, false)?.ok_or_else(missing)?.stream(stream)?;
        found.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Ok(found)
    }

    pub(super) fn group(&self, uid: &str, create: bool) -> Result<Option<Arc<Group>>, LogError> {
        if !is_uid(uid) {
            return Err(LogError::BadGroup(uid.to_owned()));
        }
        let mut groups = self.groups();
        if let Some(group) = groups.get(uid) {
            return Ok(Some(group.clone()));
        }
        let Some(group) = Group::load(&self.dir.join(uid), create)? else { return Ok(None) };
        let group = Arc::new(group);
        groups.insert(uid.to_owned(), group.clone());
        Ok(Some(group))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, Arc<Group>>> {
        self.groups.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> (usize, usize) {
        let groups: Vec<_> = self.groups().values().cloned().collect();
        let streams = groups.iter().flat_map(|group| group.streams("", None, usize::MAX));
        (self.files.count(), streams.filter(|s| s.state().segments.is_some()).count())
    }

    fn count_loaded(&self, fresh: bool) {
        self.loaded.fetch_add(usize::from(fresh), Ordering::Relaxed);
    }

    /// Lets go of the least recently used streams when too many are in memory. Takes no lock that a caller may hold.
    pub(super) fn trim(&self) {
        if self.loaded.load(Ordering::Relaxed) <= LOADED_STREAMS {
            return;
        }
        let groups: Vec<_> = self.groups().values().cloned().collect();
        let mut streams: Vec<_> = groups.iter().flat_map(|group| group.streams("", None, usize::MAX)).collect();
        streams.retain(|s| s.try_state().is_some_and(|state| state.segments.is_some()));
        streams.sort_unstable_by_key(|s| s.used.load(Ordering::Relaxed));
        let mut left = streams.len();
        for stream in streams {
            if left <= LOADED_STREAMS / 4 * 3 {
                break;
            }
            if let Some(mut state) = stream.try_state()
                && state.queued.is_none()
                && state.segments.take().is_some()
            {
                left -= 1;
            }
        }
        // Streams that wait for a sync stay; the next look comes only after as many loads again.
        self.loaded.store(LOADED_STREAMS / 4 * 3, Ordering::Relaxed);
    }
}

fn is_uid(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

impl Drop for LogStore {
    /// Closing would do, but for a child just forked, which holds a copy of the descriptor until it executes.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}
