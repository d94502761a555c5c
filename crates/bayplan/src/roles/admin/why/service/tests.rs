//! What is said of a service, by what stands in its way.

use super::super::super::testing::{NEW, OLD, World, at, bound, exited, running, web};
use super::*;
use model::NodeId;
use model::ecs::deployment::{Hook, HookState, HookStatus, Stage};
use model::unit::placement::Shortage;
use std::sync::Arc;

fn explained(world: &World) -> Explanation {
    explain(&Seen::of(&world.snapshot, &world.snapshot.services[&web()], at(3)))
}

/// Cause and next step.
fn why(world: &World) -> (String, String) {
    let Explanation { what, next, .. } = explained(world);
    (what, next)
}

fn steady() -> World {
    let mut world = World::begun();
    world.progress(|progress| progress.status = DeploymentStatus::Successful);
    world.state(|state| {
        state.sets.pop();
        state.sets[0].healthy = 2;
    });
    world.task("a", NEW, running);
    world.task("b", NEW, running);
    world
}

#[test]
fn a_steady_service_says_so() {
    let (what, next) = why(&steady());
    assert_eq!((what.as_str(), next.as_str()), ("It is steady: 2 of 2 tasks of hello:2 are healthy.", "bayplan ps"));
}

#[test]
fn a_service_that_is_to_have_no_task_is_no_riddle() {
    let mut world = steady();
    world.state(|state| state.sets[0].desired = 0);
    assert_eq!(why(&world).0, "It is to have no task.");
}

#[test]
fn a_task_that_has_gone_is_missed() {
    let mut world = steady();
    world.task("a", NEW, exited(3));
    let (what, next) = why(&world);
    assert_eq!(what, "It is getting back to what it is to have: 1 of 2 tasks of hello:2 are healthy.");
    assert!(next.contains("exit code 3"), "{next}");
}

#[test]
fn a_deployment_under_way_says_how_far_it_is() {
    let mut world = World::begun();
    world.progress(|progress| progress.failures = 1);
    world.task("a", NEW, bound);
    let (what, next) = why(&world);
    assert_eq!(what, "Its deployment of hello:2 is at SCALE_UP: 0 of 2 tasks are healthy; one task has failed.");
    assert_eq!(next, "bayplan rollout web");
    assert_eq!(why(&World::new()).0, "Its deployment of hello:2 has not begun.");
}

#[test]
fn a_hook_that_is_waited_for_comes_with_its_command() {
    let mut world = World::begun();
    world.deployment(|deployment| {
        let document = serde_json::Value::Null;
        let (stages, on_timeout) = (vec![Stage::ScaleUp], HookAction::Rollback);
        deployment.configuration.hooks = vec![Hook { stages, timeout_minutes: 1, on_timeout, document }];
    });
    world.progress(|progress| {
        let status = HookStatus::AwaitingAction;
        progress.hooks =
            vec![HookState { id: "h1".into(), hook: 0, stage: Stage::ScaleUp, status, expires_at: at(63) }];
    });
    let (what, next) = why(&world);
    assert_eq!(
        what,
        "Its deployment of hello:2 waits at SCALE_UP for an answer to a hook; without one it rolls back in 1 min."
    );
    assert!(next.starts_with("aws ecs continue-service-deployment") && next.contains("--hook-id h1"), "{next}");
}

#[test]
fn without_room_each_node_says_what_it_lacks() {
    let mut world = World::begun();
    let refusal = Refusal { nodes: vec![(NodeId::new("node-1"), Shortage::Memory)], main: Shortage::Memory };
    for id in ["a", "b"] {
        world.task(id, NEW, |unit| unit.waits_for = Some(Arc::new(refusal.clone())));
    }
    let said = explained(&world);
    assert_eq!(said.what, "No node takes 2 of its tasks: too little memory is free.");
    assert!(said.evidence.contains(&json!({ "node": "node-1", "lacks": "too little memory is free" })));
    assert!(said.next.contains("bayplan ps"));
}

#[test]
fn what_admission_refuses_is_said_with_its_reason() {
    let mut world = World::begun();
    world.state(|state| {
        state.throttle.until = Some(at(10));
        state.told_shortage = Some("(service web) was unable to start a task. Reason: no such subnet".to_owned());
    });
    let (what, next) = why(&world);
    assert_eq!(what, "No task of it can be made: no such subnet");
    assert!(next.ends_with("aws ecs update-service --service web --force-new-deployment"), "{next}");
}

#[test]
fn tasks_that_do_not_stay_up_are_said_with_when_the_next_one_starts() {
    let mut world = World::begun();
    world.state(|state| {
        state.throttle.failures = 5;
        state.throttle.until = Some(at(8));
    });
    world.task("a", NEW, exited(7));
    let said = explained(&world);
    assert_eq!(
        said.what,
        "Its tasks do not come up, or do not stay: 5 in a row have failed; the next one starts in 5 s."
    );
    assert!(said.next.contains("container main ended with exit code 7: bayplan logs"), "{}", said.next);
    let failed = said.evidence.iter().find(|item| item["failedTask"].is_string()).unwrap();
    assert_eq!(failed["containers"][0]["exitCode"], 7);
    assert!(said.evidence.iter().any(|item| item["throttledUntilMs"] == at(8).unix_ms()));
}

#[test]
fn a_rollback_says_what_runs_again() {
    let mut world = World::begun();
    world.progress(|progress| {
        progress.status = DeploymentStatus::RollbackSuccessful;
        progress.reason = Some("the circuit breaker threshold was exceeded.".to_owned());
        progress.failures = 3;
    });
    world.state(|state| {
        state.sets.remove(0);
        state.sets[0].role = SetRole::Primary;
    });
    world.task("a", OLD, running);
    let said = explained(&world);
    assert_eq!(
        said.what,
        "Its deployment of hello:2 was rolled back, and it runs hello:1 again: the circuit breaker threshold was exceeded."
    );
    assert_eq!((&said.evidence[0]["failures"], &said.evidence[0]["threshold"]), (&json!(3), &json!(3)));
}

#[test]
fn a_deleted_service_says_what_is_left_of_it() {
    let mut world = steady();
    world.service(|service| service.deleted_at = Some(at(2)));
    assert_eq!(why(&world).0, "It was deleted; 2 of its tasks have not stopped yet.");
    world.task("a", NEW, exited(0));
    world.task("b", NEW, exited(0));
    assert_eq!(why(&world).0, "It was deleted, and its last task has stopped.");
}

#[test]
fn the_last_events_come_oldest_first_and_those_of_a_former_service_do_not() {
    let mut world = steady();
    for number in 0..7 {
        world.event(number, number, &format!("event {number}"));
    }
    let events: Vec<String> =
        explained(&world).evidence.iter().filter_map(|item| item["event"].as_str().map(str::to_owned)).collect();
    assert_eq!(events, ["event 2", "event 3", "event 4", "event 5", "event 6"]);
    world.service(|service| service.uid = "uid-another".into());
    assert!(explained(&world).evidence.iter().all(|item| item["event"].is_null()));
}

#[test]
fn failures_from_before_the_deployment_are_not_held_against_it() {
    let mut world = World::begun();
    world.deployment(|deployment| deployment.created_at = at(3));
    world.task("a", NEW, exited(1));
    assert!(explained(&world).evidence.iter().all(|item| item["failedTask"].is_null()));
}
