//! What is stored and answered.

use super::{stage, web};
use crate::testing::NOW;
use crate::testing::stage::pairs;
use model::ecs::LaunchType;
use model::ecs::deployment::{DeploymentStrategy, HookAction, Stage as LifecycleStage, ThresholdKind};
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_service_is_active_and_shows_one_deployment_in_progress_before_anybody_has_scheduled_it() {
    let stage = stage().await;
    let service = stage.create_service(web(json!({}))).await.unwrap();
    assert_eq!(service.service_arn.as_deref(), Some("arn:aws:ecs:us-east-1:000000000000:service/default/web"));
    assert_eq!(service.status.as_deref(), Some("ACTIVE"));
    assert_eq!((service.desired_count, service.running_count, service.pending_count), (Some(2), Some(0), Some(0)));
    assert_eq!(service.launch_type.as_deref(), Some("EC2"));
    assert_eq!(service.scheduling_strategy.as_deref(), Some("REPLICA"));
    assert_eq!(service.deployment_controller.unwrap().r#type.as_deref(), Some("ECS"));
    assert_eq!(service.created_at.unwrap().as_millis() as u64, NOW.unix_ms());
    assert_eq!(service.created_by.as_deref(), Some("arn:aws:iam::000000000000:root"));
    assert_eq!(service.propagate_tags.as_deref(), Some("NONE"));
    assert_eq!(service.availability_zone_rebalancing.as_deref(), Some("ENABLED"));
    assert_eq!((service.events.unwrap().len(), service.platform_version), (0, None));
    let configuration = service.deployment_configuration.unwrap();
    assert_eq!((configuration.maximum_percent, configuration.minimum_healthy_percent), (Some(200), Some(100)));
    assert_eq!(configuration.strategy.as_deref(), Some("ROLLING"));
    assert_eq!(configuration.deployment_circuit_breaker.unwrap().enable, Some(false));
    let [deployment] = &service.deployments.unwrap()[..] else { panic!("one deployment") };
    let id = deployment.id.as_deref().unwrap();
    assert!(id.strip_prefix("ecs-svc/").is_some_and(|number| number.len() == 19), "{id}");
    assert_eq!(deployment.status.as_deref(), Some("PRIMARY"));
    assert_eq!(deployment.rollout_state.as_deref(), Some("IN_PROGRESS"));
    assert_eq!(deployment.rollout_state_reason, Some(format!("ECS deployment {id} in progress.")));
    assert_eq!((deployment.desired_count, deployment.failed_tasks), (Some(2), Some(0)));
    assert!(deployment.task_definition.as_deref().unwrap().ends_with("task-definition/web:1"));
    let [revision] = &service.current_service_revisions.unwrap()[..] else { panic!("one revision") };
    assert_eq!(revision.requested_task_count, Some(2));
    assert!(revision.arn.as_deref().unwrap().contains(":service-revision/default/web/"));
    assert!(service.current_service_deployment.unwrap().contains(":service-deployment/default/web/"));
}

#[tokio::test]
async fn what_is_created_is_what_is_described_by_name_and_by_arn_of_either_form() {
    let stage = stage().await;
    let service = stage.create_service(web(json!({"tags": [{"key": "a", "value": "1"}]}))).await.unwrap();
    assert_eq!(pairs(service.tags.clone())["a"], "1");
    for reference in [
        "web",
        "arn:aws:ecs:us-east-1:000000000000:service/default/web",
        "arn:aws:ecs:us-east-1:000000000000:service/web",
    ] {
        assert_eq!(stage.service(reference).await, service, "{reference}");
    }
}

#[tokio::test]
async fn service_revision_and_deployment_are_one_commit() {
    let stage = stage().await;
    let before = stage.context.records().current().revision;
    stage.create_service(web(json!({}))).await.unwrap();
    let snapshot = stage.context.records().current();
    assert_eq!(snapshot.revision, before + 1);
    let service = stage.stored_service("web");
    let deployment = snapshot.deployments.values().next().unwrap();
    assert_eq!(service.deployment, Some(deployment.id.clone()));
    assert_eq!((deployment.service_uid.clone(), deployment.source.len()), (service.uid.clone(), 0));
    let revision = snapshot.service_revisions.get(&(service.id.clone(), deployment.target.clone())).unwrap();
    assert_eq!((revision.service_uid.clone(), revision.launch_type), (service.uid.clone(), LaunchType::Ec2));
}

#[tokio::test]
async fn a_fargate_service_shows_its_platform_and_network() {
    let stage = stage().await;
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let input = json!({"taskDefinition": "vpc", "launchType": "FARGATE", "networkConfiguration": network});
    let service = stage.create_service(web(input)).await.unwrap();
    assert_eq!(service.platform_version.as_deref(), Some("LATEST"));
    assert_eq!(service.platform_family.as_deref(), Some("Linux"));
    let vpc = service.network_configuration.unwrap().awsvpc_configuration.unwrap();
    assert_eq!(vpc.subnets.unwrap(), ["subnet-a"]);
    assert_eq!((vpc.security_groups, vpc.assign_public_ip.as_deref()), (Some(Vec::new()), Some("DISABLED")));
    let deployment = service.deployments.unwrap().remove(0);
    assert_eq!(deployment.platform_version.as_deref(), Some("1.4.0"));
    assert_eq!(deployment.launch_type.as_deref(), Some("FARGATE"));
}

#[tokio::test]
async fn a_strategy_stands_in_place_of_a_launch_type() {
    let stage = stage().await;
    stage.cluster_with("spotty", &["FARGATE", "FARGATE_SPOT"]).await;
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let strategy =
        json!([{"capacityProvider": "FARGATE_SPOT", "weight": 2}, {"capacityProvider": "FARGATE", "base": 1}]);
    let input = json!({"cluster": "spotty", "taskDefinition": "vpc", "networkConfiguration": network,
        "capacityProviderStrategy": strategy});
    let service = stage.create_service(web(input)).await.unwrap();
    assert_eq!(service.launch_type, None);
    let shown = serde_json::to_value(service.capacity_provider_strategy.unwrap()).unwrap();
    assert_eq!(
        shown,
        json!([{"capacityProvider": "FARGATE_SPOT", "weight": 2, "base": 0},
            {"capacityProvider": "FARGATE", "weight": 0, "base": 1}])
    );
    let revisions = stage.context.records().current().service_revisions.clone();
    assert_eq!(revisions.values().next().unwrap().launch_type, LaunchType::Fargate);
}

#[tokio::test]
async fn a_daemon_has_no_count_and_its_own_bounds() {
    let stage = stage().await;
    let service =
        stage.create_service(web(json!({"schedulingStrategy": "DAEMON", "desiredCount": null}))).await.unwrap();
    let configuration = service.deployment_configuration.unwrap();
    assert_eq!((configuration.maximum_percent, configuration.minimum_healthy_percent), (Some(100), Some(0)));
    assert_eq!(service.desired_count, Some(0));
    assert_eq!(service.availability_zone_rebalancing.as_deref(), Some("DISABLED"));
}

#[tokio::test]
async fn an_external_controllers_service_is_only_a_name_with_a_count() {
    let stage = stage().await;
    let input = json!({"taskDefinition": null, "desiredCount": null, "deploymentController": {"type": "EXTERNAL"}});
    let service = stage.create_service(web(input)).await.unwrap();
    assert_eq!((service.task_definition, service.launch_type), (None, None));
    assert_eq!((service.deployments.unwrap().len(), service.task_sets.unwrap().len()), (0, 0));
    assert_eq!(service.current_service_deployment, None);
    let configuration = serde_json::to_value(service.deployment_configuration.unwrap()).unwrap();
    assert_eq!(configuration, json!({"maximumPercent": 200, "minimumHealthyPercent": 100}));
    assert!(stage.context.records().current().deployments.is_empty());
}

#[tokio::test]
async fn placement_is_echoed_in_ecs_spelling() {
    let stage = stage().await;
    let input = json!({
        "placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "attribute:a == b"}],
        "placementStrategy": [{"type": "spread", "field": "host"}, {"type": "binpack", "field": "memory"}],
    });
    let service = stage.create_service(web(input.clone())).await.unwrap();
    assert_eq!(serde_json::to_value(service.placement_constraints).unwrap(), input["placementConstraints"]);
    assert_eq!(
        serde_json::to_value(service.placement_strategy).unwrap(),
        json!([{"type": "spread", "field": "instanceId"}, {"type": "binpack", "field": "MEMORY"}])
    );
    assert_eq!(service.availability_zone_rebalancing.as_deref(), Some("DISABLED"), "it spreads over hosts first");
}

#[tokio::test]
async fn a_whole_deployment_configuration_is_stored_and_shown_as_it_was_given() {
    let stage = stage().await;
    let given = json!({
        "maximumPercent": 150,
        "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": true, "rollback": true, "resetOnHealthyTask": false,
            "thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 25}},
        "alarms": {"alarmNames": ["errors"], "rollback": true, "enable": true},
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 2.5, "canaryBakeTimeInMinutes": 3},
        "bakeTimeInMinutes": 5,
        "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
            "timeoutConfiguration": {"timeoutInMinutes": 7, "action": "CONTINUE"}}],
    });
    let service = stage.create_service(web(json!({"deploymentConfiguration": given}))).await.unwrap();
    assert_eq!(serde_json::to_value(service.deployment_configuration).unwrap(), given);
    let stored = &stage.stored_service("web").configuration;
    assert_eq!(stored.strategy, DeploymentStrategy::Canary { permille: 25, bake_minutes: 3 });
    assert_eq!(stored.breaker.as_ref().unwrap().threshold.unwrap().kind, ThresholdKind::UnboundedPercent);
    let hook = &stored.hooks[0];
    assert_eq!((&hook.stages[..], hook.timeout_minutes), (&[LifecycleStage::PostScaleUp][..], 7));
    assert_eq!(hook.on_timeout, HookAction::Continue);
    let deployments = stage.context.records().current().deployments.clone();
    assert_eq!(deployments.values().next().unwrap().configuration, *stored);
}

