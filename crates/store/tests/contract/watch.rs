//! Contract cases: following changes. Whole revisions, in order, none missing, none twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Compare, KeyRange, Revision, StoreError, Watch, WatchEvent, Write};
use tokio::task::JoinSet;

use crate::harness::{Harness, bytes, delete, is_silent, next, next_revision, put, steps, text, try_next};

pub(crate) async fn a_watch_sees_the_next_commit(s: Harness) {
    let mut watch = s.watch().await;
    let revision = s.put("a", "1").await;
    let (seen, changes) = next_revision(&mut watch).await;
    assert_eq!((seen, steps(&changes)), (revision, vec!["+a=1".to_owned()]));
}

pub(crate) async fn a_waiting_watch_is_woken(s: Harness) {
    let mut watch = s.watch().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { next_revision(&mut watch).await.0 });
    tokio::task::yield_now().await;
    let revision = s.put("a", "1").await;
    assert_eq!(tasks.join_all().await, [revision]);
}

pub(crate) async fn a_watch_is_silent_without_commits(s: Harness) {
    s.put("a", "1").await;
    let mut watch = s.watch().await;
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_new_key_has_no_previous_version(s: Harness) {
    let mut watch = s.watch().await;
    s.put("a", "1").await;
    let (_, changes) = next_revision(&mut watch).await;
    assert_eq!((&changes[0].previous, &changes[0].current), (&None, &s.get("a").await));
}

pub(crate) async fn an_overwritten_key_has_both_versions(s: Harness) {
    s.put("a", "1").await;
    let before = s.get("a").await;
    let mut watch = s.watch().await;
    s.put("a", "2").await;
    let (_, changes) = next_revision(&mut watch).await;
    assert_eq!((&changes[0].previous, &changes[0].current), (&before, &s.get("a").await));
}

pub(crate) async fn a_deleted_key_has_only_its_previous_version(s: Harness) {
    s.put("a", "1").await;
    let before = s.get("a").await;
    let mut watch = s.watch().await;
    s.delete("a").await;
    let (_, changes) = next_revision(&mut watch).await;
    assert_eq!((&changes[0].previous, &changes[0].current, &changes[0].key), (&before, &None, &bytes("a")));
}

pub(crate) async fn a_recreated_key_has_no_previous_version(s: Harness) {
    s.put("a", "1").await;
    s.delete("a").await;
    let mut watch = s.watch().await;
    s.put("a", "2").await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+a=2"]);
}

pub(crate) async fn the_changes_of_a_commit_come_together_in_its_order(s: Harness) {
    s.put("c", "1").await;
    let mut watch = s.watch().await;
    s.write(vec![put("b", "1"), delete("c"), put("a", "1")]).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+b=1", "-c", "+a=1"]);
}

pub(crate) async fn a_delete_of_an_absent_key_is_not_a_change(s: Harness) {
    let mut watch = s.watch().await;
    s.write(vec![delete("x"), put("a", "1")]).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+a=1"]);
}

pub(crate) async fn revisions_come_in_order(s: Harness) {
    let mut watch = s.watch().await;
    let first = s.put("a", "1").await;
    for n in 2..=10 {
        s.put("a", &n.to_string()).await;
    }
    for n in 0..10 {
        assert_eq!(next_revision(&mut watch).await.0, Revision(first.0 + n));
    }
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn the_past_is_replayed(s: Harness) {
    let start = s.revision().await;
    s.put("a", "1").await;
    s.put("a", "2").await;
    s.delete("a").await;
    let mut watch = s.store.watch(KeyRange::all(), start.next());
    for expected in ["+a=1", "~a=2", "-a"] {
        assert_eq!(steps(&next_revision(&mut watch).await.1), [expected]);
    }
}

pub(crate) async fn nothing_before_the_asked_revision_is_seen(s: Harness) {
    s.put("a", "1").await;
    let from = s.put("a", "2").await;
    s.put("a", "3").await;
    let mut watch = s.store.watch(KeyRange::all(), from);
    assert_eq!(next_revision(&mut watch).await.0, from);
}

pub(crate) async fn a_replay_goes_over_into_the_present(s: Harness) {
    let from = s.put("a", "1").await;
    let mut watch = s.store.watch(KeyRange::all(), from);
    next_revision(&mut watch).await;
    assert!(is_silent(&mut watch).await);
    s.put("a", "2").await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["~a=2"]);
}

pub(crate) async fn list_then_watch_misses_nothing(s: Harness) {
    s.put("a", "1").await;
    let listed = s.range(KeyRange::all()).await;
    s.put("b", "1").await;
    let mut watch = s.store.watch(KeyRange::all(), listed.revision.next());
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+b=1"]);
}

pub(crate) async fn a_watch_of_the_future_fails(s: Harness) {
    let current = s.put("a", "1").await;
    let requested = current.next().next();
    let mut watch = s.store.watch(KeyRange::all(), requested);
    assert_eq!(try_next(&mut watch).await, Err(StoreError::FutureRevision { requested, current }));
}

pub(crate) async fn watchers_share_the_changes(s: Harness) {
    let (mut one, mut two) = (s.watch().await, s.watch().await);
    s.put("a", "1").await;
    let (one, two) = (next_revision(&mut one).await.1, next_revision(&mut two).await.1);
    assert!(Arc::ptr_eq(&one, &two));
}

pub(crate) async fn a_prefix_watch_whose_prefix_holds_everything_shares_the_changes(s: Harness) {
    let next = s.revision().await.next();
    let (mut one, mut two) = (s.store.watch(KeyRange::prefix("a"), next), s.watch().await);
    s.write(vec![put("a1", "1"), put("a2", "1")]).await;
    let (one, two) = (next_revision(&mut one).await.1, next_revision(&mut two).await.1);
    assert!(Arc::ptr_eq(&one, &two));
}

pub(crate) async fn twenty_watchers_see_the_same(s: Harness) {
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(s.watch().await);
    }
    for n in 0..5 {
        s.put("a", &n.to_string()).await;
    }
    for watch in &mut watches {
        for n in 0..5 {
            let (_, changes) = next_revision(watch).await;
            assert_eq!(text(&changes[0].current.as_ref().unwrap().value), n.to_string());
        }
    }
}

