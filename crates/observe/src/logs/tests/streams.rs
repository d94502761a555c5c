//! Streams as objects: making, listing, deleting, retention, limits, damage.

use super::*;
use crate::LogError;
use crate::logs::listing::{ListStreams, StreamOrder};
use std::fs;
use std::sync::Arc;

fn store() -> (tempfile::TempDir, LogStore) {
    let dir = folder();
    let store = LogStore::open_with(dir.path(), 2_000).unwrap();
    store.create_stream(GROUP, "s", 1).unwrap();
    (dir, store)
}

#[test]
fn a_stream_is_made_once_and_its_name_may_be_anything() {
    let (dir, store) = store();
    assert!(matches!(store.create_stream(GROUP, "s", 2), Err(LogError::StreamExists(_))));
    store.ensure_stream(GROUP, "s", 2).unwrap();
    let odd = "web/../app/\u{1F980} ".repeat(20);
    store.create_stream(GROUP, &odd, 3).unwrap();
    put(&store, &odd, &[(1, "crab")]);
    drop(store);
    let store = LogStore::open(dir.path()).unwrap();
    assert_eq!(messages(&store, &odd), ["crab"]);
    assert_eq!(store.stream_status(GROUP, &odd).unwrap().created_ms, 3);
    for group in ["", "a/b", "..", "a b"] {
        assert!(matches!(store.create_stream(group, "s", 1), Err(LogError::BadGroup(_))), "{group:?}");
    }
}

#[test]
fn a_deleted_stream_is_gone_and_one_of_the_same_name_starts_empty() {
    let (dir, store) = store();
    put(&store, "s", &[(1, "old")]);
    let old = store.get(GROUP, "s", &get(Start::Head, None, None)).unwrap();
    store.delete_stream(GROUP, "s").unwrap();
    assert!(matches!(store.get(GROUP, "s", &get(Start::Head, None, None)), Err(LogError::NoSuchStream(_))));
    assert!(matches!(store.delete_stream(GROUP, "s"), Err(LogError::NoSuchStream(_))));
    store.create_stream(GROUP, "s", 9).unwrap();
    assert!(messages(&store, "s").is_empty());
    let stale = store.get(GROUP, "s", &get(Start::Head, None, Some(&old.next_forward)));
    assert!(matches!(stale, Err(LogError::BadToken)), "a token of the old stream is no token of the new one");
    drop(store);
    let store = LogStore::open(dir.path()).unwrap();
    assert!(messages(&store, "s").is_empty());
}

#[test]
fn a_deleted_group_leaves_nothing_on_the_disk() {
    let (dir, store) = store();
    put(&store, "s", &[(1, "x")]);
    store.delete_group(GROUP).unwrap();
    store.delete_group("never-made").unwrap();
    assert!(matches!(store.get(GROUP, "s", &get(Start::Head, None, None)), Err(LogError::NoSuchStream(_))));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    assert!(store.groups_on_disk().unwrap().is_empty());
}

#[test]
fn streams_are_listed_by_name_and_by_last_event_in_pages() {
    let (_dir, store) = store();
    for (name, last) in [("web/1", Some(30)), ("web/2", None), ("web/3", Some(10)), ("db/1", Some(20))] {
        store.create_stream(GROUP, name, 1).unwrap();
        if let Some(last) = last {
            put(&store, name, &[(last, "x")]);
        }
    }
    let names = |prefix, order, descending, limit| {
        let (mut all, mut token) = (Vec::new(), None::<String>);
        loop {
            let list = ListStreams { prefix, order, descending, limit, token: token.as_deref() };
            let page = store.list_streams(GROUP, &list).unwrap();
            assert!(page.streams.len() <= limit);
            all.extend(page.streams.iter().map(|s| s.name.to_string()));
            token = page.next;
            if token.is_none() {
                return all.join(" ");
            }
        }
    };
    for limit in 1..7 {
        assert_eq!(names("", StreamOrder::Name, false, limit), "db/1 s web/1 web/2 web/3");
        assert_eq!(names("web/", StreamOrder::Name, false, limit), "web/1 web/2 web/3");
        assert_eq!(names("web/", StreamOrder::Name, true, limit), "web/3 web/2 web/1");
        assert_eq!(names("", StreamOrder::LastEvent, false, limit), "s web/2 web/3 db/1 web/1");
        assert_eq!(names("", StreamOrder::LastEvent, true, limit), "web/1 db/1 web/3 web/2 s");
    }
    assert_eq!(names("none", StreamOrder::Name, false, 3), "");
}

