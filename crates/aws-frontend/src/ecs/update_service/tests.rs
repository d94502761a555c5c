//! UpdateService on the service `web`, which is up and steady unless a test says otherwise.

use crate::testing::definition;
use crate::testing::scheduler::later;
use crate::testing::stage::{Stage, awsvpc};
use model::ecs::service::{Rollout, SetRole};
use serde_json::{Value, json};

fn network() -> Value {
    json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}})
}

async fn stage_with(more: Value) -> Stage {
    let stage = Stage::new().await;
    for _ in 0..2 {
        stage.register(definition("web")).await;
        stage.register(awsvpc("vpc")).await;
    }
    let mut input = json!({"serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2});
    more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
    input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    stage.create_service(input).await.unwrap();
    stage
}

async fn stage() -> Stage {
    let stage = stage_with(json!({})).await;
    stage.take_up("web").await;
    stage.complete("web").await;
    stage
}

/// On Fargate, where the network is a part of what runs.
async fn fargate() -> Stage {
    let input = json!({"taskDefinition": "vpc:1", "launchType": "FARGATE", "networkConfiguration": network()});
    let stage = stage_with(input).await;
    stage.take_up("web").await;
    stage.complete("web").await;
    stage
}

fn with(more: &Value) -> Value {
    let mut input = json!({"service": "web"});
    more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
    input
}

fn deployments(stage: &Stage) -> usize {
    stage.context.records().current().deployments.len()
}

#[tokio::test]
async fn what_changes_what_runs_is_a_new_deployment() {
    let stage = stage().await;
    let updated = stage.update_service(json!({"service": "web", "taskDefinition": "web"})).await.unwrap();
    assert!(updated.task_definition.unwrap().ends_with("web:2"));
    let [new, old] = &updated.deployments.unwrap()[..] else { panic!("two deployments") };
    assert_eq!((new.status.as_deref(), new.rollout_state.as_deref()), (Some("PRIMARY"), Some("IN_PROGRESS")));
    assert!(new.task_definition.as_deref().unwrap().ends_with("web:2"));
    assert_eq!((old.status.as_deref(), old.rollout_state.as_deref()), (Some("ACTIVE"), Some("COMPLETED")));
    assert!(old.task_definition.as_deref().unwrap().ends_with("web:1"));
    let snapshot = stage.context.records().current();
    let key = (stage.service_id("web"), stage.stored_service("web").deployment.clone().unwrap());
    let deployment = snapshot.deployments.get(&key).unwrap();
    let state = snapshot.service_states.get(&key.0).unwrap();
    assert_eq!(deployment.source, [state.sets[0].revision.clone()]);
}

#[tokio::test]
async fn network_and_platform_are_parts_of_what_runs_too() {
    for more in [
        json!({"platformVersion": "1.4.0"}),
        json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-b"]}}}),
    ] {
        let stage = fargate().await;
        stage.update_service(with(&more)).await.unwrap();
        assert_eq!(deployments(&stage), 2, "{more}");
    }
}

#[tokio::test]
async fn a_forced_deployment_runs_the_same_in_a_revision_of_its_own() {
    let stage = stage().await;
    stage.update_service(json!({"service": "web", "forceNewDeployment": true})).await.unwrap();
    let snapshot = stage.context.records().current();
    let numbers: Vec<_> = snapshot.service_revisions.values().map(|revision| &revision.task_definition).collect();
    assert_eq!((numbers.len(), numbers[0]), (2, numbers[1]));
    assert_eq!(deployments(&stage), 2);
}

#[tokio::test]
async fn what_does_not_change_what_runs_makes_no_deployment() {
    let stage = stage().await;
    let cases = [
        (json!({"desiredCount": 3}), "desiredCount", json!(3)),
        (json!({"enableExecuteCommand": true}), "enableExecuteCommand", json!(true)),
        (json!({"enableECSManagedTags": true}), "enableECSManagedTags", json!(true)),
        (json!({"propagateTags": "SERVICE"}), "propagateTags", json!("SERVICE")),
        (json!({"healthCheckGracePeriodSeconds": 5}), "healthCheckGracePeriodSeconds", json!(5)),
        (
            json!({"placementConstraints": [{"type": "distinctInstance"}]}),
            "placementConstraints",
            json!([{"type": "distinctInstance"}]),
        ),
        (json!({"placementConstraints": []}), "placementConstraints", json!([])),
        (json!({"availabilityZoneRebalancing": "DISABLED"}), "availabilityZoneRebalancing", json!("DISABLED")),
        (json!({"placementStrategy": [{"type": "random"}]}), "placementStrategy", json!([{"type": "random"}])),
    ];
    for (more, field, expected) in cases {
        let updated = serde_json::to_value(stage.update_service(with(&more)).await.unwrap()).unwrap();
        assert_eq!(updated[field], expected, "{more}");
        assert_eq!(deployments(&stage), 1, "{more}");
        assert_eq!(serde_json::to_value(stage.service("web").await).unwrap()[field], expected);
    }
    stage
        .update_service(with(&json!({"taskDefinition": "web:1", "deploymentController": {"type": "ECS"}})))
        .await
        .unwrap();
    assert_eq!(deployments(&stage), 1, "it runs that already");
}

#[tokio::test]
async fn of_a_deployment_configuration_what_is_not_given_stays() {
    let stage = stage().await;
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    stage.update_service(with(&json!({"deploymentConfiguration": breaker}))).await.unwrap();
    let percent = json!({"deploymentConfiguration": {"maximumPercent": 150}});
    let updated = stage.update_service(with(&percent)).await.unwrap();
    assert_eq!(deployments(&stage), 1);
    let shown = serde_json::to_value(updated.deployment_configuration).unwrap();
    assert_eq!(shown["deploymentCircuitBreaker"], breaker["deploymentCircuitBreaker"]);
    assert_eq!((&shown["maximumPercent"], &shown["minimumHealthyPercent"]), (&json!(150), &json!(100)));
}

#[tokio::test]
async fn an_update_stands_on_a_deployment_that_nobody_has_begun() {
    let stage = stage().await;
    stage.update_service(with(&json!({"taskDefinition": "web:2"}))).await.unwrap();
    stage.update_service(with(&json!({"forceNewDeployment": true}))).await.unwrap();
    let shown = stage.service("web").await;
    assert!(shown.task_definition.unwrap().ends_with("web:2"));
    assert_eq!(shown.deployments.unwrap().len(), 2, "the one that was superseded never had tasks");
}

#[tokio::test]
async fn after_a_rollback_an_update_stands_on_the_old_revision() {
    let stage = stage().await;
    stage.update_service(with(&json!({"taskDefinition": "web:2"}))).await.unwrap();
    stage.take_up("web").await;
    stage
        .progress("web", |state, _| {
            state.sets.swap(0, 1);
            (state.sets[0].role, state.sets[1].role) = (SetRole::Primary, SetRole::Active);
            state.sets[1].rollout = Rollout::Failed;
        })
        .await;
    let shown = stage.service("web").await;
    assert!(shown.task_definition.unwrap().ends_with("web:1"));
    assert_eq!(shown.deployments.unwrap()[1].rollout_state.as_deref(), Some("FAILED"));
    stage.update_service(with(&json!({"taskDefinition": "web:1"}))).await.unwrap();
    assert_eq!(deployments(&stage), 2, "it runs that already");
    stage.update_service(with(&json!({"taskDefinition": "web:2"}))).await.unwrap();
    assert_eq!(deployments(&stage), 3);
}

#[tokio::test]
async fn a_strategy_takes_the_place_of_a_launch_type_and_gives_it_back_if_that_is_forced() {
    let stage = Stage::new().await;
    stage.register(awsvpc("vpc")).await;
    stage.cluster_with("spotty", &["FARGATE", "FARGATE_SPOT"]).await;
    let create = json!({"serviceName": "web", "cluster": "spotty", "taskDefinition": "vpc", "desiredCount": 1,
        "launchType": "FARGATE", "networkConfiguration": network()});
    stage.create_service(create).await.unwrap();
    let strategy = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
    let update = |strategy: &Value, force: bool| json!({"service": "web", "cluster": "spotty", "capacityProviderStrategy": strategy, "forceNewDeployment": force});
    let error = stage.update_service(update(&strategy, false)).await.unwrap_err();
    assert!(error.message.contains("you must force a new deployment"), "{error}");
    let updated = stage.update_service(update(&strategy, true)).await.unwrap();
    assert_eq!((updated.launch_type, updated.capacity_provider_strategy.unwrap().len()), (None, 1));
    stage.update_service(update(&strategy, false)).await.unwrap();
    let updated = stage.update_service(update(&json!([]), true)).await.unwrap();
    assert_eq!((updated.launch_type.as_deref(), updated.capacity_provider_strategy), (Some("FARGATE"), None));
}

#[tokio::test]
async fn an_inactive_definition_serves_on_but_cannot_be_chosen() {
    let stage = stage().await;
    crate::testing::deregister(&stage.context, "web:1").await;
    stage.update_service(with(&json!({"desiredCount": 5}))).await.unwrap();
    stage.update_service(with(&json!({"forceNewDeployment": true}))).await.unwrap();
    let error = stage.update_service(with(&json!({"taskDefinition": "web:1"}))).await.unwrap_err();
    assert_eq!((&*error.code, error.message.as_str()), ("ClientException", "TaskDefinition is inactive"));
}

#[tokio::test]
async fn an_update_that_says_nothing_writes_nothing() {
    let stage = stage().await;
    let before = stage.context.records().current().revision;
    stage.update_service(with(&json!({}))).await.unwrap();
    assert_eq!(stage.context.records().current().revision, before);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stage = stage().await;
    stage.create_service(json!({"serviceName": "gone", "taskDefinition": "web", "desiredCount": 0})).await.unwrap();
    stage.delete_service(json!({"service": "gone"})).await.unwrap();
    let before = stage.context.records().current().revision;
    for (more, code, sentence) in [
        (json!({"service": "nothing"}), "ServiceNotFoundException", "Service not found."),
        (json!({"service": "gone"}), "ServiceNotActiveException", "Service was not ACTIVE."),
        (json!({"service": ""}), "InvalidParameterException", "can not be blank"),
        (json!({"cluster": "nowhere"}), "ClusterNotFoundException", "Cluster not found."),
        (json!({"taskDefinition": "nothing"}), "ClientException", "TaskDefinition not found."),
        (json!({"taskDefinition": "vpc"}), "InvalidParameterException", "must be provided"),
        (json!({"networkConfiguration": network()}), "InvalidParameterException", "is not valid"),
        (json!({"platformVersion": "1.4.0"}), "InvalidParameterException", "must be null"),
        (json!({"desiredCount": -1}), "InvalidParameterException", "between 0 and 5000"),
        (json!({"deploymentController": {"type": "EXTERNAL"}}), "InvalidParameterException", "cannot be changed"),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 50}}),
            "InvalidParameterException",
            "availabilityZoneRebalancing",
        ),
        (json!({"loadBalancers": [{"containerName": "app"}]}), "ClientException", "no load balancers"),
        (json!({"serviceRegistries": [{"registryArn": "arn:x"}]}), "ClientException", "no service discovery"),
        (json!({"serviceConnectConfiguration": {"enabled": true}}), "ClientException", "no Service Connect"),
        (json!({"volumeConfigurations": [{"name": "v"}]}), "ClientException", "no EBS volumes"),
    ] {
        let error = stage.update_service(with(&more)).await.expect_err(&more.to_string());
        assert_eq!(error.code, code, "{more}: {error}");
        assert!(error.message.contains(sentence), "{more}: {error}");
    }
    assert_eq!(stage.context.records().current().revision, before);
}

