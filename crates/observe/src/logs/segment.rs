//! One segment file of a stream: its header record, its batches, and the sparse index kept beside it.
//!
//! `<first event's number>.log` holds records only: one header (JSON), then batches. `<…>.idx` is a hint: where blocks of
//! about 64 KiB start and what times they hold, up to `covered` bytes. A missing, torn or stale hint is made again from
//! the segment, so it is written without ceremony.

use super::codec::{Malformed, StoredBatch, StoredEvent};
use super::error::{IoContext, LogError};
use super::frame::{self, Frames};
use super::stream::EVENT_OVERHEAD;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A block of the sparse index ends at the first record boundary beyond so many bytes: what one read loads.
const BLOCK_BYTES: u64 = 64 << 10;
/// Producers that a stream remembers, the latest: more containers than this never write one stream at a time.
const PRODUCERS: usize = 64;

/// Neighbouring records that are read together.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub(crate) struct Block {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) first_seq: u64,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

/// What is known of a segment without reading it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub(crate) struct Summary {
    pub(crate) first_seq: u64,
    pub(crate) events: u64,
    /// Messages plus [`EVENT_OVERHEAD`] each.
    pub(crate) charged: u64,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

/// What a stream knows beyond one segment; each new segment's header starts from it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
pub(crate) struct Carry {
    pub(crate) next_seq: u64,
    pub(crate) last_event_ms: Option<i64>,
    pub(crate) last_ingestion_ms: Option<i64>,
    /// The last sequence of each producer, the most recent producer last.
    pub(crate) producers: Vec<(String, u64)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    carry: Carry,
}

/// A segment's contents up to `covered` bytes, in the form of the index file.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub(crate) struct Index {
    pub(crate) covered: u64,
    pub(crate) summary: Summary,
    pub(crate) carry: Carry,
    pub(crate) blocks: Vec<Block>,
}

impl Index {
    fn empty(header_bytes: u64, carry: Carry) -> Self {
        let summary = Summary { first_seq: carry.next_seq, events: 0, charged: 0, min_ms: i64::MAX, max_ms: i64::MIN };
        Index { covered: header_bytes, summary, carry, blocks: Vec::new() }
    }

    /// Takes in the batch whose record of `bytes` bytes starts at `covered`.
    pub(crate) fn add(&mut self, bytes: u64, batch: &StoredBatch<'_>) -> Result<(), Malformed> {
        let (mut charged, mut min_ms, mut max_ms) = (0, i64::MAX, i64::MIN);
        for event in batch.events() {
            let event = event?;
            charged += event.message.len() as u64 + EVENT_OVERHEAD;
            min_ms = min_ms.min(event.timestamp_ms);
            max_ms = max_ms.max(event.timestamp_ms);
        }
        match self.blocks.last_mut() {
            Some(block) if block.bytes < BLOCK_BYTES => {
                block.bytes += bytes;
                block.min_ms = block.min_ms.min(min_ms);
                block.max_ms = block.max_ms.max(max_ms);
            }
            _ => {
                let first_seq = batch.first_seq;
                self.blocks.push(Block { offset: self.covered, bytes, first_seq, min_ms, max_ms });
            }
        }
        self.covered += bytes;
        self.summary.events += batch.count;
        self.summary.charged += charged;
        self.summary.min_ms = self.summary.min_ms.min(min_ms);
        self.summary.max_ms = self.summary.max_ms.max(max_ms);
        self.carry.next_seq = batch.first_seq + batch.count;
        self.carry.last_event_ms = self.carry.last_event_ms.max(Some(max_ms));
        self.carry.last_ingestion_ms = self.carry.last_ingestion_ms.max(Some(batch.ingestion_ms));
        if let Some((id, sequence)) = batch.producer {
            self.carry.producers.retain(|(known, _)| known != id);
            if self.carry.producers.len() >= PRODUCERS {
                self.carry.producers.remove(0);
            }
            self.carry.producers.push((id.to_owned(), sequence));
        }
        Ok(())
    }
}

pub(crate) fn log_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.log"))
}

pub(crate) fn index_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.idx"))
}

/// The first event numbers of the segments in a stream's folder, ascending. A stream never written has no folder.
pub(crate) fn list(dir: &Path) -> Result<Vec<u64>, LogError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LogError::Io { action: "list", path: dir.to_owned(), source }),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.at("list", dir)?.file_name();
        if let Some(number) = name.to_str().and_then(|n| n.strip_suffix(".log")).and_then(|n| n.parse().ok()) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes a segment that holds its header alone.