#[test]
fn a_streams_status_tells_its_times_and_bytes_also_after_a_restart() {
    let (dir, store) = store();
    put(&store, "s", &[(50, "abcd"), (40, "ef")]);
    let status = store.stream_status(GROUP, "s").unwrap();
    assert_eq!((status.first_event_ms, status.last_event_ms), (Some(40), Some(50)));
    assert_eq!((status.last_ingestion_ms, status.stored_bytes, status.upload_sequence), (Some(7_000), 58, 2));
    assert_eq!(store.stored_bytes(GROUP).unwrap(), 58);
    drop(store);
    let store = LogStore::open(dir.path()).unwrap();
    assert_eq!(store.stream_status(GROUP, "s").unwrap(), status);
}

#[test]
fn a_batch_sent_again_is_not_doubled_also_after_rotation_and_restart() {
    let (dir, mut store) = store();
    let text = "y".repeat(700);
    for round in 0..3 {
        for sequence in 1..=5 {
            let producer = Producer { id: "container-1", sequence };
            let outcome = put_as(&store, "s", &[(sequence as i64, &text)], Some(producer));
            assert_eq!(outcome == AppendOutcome::Duplicate, round > 0);
        }
        drop(store);
        store = LogStore::open_with(dir.path(), 2_000).unwrap();
    }
    let other = Producer { id: "container-2", sequence: 1 };
    assert_ne!(put_as(&store, "s", &[(9, "z")], Some(other)), AppendOutcome::Duplicate);
    assert_eq!(messages(&store, "s").len(), 6);
}

#[test]
fn retention_hides_old_events_and_deletes_segments_that_hold_no_others() {
    let (dir, store) = store();
    let text = "y".repeat(500);
    for time in 0..20 {
        put(&store, "s", &[(time, &text)]);
    }
    assert_eq!(store.groups_on_disk().unwrap(), [GROUP]);
    let size = || walk_bytes(dir.path());
    let before = size();
    store.retain(GROUP, 15).unwrap();
    let page = store.get(GROUP, "s", &get(Start::Head, None, None)).unwrap();
    assert_eq!(page.events.iter().map(|e| e.timestamp_ms()).collect::<Vec<_>>(), [15, 16, 17, 18, 19]);
    assert!(size() < before / 2, "{} of {before} bytes are left", size());
    let stored = store.stored_bytes(GROUP).unwrap();
    assert_eq!(stored, store.stream_status(GROUP, "s").unwrap().stored_bytes);
    assert!((5 * 526..10 * 526).contains(&stored));
    store.retain(GROUP, 1_000).unwrap();
    assert!(messages(&store, "s").is_empty());
    let status = store.stream_status(GROUP, "s").unwrap();
    assert_eq!((status.stored_bytes, status.last_event_ms, status.upload_sequence), (0, Some(19), 20));
    put(&store, "s", &[(2_000, "new")]);
    assert_eq!(messages(&store, "s"), ["new"]);
    drop(store);
    let store = LogStore::open(dir.path()).unwrap();
    assert_eq!(store.arrivals(GROUP, "s", 0, 9).unwrap().events[0].seq(), 20);
}

