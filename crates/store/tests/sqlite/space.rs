//! A full disk is survived, a failing one is not.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::{FatalError, KeyRange, SqliteOptions, SqliteStore, Store, StoreError, WatchEvent, Write};

use crate::{PATIENCE, everything, folder, open, options, put, this_test_as_child};

const QUOTA: u64 = 2 << 20;

async fn open_with_quota(folder: &Path) -> SqliteStore {
    SqliteStore::open(SqliteOptions { max_bytes: Some(QUOTA), ..options(folder) }).await.unwrap()
}

/// Puts new keys until one is refused; how many were accepted.
async fn fill(store: &SqliteStore) -> usize {
    for n in 0..100_000 {
        match store.commit(vec![], vec![Write::put(format!("fill/{n}"), vec![7; 10_000])]).await {
            Ok(_) => {}
            Err(StoreError::NoSpace { .. }) => return n,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the store never filled up");
}

#[tokio::test]
async fn a_full_store_refuses_puts_and_says_why() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    let accepted = fill(&store).await;
    assert!(accepted > 100);
    let refused = store.commit(vec![], vec![Write::put("more", vec![7; 10_000])]).await.unwrap_err();
    assert!(refused.to_string().contains("full"), "{refused}");
}

#[tokio::test]
async fn a_refused_put_changes_nothing_and_uses_no_revision() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    fill(&store).await;
    let before = everything(&store).await;
    store.commit(vec![], vec![Write::put("more", vec![7; 10_000])]).await.unwrap_err();
    assert_eq!(everything(&store).await, before);
    store.close().await;
    assert_eq!(everything(&open_with_quota(folder.path()).await).await, before);
}

#[tokio::test]
async fn a_full_store_goes_on_reading_checking_and_keeping_leases() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    let lease = store.lease_grant(PATIENCE).await.unwrap();
    fill(&store).await;
    assert!(store.get("fill/0".into()).await.unwrap().is_some());
    assert!(store.commit(vec![store::Compare::exists("fill/0")], vec![]).await.unwrap().committed().is_some());
    let put = || vec![Write::put("fill/0", vec![7; 100_000])];
    assert_eq!(store.commit(vec![store::Compare::absent("fill/0")], put()).await.unwrap().committed(), None);
    assert_eq!(store.lease_keepalive(lease).await, Ok(PATIENCE));
}

#[tokio::test]
async fn a_full_store_accepts_deletions_and_then_works_again() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    let accepted = fill(&store).await;
    let deletes = (0..accepted.min(100)).map(|n| Write::delete(format!("fill/{n}"))).collect();
    assert!(store.commit(vec![], deletes).await.unwrap().committed().is_some());
    assert!(works_again(&store).await);
}

/// Whether a put that did not fit is accepted soon: deleted rows leave the disk in the background.
async fn works_again(store: &SqliteStore) -> bool {
    let accepted = async {
        while store.commit(vec![], vec![Write::put("again", vec![7; 10_000])]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, accepted).await.is_ok()
}

#[tokio::test]
async fn history_alone_never_keeps_a_store_full() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    for _ in 0..1000 {
        if store.commit(vec![], vec![Write::put("a", vec![7; 10_000])]).await.is_err() {
            assert!(works_again(&store).await);
        }
    }
    assert!(store.status().await.unwrap().revision.0 > 900);
}

#[tokio::test]
async fn a_watch_that_kept_up_survives_a_full_store() {
    let folder = folder();
    let store = open_with_quota(folder.path()).await;
    let accepted = fill(&store).await;
    let mut watch = store.watch(KeyRange::all(), store.status().await.unwrap().revision.next());
    let deletes = (0..accepted.min(100)).map(|n| Write::delete(format!("fill/{n}"))).collect();
    let revision = store.commit(vec![], deletes).await.unwrap().committed().unwrap();
    match tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap() {
        WatchEvent::Revision { revision: seen, .. } => assert_eq!(seen, revision),
        // The history was given up in the same turn: also told, also complete.
        WatchEvent::Compacted(floor) => assert_eq!(floor, revision),
        other => panic!("{other:?}"),
    }
}

