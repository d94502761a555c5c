//! The questions that reads answer and the events they return; how pages are found is `page`'s.

use super::error::LogError;
use super::page::{Query, Way};
use super::stream::MAX_TIMESTAMP_MS;
use super::token::{Key, Token};
use crate::pattern::Pattern;
use std::sync::Arc;

/// A page's messages plus 26 bytes each. CloudWatch Logs API: GetLogEvents, FilterLogEvents.
pub const MAX_PAGE_BYTES: usize = 1 << 20;
/// CloudWatch Logs API: GetLogEvents, FilterLogEvents.
pub const MAX_PAGE_EVENTS: usize = 10_000;
/// What one call of `filter` reads at most before it answers with what it has and a token.
pub(crate) const MAX_FILTER_READ: u64 = 64 << 20;

/// An event as it was stored.
#[derive(Clone, PartialEq, Debug)]
pub struct ReadEvent {
    pub(crate) key: Key,
    pub ingestion_ms: i64,
    pub message: String,
    /// The name of its stream.
    pub stream: Arc<str>,
}

impl ReadEvent {
    pub fn timestamp_ms(&self) -> i64 {
        self.key.timestamp_ms
    }

    /// The number of the event in its stream, in the order of arrival.
    pub fn seq(&self) -> u64 {
        self.key.seq
    }

    /// 56 digits, unique in the group, for ever the same.
    pub fn event_id(&self) -> String {
        self.key.event_id()
    }
}

/// Where a read without a token begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// The earliest events.
    Head,
    /// The latest events.
    Tail,
}

/// A page of one stream. CloudWatch Logs API: GetLogEvents.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    /// Inclusive; None is the beginning.
    pub start_ms: Option<i64>,
    /// Exclusive; None is the end.
    pub end_ms: Option<i64>,
    /// Without a token.
    pub from: Start,
    /// None is as many as fit a page.
    pub limit: Option<usize>,
    pub token: Option<&'a str>,
}

/// A page over several streams by time. CloudWatch Logs API: FilterLogEvents.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Inclusive; None is the beginning.
    pub start_ms: Option<i64>,
    /// Exclusive; None is the end.
    pub end_ms: Option<i64>,
    /// None matches everything.
    pub pattern: Option<&'a Pattern>,
    /// Without a token: from the earliest events upwards, or from the latest downwards.
    pub from: Start,
    /// None is as many as fit a page.
    pub limit: Option<usize>,
    pub token: Option<&'a str>,
}

/// The times asked for, without what retention has ended.
fn range(start_ms: Option<i64>, end_ms: Option<i64>, floor_ms: i64) -> (Key, Key) {
    let within = |ms: i64| Key::at(ms.clamp(0, MAX_TIMESTAMP_MS + 1));
    let start = within(start_ms.unwrap_or(0).max(floor_ms));
    (start, within(end_ms.unwrap_or(i64::MAX)).max(start))
}

/// Takes a token's gap as a bound; its direction goes before that of the request.
fn narrow(token: Option<Token>, from: Start, lower: &mut Key, upper: &mut Key) -> Way {
    match (token, from) {
        (Some(Token::Forward(gap)), _) => {
            *lower = gap.max(*lower);
            Way::Forward
        }
        (Some(Token::Backward(gap)), _) => {
            *upper = gap.min(*upper);
            Way::Backward
        }
        (None, Start::Head) => Way::Forward,
        (None, Start::Tail) => Way::Backward,
    }
}

fn most_events(limit: Option<usize>) -> usize {
    limit.unwrap_or(MAX_PAGE_EVENTS).clamp(1, MAX_PAGE_EVENTS)
}

impl Get<'_> {
    /// The query, and the gap it reads from.
    pub(crate) fn query(&self, stream: u64, floor_ms: i64) -> Result<(Query<'static>, Option<Key>), LogError> {
        let (mut lower, mut upper) = range(self.start_ms, self.end_ms, floor_ms);
        let token = self.token.map(Token::parse).transpose()?;
        if token.is_some_and(|t| t.gap().stream != stream) {
            return Err(LogError::BadToken);
        }
        let way = narrow(token, self.from, &mut lower, &mut upper);
        let gap = token.map(Token::gap);
        let most_events = most_events(self.limit);
        Ok((Query { way, lower, upper, most_events, pattern: None, most_read: u64::MAX }, gap))
    }

    /// The tokens of a page: the gaps around its events, or the gap that was asked for when nothing was found.
    pub(crate) fn tokens(events: &[ReadEvent], gap: Option<Key>, lower: Key, stream: u64) -> (String, String) {
        let none = gap.unwrap_or(Key { stream, ..lower });
        let forward = events.last().map_or(none, |e| e.key.after());
        let backward = events.first().map_or(none, |e| e.key);
        (Token::Forward(forward).to_string(), Token::Backward(backward).to_string())
    }
}

impl<'a> Filter<'a> {
    pub(crate) fn query(&self, floor_ms: i64, most_read: u64) -> Result<Query<'a>, LogError> {
        let (mut lower, mut upper) = range(self.start_ms, self.end_ms, floor_ms);
        let way = narrow(self.token.map(Token::parse).transpose()?, self.from, &mut lower, &mut upper);
        Ok(Query { way, lower, upper, most_events: most_events(self.limit), pattern: self.pattern, most_read })
    }
}
