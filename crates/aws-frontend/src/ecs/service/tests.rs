//! What is shown of a service that its scheduler has worked on.

use crate::testing::scheduler::later;
use crate::testing::stage::Stage;
use crate::testing::{NOW, definition};
use model::ecs::service::{Controller, Rollout};
use model::ecs::{Membership, MembershipStatus, Service, ServiceRevision, TaskSet};
use model::unit::{ContainerObserved, Health, Lifecycle, Observed, StopCause, StopIntent};
use model::{NodeId, UnitName};
use records::units;
use serde_json::{Value, json};

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    stage.register(definition("web")).await;
    let input = json!({"serviceName": "web", "taskDefinition": "web:1", "desiredCount": 3});
    stage.create_service(input).await.unwrap();
    stage.take_up("web").await;
    stage
}

async fn shown(stage: &Stage) -> Value {
    serde_json::to_value(stage.service("web").await).unwrap()
}

#[tokio::test]
async fn tasks_are_counted_by_what_they_are_doing() {
    let stage = stage().await;
    stage.start_tasks("web", 1, Lifecycle::Accepted).await;
    stage.start_tasks("web", 1, Lifecycle::Preparing).await;
    stage.start_tasks("web", 3, Lifecycle::Running).await;
    stage.start_tasks("web", 1, Lifecycle::Stopping).await;
    stage.start_tasks("web", 1, Lifecycle::Stopped).await;
    let service = shown(&stage).await;
    assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(3), &json!(2)));
    let deployment = &service["deployments"][0];
    assert_eq!((&deployment["runningCount"], &deployment["pendingCount"]), (&json!(3), &json!(2)));
    let revision = &service["currentServiceRevisions"][0];
    assert_eq!((&revision["runningTaskCount"], &revision["pendingTaskCount"]), (&json!(3), &json!(2)));
    assert_eq!(revision["requestedTaskCount"], 3);
}

#[tokio::test]
async fn a_task_that_is_to_stop_is_not_on_its_way_any_more() {
    let stage = stage().await;
    let task = stage.start_tasks("web", 1, Lifecycle::Preparing).await.remove(0);
    let name = UnitName::EcsTask { cluster: stage.cluster("default"), id: task.as_str().into() };
    let wish = StopIntent { by: StopCause::SchedulerInitiated, reason: "x".into(), requested_at: NOW, grace_s: None };
    units::stop(stage.context.records(), &name, wish).await.unwrap();
    assert_eq!(shown(&stage).await["pendingCount"], 0);
}