/// The child's part of the next case: fills the real, small file system that it is given.
#[tokio::test]
async fn on_a_really_full_file_system() {
    let Ok(mount) = std::env::var("STORE_TEST_FULL_DISK") else { return };
    let mount = Path::new(&mount);
    let store = open(mount).await;
    let ballast = mount.join("ballast");
    std::fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let accepted = fill(&store).await;
    assert!(store.get("fill/0".into()).await.unwrap().is_some());
    let before = everything(&store).await;
    store.close().await;

    let store = open(mount).await;
    assert_eq!((everything(&store).await, before.count), (before, accepted));
    std::fs::remove_file(ballast).unwrap();
    assert!(works_again(&store).await);
    println!("survived a full file system");
}

#[test]
fn a_really_full_file_system_is_survived() {
    let folder = folder();
    let mount = folder.path().to_str().unwrap();
    let child = this_test_as_child("space::on_a_really_full_file_system", &[("STORE_TEST_FULL_DISK", mount)]);
    // A mount namespace of its own: the small file system is seen by the child alone and goes with it.
    let script = format!("mount -t tmpfs -o size=8m none '{mount}' && exec \"$@\"");
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(child.get_program())
        .args(child.get_args())
        .envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("survived a full file system"), "needs root for a mount of its own:\n{said}");
}

/// The child's part of the next case: its files cannot grow beyond a limit, which SQLite sees as a failing disk.
#[tokio::test]
async fn on_a_failing_disk() {
    let Ok(folder) = std::env::var("STORE_TEST_FAILING_DISK") else { return };
    let fatal = Arc::new(AtomicBool::new(false));
    let told = fatal.clone();
    let on_fatal = Arc::new(move |error: &FatalError| {
        assert!(matches!(error, FatalError::Disk { .. }));
        told.store(true, Ordering::SeqCst);
    });
    let store = SqliteStore::open(SqliteOptions { on_fatal, ..options(Path::new(&folder)) }).await.unwrap();
    let mut watch = store.watch(KeyRange::all(), store.status().await.unwrap().revision.next());
    let mut accepted = 0;
    let error = loop {
        match store.commit(vec![], vec![Write::put(format!("{accepted}"), vec![7; 10_000])]).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    // Closed, if the disk failed between two commits, while the store tidied up.
    assert!(matches!(error, StoreError::Unknown | StoreError::Closed), "{error}");
    store.close().await;
    assert!(fatal.load(Ordering::SeqCst));
    assert_eq!(store.commit(vec![], vec![]).await, Err(StoreError::Closed));
    assert_eq!(store.get("0".into()).await, Err(StoreError::Closed));
    let mut seen = 0;
    while watch.next().await.is_ok() {
        seen += 1;
    }
    assert_eq!(seen, accepted, "a watch gets what was durable, and nothing else");
    println!("acknowledged {accepted}");
}

#[tokio::test]
async fn a_failing_disk_stops_the_store_and_loses_nothing() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let child = this_test_as_child("space::on_a_failing_disk", &[("STORE_TEST_FAILING_DISK", path)]);
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"])
        .arg(child.get_program())
        .args(child.get_args())
        .envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let acknowledged = said.split_once("acknowledged ").unwrap_or_else(|| panic!("{said}")).1;
    let acknowledged: usize = acknowledged.split_whitespace().next().unwrap().parse().unwrap();
    let store = open(folder.path()).await;
    let stored = everything(&store).await.count;
    assert!(stored == acknowledged || stored == acknowledged + 1, "{acknowledged} acknowledged, {stored} stored");
    put(&store, "again", "1").await;
}

#[tokio::test]
async fn a_lease_that_ends_on_a_full_disk_ends_for_its_holder() {
    let folder = folder();
    let clock = Arc::new(store::clock::ManualClock::new());
    let options = SqliteOptions { max_bytes: Some(QUOTA), clock: clock.clone(), ..options(folder.path()) };
    let store = SqliteStore::open(options).await.unwrap();
    let lease = store.lease_grant(Duration::from_secs(10)).await.unwrap();
    store.commit(vec![], vec![Write::put_leased("leader", "me", lease)]).await.unwrap();
    fill(&store).await;
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.lease_keepalive(lease).await, Err(StoreError::LeaseNotFound(lease)));
}
