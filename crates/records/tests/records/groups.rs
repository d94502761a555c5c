//! Each group of a Unit's record has one writer; a writer re-merges its own group and leaves the others alone.

use crate::{admit, empty, stored};
use model::node::Ledger;
use model::unit::observed::StopObserved;
use model::unit::{Lifecycle, Observed, Placement, StopCause};
use model::{NodeId, UnitName, UnitUid};
use records::units::{self, Intake};
use records::{CommitError, Draft, Records};
use store::StoreError;
use test_support::{Fault, HandClock, Wish, stop_wish, task_name};

fn at(lifecycle: Lifecycle) -> Observed {
    Observed { lifecycle, ..Observed::default() }
}

fn stopped(reason: &str) -> Observed {
    let stop = StopObserved { cause: StopCause::EssentialContainerExited, reason: reason.into() };
    Observed { stop: Some(stop), ..at(Lifecycle::Stopped) }
}

async fn bind(records: &Records, name: &UnitName, node: &str) {
    let snapshot = records.current();
    let id = NodeId::new(node);
    let mut draft = Draft::new();
    draft.upsert(&id, snapshot.ledgers.get(&id), &Ledger { bindings: 1 });
    let bound = Placement::Bound { node: id, at: HandClock::START, address: None, container_addresses: Vec::new() };
    units::place(&mut draft, &snapshot.units[name], bound);
    records.commit(draft).await.unwrap();
}

async fn observe(records: &Records, node: &str, name: &UnitName, observed: &Observed) -> bool {
    let uid = records.current().units[name].uid.clone();
    units::observe(records, &NodeId::new(node), &uid, observed).await.unwrap()
}

#[tokio::test]
async fn units_of_one_spec_share_its_record() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let (wish, other) = (Wish::default(), Wish { cpu: 7, ..Wish::default() });
    let mut intake = Intake::new();
    for (wish, id) in [(&wish, "a"), (&wish, "b"), (&other, "c")] {
        intake.admit(&wish.unit(id, HandClock::START), &wish.spec());
    }
    records.commit(intake.into_draft()).await.unwrap();
    let hash = units::spec_hash(&wish.spec());
    assert_eq!(records.current().specs[&hash].version, 1, "it was written once");
    admit(records, &wish, "d").await;
    let snapshot = records.current();
    assert_eq!((snapshot.units.len(), snapshot.specs.len()), (4, 2));
    assert_eq!(snapshot.spec_uses(&hash), 3);
}

#[tokio::test]
async fn a_unit_is_not_admitted_twice() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let wish = Wish::default();
    admit(records, &wish, "a").await;
    let mut intake = Intake::new();
    intake.admit(&wish.unit("a", HandClock::START), &wish.spec());
    assert!(matches!(records.commit(intake.into_draft()).await, Err(CommitError::Conflict)));
}

#[tokio::test]
async fn a_unit_has_its_spec_whether_that_is_collected_before_or_after_its_admission() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let wish = Wish::default();
    let hash = units::spec_hash(&wish.spec());
    admit(records, &wish, "a").await;
    let mut draft = Draft::new();
    let name = task_name("default", "a");
    units::forget(&mut draft, &name, records.current().units[&name].revision);
    records.commit(draft).await.unwrap();

    let unnamed = records.current();
    let collect = || {
        let mut draft = Draft::new();
        draft.delete(&hash, &unnamed.specs[&hash]);
        draft
    };
    admit(records, &wish, "b").await;
    assert!(matches!(records.commit(collect()).await, Err(CommitError::Conflict)), "it is named again meanwhile");

    let mut intake = Intake::new();
    intake.admit(&wish.unit("c", HandClock::START), &wish.spec());
    let mut both = Draft::new();
    let name = task_name("default", "b");
    units::forget(&mut both, &name, records.current().units[&name].revision);
    both.delete(&hash, &records.current().specs[&hash]);
    records.commit(both).await.unwrap();
    records.commit(intake.into_draft()).await.unwrap();
    assert_eq!(records.current().spec_uses(&hash), 1);
    assert!(records.current().specs.contains_key(&hash), "it was collected just before");
}

#[tokio::test]
async fn wishes_to_stop_merge_towards_stopping_sooner() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    let (first, second) = tokio::join!(
        units::stop(records, &name, stop_wish("first", Some(30))),
        units::stop(records, &name, stop_wish("second", Some(5)))
    );
    first.unwrap();
    second.unwrap();
    let stop = stored(records, &name).intent.stop.unwrap();
    assert_eq!((stop.reason.as_str(), stop.grace_s), ("first", Some(5)));

    let before = records.current().revision;
    let unit = units::stop(records, &name, stop_wish("third", Some(60))).await.unwrap().unwrap();
    assert_eq!(unit.intent.stop, Some(stop));
    assert_eq!(records.current().revision, before, "what changes nothing is not written");
}

