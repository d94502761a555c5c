//! Contract cases: revisions, version numbers, compares and conflicts.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::{CommitOutcome, Compare, KeyRange, Revision, StoreError, Write};
use tokio::task::JoinSet;

use crate::harness::{Harness, delete, put, text};

async fn holds(s: &Harness, compare: Compare) -> bool {
    matches!(s.commit(vec![compare], vec![]).await, CommitOutcome::Committed(_))
}

pub(crate) async fn a_put_makes_the_next_revision(s: Harness) {
    let before = s.revision().await;
    assert_eq!(s.put("a", "1").await, before.next());
    assert_eq!(s.revision().await, before.next());
}

pub(crate) async fn each_commit_makes_one_revision(s: Harness) {
    let first = s.put("a", "1").await;
    assert_eq!(s.write(vec![put("a", "2"), put("b", "1"), put("c", "1")]).await, first.next());
    assert_eq!(s.put("a", "3").await, first.next().next());
}

pub(crate) async fn the_keys_of_a_commit_share_its_revision(s: Harness) {
    let revision = s.write(vec![put("a", "1"), put("b", "1")]).await;
    for key in ["a", "b"] {
        assert_eq!(s.get(key).await.unwrap().mod_revision, revision);
    }
}

pub(crate) async fn a_new_key_begins_at_version_one(s: Harness) {
    let revision = s.put("a", "1").await;
    let kv = s.get("a").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version, kv.lease), (revision, revision, 1, None));
}

pub(crate) async fn overwriting_keeps_the_create_revision(s: Harness) {
    let created = s.put("a", "1").await;
    s.put("other", "1").await;
    let modified = s.put("a", "2").await;
    let kv = s.get("a").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, modified, 2));
}

pub(crate) async fn writing_the_same_value_is_a_new_version(s: Harness) {
    let first = s.put("a", "1").await;
    assert_eq!(s.put("a", "1").await, first.next());
    assert_eq!(s.get("a").await.unwrap().version, 2);
}

pub(crate) async fn deleting_removes_the_key(s: Harness) {
    s.put("a", "1").await;
    let before = s.revision().await;
    assert_eq!(s.delete("a").await, before.next());
    assert_eq!(s.get("a").await, None);
}

pub(crate) async fn a_recreated_key_begins_anew(s: Harness) {
    s.put("a", "1").await;
    s.put("a", "2").await;
    s.delete("a").await;
    let revision = s.put("a", "3").await;
    let kv = s.get("a").await.unwrap();
    assert_eq!((kv.create_revision, kv.version), (revision, 1));
}