pub(crate) async fn a_watch_resumes_from_every_revision(s: Harness) {
    let start = s.revision().await;
    for n in 0..10 {
        s.write(vec![put("a", &n.to_string()), put(&n.to_string(), "x")]).await;
    }
    let all = collect(s.store.watch(KeyRange::all(), start.next()), s.revision().await).await;
    for (skipped, (from, _)) in all.iter().enumerate() {
        let rest = collect(s.store.watch(KeyRange::all(), *from), s.revision().await).await;
        assert_eq!(rest, all[skipped..]);
    }
}

/// All revisions up to and with `last`.
async fn collect(mut watch: Watch, last: Revision) -> Vec<(Revision, Vec<String>)> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(revision, _)| *revision < last) {
        let (revision, changes) = next_revision(&mut watch).await;
        seen.push((revision, steps(&changes)));
    }
    seen
}

pub(crate) async fn a_prefix_watch_sees_only_its_keys(s: Harness) {
    let mut watch = s.store.watch(KeyRange::prefix("a/"), s.revision().await.next());
    s.write(vec![put("a/1", "1"), put("b/1", "1"), put("a/2", "1")]).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+a/1=1", "+a/2=1"]);
}

pub(crate) async fn a_single_key_watch_sees_only_that_key(s: Harness) {
    let mut watch = s.store.watch(KeyRange::key("a"), s.revision().await.next());
    s.write(vec![put("aa", "1"), put("a", "1")]).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+a=1"]);
}

pub(crate) async fn a_span_watch_sees_only_the_span(s: Harness) {
    let mut watch = s.store.watch(KeyRange::span("b", "d"), s.revision().await.next());
    s.write(vec![put("a", "1"), put("b", "1"), put("c", "1"), put("d", "1")]).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+b=1", "+c=1"]);
}

