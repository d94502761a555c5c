//! One stream: its segments, its append path and its retention. Locking and naming of streams are the group's.

use super::codec::{self, StoredBatch};
use super::error::{IoContext, LogError};
use super::files::OpenFiles;
use super::frame;
use super::segment::{self, Block, Carry, Index, Summary};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an event is charged beside its message. CloudWatch Logs API: PutLogEvents.
pub const EVENT_OVERHEAD: u64 = 26;
/// A batch's messages plus [`EVENT_OVERHEAD`] each. CloudWatch Logs API: PutLogEvents.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// CloudWatch Logs API: PutLogEvents.
pub const MAX_BATCH_EVENTS: usize = 10_000;
/// The year 2286: the last time that has 13 digits.
pub(crate) const MAX_TIMESTAMP_MS: i64 = 9_999_999_999_999;

const MAX_PRODUCER: usize = 128;

/// An event to append.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NewEvent<'a> {
    pub timestamp_ms: i64,
    pub message: &'a str,
}

/// Who sends a batch and its how-manieth it is; makes a re-sent batch harmless.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Producer<'a> {
    /// 1 to 128 bytes, unique among the stream's producers: a container attempt.
    pub id: &'a str,
    /// Ascends with every batch; gaps are allowed.
    pub sequence: u64,
}

/// Events that are appended whole or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// In the order of their arrival; equal times keep it.
    pub events: &'a [NewEvent<'a>],
    pub ingestion_ms: i64,
    pub producer: Option<Producer<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendOutcome {
    /// Stored; the stream's next event will have this number.
    Appended { next_seq: u64 },
    /// The producer's batch of this sequence, or a later one, is there already: nothing was written.
    Duplicate,
}

impl Batch<'_> {
    fn check(&self) -> Result<(), LogError> {
        let charged: usize = self.events.iter().map(|e| e.message.len() + EVENT_OVERHEAD as usize).sum();
        if self.events.len() > MAX_BATCH_EVENTS || charged > MAX_BATCH_BYTES {
            return Err(LogError::BatchTooLarge { events: MAX_BATCH_EVENTS, bytes: MAX_BATCH_BYTES });
        }
        if let Some(event) = self.events.iter().find(|e| !(0..=MAX_TIMESTAMP_MS).contains(&e.timestamp_ms)) {
            return Err(LogError::BadTimestamp(event.timestamp_ms));
        }
        match self.producer {
            Some(producer) if producer.id.is_empty() || producer.id.len() > MAX_PRODUCER => Err(LogError::BadProducer),
            _ => Ok(()),
        }
    }
}

/// A stream's segments as loaded from its folder.
pub(crate) struct Segments {
    dir: Arc<Path>,
    segment_bytes: u64,
    sealed: Vec<Summary>,
    /// The segment being written; none before the first append.
    active: Option<Active>,
}

struct Active {
    index: Index,
    /// A write failed and what it left could not be cut off yet: nothing may be written behind it.
    must_cut: bool,
    /// Bytes of the segment that are known to be on the disk.
    synced: u64,
}

/// What a reader needs of a segment; never changes under it.
pub(crate) struct SegmentView {
    pub(crate) dir: Arc<Path>,
    pub(crate) summary: Summary,
    /// Of a sealed segment the index is read when its times are asked for.
    blocks: Option<Vec<Block>>,
}

impl SegmentView {
    pub(crate) fn path(&self) -> PathBuf {
        segment::log_path(&self.dir, self.summary.first_seq)
    }

    pub(crate) fn blocks(self) -> Result<Vec<Block>, LogError> {
        if let Some(blocks) = self.blocks {
            return Ok(blocks);
        }
        let first_seq = self.summary.first_seq;
        if let Some(index) = segment::read_index(&self.dir, first_seq) {
            return Ok(index.blocks);
        }
        Ok(segment::open(&self.dir, first_seq)?.map(|opened| opened.index.blocks).unwrap_or_default())
    }
}

/// How much an append left for the next sync.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Unsynced {
    pub(crate) segment: u64,
    pub(crate) bytes: u64,
}

impl Segments {
    /// Reads a stream's folder and cuts off a torn tail.
    pub(crate) fn load(dir: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        let mut numbers = segment::list(dir)?;
        let mut active = None;
        while let Some(&last) = numbers.last() {
            numbers.pop();
            match segment::open(dir, last)? {
                Some(opened) => {
                    let path = segment::log_path(dir, last);
                    if opened.torn_bytes > 0 {
                        tracing::warn!(segment = %path.display(), bytes = opened.torn_bytes, "cut off a batch that was never acknowledged");
                        let file = fs::File::options().write(true).open(&path).at("open", &path)?;
                        file.set_len(opened.index.covered).at("cut the torn end of", &path)?;
                    }
                    let synced = if opened.hinted { opened.index.covered } else { 0 };
                    active = Some(Active { index: opened.index, must_cut: false, synced });
                    break;
                }
                // Died between making the file and writing its header: no batch was in it.
                None => segment::remove(dir, last)?,
            }
        }
        let mut sealed = Vec::with_capacity(numbers.len());
        for first_seq in numbers {
            match segment::open(dir, first_seq)? {
                Some(opened) => {
                    if !opened.hinted {
                        segment::write_index(dir, &opened.index)?;
                    }
                    sealed.push(opened.index.summary);
                }
                None => {
                    tracing::warn!(stream = %dir.display(), first_seq, "log segment has no header; its events are lost")
                }
            }
        }
        Ok(Segments { dir: dir.into(), segment_bytes, sealed, active })
    }

