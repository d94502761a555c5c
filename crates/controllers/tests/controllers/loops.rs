//! The placer and the collector, run by the harness, end to end.

use crate::{admit, begin, node_of, observe, register, settle};
use controllers::{Collector, Placer, Retention, run};
use model::ecs::deployment::{DeploymentConfiguration, DeploymentStrategy};
use model::ecs::service::{Controller, SchedulingStrategy, Service, ServiceEvent, ServiceState};
use model::unit::placement::Shortage;
use model::unit::{Lifecycle, Observed, Placement};
use model::{NodeId, ServiceId, Timestamp};
use records::{Draft, Records, units};
use std::collections::BTreeMap;
use std::time::Duration;
use test_support::{Fault, HandClock, Wish, stop_wish};
use tokio::task::JoinSet;

const RETENTION: Retention = Retention {
    stopped_units_ms: 60_000,
    client_tokens_ms: 60_000,
    inactive_clusters_ms: 60_000,
    inactive_services_ms: 60_000,
    service_events_ms: 60_000,
    deployments_ms: 60_000,
    deleted_providers_ms: 60_000,
};

fn place(records: &Records) -> JoinSet<()> {
    let mut running = JoinSet::new();
    running.spawn(run(Placer::new(1), records.clone()));
    running
}

fn collect(records: &Records) -> JoinSet<()> {
    let mut running = JoinSet::new();
    running.spawn(run(Collector::new(RETENTION), records.clone()));
    running
}

fn patient() -> Wish {
    Wish { wait_for_room: true, ..Wish::default() }
}

