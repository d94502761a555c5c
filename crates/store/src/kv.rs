//! The nouns of the key space: revisions, keys with their history numbers, key ranges. No behaviour of an engine.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

/// A point in the store's history: the number of the commit that made it. Grows by one per commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// What an absent key counts as in a compare; no commit ever has it.
    pub const ABSENT: Revision = Revision(0);

    /// The revision of a store that was never written.
    pub const INITIAL: Revision = Revision(1);

    /// The revision that follows this one.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a lease; never used twice in one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One version of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub key: Bytes,
    pub value: Bytes,
    /// The commit that created the key, after its last deletion.
    pub create_revision: Revision,
    /// The commit that wrote this version.
    pub mod_revision: Revision,
    /// 1 at creation, one more per put.
    pub version: u64,
    /// The lease whose end deletes the key.
    pub lease: Option<LeaseId>,
}

/// A half-open interval of keys in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    from: Bytes,
    to: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { from: Bytes::new(), to: None }
    }

    /// Exactly `key`.
    pub fn key(key: impl Into<Bytes>) -> KeyRange {
        let from = key.into();
        let mut after = Vec::with_capacity(from.len() + 1);
        after.extend_from_slice(&from);
        after.push(0);
        KeyRange { from, to: Some(after.into()) }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> KeyRange {
        let from = prefix.into();
        let to = match from.iter().rposition(|byte| *byte != 0xff) {
            Some(last) => {
                let mut after = from[..=last].to_vec();
                after[last] += 1;
                Some(after.into())
            }
            None => None,
        };
        KeyRange { from, to }
    }

    /// The keys from `from` up to and without `to`; empty if `to` is not above `from`.
    pub fn span(from: impl Into<Bytes>, to: impl Into<Bytes>) -> KeyRange {
        KeyRange { from: from.into(), to: Some(to.into()) }
    }

    /// The keys from `from` to the end.
    pub fn starting_at(from: impl Into<Bytes>) -> KeyRange {
        KeyRange { from: from.into(), to: None }
    }

    /// The same range without the keys up to and including `key`: where the next page begins.
    pub fn after(&self, key: &[u8]) -> KeyRange {
        let mut from = Vec::with_capacity(key.len() + 1);
        from.extend_from_slice(key);
        from.push(0);
        KeyRange { from: self.from.clone().max(from.into()), to: self.to.clone() }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.from[..] && self.to.as_ref().is_none_or(|to| key < &to[..])
    }

    /// Whether every key lies in the range.
    pub fn is_all(&self) -> bool {
        self.from.is_empty() && self.to.is_none()
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| to <= &self.from)
    }

    /// The interval as bounds for an ordered map. Only for a range that is not empty: ordered maps refuse an inverted one.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let to = self.to.as_ref().map_or(Bound::Unbounded, |to| Bound::Excluded(&to[..]));
        (Bound::Included(&self.from[..]), to)
    }
}

/// The answer to a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeResult {
    /// The keys in byte order, at most as many as the limit.
    pub kvs: Vec<Arc<KeyValue>>,
    /// Whether the limit cut the answer short.
    pub more: bool,
    /// The number of keys in the range, whatever the limit.
    pub count: usize,
    /// The revision this answer is a picture of: `at`, or the current one. Read further pages at it; watch from the one after it.
    pub revision: Revision,
}

/// The state of a store as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The newest durable commit.
    pub revision: Revision,
    /// The compaction floor: ranges at or above it and watches from above it can be answered.
    pub floor: Revision,
    /// Changes when the store is restored from a backup, so that "time went back" differs from "nothing new".
    pub epoch: u64,
    /// The size of the stored data in bytes, on disk if there is one.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_ends_before_the_next_prefix() {
        let range = KeyRange::prefix("a/");
        assert!(range.contains(b"a/") && range.contains(b"a/\xff\xff"));
        assert!(!range.contains(b"a") && !range.contains(b"a0"));
    }

    #[test]
    fn a_prefix_of_only_ff_has_no_end() {
        let range = KeyRange::prefix(vec![0xff, 0xff]);
        assert!(range.contains(b"\xff\xff\xff") && !range.contains(b"\xff\xfe"));
    }

    #[test]
    fn a_prefix_that_ends_in_ff_carries_over() {
        let range = KeyRange::prefix(vec![b'a', 0xff]);
        assert!(range.contains(b"a\xff\x01") && !range.contains(b"b"));
    }

    #[test]
    fn an_empty_prefix_holds_every_key() {
        assert!(KeyRange::prefix("").is_all());
    }

    #[test]
    fn the_page_after_a_key_begins_right_behind_it() {
        let next = KeyRange::prefix("a").after(b"ab");
        assert!(!next.contains(b"ab") && next.contains(b"ab\0") && next.contains(b"ac") && !next.contains(b"b"));
    }

    #[test]
    fn an_inverted_span_is_empty() {
        assert!(KeyRange::span("b", "a").is_empty() && KeyRange::span("a", "a").is_empty());
        assert!(!KeyRange::key("").is_empty());
    }
}
