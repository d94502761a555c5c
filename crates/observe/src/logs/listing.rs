//! What a group's streams are and hold, without their events.

use super::error::LogError;
use super::group::Stream;
use super::store::LogStore;
use std::sync::Arc;

/// Which order `list_streams` has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamOrder {
    Name,
    /// Streams without events come first.
    LastEvent,
}

/// A page of a group's streams.
#[derive(Clone, Copy, Debug)]
pub struct ListStreams<'a> {
    pub prefix: &'a str,
    pub order: StreamOrder,
    pub descending: bool,
    pub limit: usize,
    /// `next` of the page before.
    pub token: Option<&'a str>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct StreamStatus {
    pub name: Arc<str>,
    pub created_ms: i64,
    pub first_event_ms: Option<i64>,
    pub last_event_ms: Option<i64>,
    pub last_ingestion_ms: Option<i64>,
    /// Messages plus 26 bytes each, of what is kept.
    pub stored_bytes: u64,
    /// Ascends with every event appended.
    pub upload_sequence: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct StreamPage {
    pub streams: Vec<StreamStatus>,
    pub next: Option<String>,
}

impl LogStore {
    pub fn list_streams(&self, group: &str, list: &ListStreams<'_>) -> Result<StreamPage, LogError> {
        let Some(group) = self.group(group, false)? else {
            return Ok(StreamPage { streams: Vec::new(), next: None });
        };
        let limit = list.limit.max(1);
        if list.order == StreamOrder::Name && !list.descending {
            let found = group.streams(list.prefix, list.token, limit + 1);
            let next = (found.len() > limit).then(|| found[limit - 1].name.to_string());
            let streams = self.statuses(&found[..limit.min(found.len())])?;
            return Ok(StreamPage { streams, next });
        }
        let found = group.streams(list.prefix, None, usize::MAX);
        let mut streams = self.statuses(&found)?;
        let place = |s: &StreamStatus| match list.order {
            StreamOrder::Name => s.name.to_string(),
            StreamOrder::LastEvent => format!("{:014}/{}", s.last_event_ms.map_or(0, |ms| ms + 1), s.name),
        };
        streams.sort_by_cached_key(place);
        if list.descending {
            streams.reverse();
        }
        let from = match list.token {
            Some(token) if list.descending => streams.partition_point(|s| place(s).as_str() >= token),
            Some(token) => streams.partition_point(|s| place(s).as_str() <= token),
            None => 0,
        };
        streams.drain(..from);
        let next = (streams.len() > limit).then(|| place(&streams[limit - 1]));
        streams.truncate(limit);
        Ok(StreamPage { streams, next })
    }

    pub fn stream_status(&self, group: &str, stream: &str) -> Result<StreamStatus, LogError> {
        self.status(&self.stream(group, stream)?)
    }

    /// Messages plus 26 bytes each of all that a group keeps. The first time, this reads every stream's folder.
    pub fn stored_bytes(&self, group: &str) -> Result<u64, LogError> {
        let Some(group) = self.group(group, false)? else { return Ok(0) };
        let mut sum = 0;
        for stream in group.streams("", None, usize::MAX) {
            sum += match stream.charged() {
                Some(charged) => charged,
                None => self.statuses(std::slice::from_ref(&stream))?.iter().map(|s| s.stored_bytes).sum(),
            };
        }
        Ok(sum)
    }

    /// Those that are deleted meanwhile are left out.
    fn statuses(&self, streams: &[Arc<Stream>]) -> Result<Vec<StreamStatus>, LogError> {
        let known = |status: &Result<_, _>| !matches!(status, Err(LogError::NoSuchStream(_)));
        streams.iter().map(|s| self.status(s)).filter(known).collect()
    }

    fn status(&self, stream: &Arc<Stream>) -> Result<StreamStatus, LogError> {
        let status = self.with(stream, |segments| {
            let carry = segments.carry();
            StreamStatus {
                name: stream.name.clone(),
                created_ms: stream.created_ms,
                first_event_ms: segments.summaries().map(|s| s.min_ms).min(),
                last_event_ms: carry.and_then(|c| c.last_event_ms),
                last_ingestion_ms: carry.and_then(|c| c.last_ingestion_ms),
                stored_bytes: segments.summaries().map(|s| s.charged).sum(),
                upload_sequence: carry.map_or(0, |c| c.next_seq),
            }
        })?;
        self.trim();
        Ok(status)
    }
}
