//! The first events after a gap, however the blocks they lie in overlap: one page, in bounded memory.
//!
//! Blocks are read in the order of their earliest time. Of everything seen so far the page keeps the front, up to its limits;
//! the first event that did not fit becomes the ceiling, and what lies beyond it is not looked at. Events that came out of
//! order therefore cost a second look at a block, never more memory.

use super::error::LogError;
use super::read::{MAX_PAGE_BYTES, ReadEvent};
use super::segment::{self, Block};
use super::stream::{EVENT_OVERHEAD, SegmentView};
use super::token::{Key, Token};
use crate::pattern::Pattern;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Way {
    Forward,
    Backward,
}

/// The segments of one stream that a read may touch.
pub(crate) struct Source {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) segments: Vec<SegmentView>,
}

/// What is asked for: events from `lower` (inclusive) to `upper` (exclusive), nearest first.
pub(crate) struct Query<'a> {
    pub(crate) way: Way,
    pub(crate) lower: Key,
    pub(crate) upper: Key,
    pub(crate) most_events: usize,
    pub(crate) pattern: Option<&'a Pattern>,
    /// After so many bytes read, a page that is not full ends early.
    pub(crate) most_read: u64,
}

/// Events in the order of reading, and the gap to go on from, if any may be left.
pub(crate) struct Found {
    pub(crate) events: Vec<ReadEvent>,
    pub(crate) next: Option<Token>,
}

/// Something to open once the reading has come to its times; ordered by `lead`.
struct Pending {
    source: usize,
    part: Part,
}

enum Part {
    Segment(SegmentView),
    Block(Arc<Path>, Block),
}

pub(crate) fn collect(query: &Query<'_>, sources: Vec<Source>) -> Result<Found, LogError> {
    let mut page = Page::new(query);
    let mut queue = Queue { query, heap: BinaryHeap::new(), parts: Vec::new() };
    let mut names = Vec::with_capacity(sources.len());
    for (source, stream) in sources.into_iter().enumerate() {
        names.push((stream.id, stream.name));
        for view in stream.segments {
            queue.push(view.summary.min_ms, view.summary.max_ms, Pending { source, part: Part::Segment(view) });
        }
    }
    let mut read = 0;
    while let Some((lead, Pending { source, part })) = queue.pop() {
        if page.is_complete_before(lead) {
            break;
        }
        if read > query.most_read && lead > page.start().timestamp_ms {
            page.end_before(lead);
            break;
        }
        match part {
            Part::Segment(view) => {
                let path: Arc<Path> = view.path().into();
                for block in view.blocks()? {
                    queue.push(block.min_ms, block.max_ms, Pending { source, part: Part::Block(path.clone(), block) });
                }
            }
            Part::Block(path, block) => {
                read += block.bytes;
                let (id, name) = &names[source];
                segment::read_block(&path, &block, |event, ingestion_ms| {
                    let key = Key { timestamp_ms: event.timestamp_ms, stream: *id, seq: event.seq };
                    page.offer(key, event.message, ingestion_ms, name);
                })?;
            }
        }
    }
    Ok(page.finish())
}

struct Queue<'a> {
    query: &'a Query<'a>,
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    parts: Vec<Option<Pending>>,
}

impl Queue<'_> {
    fn push(&mut self, min_ms: i64, max_ms: i64, pending: Pending) {
        if max_ms < self.query.lower.timestamp_ms || min_ms > self.query.upper.timestamp_ms {
            return;
        }
        let lead = match self.query.way {
            Way::Forward => min_ms,
            Way::Backward => !max_ms,
        };
        self.heap.push(Reverse((lead, self.parts.len())));
        self.parts.push(Some(pending));
    }

    fn pop(&mut self) -> Option<(i64, Pending)> {
        let Reverse((lead, at)) = self.heap.pop()?;
        Some((lead, self.parts[at].take()?))
    }
}

/// Keys here are in reading order: flipped when reading backwards.
struct Page<'a> {
    query: &'a Query<'a>,
    events: BTreeMap<Key, ReadEvent>,
    charged: u64,
    ceiling: Option<Key>,
}

impl<'a> Page<'a> {
    fn new(query: &'a Query<'a>) -> Self {
        Page { query, events: BTreeMap::new(), charged: 0, ceiling: None }
    }

    fn start(&self) -> Key {
        match self.query.way {
            Way::Forward => self.query.lower,
            Way::Backward => self.query.upper.flipped(),
        }
    }

    fn is_complete_before(&self, lead: i64) -> bool {
        self.ceiling.is_some_and(|ceiling| lead > ceiling.timestamp_ms)
    }

    fn offer(&mut self, key: Key, message: &str, ingestion_ms: i64, stream: &Arc<str>) {
        if key < self.query.lower || key >= self.query.upper {
            return;
        }
        let at = match self.query.way {
            Way::Forward => key,
            Way::Backward => key.flipped(),
        };
        if self.ceiling.is_some_and(|ceiling| at >= ceiling)
            || self.query.pattern.is_some_and(|pattern| !pattern.matches(message))
        {
            return;
        }
        self.charged += message.len() as u64 + EVENT_OVERHEAD;
        let event = ReadEvent { key, ingestion_ms, message: message.to_owned(), stream: stream.clone() };
        self.events.insert(at, event);
        while self.events.len() > 1
            && (self.events.len() > self.query.most_events || self.charged > MAX_PAGE_BYTES as u64)
            && let Some((last, event)) = self.events.pop_last()
        {
            self.charged -= event.message.len() as u64 + EVENT_OVERHEAD;
            self.ceiling = Some(last);
        }
    }

    /// Gives up what lies at or after a time: it was not looked at completely.
    fn end_before(&mut self, lead: i64) {
        let frontier = Key { timestamp_ms: lead, stream: 0, seq: 0 };
        self.events.split_off(&frontier);
        self.ceiling = Some(frontier);
    }

    fn finish(self) -> Found {
        let next = self.ceiling.map(|ceiling| match self.query.way {
            Way::Forward => Token::Forward(ceiling),
            Way::Backward => Token::Backward(ceiling.flipped().after()),
        });
        Found { events: self.events.into_values().collect(), next }
    }
}