#[tokio::test(start_paused = true)]
async fn more_units_than_one_commit_holds_are_all_bound_and_counted() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    for n in ["n1", "n2", "n3"] {
        register(records, n, 128 * 60).await;
    }
    for n in 0..150 {
        admit(records, &Wish { memory_mib: 1, ..Wish::default() }, &format!("t{n:03}")).await;
    }
    let before = records.current().revision;
    let _running = place(records);
    settle().await;
    let snapshot = records.current();
    assert_eq!(snapshot.revision - before, 2, "two commits");
    assert_eq!(snapshot.awaiting_placement().count(), 0);
    let mut of_node: BTreeMap<NodeId, u64> = BTreeMap::new();
    for unit in snapshot.units.values() {
        *of_node.entry(unit.placement.node().unwrap().clone()).or_default() += 1;
    }
    assert_eq!(of_node.values().sum::<u64>(), 150);
    for (node, units) in of_node {
        assert_eq!(u64::from(snapshot.node_use(&node).units), units);
        assert!((1..=2).contains(&snapshot.ledgers[&node].bindings), "raised once by each commit that binds to it");
    }
    assert_eq!(model::invariants::check(&snapshot), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn units_that_are_large_are_bound_in_smaller_commits() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    register(records, "n1", 128 * 60).await;
    for n in 0..40 {
        let mut wish = Wish { memory_mib: 1, ..Wish::default() };
        wish.group = format!("{n}{}", "x".repeat(50 << 10));
        admit(records, &wish, &format!("t{n:02}")).await;
    }
    let _running = place(records);
    settle().await;
    assert_eq!(records.current().awaiting_placement().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_unit_without_room_is_refused_or_waits_as_it_wishes() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    register(records, "n1", 128).await;
    let _running = place(records);
    let first = admit(records, &patient(), "a").await;
    settle().await;
    let hasty = admit(records, &Wish::default(), "b").await;
    let patient = admit(records, &patient(), "c").await;
    settle().await;
    let snapshot = records.current();
    assert_eq!(node_of(&snapshot, &first).as_deref(), Some("n1"));
    let Placement::Refused(refusal) = &snapshot.units[&hasty].placement else { panic!("it was not refused") };
    assert_eq!(refusal.main, Shortage::Cpu);
    assert_eq!(snapshot.units[&patient].placement, Placement::Pending);

    observe(records, &first, Observed { lifecycle: Lifecycle::Stopped, ..Default::default() }).await;
    settle().await;
    assert_eq!(node_of(&records.current(), &patient).as_deref(), Some("n1"), "a stopped unit made room");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_waits_gets_a_node_that_joins_and_one_that_is_to_stop_gets_none() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let _running = place(records);
    let (waits, stopped) = (admit(records, &patient(), "a").await, admit(records, &patient(), "b").await);
    settle().await;
    units::stop(records, &stopped, stop_wish("enough", None)).await.unwrap();
    register(records, "n1", 1024).await;
    settle().await;
    assert_eq!(node_of(&records.current(), &waits).as_deref(), Some("n1"));
    assert_eq!(node_of(&records.current(), &stopped), None);
}

#[tokio::test(start_paused = true)]
async fn a_commit_without_an_answer_binds_nothing_twice() {
    for fault in [Fault::Unanswered, Fault::Lost, Fault::NoSpace] {
        let (opened, store) = begin().await;
        let records = &opened.records;
        register(records, "n1", 1024).await;
        for n in 0..4 {
            admit(records, &patient(), &format!("t{n}")).await;
        }
        store.fail_next(2, fault);
        let _running = place(records);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let snapshot = records.current();
        assert_eq!(snapshot.awaiting_placement().count(), 0);
        assert!(snapshot.units.values().all(|unit| unit.version == 2), "created and bound, {fault:?}");
        assert_eq!(snapshot.ledgers[&NodeId::new("n1")].bindings, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_goes_at_once_and_with_it_what_only_it_named() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let _running = (place(records), collect(records));
    admit(records, &Wish::default(), "a").await;
    settle().await;
    let snapshot = records.current();
    assert!(snapshot.units.is_empty() && snapshot.specs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_unit_goes_when_its_time_has_come_and_not_before() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    register(records, "n1", 1024).await;
    let _running = (place(records), collect(records));
    let (stops, stays) = (admit(records, &patient(), "a").await, admit(records, &patient(), "b").await);
    settle().await;
    let stopped_at = Some(records.now());
    observe(records, &stops, Observed { lifecycle: Lifecycle::Stopped, stopped_at, ..Default::default() }).await;
    tokio::time::sleep(Duration::from_millis(59_990)).await;
    assert_eq!(records.current().units.len(), 2);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let snapshot = records.current();
    assert_eq!(snapshot.units.keys().collect::<Vec<_>>(), [&stays]);
    assert_eq!(snapshot.specs.len(), 1, "the other one names it");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_definition_goes_by_itself_when_its_last_task_is_over() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    register(records, "n1", 1024).await;
    let _running = (place(records), collect(records));
    let task = admit(records, &patient(), "a").await;
    settle().await;
    let definition = test_support::deleted_definition(1);
    let mut draft = Draft::new();
    draft.create(&definition.id, &definition);
    records.commit(draft).await.unwrap();
    settle().await;
    assert_eq!(records.current().task_definitions.len(), 1);
    observe(records, &task, Observed { lifecycle: Lifecycle::Stopped, ..Default::default() }).await;
    settle().await;
    let snapshot = records.current();
    assert!(snapshot.task_definitions.is_empty());
    assert_eq!(snapshot.units.len(), 1, "the stopped task stays describable");
}

#[tokio::test(start_paused = true)]
async fn more_than_one_commit_deletes_all_goes_in_several() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    for n in 0..250 {
        let wish = Wish { cpu: n, ..Wish::default() };
        let name = admit(records, &wish, &format!("t{n}")).await;
        units::stop(records, &name, stop_wish("before it had a node", None)).await.unwrap();
    }
    let _running = collect(records);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(records.current().units.is_empty() && records.current().specs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_collector_after_a_failure_deletes_only_what_is_still_due() {
    let (opened, store) = begin().await;
    let records = &opened.records;
    let name = admit(records, &patient(), "a").await;
    let wish = model::unit::StopIntent { requested_at: Timestamp::default(), ..stop_wish("long ago", None) };
    units::stop(records, &name, wish).await.unwrap();
    store.fail_next(3, Fault::NoSpace);
    let _running = collect(records);
    settle().await;
    let mut draft = Draft::new();
    let id = (test_support::cluster_id("default"), "token".into());
    let token = model::ecs::ClientToken {
        token: "token".into(),
        parameters: "p".into(),
        tasks: Vec::new(),
        created_at: HandClock::START,
    };
    draft.create(&id, &token);
    while records.commit(draft).await.is_err() {
        draft = Draft::new();
        draft.create(&id, &token);
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let snapshot = records.current();
    assert!(snapshot.units.is_empty());
    assert_eq!(snapshot.client_tokens.len(), 1, "it is good for a minute");
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(records.current().client_tokens.is_empty());
}

/// A deleted service whose last task has stopped now, with as many events.
async fn inactive_service(records: &Records, events: u64) -> ServiceId {
    let id = ServiceId { cluster: test_support::cluster_id("default"), name: "web".into() };
    let now = records.now();
    let configuration = DeploymentConfiguration {
        strategy: DeploymentStrategy::Rolling,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        breaker: None,
        alarms: None,
        bake_minutes: None,
        hooks: Vec::new(),
        early_success: None,
    };
    let service = Service {
        id: id.clone(),
        uid: "uid".into(),
        created_at: now,
        created_by: "root".into(),
        controller: Controller::Ecs,
        scheduling: SchedulingStrategy::Replica,
        desired_count: 0,
        configuration,
        constraints: Vec::new(),
        strategy: Vec::new(),
        health_check_grace_s: None,
        propagate_tags: None,
        enable_managed_tags: false,
        enable_execute_command: false,
        zone_rebalancing: false,
        tags: Default::default(),
        role: None,
        deployment: None,
        primary_task_set: None,
        client_token: None,
        deleted_at: Some(now),
    };
    let state = ServiceState { service_uid: "uid".into(), inactive_since: Some(now), ..Default::default() };
    let mut draft = Draft::new();
    draft.create(&id, &service).create(&id, &state);
    records.commit(draft).await.unwrap();
    for place in 0..events {
        let event = ServiceEvent { service_uid: "uid".into(), id: "e".into(), at: now, message: "it did".into() };
        let mut draft = Draft::new();
        draft.create(&(id.clone(), place), &event);
        records.commit(draft).await.unwrap();
    }
    id
}

#[tokio::test(start_paused = true)]
async fn an_inactive_service_goes_when_its_time_has_come_however_many_events_it_has() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    let _running = collect(records);
    let service = inactive_service(records, 250).await;
    tokio::time::sleep(Duration::from_millis(59_990)).await;
    assert_eq!(records.current().service_events.len(), 250);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let snapshot = records.current();
    assert!(snapshot.service_events.is_empty() && snapshot.service_states.is_empty());
    assert!(!snapshot.services.contains_key(&service));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_starts_late_finds_what_is_due_of_every_service() {
    let (opened, _) = begin().await;
    let records = &opened.records;
    inactive_service(records, 3).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let _running = collect(records);
    settle().await;
    let snapshot = records.current();
    assert!(snapshot.services.is_empty() && snapshot.service_events.is_empty() && snapshot.service_states.is_empty());
}