#[tokio::test]
async fn only_a_unit_that_is_there_and_has_not_stopped_is_asked_to_stop() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let nobody = units::stop(records, &task_name("default", "x"), stop_wish("why", None)).await.unwrap();
    assert_eq!(nobody, None);
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    observe(records, "n1", &name, &stopped("exit")).await;
    let unit = units::stop(records, &name, stop_wish("late", None)).await.unwrap().unwrap();
    assert_eq!(unit.intent.stop, None);
}

#[tokio::test]
async fn an_observation_never_goes_back_and_the_first_word_of_the_end_stays() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    for (told, expected) in [
        (at(Lifecycle::Running), Lifecycle::Running),
        (at(Lifecycle::Preparing), Lifecycle::Running),
        (at(Lifecycle::Stopping), Lifecycle::Stopping),
        (at(Lifecycle::Running), Lifecycle::Stopping),
        (stopped("exit 3"), Lifecycle::Stopped),
        (stopped("the machine was restarted"), Lifecycle::Stopped),
        (at(Lifecycle::Accepted), Lifecycle::Stopped),
    ] {
        assert!(observe(records, "n1", &name, &told).await, "it is that node's, written or not");
        assert_eq!(stored(records, &name).observed.lifecycle, expected);
    }
    assert_eq!(stored(records, &name).observed, stopped("exit 3"));
}

#[tokio::test]
async fn a_node_speaks_only_for_its_own_units() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    assert!(!observe(records, "n1", &name, &at(Lifecycle::Running)).await, "it has no node");
    bind(records, &name, "n1").await;
    assert!(!observe(records, "n2", &name, &at(Lifecycle::Running)).await, "it has another node");
    assert_eq!(stored(records, &name).observed.lifecycle, Lifecycle::Accepted);
    let nobody = units::observe(records, &NodeId::new("n1"), &UnitUid::new("x"), &at(Lifecycle::Running)).await;
    assert!(!nobody.unwrap(), "there is no such unit");
}

#[tokio::test]
async fn an_observation_that_changes_nothing_is_not_written() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    observe(records, "n1", &name, &at(Lifecycle::Running)).await;
    let before = records.current().revision;
    observe(records, "n1", &name, &at(Lifecycle::Running)).await;
    assert_eq!(records.current().revision, before);
}

#[tokio::test]
async fn writers_of_different_groups_do_not_undo_each_other() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    let uid = stored(records, &name).uid;
    let node = NodeId::new("n1");
    let (running, preparing) = (at(Lifecycle::Running), at(Lifecycle::Preparing));
    let (stop, first, second) = tokio::join!(
        units::stop(records, &name, stop_wish("enough", None)),
        units::observe(records, &node, &uid, &preparing),
        units::observe(records, &node, &uid, &running),
    );
    stop.unwrap();
    assert!(first.unwrap() && second.unwrap());
    let unit = stored(records, &name);
    assert_eq!(unit.observed.lifecycle, Lifecycle::Running);
    assert_eq!(unit.intent.stop.unwrap().reason, "enough");
    assert_eq!(unit.placement.node(), Some(&node));
}

#[tokio::test]
async fn a_placement_and_a_face_are_decided_on_what_was_seen() {
    let (opened, _) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    let stale = records.current().units[&name].clone();
    units::stop(records, &name, stop_wish("enough", None)).await.unwrap();
    let mut placing = Draft::new();
    let bound = Placement::Bound {
        node: NodeId::new("n1"),
        at: HandClock::START,
        address: None,
        container_addresses: Vec::new(),
    };
    units::place(&mut placing, &stale, bound);
    assert!(matches!(records.commit(placing).await, Err(CommitError::Conflict)), "it was asked to stop meanwhile");
    let mut naming = Draft::new();
    units::set_face(&mut naming, &stale, stale.face.clone());
    assert!(matches!(records.commit(naming).await, Err(CommitError::Conflict)));
    let mut forgetting = Draft::new();
    units::forget(&mut forgetting, &name, stale.revision);
    assert!(matches!(records.commit(forgetting).await, Err(CommitError::Conflict)));
    assert_eq!(stored(records, &name).placement, Placement::Pending);
}

#[tokio::test]
async fn a_store_that_fails_is_told_to_whoever_observes() {
    let (opened, store) = empty().await;
    let records = &opened.records;
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    store.fail_next(1, Fault::NoSpace);
    let uid = stored(records, &name).uid;
    let failed = units::observe(records, &NodeId::new("n1"), &uid, &at(Lifecycle::Running)).await;
    assert!(matches!(failed, Err(CommitError::Store(StoreError::NoSpace { .. }))));
    assert_eq!(stored(records, &name).observed.lifecycle, Lifecycle::Accepted);
}
