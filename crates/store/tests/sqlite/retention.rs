//! History is kept as long as set and no longer, in memory and on disk.

use std::path::Path;

use store::{KeyRange, Retention, Revision, SqliteOptions, SqliteStore, Store, WatchEvent, Write};

use crate::{everything, folder, open, options, put};

fn rows_on_disk(folder: &Path) -> u64 {
    let database = rusqlite::Connection::open(folder.join("store.db")).unwrap();
    database.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
}

async fn open_keeping(folder: &Path, keep: Retention) -> SqliteStore {
    SqliteStore::open(SqliteOptions { keep, ..options(folder) }).await.unwrap()
}

#[tokio::test]
async fn the_newest_revisions_are_kept_and_the_oldest_forgotten() {
    let folder = folder();
    let store = open_keeping(folder.path(), Retention { revisions: 100, bytes: u64::MAX / 2 }).await;
    for n in 0..500 {
        put(&store, "a", n.to_string()).await;
        let status = store.status().await.unwrap();
        let kept = status.revision.0 - status.floor.0;
        assert!(kept <= 113 && (kept >= 100 || status.floor == Revision::INITIAL), "{kept} revisions are kept");
    }
}

#[tokio::test]
async fn large_values_shorten_the_history() {
    let folder = folder();
    let store = open_keeping(folder.path(), Retention { revisions: 1000, bytes: 1 << 20 }).await;
    for _ in 0..50 {
        put(&store, "a", vec![7; 100_000]).await;
    }
    let status = store.status().await.unwrap();
    let kept = status.revision.0 - status.floor.0;
    assert!((10..=12).contains(&kept), "{kept} revisions of 100 kB are kept in 1 MiB");
}

#[tokio::test]
async fn a_watch_that_falls_behind_the_retention_is_told() {
    let folder = folder();
    let store = open_keeping(folder.path(), Retention { revisions: 10, bytes: u64::MAX / 2 }).await;
    let mut watch = store.watch(KeyRange::all(), store.status().await.unwrap().revision.next());
    for n in 0..50 {
        put(&store, "a", n.to_string()).await;
    }
    let floor = store.status().await.unwrap().floor;
    assert_eq!(watch.next().await, Ok(WatchEvent::Compacted(floor)));
}

#[tokio::test]
async fn a_lost_floor_update_never_shows_a_hole() {
    let folder = folder();
    let keep = Retention { revisions: 10, bytes: u64::MAX / 2 };
    for round in 0..5 {
        let store = open_keeping(folder.path(), keep).await;
        for n in 0..(7 + round) {
            store.commit(vec![], vec![Write::put("a", n.to_string()), Write::delete("b")]).await.unwrap();
        }
        let status = store.status().await.unwrap();
        let mut watch = store.watch(KeyRange::all(), status.floor.next());
        for expected in status.floor.0 + 1..=status.revision.0 {
            let WatchEvent::Revision { revision, .. } = watch.next().await.unwrap() else { panic!("a hole") };
            assert_eq!(revision, Revision(expected));
        }
        store.close().await;
    }
}

#[tokio::test]
async fn forgotten_versions_leave_the_disk() {
    let folder = folder();
    let store = open(folder.path()).await;
    for n in 0..3000 {
        store.commit(vec![], vec![Write::put(format!("{}", n % 10), "v")]).await.unwrap();
    }
    let before = everything(&store).await;
    store.compact(before.revision).await.unwrap();
    store.close().await;
    // What is less than one step of deletions may stay.
    let left = rows_on_disk(folder.path());
    assert!((10..10 + 512).contains(&left), "{left} rows are left");
    assert_eq!(everything(&open(folder.path()).await).await, before);
}

#[tokio::test]
async fn deleted_keys_leave_the_disk_and_stay_deleted() {
    let folder = folder();
    let store = open(folder.path()).await;
    for block in 0..12 {
        let key = |n: usize| format!("{block}/{n}");
        store.commit(vec![], (0..100).map(|n| Write::put(key(n), "v")).collect()).await.unwrap();
        store.commit(vec![], (0..100).map(|n| Write::delete(key(n))).collect()).await.unwrap();
    }
    let current = store.status().await.unwrap().revision;
    store.compact(current).await.unwrap();
    store.close().await;
    assert!(rows_on_disk(folder.path()) < 512);
    let store = open(folder.path()).await;
    assert_eq!((everything(&store).await.count, store.status().await.unwrap().revision), (0, current));
}

#[tokio::test]
async fn the_write_ahead_log_does_not_grow_without_end() {
    let folder = folder();
    let store = open(folder.path()).await;
    for _ in 0..60 {
        put(&store, "a", vec![7; 1 << 19]).await;
    }
    let log = std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len();
    assert!(log < 24 << 20, "the log has {log} bytes after 30 MiB of writes");
}