#[tokio::test]
async fn while_one_deployment_follows_another_each_set_has_its_own_tasks() {
    let stage = stage().await;
    stage.complete("web").await;
    stage.start_tasks("web", 2, Lifecycle::Running).await;
    stage.update_service(json!({"service": "web", "taskDefinition": "web:2"})).await.unwrap();
    stage.take_up("web").await;
    stage.start_tasks("web", 1, Lifecycle::Running).await;
    stage
        .progress("web", |state, _| {
            state.sets[0].failed_tasks = 4;
            state.sets[0].desired = 1;
            state.sets[1].desired = 2;
            state.sets[1].updated_at = later(7000);
        })
        .await;
    let service = shown(&stage).await;
    let deployments = service["deployments"].as_array().unwrap();
    let of = |field: &str| deployments.iter().map(|deployment| deployment[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["PRIMARY", "ACTIVE"]);
    assert_eq!(of("runningCount"), [1, 2]);
    assert_eq!(of("desiredCount"), [3, 2], "of the primary one what was asked for, not what the scheduler has come to");
    assert_eq!(of("failedTasks"), [4, 0]);
    assert_eq!(of("updatedAt")[1], later(7000).unix_ms() as f64 / 1000.0);
    assert_eq!(service["runningCount"], 3);
    assert_eq!(service["currentServiceRevisions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_failed_deployment_says_why_and_how_many_tasks_are_left_to_it() {
    let stage = stage().await;
    stage
        .progress("web", |state, _| {
            state.sets[0].rollout = Rollout::Failed;
            state.sets[0].rollout_reason = Some("tasks failed to start.".to_owned());
            state.sets[0].desired = 1;
        })
        .await;
    let deployment = shown(&stage).await["deployments"][0].clone();
    assert_eq!((&deployment["rolloutState"], &deployment["desiredCount"]), (&json!("FAILED"), &json!(1)));
    assert_eq!(deployment["rolloutStateReason"], "tasks failed to start.");
}

#[tokio::test]
async fn events_come_newest_first_and_are_a_hundred_at_most() {
    let stage = stage().await;
    for place in 0..101 {
        stage.say("web", place, &format!("event {place}")).await;
    }
    let service = shown(&stage).await;
    let events = service["events"].as_array().unwrap();
    assert_eq!(events.len(), 100);
    assert_eq!((&events[0]["message"], &events[99]["message"]), (&json!("event 100"), &json!("event 1")));
}

#[tokio::test]
async fn a_daemon_wants_as_many_as_its_scheduler_found_instances_for() {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    let input = json!({"serviceName": "web", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    stage.create_service(input).await.unwrap();
    stage.take_up("web").await;
    stage.progress("web", |state, _| state.sets[0].desired = 2).await;
    let service = shown(&stage).await;
    assert_eq!((&service["desiredCount"], &service["deployments"][0]["desiredCount"]), (&json!(2), &json!(2)));
}

/// The service `web` with an external controller and one task set, whose scheduler has one task running.
async fn with_task_set() -> (Stage, String) {
    let stage = stage().await;
    let tasks = stage.start_tasks("web", 1, Lifecycle::Running).await;
    let (service, snapshot) = (stage.stored_service("web"), stage.context.records().current());
    let set = snapshot.service_states.get(&service.id).unwrap().sets[0].clone();
    let task_set = TaskSet {
        service: service.id.clone(),
        id: set.id.clone(),
        service_uid: service.uid.clone(),
        revision: set.revision.clone(),
        created_at: NOW,
        updated_at: NOW,
        external_id: Some("mine".to_owned()),
        scale_bp: 3_000,
        tags: Default::default(),
        client_token: None,
        deleted_at: None,
    };
    let external = Service {
        controller: Controller::External,
        primary_task_set: Some(set.id.clone()),
        deployment: None,
        ..(*service.value).clone()
    };
    stage
        .write(|_, draft| {
            draft.update(&service.id, &service, &external);
            draft.create(&(service.id.clone(), set.id.clone()), &task_set);
        })
        .await;
    (stage, tasks[0].clone())
}

#[tokio::test]
async fn task_sets_stand_in_place_of_deployments() {
    let (stage, _) = with_task_set().await;
    let service = shown(&stage).await;
    assert_eq!(service["deployments"], json!([]));
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("web:1"), "the primary set's");
    let set = &service["taskSets"][0];
    let id = set["id"].as_str().unwrap();
    assert_eq!(set["taskSetArn"], format!("arn:aws:ecs:us-east-1:000000000000:task-set/default/web/{id}"));
    assert_eq!((&set["status"], &set["externalId"]), (&json!("PRIMARY"), &json!("mine")));
    assert_eq!(set["scale"], json!({"value": 30.0, "unit": "PERCENT"}));
    assert_eq!(set["computedDesiredCount"], 1, "0.9 is rounded up");
    assert_eq!((&set["runningCount"], &set["stabilityStatus"]), (&json!(1), &json!("STEADY_STATE")));
}

#[tokio::test]
async fn a_task_set_is_not_steady_while_a_task_of_it_is_unhealthy_or_on_a_draining_instance() {
    let (stage, task) = with_task_set().await;
    let stability = async |stage: &Stage| shown(stage).await["taskSets"][0]["stabilityStatus"].clone();
    let unhealthy = ContainerObserved { essential: true, health: Some(Health::Unhealthy), ..Default::default() };
    let observed = Observed { lifecycle: Lifecycle::Running, containers: vec![unhealthy], ..Default::default() };
    let shown_task = stage.bound(&task).await;
    stage.observe(&shown_task, observed).await;
    assert_eq!(stability(&stage).await, "STABILIZING");
    stage.observe(&shown_task, Observed { lifecycle: Lifecycle::Running, ..Default::default() }).await;
    assert_eq!(stability(&stage).await, "STEADY_STATE");
    let key = (stage.cluster("default"), NodeId::new("n1"));
    stage
        .write(|snapshot, draft| {
            let membership = (*snapshot.membership(&key.0, &key.1)).clone();
            draft.create(&key, &Membership { status: MembershipStatus::Draining, ..membership });
        })
        .await;
    assert_eq!(stability(&stage).await, "STABILIZING");
}

#[tokio::test]
async fn a_deleted_task_set_is_shown_until_its_tasks_have_gone() {
    let (stage, task) = with_task_set().await;
    stage
        .write(|snapshot, draft| {
            let (key, seen) = snapshot.task_sets.iter().next().unwrap();
            draft.update(key, seen, &TaskSet { deleted_at: Some(NOW), ..(*seen.value).clone() });
        })
        .await;
    let set = shown(&stage).await["taskSets"][0].clone();
    assert_eq!((&set["status"], &set["computedDesiredCount"]), (&json!("DRAINING"), &json!(0)));
    stage.advance(&task, Lifecycle::Stopped).await;
    stage.let_task_sets_go("web").await;
    assert_eq!(shown(&stage).await["taskSets"], json!([]));
}

#[tokio::test]
async fn the_state_of_a_former_service_of_the_name_counts_as_none() {
    let stage = stage().await;
    stage.start_tasks("web", 1, Lifecycle::Running).await;
    let service = stage.stored_service("web");
    let other = Service { uid: "another".into(), ..(*service.value).clone() };
    stage
        .write(|snapshot, draft| {
            draft.update(&service.id, &service, &other);
            // What it runs is its own as well.
            for (key, seen) in snapshot.service_revisions.iter() {
                draft.update(key, seen, &ServiceRevision { service_uid: "another".into(), ..(*seen.value).clone() });
            }
        })
        .await;
    let shown = shown(&stage).await;
    assert_eq!((&shown["runningCount"], &shown["deployments"]), (&json!(0), &json!([])));
}
