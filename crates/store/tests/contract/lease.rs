//! Contract cases: leases, whose end deletes their keys in a normal revision.

use std::sync::Arc;
use std::time::Duration;

use store::{CommitOutcome, Compare, Invalid, KeyRange, LeaseId, StoreError, Write};
use tokio::task::JoinSet;

use crate::harness::{Harness, PATIENCE, is_silent, next_revision, put, steps};

const NOBODY: LeaseId = LeaseId(u64::MAX >> 1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) async fn leases_have_ids_of_their_own(s: Harness) {
    assert_ne!(s.grant(10).await, s.grant(10).await);
}

pub(crate) async fn granting_makes_no_revision(s: Harness) {
    let before = s.revision().await;
    s.grant(10).await;
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn a_lease_without_time_is_refused(s: Harness) {
    let answer = s.store.lease_grant(Duration::ZERO).await;
    assert_eq!(answer, Err(StoreError::Invalid(Invalid::ZeroTtl)));
}

pub(crate) async fn a_new_lease_has_its_whole_time(s: Harness) {
    let lease = s.grant(10).await;
    assert_eq!(s.store.lease_remaining(lease).await, Ok(secs(10)));
}

pub(crate) async fn the_remaining_time_falls(s: Harness) {
    let lease = s.grant(10).await;
    s.pass_secs(4).await;
    assert_eq!(s.store.lease_remaining(lease).await, Ok(secs(6)));
}

pub(crate) async fn a_keepalive_answers_the_whole_time(s: Harness) {
    let lease = s.grant(10).await;
    s.pass_secs(4).await;
    assert_eq!(s.store.lease_keepalive(lease).await, Ok(secs(10)));
    assert_eq!(s.store.lease_remaining(lease).await, Ok(secs(10)));
}

pub(crate) async fn a_keepalive_makes_no_revision(s: Harness) {
    let lease = s.grant(10).await;
    let before = s.put_leased("a", lease).await;
    s.store.lease_keepalive(lease).await.unwrap();
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn an_unknown_lease_cannot_be_kept_alive(s: Harness) {
    assert_eq!(s.store.lease_keepalive(NOBODY).await, Err(StoreError::LeaseNotFound(NOBODY)));
}

pub(crate) async fn an_unknown_lease_has_no_remaining_time(s: Harness) {
    assert_eq!(s.store.lease_remaining(NOBODY).await, Err(StoreError::LeaseNotFound(NOBODY)));
}

pub(crate) async fn an_unknown_lease_cannot_be_revoked(s: Harness) {
    assert_eq!(s.store.lease_revoke(NOBODY).await, Err(StoreError::LeaseNotFound(NOBODY)));
}

pub(crate) async fn a_put_on_an_unknown_lease_changes_nothing(s: Harness) {
    let before = s.put("a", "1").await;
    let writes = vec![put("a", "2"), Write::put_leased("b", "1", NOBODY)];
    assert_eq!(s.store.commit(vec![], writes).await, Err(StoreError::LeaseNotFound(NOBODY)));
    assert_eq!((s.revision().await, s.value("a").await.as_deref()), (before, Some("1")));
}

pub(crate) async fn a_leased_key_names_its_lease(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    assert_eq!(s.get("a").await.unwrap().lease, Some(lease));
}

pub(crate) async fn a_key_dies_with_its_lease(s: Harness) {
    let lease = s.grant(10).await;
    let before = s.put_leased("a", lease).await;
    s.pass_secs(10).await;
    assert_eq!((s.get("a").await, s.revision().await), (None, before.next()));
}

pub(crate) async fn a_key_lives_until_the_last_moment(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    s.pass(secs(10) - NANOSECOND).await;
    assert!(s.get("a").await.is_some());
    assert_eq!(s.store.lease_remaining(lease).await, Ok(NANOSECOND));
    s.pass(NANOSECOND).await;
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn a_keepalive_postpones_the_end(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    for _ in 0..5 {
        s.pass_secs(8).await;
        s.store.lease_keepalive(lease).await.unwrap();
    }
    assert!(s.get("a").await.is_some());
    s.pass_secs(10).await;
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn keys_without_a_lease_live_on(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    s.put("b", "1").await;
    s.pass_secs(100).await;
    assert_eq!(s.keys(KeyRange::all()).await, ["b"]);
}

pub(crate) async fn all_keys_of_a_lease_go_in_one_revision(s: Harness) {
    let lease = s.grant(10).await;
    for key in ["b", "a", "c"] {
        s.put_leased(key, lease).await;
    }
    let mut watch = s.watch().await;
    s.pass_secs(10).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-a", "-b", "-c"]);
    assert!(is_silent(&mut watch).await);
}

pub(crate) async fn a_lease_may_have_more_keys_than_a_commit(s: Harness) {
    let lease = s.grant(10).await;
    for block in 0..3 {
        s.write((0..100).map(|n| Write::put_leased(format!("{block}/{n}"), "v", lease)).collect()).await;
    }
    let mut watch = s.watch().await;
    s.pass_secs(10).await;
    assert_eq!(next_revision(&mut watch).await.1.len(), 300);
    assert_eq!(s.range(KeyRange::all()).await.count, 0);
}

pub(crate) async fn leases_end_in_the_order_of_their_deadlines(s: Harness) {
    let (long, short) = (s.grant(20).await, s.grant(10).await);
    s.put_leased("long", long).await;
    s.put_leased("short", short).await;
    let mut watch = s.watch().await;
    s.pass_secs(30).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-short"]);
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-long"]);
}

pub(crate) async fn leases_due_at_once_end_in_the_order_they_were_granted(s: Harness) {
    let (first, second) = (s.grant(10).await, s.grant(10).await);
    s.put_leased("b", second).await;
    s.put_leased("a", first).await;
    let mut watch = s.watch().await;
    s.pass_secs(10).await;
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-a"]);
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-b"]);
}

pub(crate) async fn a_lease_without_keys_ends_without_a_revision(s: Harness) {
    let lease = s.grant(10).await;
    let before = s.revision().await;
    s.pass_secs(10).await;
    assert_eq!(s.revision().await, before);
    assert_eq!(s.store.lease_remaining(lease).await, Err(StoreError::LeaseNotFound(lease)));
}

pub(crate) async fn a_put_without_a_lease_takes_the_key_off_it(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    s.put("a", "free").await;
    s.pass_secs(10).await;
    assert_eq!(s.value("a").await.as_deref(), Some("free"));
}

pub(crate) async fn a_put_on_another_lease_moves_the_key(s: Harness) {
    let (short, long) = (s.grant(10).await, s.grant(20).await);
    s.put_leased("a", short).await;
    s.put_leased("a", long).await;
    s.pass_secs(10).await;
    assert!(s.get("a").await.is_some());
    s.pass_secs(10).await;
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn a_put_can_hang_a_free_key_on_a_lease(s: Harness) {
    s.put("a", "free").await;
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    assert_eq!(s.get("a").await.unwrap().version, 2);
    s.pass_secs(10).await;
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn a_key_on_the_same_lease_again_still_dies_once(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    let before = s.put_leased("a", lease).await;
    s.pass_secs(10).await;
    assert_eq!((s.get("a").await, s.revision().await), (None, before.next()));
}

pub(crate) async fn a_recreated_key_is_free_of_the_former_lease(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    s.delete("a").await;
    s.put("a", "free").await;
    s.pass_secs(10).await;
    assert!(s.get("a").await.is_some());
}

pub(crate) async fn a_deleted_key_does_not_die_again(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    let before = s.delete("a").await;
    s.pass_secs(10).await;
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn a_conflict_hangs_nothing_on_a_lease(s: Harness) {
    s.put("a", "1").await;
    let lease = s.grant(10).await;
    s.commit(vec![Compare::absent("a")], vec![Write::put_leased("a", "2", lease)]).await;
    s.pass_secs(10).await;
    assert_eq!(s.value("a").await.as_deref(), Some("1"));
}

pub(crate) async fn revoking_deletes_the_keys(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    let before = s.put_leased("b", lease).await;
    assert_eq!(s.store.lease_revoke(lease).await, Ok(before.next()));
    assert_eq!((s.range(KeyRange::all()).await.count, s.revision().await), (0, before.next()));
}

pub(crate) async fn revoking_without_keys_makes_no_revision(s: Harness) {
    let before = s.put("a", "1").await;
    let lease = s.grant(10).await;
    assert_eq!(s.store.lease_revoke(lease).await, Ok(before));
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn a_revoked_lease_is_gone(s: Harness) {
    let lease = s.grant(10).await;
    s.store.lease_revoke(lease).await.unwrap();
    let gone = StoreError::LeaseNotFound(lease);
    assert_eq!(s.store.lease_keepalive(lease).await, Err(gone.clone()));
    assert_eq!(s.store.lease_remaining(lease).await, Err(gone.clone()));
    assert_eq!(s.store.lease_revoke(lease).await, Err(gone.clone()));
    assert_eq!(s.store.commit(vec![], vec![Write::put_leased("a", "1", lease)]).await, Err(gone));
}

pub(crate) async fn an_ended_lease_is_gone(s: Harness) {
    let lease = s.grant(10).await;
    s.clock.advance(secs(10));
    let gone = StoreError::LeaseNotFound(lease);
    assert_eq!(s.store.lease_keepalive(lease).await, Err(gone.clone()));
    assert_eq!(s.store.lease_remaining(lease).await, Err(gone.clone()));
    assert_eq!(s.store.lease_revoke(lease).await, Err(gone.clone()));
    assert_eq!(s.store.commit(vec![], vec![Write::put_leased("a", "1", lease)]).await, Err(gone));
}

pub(crate) async fn revoking_leaves_other_leases_alone(s: Harness) {
    let (one, two) = (s.grant(10).await, s.grant(10).await);
    s.put_leased("one", one).await;
    s.put_leased("two", two).await;
    s.store.lease_revoke(one).await.unwrap();
    assert_eq!(s.keys(KeyRange::all()).await, ["two"]);
    assert_eq!(s.store.lease_remaining(two).await, Ok(secs(10)));
}

pub(crate) async fn ids_are_not_given_again(s: Harness) {
    let first = s.grant(10).await;
    s.store.lease_revoke(first).await.unwrap();
    let second = s.grant(10).await;
    s.pass_secs(10).await;
    let third = s.grant(10).await;
    assert!(first != second && second != third && first != third);
}

pub(crate) async fn a_commit_at_the_deadline_finds_the_key_gone(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("leader", lease).await;
    s.clock.advance(secs(10));
    let outcome = s.commit(vec![Compare::absent("leader")], vec![put("leader", "next")]).await;
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
    assert_eq!(s.get("leader").await.unwrap().version, 1);
}

pub(crate) async fn a_commit_of_the_former_holder_conflicts(s: Harness) {
    let lease = s.grant(10).await;
    let mine = s.put_leased("leader", lease).await;
    s.clock.advance(secs(10));
    let outcome = s.commit(vec![Compare::mod_revision("leader", mine)], vec![put("a", "1")]).await;
    assert!(matches!(outcome, CommitOutcome::Conflict { .. }));
}

pub(crate) async fn the_end_of_a_lease_wakes_a_watch_by_itself(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    let mut watch = s.watch().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { steps(&next_revision(&mut watch).await.1) });
    tokio::task::yield_now().await;
    s.clock.advance(secs(10));
    assert_eq!(tasks.join_all().await, [["-a"]]);
}

pub(crate) async fn a_later_lease_that_ends_earlier_is_not_missed(s: Harness) {
    let long = s.grant(100).await;
    s.put_leased("long", long).await;
    let mut watch = s.watch().await;
    assert!(is_silent(&mut watch).await);
    let short = s.grant(10).await;
    let attached = s.put_leased("short", short).await;
    assert_eq!(next_revision(&mut watch).await.0, attached);
    s.clock.advance(secs(10));
    assert_eq!(steps(&next_revision(&mut watch).await.1), ["-short"]);
}

pub(crate) async fn the_end_of_a_lease_shows_in_a_range_without_any_call(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    s.clock.advance(secs(10));
    let gone = async {
        while s.get("a").await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the key should have gone by itself");
}

pub(crate) async fn the_end_of_a_lease_tells_the_last_value(s: Harness) {
    let lease = s.grant(10).await;
    s.put_leased("a", lease).await;
    let last = s.get("a").await;
    let mut watch = s.watch().await;
    s.pass_secs(10).await;
    assert_eq!(next_revision(&mut watch).await.1[0].previous, last);
}

pub(crate) async fn a_short_lease_ends_by_the_millisecond(s: Harness) {
    let lease = s.store.lease_grant(Duration::from_millis(5)).await.unwrap();
    s.put_leased("a", lease).await;
    s.pass(Duration::from_millis(4)).await;
    assert!(s.get("a").await.is_some());
    s.pass(Duration::from_millis(1)).await;
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn an_endless_lease_does_not_end(s: Harness) {
    s.pass_secs(5).await;
    let lease = s.store.lease_grant(Duration::MAX).await.unwrap();
    s.put_leased("a", lease).await;
    s.pass_secs(1_000_000_000).await;
    assert!(s.get("a").await.is_some() && s.now() >= secs(1_000_000_000));
}

pub(crate) async fn keepalives_of_many_holders_keep_all_alive(s: Harness) {
    let s = Arc::new(s);
    let mut leases = Vec::new();
    for n in 0..20 {
        let lease = s.grant(10).await;
        s.put_leased(&n.to_string(), lease).await;
        leases.push(lease);
    }
    for _ in 0..3 {
        s.pass_secs(9).await;
        let mut tasks = JoinSet::new();
        for lease in leases.clone() {
            let s = s.clone();
            tasks.spawn(async move { s.store.lease_keepalive(lease).await });
        }
        assert!(tasks.join_all().await.into_iter().all(|answer| answer == Ok(secs(10))));
    }
    assert_eq!(s.range(KeyRange::all()).await.count, 20);
}