fn walk_bytes(dir: &std::path::Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries.map(|e| if e.path().is_dir() { walk_bytes(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

#[test]
fn a_batch_beyond_the_limits_changes_nothing() {
    let (_dir, store) = store();
    let half = "x".repeat(512 * 1024);
    let refuse = |events: &[NewEvent<'_>]| {
        store.append(GROUP, "s", &Batch { events, ingestion_ms: 1, producer: None }).unwrap_err()
    };
    let event = |timestamp_ms, message| NewEvent { timestamp_ms, message };
    assert!(matches!(refuse(&[event(1, &half), event(1, &half)]), LogError::BatchTooLarge { .. }));
    assert!(matches!(refuse(&vec![event(1, "x"); 10_001]), LogError::BatchTooLarge { .. }));
    assert!(matches!(refuse(&[event(-1, "x")]), LogError::BadTimestamp(-1)));
    assert!(messages(&store, "s").is_empty());
}

#[test]
fn a_torn_tail_is_cut_and_appending_goes_on_behind_what_was_whole() {
    for cut in [1, 5, 9, 20] {
        let (dir, store) = store();
        put(&store, "s", &[(1, "whole")]);
        put(&store, "s", &[(2, "torn by a crash in the middle")]);
        drop(store);
        let log = dir.path().join(GROUP).join("0000000000000001").join("00000000000000000000.log");
        let length = fs::metadata(&log).unwrap().len();
        fs::File::options().write(true).open(&log).unwrap().set_len(length - cut).unwrap();
        let store = LogStore::open(dir.path()).unwrap();
        assert_eq!(messages(&store, "s"), ["whole"]);
        put(&store, "s", &[(3, "next")]);
        drop(store);
        assert_eq!(messages(&LogStore::open(dir.path()).unwrap(), "s"), ["whole", "next"]);
    }
}

#[test]
fn a_segment_that_has_no_whole_header_yet_is_made_again() {
    let (dir, store) = store();
    let text = "y".repeat(900);
    for time in 0..3 {
        put(&store, "s", &[(time, &text)]);
    }
    drop(store);
    let folder = dir.path().join(GROUP).join("0000000000000001");
    fs::write(folder.join("00000000000000000003.log"), b"abc").unwrap();
    let store = LogStore::open_with(dir.path(), 2_000).unwrap();
    assert_eq!(messages(&store, "s").len(), 3);
    put(&store, "s", &[(9, &text)]);
    assert_eq!(messages(&store, "s").len(), 4);
}

#[test]
fn a_damaged_byte_loses_a_block_and_nothing_else() {
    let dir = folder();
    let store = LogStore::open(dir.path()).unwrap();
    store.create_stream(GROUP, "s", 1).unwrap();
    let text = "y".repeat(1_000);
    for time in 0..200 {
        put(&store, "s", &[(time, &text)]);
    }
    store.sync().unwrap();
    drop(store);
    let log = dir.path().join(GROUP).join("0000000000000001").join("00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes[500] ^= 1;
    fs::write(&log, bytes).unwrap();
    let store = LogStore::open(dir.path()).unwrap();
    let left = messages(&store, "s").len();
    assert!((100..200).contains(&left), "{left} of 200 events are left");
}

#[test]
fn a_wrong_or_missing_index_is_made_again() {
    let (dir, store) = store();
    let text = "y".repeat(300);
    for time in 0..30 {
        put(&store, "s", &[(time, &text)]);
    }
    store.sync().unwrap();
    drop(store);
    for damage in [true, false] {
        for entry in fs::read_dir(dir.path().join(GROUP).join("0000000000000001")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "idx") {
                if damage { fs::write(path, b"nonsense").unwrap() } else { fs::remove_file(path).unwrap() }
            }
        }
        let store = LogStore::open(dir.path()).unwrap();
        assert_eq!(messages(&store, "s").len(), 30);
    }
}

#[test]
fn only_one_store_opens_a_folder() {
    let (dir, store) = store();
    assert!(matches!(LogStore::open(dir.path()), Err(LogError::InUse(_))));
    drop(store);
    LogStore::open(dir.path()).unwrap();
}

#[test]
fn many_streams_leave_few_descriptors_open_and_few_streams_in_memory() {
    let dir = folder();
    let store = LogStore::open(dir.path()).unwrap();
    for n in 0..1_500 {
        store.create_stream(GROUP, &n.to_string(), 1).unwrap();
        put(&store, &n.to_string(), &[(n, "x")]);
        if n % 100 == 0 {
            store.sync().unwrap();
        }
    }
    let (open, loaded) = store.held();
    assert!(open <= 128 && loaded <= 1_124, "{open} files are open, {loaded} streams are loaded");
    assert_eq!(messages(&store, "0"), ["x"]);
    assert_eq!(store.stored_bytes(GROUP).unwrap(), 1_500 * 27);
}

#[tokio::test]
async fn a_follower_is_told_of_appends_and_of_the_end() {
    let (_dir, store) = store();
    put(&store, "s", &[(1, "before")]);
    let mut follower = store.follow(GROUP, "s").unwrap();
    assert_eq!(*follower.borrow_and_update(), 1);
    put(&store, "s", &[(2, "a"), (3, "b")]);
    follower.changed().await.unwrap();
    let from = 1;
    let page = store.arrivals(GROUP, "s", from, 10).unwrap();
    assert_eq!((page.events.len() as u64 + from, page.next_seq), (3, *follower.borrow_and_update()));
    store.delete_stream(GROUP, "s").unwrap();
    follower.changed().await.unwrap_err();
}

#[tokio::test]
async fn what_is_much_is_synced_without_waiting_its_time() {
    let (dir, _) = store();
    let store = Arc::new(LogStore::open(dir.path()).unwrap());
    let keeper = store.clone().keep_synced();
    let text = "z".repeat(100_000);
    for n in 0..12 {
        put(&store, "s", &[(n, &text)]);
    }
    let index = dir.path().join(GROUP).join("0000000000000001").join("00000000000000000000.idx");
    let written = async {
        while !index.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        () = keeper => unreachable!("it never ends"),
        done = tokio::time::timeout(std::time::Duration::from_secs(4), written) => done.unwrap(),
    }
}