pub(crate) fn create(dir: &Path, carry: &Carry) -> Result<Index, LogError> {
    let path = log_path(dir, carry.next_seq);
    let header = serde_json::to_vec(&Header { version: 1, carry: carry.clone() }).expect("plain fields serialise");
    let mut bytes = Vec::new();
    frame::push(&mut bytes, &header);
    fs::write(&path, &bytes).at("create", &path)?;
    Ok(Index::empty(bytes.len() as u64, carry.clone()))
}

/// A segment read at start, and whether it ends in bytes that are no record.
pub(crate) struct Opened {
    pub(crate) index: Index,
    pub(crate) torn_bytes: u64,
    /// The index file covers everything.
    pub(crate) hinted: bool,
}

/// Reads what a segment holds: by its index as far as that goes, then record by record. None: not even a whole header.
pub(crate) fn open(dir: &Path, first_seq: u64) -> Result<Option<Opened>, LogError> {
    let path = log_path(dir, first_seq);
    let mut file = File::open(&path).at("open", &path)?;
    let length = file.metadata().at("open", &path)?.len();
    let hint = read_index(dir, first_seq).filter(|hint| hint.covered <= length);
    if let Some(index) = &hint
        && index.covered == length
    {
        return Ok(hint.map(|index| Opened { index, torn_bytes: 0, hinted: true }));
    }
    let from = hint.as_ref().map_or(0, |hint| hint.covered);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from)).at("read", &path)?;
    file.read_to_end(&mut bytes).at("read", &path)?;
    let mut frames = Frames::new(&bytes);
    let mut index = match hint {
        Some(index) => index,
        None => {
            let Some(header) = frames.next().and_then(|b| serde_json::from_slice::<Header>(b).ok()) else {
                return Ok(None);
            };
            Index::empty(frames.at as u64, header.carry)
        }
    };
    let mut whole = frames.at;
    while let Some(payload) = frames.next() {
        let Ok(batch) = StoredBatch::decode(payload) else { break };
        if index.add((frames.at - whole) as u64, &batch).is_err() {
            break;
        }
        whole = frames.at;
    }
    Ok(Some(Opened { index, torn_bytes: (bytes.len() - whole) as u64, hinted: false }))
}

/// The index file, if it is there and whole.
pub(crate) fn read_index(dir: &Path, first_seq: u64) -> Option<Index> {
    let bytes = fs::read(index_path(dir, first_seq)).ok()?;
    let index: Index = serde_json::from_slice(Frames::new(&bytes).next()?).ok()?;
    (index.summary.first_seq == first_seq).then_some(index)
}

pub(crate) fn write_index(dir: &Path, index: &Index) -> Result<(), LogError> {
    let path = index_path(dir, index.summary.first_seq);
    let payload = serde_json::to_vec(index).expect("plain fields serialise");
    let mut bytes = Vec::new();
    frame::push(&mut bytes, &payload);
    fs::write(&path, bytes).at("write", &path)
}

pub(crate) fn remove(dir: &Path, first_seq: u64) -> Result<(), LogError> {
    for path in [log_path(dir, first_seq), index_path(dir, first_seq)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at("delete", &path),
            _ => {}
        }
    }
    Ok(())
}

/// Shows each event of a block. A damaged record ends the block: what follows the block is still found by the index.
/// A segment that retention has meanwhile dropped is empty.
pub(crate) fn read_block(
    path: &Path,
    block: &Block,
    mut each: impl FnMut(StoredEvent<'_>, i64),
) -> Result<(), LogError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LogError::Io { action: "open", path: path.to_owned(), source }),
    };
    let mut bytes = vec![0; block.bytes as usize];
    match file.read_exact_at(&mut bytes, block.offset) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error).at("read", path),
        _ => {}
    }
    let mut frames = Frames::new(&bytes);
    for payload in frames.by_ref() {
        let Ok(batch) = StoredBatch::decode(payload) else { break };
        for event in batch.events() {
            match event {
                Ok(event) => each(event, batch.ingestion_ms),
                Err(Malformed) => break,
            }
        }
    }
    if (frames.at as u64) < block.bytes {
        tracing::warn!(segment = %path.display(), offset = block.offset + frames.at as u64, "log segment is damaged; events there are lost");
    }
    Ok(())
}