pub(crate) async fn deleting_an_absent_key_makes_no_revision(s: Harness) {
    let before = s.put("a", "1").await;
    assert_eq!(s.delete("b").await, before);
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn deleting_an_absent_key_beside_a_put_does_not_matter(s: Harness) {
    let before = s.revision().await;
    assert_eq!(s.write(vec![delete("b"), put("a", "1")]).await, before.next());
    assert_eq!(s.keys(KeyRange::all()).await, ["a"]);
}

pub(crate) async fn an_empty_commit_answers_the_current_revision(s: Harness) {
    let current = s.put("a", "1").await;
    assert_eq!(s.commit(vec![], vec![]).await, CommitOutcome::Committed(current));
    assert_eq!(s.revision().await, current);
}

pub(crate) async fn a_check_that_holds_makes_no_revision(s: Harness) {
    let current = s.put("a", "1").await;
    assert_eq!(s.commit(vec![Compare::exists("a")], vec![]).await, CommitOutcome::Committed(current));
    assert_eq!(s.revision().await, current);
}

pub(crate) async fn a_check_that_fails_answers_the_current_key(s: Harness) {
    let revision = s.put("a", "1").await;
    let outcome = s.commit(vec![Compare::absent("a")], vec![]).await;
    assert_eq!(outcome, CommitOutcome::Conflict { current: vec![s.get("a").await], revision });
}

pub(crate) async fn a_commit_may_put_and_delete_different_keys(s: Harness) {
    s.put("a", "1").await;
    s.write(vec![delete("a"), put("b", "1")]).await;
    assert_eq!(s.keys(KeyRange::all()).await, ["b"]);
}

pub(crate) async fn mod_revision_holds_for_the_last_write(s: Harness) {
    let first = s.put("a", "1").await;
    let last = s.put("a", "2").await;
    assert!(holds(&s, Compare::mod_revision("a", last)).await);
    assert!(!holds(&s, Compare::mod_revision("a", first)).await);
    assert!(!holds(&s, Compare::mod_revision("a", last.next())).await);
}

pub(crate) async fn mod_revision_zero_holds_for_an_absent_key(s: Harness) {
    s.put("a", "1").await;
    assert!(holds(&s, Compare::mod_revision("b", Revision::ABSENT)).await);
    assert!(!holds(&s, Compare::mod_revision("a", Revision::ABSENT)).await);
}

pub(crate) async fn create_revision_holds_for_the_first_write(s: Harness) {
    let first = s.put("a", "1").await;
    let last = s.put("a", "2").await;
    assert!(holds(&s, Compare::create_revision("a", first)).await);
    assert!(!holds(&s, Compare::create_revision("a", last)).await);
}

pub(crate) async fn create_revision_zero_holds_for_an_absent_key(s: Harness) {
    s.put("a", "1").await;
    s.delete("a").await;
    assert!(holds(&s, Compare::create_revision("a", Revision::ABSENT)).await);
}

pub(crate) async fn version_counts_the_writes(s: Harness) {
    s.put("a", "1").await;
    s.put("a", "2").await;
    assert!(holds(&s, Compare::version("a", 2)).await);
    assert!(!holds(&s, Compare::version("a", 1)).await);
}

pub(crate) async fn version_zero_holds_for_an_absent_key(s: Harness) {
    assert!(holds(&s, Compare::version("a", 0)).await);
    s.put("a", "1").await;
    assert!(!holds(&s, Compare::version("a", 0)).await);
}

pub(crate) async fn absent_holds_only_without_the_key(s: Harness) {
    assert!(holds(&s, Compare::absent("a")).await);
    s.put("a", "1").await;
    assert!(!holds(&s, Compare::absent("a")).await);
    s.delete("a").await;
    assert!(holds(&s, Compare::absent("a")).await);
}

pub(crate) async fn exists_holds_only_with_the_key(s: Harness) {
    assert!(!holds(&s, Compare::exists("a")).await);
    s.put("a", "").await;
    assert!(holds(&s, Compare::exists("a")).await);
    s.delete("a").await;
    assert!(!holds(&s, Compare::exists("a")).await);
}

pub(crate) async fn unchanged_holds_for_what_was_read(s: Harness) {
    s.put("a", "1").await;
    let (seen, absent) = (s.get("a").await, s.get("b").await);
    assert!(holds(&s, Compare::unchanged("a", seen.as_deref())).await);
    assert!(holds(&s, Compare::unchanged("b", absent.as_deref())).await);
    s.write(vec![put("a", "1"), put("b", "1")]).await;
    assert!(!holds(&s, Compare::unchanged("a", seen.as_deref())).await);
    assert!(!holds(&s, Compare::unchanged("b", absent.as_deref())).await);
}

pub(crate) async fn a_mod_revision_from_an_earlier_life_does_not_hold(s: Harness) {
    let earlier = s.put("a", "1").await;
    s.delete("a").await;
    s.put("a", "1").await;
    assert!(!holds(&s, Compare::mod_revision("a", earlier)).await);
}

pub(crate) async fn a_conflict_changes_nothing(s: Harness) {
    let before = s.put("a", "1").await;
    s.commit(vec![Compare::absent("a")], vec![put("a", "2"), put("b", "2")]).await;
    assert_eq!((s.value("a").await.as_deref(), s.get("b").await), (Some("1"), None));
    assert_eq!(s.revision().await, before);
}

pub(crate) async fn a_conflict_answers_every_compared_key_in_order(s: Harness) {
    s.put("a", "1").await;
    s.put("c", "3").await;
    let compares = vec![Compare::exists("c"), Compare::exists("b"), Compare::exists("a")];
    let CommitOutcome::Conflict { current, .. } = s.commit(compares, vec![]).await else { panic!("b is absent") };
    let keys: Vec<_> = current.iter().map(|kv| kv.as_ref().map(|kv| text(&kv.key))).collect();
    assert_eq!(keys, [Some("c".to_owned()), None, Some("a".to_owned())]);
}

pub(crate) async fn a_conflict_tells_its_revision(s: Harness) {
    let current = s.put("a", "1").await;
    let CommitOutcome::Conflict { revision, .. } = s.commit(vec![Compare::absent("a")], vec![]).await else {
        panic!("a exists")
    };
    assert_eq!(revision, current);
}

pub(crate) async fn all_compares_must_hold(s: Harness) {
    s.put("a", "1").await;
    let compares = vec![Compare::exists("a"), Compare::exists("b")];
    assert_eq!(s.commit(compares, vec![put("c", "1")]).await.committed(), None);
    let compares = vec![Compare::exists("a"), Compare::absent("b")];
    assert!(s.commit(compares, vec![put("c", "1")]).await.committed().is_some());
}

pub(crate) async fn a_compare_may_guard_other_keys_than_the_writes(s: Harness) {
    let leader = s.put("leader", "me").await;
    let guarded = |value| (vec![Compare::mod_revision("leader", leader)], vec![put("a", value)]);
    let (compares, writes) = guarded("1");
    assert!(s.commit(compares, writes).await.committed().is_some());
    s.put("leader", "other").await;
    let (compares, writes) = guarded("2");
    assert_eq!(s.commit(compares, writes).await.committed(), None);
    assert_eq!(s.value("a").await.as_deref(), Some("1"));
}

pub(crate) async fn a_compare_may_guard_a_delete(s: Harness) {
    let seen = s.put("a", "1").await;
    s.put("a", "2").await;
    assert_eq!(s.commit(vec![Compare::mod_revision("a", seen)], vec![delete("a")]).await.committed(), None);
    assert!(s.get("a").await.is_some());
}

pub(crate) async fn compares_are_on_the_state_before_the_commit(s: Harness) {
    assert!(s.commit(vec![Compare::absent("a")], vec![put("a", "1")]).await.committed().is_some());
}

pub(crate) async fn a_conflict_shows_a_key_that_lost_its_life(s: Harness) {
    let seen = s.put("a", "1").await;
    s.delete("a").await;
    let outcome = s.commit(vec![Compare::mod_revision("a", seen)], vec![put("a", "2")]).await;
    assert_eq!(outcome, CommitOutcome::Conflict { current: vec![None], revision: s.revision().await });
}

pub(crate) async fn of_many_who_create_a_key_one_wins(s: Harness) {
    let s = Arc::new(s);
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let s = s.clone();
        tasks.spawn(async move { s.commit(vec![Compare::absent("a")], vec![put("a", &n.to_string())]).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.committed().is_some()).count(), 1);
    assert_eq!(s.get("a").await.unwrap().version, 1);
}

pub(crate) async fn concurrent_counting_loses_no_step(s: Harness) {
    let s = Arc::new(s);
    s.put("n", "0").await;
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let s = s.clone();
        tasks.spawn(async move {
            for _ in 0..10 {
                while add_one(&s).await.committed().is_none() {}
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(s.value("n").await.as_deref(), Some("100"));
}

async fn add_one(s: &Harness) -> CommitOutcome {
    let kv = s.get("n").await.unwrap();
    let n: u32 = text(&kv.value).parse().unwrap();
    s.commit(vec![Compare::unchanged("n", Some(&kv))], vec![put("n", &(n + 1).to_string())]).await
}

pub(crate) async fn concurrent_commits_have_revisions_of_their_own(s: Harness) {
    let s = Arc::new(s);
    let before = s.revision().await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let s = s.clone();
        tasks.spawn(async move { s.put(&n.to_string(), "v").await });
    }
    let revisions: BTreeSet<Revision> = tasks.join_all().await.into_iter().collect();
    let expected: BTreeSet<Revision> = (1..=50).map(|n| Revision(before.0 + n)).collect();
    assert_eq!(revisions, expected);
}

pub(crate) async fn a_commit_is_visible_as_soon_as_it_is_answered(s: Harness) {
    for n in 0..50 {
        let revision = s.put("a", &n.to_string()).await;
        assert!(s.range(KeyRange::all()).await.revision >= revision);
        assert_eq!(s.value("a").await, Some(n.to_string()));
    }
}

pub(crate) async fn a_dropped_call_leaves_the_store_usable(s: Harness) {
    for n in 0..20 {
        let write = vec![put(&n.to_string(), "v")];
        let call = s.store.commit(vec![], write);
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            _ = call => {}
        }
    }
    s.put("last", "1").await;
    assert_eq!(s.value("last").await.as_deref(), Some("1"));
}

pub(crate) async fn one_hundred_keys_change_in_one_revision(s: Harness) {
    let before = s.revision().await;
    let revision = s.write((0..100).map(|n| put(&n.to_string(), "v")).collect()).await;
    assert_eq!((revision, s.range(KeyRange::all()).await.count), (before.next(), 100));
}

pub(crate) async fn a_put_on_a_dead_lease_is_refused_after_the_compares(s: Harness) {
    s.put("a", "1").await;
    let nobody = store::LeaseId(u64::MAX >> 1);
    let writes = || vec![Write::put_leased("b", "1", nobody)];
    assert_eq!(s.commit(vec![Compare::absent("a")], writes()).await.committed(), None);
    let answer = s.store.commit(vec![Compare::exists("a")], writes()).await;
    assert_eq!(answer, Err(StoreError::LeaseNotFound(nobody)));
}
