//! Opening, closing, opening again; and every reason not to open.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use store::clock::{Clock, ManualClock, SystemClock};
use store::{KeyRange, OpenError, SqliteOptions, SqliteStore, Store, StoreError, WatchEvent, Write};

use crate::{PATIENCE, everything, folder, open, options, put};

#[tokio::test]
async fn a_reopened_store_has_the_same_keys_and_history() {
    let folder = folder();
    let store = open(folder.path()).await;
    let first = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    store.commit(vec![], vec![Write::delete("a"), Write::put("b", "")]).await.unwrap();
    let (before, status) = (everything(&store).await, store.status().await.unwrap());
    store.close().await;

    let store = open(folder.path()).await;
    assert_eq!(everything(&store).await, before);
    let again = store.status().await.unwrap();
    assert_eq!((again.revision, again.floor, again.epoch), (status.revision, status.floor, status.epoch));
    let past = store.range(KeyRange::all(), None, Some(first)).await.unwrap();
    assert_eq!(past.kvs[0].value, "1");
}

#[tokio::test]
async fn a_watch_resumes_over_a_restart() {
    let folder = folder();
    let store = open(folder.path()).await;
    let from = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    store.close().await;

    let store = open(folder.path()).await;
    let mut watch = store.watch(KeyRange::all(), from);
    for value in ["1", "2"] {
        let WatchEvent::Revision { changes, .. } = watch.next().await.unwrap() else { panic!("expected a revision") };
        assert_eq!(changes[0].current.as_ref().unwrap().value, value);
    }
}

#[tokio::test]
async fn the_revision_survives_the_deletion_and_compaction_of_everything() {
    let folder = folder();
    let store = open(folder.path()).await;
    put(&store, "a", "1").await;
    let last = store.commit(vec![], vec![Write::delete("a")]).await.unwrap().committed().unwrap();
    store.compact(last).await.unwrap();
    store.close().await;

    let store = open(folder.path()).await;
    assert_eq!(store.status().await.unwrap().revision, last);
    assert_eq!(put(&store, "a", "2").await, last.next());
}

#[tokio::test]
async fn leases_survive_with_their_whole_time_and_their_keys() {
    let (folder, clock) = (folder(), Arc::new(ManualClock::new()));
    let options = SqliteOptions { clock: clock.clone(), ..options(folder.path()) };
    let store = SqliteStore::open(options.clone()).await.unwrap();
    let lease = store.lease_grant(Duration::from_secs(10)).await.unwrap();
    store.commit(vec![], vec![Write::put_leased("a", "1", lease)]).await.unwrap();
    clock.advance(Duration::from_secs(6));
    store.close().await;

    let store = SqliteStore::open(options).await.unwrap();
    assert_eq!(store.lease_remaining(lease).await, Ok(Duration::from_secs(10)));
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.lease_remaining(lease).await, Err(StoreError::LeaseNotFound(lease)));
    assert_eq!(everything(&store).await.count, 0);
}

#[tokio::test]
async fn lease_ids_are_not_given_again_after_a_restart() {
    let folder = folder();
    let store = open(folder.path()).await;
    let first = store.lease_grant(Duration::from_secs(10)).await.unwrap();
    store.lease_revoke(first).await.unwrap();
    store.close().await;

    let store = open(folder.path()).await;
    assert_ne!(store.lease_grant(Duration::from_secs(10)).await.unwrap(), first);
}

#[tokio::test]
async fn two_stores_have_different_epochs() {
    let (one, two) = (folder(), folder());
    let (one, two) = (open(one.path()).await, open(two.path()).await);
    assert_ne!(one.status().await.unwrap().epoch, two.status().await.unwrap().epoch);
}

