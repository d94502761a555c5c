//! Log streams through their public operations, on real files.

mod kill;
mod streams;
mod walk;

use super::read::{Get, Start};
use super::store::LogStore;
use super::stream::{AppendOutcome, Batch, NewEvent, Producer};

const GROUP: &str = "g-1";

fn put(store: &LogStore, stream: &str, events: &[(i64, &str)]) -> AppendOutcome {
    put_as(store, stream, events, None)
}

fn put_as(store: &LogStore, stream: &str, events: &[(i64, &str)], producer: Option<Producer>) -> AppendOutcome {
    let events: Vec<_> = events.iter().map(|&(timestamp_ms, message)| NewEvent { timestamp_ms, message }).collect();
    store.append(GROUP, stream, &Batch { events: &events, ingestion_ms: 7_000, producer }).unwrap()
}

fn get<'a>(from: Start, limit: Option<usize>, token: Option<&'a str>) -> Get<'a> {
    Get { start_ms: None, end_ms: None, from, limit, token }
}

fn messages(store: &LogStore, stream: &str) -> Vec<String> {
    let page = store.get(GROUP, stream, &get(Start::Head, None, None)).unwrap();
    page.events.into_iter().map(|e| e.message).collect()
}

/// In memory where the machine has such a folder: these tests do not measure its disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