#[tokio::test]
async fn strategies_have_ecs_defaults() {
    let stage = stage().await;
    for (name, given, expected) in [
        ("a", json!({"strategy": "LINEAR"}), json!({"stepPercent": 10.0, "stepBakeTimeInMinutes": 6})),
        ("b", json!({"strategy": "CANARY"}), json!({"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10})),
        ("c", json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}), Value::Null),
    ] {
        let input = json!({"serviceName": name, "deploymentConfiguration": given});
        let shown = stage.create_service(web(input)).await.unwrap().deployment_configuration.unwrap();
        let shown = serde_json::to_value(shown).unwrap();
        let parameters = shown.get("linearConfiguration").or(shown.get("canaryConfiguration"));
        assert_eq!(parameters.cloned().unwrap_or_default(), expected);
        assert_eq!(shown["strategy"], given["strategy"]);
    }
}

#[tokio::test]
async fn what_is_only_echoed_is_echoed() {
    let stage = stage().await;
    let input = json!({"role": "ecsRole", "enableExecuteCommand": true, "enableECSManagedTags": true,
        "propagateTags": "SERVICE", "healthCheckGracePeriodSeconds": 30, "loadBalancers": [], "serviceRegistries": [],
        "serviceConnectConfiguration": {"enabled": false}});
    let service = stage.create_service(web(input)).await.unwrap();
    assert_eq!(service.role_arn.as_deref(), Some("arn:aws:iam::000000000000:role/ecsRole"));
    assert_eq!((service.enable_execute_command, service.enable_ecs_managed_tags), (Some(true), Some(true)));
    assert_eq!(service.propagate_tags.as_deref(), Some("SERVICE"));
    assert_eq!(service.health_check_grace_period_seconds, Some(30));
}
