//! Prints how long appending, reading and filtering 100,000 events takes. Run with `--release`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an example that measures time and prints it")]

use observe::pattern::Pattern;
use observe::{Batch, Filter, Get, LogStore, NewEvent, Producer, Start, StreamSelection};
use std::time::Instant;

const EVENTS: u64 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = LogStore::open(dir.path())?;
    let line =
        |n| format!("{{\"level\":\"info\",\"request\":{n},\"message\":\"GET /orders/{n} answered 200 in 12 ms\"}}");

    for (stream, size) in [("batches of 100", 100), ("one at a time", 1)] {
        store.create_stream("g", stream, 0)?;
        let begun = Instant::now();
        for first in (0..EVENTS).step_by(size) {
            let messages: Vec<_> = (first..first + size as u64).map(line).collect();
            let at = |n: usize| NewEvent { timestamp_ms: (first as usize + n) as i64, message: &messages[n] };
            let events: Vec<_> = (0..size).map(at).collect();
            let producer = Some(Producer { id: "example", sequence: first + 1 });
            store.append("g", stream, &Batch { events: &events, ingestion_ms: 1, producer })?;
        }
        report(&format!("append, {stream}"), begun);
    }
    let begun = Instant::now();
    store.sync()?;
    report("sync", begun);

    for (from, name) in [(Start::Head, "read forward"), (Start::Tail, "read backward")] {
        let (mut token, mut read) = (None::<String>, 0);
        let begun = Instant::now();
        loop {
            let get = Get { start_ms: None, end_ms: None, from, limit: None, token: token.as_deref() };
            let page = store.get("g", "one at a time", &get)?;
            read += page.events.len() as u64;
            if page.events.is_empty() {
                break;
            }
            token = Some(if from == Start::Head { page.next_forward } else { page.next_backward });
        }
        assert_eq!(read, EVENTS);
        report(name, begun);
    }
    for pattern in ["\"/orders/7777 \"", "{ $.request = 7777 }", "%/orders/777[0-9] %"] {
        let parsed = Pattern::parse(pattern)?;
        let begun = Instant::now();
        let names = StreamSelection::Names(&["one at a time"]);
        let (from, limit) = (Start::Head, None);
        let filter = Filter { start_ms: None, end_ms: None, pattern: Some(&parsed), from, limit, token: None };
        let found = store.filter("g", names, &filter)?.events.len();
        report(&format!("filter {pattern} ({found} found)"), begun);
    }
    drop(store);
    let begun = Instant::now();
    let store = LogStore::open(dir.path())?;
    store.stream_status("g", "one at a time")?;
    println!("{:45} {:7.2} ms", "open and first look at a stream", begun.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn report(what: &str, begun: Instant) {
    let spent = begun.elapsed().as_secs_f64();
    println!("{what:45} {:7.1} ms {:10.0} events/s", spent * 1e3, EVENTS as f64 / spent);
}
