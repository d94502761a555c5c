//! What a task set is made of, the same call twice, and what is refused.

use crate::testing::stage::{Stage, awsvpc};
use model::ecs::LaunchType;
use serde_json::{Value, json};

const INVALID: &str = "InvalidParameterException";

/// A set as it is shown, without what differs from run to run.
fn shown(set: aws_api::ecs::TaskSet) -> Value {
    let mut set = serde_json::to_value(set).unwrap();
    for member in ["id", "taskSetArn", "createdAt", "updatedAt", "stabilityStatusAt"] {
        set.as_object_mut().unwrap().remove(member).unwrap();
    }
    set
}

#[tokio::test]
async fn without_a_scale_a_set_has_none_of_the_tasks() {
    let (stage, _) = Stage::with_task_set(2).await;
    let set = stage.create_task_set(json!({"taskDefinition": "web"})).await.unwrap();
    let expected = json!({
        "status": "ACTIVE",
        "serviceArn": "arn:aws:ecs:us-east-1:000000000000:service/default/web",
        "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
        "taskDefinition": "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2",
        "computedDesiredCount": 0, "pendingCount": 0, "runningCount": 0,
        "launchType": "EC2",
        "loadBalancers": [], "serviceRegistries": [],
        "scale": {"value": 0.0, "unit": "PERCENT"},
        "stabilityStatus": "STABILIZING",
        "tags": [],
    });
    assert_eq!(shown(set), expected);
}

#[tokio::test]
async fn a_set_keeps_all_that_its_tasks_are_made_of() {
    let (stage, _) = Stage::with_task_set(3).await;
    stage.register(awsvpc("vpc")).await;
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let input = json!({"taskDefinition": "vpc", "launchType": "FARGATE", "networkConfiguration": network,
        "externalId": "mine", "scale": {"value": 50.0, "unit": "PERCENT"}, "tags": [{"key": "a", "value": "1"}]});
    let set = stage.create_task_set(input).await.unwrap();
    let id = set.id.clone().unwrap();
    let set = shown(set);
    assert_eq!((&set["launchType"], &set["platformVersion"]), (&json!("FARGATE"), &json!("1.4.0")));
    assert_eq!((&set["externalId"], &set["computedDesiredCount"]), (&json!("mine"), &json!(2)));
    assert_eq!(set["tags"], json!([{"key": "a", "value": "1"}]));
    assert_eq!(set["networkConfiguration"]["awsvpcConfiguration"]["subnets"], json!(["subnet-a"]));
    let snapshot = stage.context.records().current();
    let stored = &snapshot.task_sets[&(stage.service_id("web"), id.as_str().into())];
    let revision = &snapshot.service_revisions[&(stage.service_id("web"), stored.value.revision.clone())];
    assert_eq!(revision.launch_type, LaunchType::Fargate);
}

#[tokio::test]
async fn a_call_with_the_same_token_makes_one_set() {
    let (stage, _) = Stage::with_task_set(2).await;
    let call = json!({"taskDefinition": "web:1", "clientToken": "t"});
    let first = stage.create_task_set(call.clone()).await.unwrap();
    assert_eq!(stage.create_task_set(call).await.unwrap().id, first.id);
    let other = json!({"taskDefinition": "web:1", "clientToken": "t", "scale": {"value": 10.0}});
    let error = stage.create_task_set(other).await.unwrap_err();
    assert_eq!((&*error.code, error.message.as_str()), (INVALID, "Creation of task set was not idempotent."));
    assert_eq!(stage.context.records().current().task_sets.len(), 2);
}

#[tokio::test]
async fn a_service_has_five_sets_at_most() {
    let (stage, _) = Stage::with_task_set(2).await;
    for _ in 0..4 {
        stage.create_task_set(json!({"taskDefinition": "web"})).await.unwrap();
    }
    let error = stage.create_task_set(json!({"taskDefinition": "web"})).await.unwrap_err();
    assert_eq!(error.code, INVALID);
    assert!(error.message.starts_with("5 deployments exist on the service."), "{error}");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let (stage, _) = Stage::with_task_set(2).await;
    stage.register(awsvpc("vpc")).await;
    let rolling = json!({"serviceName": "rolling", "taskDefinition": "web", "desiredCount": 0});
    stage.create_service(rolling).await.unwrap();
    for (more, code, words) in [
        (json!({"service": "rolling"}), INVALID, "external deployment controllers"),
        (json!({"service": "nobody"}), "ServiceNotFoundException", "Service not found."),
        (json!({"cluster": "nowhere"}), "ClusterNotFoundException", "Cluster not found."),
        (json!({"taskDefinition": "nothing"}), "ClientException", "TaskDefinition not found."),
        (json!({"taskDefinition": null}), INVALID, "taskDefinition"),
        (json!({"taskDefinition": "vpc"}), INVALID, "Network Configuration"),
        (json!({"launchType": "MOON"}), INVALID, "launchType"),
        (json!({"launchType": "FARGATE"}), INVALID, "FARGATE"),
        (json!({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "x"}]}), INVALID, "both"),
        (json!({"capacityProviderStrategy": [{"capacityProvider": "x"}]}), INVALID, "not associated"),
        (json!({"scale": {"value": 101.0}}), INVALID, "scale.value"),
        (json!({"scale": {"value": 1.0, "unit": "TASKS"}}), INVALID, "unit"),
        (json!({"clientToken": "x".repeat(37)}), INVALID, "clientToken"),
        (json!({"tags": [{"key": "aws:a", "value": ""}]}), INVALID, "AWS"),
        (json!({"loadBalancers": [{"containerPort": 80}]}), "ClientException", "loadBalancers"),
        (json!({"serviceRegistries": [{"registryArn": "x"}]}), "ClientException", "serviceRegistries"),
    ] {
        let mut input = json!({"taskDefinition": "web"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = stage.create_task_set(input).await.unwrap_err();
        assert_eq!(error.code, code, "{more}: {error}");
        assert!(error.message.contains(words), "{more}: {error}");
    }
    assert_eq!(stage.context.records().current().task_sets.len(), 1);
    stage.delete_service(json!({"service": "web", "force": true})).await.unwrap();
    let error = stage.create_task_set(json!({"taskDefinition": "web"})).await.unwrap_err();
    assert_eq!(error.code, "ServiceNotActiveException");
}
