//! When the loop takes a turn, and when it does not.

use crate::{begin, register, settle};
use controllers::{Controller, run};
use model::{Snapshot, Timestamp};
use records::{CommitError, Draft, Records, Wake};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::StoreError;
use test_support::{Fault, HandClock, cluster, cluster_id};
use tokio::task::JoinSet;
use tokio::time::Instant;

type Outcome = Result<Option<Timestamp>, CommitError>;

/// A controller of nodes that notes its turns and answers as it was told.
#[derive(Clone, Default)]
struct Noting {
    turns: Arc<Mutex<Vec<(Instant, u64)>>>,
    answers: Arc<Mutex<VecDeque<Outcome>>>,
}

impl Noting {
    fn answering(answers: impl IntoIterator<Item = Outcome>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn turns(&self) -> usize {
        self.turns.lock().unwrap().len()
    }

    /// Milliseconds between one turn and the next.
    fn waits(&self) -> Vec<u128> {
        let turns = self.turns.lock().unwrap();
        turns.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).collect()
    }
}

impl Controller for Noting {
    const NAME: &'static str = "noting";

    fn concerned(&mut self, wake: &Wake) -> bool {
        !matches!(wake, Wake::Touched(touched) if touched.nodes.is_empty())
    }

    async fn turn(&mut self, snapshot: Arc<Snapshot>, _: &Records) -> Outcome {
        self.turns.lock().unwrap().push((Instant::now(), snapshot.revision));
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(None))
    }
}

fn start(controller: impl Controller + Sync + 'static, records: &Records) -> JoinSet<()> {
    let mut running = JoinSet::new();
    running.spawn(run(controller, records.clone()));
    running
}

async fn touch_cluster(records: &Records) {
    let id = cluster_id("default");
    let seen = records.current().clusters[&id].clone();
    let mut draft = Draft::new();
    draft.update(&id, &seen, &cluster("default"));
    records.commit(draft).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_looks_once_at_the_start_and_then_when_something_concerns_it() {
    let (opened, _) = begin().await;
    let noting = Noting::default();
    let _running = start(noting.clone(), &opened.records);
    settle().await;
    assert_eq!(noting.turns(), 1);
    touch_cluster(&opened.records).await;
    settle().await;
    assert_eq!(noting.turns(), 1, "clusters do not concern it");
    register(&opened.records, "n1", 1024).await;
    settle().await;
    assert_eq!(noting.turns(), 2);
    let (_, revision) = noting.turns.lock().unwrap()[1];
    assert_eq!(revision, opened.records.current().revision, "it sees what woke it");
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_one_turn() {
    let (opened, _) = begin().await;
    let noting = Noting::default();
    for n in 0..20 {
        register(&opened.records, &format!("n{n}"), 1024).await;
    }
    let _running = start(noting.clone(), &opened.records);
    settle().await;
    assert_eq!(noting.turns(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_conflicts_is_taken_again_at_once() {
    let (opened, _) = begin().await;
    let noting = Noting::answering((0..50).map(|_| Err(CommitError::Conflict)));
    let _running = start(noting.clone(), &opened.records);
    settle().await;
    assert_eq!(noting.turns(), 51);
    assert!(noting.waits().iter().all(|wait| *wait == 0));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_always_conflicts_backs_off() {
    let (opened, _) = begin().await;
    let noting = Noting::answering((0..150).map(|_| Err(CommitError::Conflict)));
    let _running = start(noting.clone(), &opened.records);
    settle().await;
    assert_eq!(noting.turns(), 101, "a hundred may conflict, the next one waits");
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(noting.turns(), 151);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_fails_is_taken_again_later_and_later() {
    let (opened, _) = begin().await;
    let full = || Err(CommitError::Store(StoreError::NoSpace { cause: "full".into() }));
    let answers = (0..10).map(|_| full()).chain([Ok(None), full()]);
    let noting = Noting::answering(answers);
    let _running = start(noting.clone(), &opened.records);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(noting.turns(), 11);
    register(&opened.records, "n1", 1024).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let waits = noting.waits();
    // A paused runtime's timers go in whole milliseconds, rounded up.
    let about: Vec<u128> = waits.iter().map(|wait| wait / 50 * 50).collect();
    assert_eq!(about[..10], [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    assert_eq!(about[11], 50, "a turn that went well begins anew");
}

#[tokio::test(start_paused = true)]
async fn it_looks_again_when_its_time_has_come_although_nothing_has_changed() {
    let (opened, _) = begin().await;
    let start_at = opened.records.now();
    let noting = Noting::answering([Ok(Some(start_at.saturating_add_ms(5_000))), Ok(Some(HandClock::START)), Ok(None)]);
    let _running = start(noting.clone(), &opened.records);
    tokio::time::sleep(Duration::from_millis(4_990)).await;
    assert_eq!(noting.turns(), 1);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(noting.turns(), 3, "at its time, and at once where that has passed");
    tokio::time::sleep(Duration::from_secs(1_000_000)).await;
    assert_eq!(noting.turns(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_concern_it_does_not_move_its_time() {
    let (opened, _) = begin().await;
    let due = opened.records.now().saturating_add_ms(1_000);
    let noting = Noting::answering([Ok(Some(due))]);
    let _running = start(noting.clone(), &opened.records);
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        touch_cluster(&opened.records).await;
    }
    assert_eq!(noting.turns(), 1);
    tokio::time::sleep(Duration::from_millis(110)).await;
    assert_eq!(noting.turns(), 2);
}

/// Commits one cluster for each turn that does not see it yet.
#[derive(Clone, Default)]
struct Writing(Noting);

impl Controller for Writing {
    const NAME: &'static str = "writing";

    fn concerned(&mut self, _: &Wake) -> bool {
        false
    }

    async fn turn(&mut self, snapshot: Arc<Snapshot>, records: &Records) -> Outcome {
        self.0.turn(snapshot.clone(), records).await?;
        let mut draft = Draft::new();
        let id = cluster_id(&format!("made at {}", snapshot.revision));
        draft.create(&id, &cluster("made"));
        records.commit(draft).await?;
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_commit_without_an_answer_it_plans_on_nothing_older_than_that_commit() {
    let (opened, store) = begin().await;
    let before = opened.records.current().revision;
    store.fail_next(1, Fault::Unanswered);
    store.hold_watches(true);
    let writing = Writing::default();
    let _running = start(writing.clone(), &opened.records);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(writing.0.turns(), 1, "what it may have done is not seen yet");
    store.hold_watches(false);
    settle().await;
    let (_, planned_on) = writing.0.turns.lock().unwrap()[1];
    assert_eq!(planned_on, before + 1);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_records_are_followed_no_more() {
    let (opened, _) = begin().await;
    let mut running = start(Noting::default(), &opened.records);
    settle().await;
    drop(opened);
    tokio::time::timeout(Duration::from_secs(1), running.join_next()).await.unwrap().unwrap().unwrap();
}
