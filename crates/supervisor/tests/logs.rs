//! What a container writes: streams, order, rotation, spools, and pipes that outlive their program.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod support;

use runtime::client::Client;
use runtime::protocol::{Event, LogState, Request};
use runtime::spec::{Namespace, Spool, SpoolMode};
use support::{PATIENCE, Unit, entries, lines, until};

fn log_state(unit: &mut Unit, name: &str) -> LogState {
    let (client, state) = Client::connect(&unit.launched.socket).unwrap();
    unit.client = client;
    state.containers.iter().find(|c| c.container == name).unwrap().log
}

#[test]
fn both_streams_are_told_apart_and_nothing_is_lost_before_the_exit() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["flood", "1000000"]);
    unit.start(1, &spec).unwrap();
    unit.exit_of("web");
    let entries = entries(&spec.log.path);
    assert_eq!(entries.iter().filter(|(stream, _)| stream == "stdout").count(), 10_000);
    assert_eq!(entries.iter().find(|(stream, _)| stream == "stderr").unwrap().1, "flooded\n");
    let text = std::fs::read_to_string(&spec.log.path).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let time = last["time"].as_str().unwrap();
    assert!(time.len() > 20 && time.ends_with('Z'), "{time}");
    assert_eq!(log_state(&mut unit, "web").written, text.len() as u64);
}

#[test]
fn a_container_waits_when_its_blocking_spool_is_full() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["flood", "500000"]);
    let limit_bytes = 20_000;
    spec.log.spool = Some(Spool { mode: SpoolMode::Blocking, limit_bytes });
    unit.start(1, &spec).unwrap();
    until(|| log_state(&mut unit, "web").written >= limit_bytes);
    let stuck = log_state(&mut unit, "web");
    assert!(stuck.written < limit_bytes + 200_000, "one read more at most: {stuck:?}");
    assert!(!lines(&spec.log.path).iter().any(|l| l == "flooded"), "it has not come to its end");
    let mut offset = 0;
    until(|| {
        let state = log_state(&mut unit, "web");
        offset = state.written;
        let _ = unit.client.call(Request::LogAck { container: "web".into(), attempt: 1, offset });
        lines(&spec.log.path).iter().any(|l| l == "flooded")
    });
    assert_eq!(lines(&spec.log.path).len(), 5001, "and nothing was lost");
}

#[test]
fn a_container_goes_on_when_its_non_blocking_spool_is_full() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["flood", "500000"]);
    spec.log.spool = Some(Spool { mode: SpoolMode::NonBlocking { max_buffer_bytes: 20_000 }, limit_bytes: 0 });
    unit.start(1, &spec).unwrap();
    let mut told = 0;
    let mut ended = false;
    while !(ended && told > 0) {
        match unit.client.next_event(PATIENCE).unwrap() {
            Event::LogDropped { lines, .. } => told = lines,
            Event::Exited(exit) => ended = exit.code == Some(0),
            _ => {}
        }
    }
    let state = log_state(&mut unit, "web");
    assert!(state.written <= 20_000);
    assert_eq!(state.dropped_lines as usize + lines(&spec.log.path).len(), 5001);
}

#[test]
fn files_rotate_while_a_container_writes() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["flood", "300000"]);
    (spec.log.max_file_bytes, spec.log.max_files) = (100_000, 3);
    unit.start(1, &spec).unwrap();
    unit.exit_of("web");
    let size = |suffix: &str| {
        let path = unit.dir.path().join(format!("web.log{suffix}"));
        std::fs::metadata(path).map(|m| m.len()).unwrap_or(0)
    };
    assert!((1..=100_000).contains(&size("")) && (1..=100_000).contains(&size(".2")) && size(".3") == 0);
    assert!(log_state(&mut unit, "web").rotations >= 3);
}

#[test]
fn an_exit_is_told_though_somebody_outside_holds_the_pipe() {
    use std::os::fd::AsRawFd;
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["sleep"]);
    spec.namespaces.pid = Namespace::Host;
    let pid = unit.start(1, &spec).unwrap();
    let pipe = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/1")).unwrap();
    assert!(pipe.as_raw_fd() > 2);
    unit.client.call(Request::Kill { container: "web".into(), attempt: 1 }).unwrap();
    assert_eq!(unit.exit_of("web").signal, Some(9), "after a short grace");
    drop(pipe);
}

#[test]
fn a_log_folder_that_is_missing_is_named() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["exit", "0"]);
    spec.log.path = unit.dir.path().join("no/such/folder/web.log");
    let failure = unit.start(1, &spec).unwrap_err();
    assert_eq!(failure.stage.as_deref(), Some("log"));
    assert!(failure.message.contains("no/such/folder/web.log"), "{failure}");
    spec.log.path = std::path::PathBuf::new();
    unit.start(1, &spec).unwrap();
    assert_eq!(unit.exit_of("web").code, Some(0), "no path: output is discarded");
}
