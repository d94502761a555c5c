//! `kill -9` at any moment of appending: what was acknowledged is there, once, in order; nothing is there by half.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const DIR: &str = "OBSERVE_KILL_TEST_DIR";
const FIRST: &str = "OBSERVE_KILL_TEST_FIRST";
const ROUNDS: u64 = 40;

/// The events of the batch with a number: their count and size vary, and each tells its place.
fn events(sequence: u64) -> Vec<(i64, String)> {
    let filler = "f".repeat((sequence * 7919 % 3_000) as usize);
    (0..sequence % 7 + 1).map(|n| (sequence as i64, format!("{sequence}.{n} {filler}"))).collect()
}

/// Not a test of its own: the process that is killed. Says the number of each batch once it is acknowledged.
#[test]
#[ignore = "started by the test below"]
fn child_that_appends() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = LogStore::open_with(Path::new(&dir), 200_000).unwrap();
    store.ensure_stream(GROUP, "s", 1).unwrap();
    for sequence in first.. {
        let events = events(sequence);
        let events: Vec<_> = events.iter().map(|(t, m)| (*t, m.as_str())).collect();
        put_as(&store, "s", &events, Some(Producer { id: "child", sequence }));
        if sequence % 16 == 0 {
            store.sync().unwrap();
        }
        println!("acknowledged {sequence}");
        std::io::stdout().flush().unwrap();
    }
}

fn start(dir: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logs::tests::kill::child_that_appends", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a child append until some batches are acknowledged, kills it, and returns the last acknowledged batch.
fn run(dir: &Path, first: u64, batches: u64) -> u64 {
    let mut child = start(dir, first);
    let mut last = first - 1;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: String| line.split("acknowledged ").nth(1).and_then(|n| n.parse().ok());
    while last < first + batches {
        let line = lines.next().expect("the child runs until it is killed").unwrap();
        last = number(line).unwrap_or(last);
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    lines.map_while(Result::ok).filter_map(number).last().unwrap_or(last)
}

#[test]
fn killing_the_writer_loses_no_acknowledged_batch_and_doubles_none() {
    let dir = folder();
    let mut rng = rand::rngs::StdRng::seed_from_u64(20_260_131);
    let mut acknowledged = 0;
    for _ in 0..ROUNDS {
        // The batch after the last acknowledged one may have been written: it is sent again.
        acknowledged = run(dir.path(), acknowledged + 1, rng.random_range(0..60));
        let store = LogStore::open_with(dir.path(), 200_000).unwrap();
        let mut stored = Vec::new();
        loop {
            let page = store.arrivals(GROUP, "s", stored.len() as u64, 10_000).unwrap();
            if page.events.is_empty() {
                break;
            }
            stored.extend(page.events.into_iter().map(|e| e.message));
        }
        let upto = |last| (1..=last).flat_map(events).map(|(_, m)| m).collect::<Vec<_>>();
        let (least, most) = (upto(acknowledged), upto(acknowledged + 1));
        assert!(stored == least || stored == most, "{} events after {acknowledged} batches", stored.len());
    }
}
