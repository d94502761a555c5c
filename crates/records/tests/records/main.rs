//! Records over a memory store: whole records and their limits (here), a Unit's groups (`groups`), what a snapshot and its
//! followers show after any history (`history`), and opening what is stored (`open`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod groups;
mod history;
mod open;

use model::unit::Unit;
use model::{NodeId, UnitName};
use records::units::Intake;
use records::{CommitError, Draft, Freshness, Records};
use std::sync::Arc;
use store::{Invalid, MemoryStore, StoreError};
use test_support::{Fault, FaultyStore, HandClock, Opened, Wish, cluster, cluster_id, node};

/// Records of an empty store that fails on demand.
pub(crate) async fn empty() -> (Opened, Arc<FaultyStore>) {
    let store = FaultyStore::new(Arc::new(MemoryStore::default()));
    (test_support::open(store.clone(), Arc::<HandClock>::default()).await, store)
}

/// Stores a Unit of this wish.
pub(crate) async fn admit(records: &Records, wish: &Wish, id: &str) -> UnitName {
    let unit = wish.unit(id, HandClock::START);
    let mut intake = Intake::new();
    intake.admit(&unit, &wish.spec());
    records.commit(intake.into_draft()).await.unwrap();
    unit.name
}

pub(crate) fn stored(records: &Records, name: &UnitName) -> Unit {
    (*records.current().units[name].value).clone()
}

fn is_conflict(outcome: Result<impl Sized, CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Conflict))
}

#[tokio::test]
async fn a_record_is_created_once_updated_as_seen_and_deleted_as_seen() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let id = cluster_id("blue");
    let create = || {
        let mut draft = Draft::new();
        draft.create(&id, &cluster("blue"));
        draft
    };
    let snapshot = records.commit(create()).await.unwrap();
    let first = snapshot.clusters[&id].clone();
    assert_eq!((first.revision, first.version), (snapshot.revision, 1));
    assert!(is_conflict(records.commit(create()).await), "it exists already");

    let mut changed = cluster("blue");
    changed.tags.insert("team".into(), "a".into());
    let update = |seen, to| {
        let mut draft = Draft::new();
        draft.update(&id, seen, to);
        draft
    };
    let second = records.commit(update(&first, &changed)).await.unwrap().clusters[&id].clone();
    assert_eq!((second.tags.len(), second.version), (1, 2));
    assert!(is_conflict(records.commit(update(&first, &cluster("blue"))).await), "it was seen as it is no more");

    let delete = |seen| {
        let mut draft = Draft::new();
        draft.delete(&id, seen);
        draft
    };
    assert!(is_conflict(records.commit(delete(&first)).await));
    assert!(records.commit(delete(&second)).await.unwrap().clusters.is_empty());
    assert!(is_conflict(records.commit(delete(&second)).await), "it is gone already");
}

#[tokio::test]
async fn a_draft_is_applied_as_a_whole_or_not_at_all() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let mut draft = Draft::new();
    draft.create(&cluster_id("blue"), &cluster("blue")).create(&NodeId::new("n1"), &node("n1", 1024, 1024));
    let seen = records.commit(draft).await.unwrap();
    let blue = &seen.clusters[&cluster_id("blue")];
    assert_eq!(blue.revision, seen.nodes[&NodeId::new("n1")].revision, "one commit, one revision");

    let mut draft = Draft::new();
    draft.expect(&cluster_id("blue"), blue).expect_absent::<model::Node>(&NodeId::new("n1"));
    draft.create(&cluster_id("red"), &cluster("red"));
    assert!(is_conflict(records.commit(draft).await));
    assert_eq!(records.current().clusters.len(), 1);
}

#[tokio::test]
async fn a_conflict_is_answered_when_what_caused_it_can_be_seen() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    for round in 0..50 {
        let stale = records.current();
        let id = cluster_id("blue");
        let mut winner = Draft::new();
        let mut changed = cluster("blue");
        changed.tags.insert("round".into(), round.to_string());
        winner.upsert(&id, stale.clusters.get(&id), &changed);
        let mut loser = Draft::new();
        loser.upsert(&id, stale.clusters.get(&id), &cluster("blue"));
        let (won, lost) = tokio::join!(records.commit(winner), records.commit(loser));
        won.unwrap();
        assert!(is_conflict(lost));
        assert_eq!(records.current().clusters[&id].tags["round"], round.to_string());
    }
}

#[tokio::test]
async fn an_empty_draft_costs_no_revision() {
    let (opened, _) = empty().await;
    let before = opened.records.current().revision;
    let after = opened.records.commit(Draft::new()).await.unwrap().revision;
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_draft_beyond_a_commits_limits_is_refused_and_changes_nothing() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let mut draft = Draft::new();
    for n in 0..=store::MAX_WRITES {
        assert_eq!(draft.room(), store::MAX_WRITES - n);
        draft.create(&cluster_id(&n.to_string()), &cluster("many"));
    }
    assert_eq!(draft.room(), 0);
    let refused = records.commit(draft).await.unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::Invalid(Invalid::TooManyCompares { count: 101 }))));
    assert!(records.current().clusters.is_empty());
}

#[tokio::test]
async fn a_draft_has_no_room_left_before_its_bytes_run_out() {
    let (opened, _) = empty().await;
    let mut big = cluster("big");
    big.tags.insert("x".into(), "y".repeat(100 << 10));
    let mut draft = Draft::new();
    let mut records_in_it = 0;
    while draft.room() > 0 {
        draft.create(&cluster_id(&records_in_it.to_string()), &big);
        records_in_it += 1;
    }
    assert_eq!(records_in_it, 6, "more than half of a mebibyte");
    opened.records.commit(draft).await.unwrap();
}

#[tokio::test]
async fn a_wait_ends_with_the_commit_that_it_is_for() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let waiting = records.wait_for(|snapshot| snapshot.clusters.get(&cluster_id("blue")).map(|c| c.version));
    let commit = async {
        let mut draft = Draft::new();
        draft.create(&cluster_id("blue"), &cluster("blue"));
        records.commit(draft).await.unwrap()
    };
    let (version, snapshot) = tokio::join!(waiting, commit);
    assert_eq!(version, Some(1));
    let later = records.snapshot(Freshness::AtLeast(snapshot.revision)).await;
    assert_eq!(later.revision, snapshot.revision);
}

#[tokio::test]
async fn a_wait_ends_without_an_answer_when_the_records_close() {
    let (opened, _) = empty().await;
    let records = opened.records.clone();
    let mut touched = records.touched();
    drop(opened);
    assert_eq!(records.wait_for(|_| None::<()>).await, None);
    assert!(touched.next().await.is_none());
    assert!(records.touched().next().await.is_none());
}

#[tokio::test]
async fn a_commit_that_fails_says_whether_it_may_have_been_applied() {
    let (opened, store) = empty().await;
    let records = &opened.records;
    let create = |name: &str| {
        let mut draft = Draft::new();
        draft.create(&cluster_id(name), &cluster(name));
        draft
    };
    store.fail_next(1, Fault::NoSpace);
    assert!(matches!(records.commit(create("a")).await, Err(CommitError::Store(StoreError::NoSpace { .. }))));
    store.fail_next(1, Fault::Unanswered);
    assert!(matches!(records.commit(create("a")).await, Err(CommitError::Store(StoreError::Unknown))));
    let applied = records.wait_for(|snapshot| snapshot.clusters.contains_key(&cluster_id("a")).then_some(())).await;
    assert_eq!(applied, Some(()));
}