#[tokio::test]
async fn the_real_clock_ends_a_lease_on_time_and_by_itself() {
    let (folder, clock) = (folder(), Arc::new(SystemClock::new()));
    let store = SqliteStore::open(SqliteOptions { clock: clock.clone(), ..options(folder.path()) }).await.unwrap();
    let granted = clock.now();
    let lease = store.lease_grant(Duration::from_millis(60)).await.unwrap();
    store.commit(vec![], vec![Write::put_leased("a", "1", lease)]).await.unwrap();
    let mut watch = store.watch(KeyRange::all(), store.status().await.unwrap().revision.next());
    let ended = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the lease should end").unwrap();
    assert!(matches!(ended, WatchEvent::Revision { .. }));
    assert!(clock.now() - granted >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_second_open_says_who_holds_the_store() {
    let folder = folder();
    let store = open(folder.path()).await;
    let Err(OpenError::Locked { holder, .. }) = SqliteStore::open(options(folder.path())).await else {
        panic!("the store is in use")
    };
    assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
    store.close().await;
    open(folder.path()).await;
}

#[tokio::test]
async fn a_refused_second_open_does_not_disturb_the_first() {
    let folder = folder();
    let store = open(folder.path()).await;
    assert!(SqliteStore::open(options(folder.path())).await.is_err());
    put(&store, "a", "1").await;
    assert_eq!(everything(&store).await.count, 1);
}

#[tokio::test]
async fn a_closed_store_answers_closed() {
    let folder = folder();
    let store = open(folder.path()).await;
    put(&store, "a", "1").await;
    store.close().await;
    assert_eq!(store.get("a".into()).await, Err(StoreError::Closed));
    assert_eq!(store.commit(vec![], vec![Write::put("a", "2")]).await, Err(StoreError::Closed));
    assert_eq!(store.lease_grant(PATIENCE).await, Err(StoreError::Closed));
    assert_eq!(store.status().await, Err(StoreError::Closed));
    store.close().await;
}

#[tokio::test]
async fn closing_answers_what_is_queued() {
    let folder = folder();
    let store = open(folder.path()).await;
    let (answer, ()) = tokio::join!(store.commit(vec![], vec![Write::put("a", "1")]), store.close());
    assert!(answer.unwrap().committed().is_some());
    assert_eq!(everything(&open(folder.path()).await).await.count, 1);
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = folder();
    let missing = folder.path().join("missing");
    let Err(error) = SqliteStore::open(options(&missing)).await else { panic!("there is no such folder") };
    assert!(error.to_string().contains(&*missing.to_string_lossy()), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_found_when_opening() {
    let folder = folder();
    let store = open(folder.path()).await;
    for n in 0..200 {
        put(&store, &format!("{n}"), vec![7; 1000]).await;
    }
    store.close().await;
    let path = folder.path().join("store.db");
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[0xee; 4096], 20 * 4096).unwrap();

    let Err(error) = SqliteStore::open(options(folder.path())).await else { panic!("a page is damaged") };
    assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Database { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("store.db");
    let content = vec![b'x'; 10_000];
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(SqliteStore::open(options(folder.path())).await, Err(OpenError::Database { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), content);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let folder = folder();
    let other = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    drop(other);
    assert!(matches!(SqliteStore::open(options(folder.path())).await, Err(OpenError::Foreign { .. })));
}

#[tokio::test]
async fn a_format_from_the_future_is_refused() {
    let folder = folder();
    open(folder.path()).await.close().await;
    let newer = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let Err(error) = SqliteStore::open(options(folder.path())).await else { panic!("the format is unknown") };
    assert!(matches!(error, OpenError::SchemaVersion { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn an_interrupted_creation_is_completed() {
    let folder = folder();
    std::fs::write(folder.path().join("store.db"), []).unwrap();
    put(&open(folder.path()).await, "a", "1").await;
}

#[tokio::test]
async fn a_gap_in_the_history_is_found_when_opening() {
    let folder = folder();
    let store = open(folder.path()).await;
    let gap = put(&store, "a", "1").await;
    put(&store, "b", "1").await;
    store.close().await;
    let torn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    torn.execute("DELETE FROM log WHERE revision = ?1", [gap.0.cast_signed()]).unwrap();
    drop(torn);
    assert!(matches!(SqliteStore::open(options(folder.path())).await, Err(OpenError::Damaged { .. })));
}
