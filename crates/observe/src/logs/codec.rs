//! A batch of events as bytes: varints, times as differences; no files.

use super::stream::{NewEvent, Producer};

/// A stored batch, its events still encoded.
#[derive(Debug)]
pub(crate) struct StoredBatch<'a> {
    pub(crate) ingestion_ms: i64,
    /// The number of the batch's first event in its stream.
    pub(crate) first_seq: u64,
    pub(crate) producer: Option<(&'a str, u64)>,
    pub(crate) count: u64,
    base_ms: i64,
    rest: &'a [u8],
}

/// One stored event.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct StoredEvent<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) seq: u64,
    pub(crate) message: &'a str,
}

/// Bytes that passed their checksum and still are no batch: written by something else.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed;

pub(crate) fn encode(
    first_seq: u64,
    ingestion_ms: i64,
    producer: Option<&Producer>,
    events: &[NewEvent<'_>],
) -> Vec<u8> {
    let text: usize = events.iter().map(|e| e.message.len() + 6).sum();
    let mut out = Vec::with_capacity(text + 64);
    put(&mut out, zigzag(ingestion_ms));
    put(&mut out, first_seq);
    let (name, sequence) = producer.map_or(("", 0), |p| (p.id, p.sequence));
    put(&mut out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    put(&mut out, sequence);
    let mut last = events.first().map_or(0, |e| e.timestamp_ms);
    put(&mut out, zigzag(last));
    put(&mut out, events.len() as u64);
    for event in events {
        put(&mut out, zigzag(event.timestamp_ms.wrapping_sub(last)));
        put(&mut out, event.message.len() as u64);
        out.extend_from_slice(event.message.as_bytes());
        last = event.timestamp_ms;
    }
    out
}

impl<'a> StoredBatch<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        let ingestion_ms = unzigzag(take(&mut rest)?);
        let first_seq = take(&mut rest)?;
        let name = take_text(&mut rest)?;
        let sequence = take(&mut rest)?;
        let base_ms = unzigzag(take(&mut rest)?);
        let count = take(&mut rest)?;
        let producer = (!name.is_empty()).then_some((name, sequence));
        Ok(StoredBatch { ingestion_ms, first_seq, producer, count, base_ms, rest })
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = Result<StoredEvent<'a>, Malformed>> + use<'a> {
        let (mut rest, mut timestamp_ms, first_seq) = (self.rest, self.base_ms, self.first_seq);
        (0..self.count).map(move |n| {
            timestamp_ms = timestamp_ms.wrapping_add(unzigzag(take(&mut rest)?));
            Ok(StoredEvent { timestamp_ms, seq: first_seq.wrapping_add(n), message: take_text(&mut rest)? })
        })
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let length = usize::try_from(take(bytes)?).map_err(|_| Malformed)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    std::str::from_utf8(text).map_err(|_| Malformed)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            events in prop::collection::vec((any::<i64>(), ".{0,40}"), 0..20),
            seq: u32, ingestion: i64, producer in prop::option::of(("[a-z]{1,9}", any::<u64>())),
        ) {
            let events: Vec<NewEvent> =
                events.iter().map(|(t, m)| NewEvent { timestamp_ms: *t, message: m }).collect();
            let named = producer.as_ref().map(|(id, sequence)| Producer { id, sequence: *sequence });
            let bytes = encode(seq.into(), ingestion, named.as_ref(), &events);
            let batch = StoredBatch::decode(&bytes).unwrap();
            prop_assert_eq!(batch.ingestion_ms, ingestion);
            prop_assert_eq!(batch.producer, producer.as_ref().map(|(id, s)| (id.as_str(), *s)));
            let read: Vec<_> = batch.events().map(|e| e.unwrap()).collect();
            prop_assert_eq!(read.len(), events.len());
            for (n, (r, w)) in read.iter().zip(&events).enumerate() {
                prop_assert_eq!((r.timestamp_ms, r.message, r.seq), (w.timestamp_ms, w.message, u64::from(seq) + n as u64));
            }
        }

        #[test]
        fn random_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(batch) = StoredBatch::decode(&bytes) {
                let _ = batch.events().take_while(Result::is_ok).count();
            }
        }
    }
}
