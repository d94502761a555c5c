//! What the desk stores of its nodes, and what it tells them.

use crate::{admit, begin, bind, observe, register, settle};
use controllers::{LogSink, NodeDesk};
use futures_util::future::BoxFuture;
use model::unit::{Lifecycle, Observed};
use model::{NodeId, Timestamp, UnitUid};
use records::{Draft, Records, units};
use session::server::Desk;
use session::{Desired, LogBatch, NodeRegistration, ObservedUpdate};
use std::sync::Arc;
use std::time::Duration;
use test_support::{Fault, Wish, cluster, cluster_id, node, stop_wish};
use tokio::sync::mpsc;

/// Refuses every batch by its stream's name.
struct NoLogs;

impl LogSink for NoLogs {
    fn take(&self, batch: LogBatch) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move { Err(format!("no stream {}", batch.stream)) })
    }
}

fn desk(records: &Records) -> Arc<NodeDesk> {
    NodeDesk::new(records.clone(), Arc::new(NoLogs), 7)
}

fn registration(id: &str) -> NodeRegistration {
    NodeRegistration {
        node: model::Node { connected: false, registered_at: Timestamp::default(), ..node(id, 1024, 1024) },
        keeps: Vec::new(),
    }
}

fn id(node: &str) -> NodeId {
    NodeId::new(node)
}

fn is_connected(records: &Records, node: &str) -> bool {
    records.current().nodes[&id(node)].connected
}

/// A step in one line: complete or not, the Units that it assigns, with `!` where they are to stop, and those that are gone.
fn line(step: &Desired) -> String {
    let mut units: Vec<String> = step
        .assignments
        .iter()
        .map(|a| format!("{}{}", a.unit.name.short(), if a.unit.intent.stop.is_some() { "!" } else { "" }))
        .collect();
    units.sort();
    let kind = if step.complete { "all" } else { "more" };
    let gone = step.gone.iter().map(|uid| format!(" -{uid}")).collect::<String>();
    format!("{kind} {}{gone}", units.join(","))
}