    pub(crate) fn append(&mut self, files: &OpenFiles, batch: &Batch<'_>) -> Result<AppendOutcome, LogError> {
        batch.check()?;
        let carry = self.carry();
        let next_seq = carry.map_or(0, |c| c.next_seq);
        if let (Some(producer), Some(carry)) = (batch.producer, carry)
            && carry.producers.iter().any(|(id, last)| id == producer.id && producer.sequence <= *last)
        {
            return Ok(AppendOutcome::Duplicate);
        }
        if batch.events.is_empty() {
            return Ok(AppendOutcome::Appended { next_seq });
        }
        let payload = codec::encode(next_seq, batch.ingestion_ms, batch.producer.as_ref(), batch.events);
        let mut record = Vec::with_capacity(payload.len() + frame::HEADER);
        frame::push(&mut record, &payload);
        self.make_room(files, record.len() as u64)?;
        let path = segment::log_path(&self.dir, self.active.as_ref().map_or(0, |a| a.index.summary.first_seq));
        let active = self.active.as_mut().expect("make_room leaves an active segment");
        let file = files.writable(&path).at("open", &path)?;
        if active.must_cut {
            file.set_len(active.index.covered).at("cut the torn end of", &path)?;
            active.must_cut = false;
        }
        if let Err(source) = file.write_all_at(&record, active.index.covered) {
            active.must_cut = file.set_len(active.index.covered).is_err();
            return Err(LogError::Io { action: "append to", path, source });
        }
        let stored = StoredBatch::decode(&payload).expect("what was just encoded decodes");
        active.index.add(record.len() as u64, &stored).expect("what was just encoded decodes");
        Ok(AppendOutcome::Appended { next_seq: active.index.carry.next_seq })
    }

    /// Sees to it that an active segment exists that may take `bytes` more.
    fn make_room(&mut self, files: &OpenFiles, bytes: u64) -> Result<(), LogError> {
        match &self.active {
            None => match fs::create_dir(&self.dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LogError::GroupDeleted),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).at("create", &self.dir),
                _ => self.start(&Carry::default()),
            },
            Some(a) if a.index.summary.events > 0 && a.index.covered + bytes > self.segment_bytes => self.rotate(files),
            Some(_) => Ok(()),
        }
    }

    fn start(&mut self, carry: &Carry) -> Result<(), LogError> {
        let index = segment::create(&self.dir, carry)?;
        self.active = Some(Active { index, must_cut: false, synced: 0 });
        Ok(())
    }

    fn rotate(&mut self, files: &OpenFiles) -> Result<(), LogError> {
        let Some(active) = &self.active else { return Ok(()) };
        let (summary, carry) = (active.index.summary.clone(), active.index.carry.clone());
        segment::write_index(&self.dir, &active.index)?;
        self.start(&carry)?;
        files.close(&segment::log_path(&self.dir, summary.first_seq));
        self.sealed.push(summary);
        Ok(())
    }

    /// Drops the segments whose every event is older.
    pub(crate) fn drop_older(&mut self, files: &OpenFiles, floor_ms: i64) -> Result<(), LogError> {
        if let Some(active) = &self.active
            && active.index.summary.events > 0
            && active.index.summary.max_ms < floor_ms
        {
            self.rotate(files)?;
        }
        for summary in self.sealed.iter().filter(|s| s.max_ms < floor_ms) {
            segment::remove(&self.dir, summary.first_seq)?;
        }
        self.sealed.retain(|s| s.max_ms >= floor_ms);
        Ok(())
    }

    pub(crate) fn carry(&self) -> Option<&Carry> {
        self.active.as_ref().map(|a| &a.index.carry)
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.sealed.iter().chain(self.active.as_ref().map(|a| &a.index.summary)).filter(|s| s.events > 0)
    }

    pub(crate) fn views(&self) -> Vec<SegmentView> {
        let view = |summary: &Summary, blocks| SegmentView { dir: self.dir.clone(), summary: summary.clone(), blocks };
        let sealed = self.sealed.iter().map(|s| view(s, None));
        let active = self.active.as_ref().filter(|a| a.index.summary.events > 0);
        sealed.chain(active.map(|a| view(&a.index.summary, Some(a.index.blocks.clone())))).collect()
    }

    pub(crate) fn unsynced(&self) -> Option<Unsynced> {
        let active = self.active.as_ref()?;
        let bytes = active.index.covered - active.synced;
        (bytes > 0).then_some(Unsynced { segment: active.index.summary.first_seq, bytes })
    }

    /// The active segment's index, if that is the segment asked for.
    pub(crate) fn active_index(&self, segment: u64) -> Option<Index> {
        self.active.as_ref().map(|a| &a.index).filter(|i| i.summary.first_seq == segment).cloned()
    }

    /// Whether the segment of this index is still the active one.
    pub(crate) fn mark_synced(&mut self, index: &Index) -> bool {
        match self.active.as_mut().filter(|a| a.index.summary.first_seq == index.summary.first_seq) {
            Some(active) => {
                active.synced = active.synced.max(index.covered);
                true
            }
            None => false,
        }
    }
}
