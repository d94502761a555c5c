//! Contract cases: forgetting history, and what the store says about itself.

use store::{KeyRange, Revision, StoreError, WatchEvent, Write};

use crate::harness::{Harness, keys, next, next_revision, steps, values};

pub(crate) async fn compaction_raises_the_floor(s: Harness) {
    let floor = s.put("a", "1").await;
    assert_eq!(s.store.compact(floor).await, Ok(floor));
    assert_eq!(s.floor().await, floor);
}

pub(crate) async fn compaction_makes_no_revision(s: Harness) {
    let current = s.put("a", "1").await;
    s.store.compact(current).await.unwrap();
    assert_eq!(s.revision().await, current);
}

pub(crate) async fn compaction_keeps_the_current_values(s: Harness) {
    s.put("a", "1").await;
    s.put("b", "1").await;
    let current = s.put("a", "2").await;
    let before = s.range(KeyRange::all()).await;
    s.store.compact(current).await.unwrap();
    assert_eq!(s.range(KeyRange::all()).await, before);
}

pub(crate) async fn below_the_floor_nothing_can_be_read(s: Harness) {
    let requested = s.put("a", "1").await;
    let floor = s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    let answer = s.store.range(KeyRange::all(), None, Some(requested)).await;
    assert_eq!(answer, Err(StoreError::Compacted { requested, floor }));
}

pub(crate) async fn at_the_floor_everything_can_be_read(s: Harness) {
    s.put("a", "1").await;
    let floor = s.put("b", "1").await;
    s.put("a", "2").await;
    s.delete("b").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(values(&s.range_at(KeyRange::all(), floor).await), ["1", "1"]);
}

pub(crate) async fn above_the_floor_the_past_stays_right(s: Harness) {
    let start = s.revision().await;
    for n in 1..=10 {
        s.put("a", &n.to_string()).await;
    }
    s.store.compact(Revision(start.0 + 5)).await.unwrap();
    for n in 5..=10 {
        let then = s.range_at(KeyRange::all(), Revision(start.0 + n)).await;
        assert_eq!(values(&then), [n.to_string()]);
    }
}

pub(crate) async fn a_deletion_at_the_floor_stays_a_deletion(s: Harness) {
    s.put("a", "1").await;
    let floor = s.delete("a").await;
    s.put("b", "1").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(s.range_at(KeyRange::all(), floor).await.count, 0);
    assert_eq!(s.keys(KeyRange::all()).await, ["b"]);
}

pub(crate) async fn the_future_cannot_be_compacted(s: Harness) {
    let current = s.put("a", "1").await;
    let requested = current.next();
    assert_eq!(s.store.compact(requested).await, Err(StoreError::FutureRevision { requested, current }));
}

pub(crate) async fn compacting_below_the_floor_does_nothing(s: Harness) {
    let first = s.put("a", "1").await;
    let floor = s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(s.store.compact(first).await, Ok(floor));
}

pub(crate) async fn compacting_twice_is_compacting_once(s: Harness) {
    let floor = s.put("a", "1").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(s.store.compact(floor).await, Ok(floor));
    assert_eq!(s.value("a").await.as_deref(), Some("1"));
}

pub(crate) async fn version_numbers_survive_compaction(s: Harness) {
    let created = s.put("a", "1").await;
    let current = s.put("a", "2").await;
    s.store.compact(current).await.unwrap();
    let modified = s.put("a", "3").await;
    let kv = s.get("a").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, modified, 3));
}

pub(crate) async fn revisions_go_on_after_compaction(s: Harness) {
    let current = s.put("a", "1").await;
    s.store.compact(current).await.unwrap();
    assert_eq!(s.put("a", "2").await, current.next());
}

pub(crate) async fn an_empty_store_can_be_compacted(s: Harness) {
    s.put("a", "1").await;
    let current = s.delete("a").await;
    s.store.compact(current).await.unwrap();
    assert_eq!((s.range(KeyRange::all()).await.count, s.revision().await), (0, current));
}

pub(crate) async fn leased_keys_survive_compaction_and_still_die(s: Harness) {
    let lease = s.grant(10).await;
    let current = s.put_leased("a", lease).await;
    s.store.compact(current).await.unwrap();
    assert_eq!(s.keys(KeyRange::all()).await, ["a"]);
    s.pass_secs(10).await;
    assert_eq!(s.range(KeyRange::all()).await.count, 0);
}

pub(crate) async fn after_compaction_a_new_list_and_watch_go_on(s: Harness) {
    let from = s.put("a", "1").await;
    let floor = s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    let mut watch = s.store.watch(KeyRange::all(), from);
    assert_eq!(next(&mut watch).await, WatchEvent::Compacted(floor));
    let listed = s.range(KeyRange::all()).await;
    let mut watch = s.store.watch(KeyRange::all(), listed.revision.next());
    s.put("a", "3").await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["~a=3"]);
}

pub(crate) async fn an_overwritten_key_survives_compaction_between_its_versions(s: Harness) {
    s.put("a", "1").await;
    let floor = s.put("b", "1").await;
    s.put("a", "2").await;
    s.store.compact(floor).await.unwrap();
    assert_eq!(keys(&s.range_at(KeyRange::all(), floor).await), ["a", "b"]);
    assert_eq!(s.value("a").await.as_deref(), Some("2"));
}

pub(crate) async fn step_by_step_compaction_keeps_the_present(s: Harness) {
    for n in 0..30 {
        let revision = s.write(vec![Write::put(format!("k{}", n % 5), format!("{n}"))]).await;
        s.store.compact(Revision(revision.0 - 1)).await.unwrap();
    }
    assert_eq!(values(&s.range(KeyRange::all()).await), ["25", "26", "27", "28", "29"]);
}

pub(crate) async fn the_status_names_the_current_revision(s: Harness) {
    let revision = s.put("a", "1").await;
    assert_eq!(s.store.status().await.unwrap().revision, revision);
}

pub(crate) async fn a_fresh_store_can_be_listed_and_watched(s: Harness) {
    let status = s.store.status().await.unwrap();
    assert!(status.floor <= status.revision);
    let mut watch = s.store.watch(KeyRange::all(), status.revision.next());
    s.put("a", "1").await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["+a=1"]);
}

pub(crate) async fn the_epoch_stays(s: Harness) {
    let epoch = s.store.status().await.unwrap().epoch;
    s.put("a", "1").await;
    assert_eq!(s.store.status().await.unwrap().epoch, epoch);
}

pub(crate) async fn the_size_grows_with_the_data(s: Harness) {
    let before = s.store.status().await.unwrap().bytes;
    s.write(vec![Write::put("a", vec![7; 500_000])]).await;
    assert!(s.store.status().await.unwrap().bytes >= before + 500_000);
}

pub(crate) async fn asking_for_the_status_changes_nothing(s: Harness) {
    s.put("a", "1").await;
    let first = s.store.status().await.unwrap();
    assert_eq!(s.store.status().await.unwrap(), first);
}
