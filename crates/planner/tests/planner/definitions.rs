//! When a task definition that is to be deleted may leave: after all tasks and services that need it.

use crate::world::{World, at, cluster, scope, task, wish};
use model::ecs::service::{Rollout, SetRole, SlotSet};
use model::ecs::{
    Deployment, DeploymentState, Service, ServiceRevision, ServiceState, TaskDefinitionStatus::*, TaskSet,
};
use model::unit::Lifecycle;
use model::{ServiceId, TaskDefinitionId};
use planner::gc::{Record, Retention, next_due, plan};
use serde_json::json;
use std::sync::Arc;

/// Revisions of `app` that may go now.
fn may_go(world: &World) -> Vec<u32> {
    let (retention, now) = (Retention::default(), at(0));
    let definition = |record| match record {
        Record::TaskDefinition(id) => Some(id.revision),
        _ => None,
    };
    let found: Vec<u32> =
        plan(&world.snapshot, now, &retention).into_iter().filter_map(|d| definition(d.record)).collect();
    let due = next_due(&world.snapshot, now, &retention);
    assert!(found.is_empty() || due == Some(now), "what may go is due");
    found
}

fn service_id() -> ServiceId {
    ServiceId { cluster: cluster("default"), name: "web".into() }
}

/// A service of which nothing has been deployed yet, and `app:1` to be deleted, its revision `1`.
fn with_service() -> World {
    let mut world = World::new();
    let definition = world.definition(1, DeleteInProgress);
    let service: Service = serde_json::from_value(json!({
        "id": service_id(), "uid": "now", "created_at": at(0), "created_by": "root", "controller": "ECS",
        "scheduling": "REPLICA", "desired_count": 1, "configuration": rolling(), "deployment": "d1",
    }))
    .unwrap();
    let stored = world.versioned(service);
    world.snapshot.services.insert(service_id(), stored);
    revision(&mut world, definition);
    world
}

fn rolling() -> serde_json::Value {
    json!({"strategy": {"kind": "ROLLING"}, "maximum_percent": 200, "minimum_healthy_percent": 100})
}

fn revision(world: &mut World, definition: TaskDefinitionId) {
    let number: Arc<str> = definition.revision.to_string().into();
    let revision: ServiceRevision = serde_json::from_value(json!({
        "service": service_id(), "number": number, "service_uid": "now", "created_at": at(0),
        "task_definition": definition, "launch_type": "EC2",
    }))
    .unwrap();
    let stored = world.versioned(revision);
    world.snapshot.service_revisions.insert((service_id(), number), stored);
}

/// Deployment `d1`, which the service names, to its revision `1`.
fn deployment(world: &mut World, status: &str) {
    let key = (service_id(), Arc::from("d1"));
    let deployment: Deployment = serde_json::from_value(json!({
        "service": service_id(), "id": "d1", "service_uid": "now", "created_at": at(0), "set": "ecs-svc/1", "target": "1",
        "configuration": rolling(),
    }))
    .unwrap();
    let stored = world.versioned(deployment);
    world.snapshot.deployments.insert(key.clone(), stored);
    let state: DeploymentState = serde_json::from_value(json!({
        "status": status, "stage": "SCALE_UP", "stage_since": at(0), "updated_at": at(0), "set": "ecs-svc/1",
    }))
    .unwrap();
    let stored = world.versioned(state);
    world.snapshot.deployment_states.insert(key, stored);
}

fn state(world: &mut World, change: impl FnOnce(&mut ServiceState)) {
    let mut state = ServiceState { service_uid: "now".into(), ..ServiceState::default() };
    change(&mut state);
    let stored = world.versioned(state);
    world.snapshot.service_states.insert(service_id(), stored);
}

fn set_of(revision: &str, role: SetRole) -> SlotSet {
    SlotSet {
        id: format!("ecs-svc/{revision}").into(),
        revision: revision.into(),
        role,
        rollout: Rollout::InProgress,
        rollout_reason: None,
        desired: 1,
        failed_tasks: 0,
        healthy: 0,
        created_at: at(0),
        updated_at: at(0),
    }
}