pub(crate) async fn revisions_outside_the_range_show_as_progress(s: Harness) {
    let mut watch = s.store.watch(KeyRange::prefix("a/"), s.revision().await.next());
    let revision = s.put("b", "1").await;
    assert_eq!(next(&mut watch).await, WatchEvent::Progress(revision));
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn progress_covers_all_that_was_skipped(s: Harness) {
    let mut watch = s.store.watch(KeyRange::prefix("a/"), s.revision().await.next());
    let mut last = Revision(0);
    for n in 0..5 {
        last = s.put("b", &n.to_string()).await;
    }
    assert_eq!(next(&mut watch).await, WatchEvent::Progress(last));
}

pub(crate) async fn after_progress_the_next_change_is_seen(s: Harness) {
    let mut watch = s.store.watch(KeyRange::prefix("a/"), s.revision().await.next());
    s.put("b", "1").await;
    next(&mut watch).await;
    let revision = s.put("a/1", "1").await;
    assert_eq!(next_revision(&mut watch).await.0, revision);
}

pub(crate) async fn a_watch_of_everything_needs_no_progress(s: Harness) {
    let mut watch = s.watch().await;
    let revision = s.put("a", "1").await;
    assert_eq!(next_revision(&mut watch).await.0, revision);
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_conflict_is_not_seen(s: Harness) {
    s.put("a", "1").await;
    let mut watch = s.watch().await;
    s.commit(vec![Compare::absent("a")], vec![put("a", "2")]).await;
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_commit_without_effect_is_not_seen(s: Harness) {
    let mut watch = s.watch().await;
    s.delete("absent").await;
    s.commit(vec![], vec![]).await;
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_refused_commit_is_not_seen(s: Harness) {
    let mut watch = s.watch().await;
    s.store.commit(vec![], vec![put("a", "1"), put("a", "2")]).await.unwrap_err();
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_cancelled_next_loses_nothing(s: Harness) {
    let mut watch = s.watch().await;
    for n in 0..20 {
        assert!(is_silent(&mut watch).await);
        let revision = s.put("a", &n.to_string()).await;
        assert_eq!(next_revision(&mut watch).await.0, revision);
    }
}

pub(crate) async fn a_dropped_watch_disturbs_nobody(s: Harness) {
    let (dropped, mut kept) = (s.watch().await, s.watch().await);
    s.put("a", "1").await;
    drop(dropped);
    s.put("a", "2").await;
    assert_eq!(steps(&next_revision(&mut kept).await.1), ["+a=1"]);
    assert_eq!(steps(&next_revision(&mut kept).await.1), ["~a=2"]);
}

pub(crate) async fn a_slow_watch_sees_everything_that_is_kept(s: Harness) {
    let mut watch = s.watch().await;
    let first = s.put("a", "0").await;
    for n in 1..500 {
        s.put("a", &n.to_string()).await;
    }
    for n in 0..500 {
        assert_eq!(next_revision(&mut watch).await.0, Revision(first.0 + n));
    }
}

pub(crate) async fn a_watch_sees_concurrent_commits_complete_and_in_order(s: Harness) {
    let s = Arc::new(s);
    let mut watch = s.watch().await;
    let first = s.revision().await.next();
    let mut tasks = JoinSet::new();
    for writer in 0..8 {
        let s = s.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                s.put(&format!("{writer}"), &n.to_string()).await;
            }
        });
    }
    for n in 0..200 {
        let (revision, changes) = next_revision(&mut watch).await;
        assert_eq!((revision, changes.len()), (Revision(first.0 + n), 1));
    }
    tasks.join_all().await;
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn replaying_a_watch_gives_the_range(s: Harness) {
    let mut watch = s.watch().await;
    for n in 0..30u32 {
        let (one, two) = (format!("k{}", n % 7), format!("k{}", (n * 5 + 3) % 11));
        let second = if n % 3 == 0 { delete(&two) } else { put(&two, "x") };
        s.write(if one == two { vec![second] } else { vec![put(&one, &n.to_string()), second] }).await;
    }
    let listed = s.range(KeyRange::all()).await;
    let (mut replayed, mut at) = (BTreeMap::new(), Revision(0));
    while at < listed.revision {
        let (revision, changes) = next_revision(&mut watch).await;
        at = revision;
        for change in changes.iter() {
            assert_eq!(replayed.get(&change.key), change.previous.as_ref());
            match &change.current {
                Some(kv) => replayed.insert(change.key.clone(), kv.clone()),
                None => replayed.remove(&change.key),
            };
        }
    }
    assert_eq!(replayed.into_values().collect::<Vec<_>>(), listed.kvs);
}

pub(crate) async fn a_watch_behind_the_floor_is_told(s: Harness) {
    let from = s.put("a", "1").await;
    let floor = s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    let mut watch = s.store.watch(KeyRange::all(), from);
    assert_eq!(next(&mut watch).await, WatchEvent::Compacted(floor));
}

pub(crate) async fn a_watch_at_the_floor_is_told(s: Harness) {
    let floor = s.put("a", "1").await;
    s.store.compact(floor).await.unwrap();
    let mut watch = s.store.watch(KeyRange::all(), floor);
    assert_eq!(next(&mut watch).await, WatchEvent::Compacted(floor));
}

pub(crate) async fn a_watch_from_above_the_floor_goes_on(s: Harness) {
    let floor = s.put("a", "1").await;
    s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    let mut watch = s.store.watch(KeyRange::all(), floor.next());
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["~a=2"]);
}

pub(crate) async fn a_slow_watch_that_compaction_overtakes_is_told(s: Harness) {
    let mut watch = s.watch().await;
    s.put("a", "1").await;
    next_revision(&mut watch).await;
    s.put("a", "2").await;
    let floor = s.put("a", "3").await;
    s.put("a", "4").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(next(&mut watch).await, WatchEvent::Compacted(floor));
}

pub(crate) async fn a_compacted_watch_stays_ended(s: Harness) {
    let from = s.put("a", "1").await;
    let floor = s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    let mut watch = s.store.watch(KeyRange::all(), from);
    for _ in 0..3 {
        assert_eq!(next(&mut watch).await, WatchEvent::Compacted(floor));
    }
}

pub(crate) async fn a_watch_that_kept_up_does_not_notice_compaction(s: Harness) {
    let mut watch = s.watch().await;
    let floor = s.put("a", "1").await;
    next_revision(&mut watch).await;
    s.store.compact(floor).await.unwrap();
    assert!(is_silent(&mut watch).await);
    s.put("a", "2").await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["~a=2"]);
}

pub(crate) async fn the_end_of_the_store_ends_the_watch(s: Harness) {
    let mut watch = s.watch().await;
    drop(s);
    assert_eq!(try_next(&mut watch).await, Err(StoreError::Closed));
}

pub(crate) async fn a_large_commit_is_seen_whole(s: Harness) {
    let mut watch = s.watch().await;
    let value = vec![7; 10_000];
    s.write((0..100).map(|n| Write::put(format!("{n}"), value.clone())).collect()).await;
    let (_, changes) = next_revision(&mut watch).await;
    assert!(changes.len() == 100 && changes.iter().all(|change| change.current.as_ref().unwrap().value == value));
}