/// The steps that have come so far.
async fn told(steps: &mut mpsc::Receiver<Desired>) -> Vec<String> {
    settle().await;
    let mut lines = Vec::new();
    while let Ok(step) = steps.try_recv() {
        assert_eq!(step.epoch, 7);
        lines.push(line(&step));
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_node_is_registered_once_and_keeps_its_first_day() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let desk = desk(records);
    let welcome = desk.join(registration("n1")).await.unwrap();
    assert_eq!((welcome.node, welcome.networks.len()), (id("n1"), 1));
    let first = records.current().nodes[&id("n1")].clone();
    assert!(first.connected);
    assert_eq!(records.current().ledgers[&id("n1")].bindings, 0);

    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = records.current().revision;
    desk.join(registration("n1")).await.unwrap();
    assert_eq!(records.current().revision, before, "what changes nothing is not written");
    desk.join(NodeRegistration {
        node: model::Node { boot_id: "second".into(), ..registration("n1").node },
        keeps: Vec::new(),
    })
    .await
    .unwrap();
    let second = records.current().nodes[&id("n1")].clone();
    assert_eq!((second.registered_at, second.boot_id.as_str()), (first.registered_at, "second"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_left_is_disconnected_until_it_joins_again() {
    let (opened, _) = begin().await;
    let desk = desk(&opened.records);
    desk.join(registration("n1")).await.unwrap();
    desk.left(&id("n1"));
    settle().await;
    assert!(!is_connected(&opened.records, "n1"));
    desk.join(registration("n1")).await.unwrap();
    assert!(is_connected(&opened.records, "n1"));
}

#[tokio::test(start_paused = true)]
async fn a_late_farewell_does_not_undo_a_newer_join() {
    let (opened, _) = begin().await;
    let desk = desk(&opened.records);
    desk.join(registration("n1")).await.unwrap();
    desk.left(&id("n1"));
    desk.join(registration("n1")).await.unwrap();
    settle().await;
    assert!(is_connected(&opened.records, "n1"));
}

#[tokio::test(start_paused = true)]
async fn a_farewell_that_cannot_be_stored_is_tried_again() {
    let (opened, store) = begin().await;
    let desk = desk(&opened.records);
    desk.join(registration("n1")).await.unwrap();
    store.fail_next(3, Fault::NoSpace);
    desk.left(&id("n1"));
    settle().await;
    assert!(is_connected(&opened.records, "n1"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!is_connected(&opened.records, "n1"));
}

#[tokio::test(start_paused = true)]
async fn a_join_that_cannot_be_stored_says_so() {
    let (opened, store) = begin().await;
    store.fail_next(1, Fault::NoSpace);
    let refused = desk(&opened.records).join(registration("n1")).await.unwrap_err();
    assert_eq!(refused, "the store did not take the change");
    assert!(opened.records.current().nodes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_node_is_connected_to_a_server_that_has_just_started() {
    let (opened, _) = begin().await;
    for n in ["n1", "n2"] {
        register(&opened.records, n, 1024).await;
    }
    NodeDesk::forget_connections(&opened.records).await.unwrap();
    assert!(!is_connected(&opened.records, "n1") && !is_connected(&opened.records, "n2"));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_told_everything_first_and_then_what_it_did_not_do_itself() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let desk = desk(records);
    let mut names = Vec::new();
    for unit in ["a", "b", "c", "d"] {
        names.push(admit(records, &Wish::default(), unit).await);
    }
    bind(records, &names[0], "n1").await;
    bind(records, &names[1], "n2").await;
    let mut steps = desk.desired(&id("n1"), Vec::new());
    assert_eq!(told(&mut steps).await, ["all a"]);

    bind(records, &names[2], "n1").await;
    bind(records, &names[3], "n2").await;
    assert_eq!(told(&mut steps).await, ["more c"]);

    observe(records, &names[0], Observed { lifecycle: Lifecycle::Running, ..Default::default() }).await;
    observe(records, &names[1], Observed { lifecycle: Lifecycle::Running, ..Default::default() }).await;
    assert!(told(&mut steps).await.is_empty(), "its own words, and another node's");

    units::stop(records, &names[0], stop_wish("enough", None)).await.unwrap();
    assert_eq!(told(&mut steps).await, ["more a!"]);
    units::stop(records, &names[0], stop_wish("again", Some(3))).await.unwrap();
    assert_eq!(told(&mut steps).await, ["more a!"], "sooner than before");

    observe(records, &names[0], Observed { lifecycle: Lifecycle::Stopped, ..Default::default() }).await;
    assert!(told(&mut steps).await.is_empty());
    let mut draft = Draft::new();
    units::forget(&mut draft, &names[0], records.current().units[&names[0]].revision);
    records.commit(draft).await.unwrap();
    assert_eq!(told(&mut steps).await, ["more  -uid-default-a"]);

    let mut again = desk.desired(&id("n1"), Vec::new());
    assert_eq!(told(&mut again).await, ["all c"], "a reconnect is a re-sync");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_unit_is_in_no_complete_set() {
    let (opened, _) = begin().await;
    let name = admit(&opened.records, &Wish::default(), "a").await;
    bind(&opened.records, &name, "n1").await;
    observe(&opened.records, &name, Observed { lifecycle: Lifecycle::Stopped, ..Default::default() }).await;
    assert_eq!(told(&mut desk(&opened.records).desired(&id("n1"), Vec::new())).await, ["all "]);
}

#[tokio::test(start_paused = true)]
async fn a_node_hears_which_units_that_it_keeps_something_of_were_deleted_while_it_was_away() {
    let (opened, _) = begin().await;
    for unit in ["runs", "stopped"] {
        let name = admit(&opened.records, &Wish::default(), unit).await;
        bind(&opened.records, &name, "n1").await;
        let lifecycle = if unit == "runs" { Lifecycle::Running } else { Lifecycle::Stopped };
        observe(&opened.records, &name, Observed { lifecycle, ..Default::default() }).await;
    }
    let keeps = ["runs", "stopped", "deleted"].map(|unit| UnitUid::new(format!("uid-default-{unit}"))).to_vec();
    let desk = desk(&opened.records);
    let mut steps = desk.desired(&id("n1"), keeps);
    assert_eq!(told(&mut steps).await, ["all runs -uid-default-deleted"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_too_slow_is_told_everything_again_and_nothing_twice() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let desk = desk(records);
    let mut steps = desk.desired(&id("n1"), Vec::new());
    assert_eq!(told(&mut steps).await, ["all "]);
    for n in 0..40 {
        let name = admit(records, &Wish::default(), &format!("early{n}")).await;
        bind(records, &name, "n1").await;
    }
    let busy = cluster_id("default");
    for n in 0..5000 {
        let mut next = cluster("default");
        next.tags.insert("n".into(), n.to_string());
        let mut draft = Draft::new();
        draft.update(&busy, &records.current().clusters[&busy], &next);
        records.commit(draft).await.unwrap();
    }
    let late = admit(records, &Wish::default(), "late").await;
    bind(records, &late, "n1").await;

    let mut lines = Vec::new();
    loop {
        let more = told(&mut steps).await;
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    let all = lines.iter().position(|line| line.starts_with("all ")).unwrap();
    assert_eq!(lines[all].matches("early").count(), 40);
    assert_eq!(lines[all + 1..], [] as [String; 0], "the complete set tells of everything until then");
    units::stop(records, &late, stop_wish("enough", None)).await.unwrap();
    assert_eq!(told(&mut steps).await, ["more late!"]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_ends_with_its_session() {
    let (opened, _) = begin().await;
    let desk = desk(&opened.records);
    let mut steps = desk.desired(&id("n1"), Vec::new());
    assert_eq!(told(&mut steps).await, ["all "]);
    drop(steps);
    settle().await;
    assert_eq!(Arc::strong_count(&desk), 1);
}

#[tokio::test(start_paused = true)]
async fn observations_are_stored_dropped_or_refused_with_words() {
    let (opened, store) = begin().await;
    let records = &opened.records;
    let desk = desk(records);
    let name = admit(records, &Wish::default(), "a").await;
    bind(records, &name, "n1").await;
    let uid = records.current().units[&name].uid.clone();
    let running = Observed { lifecycle: Lifecycle::Running, ..Default::default() };

    let nobody = ObservedUpdate::new(&UnitUid::new("x"), 1, &running);
    desk.observe(&id("n1"), nobody).await.unwrap();
    desk.observe(&id("n2"), ObservedUpdate::new(&uid, 1, &running)).await.unwrap();
    assert_eq!(records.current().units[&name].observed.lifecycle, Lifecycle::Accepted);

    let junk = ObservedUpdate { document: b"junk".to_vec(), ..ObservedUpdate::new(&uid, 1, &running) };
    assert!(desk.observe(&id("n1"), junk).await.is_err());
    store.fail_next(1, Fault::NoSpace);
    let update = || ObservedUpdate::new(&uid, 2, &running);
    assert_eq!(desk.observe(&id("n1"), update()).await.unwrap_err(), "the store did not take the change");
    desk.observe(&id("n1"), update()).await.unwrap();
    assert_eq!(records.current().units[&name].observed.lifecycle, Lifecycle::Running);

    let batch = LogBatch { stream: "s".into(), ..LogBatch::default() };
    assert_eq!(desk.logs(&id("n1"), batch).await.unwrap_err(), "no stream s");
}