#[test]
fn only_what_clients_have_deleted_goes() {
    let mut world = World::new();
    world.definition(1, Active);
    world.definition(2, Inactive);
    world.definition(3, DeleteInProgress);
    assert_eq!(may_go(&world), [3]);
}

#[test]
fn a_definition_stays_until_its_last_task_is_over() {
    let mut world = World::new();
    world.definition(1, DeleteInProgress);
    world.runs("t1", "n1", wish()).runs("t2", "n1", wish());
    let stop = |world: &mut World, id| {
        world.change(&task("default", id), |unit| unit.observed.lifecycle = Lifecycle::Stopped);
    };
    stop(&mut world, "t1");
    assert_eq!(may_go(&world), [0; 0]);
    stop(&mut world, "t2");
    assert_eq!(may_go(&world), [1], "although the stopped tasks stay describable");
}

#[test]
fn a_task_that_still_waits_for_room_counts_until_it_is_to_stop() {
    let mut world = World::new();
    world.definition(1, DeleteInProgress);
    world.awaits("t1", wish().patient());
    assert_eq!(may_go(&world), [0; 0]);
    world.stop_wish(&task("default", "t1"), at(0));
    assert_eq!(may_go(&world), [1]);
}

#[test]
fn a_task_of_another_revision_does_not_count() {
    let mut world = World::new();
    world.runs("t1", "n1", wish());
    world.definition(2, DeleteInProgress);
    assert_eq!(may_go(&world), [2], "of {:?}", scope());
}

#[test]
fn a_service_needs_what_it_is_being_brought_to_and_not_what_a_deployment_that_has_ended_was_for() {
    let mut world = with_service();
    deployment(&mut world, "IN_PROGRESS");
    assert_eq!(may_go(&world), [0; 0]);
    deployment(&mut world, "ROLLBACK_SUCCESSFUL");
    assert_eq!(may_go(&world), [1]);
}

#[test]
fn a_service_without_tasks_needs_what_it_would_start_or_go_back_to() {
    let mut world = with_service();
    for role in [SetRole::Primary, SetRole::Active] {
        state(&mut world, |state| state.sets.push(set_of("1", role)));
        assert_eq!(may_go(&world), [0; 0], "{role:?}");
    }
    state(&mut world, |state| state.completed = Some("1".into()));
    assert_eq!(may_go(&world), [0; 0]);
    state(&mut world, |state| (state.sets, state.completed) = (vec![set_of("2", SetRole::Primary)], Some("2".into())));
    assert_eq!(may_go(&world), [1], "it has gone on to another revision");
}

#[test]
fn a_task_set_needs_its_definition() {
    let mut world = with_service();
    let set: TaskSet = serde_json::from_value(json!({
        "service": service_id(), "id": "ecs-svc/1", "service_uid": "now", "revision": "1", "created_at": at(0),
        "updated_at": at(0), "scale_bp": 0,
    }))
    .unwrap();
    let stored = world.versioned(set);
    world.snapshot.task_sets.insert((service_id(), "ecs-svc/1".into()), stored);
    assert_eq!(may_go(&world), [0; 0]);
    world.snapshot.task_sets.clear();
    assert_eq!(may_go(&world), [1]);
}

#[test]
fn a_service_that_has_ended_needs_nothing_and_a_former_one_of_its_name_says_nothing() {
    let mut world = with_service();
    deployment(&mut world, "IN_PROGRESS");
    let ended = |state: &mut ServiceState| {
        (state.sets, state.inactive_since) = (vec![set_of("1", SetRole::Primary)], Some(at(0)));
    };
    state(&mut world, |state| {
        ended(state);
        state.service_uid = "before".into();
    });
    assert_eq!(may_go(&world), [0; 0]);
    state(&mut world, ended);
    assert_eq!(may_go(&world), [1]);
}