#[tokio::test]
async fn a_daemon_has_no_count_and_fargate_no_placement() {
    let stage = stage_with(json!({"schedulingStrategy": "DAEMON", "desiredCount": null})).await;
    for (more, sentence) in [
        (json!({"desiredCount": 1}), "does not support a desired count"),
        (json!({"placementStrategy": [{"type": "random"}]}), "does not support placement strategies"),
        (json!({"deploymentConfiguration": {"maximumPercent": 200}}), "values above 100"),
    ] {
        let error = stage.update_service(with(&more)).await.unwrap_err();
        assert!(error.message.contains(sentence), "{error}");
    }
    let error = fargate().await.update_service(with(&json!({"placementStrategy": [{"type": "random"}]}))).await;
    assert!(error.unwrap_err().message.contains("not supported with FARGATE"));
}

#[tokio::test]
async fn an_external_controllers_service_changes_only_what_is_not_its_task_sets() {
    let external = json!({"taskDefinition": null, "deploymentController": {"type": "EXTERNAL"}});
    let stage = stage_with(external).await;
    let updated = stage.update_service(with(&json!({"desiredCount": 4, "propagateTags": "SERVICE"}))).await.unwrap();
    assert_eq!((updated.desired_count, updated.propagate_tags.as_deref()), (Some(4), Some("SERVICE")));
    for (more, sentence) in [
        (json!({"taskDefinition": "web"}), "Unable to update task definition"),
        (json!({"networkConfiguration": network()}), "Unable to update network parameters"),
        (json!({"platformVersion": "LATEST"}), "Unable to update platform version"),
        (json!({"capacityProviderStrategy": []}), "Unable to update capacity provider strategy"),
        (json!({"forceNewDeployment": true}), "Cannot force a new deployment"),
    ] {
        let error = stage.update_service(with(&more)).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains(sentence), "{error}");
    }
}

#[tokio::test]
async fn a_decision_on_what_has_changed_meanwhile_is_made_anew() {
    let stage = stage().await;
    let scaled = stage.update_service(with(&json!({"desiredCount": 7})));
    let deployed = stage.update_service(with(&json!({"taskDefinition": "web:2"})));
    let moved = stage.progress("web", |state, _| state.sets[0].updated_at = later(5));
    let (scaled, deployed, ()) = tokio::join!(scaled, deployed, moved);
    scaled.unwrap();
    deployed.unwrap();
    let shown = stage.service("web").await;
    assert_eq!(shown.desired_count, Some(7));
    assert!(shown.task_definition.unwrap().ends_with("web:2"));
}
